"""Sections of panna_validate that fail, and what the whole report is called."""

import pytest

from panna.errors import ConfigError
from panna.report import html
from panna.report.level import Level
from panna.validation.report import Done, Report, look
from panna.validation.section import Content, Judgement, Section


def section(make=None) -> Section:
    return Section("one", "One", "", make)


def done(*levels: Level) -> Done:
    return Done(section(), Content(judgements=[Judgement(level, "") for level in levels]))


@pytest.mark.parametrize(
    "error, text, shows_traceback",
    [
        (ConfigError("frame 7 cannot be read."), "frame 7 cannot be read. Mend it", False),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero. This is a bug", True),
        (AssertionError(), "AssertionError. This is a bug", True),
    ],
)
def test_a_section_that_fails_says_so_and_does_not_end_the_report(
    error, text, shows_traceback, capsys
):
    def make(subject):
        raise error

    found = look(None, section(make))
    assert found.verdict == "doubtful"
    assert found.sentences()[0].startswith(f"Doubtful. This has failed: {text}")
    assert ("Traceback" in capsys.readouterr().err) == shows_traceback


@pytest.mark.parametrize(
    "sections, verdict",
    [
        ([], "not judged"),
        ([done()], "not judged"),
        ([done(Level.NOTE)], "not judged"),
        ([Done(section(), Content(), "nothing given")], "not judged"),
        ([done(), done(Level.GOOD)], "good"),
        ([done(Level.NOTE, Level.GOOD), done(Level.BAD)], "bad"),
    ],
)
def test_a_report_is_judged_only_if_a_section_is(sections, verdict):
    assert Report(None, sections).verdict == verdict


@pytest.mark.parametrize(
    "one, colour",
    [
        (done(Level.GOOD), "good"),
        (done(Level.GOOD, Level.BAD), "bad"),
        (done(Level.NOTE), "quiet"),
        (Done(section(), Content(), "nothing given"), "quiet"),
    ],
)
def test_only_what_was_judged_has_the_colour_of_a_verdict(one, colour):
    ending = "".join(html.verdict(one.verdict, one.sentences()))
    assert ending.startswith(f'<div class="end {colour}">')
