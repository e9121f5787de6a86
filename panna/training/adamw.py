"""AdamW: Adam with a decay of the weights that does not pass through the moments.

Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, with the decay in proportion to the learning
rate. Only weight matrices decay: a bias pulled to zero would move the activation's working point.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from panna.training.adam import Adam, AdamOptions


class AdamW(Adam):
    """As Adam; the number of the step is part of the state, since the decay needs the bare rate."""

    def __init__(
        self, variables: Sequence[tf.Variable], options: AdamOptions, weight_decay: float
    ) -> None:
        super().__init__(variables, options)
        self.weight_decay = weight_decay
        self.steps = tf.Variable(0.0, dtype=tf.float64, trainable=False)

    @property
    def state(self) -> list[tf.Variable]:
        """All moments and the number of finished steps, in a fixed order."""
        return [*super().state, self.steps]

    def step_size(self, learning_rate: float, step: int) -> float:
        """The learning rate as it is."""
        return learning_rate

    def apply(self, gradients: Sequence[tf.Tensor], step_size: tf.Tensor) -> None:
        """Changes the variables; to be called inside a tf.function."""
        options, step = self.options, self.steps.assign_add(1.0)
        for variable in self.variables:
            if variable.shape.rank == 2:
                with tf.device(variable.device):
                    size = tf.cast(step_size * self.weight_decay, variable.dtype)
                    variable.assign_sub(size * variable)
        correction = tf.sqrt(1.0 - options.beta2**step) / (1.0 - options.beta1**step)
        super().apply(gradients, step_size * correction)
