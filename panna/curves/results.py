"""The table of a learning curve: learning_curve.csv, one row for each finished training."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from panna.curves.plan import Point, Recipe
from panna.errors import TrainingError
from panna.files import atomic_write

TABLE = "learning_curve.csv"


@dataclass(frozen=True)
class Result:
    """Errors on the test set and times of one training; names of columns. nan: not known.

    settings: see Recipe.
    training_seconds: wall time, of all parts if it was interrupted.
    prediction_seconds_per_1000_frames: energies, and forces if they are tested; the structures
      are in memory, descriptors are computed.
    """

    mode: str
    size: int
    seed: int
    steps: int
    energy_rmse_meV_per_atom: float
    energy_mae_meV_per_atom: float
    energy_rmse_meV: float
    energy_mae_meV: float
    force_rmse_eV_per_angstrom: float
    force_mae_eV_per_angstrom: float
    training_seconds: float
    prediction_seconds_per_1000_frames: float
    settings: str

    @property
    def point(self) -> Point:
        return Point(self.mode, self.size, self.seed)


TYPES = {"mode": str, "size": int, "seed": int, "steps": int, "settings": str}
COLUMNS = tuple(field.name for field in fields(Result))


class ResultTable:
    """The rows of learning_curve.csv, also those of sizes and seeds that are not asked for now."""

    def __init__(self, path: Path) -> None:
        """Reads the table if there is one.

        Raises:
          TrainingError: it is not such a table.
        """
        self.path = path
        self.rows: dict[Point, Result] = {}
        if path.is_file():
            for number, row in enumerate(self._read(), 2):
                try:
                    result = Result(**{k: _value(k, text) for k, text in row.items()})
                except (TypeError, ValueError, AttributeError) as error:
                    raise TrainingError(
                        f"{path} line {number}: cannot be read ({error}); remove the line, and its "
                        "training is done again"
                    ) from error
                self.rows[result.point] = result

    def _read(self) -> list[dict[str, str]]:
        with open(self.path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise TrainingError(
                    f"{self.path}: its columns are not those of a learning curve of this version; "
                    "move the file away"
                )
            return list(reader)

    def finished(self, recipe: Recipe) -> bool:
        """Whether the table has the result of a training.

        Raises:
          TrainingError: it has that of a training with other settings or data.
        """
        found = self.rows.get(recipe.point)
        if found is not None and found.settings != recipe.settings:
            raise TrainingError(
                f"{self.path}: {recipe.point} was trained with other settings (ini file, length, "
                "or data); choose another output_dir, or remove these rows to train them again"
            )
        return found is not None

    def add(self, result: Result) -> None:
        """Adds a row and writes the table."""
        self.rows[result.point] = result
        with atomic_write(self.path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for point in sorted(self.rows):
                row = self.rows[point]
                writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])

    def of(self, recipes: Iterable[Recipe]) -> list[Result]:
        """The rows of some trainings that are finished."""
        return [self.rows[r.point] for r in recipes if r.point in self.rows]


def _value(column: str, text: str) -> str | int | float:
    if column in TYPES:
        return TYPES[column](text)
    return float(text) if text else math.nan


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return str(value)
