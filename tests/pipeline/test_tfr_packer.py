"""tfr_packer as its users run it: what goes where, and what it says when something is wrong."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calculator_cases import gvect_ini, tfr_ini, write_examples

import panna
from panna import gvect_calculator, tfr_packer
from panna.storage.bin_file import read_bin
from panna.storage.record_index import RecordIndex

pytest.importorskip("tensorflow")
SCRIPT = Path(panna.__file__).with_name("tfr_packer.py")
SIGNAL_AFTER = Path(__file__).with_name("signal_after.py")
FRAMES = 23


@pytest.fixture
def folder(tmp_path):
    """A folder with the .bin files of FRAMES water molecules, without derivatives."""
    write_examples(tmp_path / "examples", FRAMES)
    assert gvect_calculator.main(["-c", str(gvect_ini(tmp_path))]) == 0
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run the program in this process: (exit code, standard output, standard error)."""

    def call(**changes):
        config = tfr_ini(folder, **changes)
        capsys.readouterr()
        code = tfr_packer.main(["--config", str(config)])
        return code, *capsys.readouterr()

    return call


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.tfrecord")}


def names(path: Path) -> list[str]:
    from panna.storage.tfrecord import read_tfrecord

    return [record.name for record in read_tfrecord(path)]


def all_names(folder: Path) -> list[str]:
    found = sorted(folder.glob("*.tfrecord"), key=lambda path: int(path.stem.split("-")[-2]))
    return [name for path in found for name in names(path)]


ALL = [f"water.{i:03d}" for i in range(FRAMES)]


def test_frames_are_packed_in_the_order_of_their_names(run, folder):
    code, out, err = run(elements_per_file=10)
    assert (code, err) == (0, "")
    assert sorted(files(folder / "tfr")) == [f"{i}-3.tfrecord" for i in (1, 2, 3)]
    assert names(folder / "tfr" / "1-3.tfrecord") == ALL[:10]
    assert all_names(folder / "tfr") == ALL
    for text in (
        "frames             23 in",
        "descriptor         mBP of H, O",
        "tfr: 23 frames in 3 files",
        "3 files with 23 frames",
        "Next: panna_train",
        f"data_dir = {folder / 'tfr'}",
        "atomic_sequence = H, O",
    ):
        assert text in out, text


def test_records_hold_what_the_bin_files_hold(run, folder):
    from panna.storage.tfrecord import read_tfrecord

    run(prefix="w")
    for record in read_tfrecord(folder / "tfr" / "w-1-1.tfrecord"):
        original = read_bin(folder / "bin" / f"{record.name}.bin")
        assert record.energy == original.energy  # float64 to the last bit
        assert record.descriptor == original.descriptor
        for name in ("species", "descriptors", "positions", "cell", "pbc"):
            assert np.array_equal(getattr(record, name), getattr(original, name)), name
        assert np.array_equal(record.forces, original.forces.astype(np.float32))


def test_frames_without_forces_among_others_are_told(run, folder):
    example = folder / "examples" / f"{ALL[0]}.example"
    content = json.loads(example.read_text())
    content["atoms"] = [atom[:3] for atom in content["atoms"]]
    example.write_text(json.dumps(content))
    assert gvect_calculator.main(["-c", str(gvect_ini(folder))]) == 0
    code, out, _ = run()
    assert code == 0
    assert f"forces of {FRAMES - 1} frames" in out
    assert f"note: 1 frame without forces (first: {folder / 'bin' / ALL[0]}.bin)" in out


@pytest.mark.parametrize("number", [0, 3])
def test_a_bin_file_that_was_cut_short_is_named(run, folder, number):
    path = folder / "bin" / f"{ALL[number]}.bin"
    path.write_bytes(path.read_bytes()[:-40])
    code, _, err = run()
    assert code == 2
    assert f"{path}: " in err
    assert "cut short or damaged" in err


def test_shuffling_is_reproducible_and_depends_on_the_seed(run, folder):
    orders = {}
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run(shuffle=True, seed=seed, output_dir=folder / name)
        orders[name] = all_names(folder / name)
        assert sorted(orders[name]) == ALL
    assert orders["a"] == orders["b"] != orders["c"]
    assert orders["a"] != ALL
    assert files(folder / "a") == files(folder / "b")


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_split_is_disjoint_complete_and_reproducible(run, folder, shuffle):
    sets = {}
    for output in ("a", "b"):
        code, out, _ = run(
            validation_fraction=0.2,
            test_fraction=0.1,
            seed=3,
            shuffle=shuffle,
            output_dir=folder / output,
            elements_per_file=8,
        )
        assert code == 0
        for name in ("train", "validation", "test"):
            sets[output, name] = all_names(folder / output / name)
    assert [len(sets["a", name]) for name in ("train", "validation", "test")] == [16, 5, 2]
    together = [name for (output, _), members in sets.items() if output == "a" for name in members]
    assert sorted(together) == ALL
    for name in ("train", "validation", "test"):
        assert sets["a", name] == sets["b", name]
        assert (sets["a", name] == sorted(sets["a", name])) is not shuffle or name == "test"
    assert "train: 16 frames in 2 files" in out
    assert f"[VALIDATION_OPTIONS]  data_dir = {folder / 'b' / 'validation'}" in out


