"""panna_train as its users run it: files written, choices made, mistakes named."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from descriptor_cases import mbp
from training_cases import OFFSETS, TWO_SPECIES, labelled_frame, records, write_data, write_ini

from panna import train
from panna.descriptors.evaluate import compute
from panna.frames.neighbours import neighbour_list
from panna.network.parameters import Model
from panna.potential.panna_networks import write_networks
from panna.storage.frame_record import describe
from panna.training.checkpoints import checkpoint_path, list_checkpoints, read_checkpoint
from panna.training.metrics import HEADER


@pytest.fixture(scope="module")
def frames():
    return records(TWO_SPECIES, 15, derivatives="sparse")


@pytest.fixture(scope="module")
def data(frames, tmp_path_factory):
    """Folders of 10 training and 5 validation frames, without stored derivatives."""
    folder = tmp_path_factory.mktemp("data")
    bare = [replace(record, derivatives=None) for record in frames]
    write_data(folder / "train", bare[:10])
    write_data(folder / "validation", bare[10:])
    write_data(folder / "stored", frames[:10], sparse=True)
    without = [replace(record, positions=None, cell=None, pbc=None) for record in frames[:10]]
    write_data(folder / "without positions", without, sparse=True)
    return folder


def run(ini: Path) -> int:
    return train.main(["--config", str(ini)])


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder with train.ini and the finished run; 6 epochs of 3 steps."""
    folder = tmp_path_factory.mktemp("trained")
    ini = write_ini(
        folder / "train.ini",
        data / "train",
        data / "validation",
        TRAINING_PARAMETERS__max_epochs="6",
        IO_INFORMATION__max_ckpt_to_keep="3",
    )
    assert run(ini) == 0
    return folder


def last_model(train_dir: Path) -> Model:
    return read_checkpoint(checkpoint_path(train_dir)).model


def table(train_dir: Path) -> list[dict[str, str]]:
    with open(train_dir / "metrics.csv") as file:
        return list(csv.DictReader(file))


def test_a_run_writes_checkpoints_the_best_model_and_a_table(trained):
    run_dir = trained / "run"
    assert list(list_checkpoints(run_dir)) == [12, 15, 18]
    rows = table(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert tuple(rows[0]) == HEADER
    losses = [float(row["validation_loss"]) for row in rows]
    best = read_checkpoint(run_dir / "best.npz")
    assert best.state["validation_loss"] == pytest.approx(min(losses), rel=1e-8)
    assert best.state["epoch"] == np.argmin(losses) + 1
    assert best.model.descriptor_hash == TWO_SPECIES.hash
    assert losses[-1] < losses[0]


def test_the_model_knows_the_range_of_its_training_set(trained, frames):
    ranges = last_model(trained / "run").ranges
    species = np.concatenate([record.species for record in frames[:10]])
    g = np.concatenate([record.descriptors for record in frames[:10]])
    for s in range(2):
        np.testing.assert_array_equal(ranges.lowest[s], g[species == s].min(0))
        np.testing.assert_array_equal(ranges.highest[s], g[species == s].max(0))


def test_reference_energies_are_fitted_unless_given(trained):
    offsets = last_model(trained / "run").offsets
    # The energies beyond the true offsets are a few tenths of an eV per atom.
    np.testing.assert_allclose(offsets, [OFFSETS["Si"], OFFSETS["O"]], atol=10.0)


ABSENT = {
    f"TRAINING_PARAMETERS__{key}": None
    for key in ("defaults", "batch_size", "learning_rate", "loss_function", "floss_function",
                "forces_cost")
}  # fmt: skip


def test_by_default_forces_are_trained_where_the_data_have_them(data, frames, tmp_path, capsys):
    assert run(write_ini(tmp_path / "f" / "t.ini", data / "train", **ABSENT)) == 0
    assert "quad_atom of energies + 0.05 quad_percomp of forces; adamw" in capsys.readouterr().out
    assert table(tmp_path / "f" / "run")[-1]["train_force_rmse_eV_per_angstrom"]
    write_data(tmp_path / "data", [replace(one, forces=None) for one in frames[:5]])
    assert run(write_ini(tmp_path / "e" / "t.ini", tmp_path / "data", **ABSENT)) == 0
    out = capsys.readouterr().out
    assert "quad_atom of energies; adamw" in out and "without forces or positions" in out
    assert not table(tmp_path / "e" / "run")[-1]["train_force_rmse_eV_per_angstrom"]


def test_forces_that_are_asked_for_must_be_there(frames, tmp_path, capsys):
    write_data(tmp_path / "data", [replace(one, forces=None) for one in frames[:5]])
    keys = ABSENT | {"TRAINING_PARAMETERS__stress_cost": "0.1"}
    assert run(write_ini(tmp_path / "t.ini", tmp_path / "data", **keys)) == 2
    assert "has no forces" in capsys.readouterr().err


def test_regularisation_shows_in_the_table_and_in_tensorboard(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ini = write_ini(
        tmp_path / "train.ini",
        data / "train",
        data / "validation",
        TRAINING_PARAMETERS__wscale_l2="0.01",
        TRAINING_PARAMETERS__bscale_l1="0.01",
        TRAINING_PARAMETERS__clip_norm="1",
    )
    assert run(ini) == 0
    row = table(tmp_path / "run")[-1]
    parts = [float(row[f"train_{name}"]) for name in ("energy_loss", "force_loss")]
    penalty = float(row["train_regularisation"])
    assert penalty > 0 and float(row["train_loss"]) == pytest.approx(sum(parts) + penalty)
    assert row["validation_regularisation"] == ""
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "train")).Reload()
    assert len(events.Tensors("1. Losses/4. Regularization")) == 3


