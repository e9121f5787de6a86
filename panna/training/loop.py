"""The training loop: epochs of steps, validation, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.storage.dataset import Dataset
from panna.text import listed
from panna.training.board.board import Board
from panna.training.checkpoints import BEST, Checkpoint, save_step, write_checkpoint
from panna.training.interrupt import StopRequest
from panna.training.metrics import Errors, MetricsTable
from panna.training.schedule import Schedule
from panna.training.state import Position, present_model, take_checkpoint
from panna.training.statistics import frame_names
from panna.training.step import Batch, Outcome, Step

SHOWN_NAMES = 10
Report = Callable[[int, str], None]


@dataclass(frozen=True)
class LoopOptions:
    """How long, and what to write when.

    train_dir: folder for everything.
    total_steps: number of the last step.
    save_steps: steps between checkpoints, 0 for one at the end of each epoch.
    keep: latest checkpoints that are kept.
    summary_steps: steps between summaries of single batches, 0 for none.
    constants: part of every checkpoint's state: settings, seed, source of derivatives...
    """

    train_dir: Path
    total_steps: int
    save_steps: int
    keep: int
    summary_steps: int
    constants: dict[str, Any]


class Loop:
    """A training from its present position to its end, or to a request to stop."""

    def __init__(
        self,
        options: LoopOptions,
        step: Step,
        schedule: Schedule,
        train: Dataset,
        validation: Dataset | None,
        template: Model,
        position: Position,
    ) -> None:
        """template: a model with everything but the networks that are trained."""
        self.options, self.step, self.schedule = options, step, schedule
        self.train, self.validation = train, validation
        self.template, self.position = template, position
        self.last_validation: Errors | None = None
        self.last_training: Errors | None = None
        self._table = MetricsTable(options.train_dir)
        self._board = Board(
            options.train_dir,
            template,
            train,
            validation,
            options.constants["settings"],
            options.total_steps,
            0 if step.derivatives is None else step.derivatives.threads,
        )
        self._saved_step: int | None = None

    def run(self, report: Report) -> int | None:
        """Trains.

        Args:
          report: called after every step with 1 and a text about the present errors.
        Returns:
          None, or the number of the signal that asked to stop; the position is then saved.
        Raises:
          TrainingError: loss or gradients are not finite. Checkpoints stay as they were.
          StorageError: data that cannot be read.
        """
        self._table.start(self.position.epoch)
        try:
            self._board.start(self.position)
            with StopRequest() as stop:
                for _ in self._steps(report):
                    if stop.signal is not None:
                        self._save()
                        return stop.signal
        finally:
            self._board.close()
        return None

    def _steps(self, report: Report) -> Iterator[None]:
        """One step after the other, with what is due after each; yields between them."""
        position, total = self.position, self.options.total_steps
        while position.step < total:
            for batch in self.train.epoch_batches(position.epoch, position.batch):
                self._one_step(batch)
                ended = position.batch == self.train.n_batches
                text = f"epoch {position.epoch + 1}, {position.errors.text()}"
                if ended or position.step == total:
                    self._end_of_epoch(ended)
                if self.last_validation is not None:
                    text += f", validation {self.last_validation.text()}"
                report(1, text)
                if self._checkpoint_is_due(ended):
                    self._save()
                yield
                if position.step == total:
                    return

    def _one_step(self, batch: Batch) -> None:
        position = self.position
        outcome = self.step.train(batch, self.schedule(position.step), position.step + 1)
        if not outcome.finite:
            raise TrainingError(self._not_finite(batch, outcome))
        position.step += 1
        position.batch += 1
        position.errors = position.errors.plus(outcome.sums)
        if self.options.summary_steps and position.step % self.options.summary_steps == 0:
            self._board.batch(position.step, Errors().plus(outcome.sums))

    def _end_of_epoch(self, complete: bool) -> None:
        """Validation, a row of metrics.csv, summaries; at the end of the run also in mid-epoch."""
        position = self.position
        train, validation = position.errors, self._validate()
        self.last_training, self.last_validation = train, validation
        finished = position.epoch + (1 if complete else position.batch / self.train.n_batches)
        rate = self.schedule(position.step)
        self._table.add(finished, position.step, rate, train, validation)
        if complete:
            position.epoch, position.batch, position.errors = position.epoch + 1, 0, Errors()
        if validation is not None and (
            position.best_loss is None or validation.mean_loss < position.best_loss
        ):
            self._save_best(validation)
        self._board.epoch(
            position,
            rate,
            train,
            validation,
            model=lambda: present_model(self.step, self.template),
            last=position.step == self.options.total_steps,
        )

    def _validate(self) -> Errors | None:
        if self.validation is None:
            return None
        errors = Errors()
        for batch in self.validation.epoch_batches(0):
            outcome = self.step.validate(batch)
            if not outcome.finite:
                raise TrainingError(
                    f"step {self.position.step}: the loss of a validation batch is not a finite "
                    f"number; its frames: {_names(batch)}. Check these frames; if they are sound, "
                    "use a smaller learning_rate. Checkpoints stay as they were"
                )
            errors = errors.plus(outcome.sums)
        return errors

    def _save_best(self, validation: Errors) -> None:
        position = self.position
        position.best_loss = validation.mean_loss
        position.best_step, position.best = position.step, validation
        state = {
            **self.options.constants,
            "step": position.step,
            "epoch": position.epoch,
            "validation_loss": position.best_loss,
        }
        path = self.options.train_dir / BEST
        write_checkpoint(path, Checkpoint(present_model(self.step, self.template), state))

    def _checkpoint_is_due(self, epoch_ended: bool) -> bool:
        steps = self.options.save_steps
        if self.position.step == self.options.total_steps:
            return True
        return self.position.step % steps == 0 if steps else epoch_ended

    def _save(self) -> None:
        if self._saved_step == self.position.step:
            return
        checkpoint = take_checkpoint(
            self.step, self.template, self.position, self.options.constants
        )
        save_step(self.options.train_dir, checkpoint, self.options.keep)
        self._saved_step = self.position.step

    def _not_finite(self, batch: Batch, outcome: Outcome) -> str:
        rate = self.schedule(self.position.step)
        what = "the gradient" if math.isfinite(sum(outcome.sums)) else "the loss"
        return (
            f"step {self.position.step + 1} (epoch {self.position.epoch + 1}, learning rate "
            f"{rate:.3g}): {what} is not a finite number; the weights were not changed and the "
            f"training stops. Frames of the batch: {_names(batch)}. Use a smaller learning_rate, "
            "or remove frames with extreme energies or forces; checkpoints stay as they were"
        )


def _names(batch: Batch) -> str:
    return listed(frame_names(batch["name"]), SHOWN_NAMES)
