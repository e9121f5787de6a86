"""A training from its configuration: data, networks, the compiled step and the loop, ready to run.

Read `prepare` from top to bottom to see what happens before the first step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from panna import __version__
from panna.config.reader import Config
from panna.descriptors.parameters import from_dict
from panna.descriptors.scaling import Scaling
from panna.network.forces import Derivatives, OnTheFly, Stored
from panna.network.parameters import Model, SpeciesNetwork
from panna.network.variables import NetworkVariables, trainable_variables
from panna.training.adam import Adam, AdamOptions
from panna.training.data import Reading, TrainingData, no_report, open_training_data
from panna.training.data_checks import DataChecks
from panna.training.loop import Loop, LoopOptions
from panna.training.networks import Architecture, architectures, first_networks
from panna.training.objective import Objective
from panna.training.reference_energies import ReferenceEnergies, reference_energies
from panna.training.restart import check_remains, check_settings, last_checkpoint, settings
from panna.training.scaling import standardisation
from panna.training.schedule import Schedule
from panna.training.state import Position, restore
from panna.training.statistics import Statistics, collect, frame_names
from panna.training.step import Step


@dataclass(frozen=True)
class Session:
    """What `prepare` made, for the program to report and run.

    repeated: validation frames that the training set has, too.
    warnings: about the data, one text each.
    """

    data: TrainingData
    statistics: Statistics
    offsets: ReferenceEnergies
    networks: tuple[Architecture, ...]
    model: Model
    loop: Loop
    continued: bool
    repeated: int
    warnings: list[str]

    @property
    def position(self) -> Position:
        return self.loop.position

    @property
    def total_steps(self) -> int:
        return self.loop.options.total_steps

    @property
    def epochs(self) -> float:
        """Passes over the training set in the whole run."""
        return self.total_steps / self.data.train.n_batches


def prepare(config: Config, reading: Reading = no_report) -> Session:
    """Sets up a training, new or continued.

    Args:
      config: read with the TRAIN schema.
      reading: shows the progress of reading the data.
    Raises:
      ConfigError: keys that do not fit the data or each other.
      StorageError: data that are missing, damaged or without what the training needs.
      TrainingError: data that are not finite, or a train_dir with another training.
    """
    train_dir = config["IO_INFORMATION"]["train_dir"]
    checkpoint = last_checkpoint(config)
    before = checkpoint.state.get("source") if checkpoint else None
    data = open_training_data(config, before, reading)
    networks = architectures(config, data.species)
    g_size = data.summary.g_size
    checks = DataChecks(data.species)
    batches = data.train.bare(neighbours=True).epoch_batches(0)
    statistics = collect(batches, len(data.species), g_size, watch=checks.add)
    offsets = reference_energies(config, data.species, statistics)
    model = _first_model(config, data, statistics, offsets, networks)
    now = settings(config, data.species, networks, statistics)
    if checkpoint is None:
        check_remains(config, now)
    else:
        check_settings(config, checkpoint, now)
        # Reference energies and scaling of the checkpoint, digit by digit.
        model = replace(checkpoint.model, networks=model.networks)
    validated = _validation_statistics(data)
    repeated = 0 if validated is None else validated.shared_with(statistics)
    warnings = checks.warnings(
        statistics, offsets.offsets, lambda frames: frame_names(data.train.names(frames)), validated
    )
    scaling = None if model.scale_mean is None else Scaling(model.scale_mean, model.scale_std)
    data = data.standardised(scaling, config["TRAINING_PARAMETERS"]["precision"])
    step = _compiled_step(config, data, model)
    position = restore(step, checkpoint) if checkpoint else Position()
    validation = _identity(data)
    if checkpoint is not None and checkpoint.state.get("validation") != validation:
        # Losses on other data cannot be compared.
        position.best_loss = position.best_step = position.best = None
    options = LoopOptions(
        train_dir=train_dir,
        total_steps=total_steps(config, data.train.n_batches),
        save_steps=config["IO_INFORMATION"]["save_checkpoint_steps"],
        keep=config["IO_INFORMATION"]["max_ckpt_to_keep"],
        summary_steps=config["IO_INFORMATION"]["tensorboard_log_frequency"],
        constants={
            "panna_version": __version__,
            "source": data.source,
            "seed": config["TRAINING_PARAMETERS"]["seed"],
            "settings": now,
            "validation": validation,
        },
    )
    rate = schedule(config, options.total_steps)
    loop = Loop(options, step, rate, data.train, data.validation, model, position)
    return Session(
        data, statistics, offsets, networks, model, loop, checkpoint is not None, repeated, warnings
    )


def total_steps(config: Config, steps_per_epoch: int) -> int:
    """Number of the last step, from max_steps or max_epochs."""
    training = config["TRAINING_PARAMETERS"]
    return training["max_steps"] or training["max_epochs"] * steps_per_epoch


def schedule(config: Config, steps: int) -> Schedule:
    """The learning rate over a run of so many steps."""
    training = config["TRAINING_PARAMETERS"]
    rate, final = training["learning_rate"], training["learning_rate_final"]
    if final is not None:
        # The last step begins after steps - 1 finished ones.
        return Schedule("exponential", rate, final / rate, max(steps - 1, 1))
    if training["learning_rate_constant"]:
        return Schedule("constant", rate)
    return Schedule(
        "staircase" if training["staircase_decay_type"] else "exponential",
        rate,
        training["learning_rate_decay_factor"],
        training["learning_rate_decay_step"],
    )


def _first_model(
    config: Config,
    data: TrainingData,
    statistics: Statistics,
    offsets: ReferenceEnergies,
    networks: tuple[Architecture, ...],
) -> Model:
    mean = std = None
    if config["TRAINING_PARAMETERS"]["standardise"]:
        mean, std = standardisation(statistics.counts, statistics.mean, statistics.variance)
    spread = statistics.spread(offsets.offsets)
    return Model(
        species=data.species,
        descriptor=data.summary.descriptor,
        networks=first_networks(config, data.species, networks, data.summary.g_size, spread),
        offsets=offsets.offsets,
        scale_mean=mean,
        scale_std=std,
        descriptor_hash=data.summary.descriptor_hash,
    )


def _compiled_step(config: Config, data: TrainingData, model: Model) -> Step:
    training = config["TRAINING_PARAMETERS"]
    dtype = tf.as_dtype(training["precision"])

    def variables(networks: list[SpeciesNetwork]) -> list[NetworkVariables]:
        return [NetworkVariables.create(network, dtype) for network in networks]

    networks = variables(model.networks)
    averaged = variables(model.networks) if training["average_decay"] > 0 else None
    objective = Objective(
        energy_loss=training["loss_function"],
        force_loss=training["floss_function"],
        forces_cost=training["forces_cost"],
    )
    adam = AdamOptions(training["beta1"], training["beta2"], training["adam_eps"])
    return Step(
        networks=networks,
        averaged=averaged,
        std=model.scale_std,
        offsets=model.offsets,
        objective=objective,
        derivatives=_derivatives(config, data, model),
        optimiser=Adam(trainable_variables(networks), adam),
        decay=training["average_decay"],
    )


def _derivatives(config: Config, data: TrainingData, model: Model) -> Derivatives | None:
    threads = config["PARALLELIZATION"]["intra_op_parallelism_threads"]
    if data.source == "none":
        return None
    if data.source == "stored":
        return Stored(threads)
    mixed = config["TRAINING_PARAMETERS"]["precision"] == "float32"
    return OnTheFly(from_dict(model.descriptor), mixed, threads)


def _identity(data: TrainingData) -> list[list[Any]]:
    """What tells the validation data apart: names and sizes of their files."""
    if data.validation is None:
        return []
    return [[path.name, path.stat().st_size] for path in data.validation.index.files]


def _validation_statistics(data: TrainingData) -> Statistics | None:
    """Of the validation set, if there is one; it is checked."""
    if data.validation is None:
        return None
    batches = data.validation.bare().epoch_batches(0)
    return collect(batches, len(data.species), data.summary.g_size, "validation")
