"""ranges_<Symbol>.dat beside the weights: the range of every descriptor component in training.

Little-endian float32 numbers, all smallest values and then all largest ones, rounded outwards so
that no atom of the training set lies outside.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.errors import PotentialError
from panna.files import atomic_write
from panna.potential.float32_file import read_numbers


def write_ranges(path: Path, lowest: np.ndarray, highest: np.ndarray) -> None:
    """lowest, highest: (g,) float64."""
    rounded = [_away(lowest, -np.inf), _away(highest, np.inf)]
    with atomic_write(path, "wb") as file:
        file.write(np.concatenate(rounded).astype("<f4").tobytes())


def read_ranges(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest values, (size,) float64 each.

    Raises:
      PotentialError: the file is missing, has another length or holds numbers that make no range.
    """
    owner = f"the range of {size} components"
    numbers = read_numbers(path, 2 * size, "ranges", owner).astype(np.float64)
    lowest, highest = numbers[:size], numbers[size:]
    if (lowest > highest).any():
        raise PotentialError(f"{path}: ranges from a smallest to a largest number expected")
    return lowest, highest


def _away(values: np.ndarray, towards: float) -> np.ndarray:
    """float32, not further from `towards` than the values."""
    rounded = values.astype(np.float32)
    inside = rounded > values if towards < 0 else rounded < values
    return np.where(inside, np.nextafter(rounded, np.float32(towards)), rounded)
