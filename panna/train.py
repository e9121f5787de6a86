"""panna_train: trains per-species networks on packed descriptors, energies and forces."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.config.train_cluster import FLAGS, with_flags
from panna.console import Progress, say, say_facts, say_notes, table
from panna.cores import available_cores
from panna.errors import run_program
from panna.files import only_writer
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.config.reader import Config
    from panna.training.engine import Engine
    from panna.training.metrics import Errors
    from panna.training.session import Session

DESCRIPTION = """\
Train neural networks on the TFRecord files of tfr_packer.

A training that was stopped (Ctrl-C, the end of a batch job, a crash) continues from its last
checkpoint when the same command is given again, with the same result as without the stop."""

EPILOG = """\
files in train_dir: checkpoints/step_N.npz, best.npz (smallest validation loss), metrics.csv (one
row per epoch), tensorboard/ (tensorboard --logdir TRAIN_DIR). With committee = N they are in
train_dir/member_1 to member_N.

several machines: the same command on each of them, with the section [CLUSTER] or with the flags
above; see docs/parallel.md."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_train; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = config_parser("panna_train", DESCRIPTION, EPILOG)
    parser.add_argument("--debug", action="store_true", help="show the messages of TensorFlow")
    cluster = parser.add_argument_group("several machines", "in place of the keys of [CLUSTER]")
    for key, flag in FLAGS.items():
        cluster.add_argument(f"--{flag}", metavar="TEXT", help=f"the key {key}")
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    from panna.config.reader import read_config
    from panna.config.train import TRAIN
    from panna.training.cluster.program import processes_here, run_here, run_process
    from panna.training.cluster.roles import find_cluster
    from panna.training.tensorflow_setup import prepare_for

    config = with_flags(read_config(args.config, TRAIN), vars(args))
    cluster = find_cluster(config, given=args.list_of_nodes is not None)
    if cluster is not None:
        run_process(config, cluster, args.debug, _run_training)
    if (count := processes_here(config)) > 1:
        run_here(config, count, args.debug, _run_training)
    place = prepare_for(config, args.debug)
    from panna.training.engine import Engine  # TensorFlow had to be prepared first

    return _run_training(config, Engine(place))


def _run_training(config: Config, engine: Engine) -> int:
    """The training, once TensorFlow is ready; engine: computes the steps."""
    from panna.training.committee import member_configs
    from panna.training.session import prepare_several

    say_notes(config.notices)
    pipeline = config["PARALLELIZATION"]
    train_dir = config["IO_INFORMATION"]["train_dir"]
    with ExitStack() as held:
        if engine.writes:
            held.enter_context(only_writer(train_dir, "panna_train"))
        members = member_configs(config, pipeline["intra_op_parallelism_threads"] or _cores())
        folders = [one["IO_INFORMATION"]["train_dir"] for one in members]
        for folder in folders if len(folders) > 1 else ():
            held.enter_context(only_writer(folder, "panna_train"))
        sessions = prepare_several(config, members, _reading, engine)
        _say_plan(config, sessions, engine.place)
        if all(session.finished for session in sessions):
            limits = ", ".join(dict.fromkeys(map(_limit, sessions)))
            say(f"\nNothing is left to do; for a longer training raise {limits}.")
            return 0
        if len(sessions) == 1:
            return _train(config, sessions[0])
        return _train_committee(
            config, {f.name: one for f, one in zip(folders, sessions, strict=True)}
        )


