"""Reference energies of the species (output_offset): given, or fitted by least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from panna.config.reader import Config
from panna.training.networks import NO_BASES, Base
from panna.training.statistics import Statistics

# eV per atom: more than any solid is bound by, so that offsets of isolated atoms leave less.
SUSPICIOUS = 20.0


@dataclass(frozen=True)
class ReferenceEnergies:
    """offsets: (n_species,) float64, eV; origin: in words; note: "" or what to think of."""

    offsets: np.ndarray
    origin: str
    note: str = ""


def reference_energies(
    config: Config,
    species: tuple[str, ...],
    statistics: Statistics,
    bases: Mapping[str, Base] = NO_BASES,
) -> ReferenceEnergies:
    """Those of the configuration, of exported networks, or fitted to the training set.

    Args:
      bases: the networks that species begin with; their offsets count unless others are given.
    Raises:
      ConfigError: only some species have a reference energy.
    """
    section = "DATA_INFORMATION"
    given = config[section]["output_offset"]
    if given is not None:
        return _given(given, "output_offset", statistics)
    own = {s: values["output_offset"] for s, values in config.species_sections.items()}
    exported = {s: base.offset for s, base in bases.items()}
    if config.given(section, "output_offset"):
        exported = {}  # output_offset = fit
    values = [exported.get(s) if own.get(s) is None else own[s] for s in species]
    missing = [s for s, value in zip(species, values, strict=True) if value is None]
    if not missing:
        of_sections = all(own.get(s) is not None for s in species)
        where = "the species' sections" if of_sections else "networks_metadata"
        return _given(values, where, statistics)
    if len(missing) < len(species):
        symbol = next(s for s in species if s not in missing)
        if own.get(symbol) is None:
            raise config.error(
                section, "output_offset",
                f"networks_metadata has one for {symbol} but not for {', '.join(missing)}; give it "
                "in their sections, or output_offset = fit",
            )  # fmt: skip
        raise config.error(
            symbol, "output_offset",
            f"given for this species but not for {', '.join(missing)}; give it for all species, or "
            "for none to have them fitted",
        )  # fmt: skip
    return fit_reference_energies(statistics.compositions, statistics.energies, species)


def _given(values: Sequence[float], where: str, statistics: Statistics) -> ReferenceEnergies:
    offsets = np.array(values, np.float64)
    left = statistics.residual(offsets)
    note = ""
    if left > SUSPICIOUS:
        note = (
            "these offsets leave more than atoms are bound by: are they in eV, for this order of "
            "species, from the method of the data? output_offset = fit finds some"
        )
    return ReferenceEnergies(
        offsets, f"given in {where}; they leave {1e3 * left:.1f} meV/atom", note
    )


def fit_reference_energies(
    compositions: np.ndarray, energies: np.ndarray, species: tuple[str, ...]
) -> ReferenceEnergies:
    """Reference energies that explain the energies of the frames best.

    Minimises sum_f ((E_f - sum_s n_fs offset_s) / N_f)^2 in float64. If the compositions do not
    fix all offsets (one stoichiometry for two species, a species without atoms) the solution of
    smallest norm is taken: it predicts the same energies for the compositions that occur.

    Args:
      compositions: (F, n_species) atoms of each species in every frame.
      energies: (F,) eV.
      species: symbols, for the note.
    """
    atoms = compositions.sum(1)
    fractions, targets = compositions / atoms[:, None], energies / atoms
    offsets, _, rank, _ = np.linalg.lstsq(fractions, targets, rcond=1e-10)
    rmse = np.sqrt(np.mean((fractions @ offsets - targets) ** 2))
    note = ""
    absent = [s for s, n in zip(species, compositions.sum(0), strict=True) if n == 0]
    if absent:
        note = f"no atoms of {', '.join(absent)} in the training set: offset 0"
    elif rank < len(species):
        note = (
            f"the compositions fix {rank} combinations of {len(species)} offsets; the solution of "
            "smallest norm is used. Give output_offset (energies of isolated atoms) if the "
            "potential is to compare other compositions"
        )
    origin = f"fitted by least squares, which leaves {1e3 * rmse:.1f} meV/atom"
    return ReferenceEnergies(offsets, origin, note)
