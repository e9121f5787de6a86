"""Text files line by line, compressed or not, and the numbers in them."""

from __future__ import annotations

import gzip
import lzma
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from panna.errors import FrameError

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
LONGEST_LINE = 1 << 20  # bytes

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?")
JOINED = re.compile(r"(?<=\d)-(?=[\d.])")


class Unreadable(FrameError):
    """A file from which no more lines come."""


class NotText(Unreadable):
    """A line is longer than text has."""


class Lines:
    """The lines of a file with their numbers; the last can be given back. A context manager.

    number: of the line that was read last, from 1.

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

    @property
    def where(self) -> str:
        """For messages: "line 12"."""
        return f"line {self.number}"

    @property
    def consumed(self) -> int:
        """Bytes of the file that have been read."""
        return self._raw.tell()

    def rows(
        self, pattern: re.Pattern[str], most: int | None = None
    ) -> list[tuple[str, re.Match[str]]]:
        """The next lines that have the form of a row, with their places, after empty ones.

        Args:
          most: no more than these are read.
        """
        rows: list[tuple[str, re.Match[str]]] = []
        for line in self:
            found = pattern.match(line) if most is None or len(rows) < most else None
            if found is not None:
                rows.append((self.where, found))
            elif rows or line.strip():
                self._again = line
                self.number -= 1
                break
        return rows


def words(text: str) -> list[str]:
    """The words of a line; columns of numbers may touch each other at a minus sign."""
    return JOINED.sub(" -", text).split()


def numbers(text: str, count: int, where: str, more: bool = False) -> list[float]:
    """The numbers of a line as Fortran writes them.

    Args:
      count: how many are expected.
      where: beginning of the messages.
      more: others may follow, and are not looked at.
    Raises:
      FrameError: not a number, not finite, or not so many.
    """
    found = words(text)[:count] if more else words(text)
    for word in found:
        if "*" in word:
            raise FrameError(f"{where}: {word!r} is a number that was too long for its column")
        if NUMBER.fullmatch(word) is None:
            raise FrameError(f"{where}: {word!r} found, a number expected")
    if len(found) != count:
        raise FrameError(f"{where}: {len(found)} numbers found, {count} expected")
    values = [float(re.sub("[dD]", "e", word)) for word in found]
    if not all(map(math.isfinite, values)):
        raise FrameError(f"{where}: a number that is too large")
    return values
