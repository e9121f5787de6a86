"""panna_gvect_calculator: a folder of .example files to a folder of .bin files."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.config.gvect import GVECT, pbc_from
from panna.config.reader import Config, read_config
from panna.console import Progress, counted, say, say_facts
from panna.errors import run_program
from panna.files import make_folder

if TYPE_CHECKING:
    from panna.storage.calculate import Calculation, Worklist
    from panna.storage.calculate import Outcome as ExampleOutcome
    from panna.storage.survey import Survey

SHOWN_FAILURES = 10

DESCRIPTION = """\
Compute the descriptors of all .example files of a folder, one .bin file for each.

Files that are there already and belong to the same example and the same parameters are kept, so an
interrupted calculation continues where it was. An example that cannot be used is reported and left
out; the exit code is then 2."""


@dataclass(frozen=True)
class Folders:
    """Where the files are."""

    examples: Path
    output: Path
    log: Path


@dataclass
class Report:
    """What became of the examples of a run."""

    debug: bool = False
    written: list[Path] = field(default_factory=list)
    atoms: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: ExampleOutcome) -> None:
        """Take one example into account; the first failures are shown in full, at once."""
        self.warnings.update(set(outcome.warnings))
        if not outcome.error:
            self.written.append(outcome.example)
            self.atoms += outcome.n_atoms
            if self.debug:
                say(f"computed: {outcome.example}, {outcome.n_atoms} atoms")
            return
        if self.debug or self.failures.total() < SHOWN_FAILURES:
            say(f"left out: {outcome.error}")
        elif self.failures.total() == SHOWN_FAILURES:
            say("left out: more; their reasons are summed up at the end (--debug shows all)")
        reason = outcome.error.replace(str(outcome.example), "").lstrip(": ")
        reason = reason.replace(outcome.example.name.removesuffix(".example"), "...")
        self.failures[re.sub(r"(?<![\w.])[-+]?\d[\d.]*(e[-+]?\d+)?", "#", reason)] += 1


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_gvect_calculator; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = config_parser("panna_gvect_calculator", DESCRIPTION)
    parser.add_argument(
        "-f", "--folder_info", metavar="DIR", type=Path,
        help="use DIR/examples, DIR/bin and DIR instead of the folders in [IO_INFORMATION]",
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="a line for each example")
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    config = read_config(args.config, GVECT)
    folders = _folders(config, args.folder_info)
    # Imported here so that --help and mistakes in the ini file are answered at once.
    from panna.storage.calculate import compute_all, discard_stale, list_examples, sort_out
    from panna.storage.calculate import write_computed_list as write_list
    from panna.storage.survey import survey

    calculation = _calculation(config, folders)
    examples = list_examples(folders.examples)
    work = sort_out(calculation, examples)
    for folder in (folders.output, folders.log):
        make_folder(folder)
    say(f"Descriptors of the examples in {folders.examples}")
    sample = survey(calculation, work.todo or examples)
    processes = min(config["PARALLELIZATION"]["number_of_process"], _most_processes())
    _say_plan(config, calculation, work, sample, processes)
    discard_stale(work)
    report = Report(args.debug)
    try:
        if work.todo:
            with Progress(len(work.todo), "computing", "examples") as progress:
                for outcome in compute_all(calculation, work.todo, processes):
                    report.add(outcome)
                    failed = report.failures.total()
                    progress.advance(text=f"{failed} left out" if failed else "")
    except KeyboardInterrupt:
        say(f"{counted(len(report.written), 'file')} written; start again to continue from there")
        raise
    finally:
        # Also after an interruption: other programs may want to know what is there.
        write_list(folders.log, [*work.done, *report.written])
    _say_result(folders, work, report, calculation)
    return 2 if report.failures else 0


def _folders(config: Config, folder_info: Path | None) -> Folders:
    if folder_info is not None:
        return Folders(folder_info / "examples", folder_info / "bin", folder_info)
    section = config["IO_INFORMATION"]
    if section["input_json_dir"] is None:
        raise config.error(
            "IO_INFORMATION",
            "input_json_dir",
            "missing; expected the folder of the .example files (or give --folder_info DIR)",
        )
    return Folders(section["input_json_dir"], section["output_gvect_dir"], section["log_dir"])


def _calculation(config: Config, folders: Folders) -> Calculation:
    import json

    from panna.descriptors.configured import parameters_from
    from panna.storage.calculate import Calculation

    section = config["SYMMETRY_FUNCTION"]
    form = "sparse" if section["sparse_derivatives"] else "dense"
    return Calculation(
        descriptor=json.dumps(parameters_from(config).to_dict()),
        output_dir=folders.output,
        derivatives=form if section["include_derivatives"] else "none",
        pbc=pbc_from(config),
        per_atom_energy=config["MISC"]["per_atom_energy"],
    )


def _cores() -> int:
    """Cores that this process may use; a batch system may allow less than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpucounted() or 1


