"""Keys of panna_train about the loss: functions, weights, regularisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from panna.config.reader import Config
from panna.config.schema import NO_ELECTROSTATICS, Key, Problem
from panna.config.values import (
    Kind,
    choice,
    either,
    non_negative_real,
    positive_real,
    real,
    text,
)

SECTION = "TRAINING_PARAMETERS"
SHAPES = ("quad", "exp_quad", "exp_tanh", "quad_exp_tanh")
energy_loss = choice(
    *(shape + suffix for shape in SHAPES for suffix in ("", "_atom", "_std_atom")), "huber"
)
force_loss = choice("quad", "quad_atom", "quad_percomp", "exp_quad", "exp_quad_atom", "huber")
reduction = choice("mean", "sum")
energy_weight = choice("n_atoms", "n_atoms2")
force_weight = choice("n_atoms", "n_atoms2", "3n_atoms", "3n_atoms2")


def _group_weights(content: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in content.split(","):
        name, colon, number = (part.strip() for part in item.rpartition(":"))
        if not colon or not name:
            raise ValueError(f"{item.strip()!r}: expected group:weight")
        if name in weights:
            raise ValueError(f"expected different groups, {name} is repeated")
        try:
            weights[name] = non_negative_real(number)
        except ValueError as error:
            raise ValueError(f"{item.strip()!r}: {error}") from error
    return weights


group_weights = Kind("a list of group:weight separated by commas", _group_weights)

LOSS_KEYS = (
    Key("loss_function", energy_loss, "quad_atom", v1="quad",
        meaning="of energies, d the error of a frame of N atoms in eV, L = d^2, with _atom "
                "(d/N)^2, with _std_atom d^2/N: quad L, exp_quad exp(c L), exp_tanh "
                "exp(a tanh(L/a)), quad_exp_tanh d^2 + exp(a tanh(L/a)); huber: of d/N"),
    Key("floss_function", force_loss, "quad_percomp", v1="quad",
        meaning="of forces, f2 = squared errors summed over a frame: quad f2, quad_atom f2/N, "
                "quad_percomp f2/3N, exp_quad exp(c f2), exp_quad_atom exp(c f2/N), huber: mean "
                "over components"),
    Key("loss_flavour", choice("v2", "v1"), "v2",
        meaning="v2: a loss for every frame, then mean or sum over the batch: its size does not "
                "depend on batch_size; v1: as PANNA v1, sums over the batch inside the functions, "
                "0.5 exp(c L), forces per atom f2/N^2, regularisation l2 (sum w^2)/2"),
    Key("energy_reduction", reduction, "mean", meaning="of the losses of the frames of a batch"),
    Key("force_reduction", reduction, "mean", meaning="of the losses of the frames of a batch"),
    Key("energy_weight", energy_weight, None,
        meaning="divides the loss of a frame by N or N^2; only with a loss_function that does not"),
    Key("force_weights", force_weight, None,
        meaning="divides the loss of a frame by N, N^2, 3N or 3N^2; only with a floss_function "
                "that does not"),
    Key("energy_prefactor", positive_real, 2.0, unit="1/eV^2", meaning="c of exp_quad losses"),
    Key("force_prefactor", positive_real, 2.0, unit="(angstrom/eV)^2",
        meaning="c of exp_quad losses of forces"),
    Key("exp_tanh_constant", positive_real, 5.0, unit="eV^2",
        meaning="a of exp_tanh losses: beyond a few a they are flat, so start with others"),
    Key("energy_huber_delta", positive_real, 0.01, unit="eV/atom",
        meaning="error above which the Huber loss is linear"),
    Key("force_huber_delta", positive_real, 0.1, unit="eV/angstrom",
        meaning="error above which the Huber loss is linear"),
    Key("forces_cost", either("auto", None, non_negative_real), None, v1=0.0,
        meaning="weight of the force loss; 0: energies alone; auto: 0.05 where the data have "
                "forces"),
    Key("forces_cost_final", positive_real, None,
        meaning="weight of the force loss in the last step; it changes geometrically over the "
                "whole run. Validation always uses this one"),
    Key("group_weights", group_weights, None,
        meaning="factors of the weights of frames, elastic:2, surface:0.5; in training and "
                "validation; other groups 1"),
    Key("stress_cost", non_negative_real, 0.0,
        meaning="weight of the loss of virials, the mean of the 9 squared components per atom"),
    Key("wscale_l1", non_negative_real, 0.0,
        meaning="weight of the sum of absolute weights in the loss"),
    Key("wscale_l2", non_negative_real, 0.0, meaning="weight of the sum of squared weights"),
    Key("bscale_l1", non_negative_real, 0.0, meaning="weight of the sum of absolute biases"),
    Key("bscale_l2", non_negative_real, 0.0, meaning="weight of the sum of squared biases"),
    Key("charge_cost", real, 0.0, refused=NO_ELECTROSTATICS),
    Key("qloss_function", choice("quad"), "quad", obsolete="there are no charges"),
    Key("charge_weights", text, None, refused=NO_ELECTROSTATICS),
    Key("charge_reduction", choice("mean"), "mean", obsolete="there are no charges"),
)  # fmt: skip


FORCES_COST = 0.05  # of forces_cost = auto


def chosen_forces_cost(training: Mapping[str, Any], forces: bool) -> float:
    """The weight of the force loss; `forces`: whether forces are trained."""
    given = training["forces_cost"]
    if given is None:
        return FORCES_COST if forces else 0.0
    return given


def check_losses(config: Config) -> Iterable[Problem]:
    """Keys that contradict each other, or are without effect."""
    training = config[SECTION]
    energy, force = training["loss_function"], training["floss_function"]
    if training["loss_flavour"] == "v1":
        for key in ("energy_reduction", "force_reduction", "energy_weight", "force_weights"):
            if config.given(SECTION, key):
                yield Problem(SECTION, key, "PANNA v1 has sums only; remove it or loss_flavour")
    if training["energy_weight"] and (energy.endswith("atom") or energy == "huber"):
        yield Problem(
            SECTION, "energy_weight", f"loss_function = {energy} is per atom already; remove one"
        )
    if training["force_weights"] and force not in ("quad", "exp_quad"):
        yield Problem(
            SECTION, "force_weights", f"floss_function = {force} has its own weight; remove one"
        )
    constants = {
        "energy_prefactor": energy.startswith("exp_quad"),
        "force_prefactor": force.startswith("exp_quad"),
        "exp_tanh_constant": "exp_tanh" in energy,
        "energy_huber_delta": energy == "huber",
        "force_huber_delta": force == "huber",
    }
    for key, used in constants.items():
        if config.given(SECTION, key) and not used:
            yield Problem(SECTION, key, "without effect with these losses; remove it")
    if training["forces_cost_final"] is not None and training["forces_cost"] == 0:
        yield Problem(SECTION, "forces_cost_final", "forces_cost = 0: forces are not trained")
    if training["stress_cost"] and training["forces_cost"] == 0:
        yield Problem(SECTION, "stress_cost", "needs forces_cost > 0: virials come with forces")
