"""What the table of a training says about its end: overfitting, and whether it had ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.training.history import TRAIN, VALIDATION, History

ENERGY, FORCE = "energy_rmse_eV_per_atom", "force_rmse_eV_per_angstrom"
LAST_PART = 0.2  # of the epochs
FEWEST = 10  # epochs; fewer have no course


@dataclass(frozen=True)
class Overfit:
    """RMSE of the validation set over that of the training set, in the worse of two epochs: the
    best one and the last one, as either may have become the potential.

    best: whether it is the best epoch.
    """

    ratio: float
    epoch: int
    best: bool


def overfitting(history: History, column: str) -> Overfit | None:
    """None if one of the two is not known; column: ENERGY or FORCE."""
    if history.best is None:
        return None
    train, validation = history.of(TRAIN, column), history.of(VALIDATION, column)
    found = []
    # The validation set need not be looked at in every epoch.
    last = int(np.flatnonzero(np.isfinite(history.of(VALIDATION, "loss")))[-1])
    for row in (history.best, last):
        if train[row] > 0 and np.isfinite(validation[row]):
            epoch = int(history.columns["epoch"][row])
            found.append(Overfit(float(validation[row] / train[row]), epoch, row == history.best))
    return max(found, key=lambda one: one.ratio, default=None)


def still_falling(history: History) -> float | None:
    """By how many per cent the best loss of the last fifth of the epochs is below that before.

    The loss of the validation set, or of the training set where there is none. 0 if it has not
    become better; None of fewer than FEWEST epochs.
    """
    loss = history.of(VALIDATION if history.validated else TRAIN, "loss")
    epochs = history.columns["epoch"]
    known = np.isfinite(loss)
    if known.sum() < FEWEST:
        return None
    late = epochs > epochs[-1] - LAST_PART * (epochs[-1] - epochs[0])
    if not (known & late).any() or not (known & ~late).any():
        return None
    before, after = loss[known & ~late].min(), loss[known & late].min()
    return float(100 * max(0.0, before - after) / before) if before > 0 else 0.0
