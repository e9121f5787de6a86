"""panna_validate: whether a potential can be trusted, as one HTML page and a JSON file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.console import Progress, say, say_facts, say_notes, table
from panna.errors import run_program
from panna.files import atomic_write, check_can_be_written
from panna.text import counted

if TYPE_CHECKING:
    from panna.config.reader import Config
    from panna.listing import Listing
    from panna.validation.report import Report
    from panna.validation.section import Section
    from panna.validation.subject import Subject

DESCRIPTION = """\
Test a potential, or a committee: errors on frames that training has not seen, what the training set
covers, the crystal, pairs of atoms, molecular dynamics. Writes one HTML page that needs no network,
with plots and a verdict for each section (good, doubtful, bad), and a JSON file of all numbers."""

EPILOG = """\
example of an ini file:
  [IO_INFORMATION]
  potential = potential            # as panna_extract_weights has written it
  test_dir = examples/test
  training_dir = examples/train
  train_dir = train
  report = validation.html
  [CRYSTAL]
  structure = diamond Si 5.43      # or a file
  [MD]
  nve_temperatures = 300, 1000

The exit code is 0 if all files could be read, whatever the verdict; 2 otherwise."""


WIDTH = 90  # of the words on the screen


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_validate; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    return config_parser("panna_validate", DESCRIPTION, EPILOG).parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.config.reader import read_config
    from panna.config.validate import TITLES, VALIDATE
    from panna.frames.example_folder import list_examples
    from panna.validation import sections  # noqa: F401, puts all sections on the list
    from panna.validation.page import page
    from panna.validation.report import Report, look
    from panna.validation.section import SECTIONS

    config = read_config(args.config, VALIDATE)
    say_notes(config.notices)
    io = config["IO_INFORMATION"]
    page_file = io["report"]
    check_can_be_written(page_file)
    examples = list_examples(io["test_dir"])
    wanted = [SECTIONS[key] for key in io["sections"] or TITLES]
    subject = _open(config, examples, wanted)
    done = []
    for number, section in enumerate(wanted, 1):
        say(f"{number}/{len(wanted)} {section.title}")
        done.append(look(subject, section))
    report = Report(subject, done)
    numbers_file = page_file.with_suffix(".json")
    with atomic_write(numbers_file) as file:
        report.write_json(file)
    with atomic_write(page_file) as file:
        file.writelines(page(report))
    _say_result(report, page_file, numbers_file)
    return 2 if subject.test.unreadable else 0


def _open(config: Config, examples: Listing, wanted: list[Section]) -> Subject:
    """The potential and its predictions on the test set."""
    from panna.potential.panna_in import read_potential
    from panna.validation.crystals.given import parse_crystal
    from panna.validation.dynamics.given import check_given
    from panna.validation.reference import reference_calculator
    from panna.validation.section import NotPossible
    from panna.validation.subject import Subject, open_potentials
    from panna.validation.test_set import predict

    io = config["IO_INFORMATION"]
    folders, potentials = open_potentials(config)
    offsets = read_potential(folders[0], io["potential_file"])[0].offsets
    species, cutoff = tuple(potentials[0].species), potentials[0].cutoff
    # Mistakes are told before the long work.
    if config["CRYSTAL"]["structure"] is not None:
        parse_crystal(config, species)
    check_given(config, species)
    with suppress(NotPossible):
        reference_calculator(config, species)
    committee = f", a committee of {len(folders)}" if len(folders) > 1 else ""
    say("Testing a potential")
    say_facts(
        [
            ("configuration", str(config.path)),
            ("potential", f"{io['potential']}{committee}"),
            ("species", f"{', '.join(species)}, cutoff {cutoff:g} angstrom"),
            ("test set", f"{counted(len(examples), 'file')} in {io['test_dir']}"),
            ("sections", ", ".join(one.key for one in wanted)),
            ("to", f"{io['report']}, numbers to {io['report'].with_suffix('.json')}"),
        ]
    )
    with Progress(len(examples), "predicting", "frames") as progress:
        test = predict(examples, potentials, offsets, progress.advance)
    return Subject(config, folders, potentials, test, _watch)


@contextmanager
def _watch(total: int, label: str) -> Iterator[Callable[[int], None]]:
    with Progress(total, f"  {label}", "steps") as progress:
        yield progress.advance


def _say_result(report: Report, page_file: Path, numbers_file: Path) -> None:
    rows = [
        [one.section.title, one.verdict, shorten(one.short, WIDTH, placeholder=" ...")]
        for one in report.done
    ]
    say()
    say(table(["section", "verdict", "in short"], rows))
    say(f"\nVerdict: {report.verdict}")
    say(f"Written to {page_file}, and all numbers to {numbers_file}")
    say(f"Look at it in a browser: {page_file}")


if __name__ == "__main__":
    sys.exit(main())
