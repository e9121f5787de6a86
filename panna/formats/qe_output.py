"""The text output of Quantum ESPRESSO's pw.x, line by line, one ionic step at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import FrameError
from panna.formats.fortran_rows import NUMBER, numbers, read_rows, words
from panna.formats.qe_geometry import Geometry
from panna.frames.text_lines import Lines, NotText, Unreadable

HEAD = 200  # lines in which the name of the program is looked for

PROGRAM = re.compile(r"\s*Program (\w+) +v\.(\S+)")
FORCE = re.compile(r"\s*atom\s*(\d{1,9}|\*+)\s+type\s*\S+\s+force =(.*)$")
ERROR = re.compile(r"\s*(Error in routine .*?):?\s*$")

# The name of each group is that of the method that deals with the line, without read_.
MARKS = re.compile(
    r"""
    (?P<program>\s*Program\ \w+\ +v\.)
    | (?P<lattice>\s+lattice\ parameter\ \(alat\))
    | (?P<celldm>\s+celldm\(1\)=)
    | (?P<volume>\s+(?:new\ )?unit-cell\ volume\s+=)
    | (?P<count>\s+number\ of\ atoms/cell)
    | (?P<axes>\s+crystal\ axes:)
    | (?P<sites>\s+site\ n\.\s+atom\s+positions\ \(alat\ units\))
    | (?P<cell>CELL_PARAMETERS\b)
    | (?P<positions>ATOMIC_POSITIONS\s*[({])
    | (?P<energy>!!?\s+total\ energy\s+=)
    | (?P<converged>\s+convergence\ has\ been\ achieved)
    | (?P<unconverged>\s+convergence\ NOT\ achieved)
    | (?P<hybrid>\s+EXX-fraction|\s+EXX:\ now\ go\ back|\s+Calculation\ \(EXX\)\ stopped)
    | (?P<exchange>\s+EXX\ self-consistency\ reached)
    | (?P<forces>\s+Forces\ acting\ on\ atoms)
    | (?P<stress>\s+total\s+stress\s+\(Ry/bohr\*\*3\))
    | (?P<magnetization>\s+(?:total|absolute)\ magnetization\s+=)
    | (?P<relaxation>\s+BFGS\ Geometry|\s+bfgs\ converged|\s+number\ of\ bfgs\ steps
        |\s+(?:\S+\ )?Damped\ )
    | (?P<dynamics>\s+Molecular\ Dynamics\ Calculation|\s+Entering\ Dynamics)
    | (?P<note>\s+>>>>\ .*is\ activated|\s+Using\ Berry\ phase)
    | (?P<bands>\s+End\ of\ band\ structure\ calculation)
    | (?P<stopped>\s+Maximum\ CPU\ time\ exceeded|\s+Program\ stopped\ by\ user)
    | (?P<crash>\s*Error\ in\ routine\b)
    | (?P<done>\s+JOB\ DONE)
    """,
    re.VERBOSE,
)

IN_THE_HEADER = ("celldm", "volume", "count", "axes", "sites")

NOTES = {
    "FCP": "the number of electrons varies along runs with a fictitious charge particle (FCP)",
    "Grand": "the number of electrons is not fixed in grand-canonical runs",
    "Berry": "energies and forces are those in an electric field",
}


@dataclass
class Step:
    """One self-consistent calculation.

    number: from 1, counted through the file; None for the only one of an scf run.
    line: of its energy.
    species, positions, cell: positions (n, 3) and cell (3, 3) in angstrom; None if not known.
    energy, forces, stress: in Ry, Ry/bohr (n, 3) and Ry/bohr**3 (3, 3), positive under compression.
    flaw: why it must not be used; empty for a good one.
    """

    number: int | None
    line: int
    species: tuple[str, ...] | None = None
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flaw: str = ""
    consumed: int = 0
    converged: bool = False
    closed: bool = False

    @property
    def kinds(self) -> set[str]:
        """Which of forces and stress it has."""
        return {name for name in ("forces", "stress") if getattr(self, name) is not None}


def is_output_of_pw(path: Path) -> bool:
    """Whether a file begins as pw.x does; also for one that cannot be read, so that it is told."""
    try:
        with Lines.open(path, "replace") as lines:
            names = (PROGRAM.match(line) for line in islice(lines, HEAD))
            return any(name is not None and name[1] == "PWSCF" for name in names)
    except NotText:
        return False
    except Unreadable:
        return True


def steps(path: Path) -> Iterator[Step]:
    """The self-consistent calculations of a file, in constant memory.

    A step is given out when the positions of the next are there: what stands between them tells
    whether it is complete and of what kind the run is.

    Raises:
      FrameError: at the end: the reasons why pw.x did not come to a good end, or why this is no
        output of pw.x.
    """
    with Lines.open(path, "replace") as lines:
        yield from _Output(lines).steps()


@dataclass
class _Run:
    """What one run of pw.x has told so far; a file may hold several, one behind the other."""

    geometry: Geometry
    program: str = ""
    foreign: bool = False  # of another program
    hybrid: bool = False
    moved: bool = False
    cell_moved: bool = False
    mover: str = ""
    magnetism: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    steps: int = 0
    kinds: set[str] | None = None  # of the last step
    done: bool = False
    ending: str = ""  # why it ended early

    @property
    def calculation(self) -> str:
        """scf, relax, vc-relax, md or vc-md."""
        if not (self.mover or self.moved):
            return "scf"
        return ("vc-" if self.cell_moved else "") + (self.mover or "relax")

    def facts(self) -> dict[str, Any]:
        """Entries of the example."""
        facts: dict[str, Any] = {"program": self.program} if self.program else {}
        facts["calculation"] = self.calculation
        if self.magnetism:
            collinear = len(self.magnetism.get("total", [0])) == 1
            facts["magnetism"] = {"kind": "collinear" if collinear else "non-collinear"} | {
                f"{name}_bohr_magneton": values for name, values in self.magnetism.items()
            }
        return facts


class _Output:
    """Goes through the lines; finished steps gather in `ready`."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.run = _Run(Geometry(lines))
        self.step: Step | None = None
        self.number = 0
        self.found_pw = False
        self.ready: list[Step] = []
        self.problems: list[str] = []

    def steps(self) -> Iterator[Step]:
        try:
            for line in self.lines:
                mark = MARKS.match(line)
                if mark is not None and (mark.lastgroup == "program" or not self.run.foreign):
                    header = mark.lastgroup in IN_THE_HEADER
                    reader = self.run.geometry if header else self
                    getattr(reader, f"read_{mark.lastgroup}")(line)
                    while self.ready:
                        yield self.ready.pop(0)
        except Unreadable as error:
            self.run.ending = self.run.ending or str(error)
            self.run.done = False
        self._end_run(last=True)
        yield from self.ready
        if self.problems:
            raise FrameError("; ".join(self.problems))

    # -- runs --------------------------------------------------------------------------------------

    def read_program(self, line: str) -> None:
        """Outputs of several programs may stand one behind the other."""
        name, version = PROGRAM.match(line).groups()
        if self.run.program or self.run.steps:
            self._end_run(last=False)
        geometry = Geometry(self.lines)
        self.run = _Run(geometry, program=f"{name} {version}", foreign=name != "PWSCF")
        self.found_pw |= name == "PWSCF"

    def _end_run(self, last: bool) -> None:
        run = self.run
        self._finish(cut=not run.done or bool(run.ending), last=last)
        if run.foreign:
            if last and not self.found_pw:
                self.problems.append(f"the output of {run.program}, not of PWSCF")
        elif run.ending:
            self.problems.append(run.ending)
        elif not run.program and not run.steps:
            self.problems.append("no line 'Program PWSCF v.': not a text output of pw.x")
        elif not run.done:
            self.problems.append(
                f"no 'JOB DONE' up to {self.lines.where}: pw.x was interrupted, or is still running"
            )
        elif not run.steps:
            self.problems.append("pw.x ended without a self-consistent calculation")

    def read_done(self, line: str) -> None:
        self.run.done = True

    def read_stopped(self, line: str) -> None:
        self._end_early(f"pw.x stopped early: {line.strip()}")

    def read_crash(self, line: str) -> None:
        name = ERROR.match(line)[1]
        self._end_early(f"pw.x stopped with '{name}: {next(self.lines, '').strip()}'")

    def read_bands(self, line: str) -> None:
        self._end_early("a calculation of bands, which has no total energy")

    def _end_early(self, reason: str) -> None:
        self.run.ending = self.run.ending or f"{self.lines.where}: {reason}"

    def read_relaxation(self, line: str) -> None:
        self.run.mover = "relax"

    def read_dynamics(self, line: str) -> None:
        # Damped dynamics says so first, and then the same as molecular dynamics.
        self.run.mover = self.run.mover or "md"

    def read_note(self, line: str) -> None:
        self.run.notes.update({text: None for word, text in NOTES.items() if word in line})

    # -- steps -------------------------------------------------------------------------------------

    def _current(self) -> Step:
        """The step that the energy of this line belongs to."""
        run = self.run
        if self.step is not None and (self.step.closed or self.step.kinds):
            self._finish()
        if self.step is None:
            self.number += 1
            run.steps += 1
            self.step = Step(self.number, self.lines.number)
            unknown, geometry = run.geometry.take(), run.geometry
            self.step.species, self.step.cell = geometry.species, geometry.cell
            self.step.positions = geometry.positions
            if unknown:
                self.step.flaw = f"its geometry is not known ({unknown})"
        return self.step

    def read_energy(self, line: str) -> None:
        # With exact exchange, "!" is an energy of an inner cycle, without or with old exchange.
        final = line.startswith("!!") or not self.run.hybrid
        step = self._current()
        step.line, step.converged, step.energy = self.lines.number, False, None
        try:
            value = numbers(line.partition("=")[2].partition("Ry")[0], 1, self.lines.where)[0]
        except FrameError as error:
            step.flaw = step.flaw or str(error)
            return
        step.energy = value if final else None

    def read_converged(self, line: str) -> None:
        # pw.x can be told to print "!" in cycles that are not converged: this line tells.
        if self.step is not None and not self.step.closed and not self.run.hybrid:
            self.step.converged = True

    def read_unconverged(self, line: str) -> None:
        step = self._current()
        count = re.search(r"\d+", line)
        after = f" after {count[0]} iterations" if count else ""
        step.flaw = f"self-consistency was not reached{after}"

    def read_hybrid(self, line: str) -> None:
        self.run.hybrid = True
        if self.step is not None and not self.step.closed:
            self.step.converged, self.step.energy = False, None

    def read_exchange(self, line: str) -> None:
        if self.step is not None and not self.step.closed:
            self.step.converged = self.step.energy is not None

    def read_forces(self, line: str) -> None:
        step = self.step
        if step is None or step.closed:
            return
        try:
            found = read_rows(self.lines, FORCE, self.run.geometry.most_rows)
            for expected, (where, row) in enumerate(found, start=1):
                if row[1].isdecimal() and int(row[1]) != expected:
                    raise FrameError(f"{where}: force on atom {row[1]} found, {expected} expected")
            step.forces = np.array([numbers(row[2], 3, where) for where, row in found])
            self.run.geometry.check_count(len(found), "forces")
        except Unreadable:
            step.forces = None
            raise
        except FrameError as error:
            step.flaw = step.flaw or str(error)

    def read_stress(self, line: str) -> None:
        """The columns in Ry/bohr**3: those in kbar have fewer digits."""
        step = self.step
        if step is None or step.closed:
            return
        try:
            found = [numbers(next(self.lines, ""), 3, self.lines.where, True) for _ in range(3)]
            step.stress = np.array(found)
        except Unreadable:
            raise
        except FrameError as error:
            step.flaw = step.flaw or str(error)

    def read_magnetization(self, line: str) -> None:
        name, _, text = line.partition("=")
        values = words(text.partition("Bohr")[0])
        if values and all(NUMBER.fullmatch(value) for value in values):
            self.run.magnetism[name.split()[0]] = [float(value) for value in values]

    # -- from one step to the next -----------------------------------------------------------------

    def read_lattice(self, line: str) -> None:
        """A header begins."""
        self._finish()
        self.run.geometry.read_lattice(line)

    def read_cell(self, line: str) -> None:
        self._close()
        self.run.cell_moved = True
        self.run.geometry.read_cell(line)

    def read_positions(self, line: str) -> None:
        self._close()
        self.run.moved = True
        self.run.geometry.read_positions(line)
        self._finish()

    def _close(self) -> None:
        """What comes now belongs to the next step."""
        if self.step is not None:
            self.step.closed = True

    def _finish(self, cut: bool = False, last: bool = False) -> None:
        """Judge the step and give it out."""
        step, run = self.step, self.run
        self.step = None
        if step is None:
            return
        if cut and not step.closed and not self._complete(step):
            step.flaw = step.flaw or "it is not complete"
        if not step.converged or step.energy is None:
            what = "of the exact exchange " if run.hybrid else ""
            step.flaw = step.flaw or f"self-consistency {what}was not reached"
        run.kinds = step.kinds
        step.facts, step.notes = run.facts(), tuple(run.notes)
        step.consumed = self.lines.consumed()
        if last and self.number == 1 and run.calculation == "scf":
            step.number = None
        self.ready.append(step)

    def _complete(self, step: Step) -> bool:
        """Whether nothing is missing in the last step of a file that was cut off."""
        expected = {"forces", "stress"} if self.run.kinds is None else self.run.kinds
        return step.kinds >= expected
