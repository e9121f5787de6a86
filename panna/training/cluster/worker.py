"""The processes that serve a chief: workers, which calculate gradients, and parameter servers."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from typing import Any

import numpy as np
import tensorflow as tf

from panna.config.reader import Config
from panna.console import say
from panna.errors import PannaError, TrainingError
from panna.network.variables import assign
from panna.storage.dataset import Dataset
from panna.text import counted
from panna.training.checkpoints import checkpoint_from_bytes
from panna.training.cluster.bridge import Bridge
from panna.training.cluster.fingerprint import difference, fingerprint
from panna.training.cluster.meeting import RESTART, Watch, wait_for
from panna.training.cluster.remote_step import NOBODY
from panna.training.cluster.resolver import cluster_spec
from panna.training.cluster.roles import WORKER, Cluster
from panna.training.data import TrainingData, open_training_data
from panna.training.engine import Engine
from panna.training.metrics import SUMS
from panna.training.step import Batch, Step

GRACE = 20.0  # seconds that a signal to stop leaves the chief to write its checkpoint
LINGER = 0.5  # seconds for the answer to the chief's last call to leave this process


class Worker:
    """Data and compiled step of one worker, made when the chief first asks for something.

    The functions take what the chief's graphs send: `start`, the chief's model and its
    fingerprint, a checkpoint as bytes; `order`, the weight of the force loss, the size of the step
    and then the numbers of the records of a batch, filled up; and the present weights, flat, in
    some vectors. They answer with a text, empty if all went well, and numbers.
    """

    def __init__(self, config: Config, cluster: Cluster) -> None:
        self._config, self._cluster = config, cluster
        self._start: bytes | None = None
        self._step: Step | None = None
        self._data: TrainingData | None = None

    def train(self, start: bytes, order: np.ndarray, *weights: np.ndarray) -> list[Any]:
        """Sums of the batch, and the gradient of its loss in the form of the weights, those of the
        trained variables in their order."""
        message, found = self._guarded(self._gradients, start, order, weights)
        sums, gradient = found or (np.zeros(len(SUMS)), np.concatenate(weights))
        return [message, sums, gradient]

    def validate(self, start: bytes, order: np.ndarray, *weights: np.ndarray) -> list[Any]:
        """Sums of a batch of the validation set, with all weights of the evaluated networks."""
        message, found = self._guarded(self._sums, start, order, weights)
        return [message, np.zeros(len(SUMS)) if found is None else found]

    def _gradients(self, order: np.ndarray, weights) -> tuple[np.ndarray, np.ndarray]:
        step = self._step
        assign(step.optimiser.variables, np.concatenate(weights))
        sums, gradients = step.gradients(self._batch(self._data.train, order))
        return sums, np.concatenate([one.ravel() for one in gradients])

    def _sums(self, order: np.ndarray, weights) -> np.ndarray:
        step = self._step
        variables = [v for network in step.evaluated for v in network.all]
        assign(variables, np.concatenate(weights))
        return step.validate(self._batch(self._data.validation, order)).sums

    def _batch(self, dataset: Dataset, order: np.ndarray) -> Batch:
        self._step.set_forces_cost(float(order[0]))
        records = order[2:].astype(np.int64)
        return dataset.source.load(records[records != NOBODY])

    def _guarded(self, function, start: bytes, *arguments) -> tuple[bytes, Any]:
        """The result of a function, or what went wrong: the chief ends the training then."""
        try:
            if start != self._start:
                self._prepare(start)
            return b"", function(*arguments)
        except PannaError as error:
            message = str(error)
        except Exception as error:
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
        return f"{self._cluster.own_name}: {message}".encode(), None

    def _prepare(self, start: bytes) -> None:
        """Opens the data and compiles the step, as the chief's message says."""
        begin = checkpoint_from_bytes(start)
        model, config = begin.model, self._config
        data = open_training_data(
            config, begin.state["source"], sharers=self._cluster.trainers_here
        )
        found = fingerprint(config, data)
        if text := difference(begin.state["fingerprint"], found):
            raise TrainingError(text)
        self._data = data.standardised(model.scaling, config["TRAINING_PARAMETERS"]["precision"])
        self._step = Engine().step(config, data, model)
        self._start = start
        frames = counted(data.train.n_frames, "frame")
        say(f"{frames}, {data.cache}; derivatives: {data.source}")


class _Ending:
    """When and how a process that serves has to end; code: its exit code."""

    def __init__(self) -> None:
        self.code, self.message = 0, ""
        self._event = threading.Event()
        self._signal: int | None = None
        self._since = 0.0

    def finish(self, code: np.ndarray, message: bytes) -> list[np.ndarray]:
        """Called by the chief."""
        self.code, self.message = int(code), message.decode()
        self._event.set()
        return [np.int64(0)]

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)

    def note(self, number: int, _frame: Any) -> None:
        """SIGINT and SIGTERM often reach all processes: the chief first writes its checkpoint."""
        if self._signal is None:
            self._signal, self._since = number, time.monotonic()

    @property
    def overdue(self) -> bool:
        """The chief has not used the time that a signal left it."""
        return self._signal is not None and time.monotonic() - self._since > GRACE

    @property
    def signal_code(self) -> int:
        return 128 + (self._signal or 0)


def serve(config: Config, cluster: Cluster) -> int:
    """Works for the chief until it says that this is the end, and returns the exit code.

    Raises:
      TrainingError: the chief does not come, or has gone; the port is taken.
    """
    ending = _Ending()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ending.note)
    functions: dict[str, Any] = {"finish": ending.finish}
    if cluster.job == WORKER:
        worker = Worker(config, cluster)
        functions |= {"train": worker.train, "validate": worker.validate}
    bridge = Bridge(functions)
    server = tf.distribute.Server(
        cluster_spec(cluster),
        job_name=cluster.job,
        task_index=cluster.index,
        protocol="grpc",
    )
    say(f"{cluster.own_name}: waits for the {cluster.name(cluster.chief)}")
    wait_for(cluster, [cluster.chief])
    watch = Watch([cluster.chief])
    while not ending.wait(1.0):
        if ending.overdue:
            ending.code, ending.message = ending.signal_code, "stopped by a signal"
            break
        if watch.gone:
            raise TrainingError(
                f"{cluster.name(cluster.chief)} is gone, so the {cluster.job} ends, too. {RESTART}"
            )
    watch.close()
    del bridge, server
    time.sleep(LINGER)
    if ending.code not in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
        print(f"panna: error: {ending.message}", file=sys.stderr, flush=True)
    elif ending.message:
        say(f"{cluster.own_name}: {ending.message}")
    return ending.code
