"""panna_gvect_suggest: parameters of a descriptor from the distances and angles of examples."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts
from panna.errors import FileError, FrameError, run_program
from panna.text import counted

DESCRIPTION = """\
Propose the parameters of an mBP descriptor and print a complete gvect.ini. The rule, in angstrom:

  Rc_rad    periodic data with at least 24 neighbours within 8: the first minimum of the
            distribution of distances between atoms other than hydrogen within which an atom has at
            least 24 neighbours on average (the end of the second or third shell); without such a
            minimum the radius of 24 neighbours. Molecules: 1.2 times the distance below which
            99 % of the distances are, at most 6. --cutoff replaces it.
  Rc_ang    Rc_rad, or the radius of 50 neighbours on average if that is smaller
  Rs0       just below the shortest distance (Rs0_rad) and the smallest mean of two distances at
            one atom (Rs0_ang), rounded down to 0.1
  numbers   --size small: 10 radial, 3 x 6 angular; medium: 16, 4 x 8; large: 24, 8 x 8
  eta, zeta so that neighbouring functions overlap by 0.7, exp(-eta d^2 / 2) = 0.7 for centres
            at a distance d: they cross at 84 % of their height

It is a start for the first network, not an optimum: vary the cutoff and the size."""
EPILOG = "example: panna_gvect_suggest -i examples -o gvect.ini --plot resolution.pdf"


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_gvect_suggest; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    from panna.tools.sampling import add_sampling

    parser = program_parser("panna_gvect_suggest", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", required=True, metavar="DIR", type=Path, help="folder of .example files"
    )
    parser.add_argument(
        "-o", "--output", metavar="INI", type=Path,
        help="write the ini file, too; another file that is there is not replaced",
    )  # fmt: skip
    parser.add_argument(
        "--plot", metavar="PICTURE", type=Path,
        help="what it resolves, as by panna_gvect_param_check: .png, .pdf or .svg",
    )  # fmt: skip
    parser.add_argument("--cutoff", type=_length, metavar="R", help="Rc_rad in angstrom")
    parser.add_argument(
        "--size", choices=("small", "medium", "large"), default="medium", help="default: medium"
    )
    add_sampling(parser)
    return parser.parse_args(argv)


def _length(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.5 <= value <= 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length from 0.5 to 20 angstrom")
    return value


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    from panna.insight.picture import check_picture, check_target

    if args.plot is not None:
        check_picture(args.plot)
    if args.output is not None:
        check_target(args.output)
    from panna.frames.example_folder import list_examples
    from panna.insight import suggestion as rule
    from panna.insight.geometry import Angles, Distances, Geometry
    from panna.insight.sample import Sample

    sample = Sample(list_examples(args.input), args.frames, args.seed)
    say("Parameters of an mBP descriptor")
    say_facts([("data", f"{args.input}, {sample}")])
    left_out = LeftOut()
    species = rule.species_order(_species(sample, left_out, args.input))
    distances = Distances(species, max(rule.SEARCH_RADIUS, args.cutoff or 0.0))
    _collect(sample, distances, "distances", left_out)
    rc_rad = rule.radial_cutoff(distances, args.cutoff)
    rc_ang = rule.angular_cutoff(distances, rc_rad.value)
    angles = Angles(species, rc_ang.value, args.seed)
    _collect(sample, angles, "angles")
    found = rule.suggestion(distances, angles.shortest_mean, rc_rad, rc_ang, args.size)
    folders = {"input_json_dir": str(args.input), "output_gvect_dir": "bin", "log_dir": "."}
    ini = found.ini(folders)
    parameters = _read_back(ini, args.input)
    _say_choice(found, distances, parameters)
    say(ini)
    from panna.tools.gvect_param_check import say_resolution

    seen = Geometry(distances.up_to(rc_rad.value), angles)
    say_resolution(parameters, seen)
    say()
    if args.output is not None:
        _write(args.output, ini)
    if args.plot is not None:
        from panna.insight.resolution_plot import draw_resolution

        draw_resolution(args.plot, f"mBP suggested for {args.input.name}", parameters, seen)
        say(f"written: {args.plot}")
    left_out.say_reasons(counted(left_out.count, "frame"))
    if len(sample) < sample.available:
        say(
            f"note: {', '.join(species)} are the species of the sample; add others if there are any"
        )
    name = args.output or "gvect.ini"
    say(f"Next: panna_gvect_calculator --config {name}")
    return 2 if left_out.count else 0


def _species(sample, left_out: LeftOut, folder: Path) -> set[str]:
    """The symbols of the sample; reports what cannot be read."""
    from panna.insight.sample import Unread

    symbols: set[str] = set()
    with Progress(len(sample), "species", "frames") as progress:
        for item in sample:
            progress.advance()
            if isinstance(item, Unread):
                left_out.add(str(item.path), item.reason)
            else:
                symbols.update(item.species)
    if not symbols:
        raise FrameError(f"{folder}: none of its frames can be used")
    return symbols


def _collect(sample, into, label: str, left_out: LeftOut | None = None) -> None:
    """Adds the frames to distances or angles; what fails is reported if left_out is given."""
    from panna.insight.sample import Unread

    with Progress(len(sample), label, "frames") as progress:
        for item in sample:
            progress.advance()
            if isinstance(item, Unread):
                continue
            try:
                into.add(item)
            except FrameError as error:
                if left_out is not None:
                    left_out.add(item.name, str(error))


def _say_choice(found, distances, parameters) -> None:
    choices = {
        "Rc_rad": found.rc_rad,
        "Rc_ang": found.rc_ang,
        "Rs0_rad": found.rs0_rad,
        "Rs0_ang": found.rs0_ang,
    }
    say()
    say_facts(
        [
            ("frames", str(distances.frames)),
            *((name, f"{choice.value:g}: {choice.reason}") for name, choice in choices.items()),
            ("components", f"{parameters.size} for each atom"),
        ]
    )
    say()


def _read_back(ini: str, examples: Path):
    """The descriptor as panna_gvect_calculator reads it from the text."""
    from panna.descriptors.configured import parameters_from
    from panna.insight.suggestion import read_back

    config = read_back(ini)
    if config["IO_INFORMATION"]["input_json_dir"] != examples:
        raise FileError(
            f"{examples}: an ini file cannot hold this path (a # or ; after a blank begins a "
            "comment); rename the folder"
        )
    return parameters_from(config)


def _write(path: Path, ini: str) -> None:
    """Writes the ini file; one that is there may have been written by hand."""
    from panna.files import atomic_write

    if path.exists() and path.read_bytes() != ini.encode():
        raise FileError(
            f"{path}: there already, with another content; choose another name or remove it"
        )
    with atomic_write(path) as file:
        file.write(ini)
    say(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
