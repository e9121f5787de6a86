"""Cell and atomic positions as pw.x prints them."""

from __future__ import annotations

import re

import numpy as np

from panna.errors import FrameError
from panna.formats.fortran_rows import NUMBER, numbers, read_rows
from panna.frames.elements import named_element
from panna.frames.text_lines import Lines, Unreadable
from panna.frames.units import BOHR, LENGTH

# Half a unit of the last digit is 5e-7 for the cell and 5e-8 for the positions in the header, both
# in units of alat. What is printed elsewhere with more digits is the same within these.
SAME_CELL = 3e-6
SAME_POSITIONS = 1e-6
SAME_VOLUME = 3e-4  # relative, for cells that are flat or long

SITE = re.compile(r"\s*\S+\s+(\S+)\s+tau\([^)]*\)\s*=\s*\((.*)\)\s*$")
AXIS = re.compile(r"\s*a\(\d\)\s*=\s*\((.*)\)\s*$")
ATOM = re.compile(r"(?!End final)\s*([A-Za-z]\S*)\s+(\S.*)$")
UNIT = re.compile(r"[A-Z_]+\s*[({]?\s*([a-z_]*)\s*=?\s*([^\s)}]*)")


class Geometry:
    """The last cell and positions that were printed, read from the lines behind their titles.

    A block that cannot be read makes them unknown, until one that can be read comes.

    atoms: their number as announced, or None.
    species, positions, cell: positions (n, 3) and cell (3, 3) in angstrom; None if not known.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.atoms: int | None = None
        self.species: tuple[str, ...] | None = None
        self.positions: np.ndarray | None = None
        self.cell: np.ndarray | None = None
        self._no_cell = "no cell and atomic positions before it"
        self._no_positions = "no atomic positions before it"
        self._alat: float | None = None  # angstrom
        self._volume: float | None = None  # bohr**3, announced for the cell to come
        self._used = False

    def take(self) -> str:
        """Use it for a calculation. Returns why it is not known, empty if it is."""
        used, self._used = self._used, True
        if self.cell is None:
            return self._no_cell
        if self.positions is None:
            return self._no_positions
        return "none was printed after the last step" if used else ""

    def check_count(self, found: int, what: str) -> None:
        """Raises FrameError unless there is one for each atom."""
        expected = self.atoms
        if expected is None and self.species is not None:
            expected = len(self.species)
        if found == 0 or (expected is not None and found != expected):
            wanted = expected or "some"
            raise FrameError(f"{self.lines.where}: {found} {what} found, {wanted} expected")

    @property
    def most_rows(self) -> int | None:
        """One more than there are atoms, so that too many are noticed."""
        return None if self.atoms is None else self.atoms + 1

    # -- header ------------------------------------------------------------------------------------

    def read_lattice(self, line: str) -> None:
        """Lattice parameter, with four digits."""
        self._alat = self._length(line.partition("=")[2].partition("a.u.")[0])

    def read_celldm(self, line: str) -> None:
        """The same with six digits."""
        alat = self._length(line.partition("=")[2].partition("celldm")[0])
        if alat is not None and (self._alat is None or abs(alat - self._alat) < 1e-4):
            self._alat = alat

    def _length(self, text: str) -> float | None:
        try:
            return numbers(text, 1, "")[0] * BOHR
        except FrameError:
            return None

    def read_volume(self, line: str) -> None:
        """Volume of the cell that is printed next."""
        found = NUMBER.match(line.partition("=")[2].strip())
        self._volume = float(found[0]) if found else None

    def read_count(self, line: str) -> None:
        """Number of atoms."""
        word = line.partition("=")[2].strip()
        self.atoms = int(word) if word.isdecimal() and len(word) < 10 else None

    def read_axes(self, line: str) -> None:
        """Cell in units of alat; where a more precise one agrees with it, that is kept."""
        try:
            alat = self._known_alat()
            cell = np.array([self._axis() for _ in range(3)]) * alat
            self._check_volume(cell)
        except Unreadable:
            raise
        except FrameError as error:
            self._forget_cell(str(error))
            return
        if self.cell is None or np.abs(cell - self.cell).max() > SAME_CELL * alat:
            self._set_cell(cell)

    def _axis(self) -> list[float]:
        line = next(self.lines, "")
        found = AXIS.match(line)
        if found is None:
            expected = "a(1) = ( x y z )"
            raise FrameError(f"{self.lines.where}: {line.strip()!r} found, {expected} expected")
        return numbers(found[1], 3, self.lines.where)

    def read_sites(self, line: str) -> None:
        """Positions in units of alat; where more precise ones agree with them, those are kept."""
        try:
            alat = self._known_alat()
            sites = read_rows(self.lines, SITE, self.most_rows)
            species = tuple(named_element(row[1], where) for where, row in sites)
            values = [numbers(row[2], 3, where) for where, row in sites]
            self.check_count(len(sites), "positions")
        except Unreadable:
            raise
        except FrameError as error:
            self._forget_positions(str(error))
            return
        positions = np.array(values) * alat
        known = self.positions is not None and self.species == species
        if not (known and np.abs(positions - self.positions).max() < SAME_POSITIONS * alat):
            self.species, self.positions = species, positions
        self._used = False

    # -- steps -------------------------------------------------------------------------------------

    def read_cell(self, line: str) -> None:
        """CELL_PARAMETERS."""
        try:
            unit, value = UNIT.match(line).groups()
            if unit == "alat" and value:  # with more digits than in the header
                self._alat = numbers(value, 1, self.lines.where)[0] * BOHR
            scale = self._scale(unit or "alat")
            vectors = [numbers(next(self.lines, ""), 3, self.lines.where) for _ in range(3)]
            cell = np.array(vectors) * scale
            self._check_volume(cell)
        except Unreadable:
            raise
        except FrameError as error:
            self._forget_cell(str(error))
            return
        self._set_cell(cell)

    def read_positions(self, line: str) -> None:
        """ATOMIC_POSITIONS."""
        try:
            unit = UNIT.match(line)[1]
            scale = None if unit == "crystal" else self._scale(unit)
            if scale is None and self.cell is None:
                raise FrameError(f"{self.lines.where}: positions in a cell that is not known")
            atoms = read_rows(self.lines, ATOM, self.most_rows)
            species = tuple(named_element(row[1], where) for where, row in atoms)
            values = [_position(row[2], where) for where, row in atoms]
            self.check_count(len(atoms), "positions")
        except Unreadable:
            raise
        except FrameError as error:
            self._forget_positions(str(error))
            return
        positions = np.array(values)
        self.species = species
        self.positions = positions @ self.cell if scale is None else positions * scale
        self._used = False

    def _scale(self, unit: str) -> float:
        """Angstrom in a unit."""
        if unit == "alat":
            return self._known_alat()
        if unit not in LENGTH:
            known = "alat, bohr, angstrom or crystal"
            raise FrameError(f"{self.lines.where}: unit {unit!r} found, {known} expected")
        return LENGTH[unit]

    # -- both --------------------------------------------------------------------------------------

    def _known_alat(self) -> float:
        if self._alat is None:
            raise FrameError(f"{self.lines.where}: in units of alat, which is not known")
        return self._alat

    def _check_volume(self, cell: np.ndarray) -> None:
        """Cell and volume are printed side by side: a wrong unit of one shows in the other."""
        volume = abs(np.linalg.det(cell)) / BOHR**3
        announced, self._volume = self._volume, None
        if announced is not None and abs(volume - announced) > SAME_VOLUME * announced:
            raise FrameError(
                f"{self.lines.where}: the cell has a volume of {volume:.4f} bohr**3, "
                f"{announced:.4f} was announced"
            )

    def _set_cell(self, cell: np.ndarray) -> None:
        """Positions in another cell are others, even if their numbers are the same."""
        self.cell = cell
        self._forget_positions(f"no atomic positions after the cell of {self.lines.where}")

    def _forget_cell(self, reason: str) -> None:
        self.cell, self._no_cell = None, reason

    def _forget_positions(self, reason: str) -> None:
        self.species = self.positions = None
        self._no_positions = reason


def _position(text: str, where: str) -> list[float]:
    """Three numbers, perhaps with 0 or 1 behind for coordinates that are fixed or free."""
    fields = text.split()
    if len(fields) == 6 and set(fields[3:]) <= {"0", "1"}:
        fields = fields[:3]
    return numbers(" ".join(fields), 3, where)
