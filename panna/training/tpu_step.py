"""The step on a TPU. It has been tried with a second CPU device in its place only."""

from __future__ import annotations

from contextlib import AbstractContextManager

import tensorflow as tf

from panna.training.step import Batch, Gradients, Outcome
from panna.training.whole_step import WholeStep

DEVICE = "/TPU:0"


def on_tpu() -> AbstractContextManager:
    """What is created or called inside is on the TPU."""
    return tf.device(DEVICE)


class TpuStep(WholeStep):
    """As WholeStep; to be made `on_tpu`, because graphs run where their variables are."""

    def train(self, batch: Batch, learning_rate: float, step: int) -> Outcome:
        with on_tpu():
            return super().train(batch, learning_rate, step)

    def validate(self, batch: Batch) -> Outcome:
        with on_tpu():
            return super().validate(batch)

    def gradients(self, batch: Batch) -> Gradients:
        with on_tpu():
            return super().gradients(batch)
