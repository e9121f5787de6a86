"""Files of CP2K with one block for each step: -pos-1.xyz, -frc-1.xyz, -1.cell and -1.stress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import FrameError
from panna.formats.fortran_rows import numbers, read_rows
from panna.frames.text_lines import Lines, Unreadable
from panna.frames.units import HARTREE

COMMENT = re.compile(r"\s*i\s*=\s*(\d+),(?:\s*time\s*=\s*(\S+),)?\s*E\s*=\s*(\S+)\s*$")
ROW = re.compile(r"\s*([A-Za-z]\S*)\s+(\S.*)$")

SAME_TIME = 1e-3  # fs


@dataclass
class Block:
    """One step of a trajectory.

    line: where it begins. number: of the step, by CP2K. segment: how often the numbers have begun
    again, in the files of restarted runs. time: fs, None without dynamics. energy: eV, None where
    the file has none. labels: of the atoms. values: (n, 3), or (9,), in units of the file.
    """

    line: int
    number: int
    time: float | None
    energy: float | None
    labels: tuple[str, ...]
    values: np.ndarray
    consumed: int
    segment: int = 0


@dataclass
class Broken:
    """A step that cannot be read."""

    line: int
    reason: str
    consumed: int


def xyz_blocks(path: Path) -> Iterator[Block | Broken]:
    """The steps of a -pos or -frc file.

    Raises:
      FrameError: not such a file, or it cannot be read any further.
    """
    segment = 0
    last = -1
    broken = False
    with Lines.open(path, "replace") as lines:
        for line in lines:
            if not line.strip() or (broken and not line.strip().isdecimal()):
                continue
            broken = False
            start = lines.number
            if not line.strip().isdecimal() or len(line.split()[0]) > 9:
                raise FrameError(
                    f"{lines.where}: {line.strip()[:40]!r} found, a number of atoms expected"
                )
            found = COMMENT.match(next(lines, ""))
            if found is None:
                raise FrameError(
                    f"{lines.where}: a comment as 'i = 3, time = 1.5, E = -17.1' expected"
                )
            try:
                block = _block(lines, start, int(line), found)
            except Unreadable:
                raise
            except FrameError as error:
                broken = True
                yield Broken(start, str(error), lines.consumed())
                continue
            segment += block.number <= last
            last, block.segment = block.number, segment
            yield block


def _block(lines: Lines, start: int, atoms: int, comment: re.Match[str]) -> Block:
    where = lines.where
    rows = read_rows(lines, ROW, atoms)
    time = None if comment[2] is None else numbers(comment[2], 1, where)[0]
    energy = numbers(comment[3], 1, where)[0] * HARTREE
    if len(rows) != atoms or atoms == 0:
        raise FrameError(f"line {start}: {atoms} atoms announced, {len(rows)} rows found")
    values = np.array([numbers(row[2], 3, place) for place, row in rows])
    labels = tuple(row[1] for _, row in rows)
    return Block(start, int(comment[1]), time, energy, labels, values, lines.consumed())


def table_blocks(path: Path, unit: str) -> Iterator[Block | Broken]:
    """The steps of a .cell or .stress file: step, time and nine numbers in each line.

    Args:
      unit: that the titles must name.
    Raises:
      FrameError: another unit; it cannot be read any further.
    """
    segment = 0
    last = -1
    with Lines.open(path, "replace") as lines:
        for line in lines:
            if line.startswith("#"):
                if f"[{unit}]" not in line:
                    raise FrameError(f"{lines.where}: no columns in {unit}")
                continue
            if not line.strip():
                continue
            try:
                number, time, *values = numbers(line, 11, lines.where, more=True)
            except FrameError as error:
                yield Broken(lines.number, str(error), lines.consumed())
                continue
            segment += number <= last
            last = number
            table = np.array(values).reshape(3, 3)
            place = lines.number
            yield Block(place, int(number), time, None, (), table, lines.consumed(), segment)


class Companion:
    """A file whose steps are asked for in the order of the trajectory."""

    def __init__(self, path: Path, blocks: Iterator[Block | Broken]) -> None:
        self.path = path
        self.blocks = blocks
        self.next: Block | None = None
        self.gap = ""  # why what stands before the next block could not be read
        self.ending = ""  # why nothing more can be read

    def of(self, step: Block) -> Block | None:
        """The block of a step; None if the file has none.

        Raises:
          FrameError: it has one that cannot be read, or that belongs to something else.
        """
        wanted = (step.segment, step.number)
        while self.next is None or (self.next.segment, self.next.number) < wanted:
            self.gap = ""
            if not self._read():
                break
        found = self.next
        if found is None or (found.segment, found.number) != wanted:
            if self.gap:
                raise FrameError(f"{self.path.name}: {self.gap}")
            return None
        where = f"{self.path.name}, line {found.line}"
        if found.energy is not None and found.energy != step.energy:
            raise FrameError(f"{where}: step {step.number} has another energy there")
        both = found.time is not None and step.time is not None
        if both and abs(found.time - step.time) > SAME_TIME:
            raise FrameError(f"{where}: step {step.number} has another time there")
        if found.labels and found.labels != step.labels:
            raise FrameError(f"{where}: step {step.number} has other atoms there")
        return found

    def _read(self) -> bool:
        try:
            for item in self.blocks:
                if isinstance(item, Block):
                    self.next = item
                    return True
                self.gap = f"line {item.line}: {item.reason}"
        except FrameError as error:
            self.gap = str(error)
        self.blocks = iter(())
        self.gap = self.gap or self.ending
        self.ending = self.gap
        return False
