"""panna_gvect_param_check: what the parameters of a descriptor resolve, as numbers and picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import config_parser
from panna.console import LeftOut, Progress, say, say_facts, say_notes, table
from panna.errors import FrameError, run_program
from panna.text import counted

if TYPE_CHECKING:
    from panna.insight.geometry import Geometry

DESCRIPTION = """\
Draw the functions of a descriptor: the radial ones over the distance with the cutoff, the angular
ones over the angle, the angular-radial ones over the mean distance; BP and mBP. They are the same
for all species. With --data, the distances and angles of these frames are behind them, in one row
for each species at the centre; angles count as the descriptor sees them, fc(r_ij) fc(r_ik).

Prints spacing against width (full width at half maximum), overlap of neighbouring functions
(1: the same, 0: apart; without the cutoff), what no function covers (their sum is below a tenth of
its maximum), and warnings."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_gvect_param_check; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    from panna.tools.sampling import add_sampling

    parser = config_parser(
        "panna_gvect_param_check",
        DESCRIPTION,
        "example: panna_gvect_param_check --config gvect.ini --data examples -o resolution.pdf",
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="folder of .example files to compare with"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="PICTURE", type=Path,
        help=".png, .pdf or .svg",
    )  # fmt: skip
    add_sampling(parser)
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    from panna.insight.picture import check_picture

    check_picture(args.output)
    from panna.config.gvect import GVECT
    from panna.config.reader import read_config
    from panna.descriptors.configured import parameters_from
    from panna.descriptors.summary import rows as descriptor_rows

    config = read_config(args.config, GVECT)
    parameters = parameters_from(config)
    say("Resolution of a descriptor")
    say_facts([("configuration", str(config.path)), *descriptor_rows(parameters)])
    left_out, geometry = LeftOut(), None
    if args.data is not None:
        geometry = _geometry(args, parameters, left_out)
    say()
    say_resolution(parameters, geometry)
    from panna.insight.resolution_plot import draw_resolution

    draw_resolution(args.output, f"{parameters.type} of {config.path.name}", parameters, geometry)
    say()
    say(f"written: {args.output}")
    left_out.say_reasons(counted(left_out.count, "frame"))
    say("Next: panna_gvect_calculator --config " + str(config.path))
    return 2 if left_out.count else 0


def _geometry(args: argparse.Namespace, parameters, left_out: LeftOut) -> Geometry:
    from panna.frames.example_folder import list_examples
    from panna.insight.geometry import Geometry
    from panna.insight.sample import Sample, Unread

    sample = Sample(list_examples(args.data), args.frames, args.seed)
    say_facts([("data", f"{args.data}, {sample}")])
    found = Geometry.within(parameters.species, parameters.rc_rad, parameters.rc_ang, args.seed)
    with Progress(len(sample), "reading", "frames") as progress:
        for item in sample:
            progress.advance()
            if isinstance(item, Unread):
                left_out.add(str(item.path), item.reason)
                continue
            try:
                found.add(item)
            except FrameError as error:
                left_out.add(str(args.data / f"{item.name}.example"), str(error))
    if not found.distances.frames:
        raise FrameError(f"{args.data}: none of its frames can be used")
    return found


def say_resolution(parameters, geometry: Geometry | None) -> None:
    """Print the numbers, what is not covered, and the warnings."""
    from panna.insight.curves import curves
    from panna.insight.resolution import HEADERS, gap_lines, resolution, rows, warnings

    functions = curves(parameters)
    found = resolution(functions)
    say(table(HEADERS, rows(found)))
    if geometry is not None:
        say_facts([("shortest distance", f"{geometry.distances.shortest:.3g} angstrom")])
    say_notes(gap_lines(found))
    for warning in warnings(functions, geometry):
        say(f"warning: {warning}")


if __name__ == "__main__":
    sys.exit(main())