def test_weights_of_groups_are_those_of_their_frames(frames, tmp_path, capsys):
    some = [replace(r, derivatives=None, group="ab"[i % 2]) for i, r in enumerate(frames[:6])]
    by_hand = [replace(r, weight=r.weight * (3.0 if r.group == "a" else 1.0)) for r in some]
    losses = []
    for name, those, weights in (("groups", some, "a:3"), ("frames", by_hand, None)):
        folder = write_data(tmp_path / name / "data", those)
        options = dict(TRAINING_PARAMETERS__group_weights=weights)
        ini = write_ini(tmp_path / name / "t.ini", folder, folder, **options)
        assert run(ini) == 0
        losses.append([row["validation_loss"] for row in table(tmp_path / name / "run")])
    assert losses[0] == losses[1]
    options = dict(TRAINING_PARAMETERS__group_weights="a:3, bulk:0.5")
    ini = write_ini(tmp_path / "other" / "t.ini", tmp_path / "groups" / "data", **options)
    assert run(ini) == 2
    assert "belongs to bulk; its groups are a (3), b (3)" in capsys.readouterr().err


def test_the_force_weight_ends_where_validation_always_is(data, tmp_path):
    options = dict(TRAINING_PARAMETERS__forces_cost="10", TRAINING_PARAMETERS__learning_rate="1e-9")
    losses = []
    for final in ("10", "0.1"):
        ini = write_ini(
            tmp_path / final / "t.ini",
            data / "train",
            data / "validation",
            TRAINING_PARAMETERS__forces_cost_final=final,
            **options,
        )
        assert run(ini) == 0
        rows = table(tmp_path / final / "run")
        for row in rows:
            parts = [float(row[f"validation_{name}_loss"]) for name in ("energy", "force")]
            total = parts[0] + float(final) * parts[1]
            assert float(row["validation_loss"]) == pytest.approx(total)
        losses.append([float(row["train_loss"]) for row in rows])
    # The weights hardly move: what changes from epoch to epoch is the weight of the force loss.
    assert losses[0][2] == pytest.approx(losses[0][0], rel=1e-4)
    assert losses[1][0] > 2 * losses[1][1] > 4 * losses[1][2]


