"""Where the steps of a training are computed: in this process, or by several (see cluster/)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from panna.config.reader import Config
from panna.descriptors.parameters import from_dict
from panna.network.forces import Derivatives, OnTheFly, Stored
from panna.network.parameters import Model
from panna.network.variables import NetworkVariables, trainable_variables
from panna.storage.batch_source import STORED
from panna.storage.dataset import Dataset
from panna.training.checkpoints import Checkpoint
from panna.training.clipping import Clipping
from panna.training.data import TrainingData
from panna.training.objective import Objective
from panna.training.optimisers import optimiser
from panna.training.regularisation import Regularisation
from panna.training.state import Position
from panna.training.step import Step
from panna.training.tensorflow_setup import on_gpu
from panna.training.tpu_step import TpuStep, on_tpu
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

ON_GPU: dict[str, type[Step]] = {
    **dict.fromkeys(STORED, WholeStep),
    "on_the_fly": WholeStepOnTheFly,
}


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    model: its networks are the first ones, whatever the checkpoint says.
    settings: see restart.settings; changed: names of those that are others than before.
    anew: the state of the optimiser begins anew.
    """

    config: Config
    checkpoint: Checkpoint | None
    model: Model
    position: Position
    settings: dict[str, Any]
    changed: list[str]
    anew: bool


class Engine:
    """In this process.

    place: where that is, in words.
    writes: whether this process writes the files of the training.
    keeps: whether this process needs the data in memory.
    sharers: processes that share the memory of this machine.
    """

    writes = True
    keeps = True
    sharers = 1

    def __init__(self, place: str = "CPU") -> None:
        self.place = place

    def step(self, config: Config, data: TrainingData, model: Model) -> Step:
        """The compiled step of a training, with the weights of the model."""
        return make_step(kind_of_step(config, data.source), config, data.source, model)

    def common_start(self, config: Config, data: TrainingData, start: Start) -> Start:
        """Where all processes of the training begin, from what this one has found."""
        return start

    def batches(self, data: TrainingData) -> tuple[Dataset, Dataset | None]:
        """Training and validation set as the loop of this process iterates over them."""
        return data.train, data.validation


def kind_of_step(config: Config, source: str) -> type[Step]:
    """The core is for CPUs; elsewhere the whole step is calculated where the networks are."""
    if _tpu(config):
        return TpuStep
    return ON_GPU.get(source, Step) if on_gpu() else Step


def _tpu(config: Config) -> bool:
    return config["PARALLELIZATION"]["device"] == "tpu"


def make_step(kind: type[Step], config: Config, source: str, model: Model) -> Step:
    """A step of some kind.

    Args:
      source: of derivatives, one of batch_source.SOURCES.
      model: with the first weights.
    """
    with on_tpu() if _tpu(config) else nullcontext():
        return _make_step(kind, config, source, model)


def _make_step(kind: type[Step], config: Config, source: str, model: Model) -> Step:
    training = config["TRAINING_PARAMETERS"]
    dtype = tf.as_dtype(training["precision"])

    networks = [NetworkVariables.create(one, dtype) for one in model.networks]
    averaged = None
    if training["average_decay"] > 0:
        pairs = zip(model.networks, networks, strict=True)
        averaged = [NetworkVariables.create(one, dtype, like) for one, like in pairs]
    return kind(
        networks=networks,
        averaged=averaged,
        std=model.scale_std,
        offsets=model.offsets,
        objective=Objective.from_config(config, forces=source != "none"),
        derivatives=_derivatives(config, source, model),
        optimiser=optimiser(trainable_variables(networks), training),
        decay=training["average_decay"],
        regularisation=Regularisation.from_config(config),
        clipping=Clipping(training["clip_value"], training["clip_norm"]),
        # Without XLA the products from positions would write every factor to memory.
        xla=training["xla"] or _tpu(config) or (on_gpu() and source == "on_the_fly"),
    )


def _derivatives(config: Config, source: str, model: Model) -> Derivatives | None:
    threads = config["PARALLELIZATION"]["intra_op_parallelism_threads"]
    if source == "none":
        return None
    if source in STORED:
        return Stored(half=source == "stored_half", threads=threads)
    mixed = config["TRAINING_PARAMETERS"]["precision"] == "float32"
    return OnTheFly(from_dict(model.descriptor), mixed, threads)
