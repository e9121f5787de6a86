"""panna_learning_curve: errors on a test set over the size of the training set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.console import Progress, say, say_facts, say_notes
from panna.errors import run_program
from panna.files import only_writer
from panna.text import counted

if TYPE_CHECKING:
    from panna.config.reader import Config
    from panna.curves.data import CurveData
    from panna.curves.plan import Recipe
    from panna.curves.results import ResultTable

DESCRIPTION = """\
Train networks on random sets of several sizes and test all of them on one test set: the table
learning_curve.csv, means with 95 % confidence intervals, power laws, a log-log plot.

What is finished stays in the table; a run that was stopped continues with the same command."""

EPILOG = """\
example of an ini file:
  [IO_INFORMATION]
  train_ini = train.ini            # of panna_train: how to train, and on frames of which set
  test_dir = tfr/test
  output_dir = curve
  [LEARNING_CURVE]
  sizes = 100, 250, 500, 1000
  seeds = 5
  modes = energies, energies_forces
  error = MAE
  force_references = sGDML:100:0.0554, sGDML:200:0.0365"""

PLOT = "learning_curve.png"


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_learning_curve; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = config_parser("panna_learning_curve", DESCRIPTION, EPILOG)
    parser.add_argument("--debug", action="store_true", help="show the messages of TensorFlow")
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.config.learning_curve import LEARNING_CURVE
    from panna.config.reader import read_config
    from panna.config.train import TRAIN
    from panna.training.tensorflow_setup import prepare_tensorflow

    config = read_config(args.config, LEARNING_CURVE)
    template = read_config(config["IO_INFORMATION"]["train_ini"], TRAIN)
    say_notes([*config.notices, *template.notices])
    pipeline = template["PARALLELIZATION"]
    threads = [pipeline[f"{which}_op_parallelism_threads"] for which in ("inter", "intra")]
    prepare_tensorflow(args.debug, *threads, device=pipeline["device"])

    from panna.curves.data import open_curve_data
    from panna.curves.plan import recipes
    from panna.curves.results import TABLE, ResultTable

    output_dir = config["IO_INFORMATION"]["output_dir"]
    with only_writer(output_dir, "panna_learning_curve"):
        data = open_curve_data(config, template)
        planned = recipes(config, template, data.files)
        results = ResultTable(output_dir / TABLE)
        todo = [recipe for recipe in planned if not results.finished(recipe)]
        _say_plan(config, template, data, planned, todo)
        signal = _measure(config, template, data, todo, results)
        if signal is not None:
            say(f"Stopped after {len(results.of(planned))} of {len(planned)} trainings.")
            say("The same command continues.")
            return 128 + signal
        _say_result(config, results, planned)
    return 0


def _say_plan(
    config: Config,
    template: Config,
    data: CurveData,
    planned: Sequence[Recipe],
    todo: Sequence[Recipe],
) -> None:
    from panna.curves.plan import words

    io, curve = config["IO_INFORMATION"], config["LEARNING_CURVE"]
    validation = template["VALIDATION_OPTIONS"]["data_dir"]
    steps = sorted({recipe.steps for recipe in planned})
    count = f"{steps[0]} steps" if len(steps) == 1 else f"{steps[0]} to {steps[-1]} steps"
    say(f"Learning curve of the frames in {template['IO_INFORMATION']['data_dir']}")
    rows = [
        ("configuration", f"{config.path}; trainings as in {template.path}"),
        ("frames", f"{data.n_frames}; drawn: {', '.join(map(str, sorted(curve['sizes'])))}"),
        ("trained on", ", ".join(words(mode) for mode in curve["modes"])),
        ("seeds", f"{curve['seeds']} for each point"),
        ("trainings", f"{len(planned)} of {count}"),
        ("validation set", "none" if validation is None else f"{validation}, the same for all"),
        ("test set", f"{counted(len(data.structures), 'frame')} in {io['test_dir']}"),
        ("to", str(io["output_dir"])),
    ]
    if len(todo) < len(planned):
        rows.append(
            ("continued", f"{counted(len(planned) - len(todo), 'training')} finished before")
        )
    say_facts(rows)
    for warning in data.warnings:
        say(f"warning: {warning}")


def _measure(
    config: Config,
    template: Config,
    data: CurveData,
    todo: Sequence[Recipe],
    results: ResultTable,
) -> int | None:
    """Does what is left to do; the number of the signal if one asked to stop."""
    from panna.curves.point import Stopped, Test, measure
    from panna.curves.report import line

    if not todo:
        return None
    curve = config["LEARNING_CURVE"]
    test = Test(
        data.structures,
        -1 if curve["step_number"] == "last" else "best",
        template["PARALLELIZATION"]["intra_op_parallelism_threads"],
    )
    with Progress(sum(recipe.steps for recipe in todo), "training", "steps") as progress:
        for recipe in todo:

            def report(steps: int, text: str, point: str = str(recipe.point)) -> None:
                progress.advance(steps, f"{point}, {text}" if text else point)

            try:
                result = measure(recipe, test, report)
            except Stopped as stopped:
                return stopped.signal
            results.add(result)
            say(line(result, curve["energy"]))
    return None


def _say_result(config: Config, results: ResultTable, planned: Sequence[Recipe]) -> None:
    # Imported here: matplotlib costs half a second.
    from panna.curves import plot
    from panna.curves.report import power_laws, quantities, summary

    curve, output_dir = config["LEARNING_CURVE"], config["IO_INFORMATION"]["output_dir"]
    rows = sorted(results.of(planned), key=lambda r: (curve["modes"].index(r.mode), r.size, r.seed))
    say("\nErrors on the test set; mean ± 95 % confidence interval of the mean, over the seeds")
    say(summary(rows, curve["energy"]))
    if laws := power_laws(rows, curve["energy"]):
        say("\nPower laws over the number of frames N; ± 95 % confidence interval")
        say(laws)
    shown = [q for q in quantities(curve["energy"]) if q.title.endswith(curve["error"])]
    references = [curve["energy_references"], curve["force_references"]]
    title = f"errors on the test set, {counted(curve['seeds'], 'seed')}"
    if curve["seeds"] > 1:
        title += ", bars: 95 % confidence interval of the mean"
    plot.draw(output_dir / PLOT, title, rows, list(zip(shown, references, strict=True)))
    say(f"\nWritten to {output_dir}: {results.path.name}, {PLOT}")
    say(f"  runs/: every training with its train.ini (tensorboard --logdir {output_dir / 'runs'})")


if __name__ == "__main__":
    sys.exit(main())
