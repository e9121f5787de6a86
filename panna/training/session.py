"""A training from its configuration: data, networks, the compiled step and the loop, ready to run.

Read `prepare` from top to bottom to see what happens before the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from panna import __version__
from panna.config.reader import Config
from panna.network.parameters import Model
from panna.training.board.board import Board
from panna.training.checkpoints import Checkpoint
from panna.training.data import Reading, TrainingData, no_report, open_training_data
from panna.training.data_checks import DataChecks
from panna.training.engine import Engine, Start
from panna.training.finishing import Finishing
from panna.training.loop import Loop, LoopOptions
from panna.training.metrics import REGULARISATION_COLUMNS, VIRIAL_COLUMNS, MetricsTable
from panna.training.networks import Architecture, Base, architectures, first_networks
from panna.training.output import NoOutput, Output
from panna.training.profile import Profile
from panna.training.reference_energies import ReferenceEnergies, reference_energies
from panna.training.restart import (
    apply_changes,
    changed_settings,
    check_remains,
    common_checkpoint,
    settings,
)
from panna.training.restart_point import exact, starting_point
from panna.training.scaling import constant_components, standardisation
from panna.training.schedule import forces_cost, learning_rate, reduction_on_plateau
from panna.training.starting_networks import read_bases, starting_networks
from panna.training.state import Position, position_of, restore
from panna.training.statistics import Statistics, collect, frame_names
from panna.training.step import Step


@dataclass(frozen=True)
class Session:
    """What `prepare` made, for the program to report and run.

    repeated: validation frames that the training set has, too.
    changed: settings that are others than when the training was begun.
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
    changed: list[str]
    warnings: list[str]

    @property
    def position(self) -> Position:
        return self.loop.position

    @property
    def total_steps(self) -> int:
        return self.loop.options.total_steps

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        return self.loop.finished

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
    (session,) = prepare_several(config, [config], reading)
    return session


def prepare_several(
    config: Config,
    configs: Sequence[Config],
    reading: Reading = no_report,
    engine: Engine | None = None,
) -> list[Session]:
    """Sets up trainings that share their data, in memory, too; see `prepare`.

    Args:
      config: of the data.
      configs: of the trainings; they differ from it in seed, train_dir and threads only.
      engine: computes the steps; by default this process.
    Raises:
      TrainingError: also if trainings that continue have different reference energies, scaling or
        sources of derivatives.
    """
    engine = Engine() if engine is None else engine
    checkpoints = {one["IO_INFORMATION"]["train_dir"]: starting_point(one) for one in configs}
    known = common_checkpoint(checkpoints)
    before = known.state.get("source") if known else None
    data = open_training_data(config, before, reading, engine.sharers, engine.keeps)
    bases = read_bases(config, data.species, data.summary)
    networks = architectures(config, data.species, bases)
    g_size = data.summary.g_size
    checks = DataChecks(data.species)
    batches = data.train.bare(neighbours=True).epoch_batches(0)
    statistics = collect(batches, len(data.species), g_size, watch=checks.add)
    if config["TRAINING_PARAMETERS"]["stress_cost"] and not statistics.virials:
        raise config.error(
            "TRAINING_PARAMETERS", "stress_cost",
            "no frame of the training set has a virial or stress; set stress_cost = 0, or parse "
            "the data again if their source has stresses",
        )  # fmt: skip
    offsets = reference_energies(config, data.species, statistics, bases)
    starts = []
    for one, checkpoint in zip(configs, checkpoints.values(), strict=True):
        model = _first_model(one, data, statistics, offsets, networks, bases)
        if known is not None:
            # Reference energies and scaling of the checkpoint, digit by digit.
            model = replace(known.model, networks=model.networks, ranges=model.ranges)
        now = settings(one, data.species, networks, statistics)
        starts.append(engine.common_start(one, data, _start(one, checkpoint, model, now)))
    validated = _validation_statistics(data)
    repeated = 0 if validated is None else validated.shared_with(statistics)
    warnings = checks.warnings(
        statistics, offsets.offsets, lambda frames: frame_names(data.train.names(frames)), validated
    )
    model = starts[0].model
    data = data.standardised(model.scaling, config["TRAINING_PARAMETERS"]["precision"])
    return [
        Session(
            mine := data.with_seed(start.config["TRAINING_PARAMETERS"]["seed"]),
            statistics,
            offsets,
            networks,
            start.model,
            _loop(start, mine, statistics, engine),
            start.checkpoint is not None,
            repeated,
            start.changed,
            warnings,
        )
        for start in starts
    ]


def _start(
    config: Config, checkpoint: Checkpoint | None, model: Model, now: dict[str, Any]
) -> Start:
    if checkpoint is None:
        check_remains(config, now)
        return Start(config, None, model, Position(), now, [], False)
    changed = changed_settings(config, checkpoint, now, exact(config))
    position = position_of(checkpoint)
    anew = apply_changes(position, changed)
    return Start(config, checkpoint, model, position, now, changed, anew)