def test_a_training_without_progress_stops_early_and_has_nothing_to_do(data, tmp_path, capsys):
    options = dict(
        TRAINING_PARAMETERS__learning_rate="30",
        TRAINING_PARAMETERS__max_epochs="200",
        TRAINING_PARAMETERS__forces_cost="0",
        TRAINING_PARAMETERS__early_stopping_patience="3",
        IO_INFORMATION__save_checkpoint_steps="1000",
    )
    ini = write_ini(tmp_path / "t.ini", data / "train", data / "validation", **options)
    assert run(ini) == 0
    assert "3 epochs without a better validation" in capsys.readouterr().out
    rows = table(tmp_path / "run")
    losses = [float(row["validation_loss"]) for row in rows]
    assert len(rows) == np.argmin(losses) + 1 + 3 < 200
    assert list(list_checkpoints(tmp_path / "run")) == [3 * len(rows)]
    assert run(ini) == 0
    assert "raise early_stopping_patience" in capsys.readouterr().out
    options["TRAINING_PARAMETERS__early_stopping_patience"] = "4"
    write_ini(ini, data / "train", data / "validation", **options)
    assert run(ini) == 0
    assert len(table(tmp_path / "run")) > len(rows)


def test_the_start_and_the_end_are_reported(data, tmp_path, capsys):
    ini = write_ini(tmp_path / "train.ini", data / "train", data / "validation")
    assert run(ini) == 0
    out = capsys.readouterr().out
    for text in (
        "10 frames, 107 atoms (Si 55, O 52)",
        "with forces; kept in memory",
        "validation set     5 frames",
        "fitted by least squares",
        " Si -",
        "786 parameters, 59 inputs, standardised",
        "Si 6:4:1, gaussian:gaussian:linear",
        "stored in half precision, computed once: ",
        "float32, seed 0, on",
        "9 steps, 3 epochs of 3 steps",
        "meV/atom",
        "best.npz",
        "panna_evaluate and panna_extract_weights",
    ):
        assert text in out, text


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, tmp_path):
    models = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = dict(TRAINING_PARAMETERS__seed=seed, TRAINING_PARAMETERS__forces_cost="0")
        ini = write_ini(tmp_path / name / "t.ini", data / "train", **options)
        assert run(ini) == 0
        models.append(last_model(tmp_path / name / "run").to_arrays())
    assert models[0].keys() == models[1].keys()
    assert all(np.array_equal(models[0][key], models[1][key]) for key in models[0])
    assert not np.array_equal(models[0]["model/Si/0/weights"], models[2]["model/Si/0/weights"])


def test_both_sources_of_derivatives_train_alike(data, tmp_path, capsys):
    cases = [
        ("stored", "stored", "stored, as asked for"),
        ("stored", "on_the_fly", "on_the_fly, as asked for"),
        ("without positions", "auto", "stored: the files hold derivatives, but no positions"),
        ("stored", "auto", "stored in half precision, computed once: "),
    ]
    models = []
    for number, (folder, source, reason) in enumerate(cases):
        run_dir = tmp_path / str(number)
        ini = write_ini(run_dir / "t.ini", data / folder, TRAINING_PARAMETERS__derivatives=source)
        assert run(ini) == 0
        assert reason in capsys.readouterr().out
        models.append(last_model(run_dir / "run").to_arrays())
    # float32 rounding, amplified by Adam over nine steps, and that of float16
    for other, close in zip(models[1:], (2e-4, 2e-4, 5e-3), strict=True):
        for key, array in models[0].items():
            if array.dtype == np.float32:
                np.testing.assert_allclose(other[key], array, atol=close)


