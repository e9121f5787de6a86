"""Activation functions: one registry for NumPy, TensorFlow, the ini files and the potentials.

Each function takes the array and the library that computes with it (`numpy` or `tensorflow`),
which lets one formula serve evaluation and training. Numbers are those of panna.in and of
networks_metadata.json.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panna.errors import TrainingError


@dataclass(frozen=True)
class Activation:
    """One kind of layer.

    name: canonical name, the one stored in checkpoints.
    number: id in panna.in and networks_metadata.json.
    synonyms: other spellings accepted in ini files, among them those of PANNA v1.
    function: (x, library) -> y, element by element; x = input @ weights + biases.
    derivative: (x, y, library) -> dy/dx, for the NumPy gradient.
    centres: if True, x is -|input - weights|^2 instead (radial basis functions; the bias is
      unused).
    """

    name: str
    number: int
    synonyms: tuple[str, ...]
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


ACTIVATIONS: dict[str, Activation] = {}


def register(activation: Activation) -> Activation:
    """Make an activation known under its name."""
    ACTIVATIONS[activation.name] = activation
    return activation


register(
    Activation(
        "linear",
        0,
        ("l", "L", "LINEAR", "0"),
        lambda x, library: x,
        lambda x, y, library: library.ones_like(x),
    )
)
register(
    Activation(
        "gaussian",
        1,
        ("g", "G", "gauss", "Gaussian", "GAUSSIAN", "1"),
        lambda x, library: library.exp(-x * x),
        lambda x, y, library: -2 * x * y,
    )
)
register(
    Activation(
        "rbf",
        2,
        ("RBF", "2"),
        lambda x, library: library.exp(x),
        lambda x, y, library: y,
        centres=True,
    )
)
register(
    Activation(
        "relu",
        3,
        ("rl", "ReLU", "RELU", "RL", "3"),
        lambda x, library: library.maximum(x, library.zeros_like(x)),
        lambda x, y, library: (x > 0).astype(x.dtype),
    )
)
register(
    Activation(
        "tanh",
        4,
        ("TANH", "th", "4"),
        lambda x, library: library.tanh(x),
        lambda x, y, library: 1 - y * y,
    )
)


def activation_name(text: str | int) -> str:
    """Canonical name for any spelling, or the number, of an activation.

    Raises:
      TrainingError: no such activation.
    """
    text = str(text).strip()
    spellings = {s: a.name for a in ACTIVATIONS.values() for s in (a.name, *a.synonyms)}
    if text in spellings:
        return spellings[text]
    close = difflib.get_close_matches(text.lower(), ACTIVATIONS, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise TrainingError(
        f"activation {text!r} found; expected one of {', '.join(ACTIVATIONS)} or their numbers "
        f"{', '.join(str(a.number) for a in ACTIVATIONS.values())}{hint}"
    )
