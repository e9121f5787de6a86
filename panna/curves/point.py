"""One point of a learning curve: a training, continued if it was interrupted, and its test."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.curves.plan import Recipe
from panna.curves.results import Result
from panna.errors import FileError
from panna.evaluation.errors import Spread, Statistics, gather
from panna.evaluation.networks import from_checkpoints
from panna.evaluation.predict import predict
from panna.evaluation.structures import Structure
from panna.files import atomic_write, make_folder
from panna.training.session import prepare

SECONDS = "seconds"  # file in train_dir: how long the training has taken so far
Report = Callable[[int, str], None]


@dataclass(frozen=True)
class Test:
    """What the models are tested on: step is -1 or "best", threads those of the core."""

    structures: Sequence[Structure]
    step: int | str
    threads: int

    @property
    def forces(self) -> bool:
        """Reference forces are known, and forces can be computed."""
        return all(
            s.forces is not None
            and (s.frame is not None or (s.record is not None and s.record.derivatives is not None))
            for s in self.structures
        )


class Stopped(Exception):
    """The user or the system asked to stop, by this signal; the training can be continued."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def measure(recipe: Recipe, test: Test, report: Report) -> Result:
    """Trains and tests.

    Args:
      report: called with the number of further steps that are done, and the present errors.
    Raises:
      Stopped: before the end of the training.
      PannaError: the training cannot be done, or the model does not fit the test set.
    """
    training_seconds = _train(recipe, report)
    networks = from_checkpoints(recipe.train_dir, [test.step])
    begin = time.perf_counter()
    predicted = list(predict(networks, test.structures, test.forces, test.threads))
    seconds = time.perf_counter() - begin
    references, predictions = gather(predicted)
    errors = Statistics.of(references, predictions[0], networks[0].model.species)
    per_atom, total, forces = (_rmse_mae(s) for s in (errors.per_atom, errors.total, errors.forces))
    return Result(
        recipe.point.mode,
        recipe.point.size,
        recipe.point.seed,
        recipe.steps,
        *(1e3 * value for value in (*per_atom, *total)),
        *forces,
        training_seconds,
        1000 * seconds / len(test.structures),
        recipe.settings,
    )


def _rmse_mae(spread: Spread | None) -> tuple[float, float]:
    return (math.nan, math.nan) if spread is None else (spread.rmse, spread.mae)


def _train(recipe: Recipe, report: Report) -> float:
    """Trains to the end and returns the seconds that it took in all."""
    _make_ready(recipe)
    with _stopwatch(recipe.train_dir) as seconds:
        session = prepare(read_config(recipe.ini, TRAIN))
        done = session.position.step
        report(done, "")

        def count(steps: int, text: str) -> None:
            nonlocal done
            done += steps
            report(steps, text)

        signal = None
        if not session.finished:
            signal = session.loop.run(count)
        if signal is not None:
            raise Stopped(signal)
        report(recipe.steps - done, "")  # where the training ended early
    return seconds()


def _make_ready(recipe: Recipe) -> None:
    """Keeps an unfinished training with the same ini file; anything else is begun anew."""
    folder = recipe.train_dir
    same = recipe.ini.is_file() and recipe.ini.read_text(encoding="utf-8") == recipe.text
    # Without the file the process was killed, and the time is not known.
    if folder.is_dir() and not (same and (folder / SECONDS).is_file()):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise FileError(f"{folder}: cannot be removed ({error.strerror})") from error
    make_folder(folder)
    with atomic_write(recipe.ini) as file:
        file.write(recipe.text)


@contextmanager
def _stopwatch(folder: Path) -> Iterator[Callable[[], float]]:
    """Measures the block; its time and that of earlier, interrupted ones is kept in a file."""
    path = folder / SECONDS
    before = float(path.read_text()) if path.is_file() else 0.0
    path.unlink(missing_ok=True)
    begin = time.perf_counter()
    taken = before
    try:
        yield lambda: taken
    finally:
        taken = before + time.perf_counter() - begin
        with atomic_write(path) as file:
            file.write(f"{taken:.3f}\n")
