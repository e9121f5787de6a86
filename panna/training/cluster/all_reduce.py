"""Training in step: every process calculates the gradient of its part of the batch, all of them
add up what they have, and all change their weights alike.

The weights of all processes are the same at any time, and those of a training in one process with
the same batches, but for the rounding of sums. The processes talk through TensorFlow's collective
operations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from panna.config.reader import Config
from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.storage.batch_source import BatchSource
from panna.storage.dataset import Dataset
from panna.storage.resident import ResidentSource
from panna.training.checkpoints import Checkpoint, checkpoint_from_bytes, checkpoint_to_bytes
from panna.training.cluster.fingerprint import difference, fingerprint
from panna.training.cluster.meeting import RESTART, at_the_door, wait_for
from panna.training.cluster.resolver import resolver
from panna.training.cluster.roles import Cluster
from panna.training.cluster.shared_step import SHARED
from panna.training.data import TrainingData
from panna.training.engine import Engine, Start, kind_of_step, make_step
from panna.training.state import Position
from panna.training.step import Batch, Step


@dataclass(frozen=True)
class Share:
    """Every `count`-th frame of each batch, from the `rank`-th: no frame is read twice."""

    source: BatchSource | ResidentSource
    rank: int
    count: int

    def load(self, records: np.ndarray) -> Batch:
        """The part of a batch; without any arrays but `records`, of the whole batch, if no frame
        is left for this process."""
        mine = records[self.rank :: self.count]
        batch = dict(self.source.load(mine)) if len(mine) else {}
        batch.pop("name", None)
        return batch | {"records": records}

    def bare(self, neighbours: bool = False) -> Any:
        return self.source.bare(neighbours)


class AllReduce(Engine):
    """Meets the other processes; to be made before TensorFlow is used for anything else.

    Raises:
      TrainingError: some do not come, or the port is taken.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(f"{len(cluster.trainers)} processes in step")
        self.cluster, self.sharers = cluster, cluster.trainers_here
        self.writes = cluster.is_chief
        with at_the_door(cluster):
            wait_for(cluster, cluster.others)
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver(cluster))
        self._sum = tf.function(self.sum_in_graph, autograph=False)

    def step(self, config: Config, data: TrainingData, model: Model) -> Step:
        kind = SHARED[kind_of_step(config, data.source)]
        return make_step(partial(kind, self), config, data.source, model)

    def batches(self, data: TrainingData) -> tuple[Dataset, Dataset | None]:
        def share(dataset: Dataset) -> Dataset:
            mine = Share(dataset.source, self.cluster.rank, len(self.cluster.trainers))
            return replace(dataset, source=mine)

        return share(data.train), data.validation and share(data.validation)

    def common_start(self, config: Config, data: TrainingData, start: Start) -> Start:
        """What the chief found in train_dir and calculated from the data, for all processes."""
        mine = fingerprint(config, data)
        content = b""
        if self.writes:
            state = {
                "fingerprint": mine,
                "position": start.position.to_dict(),
                "anew": start.anew,
            }
            arrays = {}
            if start.checkpoint is not None:
                saved = np.frombuffer(checkpoint_to_bytes(start.checkpoint), np.uint8)
                arrays["checkpoint"] = saved
            content = checkpoint_to_bytes(Checkpoint(start.model, state, arrays))
        told = checkpoint_from_bytes(self.broadcast(content))
        self._compare(difference(told.state["fingerprint"], mine))
        if self.writes:
            return start
        saved = told.arrays.get("checkpoint")
        return replace(
            start,
            model=told.model,
            position=Position.from_dict(told.state["position"]),
            anew=told.state["anew"],
            checkpoint=None if saved is None else checkpoint_from_bytes(saved.tobytes()),
        )

    def broadcast(self, content: bytes) -> bytes:
        """What the chief gives, in all processes."""
        length = int(self.add(np.array([len(content)], np.int64))[0])
        values = np.zeros(length, np.int32)
        values[: len(content)] = np.frombuffer(content, np.uint8)
        return self.add(values).astype(np.uint8).tobytes()

    def add(self, values: np.ndarray) -> np.ndarray:
        """Sums over all processes; to be called by all of them, with the same shape."""
        try:
            return self._sum(tf.constant(values)).numpy()
        except tf.errors.OpError as error:
            raise self.lost(error) from error

    def sum_in_graph(self, values: tf.Tensor) -> tf.Tensor:
        """The same as part of a graph."""

        def reduce(mine: tf.Tensor) -> tf.Tensor:
            # A copy, because the operation needs values that belong to a device.
            mine = tf.identity(mine)
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

        return tf.ensure_shape(self._strategy.run(reduce, args=(values,)), values.shape)

    def lost(self, error: Exception) -> TrainingError:
        """What to say when a collective operation has failed."""
        others = ", ".join(self.cluster.name(one) for one in self.cluster.others)
        return TrainingError(
            f"another process is gone, one of {others}. {RESTART} ({str(error).splitlines()[0]})"
        )

    def _compare(self, mine: str) -> None:
        """Raises TrainingError in all processes if one of them differs from the chief."""
        flags = np.zeros(len(self.cluster.trainers), np.int32)
        flags[self.cluster.rank] = bool(mine)
        found = self.add(flags)
        if mine:
            raise TrainingError(f"{self.cluster.own_name}: {mine}")
        if found.any():
            names = [self.cluster.trainers[i] for i in np.flatnonzero(found)]
            raise TrainingError(
                f"{', '.join(map(self.cluster.name, names))}: other data, settings or code than "
                "on the chief; see what it says there"
            )