def test_the_validation_set_does_not_depend_on_shuffling(run, folder):
    for output, shuffle in (("a", False), ("b", True)):
        run(validation_fraction=0.3, seed=3, shuffle=shuffle, output_dir=folder / output)
    assert sorted(all_names(folder / "a" / "validation")) == sorted(
        all_names(folder / "b" / "validation")
    )


def test_complete_files_are_kept_and_missing_ones_written(run, folder):
    run(elements_per_file=10)
    before = files(folder / "tfr")
    code, out, _ = run(elements_per_file=10)
    assert code == 0 and "Nothing to do: 3 files" in out
    (folder / "tfr" / "2-3.tfrecord").unlink()
    code, out, _ = run(elements_per_file=10)
    assert code == 0 and "1 file with 10 frames" in out and "there already      2 files" in out
    assert files(folder / "tfr") == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"elements_per_file": 9}, "exists, with other frames or options"),
        ({"elements_per_file": 5}, "exists but does not belong to these data"),
        ({"shuffle": True}, "exists, with other frames or options"),
        ({"validation_fraction": 0.2}, "exists but does not belong to these data"),
        ({"prefix": "x"}, "exists but does not belong to these data"),
    ],
)
def test_data_packed_in_another_way_are_never_mixed(run, folder, changes, expected):
    run(elements_per_file=10)
    before = files(folder / "tfr")
    code, out, err = run(**{"elements_per_file": 10, **changes})
    assert code == 2 and out == ""
    assert expected in err and "choose another output_dir" in err
    assert files(folder / "tfr") == before


def test_new_frames_need_a_new_folder(run, folder):
    run()
    write_examples(folder / "examples", FRAMES + 1)
    gvect_calculator.main(["-c", str(folder / "gvect.ini")])
    code, _, err = run()
    assert code == 2 and "exists, with other frames or options" in err
    assert run(output_dir=folder / "new")[0] == 0
    assert len(all_names(folder / "new")) == FRAMES + 1


def test_files_of_the_original_program_in_the_output_are_not_taken_for_ours(run, folder, golden):
    (folder / "tfr").mkdir()
    (published,) = (golden / "h2o").glob("*.tfrecord")
    (folder / "tfr" / "1-1.tfrecord").write_bytes(published.read_bytes())
    code, _, err = run()
    assert code == 2 and "no record of its origin" in err


def test_files_of_different_descriptors_are_not_mixed(run, folder):
    other = gvect_ini(folder, name="other.ini", flavour="v2", IO_INFORMATION={
        "input_json_dir": folder / "examples", "output_gvect_dir": folder / "bin2",
        "log_dir": folder,
    })  # fmt: skip
    gvect_calculator.main(["-c", str(other)])
    (folder / "bin2" / "water.004.bin").replace(folder / "bin" / "water.004.bin")
    code, _, err = run()
    assert code == 2 and "different descriptors" in err and "water.004.bin" in err


def test_derivatives_change_their_form_while_packed(run, folder):
    from panna.storage.tfrecord import read_tfrecord

    dense = gvect_ini(folder, name="d.ini", include_derivatives=True, IO_INFORMATION={
        "input_json_dir": folder / "examples", "output_gvect_dir": folder / "dense",
        "log_dir": folder,
    })  # fmt: skip
    gvect_calculator.main(["-c", str(dense)])
    content = {"include_derivatives": True, "sparse_derivatives": True, "n_species": 2}
    assert run(input_dir=folder / "dense", content=content)[0] == 0
    for record in read_tfrecord(folder / "tfr" / "1-1.tfrecord"):
        original = read_bin(folder / "dense" / f"{record.name}.bin")
        assert not isinstance(record.derivatives, np.ndarray)
        assert np.array_equal(record.dense_derivatives(), original.derivatives)
    code, out, _ = run(input_dir=folder / "dense", output_dir=folder / "without")
    assert code == 0 and "the derivatives in the files are not packed" in out


def test_published_bin_files_are_packed(run, folder, golden):
    from panna.storage.tfrecord import read_tfrecord

    code, out, _ = run(
        input_dir=golden / "descriptors" / "bin", content={"include_derivatives": True}
    )
    assert code == 0 and "files of PANNA v1 or v2" in out
    found = list(read_tfrecord(folder / "tfr" / "1-1.tfrecord"))
    assert [record.name for record in found] == ["1", "2", "3"]
    expected = np.load(golden / "descriptors" / "references" / "2_dgvects.npy")
    assert np.array_equal(found[1].derivatives.ravel(), expected.ravel())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"content": {"include_derivatives": True}}, "has no derivatives, but include_derivatives"),
        ({"content": {"include_per_atom_quantity": True}}, "has no per-atom quantity"),
        ({"content": {"n_species": 1}}, "species 1 found, but n_species = 1"),
    ],
)
def test_what_the_frames_lack_is_an_error_and_leaves_no_file(run, folder, changes, expected):
    code, _, err = run(**changes)
    assert code == 2 and expected in err
    assert files(folder / "tfr") == {} and not list((folder / "tfr").glob(".*"))


