"""panna_committee_spread: where the members of a committee disagree, and what to compute next."""

from __future__ import annotations

import argparse
import math
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts, table
from panna.errors import FileError, FrameError, PotentialError, run_program
from panna.files import atomic_write, make_folder, sha256_of
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna import core
    from panna.evaluation.committee import Calibration
    from panna.evaluation.frame_spread import FrameSpread
    from panna.frames.frame import Frame
    from panna.listing import Listing

TABLE, PLOT, SELECTED = "spread.csv", "spread.png", "selected.txt"
POTENTIAL = "panna.in"
ORDERS = ("force_max", "force", "energy")
SHOWN = 10

DESCRIPTION = """\
Evaluate several potentials on frames and sort the frames by how much the potentials disagree:
spread.csv has for each frame the mean energy, the standard deviation of the energy per atom, and
the largest deviation of the force on an atom. Where the frames have energies or forces, the error
of the mean stands beside the spread, in numbers and in spread.png.

selected.txt names the frames worth computing next: of the 5 N least certain ones, the least
certain one, then again and again the one farthest from those taken. Distance is that of the
descriptors of the atoms whose forces are least certain."""

EPILOG = """\
error/spread is 1 where the spread is as large as the error; above 1 the members agree more than
they should, and the spread times this number is the better error bar. Spearman is the rank
correlation over frames: 1 if the spread puts them in the order of their errors.
examples:
  panna_committee_spread -i examples -p potential -o spread          (potential/member_1, ...)
  panna_committee_spread -i md -p a b c -o spread --select 50 --copy next --above 0.1 --below 2"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_committee_spread; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_committee_spread", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", required=True, metavar="EXAMPLES_DIR", type=Path,
        help="folder of .example files, with or without energies and forces",
    )  # fmt: skip
    parser.add_argument(
        "-p", "--potentials", nargs="+", required=True, metavar="POTENTIAL", type=Path,
        help="folders of potentials (panna.in), or their text files; a folder with member_1, "
        "member_2, ... stands for all of them",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--outdir", "--output", required=True, metavar="DIR", type=Path,
        help=f"folder for {TABLE}, {PLOT} and {SELECTED}, made if missing",
    )  # fmt: skip
    parser.add_argument(
        "--by", choices=ORDERS, default="force_max",
        help="what sorts frames: the largest deviation of the force on an atom (default), the RMS "
        "of force components, or the energy per atom",
    )  # fmt: skip
    parser.add_argument(
        "--select", type=_count, default=10, metavar="N", help="frames to select; default: 10"
    )
    parser.add_argument(
        "--copy", type=Path, metavar="DIR", help="copy the .example files of selected frames there"
    )
    for name, text in (("above", "certain enough"), ("below", "beyond all physics")):
        parser.add_argument(
            f"--{name}", type=_bound, metavar="X",
            help=f"select only frames with a spread {name} X (eV/angstrom, or eV/atom with --by "
            f"energy); the others are {text}",
        )  # fmt: skip
    parser.add_argument(
        "--threads", type=_count, default=0, metavar="K", help="of the core; default: all cores"
    )
    return parser.parse_args(argv)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return int(text)


def _bound(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.evaluation.frame_spread import by_spread, panels, write_spreads
    from panna.evaluation.spread_plot import draw_spread
    from panna.frames.example_folder import list_examples

    _check(args)
    sources = _sources(args.potentials)
    potentials = [_open(*source) for source in sources]
    examples = list_examples(args.input)
    _say_plan(args, [folder for folder, _ in sources], potentials, examples)
    left_out = LeftOut()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = by_spread(_evaluate(args, potentials, examples, left_out), args.by)
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        say(f"warning: {text}")
    if not frames:
        left_out.say_reasons(counted(left_out.count, "frame"))
        raise FrameError(f"{args.input}: no frame could be evaluated; nothing was written")
    make_folder(args.outdir)
    write_spreads(args.outdir / TABLE, frames)
    title = f"committee of {len(potentials)} potentials, {counted(len(frames), 'frame')}"
    drawn = draw_spread(args.outdir / PLOT, title, panels(frames))
    chosen = _select(args, sources[0], frames)
    _write_selected(args, chosen)
    _say_result(args, frames, chosen, drawn)
    left_out.say_reasons(counted(left_out.count, "frame"))
    return 2 if left_out.count else 0


# -- potentials ------------------------------------------------------------------------------------


def _check(args: argparse.Namespace) -> None:
    if args.copy is not None and args.copy.resolve() == args.input.resolve():
        raise FileError(f"--copy {args.copy}: is the folder of the frames; choose another one")
    if args.above is not None and args.below is not None and args.above >= args.below:
        raise FrameError(f"--above {args.above:g} --below {args.below:g}: nothing lies between")


def _sources(given: Sequence[Path]) -> list[tuple[Path, str]]:
    """Folder and name of the text file of each potential."""
    from panna.members import list_members

    found: list[tuple[Path, str]] = []
    for path in given:
        if not path.exists():
            raise PotentialError(f"{path}: no such folder; expected a potential ({POTENTIAL})")
        if path.is_file():
            found.append((path.parent, path.name))
        else:
            found += [(member, POTENTIAL) for member in list_members(path) or [path]]
    files = [(folder / name).resolve() for folder, name in found]
    for file in files:
        if files.count(file) > 1:
            raise PotentialError(f"{file}: given twice; the members must differ")
    weights = [_weights_of(folder) for folder, _ in found]
    for (folder, _), mine in zip(found, weights, strict=True):
        first = found[weights.index(mine)][0]
        if mine and first != folder:
            raise PotentialError(f"{folder}: a copy of {first}; the members must differ")
    if len(found) < 2:
        raise PotentialError(
            f"{found[0][0]}: one potential found, at least two expected; a spread needs several "
            "trainings that differ in their seed (committee = 5 in the ini file of panna_train)"
        )
    return found


def _weights_of(folder: Path) -> tuple[str, ...]:
    """What tells the networks of a folder apart."""
    return tuple(sha256_of(file) for file in sorted(folder.glob("weights_*")))


def _open(folder: Path, name: str) -> core.Potential:
    from panna.potential.compiled import open_potential

    if not (folder / name).is_file():
        raise PotentialError(
            f"{folder}: no {name} in it; expected a potential, which panna_extract_weights makes "
            "with output_type = LAMMPS"
        )
    return open_potential(folder, name)


# -- frames ----------------------------------------------------------------------------------------


def _evaluate(
    args: argparse.Namespace,
    potentials: Sequence[core.Potential],
    examples: Listing,
    left_out: LeftOut,
) -> list[FrameSpread]:
    """The spreads of all frames that can be evaluated; the others are reported."""
    from panna.frames.example_file import read_example

    found = []
    with Progress(len(examples), "evaluating", "frames") as progress:
        for path in progress.track(examples):
            try:
                frame = read_example(path)
                found.append(_spread(frame, potentials, args.threads))
            except (FrameError, PotentialError) as error:
                reason = str(error).removeprefix(f"{path}: ")
                left_out.add(str(path), re.sub(r"^frame '[^']*': ", "", reason))
    return found


def _spread(frame: Frame, potentials: Sequence[core.Potential], threads: int) -> FrameSpread:
    from panna.evaluation.frame_spread import FrameSpread
    from panna.potential.compiled import evaluate_frame

    members = []
    for number, potential in enumerate(potentials, start=1):
        found = evaluate_frame(potential, frame, threads)
        if not (math.isfinite(found.energy) and math.isfinite(found.forces.sum())):
            raise PotentialError(f"potential {number} gives numbers that are not finite")
        members.append(found)
    return FrameSpread.of(frame, members)


def _select(
    args: argparse.Namespace, source: tuple[Path, str], frames: Sequence[FrameSpread]
) -> list[FrameSpread]:
    """The frames to compute next; reads those that come into question once more."""
    import numpy as np

    from panna.evaluation.frame_spread import ORDERS
    from panna.evaluation.selection import POOL, farthest, surroundings
    from panna.frames.example_file import SUFFIX, read_example
    from panna.potential import panna_in_text
    from panna.potential.panna_in_descriptor import read_descriptor

    low, high = args.above or 0.0, math.inf if args.below is None else args.below
    pool = [frame for frame in frames if low < getattr(frame, ORDERS[args.by]) < high]
    pool = pool[: POOL * args.select]
    if not pool:
        return []
    parameters = read_descriptor(panna_in_text.parse(source[0] / source[1]))
    rows = []
    with warnings.catch_warnings(), Progress(len(pool), "selecting", "frames") as progress:
        warnings.simplefilter("ignore")  # told in the first pass
        for one in progress.track(pool):
            frame = read_example(args.input / f"{one.name}{SUFFIX}")
            rows.append(surroundings(frame, one.atom, parameters))
    taken = farthest([one.symbol for one in pool], np.array(rows), args.select)
    return [pool[number] for number in taken]


def _write_selected(args: argparse.Namespace, chosen: Sequence[FrameSpread]) -> None:
    """The names, and copies of the files; a file that is there is never overwritten."""
    from panna.frames.example_file import SUFFIX

    with atomic_write(args.outdir / SELECTED) as file:
        file.write("".join(f"{frame.name}\n" for frame in chosen))
    if args.copy is None:
        return
    make_folder(args.copy)
    contents = {
        args.copy / f"{frame.name}{SUFFIX}": (args.input / f"{frame.name}{SUFFIX}").read_bytes()
        for frame in chosen
    }
    for target, content in contents.items():
        if target.exists() and target.read_bytes() != content:
            raise FileError(
                f"{target}: exists with another content, no file was copied; choose another --copy"
            )
    for target, content in contents.items():
        with atomic_write(target, "wb") as file:
            file.write(content)


# -- report ----------------------------------------------------------------------------------------


def _say_plan(
    args: argparse.Namespace,
    folders: Sequence[Path],
    potentials: Sequence[core.Potential],
    examples: Listing,
) -> None:
    from panna.evaluation.frame_spread import UNITS

    say("Spread of a committee of potentials")
    species = list(dict.fromkeys(s for potential in potentials for s in potential.species))
    say_facts(
        [
            ("potentials", f"{len(folders)}: {listed([str(folder) for folder in folders])}"),
            ("species", ", ".join(species)),
            ("frames", f"{len(examples)} of {args.input}"),
            ("sorted by", f"{args.by} ({UNITS[args.by]})"),
            ("to", str(args.outdir)),
        ]
    )


def _say_result(
    args: argparse.Namespace,
    frames: Sequence[FrameSpread],
    chosen: Sequence[FrameSpread],
    drawn: bool,
) -> None:
    from panna.evaluation.frame_spread import calibration, energy_shift

    say(f"\nLargest spread, by {args.by}; E in meV/atom, F in eV/angstrom:")
    say(_frame_table(frames[:SHOWN]))
    energies, forces = calibration(frames)
    if energies or forces:
        say("\nIs the spread an error bar? Root mean squares:")
        say(_calibration_table(energies, forces))
    else:
        say("\nThe frames have no energies and no forces, so there are no errors to compare with")
    if (shift := energy_shift(frames)) is not None:
        say(
            f"warning: the energies of the mean lie about {shift:.3g} eV/atom from those of the "
            "frames: these have another zero than the training set (another functional, "
            "pseudopotential or code), so their errors say nothing about the potentials"
        )
    written = [TABLE, SELECTED, *([PLOT] if drawn else [])]
    say(f"\nWritten to {args.outdir}: {', '.join(written)}")
    if args.select:
        say(f"{counted(len(chosen), 'frame')} selected: {listed([f.name for f in chosen])}")
        if len(chosen) < args.select:
            say(f"  {args.select} asked for; no others differ from these and lie within the bounds")
    if args.copy is not None:
        say(f"Copied to {args.copy}; next: compute them, and add them to the training set")


def _frame_table(frames: Sequence[FrameSpread]) -> str:
    rows = []
    for f in frames:
        errors = [1e3 * f.energy_error, f.force_error]
        cells = [
            None if math.isnan(value) else f"{value:.{digits}f}"
            for value, digits in zip(errors, (2, 4), strict=True)
        ]
        largest = f"{f.force_std_max:.4f}"
        atom = f"{f.symbol} {f.atom}"
        outside = None if f.outside is None else str(f.outside)
        spread = [f"{1e3 * f.energy_std:.2f}", largest, atom, f"{f.force_std:.4f}"]
        rows.append([f.name, f.n_atoms, *spread, *cells, outside])
    headers = ["frame", "atoms", "E std", "F std max", "of atom", "F std RMS", "E error"]
    headers += ["F RMSE", "atoms outside"]
    known = [c for c in range(len(headers)) if c < 6 or any(row[c] is not None for row in rows)]
    return table([headers[c] for c in known], [[row[c] for c in known] for row in rows])


def _calibration_table(energies: Calibration | None, forces: Calibration | None) -> str:
    rows = []
    for what, found, factor, digits in (
        ("energy (meV/atom)", energies, 1e3, 2),
        ("force components (eV/angstrom)", forces, 1, 4),
    ):
        if found is None:
            continue
        sizes = [f"{factor * value:.{digits}f}" for value in (found.spread, found.error)]
        numbers = [
            None if value is None else f"{value:.2f}" for value in (found.ratio, found.spearman)
        ]
        rows.append([what, found.count, *sizes, *numbers])
    return table(["", "frames", "spread", "error", "error/spread", "Spearman"], rows)


if __name__ == "__main__":
    sys.exit(main())
