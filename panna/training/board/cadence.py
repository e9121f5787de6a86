"""How often something is shown that costs more than a scalar."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.01


class Cadence:
    """At the ends of at most so many epochs, and of the last one in any case.

    In between it also waits until the total cost, the next time included, is at most SHARE of the
    time that has passed: a training of seconds is not held up by its pictures.

    Args:
      epochs: in the whole run.
      most: times in the whole run, the last one apart.
      cost: seconds that one time takes, as a first guess.
    """

    def __init__(self, epochs: int, most: int, cost: float) -> None:
        self._every = math.ceil(epochs / most)
        self._cost, self._spent, self._began = cost, 0.0, time.monotonic()

    def due(self, epoch: int, last: bool) -> bool:
        """Whether it is time at the end of the epoch of this number, from 1."""
        if last:
            return True
        allowed = SHARE * (time.monotonic() - self._began)
        return epoch % self._every == 0 and self._spent + self._cost <= allowed

    @contextmanager
    def measured(self) -> Iterator[None]:
        """The time within the `with` block is the cost of this time and the guess of the next."""
        start = time.monotonic()
        yield
        self._cost = time.monotonic() - start
        self._spent += self._cost
