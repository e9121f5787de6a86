"""The files of a folder by name, a million of them in some tens of megabytes."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from panna.errors import FileError


class Listing(Sequence[Path]):
    """Files of one folder. Paths are made when asked for: kept, each would take half a kilobyte.

    folder: where the files are.
    names: (N,) bytes of the length of the longest name.
    """

    def __init__(self, folder: Path, names: np.ndarray) -> None:
        self.folder = folder
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> Path:
        return self.folder / os.fsdecode(self.names[number])

    def select(self, which: np.ndarray) -> Listing:
        """Some of the files; which: (N,) bool, or numbers of files in the order wanted."""
        return Listing(self.folder, self.names[which])

    def holds(self, name: str) -> bool:
        """Whether a file of this name is among them; they must be in the order of their names."""
        wanted = os.fsencode(name)
        place = bisect_left(self.names, wanted)
        return place < len(self) and self.names[place] == wanted


def list_files(folder: str | os.PathLike[str], suffix: str) -> Listing:
    """The files of a folder, not of the folders in it, whose names end with a suffix, sorted.

    Empty if there is no such folder.
    """
    folder = Path(folder)
    longest = max(map(len, _names(folder, suffix)), default=1)
    # What comes into the folder between the two looks and has a longer name is left for later.
    found = (name for name in _names(folder, suffix) if len(name) <= longest)
    names = np.fromiter(found, f"S{longest}")
    names.sort()
    return Listing(folder, names)


def _names(folder: Path, suffix: str) -> Iterator[bytes]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and entry.is_file():
                    yield os.fsencode(entry.name)


def files_in(folder: str | os.PathLike[str], suffix: str, hint: str) -> Listing:
    """As `list_files`, where there must be some.

    Args:
      hint: end of the messages: what the folder should hold and who makes it.
    Raises:
      FileError: no such folder, or no such file in it.
    """
    files = list_files(folder, suffix)
    if not files.folder.is_dir():
        raise FileError(f"{files.folder}: no such folder; {hint}")
    if not files:
        others = sum(1 for _ in files.folder.iterdir())
        raise FileError(f"{files.folder}: no *{suffix} file in it ({others} other entries); {hint}")
    return files
