"""panna_gvect_calculator: a folder of .example files to a folder of .bin files."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.config.gvect import GVECT, pbc_from
from panna.config.reader import Config, read_config
from panna.console import LeftOut, Progress, say, say_facts, say_notes
from panna.cores import available_cores
from panna.errors import EXIT_ERROR, PannaError, run_program
from panna.files import make_folder
from panna.storage.mpi_pool import launched, mpi_pool
from panna.text import counted, readable_bytes

if TYPE_CHECKING:
    from panna.storage.calculate import Calculation, Outcome, Worklist
    from panna.storage.forecast import Forecast
    from panna.storage.mpi_pool import MpiPool

DESCRIPTION = """\
Compute the descriptors of all .example files of a folder, one .bin file for each.

Files that are there already and belong to the same example and the same parameters are kept, so an
interrupted calculation continues where it was. An example that cannot be used is reported and left
out; the exit code is then 2.

On many nodes: mpiexec -n N panna_gvect_calculator ... (needs mpi4py); one rank hands out examples,
the others compute, number_of_process then has no effect."""


@dataclass(frozen=True)
class Folders:
    """Where the files are."""

    examples: Path
    output: Path
    log: Path


class Report:
    """What became of the examples of a run."""

    def __init__(self, debug: bool) -> None:
        self.debug = debug
        self.written = self.atoms = self.bytes = 0
        self.left_out = LeftOut(show_all=debug)
        self.warnings: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Take one example into account."""
        example = outcome.example
        self.warnings.update(set(outcome.warnings))
        if outcome.error:
            from panna.frames.example_file import key_of

            reason = outcome.error.replace(str(example), "").lstrip(": ")
            self.left_out.add(str(example), reason.replace(key_of(example), "..."))
            return
        self.written += 1
        self.atoms += outcome.n_atoms
        self.bytes += outcome.n_bytes
        if self.debug:
            say(f"computed: {example}, {outcome.n_atoms} atoms")


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
    size, rank = launched()
    if size == 1:
        return _calculate(argv, None)
    try:
        with mpi_pool() as ranks:
            return 0 if ranks is None else _calculate(argv, ranks)
    except PannaError:
        if rank > 0:
            return EXIT_ERROR  # rank 0 says it
        raise


def _calculate(argv: list[str] | None, ranks: MpiPool | None) -> int:
    args = _arguments(argv)
    config = read_config(args.config, GVECT)
    folders = _folders(config, args.folder_info)
    # Imported here so that --help and mistakes in the ini file are answered at once.
    from panna.frames.example_folder import list_examples
    from panna.storage.calculate import (
        compute_all,
        discard_stale,
        sort_out,
        write_computed_list,
    )
    from panna.storage.forecast import forecast

    calculation = _calculation(config, folders)
    work = sort_out(calculation, list_examples(folders.examples))
    for folder in (folders.output, folders.log):
        make_folder(folder)
    say(f"Descriptors of the examples in {folders.examples}")
    expected = forecast(calculation, work.todo or work.done)
    processes = min(config["PARALLELIZATION"]["number_of_process"], _most_processes())
    workers = (
        f"{counted(ranks.workers, 'rank')} of an MPI run, and one that hands out the examples"
        if ranks
        else _processes(config["PARALLELIZATION"]["number_of_process"], processes, len(work.todo))
    )
    _say_plan(config, calculation, work, expected, workers)
    discard_stale(calculation, work)
    report = Report(args.debug)
    try:
        if work.todo:
            with Progress(len(work.todo), "computing", "examples") as progress:
                for outcome in compute_all(calculation, work.todo, processes, ranks):
                    report.add(outcome)
                    failed = report.left_out.count
                    progress.advance(text=f"{failed} left out" if failed else "")
    except KeyboardInterrupt:
        say(f"{counted(report.written, 'file')} written; start again to continue from there")
        raise
    finally:
        # Also after an interruption: other programs may want to know what is there.
        write_computed_list(folders.log, calculation, work)
    _say_result(folders, work, report, calculation)
    return 2 if report.left_out.count else 0


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
    from panna.descriptors.configured import parameters_from
    from panna.storage.calculate import Calculation

    section = config["SYMMETRY_FUNCTION"]
    form = "sparse" if section["sparse_derivatives"] else "dense"
    return Calculation(
        parameters=parameters_from(config),
        output_dir=folders.output,
        derivatives=form if section["include_derivatives"] else "none",
        pbc=pbc_from(config),
        per_atom_energy=config["MISC"]["per_atom_energy"],
    )


def _most_processes() -> int:
    """More than that would only fill the memory."""
    return max(4, available_cores())


# -- report ----------------------------------------------------------------------------------------


def _say_plan(
    config: Config,
    calculation: Calculation,
    work: Worklist,
    expected: Forecast | None,
    processes: str,
) -> None:
    from panna.descriptors.summary import rows as descriptor_rows
    from panna.storage.forecast import advice

    there = f", {len(work.done)} of them computed already" if work.done else ""
    again = f", {len(work.stale)} again (changed or damaged)" if work.stale else ""
    rows = [
        ("configuration", str(config.path)),
        ("examples", f"{len(work.todo) + len(work.done)}{there}{again}"),
    ]
    if expected is not None:
        rows += expected.rows()
    rows += descriptor_rows(calculation.parameters)
    rows.append(("derivatives", calculation.derivatives))
    if calculation.pbc is not None:
        directions = ", ".join(f"a{i + 1}" for i, on in enumerate(calculation.pbc) if on) or "none"
        rows.append(("periodic along", f"{directions}, for all examples ([PBC])"))
    size = f", about {readable_bytes(expected.bytes)} more" if expected and work.todo else ""
    rows.append(("to", f"{calculation.output_dir}{size}"))
    rows.append(("processes", processes))
    say_facts(rows)
    say_notes([*config.notices, *advice(calculation, work, expected)])


def _processes(asked: int, used: int, todo: int) -> str:
    cores = available_cores()
    if used < asked:
        return f"{used}, not {asked}: there are {cores} cores"
    if used == 1 and cores > 1 and todo > 100:
        return f"1 of {cores} cores; [PARALLELIZATION] number_of_process = {cores} uses all"
    return str(used)


def _say_result(folders: Folders, work: Worklist, report: Report, calculation: Calculation) -> None:
    say()
    for warning, count in report.warnings.items():
        say(f"warning: {counted(count, 'example')}: {warning}")
    if work.todo:
        content = f"({counted(report.atoms, 'atom')}, {readable_bytes(report.bytes)})"
        say(f"{counted(report.written, 'file')} {content} written to {folders.output}")
    else:
        say(f"Nothing to do: {counted(len(work.done), 'file')} up to date in {folders.output}")
    report.left_out.say_reasons(counted(report.left_out.count, "example"))
    if report.left_out.count:
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
