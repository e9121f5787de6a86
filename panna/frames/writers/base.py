"""What all formats of the export share: where they write, and what they cannot hold.

Heavy packages are imported in methods: `panna_export --help` needs all writers and none of those.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

from panna.errors import FileError, FrameError
from panna.files import atomic_write, make_folder

if TYPE_CHECKING:
    from panna.frames.frame import Frame

# Everything of a frame that is not its structure, in the order of the report.
QUANTITIES = ("energy", "forces", "virial", "per_atom_energy", "group", "weight")


class FrameWriter:
    """A format. `title` to `next_step` are its words, the methods its work.

    Used as a context: what is written is there when the context ends without an exception.
    """

    title = ""  # "extended XYZ"
    target = ""  # what TARGET is: "a file", "a folder"
    holds: frozenset[str] = frozenset()  # of QUANTITIES
    needs_species = False  # whether the elements of all frames must be known before the first
    next_step = ""

    @classmethod
    def add_arguments(cls, group: argparse._ArgumentGroup) -> None:
        """Add what only this format understands."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises FrameError or FileError where an argument or the target makes no sense."""
        self.args = args
        self.path: Path = args.output

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        """Finish, or take back what was begun."""

    def set_species(self, species: tuple[str, ...]) -> None:
        """The elements of all frames, sorted; called first where `needs_species`."""

    def write(self, frame: Frame) -> bool:
        """Write a frame; False if it was there already.

        Raises:
          FrameError: the format has no place for the frame, which is then left out.
          FileError: it cannot be written.
        """
        raise NotImplementedError

    def lost(self, frame: Frame) -> list[str]:
        """What the frame has and the format does not keep, each as a short text."""
        return [name for name in present(frame) if name not in self.holds]

    def plan(self) -> list[tuple[str, str]]:
        """(label, text) for the beginning: units, conventions."""
        return []


class OneFile(FrameWriter):
    """All frames in one file of text."""

    target = "a file"

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        refuse_existing(self.path)
        self._open = ExitStack()

    def __enter__(self) -> OneFile:
        self._stream: IO[str] = self._open.enter_context(atomic_write(self.path))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.__exit__(*exception)

    def write(self, frame: Frame) -> bool:
        """Add the text of the frame."""
        self._stream.write(self.text(frame))
        return True

    def text(self, frame: Frame) -> str:
        """The frame as it stands in the file."""
        raise NotImplementedError


class FileForEachFrame(FrameWriter):
    """A folder with one file of text for each frame, named as the frame is."""

    target = "a folder"
    suffix = ""  # ".in"

    def __enter__(self) -> FileForEachFrame:
        make_folder(self.path)
        return self

    def write(self, frame: Frame) -> bool:
        """Write the file of the frame; a file that is there is never overwritten."""
        target = self.path / f"{frame.name}{self.suffix}"
        text = self.text(frame)
        if target.exists():
            if target.read_bytes() == text.encode():
                return False
            raise FrameError(
                f"{target} exists with another content; choose another folder or remove the file"
            )
        with atomic_write(target) as stream:
            stream.write(text)
        return True

    def text(self, frame: Frame) -> str:
        """The content of the file."""
        raise NotImplementedError


def present(frame: Frame) -> list[str]:
    """Those of QUANTITIES that a frame has."""
    numbers = [name for name in QUANTITIES[:4] if getattr(frame, name) is not None]
    return numbers + ["group"] * bool(frame.group) + ["weight"] * (frame.weight != 1.0)


def refuse_existing(path: Path) -> None:
    """Raises FileError if there is something under this name."""
    if path.exists():
        kind = "a folder" if path.is_dir() else "a file"
        raise FileError(f"{path}: there is {kind} already; choose another name or remove it")


def symmetric(frame: Frame) -> bool:
    """Whether the virial, if there is one, is exactly symmetric."""
    return frame.virial is None or bool((frame.virial == frame.virial.T).all())
