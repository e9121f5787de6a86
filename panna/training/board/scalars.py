"""Curves: learning rate, losses, errors and atomic energies.

Losses and errors have the tags of PANNA v2. Those of v1 are used where they mean the same: the
learning rate and the atomic energies of each species. (v1's Energy_RMSE was a standard deviation:
it left out the mean error of the batch.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from panna.training.metrics import Errors

LEARNING_RATE = "learning_rate"
ERRORS = {
    "1. Losses/1. Total": "mean_loss",
    "1. Losses/2. Energy": "mean_energy_loss",
    "1. Losses/3. Forces": "mean_force_loss",
    "1. Losses/4. Regularization": "mean_regularisation",
    "1. Losses/5. Virial": "mean_virial_loss",
    "2. Metrics/1. RMSE/atom": "energy_rmse",
    "2. Metrics/2. MAE/atom": "energy_mae",
    "2. Metrics/3. Force components RMSE": "force_rmse",
    "2. Metrics/4. Force components MAE": "force_mae",
    "2. Metrics/5. Virial RMSE/atom": "virial_rmse",
    "2. Metrics/6. Virial MAE/atom": "virial_mae",
}
OF_FORCES = ("mean_force_loss", "force_rmse", "force_mae")
BATCH_PREFIX = "3. Single batches/"
BEST, LAST = "4. Best model/", "5. Last model/"
RESULTS = {  # the first ones are columns of the table of trainings by default
    "1. energy RMSE (eV per atom)": "energy_rmse",
    "2. force RMSE (eV per Å)": "force_rmse",
    "3. energy MAE (eV per atom)": "energy_mae",
    "4. force MAE (eV per Å)": "force_mae",
    "5. loss": "mean_loss",
}


def learning_rate(value: float) -> list[Summary]:
    """That of the next step."""
    return [scalar_pb(LEARNING_RATE, value)]


def errors(values: Errors, prefix: str = "") -> list[Summary]:
    """Losses, and errors in eV/atom and eV/angstrom."""
    return _curves(ERRORS, values, prefix)


def staleness(values: Sequence[int]) -> list[Summary]:
    """Of the steps of an epoch on parameter servers; nothing elsewhere."""
    if not values:
        return []
    return [
        scalar_pb("6. Staleness of updates/1. Mean", float(np.mean(values))),
        scalar_pb("6. Staleness of updates/2. Largest", float(np.max(values))),
    ]


def result(values: Errors, prefix: str) -> list[Summary]:
    """The errors of a model, BEST or LAST, by which trainings are compared."""
    return _curves(RESULTS, values, prefix)


def atomic_energies(
    symbols: Sequence[str], species: np.ndarray, energies: np.ndarray
) -> list[Summary]:
    """Mean and standard deviation of the energies of the atoms of each species.

    Args:
      symbols: of all species.
      species: (N,) positions in symbols.
      energies: (N,) eV, without the reference energies.
    """
    found = []
    for s, symbol in enumerate(symbols):
        mine = energies[species == s]
        found.append(scalar_pb(f"4.N_atoms/S{s}.{symbol}", len(mine)))
        if len(mine):
            found.append(scalar_pb(f"2.Mean_energy/S{s}.{symbol}", mine.mean()))
            found.append(scalar_pb(f"3.Std_energy/S{s}.{symbol}", mine.std()))
    return found


def _curves(tags: Mapping[str, str], values: Errors, prefix: str) -> list[Summary]:
    found = []
    for tag, name in tags.items():
        value = getattr(values, name)
        if not math.isnan(value) and (values.has_forces or name not in OF_FORCES):
            found.append(scalar_pb(prefix + tag, value))
    return found