def test_stored_derivatives_on_a_gpu_train_alike(data, tmp_path, capsys, monkeypatch):
    """The graph of a GPU, run on the CPU."""
    models = []
    for number, gpu in enumerate((False, True)):
        monkeypatch.setattr("panna.training.engine.on_gpu", lambda gpu=gpu: gpu)
        run_dir = tmp_path / str(number)
        ini = write_ini(
            run_dir / "t.ini", data / "stored", TRAINING_PARAMETERS__derivatives="stored"
        )
        assert run(ini) == 0
        models.append(last_model(run_dir / "run").to_arrays())
    for key, array in models[0].items():
        if array.dtype == np.float32:
            # float32 rounding, amplified by Adam over nine steps
            np.testing.assert_allclose(models[1][key], array, atol=2e-4)


def test_a_gpu_that_is_not_there(data, tmp_path, capsys):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is one")
    ini = write_ini(tmp_path / "t.ini", data / "stored", PARALLELIZATION__device="gpu")
    assert run(ini) == 2
    assert "device = gpu: TensorFlow finds no GPU here" in capsys.readouterr().err
    ini = write_ini(tmp_path / "t.ini", data / "stored", PARALLELIZATION__device="tpu")
    assert run(ini) == 2
    assert "device = tpu: TensorFlow finds no TPU here" in capsys.readouterr().err


