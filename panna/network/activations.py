"""Activation functions: one registry for NumPy, TensorFlow and the potentials.

Each function takes the array and the library that computes with it (`numpy` or `tensorflow`),
which lets one formula serve evaluation and training. Numbers are those of panna.in and of
networks_metadata.json; other spellings of the names are known to `panna.config.train.activation`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Activation:
    """One kind of layer.

    name: canonical name, the one stored in checkpoints.
    number: id in panna.in and networks_metadata.json.
    function: (x, library) -> y, element by element; x = input @ weights + biases.
    derivative: (x, y, library) -> dy/dx, for the NumPy gradient.
    centres: if True, x is -|input - weights|^2 instead (radial basis functions; the bias is
      unused).
    """

    name: str
    number: int
    function: Callable[[Any, Any], Any]
    derivative: Callable[[Any, Any, Any], Any]
    centres: bool = False

    def layer(self, inputs: Any, weights: Any, biases: Any, library: Any) -> Any:
        """(N, in), (in, out), (out,) -> (N, out)."""
        return self.function(self.argument(inputs, weights, biases, library), library)

    def argument(self, inputs: Any, weights: Any, biases: Any, library: Any) -> Any:
        """What the function is applied to, (N, out)."""
        product = library.matmul(inputs, weights)
        if not self.centres:
            return product + biases
        total = getattr(library, "reduce_sum", None) or library.sum
        squares = total(inputs * inputs, 1)[:, None] + total(weights * weights, 0)[None, :]
        return product + product - squares


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("linear", 0, lambda x, library: x, lambda x, y, library: library.ones_like(x)),
        Activation(
            "gaussian", 1, lambda x, library: library.exp(-x * x), lambda x, y, library: -2 * x * y
        ),
        Activation(
            "rbf", 2, lambda x, library: library.exp(x), lambda x, y, library: y, centres=True
        ),
        Activation(
            "relu",
            3,
            lambda x, library: library.maximum(x, library.zeros_like(x)),
            lambda x, y, library: (x > 0).astype(x.dtype),
        ),
        Activation("tanh", 4, lambda x, library: library.tanh(x), lambda x, y, library: 1 - y * y),
    )
}
NAME_OF_NUMBER = {activation.number: name for name, activation in ACTIVATIONS.items()}
