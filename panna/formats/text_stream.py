"""Lines of text files of simulation programs, plain or compressed, that nobody has checked."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from panna.errors import FrameError

if TYPE_CHECKING:
    import numpy as np

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
LONGEST_LINE = 1_000_000  # characters; a longer one is no text, and must not fill the memory


class DamagedText(FrameError):
    """Nothing more can be read from the file."""


class Lines:
    """An iterator over the lines of a file. number: of the line that came last, from 1."""

    def __init__(self, raw: IO[bytes], text: IO[str]) -> None:
        self.number = 0
        self._raw = raw
        self._text = text
        self._returned: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, without spaces at its ends.

        Raises:
          DamagedText: damaged compression, not UTF-8 text, a line without end.
        """
        line, self._returned = self._returned, None
        if line is None:
            line = self._read()
        self.number += 1
        return line

    def put_back(self, line: str) -> None:
        """Let the line that came last come again."""
        self._returned = line
        self.number -= 1

    def consumed(self) -> int:
        """Bytes of the file that have been read."""
        return self._raw.tell()

    def _read(self) -> str:
        place = f"line {self.number + 1} or after"
        try:
            line = self._text.readline(LONGEST_LINE)
        except UnicodeDecodeError as error:
            raise DamagedText(f"{place}: not UTF-8 text") from error
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise DamagedText(f"{place}: cannot be read, the file is damaged ({error})") from error
        if not line:
            raise StopIteration
        if len(line) == LONGEST_LINE:
            raise DamagedText(f"{place}: longer than {LONGEST_LINE} characters; is it text?")
        return line.strip()


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """Open plain, .xz or .gz text.

    Raises:
      FrameError: the file cannot be opened.
    """
    opener: Any = OPENERS.get(path.suffix.lower())
    try:
        raw = open(path, "rb")  # noqa: SIM115, closed by the with below
    except OSError as error:
        raise FrameError(f"cannot be opened: {error.strerror}") from error
    with raw, opener(raw, "rb") if opener else raw as data:
        yield Lines(raw, io.TextIOWrapper(data, encoding="utf-8-sig"))


def without_compression(name: str) -> str:
    """A file's name without .gz or .xz."""
    return name[:-3] if name.lower().endswith(tuple(OPENERS)) else name


def numbers(words: Sequence[str], what: str) -> np.ndarray:
    """Words as (n,) float64; they may be nan or inf.

    Raises:
      FrameError: a word is no number; `what` begins the message.
    """
    import numpy as np

    values = np.empty(len(words))
    for place, word in enumerate(words):
        try:
            # Python takes 1_000 for a number; no simulation program writes it.
            values[place] = float(word if "_" not in word else "")
        except ValueError:
            raise FrameError(f"{what}: {word[:40]!r} found, a number expected") from None
    return values
