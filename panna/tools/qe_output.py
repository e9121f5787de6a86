"""The text output of Quantum ESPRESSO's pw.x, line by line, one ionic step at a time."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import FrameError
from panna.frames.elements import element_of
from panna.frames.units import BOHR, LENGTH

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
LONGEST_LINE = 1 << 20  # bytes; pw.x writes less than 200
HEAD = 200  # lines in which the name of the program is looked for

# Half a unit of the last digit is 5e-7 for the cell and 5e-8 for the positions in the header, both
# in units of alat. What is printed elsewhere with more digits is the same within these.
SAME_CELL = 3e-6
SAME_POSITIONS = 1e-6
SAME_VOLUME = 3e-4  # relative, for cells that are flat or long

PROGRAM = re.compile(r"\s*Program (\w+) +v\.(\S+)")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?")
JOINED = re.compile(r"(?<=\d)-(?=[\d.])")  # two columns without a blank between them
SITE = re.compile(r"\s*\S+\s+(\S+)\s+tau\([^)]*\)\s*=\s*\((.*)\)\s*$")
AXIS = re.compile(r"\s*a\(\d\)\s*=\s*\((.*)\)\s*$")
ATOM = re.compile(r"\s*([A-Za-z]\S*)\s+(\S.*)$")
FORCE = re.compile(r"\s*atom\s*(\d+|\*+)\s+type\s*\S+\s+force =(.*)$")
UNIT = re.compile(r"[A-Z_]+\s*[({]?\s*([a-z_]*)\s*=?\s*([^\s)}]*)")
ERROR = re.compile(r"\s*(Error in routine .*?):?\s*$")

# The name of each group is the method that deals with the line.
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
    | (?P<positions>ATOMIC_POSITIONS\b)
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

NOTES = {
    "FCP": "the number of electrons varies along runs with a fictitious charge particle (FCP)",
    "Grand": "the number of electrons is not fixed in grand-canonical runs",
    "Berry": "energies and forces are those in an electric field",
}


class Unreadable(FrameError):
    """A file from which no more lines come."""


class NotText(Unreadable):
    """A line is longer than text has."""


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


class Lines:
    """The lines of a file, compressed or not, with their numbers; the last can be given back.

    Raises:
      Unreadable: the file cannot be read, or ends within a compressed block.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self._again: str | None = None

    def __enter__(self) -> Lines:
        try:
            self._raw = open(self.path, "rb")
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}") from error
        opener: Any = OPENERS.get(self.path.suffix.lower())
        self._data = opener(self._raw, "rb") if opener else self._raw
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again if self._again is not None else self._read()
        self._again = None
        if not line:
            raise StopIteration
        self.number += 1
        return line

    def _read(self) -> str:
        try:
            line = self._data.readline(LONGEST_LINE)
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise Unreadable(f"cannot be read after line {self.number}: {reason}") from error
        if len(line) == LONGEST_LINE:
            raise NotText(f"line {self.number + 1} is longer than {LONGEST_LINE} bytes: not text")
        return line.decode("ascii", "replace")

    def back(self, line: str) -> None:
        """Let this line be the next again."""
        if line:
            self._again = line
            self.number -= 1

    @property
    def consumed(self) -> int:
        """Bytes of the file that have been read."""
        return self._raw.tell()


def is_output_of_pw(path: Path) -> bool:
    """Whether a file begins as pw.x does; also for one that cannot be read, so that it is told."""
    try:
        with Lines(path) as lines:
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
    with Lines(path) as lines:
        yield from _Output(lines).steps()


@dataclass
class _Run:
    """What one run of pw.x has told so far; a file may hold several, one behind the other."""

    program: str = ""
    foreign: bool = False  # of another program
    atoms: int | None = None
    alat: float | None = None  # angstrom
    volume: float | None = None  # bohr**3, as announced for the next cell
    species: tuple[str, ...] | None = None
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    no_cell: str = "no cell and atomic positions before it"
    no_positions: str = "no atomic positions before it"
    used: bool = False  # there was an energy for this geometry
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

    @property
    def no_geometry(self) -> str:
        """Why cell or positions are not known; empty if they are."""
        if self.cell is None:
            return self.no_cell
        return self.no_positions if self.positions is None else ""

    def forget_positions(self, reason: str) -> None:
        self.species = self.positions = None
        self.no_positions = reason

    def forget_cell(self, reason: str) -> None:
        self.cell = None
        self.no_cell = reason


