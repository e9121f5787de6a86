"""Training in step: every process calculates the gradient of its part of the batch, all of them
add up what they have, and all change their weights alike.

The weights of all processes are the same at any time, and those of a training in one process with
the same batches, but for the rounding of sums. The processes talk through TensorFlow's collective
operations.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
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
from panna.training.cluster.meeting import at_the_door, wait_for
from panna.training.cluster.roles import Cluster
from panna.training.data import TrainingData
from panna.training.engine import Engine, Start, kind_of_step, make_step
from panna.training.metrics import SUMS
from panna.training.state import Position
from panna.training.step import Batch, Gradients, Outcome, Step
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

FRAMES = SUMS.index("frames")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
HEAD = len(SUMS) + len(SIGNALS)  # numbers before the gradient
RESTART = "Start all processes again: the training continues from its last checkpoint"


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
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({job: list(those) for job, those in cluster.addresses.items()}),
            task_type=cluster.job,
            task_id=cluster.index,
            rpc_layer="grpc",
        )
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        self._sum = tf.function(self.sum_in_graph, autograph=False)

    def step(self, config: Config, data: TrainingData, model: Model) -> Step:
        kind = SHARED[kind_of_step(data.source)]
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
                "continued": start.checkpoint is not None,
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
            raise TrainingError(f"{self.cluster.name(self.cluster.address)}: {mine}")
        if found.any():
            names = [self.cluster.trainers[i] for i in np.flatnonzero(found)]
            raise TrainingError(
                f"{', '.join(map(self.cluster.name, names))}: other data, settings or code than "
                "on the chief; see what it says there"
            )


class Shared:
    """Makes a kind of Step work on the part of a batch that belongs to this process; results are
    of the whole batch.

    Losses are means over frames: the gradient of the whole batch is the mean of those of the
    parts, weighted with their numbers of frames.
    """

    def __init__(self, engine: AllReduce, **options: Any) -> None:
        self._engine = engine
        self._signal: int | None = None
        self._common: int | None = None
        super().__init__(**options)

    def _compile(self, xla: bool) -> None:
        super()._compile(xla)
        numbers, size = tf.TensorSpec([None], tf.float64), tf.TensorSpec([], tf.float64)

        def graph(function: Any, *signature: Any) -> Any:
            return tf.function(function, input_signature=signature, autograph=False)

        self._pack = graph(
            _packed, [tf.TensorSpec(v.shape, v.dtype) for v in self.optimiser.variables]
        )
        self._add = graph(self._engine.sum_in_graph, numbers)
        self._add_and_apply = graph(self._apply_graph, numbers, size)

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
        gradient = len(batch["energy"]) * self._pack(gradients).numpy()
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
        variables = self.optimiser.variables
        sizes = [variable.shape.num_elements() for variable in variables]
        parts = tf.split(numbers[HEAD:] / numbers[FRAMES], sizes)
        return [
            tf.cast(tf.reshape(part, variable.shape), variable.dtype)
            for part, variable in zip(parts, variables, strict=True)
        ]


class SharedStep(Shared, Step): ...


class SharedWholeStep(Shared, WholeStep): ...


class SharedWholeStepOnTheFly(Shared, WholeStepOnTheFly): ...


SHARED: dict[type[Step], type[Step]] = {
    Step: SharedStep,
    WholeStep: SharedWholeStep,
    WholeStepOnTheFly: SharedWholeStepOnTheFly,
}


def _packed(arrays: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.cast(tf.reshape(one, [-1]), tf.float64) for one in arrays], 0)
