"""Adam as TensorFlow operations on plain variables.

Kingma and Ba, arXiv 1412.6980, in the form of the end of their section 2. The step size is
calculated outside, in float64, from the number of the step: the only state are the two moments,
and a restart is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from panna.network.variables import beside


@dataclass(frozen=True)
class AdamOptions:
    """beta1, beta2: decay of the moments; eps: added to the root of the second moment."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


class Adam:
    """Moments of a list of variables and their update."""

    def __init__(self, variables: Sequence[tf.Variable], options: AdamOptions) -> None:
        self.variables = list(variables)
        self.options = options
        self.first = [_zeros_beside(v) for v in self.variables]
        self.second = [_zeros_beside(v) for v in self.variables]

    @property
    def state(self) -> list[tf.Variable]:
        """All moments, in a fixed order."""
        return self.first + self.second

    def step_size(self, learning_rate: float, step: int) -> float:
        """Learning rate corrected for the start of the moments at zero; steps count from 1."""
        options = self.options
        return learning_rate * math.sqrt(1.0 - options.beta2**step) / (1.0 - options.beta1**step)

    def apply(self, gradients: Sequence[tf.Tensor], step_size: tf.Tensor) -> None:
        """Changes the variables; to be called inside a tf.function."""
        options = self.options
        for variable, m, v, gradient in zip(
            self.variables, self.first, self.second, gradients, strict=True
        ):
            with tf.device(variable.device):
                m.assign_add((gradient - m) * (1.0 - options.beta1))
                v.assign_add((gradient * gradient - v) * (1.0 - options.beta2))
                size = tf.cast(step_size, variable.dtype)
                variable.assign_sub(size * m / (tf.sqrt(v) + options.eps))


def _zeros_beside(variable: tf.Variable) -> tf.Variable:
    with beside(variable):
        return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
