"""panna_data_doctor: what is in a folder of .example files, and what in it is suspicious."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import Progress, say, say_facts, table
from panna.doctor.thresholds import Thresholds
from panna.errors import run_program
from panna.files import atomic_write, check_can_be_written
from panna.text import counted

if TYPE_CHECKING:
    from panna.doctor.findings import Outcome
    from panna.doctor.report import Report
    from panna.listing import Listing

DESCRIPTION = """\
Look through a folder of .example files before training on it: contents, compositions, reference
energies, duplicates, distances, energies, forces, forces against energies, cells and stress.

Writes one HTML page that needs no network, with plots, a verdict for each section (good, doubtful,
bad) and the suspicious frames; beside it a JSON file of all numbers."""

EPILOG = """\
The exit code is 0 if all files could be read, whatever the verdict; 2 otherwise.
example: panna_data_doctor -i examples -o report.html"""

SHOWN = 3  # findings of a check on the screen
SHOWN_FILES = 10


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_data_doctor; returns the exit code."""
    return run_program(_run, argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.doctor.page import page
    from panna.doctor.report import make_report
    from panna.doctor.statistics import Collector
    from panna.frames.example_folder import list_examples

    thresholds = Thresholds(**{one.name: getattr(args, one.name) for one in fields(Thresholds)})
    page_file, numbers_file = args.output, args.output.with_suffix(".json")
    check_can_be_written(page_file)
    examples = list_examples(args.input)
    _say_plan(examples, page_file, numbers_file)
    collector = Collector(examples, thresholds.step)
    with Progress(len(examples), "reading", "files") as progress:
        for number in progress.track(range(len(examples))):
            collector.add(number)
    statistics = collector.finish()
    say("checking and drawing")
    report = make_report(statistics, thresholds)
    with atomic_write(numbers_file) as file:
        report.write_json(file)
    with atomic_write(page_file) as file:
        file.writelines(page(report))
    _say_result(report, page_file, numbers_file)
    return 2 if statistics.unreadable else 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_data_doctor", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", "--indir", required=True, metavar="DIR", type=Path,
        help="folder of .example files",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="REPORT.html", type=_page,
        help="the page; the numbers go to REPORT.json",
    )  # fmt: skip
    group = parser.add_argument_group("thresholds")
    for one in fields(Thresholds):
        unit = f", {one.metadata['unit']}" if one.metadata["unit"] else ""
        group.add_argument(
            "--" + one.name.replace("_", "-"), type=_positive, metavar="X", default=one.default,
            help=f"{one.metadata['help']} (default {one.default:g}{unit})",
        )  # fmt: skip
    return parser.parse_args(argv)


def _page(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .html")
    return path


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def _say_plan(examples: Listing, page_file: Path, numbers_file: Path) -> None:
    say("Looking for what is suspicious in a folder of examples")
    say_facts(
        [
            ("from", f"{counted(len(examples), 'file')} in {examples.folder}"),
            ("to", f"{page_file}, numbers to {numbers_file}"),
        ]
    )


def _say_result(report: Report, page_file: Path, numbers_file: Path) -> None:
    from panna.report.level import Level

    statistics = report.statistics
    for name, reason in statistics.unreadable[:SHOWN_FILES]:
        say(f"left out: {statistics.examples.folder / name}: {reason}")
    if len(statistics.unreadable) > SHOWN_FILES:
        say(f"left out: {len(statistics.unreadable) - SHOWN_FILES} more, named in the report")
    say()
    rows = [[section.title, section.level.verdict, section.findings] for section in report.sections]
    say(table(["section", "verdict", "findings"], rows))
    for section in report.sections:
        for outcome in section.outcomes:
            if outcome.level > Level.NOTE:
                _say_findings(outcome)
    say()
    say(f"Verdict: {report.level.verdict}; {counted(len(report.frames), 'suspicious frame')}")
    say(f"Written: {page_file} (open it in a browser) and {numbers_file}")
    if report.level.verdict == "good":
        folder = statistics.examples.folder
        say(f"Next: panna_gvect_calculator on input_json_dir = {folder}")


def _say_findings(outcome: Outcome) -> None:
    say()
    say(f"{outcome.level.verdict}: {outcome.check.what} ({len(outcome.findings)})")
    for finding in outcome.findings[:SHOWN]:
        say(f"  {finding.where}: {finding.text} (threshold: {finding.threshold})")
    if len(outcome.findings) > SHOWN:
        say(f"  {len(outcome.findings) - SHOWN} more in the report")
    say(f"  -> {outcome.check.advice}")


if __name__ == "__main__":
    sys.exit(main())