def _loop(start: Start, data: TrainingData, statistics: Statistics, engine: Engine) -> Loop:
    config, checkpoint, position = start.config, start.checkpoint, start.position
    step = engine.step(config, data, start.model)
    step.lengths.expect(statistics.compositions, data.train.batch_size)
    if checkpoint is not None:
        restore(step, checkpoint, moments=not start.anew)
    validation = _identity(data)
    if checkpoint is not None and (
        checkpoint.state.get("validation") != validation
        or config["IO_INFORMATION"]["restart_mode"] == "specific_ckpt"
    ):
        # Losses on other data cannot be compared, and best.npz may be of a later step.
        position.forget_best()
    steps = total_steps(config, data.train.n_batches)
    options = LoopOptions(
        train_dir=config["IO_INFORMATION"]["train_dir"],
        total_steps=steps,
        save_steps=config["IO_INFORMATION"]["save_checkpoint_steps"],
        summary_steps=config["IO_INFORMATION"]["tensorboard_log_frequency"],
        constants={
            "panna_version": __version__,
            "source": data.source,
            "seed": config["TRAINING_PARAMETERS"]["seed"],
            "settings": start.settings,
            "validation": validation,
        },
        profile=_profile(config),
        save_models=_save_models(config, steps),
        shown=config["IO_INFORMATION"]["metrics"],
        forces_cost=forces_cost(config, steps),
        plateau=reduction_on_plateau(config),
        patience=config["TRAINING_PARAMETERS"]["early_stopping_patience"],
        finishing=_finishing(config),
    )
    rate = learning_rate(config, steps)
    output = _output(config, data, start, step, steps) if engine.writes else NoOutput()
    train, validation = engine.batches(data)
    return Loop(options, step, rate, train, validation, start.model, position, output)


def _output(config: Config, data: TrainingData, start: Start, step: Step, steps: int) -> Output:
    train_dir = config["IO_INFORMATION"]["train_dir"]
    threads = 0 if step.derivatives is None else step.derivatives.threads
    board = Board(
        train_dir, start.model, data.train, data.validation, start.settings, steps, threads
    )
    table = MetricsTable(train_dir, _columns(step))
    return Output(train_dir, table, board, config["IO_INFORMATION"]["max_ckpt_to_keep"])


def total_steps(config: Config, steps_per_epoch: int) -> int:
    """Number of the last step, from max_steps or max_epochs."""
    training = config["TRAINING_PARAMETERS"]
    return training["max_steps"] or training["max_epochs"] * steps_per_epoch


def _first_model(
    config: Config,
    data: TrainingData,
    statistics: Statistics,
    offsets: ReferenceEnergies,
    networks: tuple[Architecture, ...],
    bases: Mapping[str, Base],
) -> Model:
    spread = statistics.spread(offsets.offsets)
    fresh = first_networks(config, data.species, networks, data.summary.g_size, spread)
    mean = std = None
    if config["TRAINING_PARAMETERS"]["standardise"]:
        mean, std = standardisation(statistics.counts, statistics.mean, statistics.variance)
        # Training never changes the weight of an input that is always 0. A random one would be
        # noise in environments where the component is another.
        for network, constant in zip(
            fresh, constant_components(statistics.mean, statistics.variance), strict=True
        ):
            network.weights[0][constant] = 0.0
    return Model(
        species=data.species,
        descriptor=data.summary.descriptor,
        networks=starting_networks(config, data.species, fresh, networks, bases, mean, std),
        offsets=offsets.offsets,
        scale_mean=mean,
        scale_std=std,
        descriptor_hash=data.summary.descriptor_hash,
        ranges=statistics.ranges,
    )


def _finishing(config: Config) -> Finishing | None:
    training = config["TRAINING_PARAMETERS"]
    if not training["lbfgs_steps"]:
        return None
    return Finishing(training["lbfgs_steps"], training["lbfgs_memory"])


def _profile(config: Config) -> Profile | None:
    steps = config["IO_INFORMATION"]["profile"]
    if steps == (0,):
        return None
    return Profile(config["IO_INFORMATION"]["train_dir"], steps[0], steps[-1])


def _save_models(config: Config, total: int) -> dict[str, int]:
    """Names of models to be saved, and after which steps."""
    io = config["IO_INFORMATION"]
    wanted = {"starting_model.npz": io["starting_model_save"]}
    # The end may come before the step that is given.
    wanted["final_model.npz"] = min(io["final_model_save"], total)
    return {name: step for name, step in wanted.items() if step >= 0}


def _columns(step: Step) -> dict[str, str]:
    """Columns of metrics.csv that not every training has."""
    columns = {} if step.regularisation is None else dict(REGULARISATION_COLUMNS)
    return columns | (VIRIAL_COLUMNS if step.objective.stress_cost else {})


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
