"""A section of the report: what it holds, its verdict, and the list of all sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from panna.report.content import Fact, Plot, Table
from panna.report.level import Level

if TYPE_CHECKING:
    from panna.validation.subject import Subject

NOTHING = "Nothing is judged here."


@dataclass(frozen=True)
class Judgement:
    """What a number means.

    key: of the threshold, "" if there is none.
    sentence: what is so. advice: what to do, "" where nothing is to be done.
    """

    level: Level
    sentence: str
    advice: str = ""
    key: str = ""
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "level": self.level.name.lower(),
            "text": self.sentence,
            "advice": self.advice,
            "threshold": self.key or None,
            "value": self.value,
        }


@dataclass(frozen=True)
class Content:
    """What a section has found.

    data: numbers behind the plots, for the JSON file: lists, texts and numbers by name.
    """

    facts: Sequence[Fact] = ()
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    judgements: Sequence[Judgement] = ()
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """Of the worst judgement."""
        return max((j.level for j in self.judgements), default=Level.GOOD)

    @property
    def judged(self) -> bool:
        """Whether there was anything to compare with."""
        return any(j.level != Level.NOTE for j in self.judgements)

    @property
    def verdict(self) -> str:
        """good, doubtful, bad or not judged."""
        return self.level.verdict if self.judged else "not judged"

    @property
    def worst_first(self) -> list[Judgement]:
        """Notes last."""
        return sorted(self.judgements, key=lambda j: (j.level == Level.NOTE, -j.level))

    def sentences(self) -> list[str]:
        """The verdict in words, the worst first, and what to do."""
        lines = [
            f"{j.sentence} {j.advice}".strip() if j.level > Level.NOTE else j.sentence
            for j in self.worst_first
        ]
        return [f"{self.verdict.capitalize()}. {lines[0]}", *lines[1:]] if lines else [NOTHING]


class NotPossible(Exception):
    """Why a section has nothing to say, and what would have to be given."""


@dataclass(frozen=True)
class Section:
    """One look at the potential; `make` raises NotPossible where something is missing."""

    key: str
    title: str
    intro: str
    make: Callable[[Subject], Content]


SECTIONS: dict[str, Section] = {}


def section(key: str, title: str, intro: str) -> Callable:
    """Puts a function Subject -> Content on the list of sections."""

    def register(make: Callable[[Subject], Content]) -> Callable[[Subject], Content]:
        SECTIONS[key] = Section(key, title, intro, make)
        return make

    return register
