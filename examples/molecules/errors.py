"""Errors of energies in the files of panna_evaluate, in meV and kcal/mol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.frames.units import FOREIGN_ENERGY

KCAL_PER_MOL = FOREIGN_ENERGY["kcal/mol"]  # eV


@dataclass(frozen=True)
class Energies:
    """names: (F,) of the frames. n_atoms: (F,). reference, predicted: (F,) eV."""

    names: np.ndarray
    n_atoms: np.ndarray
    reference: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, folder: Path) -> Energies:
        """Of a network or the mean of a committee, as panna_evaluate has written them."""
        found = [
            path for path in folder.glob("*.dat") if not path.stem.endswith(("_std", "_forces"))
        ]
        if len(found) != 1:
            raise FileNotFoundError(f"{folder}: {len(found)} files of energies found, 1 expected")
        rows = [line.split() for line in found[0].read_text().splitlines()[1:]]
        names, n_atoms, reference, predicted = zip(*rows, strict=True)
        return cls(
            np.array(names),
            np.array(n_atoms, int),
            np.array(reference, float),
            np.array(predicted, float),
        )

    @property
    def errors(self) -> np.ndarray:
        """(F,) eV, predicted minus reference."""
        return self.predicted - self.reference

    def part(self, which: np.ndarray) -> Energies:
        """which: (F,) bool."""
        return Energies(
            *(x[which] for x in (self.names, self.n_atoms, self.reference, self.predicted))
        )

    def relative_errors(self) -> np.ndarray:
        """(F - 1,) eV, of the energy over that of the frame with the lowest reference energy."""
        lowest = self.reference.argmin()
        return np.delete(self.errors - self.errors[lowest], lowest)

    def pair_rmse(self) -> float:
        """eV, of the energy differences of all pairs of frames."""
        # mean over pairs of (e_i - e_j)^2 = 2 F / (F - 1) times the variance
        return float(np.sqrt(2) * self.errors.std(ddof=1))


def rmse(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def in_both_units(energy: float) -> str:
    """meV and kcal/mol."""
    return f"{1e3 * energy:.2f} ({energy / KCAL_PER_MOL:.3f})"
