"""What is validated: a potential, or a committee, with its test set and what to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator

from panna import core
from panna.config.reader import Config
from panna.config.schema import Key
from panna.config.validate import THRESHOLDS
from panna.errors import PotentialError
from panna.members import list_members
from panna.potential.calculator import PANNA
from panna.potential.compiled import open_potential
from panna.report.level import Level
from panna.validation.crystals.given import parse_crystal
from panna.validation.reference import reference_calculator
from panna.validation.section import Judgement, NotPossible
from panna.validation.test_set import TestSet

Watch = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def nobody(_total: int, _label: str) -> Iterator[Callable[[int], None]]:
    """Nobody watches."""
    yield lambda _steps: None


@dataclass(frozen=True)
class Subject:
    """All that a section may look at.

    config: read with the VALIDATE schema.
    folders: of the potentials, several of a committee.
    potentials: the same, in the core.
    test: predictions on the test set.
    watch: shows long work to the user: for a number of steps and their name, a context with a
      function that is called with the number of further steps done.
    """

    config: Config
    folders: list[Path]
    potentials: list[core.Potential]
    test: TestSet
    watch: Watch = nobody

    @property
    def species(self) -> tuple[str, ...]:
        """Symbols, in the order of the potential."""
        return tuple(self.potentials[0].species)

    @property
    def cutoff(self) -> float:
        """Of the descriptor, angstrom."""
        return self.potentials[0].cutoff

    @property
    def potential_file(self) -> str:
        return self.config["IO_INFORMATION"]["potential_file"]

    def calculator(self) -> PANNA:
        """Energies, forces and stress in ASE; the mean of a committee."""
        return PANNA(self.folders, self.potential_file)

    def reference_calculator(self) -> Calculator | None:
        """What the section REFERENCE names, in ASE; None if it names no potential.

        Raises:
          ConfigError: it cannot be read.
        """
        return self._reference

    @cached_property
    def _reference(self) -> Calculator | None:
        # One for all sections: the first calculation with LAMMPS starts a process.
        return reference_calculator(self.config, self.species)

    @property
    def work_dir(self) -> Path:
        """Folder for files of simulations."""
        return work_dir(self.config)

    @cached_property
    def crystal(self) -> Atoms:
        """The crystal of the section CRYSTAL.

        Raises:
          NotPossible: none is given.
          ConfigError: it cannot be read, or has species that the potential does not have.
        """
        if self.config["CRYSTAL"]["structure"] is None:
            raise NotPossible("no crystal is given; add the key structure to a section [CRYSTAL]")
        return parse_crystal(self.config, self.species)

    # -- verdicts ----------------------------------------------------------------------------------

    def judge(self, key: str, value: float, what: str, advice: str) -> Judgement:
        """Compares a number, the smaller the better, with the threshold of this key.

        Args:
          what: the number belongs to: "RMSE of the energies".
          advice: what to do if it is not good, a sentence.
        """
        good, bad = self.config["THRESHOLDS"][key]
        one = threshold(key)
        unit = f" {one.unit}" if one.unit else ""
        # Written so that nan is bad.
        level = Level.GOOD if value <= good else Level.DOUBTFUL if value <= bad else Level.BAD
        limits = f"good up to {good:g}, bad beyond {bad:g}"
        return Judgement(level, f"{what}: {value:.3g}{unit} ({limits}).", advice, key, value)


def threshold(key: str) -> Key:
    """The key of the ini file that holds a threshold."""
    found = THRESHOLDS.find(key)
    assert found is not None, key
    return found


def work_dir(config: Config) -> Path:
    """Folder for the files of simulations."""
    io = config["IO_INFORMATION"]
    report: Path = io["report"]
    return io["work_dir"] or report.with_name(f"{report.stem}_work")


def open_potentials(config: Config) -> tuple[list[Path], list[core.Potential]]:
    """The potential, or all members of a committee.

    Raises:
      PotentialError: one cannot be read, or has other species than the first.
    """
    io = config["IO_INFORMATION"]
    folders = list_members(io["potential"]) or [io["potential"]]
    potentials = [open_potential(folder, io["potential_file"]) for folder in folders]
    first = potentials[0]
    for folder, one in zip(folders, potentials, strict=True):
        if list(one.species) != list(first.species):
            raise PotentialError(
                f"{folder}: species {', '.join(one.species)} found; {folders[0]} has "
                f"{', '.join(first.species)}, and the members of a committee have the same"
            )
    return folders, potentials