def _most_processes() -> int:
    """More than that would only fill the memory."""
    return max(4, _cores())


# -- report ----------------------------------------------------------------------------------------


def _say_plan(
    config: Config,
    calculation: Calculation,
    work: Worklist,
    sample: Survey | None,
    processes: int,
) -> None:
    from panna.descriptors.summary import rows as descriptor_rows
    from panna.storage.advice import advice
    from panna.storage.survey import readable_bytes

    there = f", {len(work.done)} of them computed already" if work.done else ""
    again = f", {len(work.stale)} again (changed or damaged)" if work.stale else ""
    rows = [
        ("configuration", str(config.path)),
        ("examples", f"{len(work.todo) + len(work.done)}{there}{again}"),
    ]
    if sample is not None:
        rows += sample.rows()
    rows += descriptor_rows(calculation.parameters)
    rows.append(("derivatives", calculation.derivatives))
    if calculation.pbc is not None:
        directions = ", ".join(f"a{i + 1}" for i, on in enumerate(calculation.pbc) if on) or "none"
        rows.append(("periodic along", f"{directions}, for all examples ([PBC])"))
    size = f", about {readable_bytes(sample.bytes)} more" if sample and work.todo else ""
    rows.append(("to", f"{calculation.output_dir}{size}"))
    asked = config["PARALLELIZATION"]["number_of_process"]
    rows.append(("processes", _processes(asked, processes, len(work.todo))))
    say_facts(rows)
    for notice in [*config.notices, *advice(calculation, work, sample)]:
        say(f"note: {notice}")


def _processes(asked: int, used: int, todo: int) -> str:
    cores = _cores()
    if used < asked:
        return f"{used}, not {asked}: there are {cores} cores"
    if used == 1 and cores > 1 and todo > 100:
        return f"1 of {cores} cores; [PARALLELIZATION] number_of_process = {cores} uses all"
    return str(used)


def _say_result(folders: Folders, work: Worklist, report: Report, calculation: Calculation) -> None:
    from panna.storage.survey import readable_bytes

    size = sum(calculation.target(example).stat().st_size for example in report.written)
    say()
    for warning, count in report.warnings.items():
        say(f"warning: {counted(count, 'example')}: {warning}")
    if work.todo:
        content = f"({counted(report.atoms, 'atom')}, {readable_bytes(size)})"
        say(f"{counted(len(report.written), 'file')} {content} written to {folders.output}")
    else:
        say(f"Nothing to do: {counted(len(work.done), 'file')} up to date in {folders.output}")
    if report.failures:
        failed = counted(report.failures.total(), "example")
        say(f"{failed} left out, by reason (numbers as #):")
        for reason, count in report.failures.most_common(10):
            say(f"  {count} x {reason}")
        say("Correct or remove them and start again: what is written is kept.")
    if report.written or work.done:
        say()
        say("Next: panna_tfr_packer --config tfr.ini, where tfr.ini has")
        say(f"  [IO_INFORMATION]       input_dir = {folders.output}")
        if calculation.derivatives != "none":
            say("  [CONTENT_INFORMATION]  include_derivatives = True")
        if calculation.derivatives == "sparse":
            say("                         sparse_derivatives = True")


if __name__ == "__main__":
    sys.exit(main())
