"""Penalties on large weights and biases, added to the loss of every training batch.

    PANNA v2:  l1 * sum |w| + l2 * sum w^2         PANNA v1:  l1 * sum |w| + l2 * (sum w^2) / 2

over all weight matrices (wscale) and over all biases (bscale), frozen layers included. With
standardised descriptors the first layer's weights are those of the standardised inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from panna.config.reader import Config
from panna.network.variables import NetworkVariables
from panna.training.metrics import SUMS

KEYS = ("wscale_l1", "wscale_l2", "bscale_l1", "bscale_l2")
# The sums that a penalty, times the number of frames, is added to.
ADDED = np.array([name in ("loss", "regularisation") for name in SUMS], np.float64)


@dataclass(frozen=True)
class Regularisation:
    """wscale: of weights, bscale: of biases; l1: of absolute values, l2: of squares (as in v2)."""

    wscale_l1: float = 0.0
    wscale_l2: float = 0.0
    bscale_l1: float = 0.0
    bscale_l2: float = 0.0

    @classmethod
    def from_config(cls, config: Config) -> Regularisation | None:
        """What the keys ask for, None if all are 0."""
        training = config["TRAINING_PARAMETERS"]
        values = {key: training[key] for key in KEYS}
        if not any(values.values()):
            return None
        if training["loss_flavour"] == "v1":
            values |= {key: value / 2 for key, value in values.items() if key.endswith("l2")}
        return cls(**values)

    def __call__(self, networks: Sequence[NetworkVariables]) -> tf.Tensor:
        """The penalty, a float64 scalar."""
        weights = [w for network in networks for w in network.weights]
        biases = [b for network in networks for b in network.biases]
        total = tf.zeros([], tf.float64)
        for arrays, l1, l2 in (
            (weights, self.wscale_l1, self.wscale_l2),
            (biases, self.bscale_l1, self.bscale_l2),
        ):
            for array in (tf.cast(array, tf.float64) for array in arrays):
                if l1:
                    total += l1 * tf.reduce_sum(tf.abs(array))
                if l2:
                    total += l2 * tf.reduce_sum(array**2)
        return total

    def added(
        self,
        networks: Sequence[NetworkVariables],
        variables: Sequence[tf.Variable],
        sums: tf.Tensor,
        gradients: Sequence[tf.Tensor],
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums of a batch, and gradients of its loss by the variables, with the penalty."""
        with tf.GradientTape() as tape:
            penalty = self(networks)
        slopes = tape.gradient(
            penalty, list(variables), unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        sums = sums + tf.constant(ADDED) * penalty * sums[SUMS.index("frames")]
        return sums, [g + slope for g, slope in zip(gradients, slopes, strict=True)]
