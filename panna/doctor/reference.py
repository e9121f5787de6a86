"""Reference energies of the species, and compositions that do not fit the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.frames.criteria import NORMAL

# With fewer compositions than unknowns and these, nothing is left to compare.
SPARE = 3
LEAST_SPREAD = 0.02  # eV/atom; binding energies of sound data differ by as much
ROUNDS = 100
SMALL = 1e-6  # eV/atom, where weights stop growing


@dataclass(frozen=True)
class Shifts:
    """Energies per atom of C compositions, reference energies removed.

    offsets: (n_species,) eV, by least absolute deviations: one wrong composition moves them little.
    residuals: (C,) eV/atom.
    spread: robust standard deviation of the residuals, eV/atom; nan if untold says why there is
      none.
    testable: (C,) bool; not those that alone fix a reference energy, as they fit by construction.
    untold: "" or why compositions cannot be compared.
    """

    offsets: np.ndarray
    residuals: np.ndarray
    spread: float
    testable: np.ndarray
    untold: str = ""


def composition_shifts(fractions: np.ndarray, energies: np.ndarray) -> Shifts:
    """Fit the reference energies to compositions, each counted once.

    Args:
      fractions: (C, n_species), rows sum to 1.
      energies: (C,) eV/atom.
    """
    offsets = _least_absolute(fractions, energies)
    residuals = energies - fractions @ offsets
    rank = int(np.linalg.matrix_rank(fractions, tol=1e-8))
    testable = _testable(fractions, rank)
    if len(energies) < rank + SPARE:
        untold = (
            f"{len(energies)} compositions and {rank} reference energies: at least "
            f"{rank + SPARE} compositions are needed to see that one is shifted"
        )
        return Shifts(offsets, residuals, np.nan, testable, untold)
    # As many residuals as unknowns are zero by construction.
    size = np.sort(np.abs(residuals))[rank:]
    spread = max(NORMAL * float(np.median(size)), LEAST_SPREAD)
    return Shifts(offsets, residuals, spread, testable)


def _least_absolute(fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Iteratively reweighted least squares; the smallest solution where several are as good."""
    weights = np.ones(len(energies))
    for _ in range(ROUNDS):
        roots = np.sqrt(weights)
        offsets = np.linalg.lstsq(fractions * roots[:, None], energies * roots, rcond=1e-10)[0]
        weights = 1.0 / np.maximum(np.abs(energies - fractions @ offsets), SMALL)
        weights /= weights.max()
    return offsets


def _testable(fractions: np.ndarray, rank: int) -> np.ndarray:
    """Whether the other compositions fix as many reference energies without it."""
    # The leverage is 1 where a row is needed for the rank, and only there.
    vectors = np.linalg.svd(fractions, full_matrices=False)[0][:, :rank]
    leverage = (vectors**2).sum(1)
    return leverage < 1.0 - 1e-8
