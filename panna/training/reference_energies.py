"""Reference energies of the species (output_offset): given, or fitted by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.config.reader import Config
from panna.training.statistics import Statistics


@dataclass(frozen=True)
class ReferenceEnergies:
    """offsets: (n_species,) float64, eV; origin: in words; note: "" or what to think of."""

    offsets: np.ndarray
    origin: str
    note: str = ""


def reference_energies(
    config: Config, species: tuple[str, ...], statistics: Statistics
) -> ReferenceEnergies:
    """Those of the configuration, or fitted to the training set by least squares.

    Raises:
      ConfigError: only some species have a section with output_offset.
    """
    given = config["DATA_INFORMATION"]["output_offset"]
    if given is not None:
        return ReferenceEnergies(np.array(given, np.float64), "given in output_offset")
    sections = config.species_sections
    values = [sections.get(symbol, {}).get("output_offset") for symbol in species]
    missing = [s for s, value in zip(species, values, strict=True) if value is None]
    if not missing:
        return ReferenceEnergies(np.array(values, np.float64), "given in the species' sections")
    if len(missing) < len(species):
        symbol = next(s for s in species if s not in missing)
        raise config.error(
            symbol, "output_offset",
            f"given for this species but not for {', '.join(missing)}; give it for all species, or "
            "for none to have them fitted",
        )  # fmt: skip
    return fit_reference_energies(statistics.compositions, statistics.energies, species)


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
