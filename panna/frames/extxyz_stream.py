"""Cut a stream of extended XYZ into frames, one at a time and in constant memory.

ASE's own reader indexes a whole file first and gives up at the first bad frame (its incremental
reader takes the first digit of the atom count for the count). Here a frame is a piece of text with
its place in the file; a bad one is known as bad, and reading goes on at the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from panna.frames.text_lines import Lines

LONGEST_LINE = 10_000_000  # characters; a second line may hold arrays


@dataclass(frozen=True)
class FrameText:
    """The lines of one frame.

    number: from 1, within the file.
    line: number of the line with the atom count, from 1.
    lines: atom count, comment, one line per atom.
    problem: why this is no complete frame; empty if it is.
    """

    number: int
    line: int
    lines: tuple[str, ...]
    problem: str = ""


def frame_texts(lines: Lines) -> Iterator[FrameText]:
    """Cut the text into frames.

    A frame whose atom count does not match its lines is yielded with a `problem`; the next frame
    starts at the next line that holds a single integer.

    Raises:
      Unreadable: the text cannot be decompressed or is not UTF-8.
    """
    number = 0
    for head in lines:
        if not head.strip():
            continue
        number += 1
        start = lines.number
        problem = "" if _is_count(head) else _no_count(head)
        body: list[str] = []
        if not problem:
            body, problem = _body(lines, int(head))
        if problem:
            _skip_to_count(lines)
        yield FrameText(number, start, (head, *body), problem)


def _body(lines: Lines, n_atoms: int) -> tuple[list[str], str]:
    """Comment and atom lines, and what is wrong with them."""
    comment = next(lines, None)
    if comment is None:
        return [], "the file ends after the atom count"
    body = [comment]
    while len(body) <= n_atoms:
        line = next(lines, None)
        if line is None or not line.strip() or _is_count(line):
            where = "the file ends" if line is None else "the frame ends"
            if line is not None:
                lines.put_back(line)
            found = len(body) - 1
            return body, f"{where} after {found} atom lines; the first line says {n_atoms} atoms"
        body.append(line)
    following = next(lines, None)
    if following is not None:
        lines.put_back(following)
        if following.strip() and not _is_count(following):
            return body, (
                f"line {lines.number + 1} {following.strip()[:40]!r} follows the {n_atoms} atoms "
                "that the first line announces; expected the atom count of the next frame"
            )
    return body, "" if n_atoms > 0 else "zero atoms"


def _skip_to_count(lines: Lines) -> None:
    """Go to the next line that holds a single integer, or to the end."""
    for line in lines:
        if _is_count(line):
            lines.put_back(line)
            return


def _is_count(line: str) -> bool:
    return line.strip().isdecimal()


def _no_count(line: str) -> str:
    return f"expected the number of atoms, found {line.strip()[:40]!r}"
