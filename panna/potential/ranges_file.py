"""ranges_<Symbol>.dat beside the weights: the range of every descriptor component in training.

Little-endian float32 numbers, all smallest values and then all largest ones, rounded outwards so
that no atom of the training set lies outside.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.errors import PotentialError
from panna.files import atomic_write


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
    try:
        numbers = np.fromfile(path, "<f4").astype(np.float64)
        length = path.stat().st_size
    except OSError as error:
        raise PotentialError(f"{path}: ranges cannot be read: {error.strerror}") from error
    if length != 8 * size:
        raise PotentialError(
            f"{path}: {length} bytes found, {8 * size} expected (two float32 numbers for each of "
            f"{size} components); the file is damaged or belongs to another panna.in"
        )
    lowest, highest = numbers[:size], numbers[size:]
    if not (np.isfinite(numbers).all() and (lowest <= highest).all()):
        raise PotentialError(f"{path}: ranges from a smallest to a largest number expected")
    return lowest, highest


def _away(values: np.ndarray, towards: float) -> np.ndarray:
    """float32, not further from `towards` than the values."""
    rounded = values.astype(np.float32)
    inside = rounded > values if towards < 0 else rounded < values
    return np.where(inside, np.nextafter(rounded, np.float32(towards)), rounded)
