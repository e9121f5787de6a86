"""The chief of a training with parameter servers.

TensorFlow's coordinator gives the steps to workers that are free, see remote_step.py. The chief
deals the batches of an epoch in the order that a training in one process has.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future, wait
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
from panna.training.cluster.meeting import RESTART, Watch, at_the_door, wait_for
from panna.training.cluster.remote_step import RemoteStep
from panna.training.cluster.resolver import resolver
from panna.training.cluster.roles import SERVER, WORKER, Cluster
from panna.training.data import TrainingData
from panna.training.engine import Engine, make_step
from panna.training.step import Batch, Step

# What TensorFlow raises when a server does not answer or has started anew.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
PATIENCE = 1.0  # seconds between two looks at the workers while a result is waited for
FAREWELL = 5.0  # seconds that a process has to hear of the end


@dataclass(frozen=True)
class Dealt:
    """Takes the place of a source of batches: the chief sends numbers of records, not records."""

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
            wait_for(cluster, cluster.others)
        self.strategy = tf.distribute.ParameterServerStrategy(resolver(cluster))
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
        steps = data.train.n_batches // len(self.cluster.trainers)
        kind = partial(RemoteStep, self, start, steps)
        with self.strategy.scope():
            return make_step(kind, config, data.source, model)

    def batches(self, data: TrainingData) -> tuple[Dataset, Dataset | None]:
        def dealt(dataset: Dataset) -> Dataset:
            return replace(dataset, source=Dealt(dataset.source))

        return dealt(data.train), data.validation and dealt(data.validation)

    def schedule(self, function: Any, *arguments: Any) -> Any:
        """Has a worker run a function; the result is for `fetch`."""
        return self.coordinator.schedule(function, args=arguments)

    def fetch(self, value: Any) -> Any:
        """The result of a scheduled function.

        Raises:
          TrainingError: no worker is left.
          One of LOST: a server is gone; for `lost`.
        """
        future: Future = Future()
        self._asked.put((value, future))
        while not wait([future], PATIENCE).done:
            gone = self._watch.gone
            if len(gone) == len(self.cluster.trainers):
                names = ", ".join(self.cluster.name(one) for one in gone)
                raise TrainingError(f"no worker is left: {names}. {RESTART}")
        return future.result()

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

    def lost(self, error: Exception) -> TrainingError:
        """What to say when one of LOST was raised."""
        servers = ", ".join(self.cluster.name(one) for one in self.cluster.addresses[SERVER])
        return TrainingError(
            f"a parameter server is gone ({servers}), and with it the present weights. {RESTART} "
            f"({str(error).splitlines()[0]})"
        )

    def _say_change(self, address: str, present: bool) -> None:
        what = "is back" if present else "is gone; it may come back"
        say(f"{self.cluster.name(address)} {what}")

    def _fetch_all(self) -> None:
        """Waits for results in a thread of its own, so that the main one can be told to stop."""
        while True:
            value, future = self._asked.get()
            try:
                future.set_result(value.fetch())
            except Exception as error:
                future.set_exception(error)
