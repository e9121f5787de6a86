"""A committee: members are what they would be alone, whatever happens to the others."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_cases import ONE_SPECIES, records, write_data, write_ini

from panna import train
from panna.files import only_writer
from panna.training.checkpoints import list_checkpoints, read_checkpoint, read_npz, write_checkpoint
from panna.training.loop import Loop
from panna.training.metrics import SUMS
from panna.training.step import Outcome, Step

SEED = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """10 training and 3 validation frames."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder / "train", records(ONE_SPECIES, 10))
    write_data(folder / "validation", records(ONE_SPECIES, 3, first=10))
    return folder


def an_ini(folder: Path, data: Path, **changes) -> Path:
    """12 steps, 3 in an epoch; train_dir is folder/run."""
    settings = {
        "TRAINING_PARAMETERS__seed": str(SEED),
        "TRAINING_PARAMETERS__max_epochs": "4",
        "TRAINING_PARAMETERS__average_decay": "0.9",
    } | changes
    return write_ini(folder / "train.ini", data / "train", data / "validation", **settings)


def a_committee(folder: Path, data: Path, members: int = 3, **changes) -> Path:
    return an_ini(folder, data, TRAINING_PARAMETERS__committee=str(members), **changes)


def run(ini: Path) -> int:
    return train.main(["--config", str(ini)])


def assert_same_training(one: Path, other: Path):
    """Checkpoints with the state of the optimiser, best model and table, bit by bit."""
    assert list(list_checkpoints(one)) == list(list_checkpoints(other))
    names = [f"checkpoints/{path.name}" for path in list_checkpoints(one).values()]
    for name in [*names, "best.npz"]:
        a, b = read_npz(one / name), read_npz(other / name)
        assert a.keys() == b.keys()
        for key in a:
            assert np.array_equal(a[key], b[key]), f"{name}: {key}"
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """Folders of separate trainings with the seeds of two members, by number."""
    folders = {}
    for number in (2, 4):
        folder = tmp_path_factory.mktemp(f"alone{number}")
        seed = str(SEED + number - 1)
        assert run(an_ini(folder, data, TRAINING_PARAMETERS__seed=seed)) == 0
        folders[number] = folder / "run"
    return folders


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Folder of a finished committee of three."""
    folder = tmp_path_factory.mktemp("trained")
    assert run(a_committee(folder, data)) == 0
    return folder


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of it to be changed."""
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def members(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "run").iterdir() if path.is_dir())


def test_members_are_separate_trainings_with_their_seeds(trained, alone):
    assert members(trained) == ["member_1", "member_2", "member_3"]
    assert_same_training(alone[2], trained / "run" / "member_2")
    for name in members(trained):
        runs = (trained / "run" / name / "tensorboard").rglob("*tfevents*")
        assert {"train", "validation", "result"} <= {path.parent.name for path in runs}
    models = [
        read_checkpoint(trained / "run" / name / "best.npz").model for name in members(trained)
    ]
    assert not np.array_equal(models[0].networks[0].weights[0], models[1].networks[0].weights[0])


OTHERS = {
    "on_the_fly, streamed": {
        "TRAINING_PARAMETERS__derivatives": "on_the_fly",
        "PARALLELIZATION__dataset_cache": "False",
    },
    "energies, L-BFGS": {
        "TRAINING_PARAMETERS__forces_cost": "0",
        "TRAINING_PARAMETERS__lbfgs_steps": "3",
    },
}


@pytest.mark.parametrize("other", OTHERS)
def test_members_are_separate_trainings_with_other_settings_too(other, data, tmp_path):
    changes = OTHERS[other] | {"TRAINING_PARAMETERS__max_epochs": "1"}
    assert run(a_committee(tmp_path / "c", data, 2, **changes)) == 0
    changes["TRAINING_PARAMETERS__seed"] = str(SEED + 1)
    assert run(an_ini(tmp_path / "alone", data, **changes)) == 0
    assert_same_training(tmp_path / "alone" / "run", tmp_path / "c" / "run" / "member_2")