def test_a_damaged_frame_is_named_and_complete_files_are_kept(run, folder):
    path = folder / "bin" / "water.015.bin"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    code, _, err = run(elements_per_file=10)
    assert code == 2 and f"{path}: damaged" in err
    assert list(files(folder / "tfr")) == ["1-3.tfrecord"]
    path.unlink()
    gvect_calculator.main(["-c", str(folder / "gvect.ini")])
    code, _, err = run(elements_per_file=10)
    # The frame has other contents than the plan of the first run, but its file was never written.
    assert code == 0, err
    assert all_names(folder / "tfr") == ALL


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"input_dir": "nowhere"}, "nowhere: no such folder"),
        ({"input_dir": None}, "[IO_INFORMATION] input_dir: missing"),
        ({"element_per_file": 3}, "unknown key. Did you mean elements_per_file?"),
        ({"elements_per_file": 0}, "expected an integer above 0"),
        ({"validation_fraction": 1}, "expected a number from 0 to below 1"),
        (
            {"validation_fraction": 0.5, "test_fraction": 0.5},
            "with validation_fraction = 0.5 nothing is left for training",
        ),
        ({"validation_fraction": 0.01}, "too few for the fractions asked for: no frame is left"),
        ({"prefix": "../x"}, "expected the beginning of a file name"),
        ({"seed": -1}, "expected an integer of 0 or more"),
        ({"content": {"long_range_el": True}}, "long-range electrostatics is not supported"),
        ({"CONTENTS_INFORMATION": {}}, "unknown section. Did you mean [CONTENT_INFORMATION]?"),
    ],
)
def test_mistakes_end_before_anything_is_written(run, folder, changes, expected):
    code, out, err = run(**changes)
    assert code == 2 and out == ""
    assert err.startswith("panna: error: ") and expected in err
    assert not (folder / "tfr").exists()


def test_keys_without_effect_are_noticed(run):
    _, out, _ = run(seed=3, content={"sparse_derivatives": True})
    assert "seed = 3: no effect without shuffle" in out
    assert "sparse_derivatives = True: no effect without include_derivatives" in out


def test_a_folder_without_bin_files_is_an_error(run, folder):
    code, _, err = run(input_dir=folder / "examples")
    assert code == 2 and f"no *.bin file in it ({FRAMES} other entries)" in err


def test_without_tensorflow_the_program_says_what_to_install(run, folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = run()
    assert code == 2 and "pip install '.[cpu]'" in err
    assert not (folder / "tfr").exists()


# -- as a command ----------------------------------------------------------------------------------


def test_the_script_writes_the_same_bytes_as_the_library(folder):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "-c", str(tfr_ini(folder, shuffle=True))],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0 and "23 frames" in done.stdout, done.stderr
    assert "oneDNN" not in done.stderr and "cpu_feature" not in done.stderr
    assert tfr_packer.main(["-c", str(tfr_ini(folder, shuffle=True, output_dir=folder / "b"))]) == 0
    # Bytes, although a TFRecord holds a map whose order is free.
    assert files(folder / "b") == files(folder / "tfr")


def test_help_and_mistakes_are_answered_without_tensorflow(tmp_path):
    code = (
        "import sys; from panna.tfr_packer import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "main(['-c', 'missing.ini'])\n"
        "sys.exit(bool({'numpy', 'tensorflow', 'ase', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_an_interrupted_run_leaves_whole_files_and_continues(folder, run):
    # Links make many frames of a few, without computing them.
    for i in range(1000):
        (folder / "bin" / f"copy_{i:04d}.bin").hardlink_to(folder / "bin" / "water.000.bin")
    config = tfr_ini(folder, elements_per_file=50)
    done = subprocess.run(
        [sys.executable, str(SIGNAL_AFTER), str(int(signal.SIGINT)), "2", ".tfrecord",
         "panna.tfr_packer", "-c", str(config)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 130 and done.stderr.strip().endswith("panna: interrupted")
    whole = list((folder / "tfr").glob("*.tfrecord"))
    assert 2 <= len(whole) < 21
    assert not list((folder / "tfr").glob(".*"))
    assert len(RecordIndex.of(whole)) == 50 * len(whole)
    assert len(set(names(whole[0]))) == 1
    assert run(elements_per_file=50)[0] == 0
    assert len(RecordIndex.of(list((folder / "tfr").glob("*.tfrecord")))) == 1000 + FRAMES
