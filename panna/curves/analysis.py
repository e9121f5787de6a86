"""Means with confidence intervals over the seeds, and the power law of an error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean; the confidence interval is mean +- half_width, which is nan for one number."""

    mean: float
    half_width: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of independent numbers, the interval by Student's t distribution."""
        n = len(values)
        half = math.nan
        if n > 1:
            t = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)
            half = float(t * np.std(values, ddof=1) / math.sqrt(n))
        return cls(float(np.mean(values)), half)


@dataclass(frozen=True)
class PowerLaw:
    """error = factor * size^-exponent; half_width: of the confidence interval of the exponent."""

    factor: float
    exponent: float
    half_width: float

    @classmethod
    def fit(cls, sizes: Sequence[float], errors: Sequence[float]) -> PowerLaw | None:
        """A straight line through the logarithms, by least squares; None if that is impossible.

        The residuals hold the spread over the seeds and what the curve deviates from a power law;
        the interval takes them for independent (Student's t, two parameters; nan for two numbers).
        """
        x, y = np.asarray(sizes, float), np.asarray(errors, float)
        if len(np.unique(x)) < 2 or not np.all(y > 0):
            return None
        line = stats.linregress(np.log(x), np.log(y))
        half = math.nan
        if len(x) > 2:
            half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(x) - 2) * line.stderr)
        return cls(float(np.exp(line.intercept)), float(-line.slope), half)

    def __call__(self, size: float) -> float:
        return self.factor * size**-self.exponent
