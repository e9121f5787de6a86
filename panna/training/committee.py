"""Committees: trainings that differ in their seed only, side by side on the same data.

Every member is an ordinary training in a folder of its own, with the numbers that it would have
alone. The members run in threads of one process: the core and TensorFlow compute without the lock
of the interpreter.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from panna.config.reader import Config
from panna.console import table
from panna.errors import PannaError
from panna.members import list_members, member_name
from panna.training.checkpoints import BEST, list_checkpoints
from panna.training.interrupt import StopRequest
from panna.training.loop import Report
from panna.training.metrics import Errors
from panna.training.session import Session

TRAINING, IO = "TRAINING_PARAMETERS", "IO_INFORMATION"
PATIENCE = 0.2  # seconds; a signal may reach another thread than the one that waits
# Seconds until the interpreter takes its lock from a member. Members give it back and want it again
# many times in a step; with Python's 5 ms small steps would mostly wait for it.
SWITCH_INTERVAL = 5e-4


def member_configs(config: Config, cores: int) -> list[Config]:
    """One configuration for each member; `config` itself if there is no committee.

    Args:
      cores: which the members share.
    Raises:
      ConfigError: train_dir has more members, or holds another kind of training.
    """
    count, train_dir = config[TRAINING]["committee"], config[IO]["train_dir"]
    _check_folder(config, count, train_dir)
    if count == 1:
        return [config]
    return [_member(config, number, max(1, cores // count)) for number in range(1, count + 1)]


def run_members(sessions: Mapping[str, Session], report: Report) -> int | None:
    """Trains all members that are not finished, at the same time.

    When one fails the others go to the end of their epoch and write a checkpoint.

    Args:
      sessions: by the names of the members.
      report: called after every step of a member with 1 and a text about all of them.
    Returns:
      None, or the number of the signal that asked to stop; all positions are then saved.
    Raises:
      PannaError: of the members that failed, with their names.
    """
    lock = threading.Lock()

    def told(count: int, _: str) -> None:
        with lock:
            report(count, progress_text(list(sessions.values())))

    waiting = {name: session for name, session in sessions.items() if not session.finished}
    for session in waiting.values():
        session.loop.step.trace()
    with (
        _switching(SWITCH_INTERVAL),
        StopRequest() as stop,
        ThreadPoolExecutor(len(waiting), "panna-member") as pool,
    ):
        futures = {name: pool.submit(one.loop.run, told, stop) for name, one in waiting.items()}
        running = set(futures.values())
        while running:
            ended, running = wait(running, PATIENCE, FIRST_COMPLETED)
            if any(future.exception() is not None for future in ended):
                stop.after_epoch = True
    _raise_failures(futures)
    signals = [future.result() for future in futures.values()]
    return next((number for number in signals if number is not None), None)


@contextmanager
def _switching(seconds: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def progress_text(sessions: Sequence[Session]) -> str:
    """Where the members are, and the errors of all of them together."""
    # Read once: the members change it meanwhile.
    positions = [(one.position.epoch, one.position.batch) for one in sessions]
    epochs = [epoch + (batch > 0) for epoch, batch in positions]
    same = min(epochs) == max(epochs)
    shown = sessions[0].loop.options.shown
    reached = f"epoch {epochs[0]}" if same else f"epochs {min(epochs)} to {max(epochs)}"
    training = together(_training_errors(one) for one in sessions)
    text = f"{len(sessions)} members, {reached}, {training.text(shown)}"
    validations = [one.loop.last_validation for one in sessions]
    known = [errors for errors in validations if errors is not None]
    return f"{text}, validation {together(known).text(shown)}" if known else text


def result_table(sessions: Mapping[str, Session]) -> tuple[str, str]:
    """What the errors are of, and the table of the members with mean and standard deviation."""
    validated = all(one.position.best is not None for one in sessions.values())
    headers = ["member", "seed", "step", "E RMSE meV/atom", "E MAE", "F RMSE eV/angstrom", "F MAE"]
    rows, numbers = [], []
    for name, one in sessions.items():
        errors = one.position.best if validated else one.loop.last_training
        step = one.position.best_step if validated else one.position.step
        found = _numbers(errors)
        rows.append([name, one.data.train.seed, step, *_cells(found)])
        numbers.append(found)
    # A member that was finished before has no errors of training.
    known = np.array([row for row in numbers if not np.isnan(row[0])])
    if len(known) > 1:
        rows.append(["mean", None, None, *_cells(known.mean(0))])
        rows.append(["standard deviation", None, None, *_cells(known.std(0, ddof=1))])
    what = "validation, best model of each member" if validated else "training, last epoch"
    return what, table(headers, rows)


def _numbers(errors: Errors | None) -> list[float]:
    if errors is None:
        return [math.nan] * 4
    forces = [errors.force_rmse, errors.force_mae] if errors.has_forces else [math.nan] * 2
    return [1e3 * errors.energy_rmse, 1e3 * errors.energy_mae, *forces]


def _cells(numbers: Sequence[float]) -> list[str | None]:
    digits = (3, 3, 4, 4)
    return [
        None if math.isnan(number) else f"{number:.{n}f}"
        for number, n in zip(numbers, digits, strict=True)
    ]


def together(several: Iterable[Errors]) -> Errors:
    """The errors over all frames of several sums."""
    total = Errors()
    for errors in several:
        total = total.plus(errors.sums)
    return total


def _training_errors(session: Session) -> Errors:
    """Of the present epoch, or of the last one if none has begun."""
    present = session.position.errors
    return present if present.frames else session.loop.last_training or present


def _member(config: Config, number: int, threads: int) -> Config:
    """The configuration of one member."""
    io, training, pipeline = config[IO], config[TRAINING], config["PARALLELIZATION"]
    own = {
        IO: io | {"train_dir": io["train_dir"] / member_name(number)},
        TRAINING: training | {"seed": training["seed"] + number - 1, "committee": 1},
        "PARALLELIZATION": pipeline | {"intra_op_parallelism_threads": threads},
    }
    if number > 1:
        # TensorFlow makes one profile at a time.
        own[IO]["profile"] = (0,)
    return replace(config, sections=config.sections | own)


def _check_folder(config: Config, count: int, train_dir: Path) -> None:
    members = list_members(train_dir)
    if len(members) > count:
        raise config.error(
            TRAINING, "committee",
            f"{train_dir} has {len(members)} members; give committee = {len(members)}, or choose "
            "another train_dir",
        )  # fmt: skip
    if count > 1 and (list_checkpoints(train_dir) or (train_dir / BEST).exists()):
        raise config.error(
            TRAINING, "committee",
            f"{train_dir} holds the training of one network; choose another train_dir. (Moved to "
            f"{train_dir / member_name(1)} it becomes the first member, if its seed is that of "
            "this file)",
        )  # fmt: skip


def _raise_failures(futures: Mapping[str, Future]) -> None:
    failures = {name: error for name, one in futures.items() if (error := one.exception())}
    for error in failures.values():
        if not isinstance(error, PannaError):
            raise error
    if failures:
        lines = [f"{name}: {error}" for name, error in failures.items()]
        if len(failures) < len(futures):
            lines.append("The other members have checkpoints of the end of their epoch")
        raise type(next(iter(failures.values())))("\n".join(lines))
