"""The text output of CP2K's Quickstep, line by line, one calculation of energy at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from panna.errors import FrameError
from panna.formats.cp2k_cell import CellBlock, periodicity
from panna.formats.fortran_rows import numbers, read_rows
from panna.frames.elements import ELEMENTS
from panna.frames.text_lines import Lines, NotText, Unreadable
from panna.frames.units import FOREIGN_ENERGY, FOREIGN_STRESS, LENGTH, factor, force_factor

HEAD = 2000  # lines in which the header is looked for; warnings may stand before it
BANNER = 20  # lines of the longest message of an abort
SINGLE = ("ENERGY", "ENERGY_FORCE")
MOVING = ("GEO_OPT", "CELL_OPT", "MD")
CONSTANT_CELL = ("NVE", "NVT", "NVT_ADIABATIC", "LANGEVIN", "ISOKIN")

UNCONVERGED = "self-consistency was not reached"
SITE = re.compile(r"\s*(\d+|\*+)\s+\d+\s+\S+\s+(\d+)\s+(\S.*)$")
FORCE = re.compile(r"\s*(?:FORCES\|)?\s*(\d+|\*+)\s+(?:\d+\s+[A-Za-z]\S*\s+)?(\S.*)$")
STRESS = re.compile(r"\s*(?:STRESS\|)?\s*[xyzXYZ]\s+(\S.*)$")
ENERGY = re.compile(r"\s*ENERGY\|.*FORCE_EVAL \( (\S+) \) energy [\[(]([^\])]*)[\])]:?(.*)$")
UNIT = re.compile(r"\[([^\]]*)\]")

# The name of each group is that of the method that deals with the line, without read_.
MARKS = re.compile(
    r"""
    (?P<started>\ +\*\*\*\*\ [ *]*PROGRAM\ STARTED\ AT\ )
    | (?P<version>\ CP2K\|\ version\ string:)
    | (?P<project>\ GLOBAL\|\ Project\ name)
    | (?P<run_type>\ GLOBAL\|\ Run\ type)
    | (?P<ensemble>\ MD(?:_PAR)?\|\ Ensemble\ [Tt]ype)
    | (?P<cell>\ CELL\|)
    | (?P<sites>\ MODULE\ \S+:\s+ATOMIC\ COORDINATES\ IN)
    | (?P<scf>\ SCF\ WAVEFUNCTION\ OPTIMIZATION)
    | (?P<converged>\s+\*\*\*\ SCF\ run\ converged|\s+outer\ SCF\ loop\ converged)
    | (?P<unconverged>\ +\*\*\*\ .*SCF\ run\ NOT\ converged|\s+outer\ SCF\ loop\ FAILED)
    | (?P<energy>\ ENERGY\|\ Total\ FORCE_EVAL)
    | (?P<forces>\ ATOMIC\ FORCES\ in\ \[|\ FORCES\|\ Atomic\ forces\ \[)
    | (?P<stress>\ STRESS\|\ (?:Analytical|Numerical)\ stress\ tensor\ \[
        |\ (?:NUMERICAL\ )?STRESS\ TENSOR\ \[)
    | (?P<closed>\ MD\||\ MD_INI\||\ -+\s+Informations\ at\ step|\ OPT\||\ OPTIMIZATION\ STEP
        |\ -\s+DBCSR\ STATISTICS|\ -\s+T\ I\ M\ I\ N\ G)
    | (?P<abort>\ \*\s+\[ABORT\])
    | (?P<ended>\ +\*\*\*\*\ [ *]*PROGRAM\ ENDED\ AT\ )
    """,
    re.VERBOSE,
)


@dataclass
class Header:
    """What a run tells at its beginning.

    started: time as text, which sorts. pbc: None where the version does not tell it.
    """

    started: str = ""
    version: str = ""
    project: str = ""
    run_type: str = ""
    ensemble: str = ""
    pbc: tuple[bool, bool, bool] | None = None

    @property
    def constant_cell(self) -> bool:
        """Whether all steps have the same cell."""
        constant_md = self.run_type == "MD" and self.ensemble in CONSTANT_CELL
        return self.run_type in (*SINGLE, "GEO_OPT") or constant_md

    def facts(self) -> dict[str, str]:
        """Entries of the example."""
        facts = {"program": f"CP2K {self.version}"} if self.version else {}
        return facts | {"calculation": self.run_type}


@dataclass
class Evaluation:
    """One calculation of the energy.

    line: of its energy. header: of its run.
    species, positions, cell: angstrom; None where they are not printed before it.
    cell_known: whether the cell has more than three decimals.
    energy: eV. forces: (n, 3), eV/angstrom. stress: (3, 3), eV/angstrom^3, positive under
      compression.
    flaw: why it must not be used; empty for a good one.
    """

    header: Header
    line: int = 0
    species: tuple[str, ...] | None = None
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    cell_known: bool = True
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    flaw: str = ""
    converged: bool = False
    closed: bool = False
    consumed: int = 0


def header_of(path: Path) -> Header | None:
    """The header of an output of CP2K; None for another file. Only names are in it for sure.

    Raises:
      Unreadable: it cannot be read.
    """
    header = Header()
    with Lines.open(path, "replace") as lines:
        try:
            for line in islice(lines, HEAD):
                for mark in ("started", "version", "project", "run_type"):
                    found = MARKS.match(line)
                    if found is not None and found.lastgroup == mark:
                        setattr(header, mark, _last_word(line, mark))
                if header.run_type:
                    break
        except NotText:
            return None
    return header if header.version else None


def evaluations(path: Path) -> Iterator[Evaluation]:
    """The calculations of a file, in its order and in constant memory.

    Raises:
      FrameError: at the end: why CP2K did not come to a good end, or why this is no output of it.
    """
    with Lines.open(path, "replace") as lines:
        yield from _Output(lines).evaluations()


def _last_word(line: str, mark: str) -> str:
    words = line.split()
    return " ".join(words[-2:]) if mark == "started" else words[-1]


class _Output:
    """Goes through the lines; finished calculations gather in `ready`."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.ready: list[Evaluation] = []
        self.problems: list[str] = []
        self.found_cp2k = False
        self._begin_run()

    def _begin_run(self) -> None:
        self.header = Header()
        self.species: tuple[str, ...] | None = None
        self.positions: np.ndarray | None = None
        self.cell = CellBlock()
        self.cell_used = False
        self.current: Evaluation | None = None
        self.trouble = ""  # with the geometry of the next calculation
        self.begun = self.ended = False
        self.ending = ""

    def evaluations(self) -> Iterator[Evaluation]:
        try:
            for line in self.lines:
                mark = MARKS.match(line)
                if mark is not None:
                    getattr(self, f"read_{mark.lastgroup}")(line)
                    while self.ready:
                        yield self.ready.pop(0)
        except Unreadable as error:
            self.ending, self.ended = self.ending or str(error), False
        self._end_run()
        yield from self.ready
        if not self.found_cp2k and not self.problems:
            self.problems.append("no line 'CP2K| version string': not an output of CP2K")
        if self.problems:
            raise FrameError("; ".join(self.problems))

    # -- runs --------------------------------------------------------------------------------------

    def read_started(self, line: str) -> None:
        self._end_run()
        self._begin_run()
        self.begun = True
        self.header.started = _last_word(line, "started")

    def read_version(self, line: str) -> None:
        self.found_cp2k = self.begun = True
        self.header.version = line.split()[-1]

    def read_project(self, line: str) -> None:
        self.header.project = line.split()[-1]

    def read_run_type(self, line: str) -> None:
        self.header.run_type = line.split()[-1]

    def read_ensemble(self, line: str) -> None:
        self.header.ensemble = line.split()[-1]

    def read_ended(self, line: str) -> None:
        self._close()
        self.ended = True

    def read_abort(self, line: str) -> None:
        """The message stands in a box, right of a drawing."""
        text = [line]
        for row in islice(self.lines, BANNER):
            if not row.strip(" *\n"):
                break
            text.append(row)
        # Where it happened, in the source of CP2K, stands in the last row.
        words = " ".join(row[14:79] for row in text[:-1]).split()
        self.ending = self.ending or f"CP2K stopped: {' '.join(words)}"

    def _end_run(self) -> None:
        current = self.current
        if current is not None and not current.closed and not self.ended:
            current.flaw = current.flaw or "it is not complete"
        self._finish()
        if self.begun and not self.ended:
            self.problems.append(
                self.ending or "the run did not come to its end (no line PROGRAM ENDED)"
            )
        elif self.ending:
            self.problems.append(self.ending)

    # -- geometry ----------------------------------------------------------------------------------

    def read_cell(self, line: str) -> None:
        self._finish()
        self.cell.add(line, self.lines.where)
        self.cell_used = False
        if "Periodicity" in line:
            self.header.pbc = periodicity(line.split()[-1])

    def read_sites(self, line: str) -> None:
        self._finish()
        self.species = self.positions = None
        self.trouble = ""
        try:
            unit = factor(LENGTH, line.split()[-1].lower(), f"{self.lines.where}: length unit")
            self._skip_to("Element")
            rows = read_rows(self.lines, SITE)
            values = np.array([self._site(where, row) for where, row in rows])
            self._check_order(rows, "atom")
            self.species = tuple(_element(row[2], where) for where, row in rows)
            self.positions = values * unit
        except Unreadable:
            raise
        except FrameError as error:
            self.trouble = str(error)

    def _site(self, where: str, row: re.Match[str]) -> list[float]:
        *position, charge, _mass = numbers(row[3], 5, where)
        if charge == 0:
            raise FrameError(f"{where}: an atom without charge; ghost atoms are not read")
        return position

    # -- energy, forces, stress --------------------------------------------------------------------

    def read_scf(self, line: str) -> None:
        if self.current is not None and self.current.energy is not None:
            self._finish()

    def read_converged(self, line: str) -> None:
        self._open().converged = True

    def read_unconverged(self, line: str) -> None:
        current = self._open()
        current.flaw = current.flaw or UNCONVERGED

    def read_energy(self, line: str) -> None:
        current = self._open()
        if current.energy is not None:
            self._finish()
            current = self._open()
        current.line = self.lines.number
        try:
            found = ENERGY.match(line)
            if found is None:
                raise FrameError(f"{self.lines.where}: an energy with its unit expected")
            if found[1] != "QS":
                raise FrameError(f"the energy is that of method {found[1]}; only QS is read")
            unit = "hartree" if found[2] == "a.u." else found[2]
            scale = factor(FOREIGN_ENERGY, unit, f"{self.lines.where}: energy unit")
            current.energy = numbers(found[3], 1, self.lines.where)[0] * scale
        except FrameError as error:
            current.flaw = current.flaw or str(error)

    def read_forces(self, line: str) -> None:
        current = self.current
        if current is None or current.closed:
            return
        try:
            unit = UNIT.search(line)
            name = "hartree/bohr" if unit is None or unit[1] == "a.u." else unit[1]
            self._skip_to("Atom")
            rows = read_rows(self.lines, FORCE)
            more = "FORCES|" in line  # the length of the force stands behind it
            values = [numbers(row[2], 3, where, more) for where, row in rows]
            self._check_order(rows, "force on atom")
            if "sum" not in next(self.lines, "").lower():
                raise FrameError(f"{self.lines.where}: the sum of the forces expected")
            if self.species is not None and len(rows) != len(self.species):
                raise FrameError(f"{len(rows)} forces found, {len(self.species)} expected")
            current.forces = np.array(values) * force_factor(name)
        except Unreadable:
            raise
        except FrameError as error:
            current.flaw = current.flaw or str(error)

    def read_stress(self, line: str) -> None:
        current = self.current
        if current is None or current.closed:
            return
        try:
            unit = UNIT.search(line)
            scale = factor(FOREIGN_STRESS, unit[1] if unit else "", "stress unit")
            self._skip_to("z", "Z")
            rows = read_rows(self.lines, STRESS, 3)
            if len(rows) != 3:
                raise FrameError(f"{self.lines.where}: {len(rows)} rows of stress, 3 expected")
            values = [numbers(row[1], 3, where) for where, row in rows]
            current.stress = np.array(values) * scale
        except Unreadable:
            raise
        except FrameError as error:
            current.flaw = current.flaw or str(error)

    def read_closed(self, line: str) -> None:
        self._close()

    def _skip_to(self, *titles: str) -> None:
        """Past the title of the columns."""
        for line in islice(self.lines, 4):
            if any(title in line.split() for title in titles):
                return
        raise FrameError(f"{self.lines.where}: titles of columns expected")

    def _check_order(self, rows: list[tuple[str, re.Match[str]]], what: str) -> None:
        if not rows:
            raise FrameError(f"{self.lines.where}: no {what} found")
        for expected, (where, row) in enumerate(rows, start=1):
            if row[1].isdecimal() and int(row[1]) != expected:
                raise FrameError(f"{where}: {what} {row[1]} found, {expected} expected")

    # -- from one calculation to the next ----------------------------------------------------------

    def _open(self) -> Evaluation:
        if self.current is not None and self.current.closed:
            self._finish()
        if self.current is None:
            self.current = Evaluation(self.header, self.lines.number)
        return self.current

    def _close(self) -> None:
        if self.current is not None and self.current.energy is not None:
            self.current.closed = True

    def _finish(self) -> None:
        """Judge the calculation and give it out; the geometry is used up."""
        current, self.current = self.current, None
        if current is None:
            return
        current.species, current.positions = self.species, self.positions
        current.flaw = current.flaw or self.trouble
        try:
            fresh = not self.cell_used or self.header.constant_cell
            current.cell, current.cell_known = self.cell.cell() if fresh else (None, True)
        except FrameError as error:
            current.flaw = current.flaw or str(error)
        if self.header.run_type not in SINGLE + MOVING:
            known = ", ".join(SINGLE + MOVING)
            current.flaw = f"run type {self.header.run_type or 'unknown'} found, {known} expected"
        elif current.energy is None:
            current.flaw = current.flaw or "no energy"
        elif not current.converged:
            current.flaw = current.flaw or "nothing tells that self-consistency was reached"
        current.consumed = self.lines.consumed()
        self.positions, self.trouble, self.cell_used = None, "", True
        self.ready.append(current)


def _element(number: str, where: str) -> str:
    if not 1 <= int(number[:9]) <= len(ELEMENTS):
        raise FrameError(f"{where}: atomic number {number[:9]} found, an element expected")
    return ELEMENTS[int(number) - 1]
