"""Rows of tables, and the numbers in them, as Fortran programs print them."""

from __future__ import annotations

import re

from panna.frames import text_lines
from panna.frames.text_lines import Lines

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?")
JOINED = re.compile(r"(?<=\d)-(?=[\d.])")


def words(text: str) -> list[str]:
    """The words of a line; columns of numbers may touch each other at a minus sign."""
    return JOINED.sub(" -", text).split()


def numbers(text: str, count: int, where: str, more: bool = False) -> list[float]:
    """The numbers of a line.

    Args:
      count: how many are expected.
      where: beginning of the messages.
      more: others may follow, and are not looked at.
    Raises:
      FrameError: not a number, not finite, or not so many.
    """
    found = words(text)[:count] if more else words(text)
    return text_lines.numbers(found, where, count, finite=True)


def read_rows(
    lines: Lines, pattern: re.Pattern[str], most: int | None = None
) -> list[tuple[str, re.Match[str]]]:
    """The next lines that have the form of a row, with their places, after empty ones.

    Args:
      most: no more than these are read.
    """
    found: list[tuple[str, re.Match[str]]] = []
    for line in lines:
        row = pattern.match(line) if most is None or len(found) < most else None
        if row is not None:
            found.append((lines.where, row))
        elif found or line.strip():
            lines.put_back(line)
            break
    return found
