"""The course of a training, read back from its metrics.csv; works while the training runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import TrainingError
from panna.members import list_members

TABLE = "metrics.csv"
REQUIRED = ("epoch", "step", "learning_rate", "train_loss")
TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class History:
    """A training, row by row.

    label: for people.
    path: of the table.
    columns: name -> (R,) float64, nan where the table is empty; always those of REQUIRED.
    """

    label: str
    path: Path
    columns: Mapping[str, np.ndarray]

    @property
    def rows(self) -> int:
        return len(self.columns["epoch"])

    def of(self, data: str, quantity: str) -> np.ndarray:
        """A column (R,), all nan if the table does not have it; data: TRAIN or VALIDATION."""
        return self.columns.get(f"{data}_{quantity}", np.full(self.rows, np.nan))

    @property
    def validated(self) -> bool:
        """Whether there was a validation set."""
        return bool(np.isfinite(self.of(VALIDATION, "loss")).any())

    @property
    def best(self) -> int | None:
        """Number of the row with the smallest validation loss, which best.npz belongs to."""
        return int(np.nanargmin(self.of(VALIDATION, "loss"))) if self.validated else None


def find_tables(folder: str | Path) -> list[Path]:
    """metrics.csv of a training, or those of the members of a committee.

    Args:
      folder: train_dir, or the table itself.
    Raises:
      TrainingError: there is none.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder; expected a train_dir of panna_train")
    if (folder / TABLE).is_file():
        return [folder / TABLE]
    found = [path for m in list_members(folder) if (path := m / TABLE).is_file()]
    if not found:
        raise TrainingError(
            f"{folder}: no {TABLE} in it; expected a train_dir, in which panna_train has begun a "
            "training"
        )
    return found


def labels_of(tables: Sequence[Path]) -> list[str]:
    """A name for each training: what its folder does not have in common with the others."""
    folders = [path.resolve().parent for path in tables]
    common = Path(os.path.commonpath([folder.parent for folder in folders]))
    return [str(folder.relative_to(common)) for folder in folders]


def read_history(path: str | Path, label: str = "") -> History:
    """Reads a table. A last line without its end, which is being written, is left out.

    Raises:
      TrainingError: missing, damaged, or without a finished epoch.
    """
    path = Path(path)
    names, *lines = _lines(path)
    header = names.split(",")
    missing = [name for name in REQUIRED if name not in header]
    if missing or len(set(header)) < len(header):
        what = f"no column {missing[0]}" if missing else "a column twice"
        raise TrainingError(
            f"{path}, line 1: {what}; expected the header that panna_train writes, "
            f"{','.join(REQUIRED)},..."
        )
    if not lines:
        raise TrainingError(f"{path}: only a header; no epoch of this training is finished yet")
    rows = [_row(path, number, line, header) for number, line in enumerate(lines, start=2)]
    columns = dict(zip(header, np.array(rows).T, strict=True))
    for name in ("epoch", "step"):
        back = np.flatnonzero(~(np.diff(columns[name]) >= 0))
        if len(back):
            before, after = columns[name][back[0] : back[0] + 2]
            raise TrainingError(
                f"{path}, line {back[0] + 3}: {name} {after:g} after {before:g}; expected rows in "
                "the order of the training. Were two trainings joined?"
            )
    return History(label or path.parent.name, path, columns)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise TrainingError(f"{path}: not a text file ({error.reason})") from error
    complete = text[: text.rfind("\n") + 1]
    if not complete:
        raise TrainingError(f"{path}: empty or cut short; expected a header and a row per epoch")
    return complete.removesuffix("\n").split("\n")


def _row(path: Path, number: int, line: str, header: Sequence[str]) -> list[float]:
    cells = line.split(",")
    if len(cells) != len(header):
        raise TrainingError(
            f"{path}, line {number}: {len(cells)} cells found, {len(header)} expected"
        )
    row = []
    for name, cell in zip(header, cells, strict=True):
        try:
            value = float(cell) if cell else np.nan
        except ValueError:
            value = np.inf
        if np.isinf(value) or (np.isnan(value) and (cell or name in REQUIRED)):
            raise TrainingError(
                f"{path}, line {number}: {name} = {cell!r} found, a finite number expected"
            )
        row.append(value)
    return row
