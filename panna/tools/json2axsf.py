"""panna_json2axsf: a folder of .example files to an animation for XCrySDen."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts
from panna.errors import FileError, FrameError, run_program
from panna.files import atomic_write
from panna.text import counted

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame

DESCRIPTION = """\
Write all .example files of a folder to one animated XSF file (.axsf) for XCrySDen, the frame with
the lowest energy per atom first.

Positions are in angstrom and forces in hartree/angstrom, as XCrySDen wants them. Frames are
CRYSTAL, SLAB, POLYMER or ATOMS, for 3 to 0 periodic directions. A file holds one of these kinds
only: a folder with several gives one file for each, FILE with _crystal, _slab, _polymer or _atoms
before the ending. In SLAB and POLYMER the periodic vectors come first, turned into the xy plane or
along x."""

EPILOG = """\
Frames without energy come last, in the order of their names.
example: panna_json2axsf -i examples -o animation.axsf; xcrysden --axsf animation.axsf"""

KINDS = ("ATOMS", "POLYMER", "SLAB", "CRYSTAL")  # by the number of periodic directions
VACUUM = 10.0  # angstrom; aperiodic vectors are only drawn
COMMENT = "Positions in angstrom, forces in hartree/angstrom"


@dataclass(frozen=True)
class _Entry:
    """What the order needs of a frame. energy: eV per atom; None if unknown."""

    path: Path
    kind: int
    energy: float | None


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_json2axsf; returns the exit code."""
    return run_program(_run, argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    from panna.frames.example_folder import list_examples

    examples = list_examples(args.indir)
    say(".example files to an animation for XCrySDen")
    say_facts(
        [
            ("from", f"{args.indir}: {counted(len(examples), 'file')}"),
            ("to", str(args.output)),
            ("order", "energy per atom, lowest first" if args.order == "energy" else "names"),
            ("units", "angstrom, hartree/angstrom"),
        ]
    )
    left_out = LeftOut()
    entries = _entries(examples, left_out)
    if not entries:
        left_out.say_reasons(counted(left_out.count, "file"))
        raise FrameError(f"{args.indir}: no .example file in it can be used; nothing was written")
    if args.order == "energy":
        entries.sort(key=_by_energy)
    kinds = Counter(entry.kind for entry in entries)
    targets = {kind: _target(args.output, kind, len(kinds)) for kind in sorted(kinds)}
    for target in targets.values():
        if target.exists():
            raise FileError(f"{target}: exists already; choose another name or remove it")
    say()
    with Progress(len(entries), "writing", "frames") as progress:
        for kind, target in targets.items():
            _write(target, kind, [e for e in entries if e.kind == kind], progress)
    _say_result(targets, kinds, entries)
    left_out.say_reasons(counted(left_out.count, "file"))
    say()
    say(f"Next: xcrysden --axsf {next(iter(targets.values()))}")
    return 2 if left_out.count else 0


def _entries(examples: Sequence[Path], left_out: LeftOut) -> list[_Entry]:
    from panna.frames.example_file import read_example

    entries = []
    with Progress(len(examples), "reading", "files") as progress:
        for path in progress.track(examples):
            try:
                frame = read_example(path)
            except FrameError as error:
                left_out.add(str(path), str(error).removeprefix(f"{path}: "))
                continue
            energy = None if frame.energy is None else frame.energy / frame.n_atoms
            entries.append(_Entry(path, int(frame.pbc.sum()), energy))
    return entries


def _by_energy(entry: _Entry) -> tuple[bool, float]:
    return entry.energy is None, entry.energy or 0.0


def _target(output: Path, kind: int, kinds: int) -> Path:
    if kinds == 1:
        return output
    return output.with_name(f"{output.stem}_{KINDS[kind].lower()}{output.suffix}")


def _write(target: Path, kind: int, entries: list[_Entry], progress: Progress) -> None:
    """One file; frames are read again, so that only one is in memory."""
    from panna.frames.example_file import read_example

    with atomic_write(target) as stream:
        stream.write(f"# {COMMENT}\nANIMSTEPS {len(entries)}\n")
        if kind:
            stream.write(f"{KINDS[kind]}\n")
        for number, entry in enumerate(entries, start=1):
            stream.writelines(f"{line}\n" for line in _lines(read_example(entry.path), number))
            progress.advance(text=entry.path.name)


def _lines(frame: Frame, number: int) -> Iterator[str]:
    import numpy as np

    from panna.frames.units import HARTREE

    positions, forces = frame.positions, frame.forces
    if frame.pbc.any():
        cell, positions, turn = _placed(frame)
        forces = None if forces is None else forces @ turn
        yield f"PRIMVEC {number}"
        yield from (_row(vector) for vector in cell)
        yield f"PRIMCOORD {number}"
        yield f"{frame.n_atoms} 1"
    else:
        yield f"ATOMS {number}"
    columns = positions if forces is None else np.hstack([positions, forces / HARTREE])
    for symbol, values in zip(frame.species, columns, strict=True):
        yield f"{symbol:2} {_row(values)}"


def _placed(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell and positions with the periodic vectors first, and the matrix that turned vectors.

    They are turned only if they do not lie along x, or in the xy plane, already.
    """
    import numpy as np

    from panna.frames.writers.box import boxed, lower_triangular

    cell, positions = boxed(frame, VACUUM)
    periodic = int(frame.pbc.sum())
    if periodic == 3:
        return cell, positions, np.eye(3)
    cell = cell[np.argsort(~frame.pbc, kind="stable")]
    if np.linalg.det(cell) < 0:
        cell[2] *= -1
        positions = positions + cell[2]
    if not cell[:periodic, periodic:].any():
        return cell, positions, np.eye(3)
    turned, turn = lower_triangular(cell)
    return turned, positions @ turn, turn


def _row(values: np.ndarray) -> str:
    return " ".join(f"{value:20.14f}" for value in values)


def _say_result(targets: dict[int, Path], kinds: Counter[int], entries: list[_Entry]) -> None:
    say()
    for kind, target in targets.items():
        say(f"{counted(kinds[kind], 'frame')} written to {target} ({KINDS[kind]})")
        known = [e for e in entries if e.kind == kind and e.energy is not None]
        if known:
            low, high = (f(known, key=lambda e: e.energy) for f in (min, max))
            say_facts(
                [
                    ("lowest", f"{low.path.stem}, {low.energy:.6f} eV/atom"),
                    ("highest", f"{high.path.stem}, {high.energy:.6f} eV/atom"),
                ]
            )
    unknown = sum(entry.energy is None for entry in entries)
    if unknown:
        say(f"{counted(unknown, 'frame')} without energy")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_json2axsf", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--indir", required=True, metavar="DIR", type=Path, help="folder of .example files"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", type=Path, help="the .axsf file"
    )
    parser.add_argument(
        "--order", choices=("energy", "name"), default="energy",
        help="by energy per atom, lowest first (default), or by the names of the files",
    )  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
