"""Event files for TensorBoard: train_dir/tensorboard/train and .../validation.

Both runs use the same tags, so that TensorBoard draws their curves into one diagram. The tags are
those of PANNA v2 for losses and errors and of v1 for the learning rate and the histograms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from panna.errors import FileError
from panna.network.variables import NetworkVariables
from panna.training.metrics import Errors

FOLDER = "tensorboard"
TAGS = {
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
LEARNING_RATE = "learning_rate"


class Summaries:
    """Writes scalars and histograms; energies in eV/atom, forces in eV/angstrom.

    All methods raise FileError if the files cannot be written.
    """

    def __init__(self, train_dir: str | Path, species: Sequence[str]) -> None:
        self._folder = Path(train_dir) / FOLDER
        self._species = tuple(species)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def epoch(
        self, step: int, learning_rate: float, train: Errors, validation: Errors | None
    ) -> None:
        """Means over an epoch, at its end."""
        with self._writing(), self._writer("train").as_default(step=step):
            tf.summary.scalar(LEARNING_RATE, learning_rate)
            _errors("", train)
        if validation is not None:
            with self._writing(), self._writer("validation").as_default(step=step):
                _errors("", validation)

    def batch(self, step: int, errors: Errors) -> None:
        """Losses and errors of one batch."""
        with self._writing(), self._writer("train").as_default(step=step):
            _errors(BATCH_PREFIX, errors)

    def histograms(self, step: int, networks: Sequence[NetworkVariables]) -> None:
        """Distributions of the weights and biases of each layer."""
        with self._writing(), self._writer("train").as_default(step=step):
            for s, (symbol, network) in enumerate(zip(self._species, networks, strict=True)):
                for layer, (weights, biases, _) in enumerate(network.layers):
                    tf.summary.histogram(f"S{symbol}.{s}/W{layer}", weights)
                    tf.summary.histogram(f"S{symbol}.{s}/b{layer}", biases)

    def flush(self) -> None:
        """Everything so far becomes visible."""
        with self._writing():
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Ends the files."""
        with self._writing():
            for writer in self._writers.values():
                writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            # A full disk, most often; the first line names the operation, the file and the reason.
            reason = error.message.splitlines()[0].rpartition("}} ")[2]
            raise FileError(f"{self._folder}: cannot be written ({reason})") from error

    def _writer(self, run: str) -> tf.summary.SummaryWriter:
        # Made at the first use: a run without validation has no empty curve.
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self._folder / run))
        return self._writers[run]


def _errors(prefix: str, errors: Errors) -> None:
    for tag, name in TAGS.items():
        value = getattr(errors, name)
        if not math.isnan(value) and (errors.has_forces or name not in OF_FORCES):
            tf.summary.scalar(prefix + tag, value)
