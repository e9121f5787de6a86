"""The course of a training, of tables whose end is known."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from validation_cases import fact, judged, silicon, subject_of, without_plots, write_frames

from panna.report.level import Level
from panna.training.history import read_history
from panna.validation.course import ENERGY, FORCE, overfitting, still_falling
from panna.validation.section import NotPossible
from panna.validation.sections.learning import learning

EPOCHS = 100
HEADER = (
    "epoch,step,learning_rate,train_loss,train_energy_rmse_eV_per_atom,"
    "train_force_rmse_eV_per_angstrom,validation_loss,validation_energy_rmse_eV_per_atom,"
    "validation_force_rmse_eV_per_angstrom"
)


def write_table(folder, train, validation, every=1):
    """Losses by epoch, and RMSE that are their roots; validation: None, or every n-th epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [HEADER]
    for k, loss in enumerate(train):
        cells = [k + 1, 10 * (k + 1), 0.01 * 0.95**k, loss, np.sqrt(loss), 10 * np.sqrt(loss)]
        if validation is None or (k + 1) % every:
            cells += ["", "", ""]
        else:
            value = validation[k]
            cells += [value, np.sqrt(value), 10 * np.sqrt(value)]
        lines.append(",".join(map(str, cells)))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """One test draws."""
    if request.function is not test_members_are_told_apart:
        without_plots(monkeypatch, sys.modules[learning.__module__])


@pytest.fixture(scope="module")
def test_dir(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("learning") / "test", {"a": silicon()})


def settled(epochs=EPOCHS):
    """Falls to 0.01 and stays there."""
    return 0.01 + np.exp(-np.arange(epochs) / 5.0)


def run(tmp_path, test_dir, train, validation, **more):
    folder = write_table(tmp_path / "train", train, validation, **more)
    return learning(subject_of(tmp_path, test_dir, train_dir=folder))


def levels(content, key):
    return [one.level for one in judged(content, key)]


def test_a_training_that_has_settled_is_good(tmp_path, test_dir):
    content = run(tmp_path, test_dir, settled(), 1.2 * settled())
    assert content.level == Level.GOOD
    (energy, forces) = judged(content, "overfitting")
    assert energy.value == pytest.approx(np.sqrt(1.2)) == forces.value
    assert judged(content, "still_falling")[0].value < 0.01
    assert fact(content, "epochs") == EPOCHS and fact(content, "best_epoch") == EPOCHS


def test_overfitting_that_begins_after_the_best_epoch(tmp_path, test_dir):
    """The training loss goes on falling, that of validation rises after epoch 31."""
    epoch = np.arange(EPOCHS)
    train = np.exp(-epoch / 20.0) + 1e-4
    validation = np.where(epoch <= 30, train, train[30] * np.exp((epoch - 30) / 40.0))
    content = run(tmp_path, test_dir, train, validation)
    ratio = np.sqrt(validation[-1] / train[-1])
    assert fact(content, "best_epoch") == 31
    assert [one.value for one in judged(content, "overfitting")] == pytest.approx([ratio] * 2)
    assert levels(content, "overfitting") == [Level.BAD, Level.BAD]
    assert "last epoch, 100" in content.sentences()[0]
    assert "step_number = best" in content.sentences()[0]


def test_overfitting_of_the_best_epoch(tmp_path, test_dir):
    content = run(tmp_path, test_dir, settled(), 4 * settled())
    assert levels(content, "overfitting") == [Level.DOUBTFUL] * 2
    assert "best epoch" in content.sentences()[0]
    assert "add frames" in content.sentences()[0]


@pytest.mark.parametrize("rate, level", [(0.001, Level.GOOD), (0.005, Level.DOUBTFUL),
                                         (0.02, Level.BAD)])  # fmt: skip
