"""panna_evaluate as its users see it: files, numbers, and answers to mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import mbp
from model_cases import (
    OFFSETS,
    a_model,
    gvect_ini,
    labelled_frames,
    write_examples,
    write_training,
)

import panna
from panna.descriptors.evaluate import compute, forces_from_pairs, vjp
from panna.evaluate import main
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import energies_and_gradients
from panna.network.ranges import Ranges
from panna.potential.panna_in import write_potential
from panna.potential.panna_networks import write_networks
from panna.storage.bin_file import write_bin
from panna.storage.frame_record import describe

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "networks"
PARAMETERS = mbp()
MODELS = {10: a_model(seed=1), 20: a_model(seed=2), 30: a_model(seed=3)}
FRAMES = labelled_frames(5)
FORCES = "compute_forces = True\nplots = False"
WRITTEN = 1e-10  # the files have ten decimals


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A folder with a training and a folder of examples; the program runs in it."""
    write_training(tmp_path / "train", MODELS, best=20)
    write_examples(tmp_path / "examples", FRAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ini(work: Path, io: str = "", options: str = FORCES, rest: str = "") -> str:
    """An ini file of examples and checkpoints, changed by further lines; later ones win."""
    lines = {
        "data_dir": "examples",
        "example_format": "examples",
        "train_dir": "train",
        "eval_dir": "eval",
    }
    for line in filter(None, io.split("\n")):
        key, value = (part.strip() for part in line.split("=", 1))
        lines[key] = value
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    path = work / "evaluate.ini"
    path.write_text(f"[IO_INFORMATION]\n{text}\n[VALIDATION_OPTIONS]\n{options}\n{rest}\n")
    return str(path)


def run(*args, **kwargs) -> int:
    return main(["--config", ini(*args, **kwargs)])


def read(path: Path) -> tuple[str, np.ndarray, list[str]]:
    """Header, numbers and names of a file of results."""
    lines = path.read_text().splitlines()
    rows = [line.split(" ") for line in lines[1:]]
    return lines[0], np.array([row[1:] for row in rows], float), [row[0] for row in rows]


def expected(model, frame):
    """Energy and forces by the core and NumPy, one frame at a time."""
    nl = neighbour_list(frame, PARAMETERS.species, PARAMETERS.cutoff)
    energies, gradients = energies_and_gradients(model, nl.species, compute(PARAMETERS, nl))
    return energies.sum(), forces_from_pairs(nl, vjp(PARAMETERS, nl, gradients))


def test_every_checkpoint_gets_its_files_with_the_columns_of_panna(work):
    assert run(work, options="compute_forces = True") == 0
    for step, model in MODELS.items():
        header, numbers, names = read(work / f"eval/{step}.dat")
        assert header == "#filename n_atoms e_ref e_nn"
        assert names == [frame.name for frame in FRAMES]
        header, forces, of = read(work / f"eval/{step}_forces.dat")
        assert header == "#filename atom_id fx_nn fy_nn fz_nn fx_ref fy_ref fz_ref"
        start = 0
        for frame, row in zip(FRAMES, numbers, strict=True):
            energy, predicted = expected(model, frame)
            np.testing.assert_allclose(row, [frame.n_atoms, frame.energy, energy], atol=WRITTEN)
            mine = forces[start : start + frame.n_atoms]
            assert set(of[start : start + frame.n_atoms]) == {frame.name}
            np.testing.assert_array_equal(mine[:, 0], np.arange(frame.n_atoms))
            np.testing.assert_allclose(mine[:, 1:4], predicted, atol=WRITTEN)
            np.testing.assert_allclose(mine[:, 4:], frame.forces, atol=WRITTEN)
            start += frame.n_atoms
        for name in (f"{step}_energies.png", f"{step}_forces.png"):
            assert (work / "eval" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not list((work / "eval").glob(".*"))


def test_summary_and_screen_say_the_same_as_the_files(work, capsys):
    assert run(work, options=FORCES + "\nstep_number = best, 30") == 0
    screen = capsys.readouterr().out
    summary = json.loads((work / "eval/summary.json").read_text())
    assert [n["label"] for n in summary["networks"]] == ["best", "30"]
    assert summary["networks"][0]["step"] == 20
    assert summary["data"]["structures"] == len(FRAMES)
    assert summary["data"]["species"] == {"Si": 25, "O": 25, "H": 20}
    for entry in summary["networks"]:
        _, energies, _ = read(work / f"eval/{entry['label']}.dat")
        error = energies[:, 2] - energies[:, 1]
        per_atom = 1e3 * error / energies[:, 0]
        e, f = entry["energy"], entry["forces"]
        assert e["rmse_meV_per_atom"] == pytest.approx(np.sqrt(np.mean(per_atom**2)))
        assert e["mae_meV_per_atom"] == pytest.approx(np.abs(per_atom).mean())
        assert e["max_meV_per_atom"] == pytest.approx(np.abs(per_atom).max())
        assert e["bias_eV"] == pytest.approx(error.mean())
        assert e["rmse_eV"] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert e["worst_structure"] == FRAMES[np.abs(per_atom).argmax()].name
        _, forces, _ = read(work / f"eval/{entry['label']}_forces.dat")
        difference = forces[:, 1:4] - forces[:, 4:]
        assert f["rmse_eV_per_angstrom"] == pytest.approx(np.sqrt(np.mean(difference**2)))
        assert f["mae_eV_per_angstrom"] == pytest.approx(np.abs(difference).mean())
        symbols = np.array([symbol for frame in FRAMES for symbol in frame.species])
        for symbol, of_species in f["species"].items():
            mine = difference[symbols == symbol]
            assert of_species["components"] == mine.size
            assert of_species["mae_eV_per_angstrom"] == pytest.approx(np.abs(mine).mean())
            assert of_species["max_eV_per_angstrom"] == pytest.approx(np.abs(mine).max())
        assert f"{e['rmse_meV_per_atom']:.2f}" in screen
        assert f"{f['mae_eV_per_angstrom']:.4f}" in screen
    assert set(summary["networks"][0]["groups"]) == {"crystals", "molecules"}


def test_atoms_outside_the_range_of_the_training_set_are_told(work, capsys):
    ranges = Ranges.empty(3, PARAMETERS.size)
    for frame in FRAMES[:-1]:
        record = describe(frame, PARAMETERS, "none", threads=1)
        for s in np.unique(record.species):
            ranges.add(s, record.descriptors[record.species == s].astype(float))
    write_training(work / "train", {50: replace(MODELS[30], ranges=ranges)})
    assert run(work, options=FORCES + "\nstep_number = 50") == 0
    found = json.loads((work / "eval/summary.json").read_text())["networks"][0]
    outside = found["outside_training_range"]
    assert outside["structures"] == 1 and outside["worst_structure"] == FRAMES[-1].name
    line = f"atoms outside the range of the training set: {outside['atoms']} of 70"
    assert line in capsys.readouterr().out


def test_bin_files_and_tfrecords_give_the_numbers_of_the_examples(work):
    pytest.importorskip("tensorflow")
    from panna.storage.tfrecord import write_tfrecord

    records = [describe(frame, PARAMETERS, "sparse") for frame in FRAMES]
    (work / "bin").mkdir()
    (work / "tfr").mkdir()
    for record in records:
        write_bin(work / "bin" / f"{record.name}.bin", record, sparse=True)
    write_tfrecord(work / "tfr/0-1.tfrecord", records)
    step = FORCES + "\nstep_number = 10"
    assert run(work, options=step) == 0
    assert run(work, "data_dir = bin\nexample_format = single_files\neval_dir = b", step) == 0
    assert run(work, "data_dir = tfr\nexample_format = TFR\neval_dir = t", step) == 0
    for name in ("10.dat", "10_forces.dat"):
        _, numbers, names = read(work / "eval" / name)
        for other in ("b", "t"):
            _, same, labels = read(work / other / name)
            assert labels == names
            # Forces are float32 in TFRecord files.
            np.testing.assert_allclose(same, numbers, atol=1e-6, rtol=0)


def test_stored_derivatives_give_the_forces_where_there_are_no_positions(work):
    (work / "bin").mkdir()
    for kind, frame in zip(("sparse", "dense") * 3, FRAMES, strict=False):
        record = replace(describe(frame, PARAMETERS, kind), positions=None, cell=None, pbc=None)
        write_bin(work / "bin" / f"{frame.name}.bin", record, sparse=kind == "sparse")
    step = FORCES + "\nstep_number = -1"
    assert run(work, options=step) == 0
    assert run(work, "data_dir = bin\nexample_format = single_files\neval_dir = b", step) == 0
    for name, tolerance in (("30.dat", 2e-5), ("30_forces.dat", 2e-5)):
        _, numbers, _ = read(work / "eval" / name)
        _, stored, _ = read(work / "b" / name)
        # Descriptors and derivatives are float32 there.
        worst = np.abs(stored - numbers).max()
        assert worst < tolerance, f"{name}: differs by {worst:.1e}"


def test_without_offsets_both_energies_lose_them(work):
    assert run(work, options="add_offset = False\nsingle_step = True\nplots = no") == 0
    assert sorted(p.name for p in (work / "eval").iterdir()) == ["30.dat", "summary.json"]
    _, numbers, _ = read(work / "eval/30.dat")
    for frame, (_, reference, predicted) in zip(FRAMES, numbers, strict=True):
        offset = sum(OFFSETS[symbol] for symbol in frame.species)
        assert reference == pytest.approx(frame.energy - offset, abs=1e-9)
        energy, _ = expected(MODELS[30], frame)
        assert predicted == pytest.approx(energy - offset, abs=1e-9)


def test_exported_networks_and_potentials_are_evaluated_too(work):
    write_networks(MODELS[10], work / "networks")
    write_potential(MODELS[10], work / "potential")
    assert run(work, options=FORCES + "\nstep_number = 10") == 0
    for form, folder in (("PANNA", "networks"), ("LAMMPS", "potential")):
        io = f"networks_format = {form}\nnetworks_folder = {folder}\neval_dir = {form}\ntrain_dir ="
        assert run(work, io) == 0
        for name in ("", "_forces"):
            _, numbers, _ = read(work / f"eval/10{name}.dat")
            _, same, _ = read(work / form / f"{name[1:] or 'energies'}.dat")
            # The exported weights are float32 with the scaling folded in.
            np.testing.assert_allclose(same, numbers, atol=1e-5, rtol=0)


def test_a_subset_is_random_and_repeatable(work):
    names = []
    for seed in (1, 1, 2):
        assert (
            run(work, options=f"batch_size = 2\nseed = {seed}\nsingle_step = yes\nplots = no") == 0
        )
        names.append(read(work / "eval/30.dat")[2])
    assert len(names[0]) == 2
    assert names[0] == names[1] != names[2]


def test_structures_without_forces_or_energy(work, capsys):
    write_examples(
        work / "part", [replace(FRAMES[0], energy=None), replace(FRAMES[1], forces=None)]
    )
    step = FORCES + "\nstep_number = 30"
    assert run(work, "data_dir = part", step) == 0
    entry = json.loads((work / "eval/summary.json").read_text())["networks"][0]
    assert entry["energy"]["structures"] == 1
    assert entry["forces"]["components"] == 3 * FRAMES[0].n_atoms
    assert "nan" in (work / "eval/30.dat").read_text()
    write_examples(work / "bare", [replace(FRAMES[0], energy=None, forces=None)])
    assert run(work, "data_dir = bare", step) == 0
    entry = json.loads((work / "eval/summary.json").read_text())["networks"][0]
    assert entry["energy"] is None and entry["forces"] is None
    assert "no reference energies" in capsys.readouterr().out


def test_golden_networks_of_panna_v1(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    golden = json.loads((GOLDEN / "expected.json").read_text())["test_2"]
    io = (
        f"networks_format = PANNA\nnetworks_folder = {GOLDEN}/test_2/saved_networks\ntrain_dir =\n"
        f"data_dir = {GOLDEN}/test_2/train_data\nexample_format = TFR"
    )
    rest = "[TFR_STRUCTURE]\ng_size = 384\n[PARALLELIZATION]\nnumber_of_process = 2"
    assert run(tmp_path, io, FORCES + "\nadd_offset = False", rest) == 0
    _, energies, _ = read(tmp_path / "eval/energies.dat")
    _, forces, _ = read(tmp_path / "eval/forces.dat")
    np.testing.assert_allclose(
        energies[:, 2], [g["energy_nn_without_offset"] for g in golden], atol=1e-9
    )
    np.testing.assert_allclose(
        forces[:, 1:4], np.concatenate([g["forces_nn"] for g in golden]), atol=1e-9
    )


def _nan(work):
    model = a_model(seed=1)
    model.networks[0].biases[-1][:] = np.nan
    write_training(work / "train", {40: model})


def _two_descriptors(work):
    write_training(work / "train", {40: a_model(mbp(zeta=4.0))})


def _cut_checkpoint(work):
    path = work / "train/checkpoints/step_10.npz"
    path.write_bytes(path.read_bytes()[:2000])


def _other_descriptor(work):
    (work / "bin").mkdir()
    write_bin(work / "bin/a.bin", describe(FRAMES[0], mbp(zeta=4.0)))


def _no_derivatives(work):
    (work / "bin").mkdir()
    record = describe(FRAMES[0], PARAMETERS)
    write_bin(work / "bin/a.bin", replace(record, positions=None, cell=None, pbc=None))


def _published_checkpoint(work):
    (work / "v1").mkdir()
    (work / "v1/model.ckpt-100.index").write_bytes(b"")


def _gold(work):
    gold = Frame(("Au",), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool), 0.0, name="gold")
    write_examples(work / "examples", [gold])


def _broken_example(work):
    (work / "examples/bad.example").write_text('{"atoms": [')


BIN = "data_dir = bin\nexample_format = single_files"
MISTAKES = {
    "no data_dir": ("data_dir = nowhere", FORCES, None, ["nowhere", "no such folder"]),
    "other format": ("data_dir = examples\nexample_format = TFR", FORCES, None,
        ["no *.tfrecord file", "example_format = examples"]),
    "no train_dir": ("train_dir = nowhere", FORCES, None, ["nowhere", "folder of a training"]),
    "no such step": ("", "step_number = 15", None, ["step 15", "10, 20, 30"]),
    "misspelt key": ("", "compute_force = True", None, ["Did you mean compute_forces"]),
    "two choices": ("", "single_step = True\nstep_number = 10, 20", None, ["step_number"]),
    "subsampling": ("", "step_number = 10\nsubsampling = 2", None, ["subsampling = 2"]),
    "empty batch": ("", "batch_size = 0", None, ["batch_size = 0", "expected -1 or"]),
    "folder": ("networks_folder = x", FORCES, None, ["networks_folder = x", "no effect"]),
    "nan": ("", "step_number = 40", _nan, ["step_40.npz", "not finite"]),
    "two descriptors": ("", FORCES, _two_descriptors, ["step_10.npz", "step_40.npz", "different"]),
    "damaged": ("", FORCES, _cut_checkpoint, ["step_10.npz", "damaged"]),
    "other data": (BIN, FORCES, _other_descriptor, ["a.bin", "zeta", "expected"]),
    "no derivatives": (BIN, FORCES, _no_derivatives, ["a.bin", "include_derivatives = True"]),
    "published": ("train_dir = v1", FORCES, _published_checkpoint, ["networks_format = PANNA"]),
    "species": ("", FORCES, _gold, ["gold.example", "Au", "Si, O, H"]),
    "example": ("", FORCES, _broken_example, ["bad.example", "JSON"]),
    "eval_dir is a file": ("eval_dir = evaluate.ini", FORCES, None, ["evaluate.ini"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained_and_leave_no_files(work, capsys, name):
    io, options, prepare, words = MISTAKES[name]
    if prepare:
        prepare(work)
    assert run(work, io, options) == 2
    message = capsys.readouterr().err
    assert message.startswith("panna: error: ")
    for word in words:
        assert word in message, message
    assert not (work / "eval").exists() or not list((work / "eval").iterdir())


@pytest.mark.parametrize(
    "section, line, words",
    [
        ("TFR_STRUCTURE", "g_size = 12", ["g_size = 12", "111"]),
        ("DATA_INFORMATION", "atomic_sequence = O, Si, H", ["Si, O, H"]),
        ("DATA_INFORMATION", "output_offset = -163, -2041, -13", ["-163.246801"]),
    ],
)
def test_what_the_ini_says_about_the_network_is_checked(work, capsys, section, line, words):
    assert run(work, rest=f"[{section}]\n{line}") == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message, message


def test_old_networks_need_their_descriptor_for_examples(work, capsys):
    write_networks(replace(MODELS[10], descriptor=None, descriptor_hash=""), work / "old")
    io = "networks_format = PANNA\nnetworks_folder = old\ntrain_dir ="
    assert run(work, io) == 2
    assert "gvector_input" in capsys.readouterr().err
    Path("gvect.ini").write_text(gvect_ini("Si, O, H", "1.5, 2.0, 2.5"))
    assert run(work, io + "\ngvector_input = gvect.ini") == 0
    assert run(work, "eval_dir = new", FORCES + "\nstep_number = 10") == 0
    _, forces, _ = read(work / "eval/forces.dat")
    _, same, _ = read(work / "new/10_forces.dat")
    np.testing.assert_allclose(forces, same, atol=1e-5)
    Path("gvect.ini").write_text(gvect_ini("O, Si, H", "1.5, 2.0, 2.5"))
    assert run(work, io + "\ngvector_input = gvect.ini") == 2
    assert "gvect.ini: species = O, Si, H found" in capsys.readouterr().err


def test_script_module_and_command_are_the_same(work):
    config = ini(work, options="step_number = 10\nplots = False")
    root = Path(panna.__file__).parent
    command = Path(sysconfig.get_path("scripts")) / "panna_evaluate"
    outputs = []
    for start in ([sys.executable, root / "evaluate.py"], [sys.executable, "-m", "panna.evaluate"],
                  [command]):  # fmt: skip
        done = subprocess.run([*start, "-c", config], capture_output=True, text=True, cwd=work)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        # Without the time that it took.
        outputs.append(
            [
                line
                for line in done.stdout.splitlines()
                if " networks (" not in line and "evaluating" not in line
            ]
        )
    assert outputs[0] == outputs[1] == outputs[2]


def test_help_is_quick_and_examples_need_no_tensorflow(work):
    code = "import sys, panna.evaluate as e\n"
    light = code + "print('numpy' in sys.modules)"
    full = code + f"e.main(['-c', {ini(work)!r}]); print('tensorflow' in sys.modules)"
    for text in (light, full):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "False", done.stderr
