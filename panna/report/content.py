"""What a section of a report holds: numbers, tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Fact:
    """A number for the page and the JSON file; value: number, text, list of two (a range)."""

    key: str
    label: str
    value: Any
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of numbers and text; the JSON file has all rows, the page the first ones."""

    key: str
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Plot:
    """svg: the picture; caption: what it shows."""

    svg: str
    caption: str


def known(value: float) -> float | None:
    """A number for the JSON file, which has no nan; None if it is not finite."""
    return float(value) if np.isfinite(value) else None


def numbers(values: np.ndarray) -> list[float | None]:
    """The same of an array (n,)."""
    return [known(value) for value in values.tolist()]
