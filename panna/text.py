"""Words for people: counts, sizes, long lists, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def counted(number: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def readable_bytes(count: float) -> str:
    """A number of bytes: 950 bytes, 4.2 MB, 1.3 TB."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if count < 999.5:
            break
        count, unit = count / 1000, larger
    return f"{count:.3g} {unit}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """The first ones of a list: a, b, c and 3 more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def closest(word: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that was probably meant, upper and lower case alike; None if none is like the word.

    Args:
      likeness: from 0 to 1, below which a name is not like the word (see difflib).
    """
    by_lower = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower(), by_lower, 1, likeness)
    return by_lower[found[0]] if found else None
