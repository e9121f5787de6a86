"""The optimisers by their ini names.

An optimiser has `variables`; `state`, the tf.Variables that a checkpoint must hold beside them;
`step_size(learning_rate, step)`, calculated in float64 outside the graph; and
`apply(gradients, step_size)` for the inside of a tf.function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from panna.training.adam import Adam, AdamOptions
from panna.training.adamw import AdamW

WEIGHT_DECAY = 0.1  # the default of adamw
OPTIMISERS: dict[str, Callable[[Sequence[tf.Variable], Mapping[str, Any]], Adam]] = {}


def register(name: str) -> Callable[[Callable], Callable]:
    """Make an optimiser known under its ini name."""

    def decorate(function: Callable) -> Callable:
        OPTIMISERS[name] = function
        return function

    return decorate


def optimiser(variables: Sequence[tf.Variable], training: Mapping[str, Any]) -> Adam:
    """The optimiser that the keys of [TRAINING_PARAMETERS] ask for."""
    return OPTIMISERS[training["optimiser"]](variables, training)


@register("adam")
def _adam(variables: Sequence[tf.Variable], training: Mapping[str, Any]) -> Adam:
    return Adam(variables, _moments(training))


@register("adamw")
def _adamw(variables: Sequence[tf.Variable], training: Mapping[str, Any]) -> AdamW:
    decay = training["weight_decay"]
    return AdamW(variables, _moments(training), WEIGHT_DECAY if decay is None else decay)


def _moments(training: Mapping[str, Any]) -> AdamOptions:
    return AdamOptions(training["beta1"], training["beta2"], training["adam_eps"])
