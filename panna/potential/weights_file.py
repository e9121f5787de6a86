"""weights_<Symbol>.dat: the network of one species as raw float32 numbers.

Little endian, no header. For each layer the weights, row by row with the input index slow
(in x out), then the biases.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.errors import PotentialError
from panna.files import atomic_write


def write_weights(path: str | Path, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
    """Writes the layers of a network, (in, out) and (out,) each, rounded to float32.

    Raises:
      PotentialError: a number is not finite in float32.
    """
    layers = [array for pair in zip(weights, biases, strict=True) for array in pair]
    with np.errstate(over="ignore"):
        numbers = np.concatenate([np.ravel(array) for array in layers]).astype("<f4")
    _check_finite(Path(path), numbers, "the network cannot be exported; use another checkpoint")
    with atomic_write(path, "wb") as file:
        file.write(numbers.tobytes())


def read_weights(
    path: str | Path, inputs: int, sizes: list[int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Reads the layers of a network.

    Args:
      inputs: number of inputs of the first layer (size of the descriptor).
      sizes: number of outputs of each layer.
    Returns:
      Weights (in, out) and biases (out,) of each layer, float32.
    Raises:
      PotentialError: missing, of another length, or not finite.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PotentialError(
            f"{path}: no such file; it holds the weights named in panna.in and belongs beside it"
        ) from None
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from error
    shapes = list(zip([inputs, *sizes[:-1]], sizes, strict=True))
    count = sum((n_in + 1) * n_out for n_in, n_out in shapes)
    if len(data) != 4 * count:
        layers = ":".join(map(str, [inputs, *sizes]))
        raise PotentialError(
            f"{path}: {len(data)} bytes found, {4 * count} expected ({count} float32 numbers of a "
            f"network {layers}); the file is damaged or belongs to another panna.in"
        )
    numbers = np.frombuffer(data, "<f4").astype(np.float32)
    _check_finite(path, numbers, "the file is damaged; export the potential again")
    weights, biases, position = [], [], 0
    for n_in, n_out in shapes:
        end = position + n_in * n_out
        weights.append(numbers[position:end].reshape(n_in, n_out).copy())
        biases.append(numbers[end : end + n_out].copy())
        position = end + n_out
    return weights, biases


def _check_finite(path: Path, numbers: np.ndarray, remedy: str) -> None:
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise PotentialError(
            f"{path}: number {bad[0] + 1} of {len(numbers)} is {numbers[bad[0]]}, a finite number "
            f"expected; {remedy}"
        )
