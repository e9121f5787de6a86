"""Everything that changes during a training, to and from a checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.network.variables import all_variables
from panna.training.checkpoints import Checkpoint
from panna.training.metrics import Errors
from panna.training.step import Step


@dataclass
class Position:
    """Where a training stands.

    step: finished steps; epoch: finished epochs; batch: finished batches of the present epoch.
    errors: summed over these batches.
    best_loss, best_step, best: smallest validation loss, its step and its errors; None before.
    best_epoch, cut_epoch: finished epochs at the best loss, and at the last reduction of the
      learning rate on a plateau.
    rate_factor: product of these reductions.
    first_moment: finished steps when the moments of the optimiser were 0.
    finished_total: length of the run that L-BFGS has finished, 0 if it has not.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    errors: Errors = field(default_factory=Errors)
    best_loss: float | None = None
    best_step: int | None = None
    best: Errors | None = None
    best_epoch: int | None = None
    cut_epoch: int = 0
    rate_factor: float = 1.0
    first_moment: int = 0
    finished_total: int = 0

    def epochs_without_progress(self) -> int:
        """Epochs since the smallest validation loss; 0 before the first validation."""
        return 0 if self.best_epoch is None else self.epoch - self.best_epoch

    def forget_best(self) -> None:
        """Validation losses count anew, because the data are others."""
        self.best_loss = self.best_step = self.best = self.best_epoch = None
        self.cut_epoch = self.epoch

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, exact."""
        values = asdict(self)
        values["errors"] = list(self.errors.sums)
        values["best"] = None if self.best is None else list(self.best.sums)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Position:
        """The position whose `to_dict` gave these values."""
        known = {**values, "errors": Errors(tuple(values["errors"]))}
        known["best"] = None if values["best"] is None else Errors(tuple(values["best"]))
        return cls(**known)


def take_checkpoint(
    step: Step, template: Model, position: Position, constants: dict[str, Any]
) -> Checkpoint:
    """The present state.

    Args:
      step: holds the variables.
      template: a model with everything but the present networks.
      position: where the training stands.
      constants: the rest of the checkpoint's `state`.
    """
    arrays = {f"moments/{i}": variable.numpy() for i, variable in enumerate(step.optimiser.state)}
    if step.averaged is not None:
        for i, variable in enumerate(all_variables(step.networks)):
            arrays[f"weights/{i}"] = variable.numpy()
    return Checkpoint(
        model=present_model(step, template),
        state={**constants, "step": position.step, "position": position.to_dict()},
        arrays=arrays,
    )


def present_model(step: Step, template: Model) -> Model:
    """The model to use: with the averaged weights if there are any."""
    return replace(template, networks=[network.network() for network in step.evaluated])


def restore(step: Step, checkpoint: Checkpoint, moments: bool = True) -> None:
    """Gives all variables the values of a checkpoint.

    Args:
      moments: those of the optimiser, too.
    Raises:
      TrainingError: an array is missing or has another shape.
    """
    arrays = checkpoint.arrays
    model = [
        array
        for network in checkpoint.model.networks
        for pair in zip(network.weights, network.biases, strict=True)
        for array in pair
    ]
    try:
        pairs = []
        if moments:
            names = (f"moments/{i}" for i in range(len(step.optimiser.state)))
            pairs += zip(step.optimiser.state, (arrays[name] for name in names), strict=True)
        if step.averaged is None:
            pairs += zip(all_variables(step.networks), model, strict=True)
        else:
            variables = all_variables(step.networks)
            # Without them the averages begin now.
            weights = [arrays.get(f"weights/{i}", model[i]) for i in range(len(variables))]
            pairs += zip(variables, weights, strict=True)
            pairs += zip(all_variables(step.averaged), model, strict=True)
        for variable, array in pairs:
            if variable.shape != array.shape or variable.dtype != array.dtype:
                raise ValueError(f"array of shape {array.shape}, {variable.shape} expected")
            variable.assign(np.asarray(array))
    except (KeyError, ValueError, TypeError) as error:
        raise _incomplete(checkpoint, error) from error


def position_of(checkpoint: Checkpoint) -> Position:
    """Where the training stood.

    Raises:
      TrainingError: the checkpoint does not say.
    """
    try:
        return Position.from_dict(checkpoint.state["position"])
    except (KeyError, ValueError, TypeError) as error:
        raise _incomplete(checkpoint, error) from error


def _incomplete(checkpoint: Checkpoint, error: Exception) -> TrainingError:
    return TrainingError(
        f"the checkpoint of step {checkpoint.state.get('step')} is incomplete ({error}); "
        "delete it to continue from the one before"
    )
