"""A few frames at which the diagrams of a training look, chosen once by the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.network.parameters import Model
from panna.storage.batch_source import Batch
from panna.storage.dataset import Dataset

MOST_FRAMES = 200
MOST_ATOMS = 5000


@dataclass(frozen=True)
class Sample:
    """run: that of the event files to which the data set belongs, "train" or "validation".

    batch: arrays as `BatchSource.load` describes them, the descriptors as calculated.
    """

    run: str
    batch: Batch

    @property
    def n_frames(self) -> int:
        return len(self.batch["energy"])


def choose_sample(run: str, dataset: Dataset, seed: int, model: Model) -> Sample:
    """At most MOST_FRAMES frames with MOST_ATOMS atoms together, but at least one frame.

    Args:
      run: to which the data set belongs.
      dataset: standardised.
      model: with the scaling of the descriptors.
    Raises:
      StorageError: records that cannot be read.
    """
    order = np.random.default_rng(seed).permutation(dataset.n_frames)[:MOST_FRAMES]
    n_atoms = dataset.bare().source.load(order)["n_atoms"]
    fitting = max(1, int(np.searchsorted(np.cumsum(n_atoms), MOST_ATOMS, side="right")))
    batch = dataset.source.load(np.sort(order[:fitting]))
    if model.scale_mean is not None:
        species = batch["species"]
        inputs = batch["descriptors"].astype(np.float64)
        batch["descriptors"] = inputs * model.scale_std[species] + model.scale_mean[species]
    return Sample(run, batch)
