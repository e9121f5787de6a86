"""panna_export: .example files to the formats of other programs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts
from panna.errors import FileError, FrameError, run_program
from panna.frames.writers import WRITERS, FrameWriter
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.frames.frame import Frame

DESCRIPTION = """\
Write .example files in the format of another program:

  extxyz   one file of extended XYZ, which panna_exyz_parser reads back to the last bit
  ase      ASE's trajectory (TARGET.traj) or database (.db, .json)
  runner   one input.data for RuNNer and n2p2
  qe       a folder with an input of pw.x for each frame
  lammps   a folder with a data file of LAMMPS for each frame

What a format cannot hold is said at the end. Frames that it has no place for are reported with
the reason and left out; the exit code is then 2. What is there already is never overwritten."""

EPILOG = """\
examples: panna_export -i examples -o train.xyz --format extxyz
          panna_export -i examples -o inputs --format qe --pseudo Si=Si.upf O=O.upf \\
                       --ecutwfc 60 --kspacing 0.25"""

VACUUM = 10.0


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_export; returns the exit code."""
    return run_program(_run, argv)


@dataclass
class _Outcome:
    written: int = 0
    present: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    lost: Counter[str] = field(default_factory=Counter)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    writer = WRITERS[args.format](args)
    sources = example_sources(args.input)
    count = sum(map(len, sources))
    say(f".example files to {writer.title}")
    names = [str(path) for path in args.input]
    say_facts([("from", f"{counted(count, 'file')}: {listed(names)}"), ("to", str(args.output))])
    say_facts(writer.plan())
    if writer.needs_species:
        species = _species(sources, count)
        writer.set_species(species)
        say_facts([("species", ", ".join(species) or "none")])
    outcome = _Outcome()
    with writer:
        _write_all(writer, sources, count, outcome)
        if not outcome.written + outcome.present:
            # Raised inside, so that no empty file comes into being.
            raise FrameError(f"no frame to write; nothing was written to {args.output}")
    _say_result(args, writer, outcome)
    return 2 if outcome.left_out.count else 0


def example_sources(given: Sequence[Path]) -> list[Sequence[Path]]:
    """The .example files of folders, and single files, in the order given.

    Raises:
      FileError: something does not exist, or a folder holds none.
    """
    from panna.frames.example_folder import list_examples

    sources: list[Sequence[Path]] = []
    for path in given:
        if not path.exists():
            raise FileError(f"{path}: no such file or folder")
        sources.append(list_examples(path) if path.is_dir() else [path])
    return sources


def _write_all(
    writer: FrameWriter, sources: list[Sequence[Path]], count: int, outcome: _Outcome
) -> None:
    with Progress(count, "writing", "frames") as progress:
        for path, frame in _frames(sources, outcome.left_out):
            if frame is not None:
                _write(writer, path, frame, outcome)
            progress.advance(text=path.name)


def _write(writer: FrameWriter, path: Path, frame: Frame, outcome: _Outcome) -> None:
    try:
        if not writer.write(frame):
            outcome.present += 1
            return
    except FrameError as error:
        outcome.left_out.add(str(path), str(error))
        return
    outcome.written += 1
    outcome.lost.update(writer.lost(frame))


def _frames(
    sources: list[Sequence[Path]], left_out: LeftOut
) -> Iterator[tuple[Path, Frame | None]]:
    """Every file with its frame, None where it cannot be read."""
    from panna.frames.example_file import read_example

    for source in sources:
        for path in source:
            try:
                yield path, read_example(path)
            except FrameError as error:
                left_out.add(str(path), str(error).removeprefix(f"{path}: "))
                yield path, None


def _species(sources: list[Sequence[Path]], count: int) -> tuple[str, ...]:
    """The elements of all frames; what cannot be read is reported when it should be written."""
    from panna.frames.example_file import read_example

    found: set[str] = set()
    with Progress(count, "species", "frames") as progress:
        for source in sources:
            for path in progress.track(source):
                try:
                    found.update(read_example(path).species)
                except FrameError:
                    continue
    return tuple(sorted(found))


def _say_result(args: argparse.Namespace, writer: FrameWriter, outcome: _Outcome) -> None:
    say()
    say(f"{counted(outcome.written, 'frame')} written to {args.output}")
    if outcome.present:
        say(f"{counted(outcome.present, 'frame')} there already, with the same content")
    if outcome.lost:
        say("what the format does not keep:")
        for what, frames in sorted(outcome.lost.items()):
            say(f"  {what} ({counted(frames, 'frame')})")
    else:
        say("everything of the frames is kept")
    outcome.left_out.say_reasons(counted(outcome.left_out.count, "file"))
    say()
    say(f"Next: {writer.next_step.format(target=args.output)}")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_export", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", nargs="+", required=True, metavar="PATH", type=Path,
        help=".example files, or folders with them",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="TARGET", type=Path,
        help="the file, or the folder, that is written",
    )  # fmt: skip
    parser.add_argument("--format", required=True, choices=tuple(WRITERS))
    parser.add_argument(
        "--vacuum", type=_positive, default=VACUUM, metavar="LENGTH",
        help="angstrom between an atom and its next image along aperiodic directions, for qe and "
        f"lammps (default: {VACUUM:g})",
    )  # fmt: skip
    owners: dict[str, tuple[str, str, object]] = {}
    for name, writer in WRITERS.items():
        group = parser.add_argument_group(f"with --format {name} (TARGET is {writer.target})")
        writer.add_arguments(group)
        for action in group._group_actions:
            owners[action.dest] = (name, action.option_strings[0], action.default)
    args = parser.parse_args(argv)
    for key, (owner, option, default) in owners.items():
        if owner != args.format and getattr(args, key) != default:
            parser.error(f"{option} belongs to --format {owner}, not to --format {args.format}")
    return args


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e4:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of angstrom")
    return value


if __name__ == "__main__":
    sys.exit(main())
