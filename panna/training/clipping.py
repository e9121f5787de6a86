"""Limits to the gradient of a step; applied to finite gradients only, the check comes before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Clipping:
    """value: every component is cut to [-value, value]; norm: the whole gradient is made shorter
    where it is longer than this. 0: off."""

    value: float = 0.0
    norm: float = 0.0

    def __call__(self, gradients: Sequence[tf.Tensor], norm: tf.Tensor) -> list[tf.Tensor]:
        """The gradients to use.

        Args:
          gradients: one for each variable.
          norm: the root of the sum of all their squares.
        """
        if self.value:
            return [tf.clip_by_value(g, -self.value, self.value) for g in gradients]
        if self.norm:
            limit = tf.constant(self.norm, norm.dtype)
            factor = limit / tf.maximum(norm, limit)  # exactly 1 for shorter ones
            return [g * tf.cast(factor, g.dtype) for g in gradients]
        return list(gradients)
