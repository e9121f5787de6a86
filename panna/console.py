"""What programs show: lines of text, tables, what was left out, and progress.

Only programs print; library code returns text.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

NUMBER = re.compile(r"((?<!\w)[-+])?\d+(\.\d+)?([eE][-+]?\d+)?")
SHOWN_FAILURES = 10
LINE_INTERVAL = 10.0  # seconds between two lines of progress when there is no terminal


def say(text: str = "") -> None:
    """Print one text on standard output, at once."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # Where the terminal knows no Greek letters or units, an escape is better than a traceback.
    print(str(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)


def say_facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print lines of two columns, a label and a text; programs tell their plan in this form."""
    for label, text in rows:
        say(f"  {label:<19}{text}".rstrip())


def say_notes(notes: Iterable[str]) -> None:
    """Print what the user should know, one line each."""
    for note in notes:
        say(f"note: {note}")


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned plain text: columns of numbers to the right, others to the left.

    Args:
      headers: one title per column.
      rows: as many values per row as there are titles; floats are shown with six digits (give
        strings for another format), None as an empty cell.
    Returns:
      the lines: titles, a rule, the rows; no newline at the end.
    Raises:
      ValueError: a row of another length.
    """
    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(f"row {row} has {len(row)} values, {len(headers)} expected")
    cells = [[_cell(value) for value in row] for row in rows]
    columns = range(len(headers))
    widths = [max(len(row[c]) for row in [list(headers), *cells]) for c in columns]
    right = [bool(cells) and all(_is_number(row[c]) for row in cells) for c in columns]
    lines = [list(headers), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%") or "0")
    except ValueError:
        return False
    return True


class LeftOut:
    """What a program cannot use: the first ones in full, at once; all of them by reason later.

    Reasons that differ in their numbers only are one reason.
    """

    def __init__(self, show_all: bool = False) -> None:
        self.show_all = show_all
        self.reasons: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many were left out."""
        return self.reasons.total()

    def add(self, where: str, reason: str) -> None:
        """Leave one out."""
        if self.show_all or self.count < SHOWN_FAILURES:
            say(f"left out: {where}: {reason}")
        elif self.count == SHOWN_FAILURES:
            say("left out: more; their reasons are summed up at the end")
        self.reasons[NUMBER.sub("#", reason)] += 1

    def say_reasons(self, what: str) -> None:
        """Print the most common reasons, if there are any; what: "3 frames"."""
        if self.reasons:
            say(f"{what} left out, by reason (numbers as #):")
        for reason, count in self.reasons.most_common(SHOWN_FAILURES):
            say(f"  {count} x {reason}")


class Progress:
    """Progress of a long piece of work, a context manager.

        with Progress(len(files), "descriptors", "frames") as progress:
            for file in files:
                ...
                progress.advance(text="4.1 meV/atom")

    On a terminal it is one line with a bar, the speed, the time left and the text. Elsewhere (a
    log file, a batch system) it is a plain line at most every ten seconds and one at the end.
    """

    def __init__(
        self, total: int, label: str, unit: str = "", interval: float | None = None
    ) -> None:
        """total: how many steps the work has; label: what it is; unit: what a step is, plural;
        interval: seconds between two lines, or refreshes of the bar."""
        self.total = total
        self.label = label
        self.unit = unit
        self.interval = interval
        self.done = 0
        self.text = ""
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        self._start = self._last_line = time.monotonic()
        if sys.stdout.isatty():
            self._open_bar()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            say(self._line(finished=True) + (" (stopped)" if kind is not None else ""))

    def advance(self, n: int = 1, text: str = "") -> None:
        """Count n more steps; the text, if given, replaces the one shown behind."""
        self.done += n
        self.text = text or self.text
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, text=self.text)
            return
        now = time.monotonic()
        if now - self._last_line >= (self.interval or LINE_INTERVAL) and self.done < self.total:
            self._last_line = now
            say(self._line(finished=False))

    def track(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each a step that is done when the next one is asked for."""
        for item in items:
            yield item
            self.advance()

    def _line(self, finished: bool) -> str:
        seconds = time.monotonic() - self._start
        share = f" ({100 * self.done // self.total} %)" if self.total > 0 else ""
        parts = [f"{self.label}: {self.done}/{self.total} {self.unit}".rstrip() + share]
        if finished:
            parts.append(f"in {duration(seconds)}")
        elif self.done > 0:
            parts.append(f"{duration(seconds / self.done * (self.total - self.done))} left")
        if self.text:
            parts.append(self.text)
        return ", ".join(parts)

    def _open_bar(self) -> None:
        # Imported here: rich costs a tenth of a second that `--help` should not pay.
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn(self.unit, markup=False),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[text]}", markup=False),
            refresh_per_second=1 / self.interval if self.interval else 10,
        )
        self._task = self._bar.add_task(self.label, total=max(self.total, 0), text="")
        self._bar.start()


def duration(seconds: float) -> str:
    """A time for people: 4.2 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
