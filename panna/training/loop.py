"""The training loop: epochs of steps, validation, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.storage.dataset import Dataset
from panna.text import listed
from panna.training.checkpoints import BEST, Checkpoint
from panna.training.finishing import Finishing, Interrupted, Stopped, finish
from panna.training.interrupt import StopRequest
from panna.training.metrics import Errors
from panna.training.output import Output
from panna.training.profile import Profile
from panna.training.schedule import Plateau, Schedule
from panna.training.state import Position, present_model, take_checkpoint
from panna.training.statistics import frame_names
from panna.training.step import Batch, Outcome, Request, Step

SHOWN_NAMES = 10
Report = Callable[[int, str], None]


@dataclass(frozen=True)
class LoopOptions:
    """How long, and what to write when.

    train_dir: folder for everything.
    total_steps: number of the last step.
    save_steps: steps between checkpoints, 0 for one at the end of each epoch.
    summary_steps: steps between summaries of single batches, 0 for none.
    constants: part of every checkpoint's state: settings, seed, source of derivatives...
    profile: of some steps, if any.
    save_models: names of files in train_dir for the model after certain steps, and these steps.
    shown: kinds of errors in the progress line.
    forces_cost: weight of the force loss, if it changes.
    plateau: reductions of the learning rate, if there may be any.
    patience: epochs without a better validation loss that end the training; None: no end.
    finishing: by L-BFGS, if at all.
    """

    train_dir: Path
    total_steps: int
    save_steps: int
    summary_steps: int
    constants: dict[str, Any]
    profile: Profile | None = None
    save_models: dict[str, int] = field(default_factory=dict)
    shown: tuple[str, ...] = ("RMSE",)
    forces_cost: Schedule | None = None
    plateau: Plateau | None = None
    patience: int | None = None
    finishing: Finishing | None = None


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
        output: Output,
    ) -> None:
        """template: a model with everything but the networks that are trained."""
        self.options, self.step, self.schedule = options, step, schedule
        self.train, self.validation = train, validation
        self.template, self.position, self.output = template, position, output
        self.last_validation: Errors | None = None
        self.last_training: Errors | None = None
        self._staleness: list[int] = []
        self._saved_step: int | None = None

    def run(self, report: Report, stop: StopRequest | None = None) -> int | None:
        """Trains.

        Args:
          report: called after every step with 1 and a text about the present errors.
          stop: requests to stop that come from the caller, who then notices signals; by default
            this training does.
        Returns:
          None, or the number of the signal that asked to stop; the position is then saved.
        Raises:
          TrainingError: loss or gradients are not finite. Checkpoints stay as they were.
          StorageError: data that cannot be read.
        """
        try:
            self.output.start(self.position)
            self._save_models()
            with StopRequest() if stop is None else nullcontext(stop) as stop:
                self._train(report, stop)
                if self.options.finishing is not None and not self.finished:
                    self._finish(report, lambda: self.step.agreed(stop.signal))
        except Interrupted as interrupted:
            # The checkpoint of the last step is there; L-BFGS will begin again.
            return interrupted.signal
        finally:
            if self.options.profile is not None:
                self.options.profile.close()
            self.output.close()
        return None

    @property
    def threads(self) -> int:
        """Of the core, 0 for all."""
        return 0 if self.step.derivatives is None else self.step.derivatives.threads

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return self.schedule(self.position.step) * self.position.rate_factor

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        total = self.options.total_steps
        if self.options.finishing is not None:
            return self.position.finished_total == total
        return self.position.step >= total or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        """Whether the validation loss has not become better for too long."""
        patience = self.options.patience
        return patience is not None and self.position.epochs_without_progress() >= patience

    def _train(self, report: Report, stop: StopRequest) -> None:
        """All steps, with what is due after each."""
        position, total = self.position, self.options.total_steps
        while position.step < total:
            for batch, outcome in self.step.train_each(self._requests(stop)):
                self._count(batch, outcome)
                ended = position.batch == self.train.n_batches
                text = f"epoch {position.epoch + 1}, {position.errors.text(self.options.shown)}"
                if ended or position.step == total:
                    self._end_of_epoch(ended)
                if self.last_validation is not None:
                    text += f", validation {self.last_validation.text(self.options.shown)}"
                report(1, text)
                if self._checkpoint_is_due(ended):
                    self._save()
            signal = self.step.agreed(stop.signal)
            if signal is not None or (stop.after_epoch and position.batch == 0):
                self._save()
                raise Interrupted(signal)
            if position.batch == 0 and self.stopped_early:
                return

    def _requests(self, stop: StopRequest) -> Iterator[Request]:
        """The steps up to one after which something is due that needs them to be finished: the end
        of the epoch, a checkpoint, a model to save, a request to stop."""
        position, cost, profile = self.position, self.options.forces_cost, self.options.profile
        first = number = position.step
        for batch in self.train.epoch_batches(position.epoch, position.batch):
            due = number > first and (
                number in self.options.save_models.values()
                or (self.options.save_steps and number % self.options.save_steps == 0)
            )
            if due or number == self.options.total_steps or self.step.agreed(stop.signal):
                return
            if profile is not None:
                profile.before(number + 1)
            yield Request(
                batch,
                self.schedule(number) * position.rate_factor,
                # The moments of the optimiser count from when they were 0.
                number + 1 - position.first_moment,
                None if cost is None else cost(number),
            )
            number += 1

    def _count(self, batch: Batch, outcome: Outcome) -> None:
        """A step is finished."""
        position, profile = self.position, self.options.profile
        if profile is not None:
            profile.after(position.step + 1)
        if not outcome.finite:
            raise TrainingError(self._not_finite(batch, outcome))
        position.step += 1
        position.batch += 1
        position.errors = position.errors.plus(outcome.sums)
        if outcome.staleness is not None:
            self._staleness.append(outcome.staleness)
        self._save_models()
        if self.options.summary_steps and position.step % self.options.summary_steps == 0:
            self.output.batch(position.step, Errors().plus(outcome.sums))

    def _end_of_epoch(self, complete: bool) -> None:
        """Validation, a row of metrics.csv, summaries; at the end of the run also in mid-epoch."""
        position = self.position
        train, validation = position.errors, self._validate()
        self.last_training, self.last_validation = train, validation
        finished = position.epoch + (1 if complete else position.batch / self.train.n_batches)
        rate = self.learning_rate
        self.output.row(finished, position.step, rate, train, validation)
        if complete:
            position.epoch, position.batch, position.errors = position.epoch + 1, 0, Errors()
        if validation is not None and (
            position.best_loss is None or validation.mean_loss < position.best_loss
        ):
            self._save_best(validation)
        self.output.epoch(
            position,
            rate,
            train,
            validation,
            model=lambda: present_model(self.step, self.template),
            last=position.step >= self.options.total_steps or self.stopped_early,
            staleness=self._staleness,
        )
        self._staleness = []
        self._lower_learning_rate()

    def _lower_learning_rate(self) -> None:
        """On a plateau of the validation loss."""
        plateau, position = self.options.plateau, self.position
        if plateau is None or position.best_epoch is None:
            return
        if position.epoch - max(position.best_epoch, position.cut_epoch) >= plateau.patience:
            position.rate_factor = plateau.lowered(position.rate_factor)
            position.cut_epoch = position.epoch

    def _validate(self) -> Errors | None:
        if self.validation is None:
            return None
        self._set_final_forces_cost()  # for all validations: their losses are compared
        errors = Errors()
        for batch, outcome in self.step.validate_each(self.validation.epoch_batches(0)):
            if not outcome.finite:
                names = _names(self.validation, batch)
                raise TrainingError(
                    f"step {self.position.step}: the loss of a validation batch is not a finite "
                    f"number; its frames: {names}. Check these frames; if they are sound, use a "
                    "smaller learning_rate. Checkpoints stay as they were"
                )
            errors = errors.plus(outcome.sums)
        return errors

    def _set_final_forces_cost(self) -> None:
        """The weight of the force loss that the last step has."""
        if (cost := self.options.forces_cost) is not None:
            self.step.set_forces_cost(cost(self.options.total_steps - 1))

    def _finish(self, report: Report, stopped: Stopped) -> None:
        """L-BFGS on the whole training set, then as at the end of an epoch."""
        position = self.position
        self._set_final_forces_cost()

        def show(errors: Errors) -> None:
            report(1, f"L-BFGS, {errors.text(self.options.shown)}")

        before = position.errors
        steps, position.errors = finish(
            self.step, self.train, self.options.finishing, stopped, show
        )
        position.step += steps
        position.finished_total = self.options.total_steps
        self._end_of_epoch(False)
        position.errors = before
        self._save()

    def _save_best(self, validation: Errors) -> None:
        position = self.position
        position.best_loss = validation.mean_loss
        position.best_step, position.best = position.step, validation
        position.best_epoch = position.epoch
        state = {
            **self.options.constants,
            "step": position.step,
            "epoch": position.epoch,
            "validation_loss": position.best_loss,
        }
        self.output.model(BEST, Checkpoint(present_model(self.step, self.template), state))

    def _save_models(self) -> None:
        """The complete models that are due after the present step."""
        for name, step in self.options.save_models.items():
            if step == self.position.step:
                model = present_model(self.step, self.template)
                state = {**self.options.constants, "step": step, "epoch": self.position.epoch}
                self.output.model(name, Checkpoint(model, state))

    def _checkpoint_is_due(self, epoch_ended: bool) -> bool:
        steps = self.options.save_steps
        if self.position.step == self.options.total_steps or (epoch_ended and self.stopped_early):
            return True
        return self.position.step % steps == 0 if steps else epoch_ended

    def _save(self) -> None:
        if self._saved_step == self.position.step:
            return
        checkpoint = take_checkpoint(
            self.step, self.template, self.position, self.options.constants
        )
        self.output.checkpoint(checkpoint)
        self._saved_step = self.position.step

    def _not_finite(self, batch: Batch, outcome: Outcome) -> str:
        rate = self.learning_rate
        what = "the gradient" if math.isfinite(sum(outcome.sums)) else "the loss"
        if self.step.objective.exponential:
            advice = "exp_quad losses overflow where errors are large; exp_tanh losses do not. "
        else:
            advice = ""
        return (
            f"step {self.position.step + 1} (epoch {self.position.epoch + 1}, learning rate "
            f"{rate:.3g}): {what} is not a finite number; the weights were not changed and the "
            f"training stops. Frames of the batch: {_names(self.train, batch)}. {advice}Use a "
            "smaller learning_rate, or remove frames with extreme energies or forces; checkpoints "
            "stay as they were"
        )


def _names(dataset: Dataset, batch: Batch) -> str:
    names = batch["name"] if "name" in batch else dataset.names(batch["records"])
    return listed(frame_names(names), SHOWN_NAMES)
