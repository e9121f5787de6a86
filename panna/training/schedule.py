"""Learning rate and force weight as functions of the training step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from panna.config.reader import Config
from panna.config.train_losses import chosen_forces_cost
from panna.config.train_optimiser import chosen_schedule
from panna.errors import TrainingError

SCHEDULES: dict[str, Callable[[Schedule, int], float]] = {}
COSINE_END = 0.01  # of the first learning rate, unless learning_rate_final is given


@dataclass(frozen=True)
class Schedule:
    """kind: one of SCHEDULES; rate: at step 0; factor: of the decay over `decay_steps` steps;
    warmup: steps of a linear rise that multiplies the first values."""

    kind: str
    rate: float
    factor: float = 1.0
    decay_steps: float = 1.0
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise TrainingError(
                f"learning rate: schedule {self.kind!r} found; expected one of "
                f"{', '.join(SCHEDULES)}"
            )

    def __call__(self, step: int) -> float:
        """Value for the step that follows `step` finished ones."""
        value = SCHEDULES[self.kind](self, step)
        return value * (step + 1) / self.warmup if step + 1 < self.warmup else value


def register(function: Callable[[Schedule, int], float]) -> Callable[[Schedule, int], float]:
    """Make a schedule known under the name of its function."""
    SCHEDULES[function.__name__] = function
    return function


@register
def constant(schedule: Schedule, step: int) -> float:
    """rate"""
    return schedule.rate


@register
def exponential(schedule: Schedule, step: int) -> float:
    """rate * factor^(step / decay_steps)"""
    return schedule.rate * schedule.factor ** (step / schedule.decay_steps)


@register
def staircase(schedule: Schedule, step: int) -> float:
    """rate * factor^floor(step / decay_steps)"""
    return schedule.rate * schedule.factor ** math.floor(step / schedule.decay_steps)


@register
def cosine(schedule: Schedule, step: int) -> float:
    """Half a cosine wave from rate to rate * factor (Loshchilov and Hutter, arXiv 1608.03983)."""
    wave = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / schedule.decay_steps)))
    return schedule.rate * (schedule.factor + (1.0 - schedule.factor) * wave)


@register
def plateau(schedule: Schedule, step: int) -> float:
    """rate; the reductions belong to the position of the training, see `Plateau`."""
    return schedule.rate


@dataclass(frozen=True)
class Plateau:
    """When to lower the learning rate for want of better validation losses.

    factor: of one reduction; patience: epochs; lowest: of the product of all reductions.
    """

    factor: float
    patience: int
    lowest: float = 0.0

    def lowered(self, so_far: float) -> float:
        """The product of the reductions after one more."""
        return max(so_far * self.factor, self.lowest)


def learning_rate(config: Config, steps: int) -> Schedule:
    """The learning rate over a run of so many steps."""
    training = config["TRAINING_PARAMETERS"]
    rate, final = training["learning_rate"], training["learning_rate_final"]
    kind = chosen_schedule(config)
    factor, decay_steps = 1.0, 1.0
    if kind == "cosine" or (kind == "exponential" and final is not None):
        # The last step begins after steps - 1 finished ones.
        factor, decay_steps = COSINE_END if final is None else final / rate, max(steps - 1, 1)
    elif kind in ("exponential", "staircase"):
        factor = training["learning_rate_decay_factor"]
        decay_steps = training["learning_rate_decay_step"]
    return Schedule(kind, rate, factor, decay_steps, training["warmup_steps"])


def reduction_on_plateau(config: Config) -> Plateau | None:
    """What schedule = plateau asks for."""
    training = config["TRAINING_PARAMETERS"]
    if chosen_schedule(config) != "plateau":
        return None
    lowest = (training["learning_rate_final"] or 0.0) / training["learning_rate"]
    factor = training["learning_rate_decay_factor"] or 0.5
    return Plateau(factor, training["plateau_patience"], lowest)


def forces_cost(config: Config, steps: int) -> Schedule | None:
    """The weight of the force loss, if it changes over a run of so many steps."""
    training = config["TRAINING_PARAMETERS"]
    first, final = chosen_forces_cost(training, forces=True), training["forces_cost_final"]
    if final is None:
        return None
    return Schedule("exponential", first, final / first, max(steps - 1, 1))