def test_without_memory_for_derivatives_they_come_from_positions(
    data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("panna.training.data.available_bytes", lambda: 250_000)
    assert run(write_ini(tmp_path / "t.ini", data / "train")) == 0
    out = capsys.readouterr().out
    assert "on_the_fly: stored ones would take" in out and "kept in memory" in out


def test_species_have_their_own_networks_and_frozen_layers_stay(data, tmp_path):
    options = dict(
        DEFAULT_NETWORK__activations="tanh:gaussian:linear",
        DEFAULT_NETWORK__trainable="1:0:1",
        O__architecture="5:1",
        Si__output_offset="-108",
        O__output_offset="-433",
    )
    arrays = []
    for steps in ("1", "6"):
        ini = write_ini(
            tmp_path / steps / "t.ini",
            data / "train",
            TRAINING_PARAMETERS__max_epochs=None,
            TRAINING_PARAMETERS__max_steps=steps,
            **options,
        )
        assert run(ini) == 0
        model = last_model(tmp_path / steps / "run")
        arrays.append(model.to_arrays())
    assert model.networks[0].activations == ["tanh", "gaussian", "linear"]
    assert model.networks[0].trainable == [True, False, True]
    assert model.networks[1].sizes == (5, 1)
    assert model.networks[1].activations == ["gaussian", "linear"]
    assert model.networks[1].trainable == [True, True]
    assert model.offsets.tolist() == [-108, -433]
    same = {k for k in arrays[0] if np.array_equal(arrays[0][k], arrays[1][k])}
    changed = {k for k in arrays[0] if k not in same and "/weights" in k}
    assert {"model/Si/1/weights", "model/Si/1/biases"} <= same
    assert changed == {
        "model/Si/0/weights", "model/Si/2/weights", "model/O/0/weights", "model/O/1/weights",
    }  # fmt: skip


def test_a_training_continues_an_exported_potential(trained, data, tmp_path, capsys):
    exported = last_model(trained / "run")
    write_networks(exported, tmp_path / "export")
    ini = write_ini(
        tmp_path / "t.ini",
        data / "train",
        data / "validation",
        DEFAULT_NETWORK__architecture=None,
        DEFAULT_NETWORK__networks_metadata=tmp_path / "export",
        TRAINING_PARAMETERS__learning_rate="1e-12",
        TRAINING_PARAMETERS__max_epochs="1",
    )
    assert run(ini) == 0
    assert "Si 6:4:1, gaussian:gaussian:linear, layers keep:keep:keep" in capsys.readouterr().out
    before, after = table(trained / "run")[-1], table(tmp_path / "run")[-1]
    for key in ("energy_rmse_eV_per_atom", "force_rmse_eV_per_angstrom"):
        # The same weights, twice rounded to float32.
        assert float(after[f"validation_{key}"]) == pytest.approx(
            float(before[f"validation_{key}"]), rel=1e-3
        )
    assert last_model(tmp_path / "run").offsets.tolist() == exported.offsets.tolist()


def test_a_profile_and_models_of_chosen_steps(data, tmp_path):
    ini = write_ini(
        tmp_path / "t.ini",
        data / "train",
        TRAINING_PARAMETERS__forces_cost="0",
        IO_INFORMATION__profile="2, 3",
        IO_INFORMATION__starting_model_save="0",
        IO_INFORMATION__final_model_save="1000",
        IO_INFORMATION__metrics="loss, MAE",
        IO_INFORMATION__progbar_interval="0.5",
        IO_INFORMATION__max_ckpt_to_keep="1",
    )
    assert run(ini) == 0
    folder = tmp_path / "run"
    assert list(folder.glob("tensorboard/**/*.xplane.pb"))
    first, last = (read_checkpoint(folder / f"{name}_model.npz") for name in ("starting", "final"))
    assert (first.state["step"], last.state["step"]) == (0, 9)
    expected = last_model(folder).to_arrays()
    assert all(np.array_equal(last.model.to_arrays()[key], expected[key]) for key in expected)
    assert not np.array_equal(first.model.networks[0].weights[0], expected["model/Si/0/weights"])


def test_energies_alone_need_no_forces(frames, data, tmp_path):
    folder = write_data(
        tmp_path / "data", [replace(r, forces=None, derivatives=None) for r in frames[:6]]
    )
    ini = write_ini(tmp_path / "t.ini", folder, folder, TRAINING_PARAMETERS__forces_cost="0")
    assert run(ini) == 0
    row = table(tmp_path / "run")[-1]
    assert row["train_force_rmse_eV_per_angstrom"] == "" and float(row["validation_loss"]) > 0


def test_files_of_panna_v1_train_forces_from_their_derivatives(golden, tmp_path, capsys):
    """The carbon example of PANNA, with the keys of its own ini file."""
    options = dict(
        DATA_INFORMATION__output_offset="-245.667607369859",
        DATA_INFORMATION__sparse_derivatives="False",
        TRAINING_PARAMETERS__batch_size="5",
        TRAINING_PARAMETERS__max_epochs=None,
        TRAINING_PARAMETERS__max_steps="5",
        TRAINING_PARAMETERS__forces_cost="0.02",
        DEFAULT_NETWORK__g_size="80",
        DEFAULT_NETWORK__architecture="32:32:1",
    )
    assert run(write_ini(tmp_path / "a" / "t.ini", golden / "carbon", **options)) == 2
    assert "atomic_sequence is missing" in capsys.readouterr().err
    options["DATA_INFORMATION__atomic_sequence"] = "C"
    assert run(write_ini(tmp_path / "b" / "t.ini", golden / "carbon", **options)) == 0
    rows = table(tmp_path / "b" / "run")
    assert [row["epoch"] for row in rows] == ["1", "2", "2.5"]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert last_model(tmp_path / "b" / "run").descriptor is None


WRONG = {
    "unknown key": (
        dict(TRAINING_PARAMETERS__learning_rte="1"),
        r"\[TRAINING_PARAMETERS\] learning_rte = 1: unknown key. Did you mean learning_rate\?",
    ),
    "unsupported key": (
        dict(LONG_RANGE__long_range_el="True"),
        r"\[LONG_RANGE\] long_range_el = True: electrostatics is not supported yet",
    ),
    "unknown section": (dict(DEFAULT_NETWORKS__g_size="1"), r"Did you mean \[DEFAULT_NETWORK\]"),
    "unknown loss": (dict(TRAINING_PARAMETERS__loss_function="quad_atm"), "mean quad_atom"),
    "missing data": (dict(IO_INFORMATION__data_dir="/nowhere"), "data_dir = /nowhere: .*no such"),
    "wrong g_size": (
        dict(DEFAULT_NETWORK__g_size="60"),
        r"\[DEFAULT_NETWORK\] g_size = 60: .*59 components",
    ),
    "wrong species": (
        dict(DATA_INFORMATION__atomic_sequence="O, Si"),
        "atomic_sequence = O, Si: .* are of Si, O, in this order",
    ),
    "species of another section": (dict(Fe__architecture="4:1"), r"\[Fe\]: unknown species"),
    "two outputs": (dict(DEFAULT_NETWORK__architecture="4:2"), "2 outputs found; expected 1"),
    "activations": (dict(Si__activations="tanh:linear"), "2 values found, 3 expected"),
    "everything frozen": (dict(DEFAULT_NETWORK__trainable="0:0:0"), "all layers .* frozen"),
    "one offset of two": (dict(Si__output_offset="-1"), r"\[Si\] output_offset = -1: .*not for O"),
    "folding impossible": (
        dict(DEFAULT_NETWORK__activations="rbf:gaussian:linear"),
        "standardise = False",
    ),
    "other validation data": (
        dict(VALIDATION_OPTIONS__data_dir="{golden}/carbon"),
        r"\[VALIDATION_OPTIONS\] data_dir = .*descriptors of 80 components",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named_and_nothing_is_trained(case, data, golden, tmp_path, capsys):
    import re

    changes, message = WRONG[case]
    changes = {key: value.format(golden=golden) for key, value in changes.items()}
    ini = write_ini(tmp_path / "train.ini", data / "train", **changes)
    assert run(ini) == 2
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert err.startswith("panna: error: ") and "Traceback" not in err
    assert not list_checkpoints(tmp_path / "run")


def test_data_that_are_not_finite_are_named(frames, tmp_path, capsys):
    broken = replace(frames[2], descriptors=frames[2].descriptors * np.float32(np.nan))
    folder = write_data(tmp_path / "data", [frames[0], frames[1], broken])
    assert run(write_ini(tmp_path / "train.ini", folder)) == 2
    assert "frames frame2 are not finite" in capsys.readouterr().err


def test_a_diverging_training_stops_at_once_with_step_and_frames(data, tmp_path, capsys):
    ini = write_ini(
        tmp_path / "train.ini",
        data / "train",
        TRAINING_PARAMETERS__learning_rate="1e37",
        DEFAULT_NETWORK__activations="relu:relu:linear",
    )
    assert run(ini) == 2
    err = capsys.readouterr().err
    assert "step 2 (epoch 1, learning rate 1e+37): the loss is not a finite number" in err
    assert err.count("frame") >= 4 and "smaller learning_rate" in err


@pytest.mark.parametrize("how", [["-m", "panna.train"], [str(Path(train.__file__))]])
def test_module_script_and_console_command_are_the_same_program(how, data, tmp_path):
    ini = write_ini(tmp_path / "t.ini", data / "train", TRAINING_PARAMETERS__learning_rte="1")
    done = subprocess.run(
        [sys.executable, *how, "--config", str(ini)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Did you mean learning_rate?" in done.stderr
    assert done.stdout == ""


def test_help_starts_without_tensorflow():
    code = "import sys, panna.train as t\ntry: t.main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'tensorflow', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train_dir" in done.stdout


def test_validation_frames_of_the_training_set_are_told(tmp_path, capsys):
    some = records(TWO_SPECIES, 6)
    data = write_data(tmp_path / "train", some)
    validation = write_data(tmp_path / "validation", [*records(TWO_SPECIES, 2, first=6), some[1]])
    assert train.main(["-c", str(write_ini(tmp_path / "train.ini", data, validation))]) == 0
    assert (
        "3 frames; 1 of them have composition and energy of a training" in capsys.readouterr().out
    )


def test_reference_energies_of_another_method_are_told(tmp_path, capsys):
    data = write_data(tmp_path / "train", records(TWO_SPECIES, 6))
    offsets = ", ".join(str(value - 500) for value in OFFSETS.values())
    given = {"atomic_sequence": ", ".join(OFFSETS), "output_offset": offsets}
    keys = {f"DATA_INFORMATION__{key}": value for key, value in given.items()}
    assert train.main(["-c", str(write_ini(tmp_path / "train.ini", data, **keys))]) == 0
    out = capsys.readouterr().out
    assert "given in output_offset; they leave 5" in out
    assert "more than atoms are bound by" in out


def test_a_validation_frame_without_forces_is_refused_before_the_first_step(tmp_path, capsys):
    some = records(TWO_SPECIES, 9)
    data = write_data(tmp_path / "train", some[:4])
    validation = write_data(tmp_path / "validation", [*some[4:8], replace(some[8], forces=None)])
    assert train.main(["-c", str(write_ini(tmp_path / "train.ini", data, validation))]) == 2
    out, err = capsys.readouterr()
    assert "validation/1-1.tfrecord, record 5" in err and "Leave such frames out" in err
    assert "training:" not in out


def with_virials(frames):
    """The frames with the virials of their pair repulsion, but for the last one."""
    found = []
    for number, record in enumerate(frames[:10]):
        frame = labelled_frame(TWO_SPECIES, number)
        pairs = neighbour_list(frame, TWO_SPECIES.species, TWO_SPECIES.cutoff)
        distance = np.linalg.norm(pairs.vectors, axis=1)
        slope = -3 / TWO_SPECIES.cutoff * (1 - distance / TWO_SPECIES.cutoff) ** 2
        pull = 0.5 * (slope / distance)[:, None] * pairs.vectors
        virial = -np.einsum("pa,pb->ab", pull, pairs.vectors)
        found.append(replace(record, derivatives=None, virial=virial))
    return [*found[:-1], replace(found[-1], virial=None)]


def test_virials_are_trained(frames, tmp_path, capsys):
    folder = write_data(tmp_path / "data", with_virials(frames))
    options = dict(
        TRAINING_PARAMETERS__max_epochs="60",
        TRAINING_PARAMETERS__schedule="cosine",  # at a constant rate the errors go up and down
        TRAINING_PARAMETERS__stress_cost="1",
    )
    assert run(write_ini(tmp_path / "t.ini", folder, folder, **options)) == 0
    assert "9 of 10 frames with virials" in capsys.readouterr().out
    errors = [float(row["validation_virial_rmse_eV_per_atom"]) for row in table(tmp_path / "run")]
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    "folder, reason",
    [("train", "no frame of the training set has a virial"), ("without positions", "holds none")],
)
def test_virials_that_cannot_be_trained_are_refused(folder, reason, data, tmp_path, capsys):
    ini = write_ini(tmp_path / "t.ini", data / folder, TRAINING_PARAMETERS__stress_cost="1")
    assert run(ini) == 2
    assert reason in capsys.readouterr().err


def test_what_never_varies_in_the_training_set_has_no_weight(tmp_path):
    """Pairs of species that never meet there: a random weight would be noise where they do."""
    frames = [labelled_frame(TWO_SPECIES, i) for i in range(10)]
    three = mbp(species=("Si", "O", "H"))
    write_data(tmp_path / "data", [describe(frame, three, "none", threads=1) for frame in frames])
    ini = write_ini(tmp_path / "train.ini", tmp_path / "data")
    assert run(ini) == 0
    model = last_model(tmp_path / "run").folded()
    met = np.concatenate([*_descriptors_of_silicon(frames, three)])
    varies = np.ptp(met, axis=0) > 0
    assert 0 < varies.sum() < three.size
    silicon = model.networks[0].weights[0]
    assert np.all(silicon[~varies] == 0.0) and np.all(np.abs(silicon[varies]).max(axis=1) > 0.0)


def _descriptors_of_silicon(frames, parameters):
    for frame in frames:
        neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
        of_silicon = np.array([symbol == "Si" for symbol in frame.species])
        yield compute(parameters, neighbours)[of_silicon]
