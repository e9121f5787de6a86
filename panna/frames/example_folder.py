"""A folder of .example files: filled by the parsers, read by gvect_calculator and evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import FileError, FrameError
from panna.frames.example_file import SUFFIX, key_of, read_example, write_example
from panna.frames.frame import Frame
from panna.listing import Listing, files_in

HASH_DIGITS = 16


def list_examples(folder: str | Path) -> Listing:
    """The *.example files of a folder (not of the folders in it), sorted by name.

    Raises:
      FileError: no such folder, no example in it, or two keys that differ only in the case of
        letters (files named after them would be one file on some systems).
    """
    hint = "expected *.example files, which the parsers in panna/tools make"
    examples = files_in(folder, SUFFIX, hint)
    # Eight bytes for each; a collision, if there ever is one, costs memory only.
    hashes = (hash(key_of(example).casefold()) for example in examples)
    ordered = np.fromiter(hashes, np.int64, len(examples))
    ordered.sort()
    if np.all(ordered[1:] != ordered[:-1]):
        return examples
    seen: dict[str, Path] = {}
    for example in examples:
        other = seen.setdefault(key_of(example).casefold(), example)
        if other is not example:
            raise FileError(f"{other} and {example} have the same key; rename one of them")
    return examples


def with_hash(frame: Frame) -> Frame:
    """The frame with the beginning of its fingerprint added to its name."""
    return frame.named(f"{frame.name}_{frame.fingerprint[:HASH_DIGITS]}")


@dataclass(frozen=True)
class ExampleFolder:
    """Where a parser writes; a file that is there is never overwritten."""

    path: Path

    def count(self) -> int:
        """Number of .example files in the folder."""
        return sum(1 for _ in self.path.glob(f"*{SUFFIX}"))

    def holds(self, frame: Frame) -> bool:
        """Whether the file of the frame is there, with the same content.

        Raises:
          FrameError: it is there with another content.
        """
        target = self._target(frame)
        if not target.exists():
            return False
        if _content(read_example(target)) == _content(frame):
            return True
        raise FrameError(
            f"{target} exists with another content; choose another folder or prefix, or remove "
            "the file"
        )

    def write(self, frame: Frame, source: Mapping[str, Any]) -> None:
        """Write the file of the frame, with entries that tell where it comes from.

        Raises:
          FileError: it cannot be written.
        """
        write_example(frame, self._target(frame), extra=source)

    def _target(self, frame: Frame) -> Path:
        return self.path / f"{frame.name}{SUFFIX}"


def _content(frame: Frame) -> tuple[str, str, float]:
    return frame.fingerprint, frame.group, frame.weight
