"""What TensorBoard finds in the folder of a training, read back from the files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util.tensor_util import make_ndarray
from training_cases import TWO_SPECIES, records, write_data, write_ini

from panna import train
from panna.descriptors.evaluate import compute, forces_from_pairs, vjp
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import atomic_energies, energies_and_gradients
from panna.training.board import board
from panna.training.board.parity import HEIGHT, WIDTH
from panna.training.checkpoints import checkpoint_path, read_checkpoint
from panna.training.step import Step

SPECIES = ("Si", "O")
CURVES = {
    "1. Losses/1. Total",
    "1. Losses/2. Energy",
    "1. Losses/3. Forces",
    "2. Metrics/1. RMSE/atom",
    "2. Metrics/2. MAE/atom",
    "2. Metrics/3. Force components RMSE",
    "2. Metrics/4. Force components MAE",
}
HISTOGRAMS = {
    f"S{symbol}.{s}/{kind}{layer}"
    for s, symbol in enumerate(SPECIES)
    for kind in "Wb"
    for layer in range(3)
}
ATOMIC = {
    f"{what}/S{s}.{symbol}"
    for s, symbol in enumerate(SPECIES)
    for what in ("2.Mean_energy", "3.Std_energy", "4.N_atoms")
} | {f"S{symbol}.{s}/atomic energies (eV)" for s, symbol in enumerate(SPECIES)}
PARITY = {"Parity/1. Energies", "Parity/2. Forces"}
RESULT = {
    f"{which} model/{what}"
    for which in ("4. Best", "5. Last")
    for what in (
        "1. energy RMSE (eV per atom)",
        "2. force RMSE (eV per Å)",
        "3. energy MAE (eV per atom)",
        "4. force MAE (eV per Å)",
        "5. loss",
    )
}
HYPERPARAMETERS = {"_hparams_/session_start_info"}


@pytest.fixture(scope="module")
def frames():
    return records(TWO_SPECIES, 15)


@pytest.fixture(scope="module")
def data(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder / "train", frames[:10])
    write_data(folder / "validation", frames[10:])
    return folder


def an_ini(folder: Path, data: Path, validation: bool = True, **changes) -> Path:
    changes = {"TRAINING_PARAMETERS__max_epochs": "6", **changes}
    where = data / "validation" if validation else None
    return write_ini(folder / "t.ini", data / "train", where, **changes)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The folder of a run of 6 epochs of 3 steps, with everything shown after every epoch."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(board.Cadence, "due", lambda *_: True)
        ini = an_ini(folder, data, IO_INFORMATION__log_frequency="2")
        assert train.main(["--config", str(ini)]) == 0
    return folder / "run"


def points(train_dir: Path, run: str) -> dict[str, list]:
    """All (step, value) of each tag in the order of the files; every value is an array."""
    found: dict[str, list] = {}
    for path in sorted((train_dir / "tensorboard" / run).glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = Event.FromString(record)
            for value in event.summary.value:
                one = found.setdefault(value.tag, [])
                one.append((event.step, make_ndarray(value.tensor)))
    return found


def steps(found: dict[str, list], tag: str) -> list[int]:
    return [step for step, _ in found[tag]]


def last_model(train_dir: Path, which: int | str = -1):
    return read_checkpoint(checkpoint_path(train_dir, which)).model


def test_every_diagram_has_its_tags_and_steps(trained):
    found = {run: points(trained, run) for run in ("train", "validation", "result")}
    batches = {"3. Single batches/" + tag for tag in CURVES}
    assert set(found["train"]) == CURVES | HISTOGRAMS | batches | {"learning_rate"}
    assert set(found["validation"]) == CURVES | ATOMIC | PARITY
    assert set(found["result"]) == RESULT | HYPERPARAMETERS
    every_epoch = [3, 6, 9, 12, 15, 18]
    for run, tags in found.items():
        for tag in set(tags) - batches - HYPERPARAMETERS:
            assert steps(tags, tag) == every_epoch, f"{run}: {tag}"
    for tag in batches:
        assert steps(found["train"], tag) == list(range(2, 19, 2))


def test_curves_are_those_of_the_table(trained):
    with open(trained / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    columns = {
        "1. Losses/1. Total": "loss",
        "1. Losses/2. Energy": "energy_loss",
        "1. Losses/3. Forces": "force_loss",
        "2. Metrics/1. RMSE/atom": "energy_rmse_eV_per_atom",
        "2. Metrics/2. MAE/atom": "energy_mae_eV_per_atom",
        "2. Metrics/3. Force components RMSE": "force_rmse_eV_per_angstrom",
        "2. Metrics/4. Force components MAE": "force_mae_eV_per_angstrom",
    }
    for run in ("train", "validation"):
        found = points(trained, run)
        for tag, column in columns.items():
            shown = [value for _, value in found[tag]]
            written = [float(row[f"{run}_{column}"]) for row in rows]
            np.testing.assert_allclose(shown, written, rtol=1e-6, err_msg=tag)  # float32
    rates = [value for _, value in points(trained, "train")["learning_rate"]]
    np.testing.assert_allclose(rates, 0.01, rtol=1e-6)


def test_scalars_are_those_of_the_model_in_the_last_checkpoint(trained, frames):
    """Everything anew in NumPy and with the core, frame by frame."""
    model = last_model(trained)
    per_atom, force_errors, atomic = [], [], {0: [], 1: []}
    for record in frames[10:]:
        frame = Frame(
            species=tuple(SPECIES[s] for s in record.species),
            positions=record.positions,
            cell=record.cell,
            pbc=record.pbc,
        )
        pairs = neighbour_list(frame, SPECIES, TWO_SPECIES.cutoff)
        descriptors = compute(TWO_SPECIES, pairs)
        energies, gradients = energies_and_gradients(model, record.species, descriptors)
        per_atom.append((energies.sum() - record.energy) / record.n_atoms)
        forces = forces_from_pairs(pairs, vjp(TWO_SPECIES, pairs, gradients))
        force_errors.append((forces - record.forces).ravel())
        for s in atomic:
            mine = record.species == s
            atomic[s] += list(energies[mine] - model.offsets[s])
    expected = {
        "2. Metrics/1. RMSE/atom": np.sqrt(np.mean(np.square(per_atom))),
        "2. Metrics/2. MAE/atom": np.mean(np.abs(per_atom)),
        "2. Metrics/3. Force components RMSE": np.sqrt(np.mean(np.concatenate(force_errors) ** 2)),
        "2. Metrics/4. Force components MAE": np.mean(np.abs(np.concatenate(force_errors))),
    }
    for s, symbol in enumerate(SPECIES):
        expected[f"2.Mean_energy/S{s}.{symbol}"] = np.mean(atomic[s])
        expected[f"3.Std_energy/S{s}.{symbol}"] = np.std(atomic[s])
        expected[f"4.N_atoms/S{s}.{symbol}"] = len(atomic[s])
    found = points(trained, "validation")
    for tag, value in expected.items():
        step, shown = found[tag][-1]
        assert step == 18
        # The step computes in float32, from descriptors in float32.
        np.testing.assert_allclose(shown, value, rtol=1e-4, atol=1e-6, err_msg=tag)
    for s, symbol in enumerate(SPECIES):
        buckets = found[f"S{symbol}.{s}/atomic energies (eV)"][-1][1]
        assert buckets[:, 2].sum() == len(atomic[s])
        limits = [buckets[0, 0], buckets[-1, 1]]
        np.testing.assert_allclose(limits, [min(atomic[s]), max(atomic[s])], atol=1e-4)


def test_histograms_of_weights_are_those_of_the_checkpoint(trained):
    model, found = last_model(trained), points(trained, "train")
    for s, network in enumerate(model.networks):
        for layer, (weights, biases) in enumerate(
            zip(network.weights, network.biases, strict=True)
        ):
            for kind, array in (("W", weights), ("b", biases)):
                buckets = found[f"S{SPECIES[s]}.{s}/{kind}{layer}"][-1][1]
                assert buckets[:, 2].sum() == array.size
                np.testing.assert_allclose(buckets[0, 0], array.min())
                np.testing.assert_allclose(buckets[-1, 1], array.max())


def test_parity_plots_are_small_pictures_with_points_on_them(trained):
    from PIL import Image

    found = points(trained, "validation")
    for tag in PARITY:
        width, height, png = found[tag][-1][1]
        assert (int(width), int(height)) == (WIDTH, HEIGHT)
        assert len(png) < 60_000
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        colours = {"blue": (0, 114, 178), "vermilion": (213, 94, 0)}
        drawn = {name: (np.abs(pixels - rgb).sum(2) < 12).sum() for name, rgb in colours.items()}
        assert drawn["blue"] > 20, f"{tag}: {drawn}"
        # Two species in the plot of forces, each in its colour.
        assert (drawn["vermilion"] > 20) == (tag == "Parity/2. Forces"), f"{tag}: {drawn}"


def test_hyperparameters_and_results_stand_in_one_run(trained):
    folder = trained / "tensorboard" / "result"
    (path,) = folder.glob("events*")
    values = [
        value
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in Event.FromString(record).summary.value
        if value.tag in HYPERPARAMETERS
    ]
    (value,) = values
    start = hparams_metadata.parse_session_start_info_plugin_data(
        value.metadata.plugin_data.content
    )
    found = {name: getattr(one, one.WhichOneof("kind")) for name, one in start.hparams.items()}
    assert start.group_name.startswith(f"run, {trained.parent.name}, ")
    assert found == {
        "learning_rate": 0.01,
        "batch_size": 4,
        "average_decay": 0,
        "seed": 0,
        "loss_function": "quad_atom",
        "floss_function": "quad_percomp",
        "forces_cost": 1,
        "precision": "float32",
        "standardise": True,
        "architecture": "6:4:1",
        "activations": "gaussian:gaussian:linear",
        "parameters": 786,
        "g_size": 59,
        "descriptor": TWO_SPECIES.type,
    }
    result, validation = points(trained, "result"), points(trained, "validation")
    losses = [float(value) for _, value in validation["1. Losses/1. Total"]]
    assert [value for _, value in result["5. Last model/5. loss"]] == losses
    assert [value for _, value in result["4. Best model/5. loss"]] == list(
        np.minimum.accumulate(losses)
    )


def projector(train_dir: Path) -> tuple[np.ndarray, list[dict[str, str]]]:
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder = train_dir / "tensorboard" / "result"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    tensor = np.loadtxt(folder / embedding.tensor_path, delimiter="\t", ndmin=2)
    assert tuple(embedding.tensor_shape) == tensor.shape
    with open(folder / embedding.metadata_path) as file:
        return tensor, list(csv.DictReader(file, delimiter="\t"))


def test_the_projector_shows_the_last_hidden_layer_of_the_best_model(trained, frames):
    tensor, rows = projector(trained)
    model = last_model(trained, "best")
    number = 0
    for record in frames[10:]:
        energies = atomic_energies(model, record.species, record.descriptors)
        for atom, s in enumerate(record.species):
            row, network = rows[number], model.networks[s]
            found = (row["species"], row["frame"], int(row["atom"]))
            assert found == (SPECIES[s], record.name, atom)
            # The last layer makes the energy of what is shown.
            energy = tensor[number] @ network.weights[-1][:, 0] + network.biases[-1][0]
            expected = energies[atom] - model.offsets[s]
            assert float(row["energy_eV"]) == pytest.approx(expected, abs=1e-5)
            assert energy == pytest.approx(expected, abs=1e-4)  # six digits in the file
            number += 1
    assert number == len(rows) == len(tensor)


def test_networks_of_different_widths_share_the_projector(data, tmp_path):
    ini = an_ini(tmp_path, data, O__architecture="1", TRAINING_PARAMETERS__max_epochs="1")
    assert train.main(["--config", str(ini)]) == 0
    tensor, rows = projector(tmp_path / "run")
    # Oxygen has no hidden layer: its last layer sees the descriptor.
    assert tensor.shape == (len(rows), TWO_SPECIES.size)
    silicon = np.array([row["species"] == "Si" for row in rows])
    assert np.any(tensor[silicon, :4]) and not np.any(tensor[silicon, 4:])


def test_without_validation_the_training_set_is_looked_at(data, tmp_path):
    ini = an_ini(tmp_path, data, validation=False, TRAINING_PARAMETERS__forces_cost="0")
    assert train.main(["--config", str(ini)]) == 0
    run_dir = tmp_path / "run"
    assert not (run_dir / "tensorboard" / "validation").exists()
    found = points(run_dir, "train")
    energies = {tag for tag in CURVES if "orce" not in tag}
    # Energies alone: no picture of forces.
    assert set(found) == energies | HISTOGRAMS | ATOMIC | {"learning_rate", "Parity/1. Energies"}
    assert steps(found, "Parity/1. Energies")[-1] == 18
    result = points(run_dir, "result")
    assert set(result) == HYPERPARAMETERS | {
        tag for tag in RESULT if "Last" in tag and "force" not in tag
    }
    tensor, rows = projector(run_dir)
    assert len(tensor) == len(rows) == 107


def test_a_restart_draws_no_step_twice(data, tmp_path, monkeypatch, trained):
    """A crash in step 8, after the checkpoint of step 4 and the second epoch, which is lost."""
    train_step = Step.train

    def crash(self, batch, learning_rate, step):
        if step == 8:
            raise MemoryError("the machine went down")
        return train_step(self, batch, learning_rate, step)

    monkeypatch.setattr(board.Cadence, "due", lambda *_: True)
    ini = an_ini(
        tmp_path, data, IO_INFORMATION__log_frequency="2", IO_INFORMATION__save_checkpoint_steps="4"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Step, "train", crash)
        with pytest.raises(MemoryError):
            train.main(["--config", str(ini)])
    run_dir = tmp_path / "run"
    assert steps(points(run_dir, "train"), "1. Losses/1. Total") == [3, 6]
    half_written = sorted((run_dir / "tensorboard" / "train").glob("events*"))[-1]
    with open(half_written, "ab") as file:
        file.write(b"\x18\x00\x00\x00half a record")
    assert train.main(["--config", str(ini)]) == 0
    for run in ("train", "validation", "result"):
        whole, found = points(trained, run), points(run_dir, run)
        assert set(found) == set(whole)
        for tag in set(found) - HYPERPARAMETERS:
            assert steps(found, tag) == steps(whole, tag), f"{run}: {tag}"
        for tag in set(found) & CURVES:
            for (_, one), (_, other) in zip(found[tag], whole[tag], strict=True):
                assert one == other, f"{run}: {tag}"
    assert len(points(run_dir, "result")["_hparams_/session_start_info"]) == 1


def test_a_run_that_ended_within_an_epoch_continues_without_that_end(data, tmp_path):
    options = dict(TRAINING_PARAMETERS__max_epochs=None)
    for total in ("5", "6"):
        ini = an_ini(tmp_path, data, TRAINING_PARAMETERS__max_steps=total, **options)
        assert train.main(["--config", str(ini)]) == 0
    for run in ("train", "validation"):
        found = points(tmp_path / "run", run)
        assert steps(found, "1. Losses/1. Total") == [3, 6], run
    assert steps(points(tmp_path / "run", "validation"), "Parity/1. Energies") == [6]