class _Output:
    """Goes through the lines; finished steps gather in `ready`."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.run = _Run()
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
                    getattr(self, f"_{mark.lastgroup}")(line)
                    while self.ready:
                        yield self.ready.pop(0)
        except Unreadable as error:
            self.run.ending = self.run.ending or str(error)
            self.run.done = False
        self._end_run(last=True)
        yield from self.ready
        if self.problems:
            raise FrameError("; ".join(self.problems))

    def _where(self) -> str:
        return f"line {self.lines.number}"

    # -- runs --------------------------------------------------------------------------------------

    def _program(self, line: str) -> None:
        """Outputs of several programs may stand one behind the other."""
        name, version = PROGRAM.match(line).groups()
        if self.run.program or self.run.steps:
            self._end_run(last=False)
        self.run = _Run(program=f"{name} {version}", foreign=name != "PWSCF")
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
                f"no 'JOB DONE' up to {self._where()}: pw.x was interrupted, or is still running"
            )
        elif not run.steps:
            self.problems.append("pw.x ended without a self-consistent calculation")

    def _done(self, line: str) -> None:
        self.run.done = True

    def _stopped(self, line: str) -> None:
        self._end_early(f"pw.x stopped early: {line.strip()}")

    def _crash(self, line: str) -> None:
        name = ERROR.match(line)[1]
        self._end_early(f"pw.x stopped with '{name}: {next(self.lines, '').strip()}'")

    def _bands(self, line: str) -> None:
        self._end_early("a calculation of bands, which has no total energy")

    def _end_early(self, reason: str) -> None:
        self.run.ending = self.run.ending or f"{self._where()}: {reason}"

    def _relaxation(self, line: str) -> None:
        self.run.mover = "relax"

    def _dynamics(self, line: str) -> None:
        # Damped dynamics says so first, and then the same as molecular dynamics.
        self.run.mover = self.run.mover or "md"

    def _note(self, line: str) -> None:
        self.run.notes.update({text: None for word, text in NOTES.items() if word in line})

    # -- geometry ----------------------------------------------------------------------------------

    def _lattice(self, line: str) -> None:
        self._finish()
        self._set_alat(line.partition("=")[2].partition("a.u.")[0])

    def _celldm(self, line: str) -> None:
        """The same as alat with two more digits."""
        coarse = self.run.alat
        self._set_alat(line.partition("=")[2].partition("celldm")[0])
        if coarse is not None and abs((self.run.alat or 0) - coarse) > 1e-4:
            self.run.alat = coarse

    def _set_alat(self, text: str) -> None:
        try:
            self.run.alat = self._values(text, 1)[0] * BOHR
        except FrameError:
            self.run.alat = None

    def _alat(self) -> float:
        if self.run.alat is None:
            raise FrameError(f"{self._where()}: in units of alat, which is not known")
        return self.run.alat

    def _volume(self, line: str) -> None:
        found = NUMBER.match(line.partition("=")[2].strip())
        self.run.volume = float(found[0]) if found else None

    def _count(self, line: str) -> None:
        word = line.partition("=")[2].strip()
        self.run.atoms = int(word) if word.isdecimal() else None

    def _axes(self, line: str) -> None:
        run = self.run
        try:
            alat = self._alat()
            rows = [self._values(self._axis(), 3) for _ in range(3)]
            cell = np.array(rows) * alat
            self._check_volume(cell)
        except Unreadable:
            raise
        except FrameError as error:
            run.forget_cell(str(error))
            return
        if run.cell is None or np.abs(cell - run.cell).max() > SAME_CELL * alat:
            self._set_cell(cell)

    def _set_cell(self, cell: np.ndarray) -> None:
        self.run.cell = cell
        self.run.forget_positions(f"no atomic positions after the cell of {self._where()}")

    def _sites(self, line: str) -> None:
        run = self.run
        try:
            alat = self._alat()
            rows = self._rows(SITE)
            species = tuple(self._element(number, row[1]) for number, row in rows)
            values = [self._values(row[2], 3, number) for number, row in rows]
            self._check_count(len(rows), "positions")
        except Unreadable:
            raise
        except FrameError as error:
            run.forget_positions(str(error))
            return
        self._set_positions(species, np.array(values) * alat, SAME_POSITIONS * alat)

    def _set_positions(
        self, species: tuple[str, ...], positions: np.ndarray, tolerance: float = 0.0
    ) -> None:
        run = self.run
        known = run.positions is not None and run.species == species
        if not (known and np.abs(positions - run.positions).max() <= tolerance):
            run.species, run.positions = species, positions
        run.used = False

    def _cell(self, line: str) -> None:
        run = self.run
        self._close()
        run.cell_moved = True
        try:
            scale = self._scale(line, "alat", known_alat=True)
            rows = [self._values(next(self.lines, ""), 3) for _ in range(3)]
            cell = np.array(rows) * scale
            self._check_volume(cell)
        except Unreadable:
            raise
        except FrameError as error:
            run.forget_cell(str(error))
            return
        self._set_cell(cell)

    def _positions(self, line: str) -> None:
        run = self.run
        if not UNIT.match(line)[1]:  # remarks on the input
            return
        self._close()
        run.moved = True
        try:
            crystal = UNIT.match(line)[1] == "crystal"
            if crystal and run.cell is None:
                raise FrameError(f"{self._where()}: positions of an unknown cell")
            scale = 1.0 if crystal else self._scale(line, "alat")
            rows = self._rows(ATOM)
            species = tuple(self._element(number, row[1]) for number, row in rows)
            values = [self._position(number, row[2]) for number, row in rows]
            self._check_count(len(rows), "positions")
        except Unreadable:
            raise
        except FrameError as error:
            run.forget_positions(str(error))
        else:
            positions = np.array(values)
            self._set_positions(species, positions @ run.cell if crystal else positions * scale)
        self._finish()

    def _position(self, number: int, text: str) -> list[float]:
        """Three numbers, perhaps with 0 or 1 behind for coordinates that are fixed or free."""
        words = text.split()
        if len(words) == 6 and set(words[3:]) <= {"0", "1"}:
            words = words[:3]
        return self._values(" ".join(words), 3, number)

    def _scale(self, line: str, default: str, known_alat: bool = False) -> float:
        """Angstrom in the unit of a block; (alat= 7.01) is more precise than the header."""
        unit, value = UNIT.match(line).groups()
        unit = unit or default
        if unit == "alat" and value and known_alat:
            self.run.alat = self._values(value, 1)[0] * BOHR
        if unit == "alat":
            return self._alat()
        if unit not in LENGTH:
            known = "alat, bohr, angstrom or crystal"
            raise FrameError(f"{self._where()}: unit {unit!r} found, {known} expected")
        return LENGTH[unit]

    def _check_volume(self, cell: np.ndarray) -> None:
        """Cell and volume are printed side by side: a wrong unit of one shows in the other."""
        volume = abs(np.linalg.det(cell)) / BOHR**3
        announced, self.run.volume = self.run.volume, None
        if announced is not None and abs(volume - announced) > SAME_VOLUME * announced:
            raise FrameError(
                f"{self._where()}: the cell has a volume of {volume:.4f} bohr**3, "
                f"{announced:.4f} was announced"
            )

    def _check_count(self, found: int, what: str) -> None:
        expected = self.run.atoms
        if expected is None and self.run.species is not None:
            expected = len(self.run.species)
        if found == 0 or (expected is not None and found != expected):
            raise FrameError(
                f"{self._where()}: {found} {what} found, {expected or 'some'} expected"
            )

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
            self.step.species, self.step.positions = run.species, run.positions
            self.step.cell = run.cell
            if run.no_geometry:
                self.step.flaw = f"its geometry is not known ({run.no_geometry})"
            elif run.used:
                self.step.flaw = "its geometry is not known (none was printed after the last step)"
            run.used = True
        return self.step

    def _energy(self, line: str) -> None:
        # With exact exchange, "!" is an energy of an inner cycle, without or with old exchange.
        final = line.startswith("!!") or not self.run.hybrid
        step = self._current()
        step.line, step.converged, step.energy = self.lines.number, False, None
        try:
            value = self._values(line.partition("=")[2].partition("Ry")[0], 1)[0]
        except FrameError as error:
            step.flaw = step.flaw or str(error)
            return
        step.energy = value if final else None

    def _converged(self, line: str) -> None:
        # pw.x can be told to print "!" in cycles that are not converged: this line tells.
        if self.step is not None and not self.step.closed and not self.run.hybrid:
            self.step.converged = True

    def _unconverged(self, line: str) -> None:
        step = self._current()
        count = re.search(r"\d+", line)
        after = f" after {count[0]} iterations" if count else ""
        step.flaw = f"self-consistency was not reached{after}"

    def _hybrid(self, line: str) -> None:
        self.run.hybrid = True
        if self.step is not None and not self.step.closed:
            self.step.converged, self.step.energy = False, None

    def _exchange(self, line: str) -> None:
        if self.step is not None and not self.step.closed:
            self.step.converged = self.step.energy is not None

    def _forces(self, line: str) -> None:
        step = self.step
        if step is None or step.closed:
            return
        try:
            rows = self._rows(FORCE)
            for expected, (number, row) in enumerate(rows, start=1):
                if row[1].isdecimal() and int(row[1]) != expected:
                    raise FrameError(
                        f"line {number}: force on atom {row[1]} found, {expected} expected"
                    )
            step.forces = np.array([self._values(row[2], 3, number) for number, row in rows])
            self._check_count(len(rows), "forces")
        except Unreadable:
            step.forces = None
            raise
        except FrameError as error:
            step.flaw = step.flaw or str(error)

    def _stress(self, line: str) -> None:
        """The columns in Ry/bohr**3: those in kbar have fewer digits."""
        step = self.step
        if step is None or step.closed:
            return
        try:
            rows = [self._values(next(self.lines, ""), 3, more=True) for _ in range(3)]
            step.stress = np.array(rows)
        except Unreadable:
            raise
        except FrameError as error:
            step.flaw = step.flaw or str(error)

    def _magnetization(self, line: str) -> None:
        name, _, text = line.partition("=")
        words = self._words(text.partition("Bohr")[0])
        if words and all(NUMBER.fullmatch(word) for word in words):
            self.run.magnetism[name.split()[0]] = [float(word) for word in words]

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
        step.facts["source_line"] = step.line
        step.consumed = self.lines.consumed
        if last and self.number == 1 and run.calculation == "scf":
            step.number = None
        self.ready.append(step)

    def _complete(self, step: Step) -> bool:
        """Whether nothing is missing in the last step of a file that was cut off."""
        expected = {"forces", "stress"} if self.run.kinds is None else self.run.kinds
        return step.kinds >= expected

    # -- lines -------------------------------------------------------------------------------------

    def _rows(self, pattern: re.Pattern[str]) -> list[tuple[int, re.Match[str]]]:
        """Lines that have the form of a row, with their numbers, after empty ones."""
        rows: list[tuple[int, re.Match[str]]] = []
        for line in self.lines:
            found = None if line.startswith("End final") else pattern.match(line)
            if found is not None and (self.run.atoms is None or len(rows) <= self.run.atoms):
                rows.append((self.lines.number, found))
            elif rows or line.strip():
                self.lines.back(line)
                break
        return rows

    def _axis(self) -> str:
        line = next(self.lines, "")
        found = AXIS.match(line)
        if found is None:
            expected = "a(1) = ( x y z )"
            raise FrameError(f"{self._where()}: {line.strip()!r} found, {expected} expected")
        return found[1]

    def _words(self, text: str) -> list[str]:
        return JOINED.sub(" -", text).split()

    def _values(
        self, text: str, count: int, number: int | None = None, more: bool = False
    ) -> list[float]:
        """Raises FrameError unless there are so many numbers; more: what follows is not read."""
        where = f"line {number or self.lines.number}"
        words = self._words(text)
        if more:
            words = words[:count]
        for word in words:
            if "*" in word:
                raise FrameError(f"{where}: {word!r} is a number that was too long for its column")
            if NUMBER.fullmatch(word) is None:
                raise FrameError(f"{where}: {word!r} found, a number expected")
        if len(words) != count:
            raise FrameError(f"{where}: {len(words)} numbers found, {count} expected")
        return [float(re.sub("[dD]", "e", word)) for word in words]

    def _element(self, number: int, label: str) -> str:
        element = element_of(label)
        if element is None:
            raise FrameError(f"line {number}: {label!r} names no chemical element")
        return element