def _cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS holds for all members together."""
    cores = available_cores()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def _limit(session: Session) -> str:
    return "early_stopping_patience" if session.loop.stopped_early else "max_epochs or max_steps"


@contextmanager
def _reading(total: int) -> Iterator[Callable[[int], None]]:
    with Progress(total, "reading", "frames") as progress:
        yield progress.advance


def _say_plan(config: Config, sessions: Sequence[Session], place: str) -> None:
    session = sessions[0]
    data, model, training = session.data, session.model, config["TRAINING_PARAMETERS"]
    io, rate = config["IO_INFORMATION"], session.loop.schedule
    forces = "with" if data.summary.has_forces else "without"
    rows = [
        ("configuration", str(config.path)),
        ("training set", session.statistics.text(data.species)),
    ]
    if io["subset_size"] is not None:
        rows.append(("", f"a random part of the frames, by subset_seed = {io['subset_seed']}"))
    rows += [
        ("", f"{forces} forces{_virials(session)}; {data.cache}"),
        ("validation set", _validation(session)),
        ("reference energies", session.offsets.origin),
    ]
    for symbol, offset in zip(model.species, model.offsets, strict=True):
        rows.append(("", f"{symbol} {offset:.6f} eV"))
    if session.offsets.note:
        rows.append(("", session.offsets.note))
    what = "standardised" if model.scale_mean is not None else "as they are"
    rows.append(("networks", f"{model.n_parameters} parameters, {model.g_size} inputs, {what}"))
    for symbol, one in zip(model.species, session.networks, strict=True):
        rows.append(("", f"{symbol} {one.text()}"))
    final = rate(session.total_steps - 1)
    rows += [
        ("derivatives", data.derivatives),
        ("precision", f"{training['precision']}, {_seeds(sessions)}, on {place}"),
        ("loss", f"{session.loop.step.objective.text()}; {training['optimiser']}"),
        (
            "length",
            f"{session.total_steps} steps, {session.epochs:.6g} epochs of {data.train.n_batches} "
            f"steps; learning rate {rate(0):g} to {final:.3g}, {rate.kind}",
        ),
        ("to", str(io["train_dir"])),
    ]
    if len(sessions) > 1:
        say(f"Training of a committee on {io['data_dir']}")
        rows += _state_of_members(sessions)
    else:
        say(f"Training on {io['data_dir']}")
        if session.continued:
            rows.append(("continued", f"after step {session.position.step}"))
    if session.continued:
        rows += [("", f"{key} is another one now") for key in session.changed]
    say_facts(rows)
    for warning in session.warnings:
        say(f"warning: {warning}")


def _seeds(sessions: Sequence[Session]) -> str:
    seeds = [one.data.train.seed for one in sessions]
    return f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"


def _state_of_members(sessions: Sequence[Session]) -> list[tuple[str, str]]:
    threads = sessions[0].loop.threads
    each = f", {counted(threads, 'core')} each" if threads else ""
    rows = [("committee", f"{len(sessions)} members side by side{each}")]
    for session in sessions:
        if session.finished:
            text = f"finished, step {session.position.step}"
        elif session.continued:
            text = f"continued after step {session.position.step}"
        else:
            text = "new"
        rows.append(("", f"{session.loop.options.train_dir.name} {text}"))
    return rows


def _virials(session: Session) -> str:
    if not session.loop.step.objective.stress_cost:
        return ""
    return f", {session.statistics.virials} of {session.statistics.n_frames} frames with virials"


def _validation(session: Session) -> str:
    validation = session.data.validation
    if validation is not None:
        text = counted(validation.n_frames, "frame")
        if session.repeated:
            text += (
                f"; {session.repeated} of them have composition and energy of a training frame: if "
                "they are the same, errors of validation come out too small"
            )
        return text
    return (
        "none, so no best model and no warning of overfitting; give [VALIDATION_OPTIONS] data_dir"
    )


def _train(config: Config, session: Session) -> int:
    first, total = min(session.position.step, session.total_steps), session.total_steps
    finishing = config["TRAINING_PARAMETERS"]["lbfgs_steps"]
    interval = config["IO_INFORMATION"]["progbar_interval"]
    with Progress(total - first + finishing, "training", "steps", interval) as progress:
        signal = session.loop.run(progress.advance)
    if signal is not None:
        last = min(session.position.step, total)
        say(f"Stopped after step {last} of {total}; the checkpoint is written.")
        say("The same command continues the training.")
        return 128 + signal
    if session.loop.stopped_early:
        epochs = counted(session.position.epochs_without_progress(), "epoch")
        say(f"Stopped after step {session.position.step}: {epochs} without a better validation.")
    _say_result(config, session)
    return 0


def _say_result(config: Config, session: Session) -> None:
    loop, position = session.loop, session.position
    rows = [_row("training, last epoch", loop.last_training)]
    if loop.last_validation is not None:
        rows.append(_row("validation, last step", loop.last_validation))
        rows.append(_row(f"validation, best (step {position.best_step})", position.best))
    headers = ["errors", "E RMSE meV/atom", "E MAE", "F RMSE eV/angstrom", "F MAE"]
    say("\n" + table(headers, rows))
    train_dir = config["IO_INFORMATION"]["train_dir"]
    say(f"\nWritten to {train_dir}: checkpoints/, metrics.csv, tensorboard/")
    if position.best is not None:
        say(f"  best.npz, the model of step {position.best_step}: step_number = best")
    say(f"Look at it: tensorboard --logdir {train_dir}")
    say(f"Next: panna_evaluate and panna_extract_weights, both with train_dir = {train_dir}")


def _train_committee(config: Config, members: dict[str, Session]) -> int:
    from panna.training.committee import run_members

    left = [one for one in members.values() if not one.finished]
    steps = [one.total_steps - min(one.position.step, one.total_steps) for one in left]
    total = sum(steps) + config["TRAINING_PARAMETERS"]["lbfgs_steps"] * len(left)
    interval = config["IO_INFORMATION"]["progbar_interval"]
    with Progress(total, "training", "steps", interval) as progress:
        signal = run_members(members, progress.advance)
    if signal is not None:
        reached = ", ".join(f"{name} {one.position.step}" for name, one in members.items())
        say(f"Stopped after these steps of {left[0].total_steps}: {reached}.")
        say("The checkpoints are written; the same command continues the training.")
        return 128 + signal
    for name, one in members.items():
        if one.loop.stopped_early:
            epochs = counted(one.position.epochs_without_progress(), "epoch")
            say(f"{name} stopped after step {one.position.step}: {epochs} without progress")
    _say_committee(config, members)
    return 0


def _say_committee(config: Config, members: dict[str, Session]) -> None:
    from panna.training.committee import result_table

    what, text = result_table(members)
    say(f"\nErrors, {what}:")
    say(text)
    train_dir = config["IO_INFORMATION"]["train_dir"]
    say(f"\nWritten to {train_dir}: {listed(list(members))}, each a complete training")
    say(f"Look at them: tensorboard --logdir {train_dir}")
    say(
        "Next: panna_evaluate and panna_extract_weights, both with train_dir = "
        f"{train_dir}; they take all members together"
    )


def _row(what: str, errors: Errors) -> list[str | None]:
    cells = [f"{1e3 * errors.energy_rmse:.3f}", f"{1e3 * errors.energy_mae:.3f}"]
    if errors.has_forces:
        cells += [f"{errors.force_rmse:.4f}", f"{errors.force_mae:.4f}"]
    return [what, *cells, *[None] * (4 - len(cells))]


if __name__ == "__main__":
    sys.exit(main())
