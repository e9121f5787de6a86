"""Running parsers in tests: the exit code, what they said, the frames that they wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from panna.frames.example_file import read_example
from panna.frames.frame import Frame


@dataclass
class Run:
    """code: of the exit. said: standard output and errors. frames and contents: by name."""

    code: int
    said: str
    frames: dict[str, Frame]
    contents: dict[str, dict]

    @property
    def only(self) -> Frame:
        """The frame of a run that wrote one."""
        (frame,) = self.frames.values()
        return frame


def parser_run(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], out: Path, *arguments
) -> Run:
    """Call a parser with -i and further arguments; its examples go to the folder out."""
    capsys.readouterr()
    code = main(["-o", str(out), "-i", *map(str, arguments)])
    written = capsys.readouterr()
    files = sorted(out.glob("*.example")) if out.is_dir() else []
    unfinished = [path for path in out.iterdir() if path not in files] if out.is_dir() else []
    assert not unfinished, "something half-written is left"
    return Run(
        code,
        written.out + written.err,
        {path.stem: read_example(path) for path in files},
        {path.stem: json.loads(path.read_text()) for path in files},
    )
