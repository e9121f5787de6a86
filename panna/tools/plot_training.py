"""panna_plot_training: the course of one or several trainings, as a picture and a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, say, say_facts, table
from panna.errors import FileError, FrameError, PannaError, run_program
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.training.history import History

SHOWN = ("loss", "energy_loss", "force_loss", "energy", "forces", "virial", "learning_rate")
ENDINGS = (".png", ".pdf", ".svg")

DESCRIPTION = """\
Draw losses, errors of energies and forces, and the learning rate of trainings over their epochs,
for training and validation set, on logarithmic axes; print the errors of the best and of the last
model of each. Works while a training runs, and without TensorFlow (reads metrics.csv).

Errors of the training set are means over an epoch in which the weights change; those of the
validation set belong to its end. Losses of trainings with other loss functions cannot be compared,
errors can."""

EPILOG = """\
examples:
  panna_plot_training -i train -o training.png
  panna_plot_training -i runs/small runs/large -o both.pdf --labels 16:16:1 64:64:1 --error MAE
  panna_plot_training -i runs/* -o runs.png --x step --show energy forces"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_plot_training; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_plot_training", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", nargs="+", required=True, metavar="TRAIN_DIR", type=Path,
        help="folders of trainings; of a committee all members are shown",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", type=_picture,
        help="the picture: .png, .pdf or .svg; replaced if it is there",
    )  # fmt: skip
    parser.add_argument(
        "--labels", nargs="+", metavar="TEXT",
        help="names of the trainings, one for each; default: their folders",
    )  # fmt: skip
    parser.add_argument(
        "--show", nargs="+", choices=SHOWN, metavar="WHAT",
        help=f"of {', '.join(SHOWN)}; default: all but the parts of the loss",
    )  # fmt: skip
    parser.add_argument("--error", choices=("RMSE", "MAE"), default="RMSE", help="default: RMSE")
    parser.add_argument(
        "--x", choices=("epoch", "step"), default="epoch", help="horizontal axis; default: epoch"
    )
    parser.add_argument("--log-x", action="store_true", help="logarithmic horizontal axis")
    return parser.parse_args(argv)


def _picture(text: str) -> Path:
    if not text.lower().endswith(ENDINGS):
        raise argparse.ArgumentTypeError(
            f"{text!r} found, a name with {', '.join(ENDINGS)} expected"
        )
    return Path(text)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.training.history_plot import DEFAULT, draw, panels

    if not args.output.parent.is_dir():
        raise FileError(f"{args.output}: folder {args.output.parent} does not exist; create it")
    left_out = LeftOut()
    say("Curves of trainings")
    histories = _histories(args, left_out)
    if not histories:
        raise FileError("no training to show")
    say_facts(
        [
            ("trainings", listed([history.label for history in histories], most=20)),
            ("picture", f"{args.output}, over {args.x}s"),
        ]
    )
    shown = panels(histories, args.show or DEFAULT, args.error, args.x)
    if not shown:
        raise FrameError("the trainings have nothing of what --show asks for")
    draw(args.output, shown, args.x, args.log_x)
    say()
    say("Errors in meV/atom (E) and eV/angstrom (F):")
    say(_table(histories))
    for line in _winners(histories):
        say(line)
    titles = listed([panel.title for panel in shown], most=len(shown))
    say(f"\nWritten to {args.output}: {titles}")
    left_out.say_reasons(counted(left_out.count, "training"))
    return 2 if left_out.count else 0


def _histories(args: argparse.Namespace, left_out: LeftOut) -> list[History]:
    from panna.training.history import find_tables, labels_of, read_history

    found = []
    for folder in args.input:
        try:
            found += find_tables(folder)
        except PannaError as error:
            left_out.add(str(folder), str(error).removeprefix(f"{folder}: "))
    tables = list(dict.fromkeys(found))
    labels = labels_of(tables) if tables else []
    if args.labels is not None:
        if len(args.labels) != len(tables) or len(set(args.labels)) < len(args.labels):
            raise FileError(
                f"--labels: {', '.join(args.labels)} found, {len(tables)} different ones expected, "
                f"for {listed(labels)}"
            )
        labels = args.labels
    histories = []
    for path, label in zip(tables, labels, strict=True):
        try:
            histories.append(read_history(path, label))
        except PannaError as error:
            left_out.add(str(path), str(error).removeprefix(f"{path}").lstrip(":, "))
    return histories


COLUMNS = (
    ("loss", 1.0, ".4g"),
    ("energy_rmse_eV_per_atom", 1e3, ".3f"),
    ("energy_mae_eV_per_atom", 1e3, ".3f"),
    ("force_rmse_eV_per_angstrom", 1.0, ".4f"),
    ("force_mae_eV_per_angstrom", 1.0, ".4f"),
)


def _table(histories: Sequence[History]) -> str:
    """Two or three lines for each training: best and last model, and the last training epoch."""
    rows = []
    for history in histories:
        last = history.rows - 1
        if history.best is not None:
            rows.append(_row(history, "validation, best", "validation", history.best))
            rows.append(_row(history, "validation, last", "validation", last))
        rows.append(_row(history, "training, last", "train", last))
    headers = ["training", "errors", "epoch", "step", "loss", "E RMSE", "E MAE", "F RMSE", "F MAE"]
    return table(headers, rows)


def _row(history: History, what: str, data: str, row: int) -> list[str | None]:
    cells = [history.label, what]
    cells += [f"{history.columns[name][row]:.6g}" for name in ("epoch", "step")]
    for column, factor, digits in COLUMNS:
        value = factor * history.of(data, column)[row]
        cells.append(format(value, digits) if value == value else None)
    return cells


def _winners(histories: Sequence[History]) -> list[str]:
    """Which of several trainings has the smallest errors of the best model."""
    if len(histories) < 2:
        return []
    lines = []
    for name, (column, factor, digits), unit in (
        ("E RMSE", COLUMNS[1], "meV/atom"),
        ("F RMSE", COLUMNS[3], "eV/angstrom"),
    ):
        values = {
            history.label: factor * value
            for history in histories
            if history.best is not None
            and (value := history.of("validation", column)[history.best]) == value
        }
        if len(values) > 1:
            label = min(values, key=values.__getitem__)
            lines.append(
                f"Smallest {name} of a best model: {label}, {values[label]:{digits}} {unit}"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
