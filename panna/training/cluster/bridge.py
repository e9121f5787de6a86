"""How the chief's graphs call the Python functions of other processes.

TensorFlow finds the function behind a PyFunc operation by a token, in the process in which the
operation runs. All processes register the same functions in the same order, before any other, so
the tokens agree: a graph that the chief sends to a worker reaches the worker's data, the compiled
core and its compiled step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

# What a worker can be asked for; servers know `finish` only.
NAMES = ("train", "validate", "finish")


class Bridge:
    """The functions of this process under the tokens that all processes use.

    Args:
      functions: arrays -> list of arrays, by NAMES; what is not given fails when it is called.
    """

    def __init__(self, functions: Mapping[str, Callable[..., list[Any]]] | None = None) -> None:
        functions = functions or {}
        self._functions = [functions.get(name, _absent(name)) for name in NAMES]
        # The graph keeps the functions registered; it is never run.
        self._graph = tf.Graph()
        with self._graph.as_default():
            made = [tf.numpy_function(one, [], tf.int64) for one in self._functions]
        self._tokens = [one.op.get_attr("token") for one in made]
        expected = [f"pyfunc_{i}".encode() for i in range(len(NAMES))]
        if self._tokens != expected:
            raise RuntimeError(f"tokens {self._tokens} found, {expected} expected")

    def call(
        self, name: str, inputs: Sequence[tf.Tensor], types: Sequence[tf.DType]
    ) -> list[tf.Tensor]:
        """Part of a graph: calls a function of the process on which the graph runs."""
        token = self._tokens[NAMES.index(name)]
        return tf.raw_ops.PyFunc(input=list(inputs), token=token, Tout=list(types))


def _absent(name: str) -> Callable[..., list[Any]]:
    def fail(*_: Any) -> list[Any]:
        raise RuntimeError(f"this process has no function {name}")

    return fail
