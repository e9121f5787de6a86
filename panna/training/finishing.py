"""The end of a training by L-BFGS: steps of the whole training set with a line search.

Liu and Nocedal, Mathematical Programming 45, 503 (1989), in SciPy's implementation (Byrd, Lu,
Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1190, 1995). Near a minimum it goes where the noise of
batches keeps Adam from going.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from panna.errors import TrainingError
from panna.network.variables import assign, flat
from panna.storage.dataset import Dataset
from panna.training.metrics import SUMS, Errors
from panna.training.step import Step

Stopped = Callable[[], "int | None"]  # the signal that asks to stop, if there is one
ValueAndGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]
LOSS, FRAMES = SUMS.index("loss"), SUMS.index("frames")


class Interrupted(Exception):
    """A request to stop came; signal: its number, None if it was no signal."""

    def __init__(self, signal: int | None) -> None:
        super().__init__(signal)
        self.signal = signal


@dataclass(frozen=True)
class Finishing:
    """steps: of L-BFGS at most; memory: pairs of steps and changes of the gradient it keeps."""

    steps: int
    memory: int = 20


def minimise(
    function: ValueAndGradient,
    start: np.ndarray,
    finishing: Finishing,
    after_step: Callable[[], None],
) -> np.ndarray:
    """The best point that L-BFGS has found.

    Args:
      function: value and gradient at a point, float64.
      start: the first point.
      after_step: called after every step.
    """
    # SciPy's tolerance is relative to the value, but absolute for values below 1.
    scale = 1.0 / max(abs(function(start)[0]), np.finfo(float).tiny)

    def scaled(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = function(point)
        return scale * value, scale * gradient

    found = minimize(
        scaled,
        start,
        method="L-BFGS-B",
        jac=True,
        callback=lambda intermediate_result: after_step(),
        options={
            "maxiter": finishing.steps,
            "maxcor": finishing.memory,
            # A line search rarely needs more than two evaluations.
            "maxfun": 20 * finishing.steps,
            # It ends when nothing becomes better within the precision of the networks.
            "ftol": 1e-9,
            "gtol": 0.0,
        },
    )
    return found.x


def finish(
    step: Step,
    train: Dataset,
    finishing: Finishing,
    stopped: Stopped,
    report: Callable[[Errors], None],
) -> tuple[int, Errors]:
    """Improves the weights of a training with all its frames; the averages become the same.

    Starts from the weights that are evaluated: the averages, if there are any.

    Args:
      stopped: tells whether a request to stop has come.
      report: called after every step with the errors of the last evaluation.
    Returns:
      Number of steps, and the errors of the training set at the end.
    Raises:
      Interrupted: on request; the weights are anything then.
      TrainingError: the loss is not a finite number.
    """
    for network, best in zip(step.networks, step.evaluated, strict=True):
        for variable, value in zip(network.all, best.all, strict=True):
            variable.assign(value)
    variables = step.optimiser.variables
    last, count = Errors(), 0

    def function(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal last
        assign(variables, point)
        last, gradient = _whole_set(step, train, len(point), stopped)
        return last.mean_loss, gradient

    def after_step() -> None:
        nonlocal count
        count += 1
        report(last)

    assign(variables, minimise(function, flat(v.numpy() for v in variables), finishing, after_step))
    errors, _ = _whole_set(step, train, sum(v.numpy().size for v in variables), stopped)
    if step.averaged is not None:
        for average, network in zip(step.averaged, step.networks, strict=True):
            for mean, value in zip(average.all, network.all, strict=True):
                mean.assign(value)
    return count, errors


def _whole_set(
    step: Step, train: Dataset, size: int, stopped: Stopped
) -> tuple[Errors, np.ndarray]:
    """Errors of the training set, and the gradient of its mean loss."""
    errors, gradient = Errors(), np.zeros(size)
    for sums, gradients in step.gradients_each(train.epoch_batches(0)):
        if (signal := stopped()) is not None:
            raise Interrupted(signal)
        errors = errors.plus(sums)
        gradient += sums[FRAMES] * flat(gradients)
    if not (np.isfinite(errors.sums[LOSS]) and np.isfinite(gradient).all()):
        raise TrainingError(
            "L-BFGS: the loss of the training set is not a finite number; set lbfgs_steps = 0. "
            "Checkpoints stay as they were"
        )
    return errors, gradient / errors.frames
