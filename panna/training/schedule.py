"""Learning rate as a function of the training step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from panna.errors import TrainingError

SCHEDULES: dict[str, Callable[[Schedule, int], float]] = {}


@dataclass(frozen=True)
class Schedule:
    """kind: one of SCHEDULES; rate: at step 0; factor: of the decay over `decay_steps` steps."""

    kind: str
    rate: float
    factor: float = 1.0
    decay_steps: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise TrainingError(
                f"learning rate: schedule {self.kind!r} found; expected one of "
                f"{', '.join(SCHEDULES)}"
            )

    def __call__(self, step: int) -> float:
        """Learning rate of the step that follows `step` finished ones."""
        return SCHEDULES[self.kind](self, step)


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
