"""Text dumps of LAMMPS, one snapshot at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from panna.errors import FrameError
from panna.frames.text_lines import Lines, numbers

if TYPE_CHECKING:
    import numpy as np

# Lengths and energies of LAMMPS' units; force is energy over length in all of them.
UNITS = {
    "metal": ("angstrom", "eV"),
    "real": ("angstrom", "kcal/mol"),
    "electron": ("bohr", "hartree"),
}
# First choice first: unwrapped positions are as good as those in the cell.
POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))


class WrongUnits(FrameError):
    """The units of a whole file cannot be used."""


@dataclass
class Snapshot:
    """One snapshot, as text.

    line: of the file where it begins.
    header: what follows ITEM: BOX BOUNDS.
    """

    line: int
    step: int | None = None
    atoms: int | None = None
    header: list[str] = field(default_factory=list)
    bounds: list[list[str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


# -- text ------------------------------------------------------------------------------------------


def read_snapshot(lines: Lines, snapshot: Snapshot) -> str | None:
    """Fill the snapshot; returns the units if they are told.

    Raises:
      FrameError: it is not complete, or something else than a snapshot.
    """
    told = None
    for line in map(str.strip, lines):
        if line == "ITEM: UNITS":
            told = _next(lines, "the units")
            check_units(told, "ITEM: UNITS")
        elif line == "ITEM: TIME":
            _next(lines, "the time")
        elif line == "ITEM: TIMESTEP":
            snapshot.step = _whole(_next(lines, "the step"), "ITEM: TIMESTEP")
        elif line == "ITEM: NUMBER OF ATOMS":
            snapshot.atoms = _whole(_next(lines, "the number of atoms"), "ITEM: NUMBER OF ATOMS")
        elif line.startswith("ITEM: BOX BOUNDS"):
            snapshot.header = line.split()[3:]
            snapshot.bounds = [_next(lines, "the box").split() for _ in range(3)]
        elif line.startswith("ITEM: ATOMS"):
            snapshot.columns = line.split()[2:]
            _read_rows(lines, snapshot)
            return told
        else:
            raise FrameError(f"{lines.where}: {line[:40]!r} found; is it a text dump of atoms?")
    raise FrameError("the file ends before the atoms of the snapshot")


def _read_rows(lines: Lines, snapshot: Snapshot) -> None:
    for name, value in (("TIMESTEP", snapshot.step), ("NUMBER OF ATOMS", snapshot.atoms)):
        if value is None:
            raise FrameError(f"{lines.where}: no ITEM: {name} before the atoms")
    if not snapshot.bounds:
        raise FrameError(f"{lines.where}: no ITEM: BOX BOUNDS before the atoms")
    if len(set(snapshot.columns)) < len(snapshot.columns):
        raise FrameError(f"{lines.where}: a column occurs twice: {' '.join(snapshot.columns)}")
    for line in map(str.strip, lines):
        if line.startswith("ITEM:"):
            lines.put_back(line)
            break
        if not line:
            continue
        words = line.split()
        if len(words) != len(snapshot.columns):
            raise FrameError(
                f"{lines.where}: {len(words)} values found, {len(snapshot.columns)} "
                f"expected ({' '.join(snapshot.columns)})"
            )
        snapshot.rows.append(words)
    if len(snapshot.rows) != snapshot.atoms:
        raise FrameError(f"{len(snapshot.rows)} atoms found, {snapshot.atoms} expected")
    if not snapshot.rows:
        raise FrameError("no atoms")


def _next(lines: Lines, what: str) -> str:
    line = next(lines, None)
    if line is None:
        raise FrameError(f"the file ends where {what} should be")
    return line.strip()


def _whole(text: str, what: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise FrameError(f"{what}: {text[:40]!r} found, a whole number expected")
    return int(text)


def skip_to_snapshot(lines: Lines) -> None:
    """Go to the first line of the next snapshot, or to the end."""
    for line in map(str.strip, lines):
        if line in ("ITEM: TIMESTEP", "ITEM: UNITS", "ITEM: TIME"):
            lines.put_back(line)
            return


def check_units(units: str, where: str) -> None:
    """Raises WrongUnits unless they are among UNITS."""
    if units not in UNITS:
        reason = "energies and lengths without units" if units == "lj" else "not known here"
        raise WrongUnits(f"{where} {units[:20]!r}: {reason}; one of {', '.join(UNITS)} expected")


# -- numbers ---------------------------------------------------------------------------------------


def column_values(snapshot: Snapshot, names: Sequence[str]) -> np.ndarray:
    """(atoms, len(names)) float64, in the order of the file.

    Raises:
      FrameError: a column is missing, or a word in it is no number.
    """
    import numpy as np

    missing = [name for name in names if name not in snapshot.columns]
    if missing:
        raise FrameError(f"no column {missing[0]}; there are {' '.join(snapshot.columns)}")
    places = [snapshot.columns.index(name) for name in names]
    what = "/".join(names)
    return np.array([numbers([row[k] for k in places], what) for row in snapshot.rows])


def column_integers(snapshot: Snapshot, name: str, why: str) -> list[int]:
    """As `column_values`, for one column of whole numbers; why: it is needed."""
    if name not in snapshot.columns:
        raise FrameError(f"no column {name}; {why}")
    place = snapshot.columns.index(name)
    return [_whole(row[place], name) for row in snapshot.rows]


def order_by_id(snapshot: Snapshot) -> np.ndarray:
    """(atoms,) int, places of the rows in the order of their ids.

    Raises:
      FrameError: an id occurs twice.
    """
    import numpy as np

    if "id" not in snapshot.columns:
        return np.arange(len(snapshot.rows))
    ids = np.array(column_integers(snapshot, "id", ""))
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(np.diff(ids[order]) == 0)
    if len(twice):
        raise FrameError(f"id {ids[order][twice[0]]} occurs twice")
    return order


def box(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray, tuple[bool, ...]]:
    """The box, in the unit of length of the dump.

    Returns:
      Lattice vectors as rows, (3, 3); the corner they start from, (3,); periodic directions.
    Raises:
      FrameError: it is not complete, or not of a known form.
    """
    import numpy as np

    form, boundaries = snapshot.header[:-3], snapshot.header[-3:]
    known = [word for word in boundaries if re.fullmatch("[pfsm]{2}", word)]
    if len(known) != 3:
        raise FrameError(
            f"ITEM: BOX BOUNDS {' '.join(snapshot.header)}: three boundaries such as pp pp pp "
            "expected at its end"
        )
    kinds = {(): 2, ("xy", "xz", "yz"): 3, ("abc", "origin"): 4}
    if tuple(form) not in kinds:
        raise FrameError(f"ITEM: BOX BOUNDS {' '.join(form)}: a kind of box that is not known")
    width = kinds[tuple(form)]
    values = np.array([numbers(row, "box", width) for row in snapshot.bounds])
    pbc = tuple(word == "pp" for word in boundaries)
    if width == 4:
        return values[:, :3], values[:, 3], pbc
    low, high = values[:, 0], values[:, 1]
    xy, xz, yz = values[:, 2] if width == 3 else (0.0, 0.0, 0.0)
    # A triclinic box is given by the orthogonal one round it.
    low = low - [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = high - [max(0, xy, xz, xy + xz), max(0, yz), 0]
    if not (high > low).all():
        raise FrameError(f"box: {high - low} found for its lengths, positive numbers expected")
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, low, pbc


def positions(snapshot: Snapshot, cell: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(atoms, 3) float64, in the order of the file and the unit of length of the dump.

    Raises:
      FrameError: no columns of positions, or a word in them is no number.
    """
    for names in POSITIONS:
        if all(name in snapshot.columns for name in names):
            values = column_values(snapshot, names)
            return origin + values @ cell if names[0].startswith("xs") else values
    raise FrameError(
        "no positions: x y z, xu yu zu, xs ys zs or xsu ysu zsu expected, "
        f"{' '.join(snapshot.columns)} found"
    )
