"""The atom lines of an extended XYZ frame, as arrays named by the Properties of its second line."""

from __future__ import annotations

import numpy as np

from panna.errors import FrameError
from panna.frames.elements import symbols_of_numbers
from panna.frames.extxyz_stream import FrameText

DEFAULT = "species:S:1:pos:R:3"
BOOLEANS = {"T": True, "F": False, "true": True, "false": False, "True": True, "False": False}


def read_columns(text: FrameText, properties: str) -> dict[str, np.ndarray]:
    """Columns by name: (n,) where the width is 1, else (n, width).

    Args:
      text: a complete frame.
      properties: name:type:columns triplets, types R (float64), I (int64), L (bool), S (text).
    Raises:
      FrameError: malformed properties, a line with too few or too many columns, a word that is not
        of its type; the message names atom and line.
    """
    triplets = _triplets(properties)
    expected = sum(width for _, _, width in triplets)
    words = [line.split() for line in text.lines[2:]]
    for atom, row in enumerate(words, start=1):
        if len(row) != expected:
            raise FrameError(
                f"{_place(text, atom)} has {len(row)} columns, expected {expected} from "
                f"Properties={properties}"
            )
    columns: dict[str, np.ndarray] = {}
    first = 0
    for name, kind, width in triplets:
        rows = [row[first : first + width] for row in words]
        values = _convert(rows, kind)
        if values is None:
            raise _not_of_kind(text, rows, name, kind)
        columns[name] = values[:, 0] if width == 1 else values
        first += width
    return columns


def symbols_of(columns: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Chemical symbols from the column species, or from the atomic numbers Z.

    Raises:
      FrameError: a number without an element. (Names are checked by Frame.)
    """
    if "species" in columns:
        return tuple(str(symbol).capitalize() for symbol in columns["species"])
    try:
        return symbols_of_numbers(columns["Z"])
    except FrameError as error:
        raise FrameError(f"Z: {error}") from error


def _triplets(properties: str) -> list[tuple[str, str, int]]:
    fields = properties.split(":")
    names, kinds, widths = fields[::3], fields[1::3], fields[2::3]
    if len(fields) % 3 or not all(width.isdecimal() and int(width) for width in widths):
        raise FrameError(f"Properties={properties}: expected name:type:columns triplets")
    if not set(kinds) <= set("RILS"):
        raise FrameError(f"Properties={properties}: expected types R, I, L or S")
    if "pos" not in names or not {"species", "Z"} & set(names):
        raise FrameError(f"Properties={properties}: expected species (or Z) and pos among them")
    if len(set(names)) < len(names):
        raise FrameError(f"Properties={properties}: a name occurs twice")
    triplets = list(zip(names, kinds, map(int, widths), strict=True))
    for wanted in (("pos", "R", 3), ("species", "S", 1), ("Z", "I", 1)):
        if wanted[0] in names and wanted not in triplets:
            raise FrameError(f"Properties={properties}: expected {':'.join(map(str, wanted))}")
    return triplets


def _convert(rows: list[list[str]], kind: str) -> np.ndarray | None:
    """(n, width), or None if a word is not of the kind."""
    try:
        if kind == "R":
            return np.array(rows, dtype=np.float64)
        if kind == "I":
            return np.array([[int(word) for word in row] for row in rows], dtype=np.int64)
        if kind == "L":
            return np.array([[BOOLEANS[word] for word in row] for row in rows])
    except (ValueError, KeyError, OverflowError):
        return None
    return np.array(rows)


def _not_of_kind(text: FrameText, rows: list[list[str]], name: str, kind: str) -> FrameError:
    what = {"R": "a number", "I": "a whole number", "L": "T or F"}[kind]
    for atom, row in enumerate(rows, start=1):
        for word in row:
            if _convert([[word]], kind) is None:
                return FrameError(
                    f"{_place(text, atom)}, {name}: {word[:40]!r} found, {what} expected"
                )
    return FrameError(f"column {name!r}: not of type {kind}")


def _place(text: FrameText, atom: int) -> str:
    return f"atom {atom} (line {text.line + 1 + atom})"
