"""The cell as CP2K prints it: vectors with three decimals, lengths and angles with six."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from panna.errors import FrameError
from panna.formats.fortran_rows import numbers

# Half a unit of the last digit of the vectors, and a little.
ROUNDING = 6e-4  # angstrom

VECTOR = re.compile(r"\s*CELL\| Vector ([abc]) \[angstrom\]?:?(.*)\|[abc]\|\s*=(.*)$")
ANGLE = re.compile(r"\s*CELL\| Angle .*, (alpha|beta|gamma)\s*\[degree\]:(.*)$")
SIX_DECIMALS = re.compile(r"\.\d{6}")


class CellBlock:
    """The lines that begin with CELL|, one after another; the last of each kind counts."""

    def __init__(self) -> None:
        self.vectors: dict[str, list[float]] = {}
        self.lengths: dict[str, float] = {}
        self.angles: dict[str, float] = {}
        self.precise = True
        self.trouble = ""

    def add(self, line: str, where: str) -> None:
        """Take one line into account."""
        if "Volume" in line:
            self.__init__()
        try:
            if found := VECTOR.match(line):
                self.vectors[found[1]] = numbers(found[2], 3, where)
                self.lengths[found[1]] = numbers(found[3], 1, where)[0]
                self.precise = SIX_DECIMALS.search(found[3]) is not None
            elif found := ANGLE.match(line):
                self.angles[found[1]] = numbers(found[2], 1, where)[0]
            elif "Vector" in line:
                raise FrameError(f"{where}: a vector in angstrom expected")
        except FrameError as error:
            self.trouble = self.trouble or str(error)

    def cell(self) -> tuple[np.ndarray | None, bool]:
        """The cell in angstrom, rows a, b, c, None if there is none; and whether it is precise.

        Raises:
          FrameError: its lines make no sense.
        """
        if self.trouble:
            raise FrameError(self.trouble)
        if len(self.vectors) != 3 or len(self.angles) != 3:
            return None, True
        printed = np.array([self.vectors[name] for name in "abc"])
        lengths = [self.lengths[name] for name in "abc"]
        shape = _shape(lengths, [self.angles[name] for name in ("alpha", "beta", "gamma")])
        if np.abs(shape - printed).max() < ROUNDING:
            return shape, self.precise
        # The best rotation of the precise shape; its angle is known to three decimals only.
        left, _, right = np.linalg.svd(shape.T @ printed)
        turned = shape @ (left @ right)
        if not np.abs(turned - printed).max() < ROUNDING:
            raise FrameError(
                f"vectors of the cell {printed.tolist()} do not fit its lengths and angles"
            )
        return turned, False


def _shape(lengths: Sequence[float], angles: Sequence[float]) -> np.ndarray:
    """The cell with a along x and b in the plane of x and y."""
    alpha, beta, gamma = (0.0 if x == 90 else np.cos(np.deg2rad(x)) for x in angles)
    sine = np.sqrt(1 - gamma**2)
    if not (min(lengths) > 0 and sine > 0):
        raise FrameError(f"lengths {list(lengths)} and angles {list(angles)} make no cell")
    y = (alpha - beta * gamma) / sine
    square = 1 - beta**2 - y**2
    if not square > 0:
        raise FrameError(f"angles {list(angles)} make no cell")
    shape = np.array([[1, 0, 0], [gamma, sine, 0], [beta, y, np.sqrt(square)]])
    return shape * np.array(lengths)[:, None]


def with_all_digits(given: np.ndarray | None, printed: np.ndarray | None) -> np.ndarray | None:
    """The cell that the user gives, if the file does not contradict it; else the printed one.

    Raises:
      FrameError: they differ.
    """
    if given is None:
        return printed
    if printed is not None and np.abs(given - printed).max() > 2 * ROUNDING:
        raise FrameError(f"--cell {given.tolist()} given, {printed.round(4).tolist()} in the file")
    return given


def periodicity(word: str) -> tuple[bool, bool, bool] | None:
    """XYZ, XY, NONE and the like; None for anything else."""
    if word == "NONE":
        return (False, False, False)
    if not word or set(word) - set("XYZ") or len(set(word)) != len(word):
        return None
    return ("X" in word, "Y" in word, "Z" in word)