def test_a_loss_that_still_falls(tmp_path, test_dir, rate, level):
    loss = np.exp(-rate * np.arange(EPOCHS))
    content = run(tmp_path, test_dir, loss, loss)
    (one,) = judged(content, "still_falling")
    assert one.level == level
    # The last fifth of 99 intervals begins after 20 epochs before the last one.
    assert one.value == pytest.approx(100 * (1 - np.exp(-20 * rate)), rel=1e-9)
    assert "Train longer" in one.advice


def test_a_rising_loss_does_not_fall(tmp_path):
    table = write_table(tmp_path, settled(), 1 + np.arange(EPOCHS) / EPOCHS)
    assert still_falling(read_history(table / "metrics.csv")) == 0.0


def test_validation_in_some_epochs_only(tmp_path):
    """The last row has no validation; the ratio is that of the last one that has."""
    loss = settled(53)
    history = read_history(write_table(tmp_path, loss, 9 * loss, every=5) / "metrics.csv")
    for column in (ENERGY, FORCE):
        found = overfitting(history, column)
        assert found.ratio == pytest.approx(3.0) and found.epoch == 50
    assert still_falling(history) is not None


def test_without_validation_set(tmp_path, test_dir):
    content = run(tmp_path, test_dir, settled(), None)
    assert content.level == Level.DOUBTFUL
    assert "validation_fraction" in " ".join(content.sentences())
    assert not judged(content, "overfitting")
    assert "training loss" in judged(content, "still_falling")[0].sentence


def test_few_epochs(tmp_path, test_dir):
    content = run(tmp_path, test_dir, settled(4), settled(4))
    assert "Fewer than 10 epochs" in " ".join(content.sentences())
    assert content.level == Level.DOUBTFUL


def test_members_are_told_apart(tmp_path, test_dir):
    folder = tmp_path / "train"
    write_table(folder / "member_1", settled(), settled())
    write_table(folder / "member_2", settled(), 16 * settled())
    content = learning(subject_of(tmp_path, test_dir, train_dir=folder))
    assert content.level == Level.BAD
    assert "(member_2)" in content.sentences()[0]
    assert {row[0] for row in content.tables[0].rows} == {"member_1", "member_2"}
    json.dumps(content.data, allow_nan=False)
    assert all(title in content.plots[0].svg for title in ("force RMSE", "learning rate"))


def test_a_damaged_member_is_named_and_left_out(tmp_path, test_dir):
    folder = tmp_path / "train"
    write_table(folder / "member_1", settled(), settled())
    write_table(folder / "member_2", settled(), settled())
    (folder / "member_2" / "metrics.csv").write_text(HEADER + "\n1,2,x\n")
    content = learning(subject_of(tmp_path, test_dir, train_dir=folder))
    assert fact(content, "trainings") == 1
    assert content.level == Level.DOUBTFUL and "member_2" in content.sentences()[0]


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "no metrics.csv in it"),
        ("", "empty"),
        (HEADER + "\n", "only a header"),
        ("epoch,step\n1,2\n", "no column learning_rate"),
        (HEADER + "\n1,10,nan,1,1,1,1,1,1\n", "a finite number expected"),
        ("\x00\x01\x02", "empty or cut short"),
    ],
)
def test_tables_that_cannot_be_used(content, reason, tmp_path, test_dir):
    folder = tmp_path / "train"
    folder.mkdir()
    if content is not None:
        (folder / "metrics.csv").write_text(content)
    with pytest.raises(NotPossible, match=reason):
        learning(subject_of(tmp_path, test_dir, train_dir=folder))


def test_without_training_or_folder(tmp_path, test_dir):
    with pytest.raises(NotPossible, match="train_dir"):
        learning(subject_of(tmp_path, test_dir))
    with pytest.raises(NotPossible, match="no such folder"):
        learning(subject_of(tmp_path, test_dir, train_dir=tmp_path / "nowhere"))


def test_tensorflow_is_not_imported(tmp_path):
    code = (
        "import sys; from panna.validation import sections; "
        "sys.exit('tensorflow' in sys.modules or 'matplotlib' in sys.modules)"
    )
    # Not in the checkout: the installed package is tested.
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
