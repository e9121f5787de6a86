"""What holds for every parser: how it starts, and what it does with files that are no input."""

from __future__ import annotations

import builtins
import importlib
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from parser_runs import parser_run

ROOT = Path(__file__).parents[2]
# A name that the parser takes in a folder, and the arguments that it does not run without.
PARSERS = {
    "ani_parser": ("data.h5", []),
    "ase_parser": ("data.traj", ["--files", "*"]),
    "cp2k_parser": ("cp2k.out", []),
    "exyz_parser": ("data.xyz", []),
    "lammps_parser": ("data.dump", ["--units", "metal", "--elements", "Si", "--no-energy"]),
    "md17_parser": ("data.npz", []),
    "qe_output_parser": ("pw.out", []),
    "qe_parser": ("data.xml", []),
    "runner_parser": ("input.data", ["--length-unit", "bohr", "--energy-unit", "Ha"]),
    "vasp_parser": ("OUTCAR", []),
}
JUNK = {
    "empty": b"",
    "zeros": bytes(5000),
    "binary": bytes(range(256)) * 20,
    "one line": b"not what you think\n",
    "an end of lines": b"\n" * 300,
    "another encoding": "Größe: 3 Å\n".encode("utf-16"),
}
HUGE = 300_000_000  # bytes
MEMORY = 60_000_000  # bytes; LONGEST_LINE of some readers is 10 000 000 characters


def main_of(program: str):
    return importlib.import_module(f"panna.tools.{program}").main


def test_every_parser_is_here():
    found = {path.stem for path in (ROOT / "panna" / "tools").glob("*_parser.py")}
    assert found == set(PARSERS)


@pytest.mark.parametrize("program", PARSERS)
def test_help_comes_without_heavy_packages(program):
    code = (
        f"import sys; from panna.tools.{program} import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'numpy', 'ase', 'h5py', 'lxml', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "--addhash" in done.stdout and "-o" in done.stdout, done.stderr
    assert done.stdout.strip().endswith("set()")


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("program", PARSERS)
def test_junk_is_named(program, junk, tmp_path, capsys):
    name, arguments = PARSERS[program]
    path = tmp_path / name
    path.write_bytes(JUNK[junk])
    run = parser_run(main_of(program), capsys, tmp_path / "out", path, *arguments)
    assert run.code == 2 and not run.frames
    assert f"left out: {path}" in run.said, run.said
    assert "Traceback" not in run.said


@pytest.mark.parametrize("program", PARSERS)
def test_a_file_that_may_not_be_read_is_named(program, tmp_path, capsys, monkeypatch):
    """As for the superuser, who may read everything, by an open that refuses."""
    name, arguments = PARSERS[program]
    path = tmp_path / name
    path.write_bytes(b"something")
    opened = builtins.open

    def refusing(file, *args, **kwargs):
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refusing)
    run = parser_run(main_of(program), capsys, tmp_path / "out", path, *arguments)
    assert run.code == 2 and not run.frames
    assert f"left out: {path}" in run.said and "Permission denied" in run.said


@pytest.mark.parametrize("program", PARSERS)
def test_a_huge_file_of_zeros_fills_no_memory(program, tmp_path, capsys):
    """A sparse file: a disk that was full, a file system that lost the content."""
    name, arguments = PARSERS[program]
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(HUGE)
    tracemalloc.start()
    try:
        run = parser_run(main_of(program), capsys, tmp_path / "out", path, *arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert run.code == 2 and not run.frames
    assert f"left out: {path}" in run.said
    assert peak < MEMORY


def test_a_file_that_is_named_twice_is_read_once(tmp_path, capsys):
    folder = tmp_path / "in" / "below"
    folder.mkdir(parents=True)
    (folder / "a.xyz").write_text("1\nenergy=-1\nH 0 0 0\n")
    inputs = [tmp_path / "in", folder, folder / "a.xyz"]
    run = parser_run(main_of("exyz_parser"), capsys, tmp_path / "out", *inputs)
    assert run.code == 0 and list(run.frames) == ["below_a_000001"]


@pytest.mark.parametrize("program", PARSERS)
def test_wrong_paths_are_refused_at_once(program, tmp_path, capsys):
    name, arguments = PARSERS[program]
    (tmp_path / "empty").mkdir()
    run = parser_run(main_of(program), capsys, tmp_path / "out", tmp_path / "empty", *arguments)
    assert run.code == 2 and f"panna: error: {tmp_path / 'empty'}" in run.said
    run = parser_run(main_of(program), capsys, tmp_path / "out", tmp_path / name, *arguments)
    assert run.code == 2 and "no such file or folder" in run.said
    (tmp_path / "file").write_text("in the way")
    (tmp_path / name).write_bytes(b"x")
    run = parser_run(main_of(program), capsys, tmp_path / "file" / "o", tmp_path / name, *arguments)
    assert run.code == 2 and "the folder cannot be made" in run.said


def test_units_are_written_down_once():
    """Constants of other units of length, energy or stress stand in panna/frames/units.py only."""
    constants = re.compile(r"\b(0\.529|13\.60|27\.21|23\.06|627\.5|96\.48|160\.2|1602\.)\d")
    sources = {path: path.read_text() for path in (ROOT / "panna").rglob("*.py")}
    found = {
        str(path.relative_to(ROOT)) for path, text in sources.items() if constants.search(text)
    }
    assert found == {"panna/frames/units.py"}
