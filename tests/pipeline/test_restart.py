"""A training that was interrupted ends with the same bits as one that was not."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from training_cases import ONE_SPECIES, records, write_data, write_ini

from panna import train
from panna.files import only_writer
from panna.training.checkpoints import list_checkpoints, read_npz
from panna.training.step import Step


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """10 training and 3 validation frames."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder / "train", records(ONE_SPECIES, 10))
    write_data(folder / "validation", records(ONE_SPECIES, 3, first=10))
    return folder


def settings(**changes) -> dict[str, str]:
    """12 steps, 3 in an epoch."""
    return {
        "TRAINING_PARAMETERS__max_epochs": "4",
        "TRAINING_PARAMETERS__learning_rate_final": "1e-3",
        "TRAINING_PARAMETERS__average_decay": "0.9",
    } | changes


def an_ini(folder: Path, data: Path, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    path, validation = folder / "train.ini", data / "validation"
    return write_ini(path, data / "train", validation, **settings(**changes))


def run(ini: Path) -> int:
    return train.main(["--config", str(ini)])


def at_step(monkeypatch, number: int, action):
    """Calls an action when a training begins its step of this number."""
    original = Step.train

    def patched(self, batch, learning_rate, step):
        if step == number:
            action()
        return original(self, batch, learning_rate, step)

    monkeypatch.setattr(Step, "train", patched)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def crash():
    raise MemoryError("the machine went down")


def assert_same_files(one: Path, other: Path):
    """All arrays and states of the kept checkpoints and of the best model, and the table."""
    steps = list_checkpoints(one)
    assert list(steps) == list(list_checkpoints(other))
    for name in [*(f"checkpoints/step_{step}.npz" for step in steps), "best.npz"]:
        a, b = read_npz(one / name), read_npz(other / name)
        assert a.keys() == b.keys()
        for key in a:
            assert np.array_equal(a[key], b[key]), f"{name}: {key}"
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()


@pytest.fixture(scope="module", params=["float32", "float64"])
def uninterrupted(request, data, tmp_path_factory):
    """Precision and the folder of a training without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    options = settings(TRAINING_PARAMETERS__precision=request.param)
    assert run(write_ini(folder / "t.ini", data / "train", data / "validation", **options)) == 0
    return request.param, folder / "run"


# Step 5 is the second one of the second epoch, step 6 the last one of it.
@pytest.mark.parametrize("step", [5, 6])
def test_ctrl_c_writes_a_checkpoint_and_the_rest_is_the_same(
    step, uninterrupted, data, tmp_path, monkeypatch, capsys
):
    precision, whole = uninterrupted
    options = settings(TRAINING_PARAMETERS__precision=precision)
    ini = write_ini(tmp_path / "t.ini", data / "train", data / "validation", **options)
    with monkeypatch.context() as patch:
        at_step(patch, step, press_ctrl_c)
        assert run(ini) == 130
    assert max(list_checkpoints(tmp_path / "run")) == step
    assert f"Stopped after step {step} of 12" in capsys.readouterr().out
    assert run(ini) == 0
    assert f"continued          after step {step}" in capsys.readouterr().out
    extra = tmp_path / "run" / "checkpoints" / f"step_{step}.npz"
    if step == 5:  # the uninterrupted training has no checkpoint in mid-epoch
        extra.unlink()
    assert_same_files(whole, tmp_path / "run")


# What keeps a state of its own, or depends on the number of the step.
STATEFUL = dict(
    TRAINING_PARAMETERS__learning_rate_final=None,
    TRAINING_PARAMETERS__learning_rate="3",  # validation becomes worse at times
    TRAINING_PARAMETERS__schedule="plateau",
    TRAINING_PARAMETERS__plateau_patience="1",
    TRAINING_PARAMETERS__warmup_steps="7",
    TRAINING_PARAMETERS__forces_cost_final="0.01",
    TRAINING_PARAMETERS__optimiser="adamw",
    TRAINING_PARAMETERS__weight_decay="0.1",
    TRAINING_PARAMETERS__wscale_l1="1e-4",
    TRAINING_PARAMETERS__clip_norm="0.5",
    TRAINING_PARAMETERS__early_stopping_patience="9",
    TRAINING_PARAMETERS__max_epochs="8",
)


def test_plateaus_weights_of_forces_and_decay_continue_alike(data, tmp_path, monkeypatch):
    folders = [tmp_path / "whole", tmp_path / "stopped"]
    inis = [an_ini(folder, data, **STATEFUL) for folder in folders]
    assert run(inis[0]) == 0
    with monkeypatch.context() as patch:
        at_step(patch, 15, press_ctrl_c)
        assert run(inis[1]) == 130
    assert run(inis[1]) == 0
    assert_same_files(*(folder / "run" for folder in folders))
    table = (folders[0] / "run" / "metrics.csv").read_text().splitlines()[1:]
    rates = [float(line.split(",")[2]) for line in table]
    assert min(rates[5:]) < 1.0  # reduced on a plateau, before and after the interruption
    assert rates[4] > rates[-1]


def test_after_a_crash_the_lost_steps_are_done_again(uninterrupted, data, tmp_path, monkeypatch):
    precision, whole = uninterrupted
    options = settings(
        TRAINING_PARAMETERS__precision=precision,
        IO_INFORMATION__save_checkpoint_steps="4",
    )
    ini = write_ini(tmp_path / "t.ini", data / "train", data / "validation", **options)
    with monkeypatch.context() as patch:
        # Between the checkpoint of step 4 and the crash lies the end of the second epoch.
        at_step(patch, 8, crash)
        with pytest.raises(MemoryError):
            run(ini)
    assert list(list_checkpoints(tmp_path / "run")) == [4]
    assert run(ini) == 0
    found = tmp_path / "run"
    assert list(list_checkpoints(found)) == [4, 8, 12]
    a, b = (read_npz(folder / "checkpoints" / "step_12.npz") for folder in (whole, found))
    assert all(np.array_equal(a[key], b[key]) for key in a)
    assert (whole / "metrics.csv").read_text() == (found / "metrics.csv").read_text()


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """Ini file of a finished training of 3 steps on energies."""
    folder = tmp_path_factory.mktemp("finished")
    ini = folder / "t.ini"
    write_ini(ini, data / "train", **SHORT)
    assert run(ini) == 0
    return ini


SHORT = {"TRAINING_PARAMETERS__max_epochs": "1", "TRAINING_PARAMETERS__forces_cost": "0"}


def test_a_crash_before_the_first_checkpoint_starts_afresh(data, tmp_path, monkeypatch):
    """best.npz is written after the first epoch, the first checkpoint here at the very end."""
    ini = an_ini(tmp_path, data, IO_INFORMATION__save_checkpoint_steps="1000")
    with monkeypatch.context() as patch:
        at_step(patch, 5, crash)
        with pytest.raises(MemoryError):
            run(ini)
    folder = tmp_path / "run"
    assert (folder / "best.npz").exists() and not list_checkpoints(folder)
    assert run(ini) == 0
    assert list(list_checkpoints(folder)) == [12]


def test_a_best_model_of_another_training_is_not_replaced(data, tmp_path, capsys):
    assert run(an_ini(tmp_path, data)) == 0
    for path in list_checkpoints(tmp_path / "run").values():
        path.unlink()
    ini = an_ini(tmp_path, data, TRAINING_PARAMETERS__seed="7")
    assert run(ini) == 2
    assert "best.npz: belongs to a training with other settings" in capsys.readouterr().err


def test_two_trainings_do_not_share_a_folder(data, tmp_path, capsys):
    with only_writer(tmp_path / "run", "panna_train"):
        assert run(an_ini(tmp_path, data)) == 2
    assert "another panna_train is at work in this folder" in capsys.readouterr().err


def test_a_finished_training_has_nothing_to_do(finished, capsys):
    before = (finished.parent / "run" / "metrics.csv").read_text()
    assert run(finished) == 0
    assert "raise max_epochs" in capsys.readouterr().out
    assert (finished.parent / "run" / "metrics.csv").read_text() == before


CHANGES = {
    "learning rate": (
        dict(TRAINING_PARAMETERS__learning_rate="0.1"),
        "[TRAINING_PARAMETERS] learning_rate = 0.1 found, 0.01 expected",
    ),
    "architecture": (
        dict(DEFAULT_NETWORK__architecture="5:1"),
        "[Si] architecture = 5, 1 found, 6, 4, 1 expected",
    ),
    "offset": (
        dict(DATA_INFORMATION__atomic_sequence="Si", DATA_INFORMATION__output_offset="-7"),
        "[DATA_INFORMATION] output_offset = -7.0 found, fit expected",
    ),
    "data": (dict(IO_INFORMATION__data_dir="{data}/validation"), "the training data: other frames"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_configuration_is_refused_with_the_key(case, finished, data, capsys):
    changes, message = CHANGES[case]
    changes = {key: value.format(data=data) for key, value in changes.items()}
    ini = finished.with_name("changed.ini")
    write_ini(ini, data / "train", **{**SHORT, **changes})
    assert run(ini) == 2
    err = capsys.readouterr().err
    assert message in err and "another train_dir" in err


def test_a_longer_training_continues(finished, data, capsys):
    changes = {**SHORT, "TRAINING_PARAMETERS__max_epochs": "2"}
    ini = write_ini(finished.with_name("longer.ini"), data / "train", **changes)
    assert run(ini) == 0
    assert "continued          after step 3" in capsys.readouterr().out
    assert list(list_checkpoints(finished.parent / "run")) == [3, 6]


def test_with_a_final_learning_rate_the_length_is_fixed(uninterrupted, data, capsys):
    precision, whole = uninterrupted
    options = settings(
        TRAINING_PARAMETERS__precision=precision, TRAINING_PARAMETERS__max_epochs="5"
    )
    ini = whole.parent / "longer.ini"
    assert run(write_ini(ini, data / "train", data / "validation", **options)) == 2
    err = capsys.readouterr().err
    assert "max_epochs = 5 found, 4 expected" in err and "whole schedule depends" in err


def test_other_validation_data_begin_a_new_search_for_the_best_model(data, tmp_path, capsys):
    changes = {**SHORT, "VALIDATION_OPTIONS__batch_size": "2"}
    write_ini(tmp_path / "t.ini", data / "train", data / "validation", **changes)
    assert run(tmp_path / "t.ini") == 0
    best = read_npz(tmp_path / "run" / "best.npz")
    changes["TRAINING_PARAMETERS__max_epochs"] = "2"
    # On its own training data the loss may be larger or smaller; it counts anew.
    write_ini(tmp_path / "t.ini", data / "train", data / "train", **changes)
    assert run(tmp_path / "t.ini") == 0
    assert not np.array_equal(best["state"], read_npz(tmp_path / "run" / "best.npz")["state"])


def test_lbfgs_improves_the_end_and_begins_again_after_a_stop(data, tmp_path, monkeypatch, capsys):
    options = {
        **NINE,
        "TRAINING_PARAMETERS__forces_cost": "1",
        "TRAINING_PARAMETERS__average_decay": "0.9",
        "TRAINING_PARAMETERS__wscale_l2": "1e-6",
        "TRAINING_PARAMETERS__lbfgs_steps": "8",
    }
    inis = [an_ini(tmp_path / name, data, **options) for name in ("whole", "stopped")]
    assert run(inis[0]) == 0
    original, calls = Step.gradients, []

    def patched(self, batch):
        calls.append(1)
        if len(calls) == 10:
            press_ctrl_c()
        return original(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "gradients", patched)
        assert run(inis[1]) == 130
    assert "Stopped after step 9 of 9" in capsys.readouterr().out
    assert max(list_checkpoints(tmp_path / "stopped" / "run")) == 9
    assert run(inis[1]) == 0
    assert_same_files(*(tmp_path / name / "run" for name in ("whole", "stopped")))
    assert max(list_checkpoints(tmp_path / "whole" / "run")) == 17
    rows = (tmp_path / "whole" / "run" / "metrics.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[3]) for row in rows]
    assert len(rows) == 4 and losses[3] < 0.9 * losses[2]
    capsys.readouterr()
    assert run(inis[0]) == 0
    assert "Nothing is left to do" in capsys.readouterr().out
    an_ini(tmp_path / "whole", data, **{**options, "TRAINING_PARAMETERS__max_epochs": "7"})
    assert run(inis[0]) == 0
    assert max(list_checkpoints(tmp_path / "whole" / "run")) > 21


@pytest.fixture(scope="module")
def nine_steps(data, tmp_path_factory):
    """Folder of a finished training of 9 steps with checkpoints after 3, 6 and 9."""
    folder = tmp_path_factory.mktemp("nine")
    assert run(an_ini(folder, data, **NINE)) == 0
    return folder


@pytest.fixture
def of_nine_steps(nine_steps, tmp_path):
    """Ini file of a copy of it."""
    shutil.copytree(nine_steps, tmp_path, dirs_exist_ok=True)
    return tmp_path / "train.ini"


NINE = {
    "TRAINING_PARAMETERS__max_epochs": "3",
    "TRAINING_PARAMETERS__learning_rate_final": None,
    "TRAINING_PARAMETERS__forces_cost": "0",
    "TRAINING_PARAMETERS__average_decay": None,
}


@pytest.mark.parametrize(
    "key, value", [("step", "3"), ("epoch", "1"), ("file", "{run}/checkpoints/step_3.npz")]
)
def test_a_training_goes_back_to_a_checkpoint(key, value, of_nine_steps, data, capsys):
    folder = of_nine_steps.parent / "run"
    before = read_npz(folder / "checkpoints" / "step_9.npz")
    keys = {f"IO_INFORMATION__restart_{key}": value.format(run=folder)}
    an_ini(of_nine_steps.parent, data, **NINE, IO_INFORMATION__restart_mode="specific_ckpt", **keys)
    assert run(of_nine_steps) == 0
    assert "continued          after step 3" in capsys.readouterr().out
    after = read_npz(folder / "checkpoints" / "step_9.npz")
    arrays = [name for name in before if name != "state"]
    assert all(np.array_equal(before[name], after[name]) for name in arrays)
    assert sorted(p.name for p in (folder / "checkpoints" / "after_step_3").iterdir()) == [
        "step_6.npz", "step_9.npz",
    ]  # fmt: skip
    rows = (folder / "metrics.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["3", "6", "9"]


def test_a_checkpoint_of_another_training_begins_a_new_folder(of_nine_steps, data, capsys):
    keys = {
        "IO_INFORMATION__restart_mode": "specific_ckpt",
        "IO_INFORMATION__restart_file": of_nine_steps.parent / "run" / "checkpoints" / "step_6.npz",
    }
    ini = an_ini(of_nine_steps.parent / "new", data, **NINE, **keys)
    assert run(ini) == 0
    assert list(list_checkpoints(ini.parent / "run")) == [9]
    one, other = (
        read_npz(folder / "run" / "checkpoints" / "step_9.npz")
        for folder in (of_nine_steps.parent, ini.parent)
    )
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "state")
    capsys.readouterr()
    assert run(ini) == 2
    assert "a checkpoint of another training, and" in capsys.readouterr().err


def test_a_checkpoint_that_there_is_not_is_named(of_nine_steps, data, capsys):
    for keys, message in (
        ({"IO_INFORMATION__restart_step": "4"}, "has checkpoints of 3, 6, 9"),
        ({"IO_INFORMATION__restart_epoch": "7"}, "no checkpoint at the end of this epoch"),
        ({"IO_INFORMATION__restart_file": "/nowhere"}, "a checkpoint of another training"),
    ):
        keys["IO_INFORMATION__restart_mode"] = "specific_ckpt"
        an_ini(of_nine_steps.parent, data, **NINE, **keys)
        assert run(of_nine_steps) == 2
        assert message in capsys.readouterr().err


def test_settings_may_change_if_that_is_asked_for(of_nine_steps, data, capsys):
    changes = {
        **NINE,
        "TRAINING_PARAMETERS__max_epochs": "6",
        "TRAINING_PARAMETERS__optimiser": "adamw",
        "TRAINING_PARAMETERS__learning_rate": "1e-12",
        "TRAINING_PARAMETERS__batch_size": "5",
        "TRAINING_PARAMETERS__average_decay": "0.5",
        "DEFAULT_NETWORK__trainable": "0:1:1",
    }
    an_ini(of_nine_steps.parent, data, **changes)
    assert run(of_nine_steps) == 2
    assert "force_default continues with the new ones" in capsys.readouterr().err
    mode = "continue_from_last_ckpt"
    an_ini(of_nine_steps.parent, data, **changes, IO_INFORMATION__restart_mode=mode)
    assert run(of_nine_steps) == 0
    assert "[TRAINING_PARAMETERS] optimiser is another one now" in capsys.readouterr().out
    found = list_checkpoints(of_nine_steps.parent / "run")
    # 9 steps were three epochs of 3; with batches of 5 an epoch has 2.
    assert max(found) == 12
    old, new = (read_npz(found[step]) for step in (9, 12))
    # With so small a rate the weights go on from where they were.
    np.testing.assert_allclose(
        new["model/Si/0/weights"], old["model/Si/0/weights"], rtol=1e-6, atol=1e-9
    )
    changes["TRAINING_PARAMETERS__precision"] = "float64"
    an_ini(of_nine_steps.parent, data, **changes, IO_INFORMATION__restart_mode=mode)
    assert run(of_nine_steps) == 2
    assert "precision = float64 found, float32 expected" in capsys.readouterr().err


def test_keys_that_an_older_version_did_not_know_had_their_defaults(of_nine_steps, data, capsys):
    path = of_nine_steps.parent / "run" / "checkpoints" / "step_9.npz"
    arrays = read_npz(path)
    state = json.loads(str(arrays["state"]))
    for key in ("[TRAINING_PARAMETERS] warmup_steps", "[DATA_INFORMATION] energy_rescale"):
        del state["settings"][key]
    np.savez(path, **{**arrays, "state": np.array(json.dumps(state))})
    an_ini(of_nine_steps.parent, data, **NINE, TRAINING_PARAMETERS__warmup_steps="5")
    assert run(of_nine_steps) == 2
    assert "warmup_steps = 5 found, 0 expected" in capsys.readouterr().err
    an_ini(of_nine_steps.parent, data, **NINE)
    assert run(of_nine_steps) == 0


def test_a_new_training_replaces_no_checkpoints(of_nine_steps, data, tmp_path, capsys):
    an_ini(of_nine_steps.parent, data, **NINE, IO_INFORMATION__restart_mode="none")
    assert run(of_nine_steps) == 2
    assert "has checkpoints, which are never replaced" in capsys.readouterr().err
    mode = {"IO_INFORMATION__restart_mode": "continue_from_last_ckpt"}
    assert run(an_ini(tmp_path / "new", data, **NINE, **mode)) == 2
    assert "there is no checkpoint in" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_named(data, tmp_path, capsys):
    ini = write_ini(tmp_path / "t.ini", data / "train", **SHORT)
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "step_3.npz").write_bytes(b"PK\x03\x04 nothing more")
    assert run(ini) == 2
    err = capsys.readouterr().err
    assert "step_3.npz: damaged or not a checkpoint" in err and "delete it to continue" in err