def test_the_screen_shows_all_members_their_mean_and_spread(data, tmp_path, capsys):
    changes = {"TRAINING_PARAMETERS__max_epochs": "1"}
    assert run(a_committee(tmp_path, data, 2, **changes)) == 0
    out = capsys.readouterr().out
    assert "seeds 5 to 6" in out and "training: 6/6 steps" in out and "2 members, epoch 1" in out
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines() if "." in line}
    found = []
    for name in ("member_1", "member_2"):
        best = read_checkpoint(list_checkpoints(tmp_path / "run" / name)[3]).state["position"]
        assert rows[name][1:3] == [str(best_seed(tmp_path, name)), str(best["best_step"])]
        found.append([float(x) for x in rows[name][3:]])
    mean, deviation = np.mean(found, axis=0), np.abs(np.diff(found, axis=0))[0] / np.sqrt(2)
    # Three decimals of meV, four of eV/angstrom.
    np.testing.assert_allclose([float(x) for x in rows["mean"][1:]], mean, atol=1.1e-3)
    shown = [float(x) for x in rows["standard deviation"][2:]]
    np.testing.assert_allclose(shown, deviation, atol=1.1e-3)


def best_seed(folder: Path, name: str) -> int:
    return read_checkpoint(folder / "run" / name / "best.npz").state["seed"]


def test_ctrl_c_stops_all_members_and_the_rest_is_the_same(
    data, trained, tmp_path, monkeypatch, capsys
):
    ini = a_committee(tmp_path, data)
    original, pressed = Step.train, []

    def patched(self, batch, learning_rate, step):
        if step == 5:
            pressed.append(self)
            if pressed[0] is self:  # only one of the members
                signal.raise_signal(signal.SIGINT)
        return original(self, batch, learning_rate, step)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "train", patched)
        assert run(ini) == 130
    out = capsys.readouterr().out
    for number in (1, 2, 3):
        last = max(list_checkpoints(tmp_path / "run" / f"member_{number}"))
        assert f"member_{number} {last}" in out
    assert run(ini) == 0
    assert "continued after step" in capsys.readouterr().out
    for number in (1, 2, 3):
        mine = tmp_path / "run" / f"member_{number}"
        for step, path in list_checkpoints(mine).items():
            if step % 3:  # not at the end of an epoch
                path.unlink()
        assert_same_training(trained / "run" / mine.name, mine)


def diverge(monkeypatch, seed: int, step: int):
    """The loss of one member is not a number at one step."""
    original = Loop._count

    def patched(self, batch, outcome):
        if self.options.constants["seed"] == seed and self.position.step == step - 1:
            outcome = Outcome(np.full(len(SUMS), np.nan))
        original(self, batch, outcome)

    monkeypatch.setattr(Loop, "_count", patched)


def test_when_a_member_diverges_the_others_end_their_epoch(data, tmp_path, monkeypatch, capsys):
    changes = {"TRAINING_PARAMETERS__max_epochs": "400", "IO_INFORMATION__max_ckpt_to_keep": "500"}
    ini = a_committee(tmp_path, data, **changes)
    with monkeypatch.context() as patch:
        diverge(patch, SEED + 1, 5)
        assert run(ini) == 2
    err = capsys.readouterr().err
    assert "member_2: step 5 (epoch 2, learning rate 0.01): the loss is not a finite" in err
    assert "other members have checkpoints of the end of their epoch" in err
    assert list(list_checkpoints(tmp_path / "run" / "member_2")) == [3]
    for name in ("member_1", "member_3"):
        steps = list(list_checkpoints(tmp_path / "run" / name))
        assert steps and max(steps) % 3 == 0 and max(steps) < 1200


