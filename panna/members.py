"""The folders of a committee: member_1, member_2, ..., each a complete training or potential."""

from __future__ import annotations

import re
from pathlib import Path

from panna.errors import FileError

NAME = re.compile(r"member_([1-9][0-9]*)")


def member_name(number: int) -> str:
    """Name of the folder of a member; the first one has number 1."""
    return f"member_{number}"


def list_members(folder: str | Path) -> list[Path]:
    """The folders of the members, in the order of their numbers; empty without a committee.

    Raises:
      FileError: one between them is missing.
    """
    folder = Path(folder)
    entries = folder.iterdir() if folder.is_dir() else ()
    numbers = sorted(int(m[1]) for e in entries if (m := NAME.fullmatch(e.name)) and e.is_dir())
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            raise FileError(
                f"{folder / member_name(expected)}: no such folder, but there is "
                f"{member_name(number)}; the members of a committee are numbered from 1 without "
                "gaps. Restore the folder, or move the others away"
            )
    return [folder / member_name(number) for number in numbers]
