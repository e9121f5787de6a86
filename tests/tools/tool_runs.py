"""Running the visual tools in tests, and small sets of frames for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.frames.example_file import write_example
from panna.frames.frame import Frame

SIGNATURES = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-", ".svg": b"<?xml"}


@dataclass
class Said:
    """code: of the exit. out and err: what was printed."""

    code: int
    out: str
    err: str


def run(main: Callable[[list[str]], int], capsys, *arguments) -> Said:
    """Call a program."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        code = stop.code
    written = capsys.readouterr()
    return Said(code, written.out, written.err)


def is_picture(path: Path) -> bool:
    """Whether a file is complete and begins as its name says."""
    data = path.read_bytes()
    return data.startswith(SIGNATURES[path.suffix]) and len(data) > 5000


def examples(folder: Path, frames: Iterable[Frame]) -> Path:
    """Write frames; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        write_example(frame, folder / f"{frame.name}.example")
    return folder


def crystal(
    kind: str, a: float, repeat: int = 3, symbols: str = "Cu", shake: float = 0.0, seed: int = 0
) -> Frame:
    """A cubic crystal of fcc, bcc or diamond, its atoms moved at random by about `shake`."""
    basis = {
        "bcc": [[0, 0, 0], [0.5, 0.5, 0.5]],
        "fcc": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    }
    basis["diamond"] = basis["fcc"] + [list(np.array(x) + 0.25) for x in basis["fcc"]]
    cells = np.array(list(np.ndindex(repeat, repeat, repeat)))
    positions = a * (cells[:, None] + np.array(basis[kind])).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    positions = positions + rng.normal(scale=shake or 1e-12, size=positions.shape)
    return Frame(
        species=(symbols,) * len(positions),
        positions=positions,
        cell=a * repeat * np.eye(3),
        pbc=np.ones(3, bool),
        energy=-1.0 * len(positions),
        name=f"{kind}{seed}",
    )


def water_molecule(number: int, shake: float = 0.02) -> Frame:
    """H2O alone: 0.96 angstrom and 104.5 degrees, shaken."""
    half = np.radians(104.5 / 2)
    positions = 0.96 * np.array(
        [[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]
    )
    positions += np.random.default_rng(number).normal(scale=shake, size=(3, 3))
    return Frame(
        species=("O", "H", "H"),
        positions=positions,
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, bool),
        energy=-10.0,
        name=f"water{number}",
    )
