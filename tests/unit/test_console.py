"""What programs show: tables that align, progress that does not flood a log file."""

import io
import sys

import pytest

from panna import console
from panna.console import Progress, duration, say, table


class Clock:
    """Stands in for time.monotonic; each advance is one second unless set otherwise."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_text_is_printed_at_once(capsys):
    say("one")
    say()
    say("two")
    assert capsys.readouterr().out == "one\n\ntwo\n"


def test_characters_that_the_terminal_lacks_are_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("5 Å")
    assert raw.getvalue() == b"5 \\xc5\n"


def test_numbers_stand_to_the_right_and_words_to_the_left():
    text = table(("set", "meV/atom", "note"), [("train", 1.25, "a"), ("validation", 10.5, None)])
    assert text.split("\n") == [
        "set         meV/atom  note",
        "----------  --------  ----",
        "train           1.25  a",
        "validation      10.5",
    ]


def test_floats_have_six_digits_and_percentages_are_numbers():
    lines = table(("a", "b"), [(1 / 3, "5%"), (2e-9, "100%")]).split("\n")
    assert lines[2:] == ["0.333333    5%", "   2e-09  100%"]


def test_a_table_without_rows_has_titles():
    assert table(("a", "bc"), []) == "a  bc\n-  --"


def test_a_row_of_another_length_is_a_mistake_of_the_program():
    with pytest.raises(ValueError, match=r"has 1 values, 2 expected"):
        table(("a", "b"), [(1,)])


def test_progress_in_a_log_is_a_line_at_most_every_ten_seconds(clock, capsys):
    with Progress(100, "descriptors", "frames") as progress:
        for _ in range(100):
            clock.now += 1.0
            progress.advance(text=f"{clock.now - 100:.0f} s gone")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0] == "descriptors: 10/100 frames (10 %), 1 min 30 s left, 10 s gone"
    assert lines[-1] == "descriptors: 100/100 frames (100 %), in 1 min 40 s, 100 s gone"


def test_short_work_leaves_one_line(clock, capsys):
    with Progress(2, "reading") as progress:
        progress.advance(2)
    assert capsys.readouterr().out == "reading: 2/2 (100 %), in 0.0 s\n"


def test_nothing_to_do_is_no_division_by_zero(clock, capsys):
    with Progress(0, "reading", "files"):
        pass
    assert capsys.readouterr().out == "reading: 0/0 files, in 0.0 s\n"


def test_work_that_fails_says_where_it_stopped(clock, capsys):
    with pytest.raises(KeyError), Progress(5, "reading", "files") as progress:
        progress.advance()
        raise KeyError
    assert capsys.readouterr().out == "reading: 1/5 files (20 %), in 0.0 s (stopped)\n"


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(4, "training", "epochs") as progress:
        progress.advance(3, "4.1 meV/atom [not markup]")
        progress.advance()
    shown = screen.getvalue()
    assert "training" in shown and "4/4" in shown and "4.1 meV/atom [not markup]" in shown
    assert "training: 4/4" not in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.9, "59.9 s"),
        (60, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_times_for_people(seconds, text):
    assert duration(seconds) == text
