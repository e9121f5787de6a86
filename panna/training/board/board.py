"""What is shown when: the one part of this folder that the training loop knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from panna.descriptors.parameters import from_dict
from panna.network.parameters import Model
from panna.storage.dataset import Dataset
from panna.text import counted
from panna.training.board import histograms, scalars
from panna.training.board.cadence import Cadence
from panna.training.board.event_files import RESULT, TRAIN, VALIDATION, EventFiles
from panna.training.board.hyperparameters import hyperparameters, table_row
from panna.training.board.parity import parity
from panna.training.board.prediction import predict
from panna.training.board.projector import write_projector
from panna.training.board.rewind import rewind
from panna.training.board.sample import Sample, choose_sample
from panna.training.checkpoints import BEST, read_checkpoint
from panna.training.metrics import Errors
from panna.training.state import Position

DISTRIBUTIONS = 50  # times in a whole run, at most
PICTURES = 10  # what TensorBoard keeps of an image


class Board:
    """The TensorBoard files of one training.

    All methods raise FileError if the files cannot be written.

    Args:
      train_dir: folder of the training.
      model: any model of this training; its networks do not matter.
      train, validation: the data, standardised; the pictures are those of the validation set if
        there is one.
      settings: of the training, by "[SECTION] key".
      total_steps: in the whole run.
      threads: of the core, 0 for all.
    """

    def __init__(
        self,
        train_dir: Path,
        model: Model,
        train: Dataset,
        validation: Dataset | None,
        settings: Mapping[str, Any],
        total_steps: int,
        threads: int,
    ) -> None:
        self._train_dir, self._species = train_dir, model.species
        self._train, self._validation = train, validation
        self._model = model
        self._values = hyperparameters(settings, model)
        # For the forces of the parity plots.
        self._descriptor = from_dict(model.descriptor) if model.descriptor else None
        self._threads = threads
        self._files = EventFiles(train_dir)
        epochs = math.ceil(total_steps / train.n_batches)
        self._distributions = Cadence(epochs, DISTRIBUTIONS, cost=0.05)
        self._pictures = Cadence(epochs, PICTURES, cost=0.5)

    @cached_property
    def _sample(self) -> Sample:
        if self._validation is None:
            return choose_sample(TRAIN, self._train, self._train.seed, self._model)
        return choose_sample(VALIDATION, self._validation, self._train.seed, self._model)

    def start(self, position: Position) -> None:
        """Continues the files at a position, or begins them."""
        rewind(self._train_dir, position.step, position.epoch * self._train.n_batches)
        self._files.write(RESULT, 0, table_row(self._values, self._train_dir))

    def batch(self, step: int, errors: Errors) -> None:
        """Losses and errors of one batch."""
        self._files.write(TRAIN, step, scalars.errors(errors, scalars.BATCH_PREFIX))

    def epoch(
        self,
        position: Position,
        learning_rate: float,
        train: Errors,
        validation: Errors | None,
        model: Callable[[], Model],
        last: bool,
        staleness: Sequence[int] = (),
    ) -> None:
        """The end of an epoch, or of the training.

        Args:
          position: after the epoch, with the best model so far.
          learning_rate: of the next step.
          train, validation: means over the epoch.
          model: the present model, asked for only when it is looked at.
          last: the training ends here; everything is shown.
          staleness: of the steps of the epoch, see Outcome.
        """
        step = position.step
        curves = scalars.learning_rate(learning_rate) + scalars.errors(train)
        curves += scalars.staleness(staleness)
        self._files.write(TRAIN, step, curves)
        if validation is not None:
            self._files.write(VALIDATION, step, scalars.errors(validation))
        if self._distributions.due(position.epoch, last):
            with self._distributions.measured():
                self._write_distributions(step, model())
                self._write_result(position, validation or train)
        if self._pictures.due(position.epoch, last):
            with self._pictures.measured():
                self._write_pictures(position, model())
        self._files.flush()

    def close(self) -> None:
        """Ends the files."""
        self._files.close()

    def _write_distributions(self, step: int, model: Model) -> None:
        self._files.write(TRAIN, step, histograms.weights(model))
        seen = predict(model, self._sample.batch)
        atoms = (self._species, seen.species, seen.atomic)
        shown = scalars.atomic_energies(*atoms) + histograms.atomic_energies(*atoms)
        self._files.write(self._sample.run, step, shown)

    def _write_result(self, position: Position, errors: Errors) -> None:
        shown = scalars.result(errors, scalars.LAST)
        if position.best is not None:
            shown += scalars.result(position.best, scalars.BEST)
        self._files.write(RESULT, position.step, shown)

    def _write_pictures(self, position: Position, model: Model) -> None:
        sample = self._sample
        seen = predict(model, sample.batch, self._descriptor, self._threads)
        what = f"{sample.run}, {counted(sample.n_frames, 'frame')}"
        self._files.write(sample.run, position.step, parity(self._species, seen, what))
        if position.best is not None:
            model = read_checkpoint(self._train_dir / BEST).model
        write_projector(self._files.folder / RESULT, model, sample.batch)
