"""The verdict of a report: good, doubtful or bad."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How bad; of several the largest counts. A note changes no verdict."""

    GOOD = 0
    NOTE = 1
    DOUBTFUL = 2
    BAD = 3

    @property
    def verdict(self) -> str:
        """good, doubtful or bad."""
        return "good" if self <= Level.NOTE else self.name.lower()
