"""Trajectories of CP2K beside its output: PROJECT-pos-1.xyz, -frc-1.xyz, -1.cell, -1.stress."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import FrameError
from panna.formats.cp2k_blocks import Block, Broken, Companion, table_blocks, xyz_blocks
from panna.formats.cp2k_output import Evaluation, Header, evaluations
from panna.frames.elements import named_element
from panna.frames.units import BOHR, FOREIGN_STRESS, HARTREE

POSITIONS = re.compile(r"^(.+)-pos(-\d+)\.xyz((?:\.gz|\.xz)?)$")

SAME_ENERGY = 6e-11 * HARTREE  # half a unit of the last digit in trajectories, and a little
SAME_POSITION = 1e-4  # angstrom; in the output they have six decimals
SAME_FORCE = 1e-5  # eV/angstrom, and relative; in the output they have eight decimals, hartree/bohr


def companions(positions: Path) -> dict[str, Path]:
    """The files beside a -pos file, by the names that Trajectory has for them."""
    found = POSITIONS.match(positions.name)
    if found is None:
        return {}
    project, number = found[1], found[2]
    names = {
        "forces": f"{project}-frc{number}.xyz",
        "cells": f"{project}{number}.cell",
        "stresses": f"{project}{number}.stress",
    }
    paths = {
        kind: positions.with_name(name + ending)
        for kind, name in names.items()
        for ending in (".xz", ".gz", "")
        if positions.with_name(name + ending).is_file()
    }
    return paths


# -- outputs of the runs ---------------------------------------------------------------------------


class Outputs:
    """All calculations of the outputs of a trajectory, found by their energies.

    A first pass keeps the energy of each calculation and whether it is good, some bytes each; a
    second one, along with the trajectory, gives forces and stress.

    header: of the first run; None without outputs.
    initial: the first calculation, with the geometry that the output prints.
    endings: why outputs did not come to a good end.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.header: Header | None = None
        self.initial: Evaluation | None = None
        self.constant_cell = True
        self.endings: list[tuple[Path, str]] = []
        energies, codes = array("d"), array("l")
        self.flaws = {"": 0}
        for path in paths:
            try:
                for evaluation in evaluations(path):
                    self._take(evaluation)
                    if evaluation.energy is not None:
                        energies.append(evaluation.energy)
                        codes.append(self.flaws.setdefault(evaluation.flaw, len(self.flaws)))
            except FrameError as error:
                self.endings.append((path, str(error)))
        self.energies = np.array(energies)
        self.codes = np.array(codes)
        self.order = np.argsort(self.energies, kind="stable")
        self.sorted = self.energies[self.order]
        self.place = -1
        self.walk = self._all()

    def _take(self, evaluation: Evaluation) -> None:
        self.header = self.header or evaluation.header
        self.initial = self.initial or evaluation
        self.constant_cell &= evaluation.header.constant_cell

    def _all(self) -> Iterator[Evaluation]:
        for path in self.paths:
            try:
                for evaluation in evaluations(path):
                    if evaluation.energy is not None:
                        yield evaluation
            except FrameError:
                pass  # told in `endings`

    def of(self, energy: float) -> tuple[str | None, Evaluation | None]:
        """What the outputs tell about a step of this energy.

        Returns:
          Its flaw, empty for a good one, None if no output has it; and the calculation, if it
          comes after those that were asked for before.
        """
        first, last = np.searchsorted(self.sorted, [energy - SAME_ENERGY, energy + SAME_ENERGY])
        places = np.sort(self.order[first:last])
        if not len(places):
            return None, None
        ahead = places[places > self.place]
        if not len(ahead):
            return self._flaw(places[-1]), None
        found: Evaluation | None = None
        while self.place < ahead[0]:
            found = next(self.walk, None)
            self.place += 1
        return self._flaw(ahead[0]), found

    def missing_in(self, trajectory: Path) -> bool:
        """Whether the first calculation is not the first step of the -pos file.

        Optimisations write no step 0.
        """
        optimised = self.header is not None and self.header.run_type in ("GEO_OPT", "CELL_OPT")
        if not optimised or self.initial is None or self.initial.energy is None:
            return False
        try:
            first = next((b for b in xyz_blocks(trajectory) if isinstance(b, Block)), None)
        except FrameError:
            return False
        return first is None or abs(first.energy - self.initial.energy) > SAME_ENERGY

    def _flaw(self, place: int) -> str:
        return next(flaw for flaw, code in self.flaws.items() if code == self.codes[place])


# -- steps -----------------------------------------------------------------------------------------


