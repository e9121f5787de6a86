"""What a check finds, the list of all checks, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.report.level import Level


@dataclass(frozen=True)
class Finding:
    """Something suspicious.

    where: name of the frame, file, composition or run.
    frame: number of the frame, if it is one.
    value: a number or None; text tells it with its unit: "H-O 0.21 angstrom".
    threshold: in words: "at least 0.58 angstrom".
    """

    where: str
    text: str
    threshold: str
    value: float | None = None
    frame: int | None = None
    level: Level = Level.DOUBTFUL

    def to_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "where": self.where,
            "is_frame": self.frame is not None,
            "found": self.text,
            "value": self.value,
            "threshold": self.threshold,
            "level": self.level.name.lower(),
        }


class NotTested(str):
    """Why a check has no answer for these data."""

    __slots__ = ()


Found = Sequence[Finding] | NotTested
Find = Callable[[Statistics, Thresholds], Found]


@dataclass(frozen=True)
class Check:
    """One thing that is looked for.

    section: where it is reported.
    what: "atoms too close"; a count stands before it.
    good: what is true when nothing is found.
    advice: what to do when something is found.
    escalates: whether doubtful findings are bad if they concern many frames.
    """

    key: str
    section: str
    what: str
    good: str
    advice: str
    escalates: bool
    find: Find


@dataclass(frozen=True)
class Outcome:
    """What a check found, the worst first."""

    check: Check
    findings: Sequence[Finding] = field(default_factory=list)
    untested: str = ""

    @property
    def level(self) -> Level:
        """Of the worst finding."""
        return max((f.level for f in self.findings), default=Level.GOOD)


CHECKS: list[Check] = []


def check(
    section: str, what: str, *, good: str, advice: str, escalates: bool = False
) -> Callable[[Find], Find]:
    """Put a function on the list of checks, under its own name."""

    def register(find: Find) -> Find:
        key = find.__name__
        CHECKS.append(Check(key, section, what, good, advice, escalates, find))
        return find

    return register


def run_checks(statistics: Statistics, thresholds: Thresholds) -> list[Outcome]:
    """The outcomes of all checks."""
    outcomes = []
    for one in CHECKS:
        found = one.find(statistics, thresholds)
        if isinstance(found, NotTested):
            outcomes.append(Outcome(one, untested=str(found)))
            continue
        if one.escalates and len(found) > thresholds.bad_share * len(statistics):
            found = [
                replace(f, level=Level.BAD if f.level == Level.DOUBTFUL else f.level) for f in found
            ]
        outcomes.append(Outcome(one, found))
    return outcomes


def of_frames(
    statistics: Statistics,
    frames: np.ndarray,
    text: Callable[[int], str],
    threshold: str | Callable[[int], str],
    values: np.ndarray | None = None,
    level: Level = Level.DOUBTFUL,
) -> list[Finding]:
    """One finding for each of the frames.

    Args:
      frames: numbers, in the order in which they are to be shown.
      text, threshold: of the frame with a number.
      values: (F,) the value of every frame.
    """
    return [
        Finding(
            statistics.name(f),
            text(f),
            threshold if isinstance(threshold, str) else threshold(f),
            None if values is None else float(values[f]),
            int(f),
            level,
        )
        for f in frames
    ]
