"""Steps of training with the weights on parameter servers and the gradients from workers.

A step is part of a graph that runs on a worker: it reads the weights from the servers, has the
worker's own step calculate the gradient of a batch, and changes the weights, while other workers
do the same with other batches. Sending a graph off takes more time than a small step, so the worker
gets some steps at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from panna.errors import TrainingError
from panna.network.variables import split_like
from panna.training.metrics import SUMS
from panna.training.step import Batch, Gradients, Outcome, Request, Step

if TYPE_CHECKING:
    from panna.training.cluster.servers import ParameterServers

MOST_STEPS = 4  # sent off together
AHEAD = 2  # such parcels that wait or run, for each worker
NOBODY = -1  # fills up the numbers of records


class RemoteStep(Step):
    """As Step; batches are {"records": numbers of the records}.

    Args:
      engine: sends graphs to workers.
      start: what the workers need to know, see Worker.
      steps: of each worker in an epoch, about.
      options: those of Step.
    """

    def __init__(self, engine: ParameterServers, start: bytes, steps: int, **options: Any) -> None:
        self._engine, self._start = engine, start
        self._together = min(max(1, steps // AHEAD), MOST_STEPS)
        self._ahead = AHEAD * len(engine.cluster.trainers)
        self._width = 0
        # How often the weights have been changed.
        self._version = tf.Variable(0, dtype=tf.int64, trainable=False)
        super().__init__(**options)
        self._cost = self.objective.forces_cost

    def _compile(self, xla: bool) -> None:
        self._graphs = []
        self._train, self._validate, self._differentiate = (
            tf.function(_one_after_the_other(step), autograph=False)
            for step in (self._train_graph, self._validate_graph, self._gradient_graph)
        )

    # -- what the loop asks for --------------------------------------------------------------------

    def train_each(self, requests: Iterable[Request]) -> Iterator[tuple[Batch, Outcome]]:
        """Makes steps, several at a time; outcomes come in the order of the requests."""

        def orders() -> Iterator[tuple[Batch, list[float]]]:
            for request in requests:
                if request.forces_cost is not None:
                    self._cost = request.forces_cost
                size = self.optimiser.step_size(request.learning_rate, request.number)
                yield request.batch, self._order(request.batch, size)

        for batch, numbers in self._answers(self._train, orders()):
            *sums, norm, staleness = numbers
            yield batch, Outcome(np.array(sums), float(norm), int(staleness))

    def validate_each(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Errors of batches, see `validate`."""
        orders = ((batch, self._order(batch)) for batch in batches)
        for batch, sums in self._answers(self._validate, orders):
            yield batch, Outcome(sums)

    def gradients_each(self, batches: Iterable[Batch]) -> Iterator[Gradients]:
        """Sums and gradients of batches."""
        orders = ((batch, self._order(batch)) for batch in batches)
        for _, numbers in self._answers(self._differentiate, orders):
            sums, gradient = np.split(numbers, [len(SUMS)])
            yield sums, [one.numpy() for one in split_like(self.optimiser.variables, gradient)]

    def set_forces_cost(self, value: float) -> None:
        """The weight of the force loss from now on."""
        self._cost = value

    def _order(self, batch: Batch, size: float = 0.0) -> list[float]:
        """What a worker has to know of a step, in one array: each takes a message of its own."""
        return [self._cost, size, *batch["records"]]

    def _answers(
        self, graph: Any, orders: Iterable[tuple[Batch, list[float]]]
    ) -> Iterator[tuple[Batch, np.ndarray]]:
        """Batches with what the graph returns for their orders.

        Raises:
          TrainingError: a worker says what is wrong.
        """
        waiting: deque[tuple[list[Batch], Any]] = deque()

        def next_ones() -> Iterator[tuple[Batch, np.ndarray]]:
            batches, value = waiting.popleft()
            messages, numbers = self._engine.fetch(value)
            for batch, message, row in zip(batches, messages, numbers, strict=True):
                if message:
                    raise TrainingError(message.decode())
                yield batch, row

        orders = iter(orders)
        while some := list(islice(orders, self._together)):
            batches, rows = zip(*some, strict=True)
            self._width = max(self._width, *map(len, rows))
            table = np.full((len(rows), self._width), NOBODY, np.float64)
            for place, row in zip(table, rows, strict=True):
                place[: len(row)] = row
            waiting.append((list(batches), self._engine.schedule(graph, tf.constant(table))))
            if len(waiting) > self._ahead:
                yield from next_ones()
        while waiting:
            yield from next_ones()

    # -- graphs ------------------------------------------------------------------------------------

    def _train_graph(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        before = self._version.read_value()
        with tf.control_dependencies([before]):
            message, sums, gradients = self._gradient_of(order)
        sound = tf.reduce_all(tf.math.is_finite(sums)) & tf.equal(message, "")
        norm = self._apply(gradients, sound, order[1])
        with tf.control_dependencies([norm]):
            others = self._version.assign_add(1, read_value=True) - before - 1
        numbers = [tf.cast(norm, tf.float64), tf.cast(others, tf.float64)]
        return message, tf.concat([sums, numbers], 0)

    def _gradient_graph(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        message, sums, gradients = self._gradient_of(order)
        flat = [tf.cast(tf.reshape(one, [-1]), tf.float64) for one in gradients]
        return message, tf.concat([sums, *flat], 0)

    def _validate_graph(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        weights = _packed([v for network in self.evaluated for v in network.all])
        inputs = [tf.constant(self._start), order, *weights]
        message, sums = self._engine.bridge.call("validate", inputs, [tf.string, tf.float64])
        return message, tf.ensure_shape(sums, [len(SUMS)])

    def _gradient_of(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        variables = self.optimiser.variables
        inputs = [tf.constant(self._start), order, *_packed(variables)]
        types = [tf.string, tf.float64, variables[0].dtype]
        message, sums, gradient = self._engine.bridge.call("train", inputs, types)
        return message, tf.ensure_shape(sums, [len(SUMS)]), split_like(variables, gradient)


def _one_after_the_other(step: Callable) -> Callable:
    """The graph of some steps, for the rows of a table of orders; their answers, stacked."""

    def steps(orders: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        messages, numbers = [], []
        for order in tf.unstack(orders):
            with tf.control_dependencies(numbers[-1:]):
                message, found = step(order)
            messages.append(tf.ensure_shape(message, []))
            numbers.append(found)
        return tf.stack(messages), tf.stack(numbers)

    return steps


def _packed(variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """The values of variables, flat, in order: neighbours on one server as one vector, because
    every tensor takes a message of its own to the worker."""
    packed = []
    for device, those in groupby(variables, key=lambda variable: variable.device):
        with tf.device(device):
            packed.append(tf.concat([tf.reshape(v.read_value(), [-1]) for v in those], 0))
    return packed
