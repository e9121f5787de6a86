"""panna_evaluate: errors of networks on structures with known energies and forces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.console import Progress, say, say_facts, say_notes
from panna.errors import run_program
from panna.files import make_folder
from panna.text import listed

if TYPE_CHECKING:
    from panna.config.reader import Config
    from panna.evaluation.committee import Committee, MemberSpread
    from panna.evaluation.errors import Predictions, References, Statistics
    from panna.evaluation.networks import NamedNetwork
    from panna.evaluation.structures import StructureSet

DESCRIPTION = """\
Evaluate trained networks on structures with known energies and forces: RMSE, MAE and largest error
on the screen and in summary.json, all numbers in <step>.dat and <step>_forces.dat, parity plots.
Of a committee the members, their mean and their standard deviation."""

EPILOG = """\
example of an ini file:
  [IO_INFORMATION]
  data_dir = examples/test
  example_format = examples        # or TFR (*.tfrecord), single_files (*.bin)
  train_dir = train
  eval_dir = evaluation
  [VALIDATION_OPTIONS]
  compute_forces = True
  step_number = best               # a step, -1 for the last, a list; all checkpoints if absent"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_evaluate; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = config_parser("panna_evaluate", DESCRIPTION, EPILOG)
    parser.add_argument("--debug", action="store_true", help="accepted, as in PANNA; no effect")
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> None:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.config.evaluate import EVALUATE
    from panna.config.reader import read_config

    config = read_config(args.config, EVALUATE)
    say_notes(config.notices)

    from panna.evaluation.committee import committees
    from panna.evaluation.setup import open_data, open_networks
    from panna.evaluation.summary import SUMMARY, write_summary

    networks = open_networks(config)
    data = open_data(config, networks)
    eval_dir = config["IO_INFORMATION"]["eval_dir"]
    make_folder(eval_dir)
    _say_plan(config, networks, data)
    references, predictions = _evaluate(config, networks, data)
    found = committees(networks, predictions)
    statistics, files = _write_networks(config, eval_dir, networks, references, predictions)
    means, spreads, entries = _write_committees(config, eval_dir, references, found)
    write_summary(eval_dir / SUMMARY, data, references, networks, statistics, files, entries)
    if found:
        both = [*(committee.network for committee in found), *networks]
        _say_errors(both, [*means, *statistics], len(found))
        _say_spreads(found, spreads, means)
    else:
        _say_errors(networks, statistics, len(networks))
    say(f"\nWritten to {eval_dir}: summary.json and, for each network, numbers and plots")
    if found:
        say("  the same for the mean of the members; standard deviations in *_std.dat, *spread.png")


def _evaluate(
    config: Config, networks: list[NamedNetwork], data: StructureSet
) -> tuple[References, list[Predictions]]:
    import warnings

    from panna.evaluation.errors import gather
    from panna.evaluation.predict import predict

    forces = config["VALIDATION_OPTIONS"]["compute_forces"]
    threads = config["PARALLELIZATION"]["number_of_process"] or 0

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Progress(len(data), "evaluating", "structures") as progress:
            results = gather(progress.track(predict(networks, data, forces, threads)))
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        say(f"warning: {text}")
    return results


def _write_networks(
    config: Config,
    eval_dir: Path,
    networks: list[NamedNetwork],
    references: References,
    predictions: list[Predictions],
) -> tuple[list[Statistics], list[list[Path]]]:
    from panna.evaluation.errors import Statistics
    from panna.evaluation.summary import write_network

    options = config["VALIDATION_OPTIONS"]
    statistics, files = [], []
    with Progress(len(networks), "writing", "networks") as progress:
        for network, predicted in zip(networks, predictions, strict=True):
            statistics.append(Statistics.of(references, predicted, network.model.species))
            folder = eval_dir / network.member
            make_folder(folder)
            files.append(
                write_network(
                    folder,
                    network,
                    references,
                    predicted,
                    add_offset=options["add_offset"],
                    plots=options["plots"],
                )
            )
            progress.advance()
    return statistics, files


def _write_committees(
    config: Config,
    eval_dir: Path,
    references: References,
    found: list[Committee],
) -> tuple[list[Statistics], list[MemberSpread], list[dict[str, Any]]]:
    """Errors of the means, spreads, and entries of the summary."""
    from panna.evaluation.committee import MemberSpread
    from panna.evaluation.errors import Statistics
    from panna.evaluation.summary import committee_entry, write_committee

    options = config["VALIDATION_OPTIONS"]
    means, spreads, entries = [], [], []
    for committee in found:
        species = committee.network.model.species
        means.append(Statistics.of(references, committee.mean, species))
        spreads.append(MemberSpread.of(references, committee))
        written = write_committee(
            eval_dir, references, committee, options["add_offset"], options["plots"]
        )
        entries.append(committee_entry(committee, means[-1], spreads[-1], written))
    return means, spreads, entries


def _say_plan(config: Config, networks: list[NamedNetwork], data: StructureSet) -> None:
    io = config["IO_INFORMATION"]
    shown = listed([network.title for network in networks])
    source = io["train_dir"] if io["networks_format"] == "checkpoint" else io["networks_folder"]
    say(f"Errors of networks on the structures in {data.directory}")
    say_facts(
        [
            ("configuration", str(config.path)),
            ("networks", f"{source} ({io['networks_format']}): {shown}"),
            ("species", ", ".join(networks[0].model.species)),
            ("structures", f"{len(data)} ({data.form})"),
        ]
    )


def _say_errors(
    networks: list[NamedNetwork], statistics: list[Statistics], candidates: int
) -> None:
    """The table of all, and the details of the best one of the first `candidates`."""
    from panna.evaluation import summary

    say(f"\nErrors: {summary.UNITS}")
    say(summary.error_table(networks, statistics))
    best = min(range(candidates), key=lambda k: _energy_rmse(statistics[k]))
    chosen = statistics[best]
    if candidates > 1:
        say(f"\nSmallest E RMSE: {networks[best].title}; below, its errors in detail")
    elif len(networks) > 1:
        say(f"\n{networks[best].title}, its errors in detail")
    if chosen.per_atom is None:
        say("The structures have no reference energies")
    else:
        say(f"largest error of an energy: {chosen.worst_energy}")
    if chosen.forces is not None:
        say(f"largest error of a force: {chosen.worst_force}")
    if chosen.extrapolation is not None:
        say(f"atoms outside the range of the training set: {chosen.extrapolation.text()}")
    if chosen.forces is not None:
        say("\n" + summary.species_table(chosen))
    if chosen.groups:
        say("\n" + summary.group_table(chosen))


def _say_spreads(
    found: list[Committee], spreads: list[MemberSpread], means: list[Statistics]
) -> None:
    from panna.evaluation.committee import largest_table, spread_table

    say("\nSpread (standard deviation of the members) and error of the mean, root mean squares:")
    say(spread_table(found, spreads))
    best = min(range(len(means)), key=lambda k: _energy_rmse(means[k]))
    say(f"\nLargest spread, {found[best].network.title}; E per atom in meV/atom, F in eV/angstrom")
    say(largest_table(spreads[best]))


def _energy_rmse(statistics: Statistics) -> float:
    return statistics.per_atom.rmse if statistics.per_atom is not None else float("inf")


if __name__ == "__main__":
    sys.exit(main())
