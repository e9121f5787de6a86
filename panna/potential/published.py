"""Which published programs can run a model, and why the others cannot.

What these programs do was found by running them: the compiled KIM driver
PANNA__MD_805652781592_000, and the LAMMPS pair styles of PANNA v1 and v2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.descriptors.centres import equal_angles, same_centres
from panna.descriptors.parameters import MBP
from panna.network.activations import ACTIVATIONS
from panna.network.parameters import Model
from panna.potential.panna_in import choose_gversion, descriptor_of, round_networks
from panna.potential.panna_in_descriptor import default_step


@dataclass(frozen=True)
class PublishedReader:
    """A published program.

    name: as people know it.
    eps: smoothing of the angle, fixed in the program.
    gversions: grammars it reads.
    activations: kinds of layers it has.
    zeta: "real" or "whole" numbers.
    step: whether it honours a step of centres that does not end at the cutoff.
    """

    name: str
    eps: float
    gversions: tuple[int, ...]
    activations: tuple[str, ...]
    zeta: str
    step: bool


PUBLISHED = (
    PublishedReader(
        "KIM driver PANNA__MD_805652781592_000",
        1e-2,
        (0,),
        ("linear", "gaussian", "relu"),
        "real",
        True,
    ),
    PublishedReader(
        "LAMMPS pair style of PANNA v1",
        1e-2,
        (0, 1),
        ("linear", "gaussian", "relu"),
        "whole",
        False,
    ),
    PublishedReader(
        "LAMMPS pair style of PANNA v2",
        1e-3,
        (0, 1),
        ("linear", "gaussian", "relu", "tanh"),
        "whole",
        False,
    ),
)


@dataclass(frozen=True)
class Verdict:
    """Whether a published program computes this model; the reasons if it does not."""

    reader: str
    reasons: tuple[str, ...]

    @property
    def reads(self) -> bool:
        return not self.reasons


def published_readers(model: Model, gversion: int | str = "auto") -> list[Verdict]:
    """What the published programs would make of the exported model.

    Args:
      model: the model that is exported.
      gversion: grammar of the panna.in: 0, 1 or "auto".
    Returns:
      One verdict per published program.
    Raises:
      PotentialError: the model cannot be exported at all.
    """
    parameters = descriptor_of(model)
    gversion = choose_gversion(parameters, gversion)
    verdicts = []
    for reader in PUBLISHED:
        found = [*_activation_reasons(reader, model), *_offset_reasons(model)]
        if isinstance(parameters, MBP):
            found += _mbp_reasons(reader, parameters, gversion)
        else:
            found.append(f"it has no descriptor of type {parameters.type}")
        verdicts.append(Verdict(reader.name, tuple(found)))
    return verdicts


def published_shift(model: Model) -> float:
    """Largest constant (eV/atom) by which published programs are off: the bias is float32 there."""
    return float(max(abs(network.bias_residual) for network in round_networks(model)))


def _activation_reasons(reader: PublishedReader, model: Model) -> list[str]:
    used = {name for network in model.networks for name in network.activations}
    missing = sorted(used - set(reader.activations))
    return [f"it has no {name} layers (id {ACTIVATIONS[name].number})" for name in missing]


def _offset_reasons(model: Model) -> list[str]:
    outputs = [network.activations[-1] for network in model.networks]
    if all(name == "linear" for name in outputs) or not np.any(model.offsets):
        return []
    return ["it has no place for the reference energy when the last layer is not linear"]


def _mbp_reasons(reader: PublishedReader, p: MBP, gversion: int) -> list[str]:
    reasons = []
    if gversion not in reader.gversions:
        reasons.append(f"it does not read gversion {gversion}")
    if p.eps != reader.eps:
        reasons.append(f"its angular eps is {reader.eps}, this model has {p.eps}")
    if p.like_pairs != "once":
        reasons.append("it counts pairs of like neighbours once, this model twice")
    if reader.zeta == "whole" and any(zeta != int(zeta) for zeta in p.zeta):
        reasons.append("it takes whole zeta only")
    midpoints = same_centres(equal_angles(len(p.thetas), "midpoints"), p.thetas)
    if gversion == 0 and not midpoints:
        reasons.append("its angles are midpoints, this model has others")
    to_cutoff = default_step(p, "rad") and default_step(p, "ang")
    if gversion == 0 and not reader.step and not to_cutoff:
        reasons.append("it spreads the centres up to the cutoff whatever Rsst says")
    return reasons
