"""Reference energies of the species (output_offset), fitted by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OffsetFit:
    """offsets: (n_species,) float64 eV; rmse: of the energy per atom, eV; note: "" or a remark."""

    offsets: np.ndarray
    rmse: float
    note: str


def fit_offsets(
    compositions: np.ndarray, energies: np.ndarray, species: tuple[str, ...]
) -> OffsetFit:
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
    rmse = float(np.sqrt(np.mean((fractions @ offsets - targets) ** 2)))
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
    return OffsetFit(offsets, rmse, note)