def test_a_defect_of_a_member_shows_its_traceback(data, tmp_path, monkeypatch):
    def broken(self, batch, outcome):
        raise ZeroDivisionError

    monkeypatch.setattr(Loop, "_count", broken)
    with pytest.raises(ZeroDivisionError):
        run(a_committee(tmp_path, data, 2))


def test_members_that_are_behind_or_new_are_trained_and_the_others_left(
    copied, data, trained, alone, capsys
):
    """The last epochs of the second member are lost, and a fourth one is wanted."""
    (copied / "run" / "member_2" / "checkpoints" / "step_12.npz").unlink()
    kept = copied / "run" / "member_1" / "checkpoints" / "step_12.npz"
    before = kept.stat().st_mtime_ns
    assert run(a_committee(copied, data, 4)) == 0
    out = capsys.readouterr().out
    assert "member_1 finished, step 12" in out and "member_2 continued after step 9" in out
    assert "member_4 new" in out and "training: 15/15 steps" in out
    assert kept.stat().st_mtime_ns == before
    assert_same_training(trained / "run" / "member_2", copied / "run" / "member_2")
    assert_same_training(alone[4], copied / "run" / "member_4")
    assert run(a_committee(copied, data, 4)) == 0
    assert "Nothing is left to do" in capsys.readouterr().out


def test_a_member_may_be_continued_alone(copied, data, alone):
    """Every member is an ordinary training; the folder is that of the member."""
    folder = copied / "run" / "member_2"
    (folder / "checkpoints" / "step_12.npz").unlink()
    changes = {
        "TRAINING_PARAMETERS__seed": str(SEED + 1),
        "IO_INFORMATION__train_dir": str(folder),
    }
    assert run(an_ini(copied, data, **changes)) == 0
    assert_same_training(alone[2], folder)


def test_one_member_is_no_committee(trained, data, tmp_path, capsys):
    shutil.copytree(trained / "run" / "member_1", tmp_path / "run")
    assert run(a_committee(tmp_path, data, 1)) == 0
    assert "Nothing is left to do" in capsys.readouterr().out


def test_folders_of_something_else_are_refused(copied, trained, data, tmp_path, capsys):
    assert run(a_committee(copied, data, 2)) == 2
    assert "has 3 members; give committee = 3, or choose another" in capsys.readouterr().err
    assert run(an_ini(copied, data)) == 2
    assert "has 3 members; give committee = 3, or choose another" in capsys.readouterr().err
    with only_writer(copied / "run" / "member_2", "panna_train"):
        assert run(a_committee(copied, data)) == 2
    assert "member_2: another panna_train is at work" in capsys.readouterr().err
    shutil.rmtree(copied / "run" / "member_2")
    assert run(a_committee(copied, data)) == 2
    assert "member_2: no such folder, but there is member_3" in capsys.readouterr().err
    shutil.copytree(trained / "run" / "member_1", tmp_path / "run")
    assert run(a_committee(tmp_path, data)) == 2
    assert "holds the training of one network" in capsys.readouterr().err
    changes = {
        "IO_INFORMATION__restart_mode": "specific_ckpt",
        "IO_INFORMATION__restart_file": "x.npz",
    }
    assert run(a_committee(tmp_path / "new", data, **changes)) == 2
    assert "restart_file = x.npz: is one training" in capsys.readouterr().err


def test_members_with_different_data_are_not_continued_together(copied, data, capsys):
    path = copied / "run" / "member_2" / "checkpoints" / "step_12.npz"
    checkpoint = read_checkpoint(path)
    model = checkpoint.model
    for changes, what in (
        ({"offsets": model.offsets + 1e-9}, "reference energies"),
        ({"scale_std": model.scale_std * 2}, "standardisations of the descriptors"),
    ):
        write_checkpoint(path, replace(checkpoint, model=replace(model, **changes)))
        assert run(a_committee(copied, data)) == 2
        assert f"member_2: trained with different {what}" in capsys.readouterr().err
