"""weights_<Symbol>.dat: the network of one species as raw float32 numbers.

Little endian, no header. For each layer the weights, row by row with the input index slow
(in x out), then the biases.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.files import atomic_write
from panna.potential.float32_file import check_finite, read_numbers


def write_weights(path: str | Path, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
    """Writes the layers of a network, (in, out) and (out,) each, rounded to float32.

    Raises:
      PotentialError: a number is not finite in float32.
    """
    layers = [array for pair in zip(weights, biases, strict=True) for array in pair]
    with np.errstate(over="ignore"):
        numbers = np.concatenate([np.ravel(array) for array in layers]).astype("<f4")
    check_finite(Path(path), numbers, "the network cannot be exported; use another checkpoint")
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
    shapes = list(zip([inputs, *sizes[:-1]], sizes, strict=True))
    count = sum((n_in + 1) * n_out for n_in, n_out in shapes)
    layers = ":".join(map(str, [inputs, *sizes]))
    numbers = read_numbers(Path(path), count, "weights", f"a network {layers}")
    weights, biases, position = [], [], 0
    for n_in, n_out in shapes:
        end = position + n_in * n_out
        weights.append(numbers[position:end].reshape(n_in, n_out).copy())
        biases.append(numbers[end : end + n_out].copy())
        position = end + n_out
    return weights, biases
