"""How well a run without a thermostat conserves its energy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FEWEST = 5  # points of a fit


@dataclass(frozen=True)
class Conservation:
    """A run at constant energy.

    time: (n,) ps. temperature: (n,) K. energy: (n,) meV/atom, total, minus the first.
    drift: meV/atom/ps, slope of a line through the energies.
    fluctuation: meV/atom, standard deviation from that line.
    """

    time: np.ndarray
    temperature: np.ndarray
    energy: np.ndarray
    drift: float
    fluctuation: float

    @property
    def mean_temperature(self) -> float:
        """K."""
        return float(self.temperature.mean())


def conservation(table: np.ndarray, n_atoms: int) -> Conservation | None:
    """Of rows of ps, K and eV; None if there are too few, or numbers that are not finite."""
    if len(table) < FEWEST or not np.isfinite(table).all():
        return None
    time, temperature, total = table.T
    energy = 1e3 * (total - total[0]) / n_atoms
    drift, start = np.polyfit(time, energy, 1)
    spread = np.std(energy - start - drift * time)
    return Conservation(time, temperature, energy, float(drift), float(spread))


def read_energies(path: Path) -> np.ndarray:
    """(n, 3) ps, K, eV of a run; the rows as far as they are complete."""
    if not path.exists():
        return np.zeros((0, 3))
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and not line.startswith("#"):
            try:
                rows.append([float(word) for word in words])
            except ValueError:
                break
    return np.array(rows).reshape(-1, 3)
