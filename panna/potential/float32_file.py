"""Files of raw little-endian float32 numbers, without a header: weights and ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.errors import PotentialError


def read_numbers(path: Path, count: int, what: str, owner: str) -> np.ndarray:
    """The (count,) float32 numbers of a file.

    Args:
      what: they are, "weights".
      owner: whose they are, "a network 48:32:16:1".
    Raises:
      PotentialError: missing, of another length, or not finite.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PotentialError(
            f"{path}: no such file; it holds the {what} named in panna.in and belongs beside it"
        ) from None
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) != 4 * count:
        raise PotentialError(
            f"{path}: {len(data)} bytes found, {4 * count} expected ({count} float32 numbers of "
            f"{owner}); the file is damaged or belongs to another panna.in"
        )
    numbers = np.frombuffer(data, "<f4").astype(np.float32)
    check_finite(path, numbers, "the file is damaged; export the potential again")
    return numbers


def check_finite(path: Path, numbers: np.ndarray, remedy: str) -> None:
    """Raises PotentialError with the first number that is not finite."""
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise PotentialError(
            f"{path}: number {bad[0] + 1} of {len(numbers)} is {numbers[bad[0]]}, a finite number "
            f"expected; {remedy}"
        )