@dataclass
class Step:
    """One step of a trajectory, in eV and angstrom; flaw: why it must not be used.

    number: by CP2K; None if it is not known. dynamics: whether it has a time.
    stress: (3, 3), positive under compression.
    """

    number: int | None
    line: int
    flaw: str = ""
    dynamics: bool = False
    species: tuple[str, ...] = ()
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    header: Header | None = None
    consumed: int = 0


@dataclass
class Trajectory:
    """The files of one run, or of a run and its restarts.

    positions: the -pos file. forces, cells, stresses: those beside it that exist.
    outputs: outputs of the project beside it.
    cell: constant one, angstrom, used where there is no .cell file.
    unchecked: take steps of which no output tells whether they converged.
    """

    positions: Path
    outputs: Outputs
    forces: Path | None = None
    cells: Path | None = None
    stresses: Path | None = None
    cell: np.ndarray | None = None
    unchecked: bool = False

    def steps(self) -> Iterator[Step]:
        """In the order of the -pos file, in constant memory.

        Raises:
          FrameError: no cell; a file beside it is in other units; it cannot be read any further.
        """
        if self.cells is None and self.cell is None:
            raise FrameError(self._no_cell())
        forces = _open(self.forces, xyz_blocks)
        cells = _open(self.cells, lambda path: table_blocks(path, "Angstrom"))
        stresses = _open(self.stresses, lambda path: table_blocks(path, "bar"))
        for block in xyz_blocks(self.positions):
            if isinstance(block, Broken):
                yield Step(None, block.line, block.reason, consumed=block.consumed)
                continue
            step = Step(block.number, block.line, consumed=block.consumed, energy=block.energy)
            step.header, step.dynamics = self.outputs.header, block.time is not None
            flaw, evaluation = self.outputs.of(block.energy)
            try:
                step.flaw = self._judged(flaw)
                step.species = tuple(named_element(label) for label in block.labels)
                step.positions, step.cell = block.values, self.cell
                if cells is not None:
                    step.cell = self._cell_of(block, cells)
                if forces is not None and (found := forces.of(block)) is not None:
                    step.forces = found.values * (HARTREE / BOHR)
                # With dynamics, the .stress file contains the motion of the atoms.
                if stresses is not None and not step.dynamics:
                    found = stresses.of(block)
                    step.stress = None if found is None else found.values * FOREIGN_STRESS["bar"]
                if evaluation is not None:
                    self._compare(step, evaluation)
            except FrameError as error:
                step.flaw = step.flaw or str(error)
            yield step

    def _cell_of(self, block: Block, cells: Companion) -> np.ndarray:
        found = cells.of(block)
        if found is None:
            raise FrameError(f"{cells.path.name} has no cell of step {block.number}")
        return found.values

    def _judged(self, flaw: str | None) -> str:
        if flaw is not None:
            return flaw
        if self.unchecked:
            return ""
        if not self.outputs.paths:
            return "no output of the project beside the file tells whether it converged"
        return "no output beside the file has a calculation of this energy"

    def _no_cell(self) -> str:
        if self.outputs.header is not None and not self.outputs.constant_cell:
            why = "the cell changes along the run, and there is no .cell file beside it"
            return f"{why}; let CP2K write one (&MOTION &PRINT &CELL)"
        return (
            "nothing tells the cell: put the output of the run or the .cell file beside it, or "
            "give --cell"
        )

    def _compare(self, step: Step, evaluation: Evaluation) -> None:
        """What both the output and the trajectories tell must be the same."""
        step.header = evaluation.header
        step.energy = evaluation.energy
        if evaluation.species is not None and evaluation.species != step.species:
            raise FrameError("its elements are not those in the output")
        if evaluation.positions is not None:
            _same(step.positions, evaluation.positions, SAME_POSITION, "positions", "angstrom")
        if step.forces is None:
            step.forces = evaluation.forces
        elif evaluation.forces is not None:
            most = SAME_FORCE * (1 + np.abs(evaluation.forces).max())
            _same(step.forces, evaluation.forces, most, "forces", "hartree/bohr")
        if evaluation.stress is not None:
            step.stress = evaluation.stress


def _open(
    path: Path | None, reader: Callable[[Path], Iterator[Block | Broken]]
) -> Companion | None:
    return None if path is None else Companion(path, reader(path))


def _same(found: np.ndarray, told: np.ndarray, most: float, what: str, unit: str) -> None:
    if found.shape != told.shape or not np.abs(found - told).max() <= most:
        raise FrameError(
            f"its {what} are not those in the output; trajectories must be in {unit} (UNIT in "
            "&MOTION &PRINT)"
        )
