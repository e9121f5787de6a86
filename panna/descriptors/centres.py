"""Sets of centres and angles that two numbers describe: made from them, and recognised again.

Centres are made by count, so that their number never depends on rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

THETA_CENTRES = ("midpoints", "from_zero")
SAME = 1e-9  # angstrom or radian; centres farther apart are different ones


def equidistant(first: float, step: float, count: int) -> tuple[float, ...]:
    """Centres first + m step, m = 0 .. count - 1."""
    return tuple(first + m * step for m in range(count))


def step_to_cutoff(first: float, cutoff: float, count: int) -> float:
    """The step (Rc - Rs0)/N, with which `count` centres are spread up to the cutoff."""
    return (cutoff - first) / count


def equal_angles(count: int, kind: str) -> tuple[float, ...]:
    """Angles in radian between 0 and pi: "midpoints" (m + 1/2) pi/N or "from_zero" m pi/N."""
    shift = 0.5 if kind == "midpoints" else 0.0
    return tuple((m + shift) * math.pi / count for m in range(count))


def same_centres(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two sets of as many centres or angles differ by rounding only."""
    return all(abs(a - b) < SAME for a, b in zip(one, other, strict=True))
