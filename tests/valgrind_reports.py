"""Programs under valgrind: how to start it, and what it says about some code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def valgrind(report: Path) -> list[str]:
    """What to put before a command; the test is skipped without valgrind."""
    if not shutil.which("valgrind"):
        pytest.skip("needs valgrind: apt-get install valgrind")
    options = ["--leak-check=full", "--keep-debuginfo=yes", "--num-callers=40"]
    return ["valgrind", *options, f"--log-file={report}"]


def reports_about(report: Path, *words: str) -> list[str]:
    """The reports whose call stacks hold one of the words."""
    text = report.read_text()
    assert "ERROR SUMMARY" in text, text
    return [block for block in text.split("== \n") if any(word in block for word in words)]
