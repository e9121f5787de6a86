"""Cut a stream of extended XYZ into frames, one at a time and in constant memory.

ASE's own reader indexes a whole file first and gives up at the first bad frame (its incremental
reader takes the first digit of the atom count for the count). Here a frame is a piece of text with
its place in the file; a bad one is known as bad, and reading goes on at the next.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from panna.errors import FrameError

SUFFIXES = (".xyz", ".extxyz")
COMPRESSIONS = ("", ".xz", ".gz")
LONGEST_LINE = 10_000_000  # characters; a longer one is no text, and must not fill the memory


@dataclass(frozen=True)
class FrameText:
    """The lines of one frame.

    number: from 1, within the file.
    line: number of the line with the atom count, from 1.
    lines: atom count, comment, one line per atom.
    problem: why this is no complete frame; empty if it is.
    """

    number: int
    line: int
    lines: tuple[str, ...]
    problem: str = ""


def is_extxyz(path: Path) -> bool:
    """Whether the name is that of an extended XYZ file, compressed or not."""
    return stem_of(path) != path.name


def stem_of(path: Path) -> str:
    """The file name without .xyz or .extxyz and without .xz or .gz."""
    for suffix in SUFFIXES:
        for compression in COMPRESSIONS:
            ending = suffix + compression
            if path.name.lower().endswith(ending) and len(path.name) > len(ending):
                return path.name[: -len(ending)]
    return path.name


@contextmanager
def open_extxyz(path: Path) -> Iterator[tuple[TextIO, Callable[[], int]]]:
    """Open plain, .xz or .gz text.

    Yields:
      The text stream, and a function that tells how many bytes of the file have been consumed.
    Raises:
      FrameError: the file cannot be opened.
    """
    try:
        raw = open(path, "rb")  # noqa: SIM115, closed by the with below
    except OSError as error:
        raise FrameError(f"{path}: cannot be opened: {error.strerror}") from error
    with raw, _decompressed(raw, path.suffix.lower()) as data:
        yield io.TextIOWrapper(data, encoding="utf-8-sig"), raw.tell


def _decompressed(raw: IO[bytes], suffix: str) -> IO[bytes]:
    if suffix == ".xz":
        return lzma.open(raw)
    if suffix == ".gz":
        return gzip.open(raw)
    return raw


def frame_texts(stream: TextIO) -> Iterator[FrameText]:
    """Cut the stream into frames.

    A frame whose atom count does not match its lines is yielded with a `problem`; the next frame
    starts at the next line that holds a single integer.

    Raises:
      FrameError: the stream cannot be decompressed or is not UTF-8 text.
    """
    lines = _Lines(stream)
    number = 0
    while lines.skip_blank():
        number += 1
        start = lines.count
        head = lines.take()
        problem = "" if _is_count(head) else _no_count(head)
        body: list[str] = []
        if not problem:
            body, problem = _body(lines, int(head))
        if problem:
            lines.skip_to_count()
        yield FrameText(number, start, (head, *body), problem)


def _body(lines: _Lines, n_atoms: int) -> tuple[list[str], str]:
    """Comment and atom lines, and what is wrong with them."""
    comment = lines.take()
    if comment is None:
        return [], "the file ends after the atom count"
    body = [comment]
    for found in range(n_atoms):
        following = lines.peek()
        if following is None or not following.strip() or _is_count(following):
            where = "the file ends" if following is None else "the frame ends"
            return body, f"{where} after {found} atom lines; the first line says {n_atoms} atoms"
        body.append(lines.take())
    following = lines.peek()
    if following is not None and following.strip() and not _is_count(following):
        return body, (
            f"line {lines.count} {following.strip()[:40]!r} follows the {n_atoms} atoms that the "
            "first line announces; expected the atom count of the next frame"
        )
    return body, "" if n_atoms > 0 else "zero atoms"


def _is_count(line: str) -> bool:
    return line.strip().isdecimal()


def _no_count(line: str) -> str:
    return f"expected the number of atoms, found {line.strip()[:40]!r}"


class _Lines:
    """A stream of lines with one line of look-ahead; `count` is the number of the next line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.count = 0
        self._next: str | None = None
        self._advance()

    def peek(self) -> str | None:
        """The next line, or None at the end."""
        return self._next

    def take(self) -> str | None:
        """The next line, which is then behind us."""
        line = self._next
        if line is not None:
            self._advance()
        return line

    def skip_blank(self) -> bool:
        """Go to the next line that is not blank; False at the end."""
        while self._next is not None and not self._next.strip():
            self.take()
        return self._next is not None

    def skip_to_count(self) -> None:
        """Go to the next line that holds a single integer, or to the end."""
        while self._next is not None and not _is_count(self._next):
            self.take()

    def _advance(self) -> None:
        try:
            self._next = self._stream.readline(LONGEST_LINE) or None
        except UnicodeDecodeError as error:
            raise FrameError(
                f"line {self.count + 1} or after: not UTF-8 text; is it an extended XYZ file?"
            ) from error
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise FrameError(
                f"line {self.count + 1} or after: cannot be read, the file is damaged ({error})"
            ) from error
        self.count += 1
        if self._next is not None and len(self._next) == LONGEST_LINE:
            raise FrameError(
                f"line {self.count}: longer than {LONGEST_LINE} characters; is it an extended XYZ "
                "file?"
            )
