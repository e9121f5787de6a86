"""gvect_calculator as its users run it: what it writes, and what it says when things go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from calculator_cases import SMALL, edit_example, gvect_ini, read_version_0, write_examples

import panna
from panna import gvect_calculator
from panna.cores import available_cores
from panna.storage.bin_file import read_bin
from panna.storage.calculate import COMPUTED_LIST

SCRIPT = Path(panna.__file__).with_name("gvect_calculator.py")
SIGNAL_AFTER = Path(__file__).with_name("signal_after.py")


@pytest.fixture
def run(tmp_path, capsys):
    """Run the program in this process: (exit code, standard output, standard error)."""

    def call(*arguments, **changes):
        if not arguments:
            arguments = ("--config", str(gvect_ini(tmp_path, **changes)))
        code = gvect_calculator.main(list(arguments))
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def examples(tmp_path):
    return write_examples(tmp_path / "examples", 5)


def bins(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "bin").glob("*"))}


def test_every_example_becomes_a_bin_file(run, examples, tmp_path):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert list(bins(tmp_path)) == [f"water.{i:03d}.bin" for i in range(5)]
    for text in (
        "examples           5",
        "H (10 atoms), O (5 atoms)",
        "descriptor         mBP of H, O",
        "components         18",
        "eps 0.01, like pairs once",
        "5 files (15 atoms",
        "Next: panna_tfr_packer",
        f"input_dir = {tmp_path / 'bin'}",
    ):
        assert text in out, text
    found = read_version_0(tmp_path / "bin" / "water.002.bin")
    assert found["flags"] == 0 and found["G"].shape == (3, 18)
    assert list(found["species"]) == [1, 0, 0]
    # Names with dots are kept whole, in the files and in PANNA's list of what is there.
    names = (tmp_path / "logs" / COMPUTED_LIST).read_text()
    assert names == "water.000,water.001,water.002,water.003,water.004,"


@pytest.mark.parametrize(
    ("sparse", "flags", "next_lines"),
    [
        (False, 0b11, ("include_derivatives = True",)),
        (True, 0b1011, ("sparse_derivatives = True",)),
    ],
)
def test_derivatives_are_those_of_finite_differences(
    run, examples, tmp_path, sparse, flags, next_lines
):
    code, out, _ = run(include_derivatives=True, sparse_derivatives=sparse)
    assert code == 0 and all(line in out for line in next_lines)
    found = read_version_0(tmp_path / "bin" / "water.000.bin")
    assert found["flags"] == flags
    from panna.descriptors import evaluate
    from panna.descriptors.parameters import from_dict
    from panna.frames.neighbours import neighbour_list

    record = read_bin(tmp_path / "bin" / "water.000.bin")
    parameters = from_dict(record.descriptor)

    def descriptors(shift):
        from panna.frames.frame import Frame

        moved = record.positions.copy()
        moved[1, 2] += shift
        frame = Frame(("O", "H", "H"), moved, record.cell, record.pbc)
        return evaluate.compute(parameters, neighbour_list(frame, ("H", "O"), parameters.cutoff))

    expected = (descriptors(1e-5) - descriptors(-1e-5)) / 2e-5
    worst = np.abs(found["dG"][:, :, 1, 2] - expected).max()
    assert worst < 3e-7, worst  # float32 of numbers up to 3


def test_several_processes_write_the_same_bytes(run, tmp_path):
    write_examples(tmp_path / "examples", 24)
    assert run()[0] == 0
    one = bins(tmp_path)
    for path in (tmp_path / "bin").iterdir():
        path.unlink()
    assert run(PARALLELIZATION={"number_of_process": 3})[0] == 0
    assert bins(tmp_path) == one and len(one) == 24


def test_the_number_of_processes_is_limited_by_the_cores(run, examples):
    code, out, _ = run(PARALLELIZATION={"number_of_process": 100000})
    assert code == 0 and "not 100000: there are" in out


def test_a_finished_calculation_is_left_as_it_is(run, examples, tmp_path):
    run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "bin").iterdir()}
    code, out, _ = run()
    assert code == 0 and "Nothing to do: 5 files up to date" in out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "bin").iterdir()} == before


def test_only_what_is_missing_changed_or_damaged_is_computed(run, examples, tmp_path):
    run()
    first = bins(tmp_path)
    (tmp_path / "bin" / "water.000.bin").unlink()
    cut = tmp_path / "bin" / "water.001.bin"
    cut.write_bytes(cut.read_bytes()[:200])
    edit_example(examples[2], energy=[-2000.0, "eV"])
    (tmp_path / "logs" / COMPUTED_LIST).write_text("water.000,")  # never believed
    code, out, _ = run()
    assert code == 0
    assert "5, 2 of them computed already, 2 again (changed or damaged)" in out
    second = bins(tmp_path)
    assert second.pop("water.002.bin") != first.pop("water.002.bin")
    assert second == first
    assert read_bin(tmp_path / "bin" / "water.002.bin").energy == -2000.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"parameters": SMALL | {"Rc_rad": 3.5}}, "another descriptor: rc_rad = 3.0 found, 3.5 ex"),
        ({"flavour": "v2"}, "another descriptor: eps = 0.01 found, 0.001 expected"),
        ({"species": "O, H"}, "another descriptor: species = ['H', 'O'] found"),
        ({"include_derivatives": True}, "derivatives = none, now dense is asked for"),
        ({"PBC": {"use_pbc": "0, 0, 0"}}, "pbc = None, now [False, False, False] is asked for"),
    ],
)
def test_files_of_other_parameters_are_never_mixed(run, examples, tmp_path, changes, expected):
    run()
    before = bins(tmp_path)
    code, out, err = run(**changes)
    assert code == 2 and out == ""
    assert expected in err and "choose another output_gvect_dir" in err
    assert bins(tmp_path) == before


def test_files_of_the_original_program_are_not_taken_for_ours(run, examples, tmp_path, golden):
    (tmp_path / "bin").mkdir()
    published = (golden / "descriptors" / "bin" / "1.bin").read_bytes()
    (tmp_path / "bin" / "water.000.bin").write_bytes(published)
    code, _, err = run()
    assert code == 2 and "does not say with which parameters it was made" in err


def test_bad_examples_are_reported_and_the_others_computed(run, examples, tmp_path):
    examples[0].write_text("{")
    edit_example(examples[1], energy=[-1.0, "kcal"])
    edit_example(examples[2], atoms=[[1, "Si", [0, 0, 0], [0, 0, 0]]])
    edit_example(examples[3], unit_of_length=None)
    code, out, _ = run()
    assert code == 2
    assert sorted(bins(tmp_path)) == ["water.003.bin", "water.004.bin"]
    for text in (
        f"left out: {examples[0]}: not valid JSON",
        f"left out: {examples[1]}: energy: unit 'kcal' is unknown",
        "contains Si, but the species are H, O",
        "note: examples with Si will be left out",
        "3 examples left out, by reason",
        "warning: 1 example: a .example file has no unit_of_length",
        "what is written is kept",
    ):
        assert text in out, text


def test_many_failures_are_summed_up(run, tmp_path):
    for path in write_examples(tmp_path / "examples", 15):
        path.write_text("[]")
    code, out, _ = run()
    assert code == 2
    assert out.count("left out: ") == 11  # ten and "more"
    assert "15 x expected a JSON object, found a list" in out
    assert "Next:" not in out
    code, out, _ = run("--config", str(tmp_path / "gvect.ini"), "--debug")
    assert out.count("left out: ") == 15


def test_no_stale_file_outlives_a_failure(run, examples, tmp_path):
    run()
    examples[4].write_text("garbage")
    code, _, _ = run()
    assert code == 2
    assert sorted(bins(tmp_path)) == [f"water.{i:03d}.bin" for i in range(4)]


def test_atoms_without_neighbours_are_pointed_out(run, examples):
    atoms = [[1, "O", [0, 0, 0], [0, 0, 0]], [2, "H", [0, 0, 9], [0, 0, 0]]]
    edit_example(examples[0], atoms=atoms)
    code, out, _ = run()
    assert code == 0
    assert "warning: 1 example: all descriptors are zero" in out


def test_the_cores_are_counted_on_every_system(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert available_cores() >= 1


def test_files_of_removed_examples_are_pointed_out(run, examples):
    run()
    examples[4].unlink()
    code, out, _ = run()
    assert code == 0
    assert "has 1 .bin file of other examples (first: water.004.bin)" in out


def test_forces_are_needed_for_derivatives_only(run, examples):
    edit_example(examples[0], atoms=[[1, "O", [0, 0, 0]], [2, "H", [0, 0.8, 0.6]]])
    assert run()[0] == 0
    code, out, _ = run(
        include_derivatives=True,
        IO_INFORMATION={
            "input_json_dir": examples[0].parent,
            "output_gvect_dir": examples[0].parents[1] / "other",
            "log_dir": examples[0].parents[1],
        },
    )
    assert code == 2 and "no forces, but include_derivatives = True" in out


def test_periodicity_of_the_ini_file_reaches_descriptors_and_derivatives(run, tmp_path, golden):
    examples = tmp_path / "examples"
    examples.mkdir()
    carbon = next((golden / "carbon" / "examples").glob("*.example"))
    (examples / "c.example").write_bytes(carbon.read_bytes())
    shapes = {}
    for name, pbc in (("all", None), ("none", "0, 0, 0"), ("ab", "yes, yes, no")):
        assert (
            run(
                species="C",
                include_derivatives=True,
                PBC=pbc and {"use_pbc": pbc},
                IO_INFORMATION={
                    "input_json_dir": examples,
                    "output_gvect_dir": tmp_path / name,
                    "log_dir": tmp_path,
                },
            )[0]
            == 0
        )
        shapes[name] = read_version_0(tmp_path / name / "c.bin")
    for kind in ("G", "dG"):
        assert np.abs(shapes["all"][kind] - shapes["none"][kind]).max() > 1e-2
        assert np.abs(shapes["all"][kind] - shapes["ab"][kind]).max() > 1e-2
    assert list(read_bin(tmp_path / "ab" / "c.bin").pbc) == [True, True, False]


def test_per_atom_energies_are_stored_on_request(run, examples, tmp_path):
    for example in examples:
        edit_example(example, per_atom_energy=[-1.0, -2.0, -3.0])
    assert run(MISC={"per_atom_energy": True})[0] == 0
    found = read_version_0(tmp_path / "bin" / "water.000.bin")
    assert found["flags"] == 0b100 and list(found["per_atom"]) == [-1, -2, -3]


def test_folder_info_replaces_the_folders(run, examples, tmp_path):
    config = gvect_ini(tmp_path, IO_INFORMATION=None)
    code, _, err = run("-c", str(config))
    assert code == 2 and "[IO_INFORMATION] input_json_dir: missing" in err
    assert run("-c", str(config), "-f", str(tmp_path))[0] == 0
    assert len(bins(tmp_path)) == 5
    assert (tmp_path / COMPUTED_LIST).exists()


def test_bp_is_computed_with_derivatives(run, examples, tmp_path):
    keys = {"eta_rad": "1, 4", "Rc_rad": 3, "RsN_rad": 2, "eta_ang": 0.1, "zeta": "1, 4"}
    code, out, _ = run(parameters=keys, type="BP", include_derivatives=True)
    assert code == 0 and "r_jk cutoff smooth" in out
    # The size that the file states is that of its content: 2*4 radial and 3*4 angular.
    assert read_version_0(tmp_path / "bin" / "water.000.bin")["dG"].shape == (3, 20, 3, 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"IO_INFORMATION": {"input_json_dir": "nowhere"}}, "nowhere: no such folder"),
        ({"SYMETRY_FUNCTION": {}}, "unknown section. Did you mean [SYMMETRY_FUNCTION]?"),
        ({"include_derivativs": True}, "unknown key. Did you mean include_derivatives?"),
        ({"parameters": SMALL | {"gvect_parameters_unit": "nm"}}, "expected angstrom or bohr"),
        ({"parameters": SMALL | {"zeta": None}}, "[GVECT_PARAMETERS] zeta: missing"),
        ({"SYMMETRY_FUNCTION": None}, "[SYMMETRY_FUNCTION]: the section is missing"),
    ],
)
def test_mistakes_in_the_ini_file_end_before_anything_is_written(
    run, examples, tmp_path, changes, expected
):
    code, out, err = run(**changes)
    assert code == 2 and out == ""
    assert err.startswith("panna: error: ") and expected in err
    assert not (tmp_path / "bin").exists() and not (tmp_path / "logs").exists()


def test_a_folder_without_examples_is_an_error(run, tmp_path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "notes.txt").touch()
    code, _, err = run()
    assert code == 2 and "no *.example file in it (1 other entries)" in err


def test_an_output_folder_that_is_a_file_is_an_error(run, examples, tmp_path):
    (tmp_path / "bin").touch()
    code, _, err = run()
    assert code == 2 and f"{tmp_path / 'bin'}: the folder cannot be made" in err


# -- as a command ----------------------------------------------------------------------------------


def test_all_ways_to_start_the_program_do_the_same(examples, tmp_path):
    config = str(gvect_ini(tmp_path))
    results = []
    for command in (
        [sys.executable, str(SCRIPT)],
        [sys.executable, "-m", "panna.gvect_calculator"],
        [sys.executable, "-c", "import sys; from panna.gvect_calculator import main; "
         "sys.exit(main())"],
    ):  # fmt: skip
        done = subprocess.run(
            [*command, "--config", config], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        results.append((bins(tmp_path), done.stderr))
        for path in (tmp_path / "bin").iterdir():
            path.unlink()
    assert results[0] == results[1] == results[2]


def test_help_and_mistakes_are_answered_without_heavy_libraries(tmp_path):
    code = (
        "import sys; from panna.gvect_calculator import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "main(['-c', 'missing.ini'])\n"
        "sys.exit(bool({'numpy', 'tensorflow', 'ase', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--folder_info" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_calculation_leaves_whole_files_and_continues(run, tmp_path, number):
    write_examples(tmp_path / "examples", 200)
    config = gvect_ini(tmp_path, PARALLELIZATION={"number_of_process": 2})
    done = subprocess.run(
        [sys.executable, str(SIGNAL_AFTER), str(int(number)), "20", ".bin",
         "panna.gvect_calculator", "-c", str(config)],
        capture_output=True, text=True,
    )  # fmt: skip
    # The workers end with their parent: nothing more is written.
    _wait_for(lambda: _count_is_stable(tmp_path / "bin"))
    written = list((tmp_path / "bin").glob("*.bin"))
    assert 20 <= len(written) < 200
    if number == signal.SIGINT:
        assert done.returncode == 130
        assert "start again to continue" in done.stdout
        assert done.stderr.strip() == "panna: interrupted"
        assert len((tmp_path / "logs" / COMPUTED_LIST).read_text().split(",")) > 10
    for path in written[::20]:
        assert read_bin(path).n_atoms == 3
    code, out, _ = run("-c", str(config))
    assert code == 0 and "of them computed already" in out
    assert len(list((tmp_path / "bin").glob("*.bin"))) == 200


def _count_is_stable(folder: Path) -> bool:
    before = len(list(folder.iterdir()))
    time.sleep(0.3)
    return len(list(folder.iterdir())) == before


def _wait_for(condition, seconds=30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
