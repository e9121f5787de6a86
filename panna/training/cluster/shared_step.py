"""Steps of training on a part of each batch, for processes that change their weights alike."""

from __future__ import annotations

import signal
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from panna.errors import TrainingError
from panna.network.variables import flat, split_like
from panna.training.metrics import SUMS
from panna.training.step import Batch, Gradients, Outcome, Step
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

FRAMES = SUMS.index("frames")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
HEAD = len(SUMS) + len(SIGNALS)  # numbers before the gradient


class Adder(Protocol):
    """Adds up what the processes have."""

    def sum_in_graph(self, values: tf.Tensor) -> tf.Tensor:
        """The sum over all processes, as part of a graph."""

    def lost(self, error: Exception) -> TrainingError:
        """What to say when that has failed."""


class Shared:
    """Makes a kind of Step work on the part of a batch that belongs to this process; results are
    of the whole batch.

    Losses are means over frames: the gradient of the whole batch is the mean of those of the
    parts, weighted with their numbers of frames.
    """

    def __init__(self, engine: Adder, **options: Any) -> None:
        self._engine = engine
        self._signal: int | None = None
        self._common: int | None = None
        super().__init__(**options)

    def _compile(self, xla: bool) -> None:
        super()._compile(xla)
        numbers, size = tf.TensorSpec([None], tf.float64), tf.TensorSpec([], tf.float64)
        self._add = tf.function(self._engine.sum_in_graph, [numbers], autograph=False)
        self._add_and_apply = tf.function(self._apply_graph, [numbers, size], autograph=False)

    # -- what the loop asks for --------------------------------------------------------------------

    def train(self, batch: Batch, learning_rate: float, step: int) -> Outcome:
        """Changes the weights of all processes; see Step.train."""
        size = tf.constant(self.optimiser.step_size(learning_rate, step), tf.float64)
        numbers, norm = self._together(self._add_and_apply, self._own_gradient(batch), size)
        return Outcome(self._heard(numbers), float(norm))

    def validate(self, batch: Batch) -> Outcome:
        """Errors of a whole batch."""
        own = super().validate(batch).sums if "energy" in batch else np.zeros(len(SUMS))
        return Outcome(self._heard(self._together(self._add, self._told(own))))

    def gradients(self, batch: Batch) -> Gradients:
        """Sums of a whole batch and the gradient of its loss."""
        numbers = self._together(self._add, self._own_gradient(batch))
        sums = self._heard(numbers)
        return sums, [gradient.numpy() for gradient in self._unpacked(numbers)]

    def agreed(self, signal: int | None) -> int | None:
        """The signal that all processes know of since their last exchange."""
        self._signal = signal
        return self._common

    def _own_gradient(self, batch: Batch) -> tf.Tensor:
        """What this process adds: sums, flags, and the gradient times the number of frames."""
        if "energy" not in batch:
            gradient = np.zeros(sum(v.shape.num_elements() for v in self.optimiser.variables))
            return self._told(np.zeros(len(SUMS)), gradient)
        sums, gradients = self._gradients(*self._graph_inputs(batch))
        gradient = len(batch["energy"]) * flat(gradient.numpy() for gradient in gradients)
        return self._told(sums.numpy(), gradient)

    def _told(self, sums: np.ndarray, *gradient: np.ndarray) -> tf.Tensor:
        """One vector, since every sum over processes takes milliseconds, whatever its length."""
        flags = [float(self._signal == number) for number in SIGNALS]
        return tf.constant(np.concatenate([sums, flags, *gradient]))

    def _heard(self, numbers: tf.Tensor) -> np.ndarray:
        sums, flags = np.split(numbers[:HEAD].numpy(), [len(SUMS)])
        self._common = next((int(n) for n, flag in zip(SIGNALS, flags, strict=True) if flag), None)
        return sums

    def _together(self, graph: Any, *values: Any) -> Any:
        try:
            return graph(*values)
        except tf.errors.OpError as error:
            raise self._engine.lost(error) from error

    # -- graphs ------------------------------------------------------------------------------------

    def _apply_graph(self, numbers: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        numbers = self._engine.sum_in_graph(numbers)
        finite = tf.reduce_all(tf.math.is_finite(numbers[:HEAD]))
        return numbers[:HEAD], self._apply(self._unpacked(numbers), finite, size)

    def _unpacked(self, numbers: tf.Tensor) -> list[tf.Tensor]:
        """The gradient of the loss of the whole batch."""
        return split_like(self.optimiser.variables, numbers[HEAD:] / numbers[FRAMES])


class SharedStep(Shared, Step): ...


class SharedWholeStep(Shared, WholeStep): ...


class SharedWholeStepOnTheFly(Shared, WholeStepOnTheFly): ...


SHARED: dict[type[Step], type[Step]] = {
    Step: SharedStep,
    WholeStep: SharedWholeStep,
    WholeStepOnTheFly: SharedWholeStepOnTheFly,
}
