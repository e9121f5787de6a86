"""The course of the training: losses and errors over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from panna.errors import PannaError
from panna.report.content import Fact, Plot, Table, numbers
from panna.report.level import Level
from panna.report.svg import svg
from panna.training.history import TRAIN, VALIDATION, History, find_tables, labels_of, read_history
from panna.training.history_plot import DEFAULT, figure_of_panels, panels
from panna.validation.course import ENERGY, FEWEST, FORCE, overfitting, still_falling
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.subject import Subject

WANTED = "give [IO_INFORMATION] train_dir, the folder of the training"
OVERFIT = (
    "The network knows its training set by heart: add frames to the training set, or train a "
    "smaller network or with regularisation (wscale_l2)."
)
TAKE_BEST = "Take the weights of the best epoch: panna_extract_weights with step_number = best. "
LONGER = (
    "Train longer (max_steps), so that the learning rate falls more slowly, and validate again."
)


@section(
    "learning",
    "Course of the training",
    "Errors of the training set are means over an epoch in which the weights change, those of the "
    "validation set belong to its end. The best epoch is that of the smallest validation loss. "
    "Overfitting is judged in the best and in the last epoch, and the worse one is named.",
)
def learning(subject: Subject) -> Content:
    """Losses, RMSE and learning rate over the epochs."""
    folder = subject.config["IO_INFORMATION"]["train_dir"]
    if folder is None:
        raise NotPossible(f"no training is given; {WANTED}")
    histories, unusable = _histories(folder)
    found = [one for history in histories for one in _judgements(subject, history, histories)]
    found += [
        Judgement(Level.DOUBTFUL, f"A training cannot be read: {reason}.", "Mend or remove it.")
        for reason in unusable
    ]
    facts = [Fact("trainings", "trainings", len(histories))]
    if len(histories) == 1:
        facts += _facts(histories[0])
    return Content(
        facts,
        [Table("trainings", "Best and last epochs", HEADERS, _rows(histories))],
        [_plot(histories)],
        found,
        {"trainings": [_data(history) for history in histories]},
    )


def _histories(folder: Path) -> tuple[list[History], list[str]]:
    """Those of a training, or of the members of a committee, and what cannot be read."""
    try:
        tables = find_tables(folder)
    except PannaError as error:
        raise NotPossible(str(error)) from error
    histories, unusable = [], []
    for path, label in zip(tables, labels_of(tables), strict=True):
        try:
            histories.append(read_history(path, label))
        except PannaError as error:
            unusable.append(str(error))
    if not histories:
        raise NotPossible(unusable[0])
    return histories, unusable


HEADERS = ("training", "which", "epoch", "learning rate", "training loss", "validation loss",
           "energy, training (meV/atom)", "energy, validation (meV/atom)",
           "forces, training (eV/Å)", "forces, validation (eV/Å)")  # fmt: skip


def _rows(histories: Sequence[History]) -> list[list]:
    rows = []
    for history in histories:
        last = history.rows - 1
        chosen = {"best": history.best, "last": last}
        rows += [_row(history, name, k) for name, k in chosen.items() if k is not None]
    return rows


def _row(history: History, which: str, k: int) -> list:
    row = [history.label, which, int(history.columns["epoch"][k])]
    row.append(float(history.columns["learning_rate"][k]))
    for column, factor in (("loss", 1.0), (ENERGY, 1e3), (FORCE, 1.0)):
        row += numbers(factor * _pair(history, column, k))
    return row


def _pair(history: History, column: str, k: int) -> np.ndarray:
    """(2,) training and validation set."""
    return np.array([history.of(data, column)[k] for data in (TRAIN, VALIDATION)])


def _facts(history: History) -> list[Fact]:
    facts = [Fact("epochs", "epochs", int(history.columns["epoch"][-1]))]
    if history.best is None:
        return facts
    energy, force = _pair(history, ENERGY, history.best), _pair(history, FORCE, history.best)
    return [
        *facts,
        Fact("best_epoch", "best epoch", int(history.columns["epoch"][history.best])),
        Fact("best_energy_rmse", "its RMSE of the energies, validation set",
             numbers(1e3 * energy)[1], "meV/atom"),
        Fact("best_force_rmse", "its RMSE of the forces, validation set",
             numbers(force)[1], "eV/Å"),
    ]  # fmt: skip


def _plot(histories: Sequence[History]) -> Plot:
    shown = panels(histories, DEFAULT)
    drawn = svg("learning", lambda: figure_of_panels(shown))
    return Plot(drawn, "Losses, RMSE and learning rate over the epochs.")


def _judgements(
    subject: Subject, history: History, histories: Sequence[History]
) -> list[Judgement]:
    name = f" ({history.label})" if len(histories) > 1 else ""
    found = []
    if not history.validated:
        found.append(
            Judgement(
                Level.DOUBTFUL,
                f"There was no validation set{name}: overfitting cannot be seen.",
                "Set frames aside with validation_fraction of panna_tfr_packer, and name them in "
                "[VALIDATION_OPTIONS] data_dir of the training.",
            )
        )
    for column, what in ((ENERGY, "energies"), (FORCE, "forces")):
        if one := overfitting(history, column):
            which = "best" if one.best else "last"
            text = (
                f"RMSE of the {what} of the validation set over that of the training set in the "
                f"{which} epoch, {one.epoch}{name}"
            )
            advice = OVERFIT if one.best else TAKE_BEST + OVERFIT
            found.append(subject.judge("overfitting", one.ratio, text, advice))
    falling = still_falling(history)
    if falling is None:
        text = f"Fewer than {FEWEST} epochs{name}: whether the training had ended is not known."
        found.append(Judgement(Level.DOUBTFUL, text, LONGER))
    else:
        data = "validation" if history.validated else "training"
        text = f"Fall of the best {data} loss in the last fifth of the epochs{name}"
        found.append(subject.judge("still_falling", falling, text, LONGER))
    return found


def _data(history: History) -> dict:
    columns = {name: numbers(values) for name, values in history.columns.items()}
    return {"label": history.label, "columns": columns}
