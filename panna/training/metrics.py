"""Errors summed over frames, and the table of them: train_dir/metrics.csv, one row per epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import FileError, TrainingError
from panna.files import atomic_write

# What a step returns, each summed over the frames of the batch; energies and virials per atom.
# Losses are those of the batch times its frames.
SUMS = (
    "frames",
    "components",
    "loss",
    "energy_loss",
    "force_loss",
    "energy_squares",
    "energy_absolute",
    "force_squares",
    "force_absolute",
    "regularisation",
    "virial_components",
    "virial_loss",
    "virial_squares",
    "virial_absolute",
)


@dataclass(frozen=True)
class Errors:
    """Losses and errors over some frames.

    sums: one number for each of SUMS.
    """

    sums: tuple[float, ...] = (0.0,) * len(SUMS)

    def plus(self, sums: Sequence[float] | np.ndarray) -> Errors:
        """With the sums of further frames."""
        return Errors(tuple(a + float(b) for a, b in zip(self.sums, sums, strict=True)))

    def __getattr__(self, name: str) -> float:
        try:
            return self.sums[SUMS.index(name)]
        except ValueError:
            raise AttributeError(name) from None

    def _mean(self, name: str, count: str = "frames") -> float:
        number = getattr(self, count)
        return getattr(self, name) / number if number else math.nan

    @property
    def mean_loss(self) -> float:
        """All that is minimised: losses times their costs, and for training the regularisation."""
        return self._mean("loss")

    @property
    def mean_energy_loss(self) -> float:
        return self._mean("energy_loss")

    @property
    def mean_force_loss(self) -> float:
        return self._mean("force_loss")

    @property
    def energy_rmse(self) -> float:
        """eV/atom"""
        return math.sqrt(self._mean("energy_squares"))

    @property
    def energy_mae(self) -> float:
        """eV/atom"""
        return self._mean("energy_absolute")

    @property
    def force_rmse(self) -> float:
        """Over components, eV/angstrom; nan without forces."""
        return math.sqrt(self._mean("force_squares", "components"))

    @property
    def force_mae(self) -> float:
        """Over components, eV/angstrom; nan without forces."""
        return self._mean("force_absolute", "components")

    @property
    def mean_regularisation(self) -> float:
        """nan without any."""
        return self._mean("regularisation") if self.regularisation else math.nan

    @property
    def mean_virial_loss(self) -> float:
        """nan without virials."""
        return self._mean("virial_loss") if self.virial_components else math.nan

    @property
    def virial_rmse(self) -> float:
        """Over the 9 components of the virial per atom, eV/atom; nan without virials."""
        return math.sqrt(self._mean("virial_squares", "virial_components"))

    @property
    def virial_mae(self) -> float:
        """Over the 9 components of the virial per atom, eV/atom; nan without virials."""
        return self._mean("virial_absolute", "virial_components")

    @property
    def has_forces(self) -> bool:
        return self.components > 0

    def text(self, kinds: Sequence[str] = ("RMSE",)) -> str:
        """Short form for the screen: of RMSE, MAE and loss those asked for, in this order."""
        parts = []
        for kind in kinds:
            if kind == "loss":
                parts.append(f"loss {self.mean_loss:.4g}")
                continue
            name = "" if kinds == ("RMSE",) else f"{kind} "
            energy, force = (getattr(self, f"{of}_{kind.lower()}") for of in ("energy", "force"))
            parts.append(f"{name}E {1e3 * energy:.2f} meV/atom")
            if self.has_forces:
                parts.append(f"F {force:.4f} eV/angstrom")
        return " ".join(parts)


COLUMNS = {
    "loss": "mean_loss",
    "energy_loss": "mean_energy_loss",
    "force_loss": "mean_force_loss",
    "energy_rmse_eV_per_atom": "energy_rmse",
    "energy_mae_eV_per_atom": "energy_mae",
    "force_rmse_eV_per_angstrom": "force_rmse",
    "force_mae_eV_per_angstrom": "force_mae",
}
# Columns of tables of trainings that have them.
REGULARISATION_COLUMNS = {"regularisation": "mean_regularisation"}
VIRIAL_COLUMNS = {
    "virial_loss": "mean_virial_loss",
    "virial_rmse_eV_per_atom": "virial_rmse",
    "virial_mae_eV_per_atom": "virial_mae",
}


def header(columns: Iterable[str]) -> tuple[str, ...]:
    """Names of all cells of a row, for the names of the columns of errors."""
    names = tuple(columns)
    errors = (f"{data}_{name}" for data in ("train", "validation") for name in names)
    return ("epoch", "step", "learning_rate", *errors)


HEADER = header(COLUMNS)


class MetricsTable:
    """train_dir/metrics.csv. The epoch is the number of finished ones; a row with a fractional
    epoch belongs to a run that ended within an epoch, and goes when the run continues."""

    def __init__(self, train_dir: str | Path, extra: Mapping[str, str] | None = None) -> None:
        """extra: further columns, name -> property of Errors."""
        self.path = Path(train_dir) / "metrics.csv"
        self.columns = {**COLUMNS, **(extra or {})}
        self.header = header(self.columns)

    def start(self, epoch: int) -> None:
        """Keeps the rows of the first `epoch` epochs; writes the header of a new file."""
        kept = [line for line in self._rows() if self._belongs(line, epoch)]
        with atomic_write(self.path) as file:
            file.write("\n".join([",".join(self.header), *kept]) + "\n")

    def add(
        self,
        epoch: float,
        step: int,
        learning_rate: float,
        train: Errors,
        validation: Errors | None,
    ) -> None:
        """Appends a row; cells without a value stay empty.

        Raises:
          FileError: the disk is full, or the like.
        """
        cells = [f"{epoch:g}", str(step), repr(learning_rate)]
        for errors in (train, validation):
            cells += [_cell(errors, name) for name in self.columns.values()]
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(",".join(cells) + "\n")
        except OSError as error:
            raise FileError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _rows(self) -> list[str]:
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        if lines and lines[0] != ",".join(self.header):
            raise TrainingError(
                f"{self.path}: its columns are those of another version or of other losses; move "
                "the file away"
            )
        return lines[1:]

    def _belongs(self, line: str, epoch: int) -> bool:
        """A complete row of one of the first epochs."""
        cells = line.split(",")
        return len(cells) == len(self.header) and cells[0].isdigit() and int(cells[0]) <= epoch


def _cell(errors: Errors | None, name: str) -> str:
    if errors is None:
        return ""
    value = getattr(errors, name)
    return "" if math.isnan(value) else f"{value:.9g}"
