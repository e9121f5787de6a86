"""Schedules, reference energies, standardisation, statistics, metrics, checkpoints, memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from panna.errors import FileError, StorageError, TrainingError
from panna.network.initialise import initial_network
from panna.network.parameters import Model
from panna.training.board.event_files import EventFiles
from panna.training.checkpoints import (
    Checkpoint,
    checkpoint_path,
    list_checkpoints,
    read_checkpoint,
    save_step,
    write_checkpoint,
)
from panna.training.memory import available_bytes
from panna.training.metrics import (
    REGULARISATION_COLUMNS,
    SUMS,
    VIRIAL_COLUMNS,
    Errors,
    MetricsTable,
)
from panna.training.reference_energies import fit_reference_energies
from panna.training.scaling import FLOOR, standardisation
from panna.training.schedule import Plateau, Schedule
from panna.training.statistics import collect
from panna.training.tensorflow_setup import prepare_tensorflow


def test_learning_rates():
    assert Schedule("constant", 0.01)(12345) == 0.01
    decay = Schedule("exponential", 0.01, 0.5, 100)
    assert [decay(0), decay(50), decay(100)] == pytest.approx([0.01, 0.01 * 0.5**0.5, 0.005])
    steps = Schedule("staircase", 0.01, 0.5, 100)
    assert [steps(0), steps(99), steps(100), steps(250)] == [0.01, 0.01, 0.005, 0.0025]
    wave = Schedule("cosine", 0.01, 0.1, 200)
    assert [wave(0), wave(100), wave(200), wave(300)] == pytest.approx([0.01, 0.0055, 1e-3, 1e-3])
    rising = Schedule("constant", 0.01, warmup=4)
    assert [rising(i) for i in range(5)] == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])
    with pytest.raises(TrainingError, match="'sine' found; expected one of constant"):
        Schedule("sine", 0.01)


def test_the_learning_rate_on_a_plateau_has_a_lowest_value():
    plateau = Plateau(0.5, patience=3, lowest=0.2)
    assert [plateau.lowered(f) for f in (1.0, 0.5, 0.25)] == [0.5, 0.25, 0.2]


def test_reference_energies_are_recovered_in_float64():
    rng = np.random.default_rng(0)
    compositions = rng.integers(1, 9, (30, 3)).astype(float)
    true = np.array([-2041.84, -13.62, -1029.41])
    fit = fit_reference_energies(compositions, compositions @ true, ("O", "H", "C"))
    np.testing.assert_allclose(fit.offsets, true, rtol=1e-11)
    assert fit.origin.endswith("leaves 0.0 meV/atom") and fit.note == ""


def test_reference_energies_that_the_data_do_not_fix_get_a_note():
    water = np.tile([2.0, 1.0], (5, 1)) * np.arange(1, 6)[:, None]
    fit = fit_reference_energies(water, water @ [-13.0, -2041.0], ("H", "O"))
    np.testing.assert_allclose(water @ fit.offsets, water @ [-13.0, -2041.0], rtol=1e-12)
    assert "fix 1 combinations of 2" in fit.note
    hydrogen = np.array([[2.0, 0.0], [3.0, 0.0]])
    fit = fit_reference_energies(hydrogen, np.array([-2.0, -3.0]), ("H", "O"))
    assert fit.offsets[1] == 0 and "no atoms of O" in fit.note


def a_batch(species, descriptors, energies, frame_of_atom, names):
    return {
        "species": np.array(species, np.int32),
        "descriptors": np.array(descriptors, np.float32),
        "energy": np.array(energies),
        "frame_of_atom": np.array(frame_of_atom),
        "name": np.array(names, object),
    }


def test_statistics_do_not_depend_on_the_batches():
    rng = np.random.default_rng(1)
    species, g = rng.integers(0, 2, 40), rng.normal(5.0, 0.1, (40, 3)).astype(np.float32)
    frame = np.arange(40) // 4
    energies = rng.normal(size=10)
    batches = []
    for low, high in ((0, 3), (3, 4), (4, 10)):
        mine = (frame >= low) & (frame < high)
        names = [b"x"] * (high - low)
        part = (species[mine], g[mine], energies[low:high], frame[mine] - low, names)
        batches.append(a_batch(*part))
    found = collect(batches, 2, 3)
    assert (found.n_frames, found.n_atoms) == (10, 40)
    for s in range(2):
        mine = g[species == s].astype(float)
        assert found.counts[s] == len(mine)
        np.testing.assert_allclose(found.mean[s], mine.mean(0), rtol=1e-13)
        np.testing.assert_allclose(found.variance[s], mine.var(0), rtol=1e-10)
    np.testing.assert_array_equal(found.energies, energies)
    assert found.compositions.sum() == 40 and (found.compositions.sum(1) == 4).all()


def test_values_that_are_not_finite_are_found_with_the_frame():
    batch = a_batch([0, 0], [[1.0], [np.inf]], [-1.0, -1.0], [0, 1], [b"good", b"bad"])
    with pytest.raises(TrainingError, match="frames bad are not finite"):
        collect([batch], 1, 1)
    batch = a_batch([0, 0], [[1.0], [2.0]], [np.nan, -1.0], [0, 1], [b"", b"good"])
    with pytest.raises(TrainingError, match=r"frames \(no name\) are not finite"):
        collect([batch], 1, 1)


def test_components_that_hardly_vary_are_not_blown_up():
    counts = np.array([100, 100, 1])
    mean = np.array([[1.0, 2.0], [1.0, 1.0], [3.0, 4.0]])
    variance = np.array([[0.04, 1e-12], [1e-16, 0.0], [0.5, 0.5]])
    found_mean, std = standardisation(counts, mean, variance)
    np.testing.assert_array_equal(found_mean, mean)
    np.testing.assert_allclose(std, [[0.2, 0.2 * FLOOR], [1.0, 1.0], [1.0, 1.0]])


def errors(**values) -> Errors:
    return Errors(tuple(float(values.get(name, 0)) for name in SUMS))


def test_errors_are_means_over_frames_and_components():
    found = errors(frames=2, components=6, loss=3, energy_squares=8, force_squares=24)
    assert (found.mean_loss, found.energy_rmse, found.force_rmse) == (1.5, 2.0, 2.0)
    assert found.text() == "E 2000.00 meV/atom F 2.0000 eV/angstrom"
    kinds = ("loss", "RMSE", "MAE")
    assert found.text(kinds) == (
        "loss 1.5 RMSE E 2000.00 meV/atom F 2.0000 eV/angstrom "
        "MAE E 0.00 meV/atom F 0.0000 eV/angstrom"
    )
    energies = errors(frames=2, energy_squares=8)
    assert np.isnan(energies.force_rmse) and "F" not in energies.text()


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    table = MetricsTable(tmp_path)
    table.path = Path("/dev/full")
    with pytest.raises(FileError, match="/dev/full: cannot be written"):
        table.add(1, 3, 0.01, Errors(), None)

    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "{{node Flush}} events; No space left")

    files = EventFiles(tmp_path)
    files.write("train", 1, [])
    monkeypatch.setattr(type(files._writers["train"]), "flush", full)
    with pytest.raises(FileError, match=r"tensorboard: cannot be written \(events; No space left"):
        files.flush()


def test_columns_that_not_every_training_has(tmp_path):
    table = MetricsTable(tmp_path, {**REGULARISATION_COLUMNS, **VIRIAL_COLUMNS})
    table.start(0)
    train = errors(frames=2, regularisation=3, virial_components=18, virial_squares=72)
    table.add(1, 10, 0.01, train, errors(frames=1))
    names, row = (line.split(",") for line in table.path.read_text().splitlines())
    cells = dict(zip(names, row, strict=True))
    assert cells["train_regularisation"] == "1.5" and cells["validation_regularisation"] == ""
    assert cells["train_virial_rmse_eV_per_atom"] == "2"
    with pytest.raises(TrainingError, match="columns are those of another version"):
        MetricsTable(tmp_path).start(1)


def test_the_table_forgets_rows_of_epochs_that_will_be_done_again(tmp_path):
    table = MetricsTable(tmp_path)
    table.start(0)
    for epoch in (1, 2, 2.5, 3):
        table.add(epoch, int(10 * epoch), 0.01, errors(frames=1), None)
    table.start(2)
    lines = table.path.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]
    table.path.write_text("something else\n")
    with pytest.raises(TrainingError, match="columns are those of another version"):
        table.start(0)


def a_model(precision="float32") -> Model:
    network = initial_network(
        5, (3, 1), ("gaussian", "linear"), (True, False), seed=0, symbol="Si", dtype=precision
    )
    scale = dict(scale_mean=np.full((1, 5), 0.1), scale_std=np.full((1, 5), 1 / 3))
    return Model(("Si",), {"type": "mBP"}, [network], np.array([-107.123]), **scale)


def test_checkpoints_keep_every_bit(tmp_path):
    state = {"step": 7, "loss": 0.1 + 0.2}
    arrays = {"moments/0": np.random.default_rng(0).normal(size=3).astype(np.float32)}
    path = save_step(tmp_path, Checkpoint(a_model(), state, arrays), keep=3)
    found = read_checkpoint(path)
    assert found.state == state and list(found.arrays) == ["moments/0"]
    assert np.array_equal(found.arrays["moments/0"], arrays["moments/0"])
    expected = a_model().to_arrays()
    assert all(np.array_equal(found.model.to_arrays()[key], expected[key]) for key in expected)


def test_only_the_latest_checkpoints_are_kept(tmp_path):
    for step in (1, 5, 10, 20):
        save_step(tmp_path, Checkpoint(a_model(), {"step": step}), keep=2)
    assert list(list_checkpoints(tmp_path)) == [10, 20]
    assert checkpoint_path(tmp_path).name == "step_20.npz"
    with pytest.raises(TrainingError, match="no checkpoint of step 5; there are 10, 20"):
        checkpoint_path(tmp_path, 5)
    with pytest.raises(TrainingError, match="best.npz: no such file"):
        checkpoint_path(tmp_path, "best")
    write_checkpoint(tmp_path / "best.npz", Checkpoint(a_model("float64"), {"step": 10}))
    assert read_checkpoint(checkpoint_path(tmp_path, "best")).model.precision == "float64"


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    np.savez(tmp_path / "best.npz", weights=np.zeros(3), state=np.array(json.dumps({})))
    with pytest.raises(TrainingError, match="best.npz: not a complete PANNA model"):
        read_checkpoint(tmp_path / "best.npz")


def test_folding_the_scaling_changes_no_energy():
    from panna.network.evaluate import energies_and_gradients

    model, g = a_model("float64"), np.random.default_rng(0).normal(size=(20, 5))
    species = np.zeros(20, int)
    for one, other in zip(
        energies_and_gradients(model, species, g),
        energies_and_gradients(model.folded(), species, g),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_memory_is_measured():
    assert 0 < available_bytes() < 2**63


@pytest.mark.parametrize("missing", ["tensorflow", "tensorboard"])
def test_missing_tensorflow_is_explained(missing, without_package):
    without_package(missing)
    message = rf"{missing} is not installed.*pip install '\.\[cpu\]'"
    with pytest.raises(StorageError, match=message):
        prepare_tensorflow()
