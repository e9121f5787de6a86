"""Text that frames come from: names of files, lines with their numbers, and numbers in the lines.

Nobody has checked these files. They may be compressed, cut off, or no text at all.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from panna.errors import FrameError

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
READ_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error)
LONGEST_LINE = 1 << 20  # characters; a longer one is no text, and must not fill the memory


class Unreadable(FrameError):
    """A file from which nothing more can be read."""


class NotText(Unreadable):
    """Bytes that are no UTF-8, or a line that is longer than text has."""


# -- files -----------------------------------------------------------------------------------------


def without_compression(name: str) -> str:
    """A file's name without .gz or .xz."""
    return name[:-3] if name.lower().endswith(tuple(OPENERS)) else name


def split_name(name: str, endings: Sequence[str]) -> tuple[str, str]:
    """A file's name without .gz or .xz, and the one of some endings that was taken off, too.

    Args:
      endings: in lower case; the first that fits is taken, unless nothing would be left.
    Returns:
      What is left, and the ending in lower case, empty if none fits.
    """
    plain = without_compression(name)
    for ending in endings:
        if plain.lower().endswith(ending) and len(plain) > len(ending):
            return plain[: -len(ending)], ending
    return plain, ""


@contextmanager
def open_data(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """Open a file, decompressed on the way where its name ends with .gz or .xz.

    Yields:
      The stream, and a function that tells how many bytes of the file have been consumed.
    Raises:
      Unreadable: the file cannot be opened.
    """
    try:
        raw = open(path, "rb")  # noqa: SIM115, closed by the with below
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    opener: Any = OPENERS.get(path.suffix.lower())
    with raw, opener(raw, "rb") if opener else raw as data:
        yield data, raw.tell


def damaged(error: Exception, place: str = "") -> Unreadable:
    """What to raise for one of READ_ERRORS; place: where it happened, " after line 12"."""
    reason = getattr(error, "strerror", None) or error
    return Unreadable(f"cannot be read{place}, the file is damaged ({reason})")


def beginning(path: Path, count: int) -> bytes:
    """The first bytes of a file, of its content where it is compressed.

    Raises:
      Unreadable: it cannot be read.
    """
    try:
        with open_data(path) as (data, _):
            return data.read(count)
    except READ_ERRORS as error:
        raise damaged(error) from error


# -- lines -----------------------------------------------------------------------------------------


class Lines:
    """The lines of a text, with their ends, which are \\n; the last one can be put back.

    number: of the line that came last, from 1.
    consumed(): bytes of the file that have been read.

    Raises, when the next line is asked for:
      Unreadable: damaged compression, not UTF-8, a line of `longest` characters or more.
    """

    def __init__(
        self,
        stream: TextIO,
        consumed: Callable[[], int] = lambda: 0,
        longest: int = LONGEST_LINE,
    ) -> None:
        self.number = 0
        self.consumed = consumed
        self.longest = longest
        self._stream = stream
        self._returned: str | None = None

    @classmethod
    @contextmanager
    def open(
        cls, path: Path, errors: str = "strict", longest: int = LONGEST_LINE
    ) -> Iterator[Lines]:
        """Open plain, .gz or .xz text in UTF-8.

        Args:
          errors: "strict", or "replace" for files in which other bytes may stand.
        Raises:
          Unreadable: the file cannot be opened.
        """
        with open_data(path) as (data, consumed):
            yield cls(io.TextIOWrapper(data, "utf-8-sig", errors), consumed, longest)

    @property
    def where(self) -> str:
        """For messages: "line 12"."""
        return f"line {self.number}"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned
        if line is None:
            line = self.read()
            if not line:
                raise StopIteration
        else:
            self._returned = None
        self.number += 1
        return line

    def put_back(self, line: str) -> None:
        """Let the line that came last come again."""
        self._returned = line
        self.number -= 1

    def read(self) -> str:
        """The next line of the text, which is not yet counted; empty at the end."""
        line = self.piece()
        if len(line) >= self.longest:
            raise NotText(
                f"line {self.number + 1} is longer than {self.longest} characters: not text"
            )
        return line

    def piece(self) -> str:
        """A line, or the next `longest` characters of it."""
        try:
            return self._stream.readline(self.longest)
        except UnicodeDecodeError as error:
            raise NotText(f"line {self.number + 1} or after: not UTF-8 text") from error
        except READ_ERRORS as error:
            raise damaged(error, f" after line {self.number}" if self.number else "") from error


# -- numbers ---------------------------------------------------------------------------------------


def number(word: str) -> float | None:
    """A number as C or Fortran writes it: 1, 1.0e-6, 1.0D-6, nan, inf. None for anything else."""
    try:
        # Python takes 1_000 for a number, too; no simulation program writes it.
        return float(word.replace("d", "e").replace("D", "e")) if "_" not in word else None
    except ValueError:
        return None


def numbers(
    words: Sequence[str], where: str, count: int | None = None, finite: bool = False
) -> list[float]:
    """Words as numbers.

    Args:
      where: beginning of the messages.
      count: how many are expected.
      finite: nan and inf are not taken.
    Raises:
      FrameError: a word is no number, or there are not so many.
    """
    values = []
    for word in words:
        value = number(word)
        if value is None or (finite and not math.isfinite(value)):
            shown = word[:40]
            if "*" in word:
                raise FrameError(f"{where}: {shown!r} is a number that was too long for its column")
            raise FrameError(f"{where}: {shown!r} found, a number expected")
        values.append(value)
    if count is not None and len(values) != count:
        raise FrameError(f"{where}: {len(values)} numbers found, {count} expected")
    return values
