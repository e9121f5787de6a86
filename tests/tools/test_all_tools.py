"""Every program of panna/tools is a console command, tells what it does, and is in the docs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(
    path.stem for path in (ROOT / "panna" / "tools").glob("*.py") if "def main(" in path.read_text()
)


@pytest.fixture(scope="module")
def commands() -> dict[str, str]:
    return {one.name: one.value for one in entry_points(group="console_scripts")}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_tool_is_a_command_that_explains_itself(program, commands):
    assert commands.get(f"panna_{program}") == f"panna.tools.{program}:main"
    script = ROOT / "panna" / "tools" / f"{program}.py"
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"usage: panna_{program} " in done.stdout
    assert "example" in done.stdout


def test_docs_know_all_tools_and_no_others(commands):
    text = (ROOT / "docs" / "data.md").read_text()
    named = set(re.findall(r"\bpanna_[a-z0-9_]+", text))
    assert {f"panna_{program}" for program in PROGRAMS} <= named
    assert named <= set(commands)
