"""The chief of a training with parameter servers.

Every step is one function that TensorFlow's coordinator gives to a worker that is free: it reads
the weights from the servers, has the worker calculate the gradient of a batch, and changes the
weights, while other workers do the same with other batches. The chief deals the batches of an
epoch in the order that a training in one process has.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from panna.config.reader import Config
from panna.console import say
from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.storage.batch_source import BatchSource
from panna.storage.dataset import Dataset
from panna.storage.resident import ResidentSource
from panna.text import counted
from panna.training.checkpoints import Checkpoint, checkpoint_to_bytes
from panna.training.cluster.bridge import Bridge
from panna.training.cluster.fingerprint import fingerprint
from panna.training.cluster.meeting import Watch, at_the_door, wait_for
from panna.training.cluster.roles import SERVER, WORKER, Cluster
from panna.training.data import TrainingData
from panna.training.engine import Engine, make_step
from panna.training.metrics import SUMS
from panna.training.step import Batch, Gradients, Outcome, Request, Step

AHEAD = 2  # steps dealt out for each worker
PATIENCE = 1.0  # seconds between two looks at the workers while a result is waited for
RESTART = "Start all processes again: the training continues from its last checkpoint"
FAREWELL = 5.0  # seconds that a process has to hear of the end


@dataclass(frozen=True)
class Dealt:
    """Takes the place of a source of batches: the chief sends numbers of records, not records.

    name: "train" or "validation".
    """

    name: str
    source: BatchSource | ResidentSource

    def load(self, records: np.ndarray) -> Batch:
        return {"records": records}

    def bare(self, neighbours: bool = False) -> Any:
        return self.source.bare(neighbours)


class ParameterServers(Engine):
    """Meets the other processes; to be made before TensorFlow is used for anything else.

    Raises:
      TrainingError: some do not come, or the port is taken.
    """

    keeps = False

    def __init__(self, cluster: Cluster) -> None:
        servers = counted(len(cluster.addresses[SERVER]), "parameter server")
        super().__init__(f"{counted(len(cluster.trainers), 'worker')}, {servers}")
        self.cluster, self.sharers = cluster, cluster.trainers_here
        self.bridge = Bridge()
        self._serving = [
            (job, i) for job in (WORKER, SERVER) for i in range(len(cluster.addresses[job]))
        ]
        with at_the_door(cluster):
            wait_for(cluster, [a for job in (SERVER, WORKER) for a in cluster.addresses[job]])
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({job: list(those) for job, those in cluster.addresses.items()}),
            task_type=cluster.job,
            task_id=cluster.index,
            rpc_layer="grpc",
        )
        self.strategy = tf.distribute.ParameterServerStrategy(resolver)
        self.coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)
        # It reports every death with pages; the watch says it in a line.
        tf.get_logger().setLevel("CRITICAL")
        self._watch = Watch(cluster.trainers, self._say_change)
        self._asked: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._fetch_all, daemon=True).start()

    def step(self, config: Config, data: TrainingData, model: Model) -> Step:
        start = checkpoint_to_bytes(
            Checkpoint(model, {"source": data.source, "fingerprint": fingerprint(config, data)})
        )
        with self.strategy.scope():
            return make_step(partial(RemoteStep, self, start), config, data.source, model)

    def batches(self, data: TrainingData) -> tuple[Dataset, Dataset | None]:
        def dealt(name: str, dataset: Dataset) -> Dataset:
            return replace(dataset, source=Dealt(name, dataset.source))

        validation = data.validation
        return dealt("train", data.train), validation and dealt("validation", validation)

    def schedule(self, function: Any, *arguments: Any) -> Any:
        """Has a worker run a function; the result is for `fetch`."""
        try:
            return self.coordinator.schedule(function, args=arguments)
        except tf.errors.OpError as error:
            raise self._lost(error) from error

    def fetch(self, value: Any) -> Any:
        """The result of a scheduled function.

        Raises:
          TrainingError: a server is gone, or no worker is left.
        """
        future: Future = Future()
        self._asked.put((value, future))
        while True:
            try:
                return future.result(PATIENCE)
            except TimeoutError:
                gone = self._watch.gone
                if len(gone) == len(self.cluster.trainers):
                    names = ", ".join(self.cluster.name(one) for one in gone)
                    raise TrainingError(f"no worker is left: {names}. {RESTART}") from None
            except tf.errors.OpError as error:
                raise self._lost(error) from error

    def finish(self, code: int, message: str) -> None:
        """Tells all other processes to end, with an exit code and a text."""

        @tf.function(autograph=False)
        def call() -> list[tf.Tensor]:
            inputs = [tf.constant(code, tf.int64), tf.constant(message)]
            return self.bridge.call("finish", inputs, [tf.int64])

        def tell(job: str, index: int) -> None:
            try:
                with tf.device(f"/job:{job}/task:{index}"):
                    call()
            except Exception:
                pass

        threads = [threading.Thread(target=tell, args=one, daemon=True) for one in self._serving]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(FAREWELL)

    def _say_change(self, address: str, present: bool) -> None:
        what = "is back" if present else "is gone; the other workers go on"
        say(f"{self.cluster.name(address)} {what}")

    def _fetch_all(self) -> None:
        """Waits for results in a thread of its own, so that the main one can be told to stop."""
        while True:
            value, future = self._asked.get()
            try:
                future.set_result(value.fetch())
            except Exception as error:
                future.set_exception(error)

    def _lost(self, error: Exception) -> TrainingError:
        servers = ", ".join(self.cluster.name(one) for one in self.cluster.addresses[SERVER])
        return TrainingError(
            f"a parameter server is gone ({servers}), and with it the present weights. {RESTART} "
            f"({str(error).splitlines()[0]})"
        )


class RemoteStep(Step):
    """As Step, with the variables on parameter servers and the gradients from workers.

    Batches are {"records": numbers of the records}.
    """

    def __init__(self, engine: ParameterServers, start: bytes, **options: Any) -> None:
        self._engine, self._start = engine, start
        self._ahead = AHEAD * len(engine.cluster.trainers)
        # How often the weights have been changed.
        self._version = tf.Variable(0, dtype=tf.int64, trainable=False)
        super().__init__(**options)
        self._cost = self.objective.forces_cost

    def _compile(self, xla: bool) -> None:
        records, number = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float64)
        self._graphs = []

        def graph(function, *signature):
            return tf.function(function, input_signature=signature, autograph=False)

        self._train = graph(self._train_graph, records, number, number)
        self._validate = graph(self._validate_graph, records, number)
        self._differentiate = graph(self._gradient_of, records, number)

    # -- what the loop asks for --------------------------------------------------------------------

    def train_each(self, requests: Iterable[Request]) -> Iterator[tuple[Batch, Outcome]]:
        """Makes steps, several at a time; outcomes come in the order of the requests."""

        def begin(request: Request) -> Any:
            if request.forces_cost is not None:
                self._cost = request.forces_cost
            size = self.optimiser.step_size(request.learning_rate, request.number)
            return self._schedule(self._train, request.batch, size)

        for request, found in self._several(begin, requests):
            message, sums, norm, staleness = found
            self._check(message)
            yield request.batch, Outcome(np.asarray(sums), float(norm), int(staleness))

    def validate_each(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Errors of batches, see `validate`."""
        for batch, found in self._several(partial(self._schedule, self._validate), batches):
            message, sums = found
            self._check(message)
            yield batch, Outcome(np.asarray(sums))

    def gradients_each(self, batches: Iterable[Batch]) -> Iterator[Gradients]:
        """Sums and gradients of batches."""
        for _, found in self._several(partial(self._schedule, self._differentiate), batches):
            message, sums, *gradients = found
            self._check(message)
            yield np.asarray(sums), [np.asarray(one) for one in gradients]

    def set_forces_cost(self, value: float) -> None:
        """The weight of the force loss from now on."""
        self._cost = value

    def _schedule(self, graph: Any, batch: Batch, *numbers: float) -> Any:
        values = [tf.constant(value, tf.float64) for value in (self._cost, *numbers)]
        return self._engine.schedule(graph, tf.constant(batch["records"], tf.int64), *values)

    def _several(self, begin: Any, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Items with the results of what `begin` has begun for each, some of them at a time."""
        waiting: deque[tuple[Any, Any]] = deque()
        for item in items:
            waiting.append((item, begin(item)))
            if len(waiting) > self._ahead:
                item, value = waiting.popleft()
                yield item, self._engine.fetch(value)
        for item, value in waiting:
            yield item, self._engine.fetch(value)

    def _check(self, message: Any) -> None:
        text = bytes(message).decode() if not isinstance(message, str) else message
        if text:
            raise TrainingError(text)

    # -- graphs ------------------------------------------------------------------------------------

    def _train_graph(self, records: tf.Tensor, cost: tf.Tensor, size: tf.Tensor):
        before = self._version.read_value()
        with tf.control_dependencies([before]):
            message, sums, *gradients = self._gradient_of(records, cost)
        sound = tf.reduce_all(tf.math.is_finite(sums)) & tf.equal(message, "")
        norm = self._apply(gradients, sound, size)
        with tf.control_dependencies([norm]):
            after = self._version.assign_add(1, read_value=True)
        return message, sums, tf.cast(norm, tf.float64), after - before - 1

    def _gradient_of(self, records: tf.Tensor, cost: tf.Tensor) -> list[tf.Tensor]:
        variables = self.optimiser.variables
        weights = [variable.read_value() for variable in variables]
        types = [tf.string, tf.float64, *(one.dtype for one in variables)]
        message, sums, *gradients = self._engine.bridge.call(
            "train", [tf.constant(self._start), records, cost, *weights], types
        )
        for gradient, variable in zip(gradients, variables, strict=True):
            gradient.set_shape(variable.shape)
        return [message, _sums(sums), *gradients]

    def _validate_graph(self, records: tf.Tensor, cost: tf.Tensor) -> list[tf.Tensor]:
        weights = [v.read_value() for network in self.evaluated for v in network.all]
        inputs = [tf.constant(self._start), records, cost, *weights]
        message, sums = self._engine.bridge.call("validate", inputs, [tf.string, tf.float64])
        return [message, _sums(sums)]


def _sums(values: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(values, [len(SUMS)])
