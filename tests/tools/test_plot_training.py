"""panna_plot_training: what is read, what is drawn, and which files are refused."""

import numpy as np
import pytest

from panna.errors import TrainingError
from panna.tools.plot_training import main
from panna.training.history import TRAIN, VALIDATION, find_tables, labels_of, read_history
from panna.training.history_plot import COLOURS, MARKERS, draw, panels
from panna.training.metrics import SUMS, VIRIAL_COLUMNS, Errors, MetricsTable

EPOCHS = 12


def errors(energy, force=None, virial=0.0):
    """Of 10 frames with 30 components, energies wrong by so many eV/atom, forces in eV/angstrom."""
    sums = dict.fromkeys(SUMS, 0.0)
    sums |= {"frames": 10, "energy_squares": 10 * energy**2, "energy_absolute": 8 * energy}
    sums |= {"loss": 10 * energy**2, "energy_loss": 10 * energy**2}
    if force is not None:
        sums |= {"components": 30, "force_squares": 30 * force**2, "force_absolute": 24 * force}
        sums |= {"force_loss": 10 * force**2, "loss": 10 * (energy**2 + force**2)}
    if virial:
        sums |= {"virial_components": 90, "virial_squares": 90 * virial**2}
    return Errors(tuple(sums[name] for name in SUMS))


def energy_of(epoch, scale=0.1):
    """Smallest in epoch 9, then rising again."""
    return scale * (0.02 + (epoch - 9) ** 2 / 64)


def write_run(folder, scale=0.1, forces=True, validation=True, virial=0.0, epochs=EPOCHS):
    """metrics.csv as panna_train writes it: 5 steps an epoch."""
    folder.mkdir(parents=True)
    table = MetricsTable(folder, VIRIAL_COLUMNS if virial else None)
    table.start(0)
    for epoch in range(1, epochs + 1):
        energy = energy_of(epoch, scale)
        force = 3 * energy if forces else None
        train = errors(energy / 2, force, virial)
        table.add(
            epoch, 5 * epoch, 0.01 / epoch, train, errors(energy, force) if validation else None
        )
    return folder


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    written = capsys.readouterr()
    return code, written.out + written.err


def rows(said):
    """Cells of the table, by training and kind of errors."""
    found = {}
    for line in said.splitlines():
        cells = line.split("  ")
        cells = [cell.strip() for cell in cells if cell.strip()]
        if len(cells) > 2 and cells[1].startswith(("validation,", "training,")):
            found[cells[0], cells[1]] = cells[2:]
    return found


# -- reading ---------------------------------------------------------------------------------------


def test_what_panna_train_writes_is_read_back(tmp_path):
    history = read_history(write_run(tmp_path / "run") / "metrics.csv")
    epochs = np.arange(1, EPOCHS + 1)
    np.testing.assert_array_equal(history.columns["epoch"], epochs)
    np.testing.assert_array_equal(history.columns["step"], 5 * epochs)
    np.testing.assert_allclose(history.columns["learning_rate"], 0.01 / epochs)
    found = history.of(VALIDATION, "energy_rmse_eV_per_atom")
    np.testing.assert_allclose(found, energy_of(epochs), rtol=1e-8)
    assert history.label == "run" and history.validated
    assert history.best == 8  # epoch 9, not the last row
    assert np.isnan(history.of(TRAIN, "virial_rmse_eV_per_atom")).all()


def test_without_validation_there_is_no_best_model(tmp_path):
    history = read_history(write_run(tmp_path / "run", validation=False) / "metrics.csv")
    assert not history.validated and history.best is None


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    path = write_run(tmp_path / "run") / "metrics.csv"
    text = path.read_text()
    path.write_text(text[:-5])
    assert read_history(path).rows == EPOCHS - 1
    path.write_text(text + "13,65,0.0")
    assert read_history(path).rows == EPOCHS


def test_a_run_that_ended_within_an_epoch_and_one_finished_by_l_bfgs(tmp_path):
    """Fractional epochs, and two rows of one epoch, are in order."""
    path = write_run(tmp_path / "run", epochs=2) / "metrics.csv"
    row = path.read_text().splitlines()[-1].split(",", 2)[2]
    path.write_text(path.read_text() + f"2.4,12,{row}\n2.4,30,{row}\n")
    assert read_history(path).columns["epoch"].tolist() == [1, 2, 2.4, 2.4]


def test_folders_of_trainings_and_of_committees(tmp_path):
    single = write_run(tmp_path / "a" / "single")
    for k in (1, 2):
        write_run(tmp_path / "a" / "committee" / f"member_{k}")
    (tmp_path / "a" / "committee" / "member_3").mkdir()  # has not begun
    tables = [*find_tables(single), *find_tables(tmp_path / "a" / "committee")]
    assert labels_of(tables) == ["single", "committee/member_1", "committee/member_2"]
    assert labels_of(tables[:1]) == ["single"]
    assert find_tables(single / "metrics.csv") == find_tables(single)


def change(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def line(text, number, new):
    lines = text.split("\n")
    lines[number - 1] = new(lines[number - 1])
    return "\n".join(lines)


DAMAGED = {
    "empty": (lambda t: "", "empty or cut short"),
    "no line end": (lambda t: "epoch,step", "empty or cut short"),
    "header only": (lambda t: t[: t.index("\n") + 1], "no epoch of this training is finished"),
    "no header": (lambda t: t[t.index("\n") + 1 :], "line 1: no column epoch"),
    "another table": (lambda t: "a,b\n1,2\n", "line 1: no column epoch"),
    "a column twice": (lambda t: change(t, "train_loss", "step,train_loss"), "a column twice"),
    "a cell too few": (lambda t: line(t, 4, lambda s: s.rpartition(",")[0]), "line 4: 16 cells"),
    "a cell too many": (lambda t: line(t, 4, lambda s: s + ",1"), "line 4: 18 cells found, 17"),
    "an empty line": (lambda t: line(t, 4, lambda s: ""), "line 4: 1 cells found"),
    "a word": (lambda t: line(t, 5, lambda s: s[:-2] + "x"), "line 5: .* a finite number expected"),
    "nan": (
        lambda t: line(t, 5, lambda s: s.rpartition(",")[0] + ",nan"),
        "line 5: validation_force_mae_eV_per_angstrom = 'nan' found, a finite",
    ),
    "infinity": (lambda t: line(t, 5, lambda s: "inf" + s[1:]), "line 5: epoch = 'inf' found"),
    "an empty step": (lambda t: change(t, "\n3,15,", "\n3,,"), "line 4: step = '' found"),
    "back in epochs": (lambda t: change(t, "\n5,25,", "\n2,25,"), "line 6: epoch 2 after 4"),
    "back in steps": (lambda t: change(t, "\n5,25,", "\n5,10,"), "line 6: step 10 after 20"),
    "two tables": (lambda t: t + t[t.index("\n") + 1 :], "line 14: epoch 1 after 12"),
    "binary junk": (lambda t: bytes(range(256)), "not a text file"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_tables_are_named_and_the_others_shown(case, tmp_path, capsys):
    path = write_run(tmp_path / "bad") / "metrics.csv"
    damage, reason = DAMAGED[case]
    content = damage(path.read_text())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TrainingError, match=reason) as error:
        read_history(path)
    assert str(error.value).startswith(str(path))
    write_run(tmp_path / "good")
    picture = tmp_path / "picture.png"
    folders = (tmp_path / "bad", tmp_path / "good")
    code, said = run(capsys, "-i", *folders, "-o", picture, "--show", "learning_rate")
    assert code == 2 and f"left out: {path}: " in said and picture.is_file()
    assert {label for label, _ in rows(said)} == {"good"}


# -- the picture -----------------------------------------------------------------------------------

NAMES = ("loss", "energy", "forces", "virial", "learning_rate")


def test_the_curves_are_the_columns_in_the_unit_of_their_panel(tmp_path):
    history = read_history(write_run(tmp_path / "run", virial=0.004) / "metrics.csv")
    found = {panel.title: panel.curves for panel in panels([history], NAMES)}
    assert list(found) == [
        "loss", "energy RMSE (meV/atom)", "force RMSE (eV/Å)", "virial RMSE (meV/atom)",
        "learning rate",
    ]  # fmt: skip
    train, validation = found["energy RMSE (meV/atom)"]
    epochs = np.arange(1, EPOCHS + 1)
    assert (train.data, validation.data) == (TRAIN, VALIDATION)
    np.testing.assert_array_equal(validation.x, epochs)
    np.testing.assert_allclose(validation.y, 1e3 * energy_of(epochs), rtol=1e-8)
    np.testing.assert_allclose(train.y, 500 * energy_of(epochs), rtol=1e-8)
    np.testing.assert_allclose(found["force RMSE (eV/Å)"][1].y, 3 * energy_of(epochs), rtol=1e-8)
    np.testing.assert_allclose(found["virial RMSE (meV/atom)"][0].y, 4.0, rtol=1e-8)
    np.testing.assert_allclose(found["learning rate"][0].y, 0.01 / epochs)


def test_the_other_choices(tmp_path):
    history = read_history(write_run(tmp_path / "run") / "metrics.csv")
    (panel,) = panels([history], ["energy"], "MAE", "step")
    epochs = np.arange(1, EPOCHS + 1)
    np.testing.assert_array_equal(panel.curves[1].x, 5 * epochs)
    np.testing.assert_allclose(panel.curves[1].y, 800 * energy_of(epochs), rtol=1e-8)
    assert [p.title for p in panels([history], ["force_loss", "force_loss"])] == ["loss of forces"]


def test_what_a_logarithm_does_not_know_is_not_drawn(tmp_path):
    path = write_run(tmp_path / "run", forces=False) / "metrics.csv"
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[lines[0].split(",").index("validation_loss")] = "0"
    path.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    history = read_history(path)
    loss, *others = panels([history], NAMES)
    assert [panel.title for panel in others] == ["energy RMSE (meV/atom)", "learning rate"]
    assert loss.curves[1].x.tolist() == [e for e in range(1, EPOCHS + 1) if e != 3]
    assert history.best == 2


def test_many_trainings_are_told_apart_in_print():
    pairs = {(COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k in range(50)}
    assert len(pairs) == 50


@pytest.mark.parametrize("ending", [".png", ".pdf", ".svg"])
def test_the_same_input_gives_the_same_file(ending, tmp_path, capsys):
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", scale=0.2)]
    contents = []
    for _ in range(2):
        picture = tmp_path / f"picture{ending}"
        assert run(capsys, "-i", *runs, "-o", picture, "--show", "loss")[0] == 0
        contents.append(picture.read_bytes())
    assert contents[0] == contents[1]
    begin = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[ending]
    assert contents[0].startswith(begin)


def test_a_training_of_one_epoch_can_be_drawn(tmp_path):
    history = read_history(write_run(tmp_path / "run", epochs=1) / "metrics.csv")
    draw(tmp_path / "a.png", panels([history], NAMES), log_x=True)
    assert (tmp_path / "a.png").stat().st_size > 1000


# -- the program -----------------------------------------------------------------------------------


def test_best_and_last_values_of_several_trainings(tmp_path, capsys):
    write_run(tmp_path / "a", scale=0.1)
    write_run(tmp_path / "b", scale=0.2, forces=False)
    write_run(tmp_path / "c", validation=False)
    folders = [tmp_path / name for name in "abc"]
    code, said = run(capsys, "-i", *folders, "-o", tmp_path / "x.png", "--x", "step")
    assert code == 0
    found = rows(said)
    best = energy_of(9)
    expected = ["9", "45", f"{best**2 * 10:.4g}", f"{1e3 * best:.3f}", f"{800 * best:.3f}"]
    assert found["a", "validation, best"] == [*expected, f"{3 * best:.4f}", f"{2.4 * best:.4f}"]
    last = energy_of(12)
    assert found["a", "validation, last"][:2] == ["12", "60"]
    assert found["a", "validation, last"][3] == f"{1e3 * last:.3f}"
    assert found["a", "training, last"][3] == f"{500 * last:.3f}"
    assert len(found["b", "validation, best"]) == 5
    assert ("c", "training, last") in found and ("c", "validation, best") not in found
    assert "Smallest E RMSE of a best model: a, 2.000 meV/atom" in said
    assert "Smallest F RMSE" not in said  # only one training has forces


def test_labels_and_choices(tmp_path, capsys):
    folders = [write_run(tmp_path / "a"), write_run(tmp_path / "b", scale=0.2)]
    options = ("--labels", "small", "large", "--show", "forces", "--log-x", "--error", "MAE")
    code, said = run(capsys, "-i", *folders, "-o", tmp_path / "x.svg", *options)
    assert code == 0 and {label for label, _ in rows(said)} == {"small", "large"}
    assert f"Written to {tmp_path / 'x.svg'}: force MAE (eV/Å)\n" in said


def test_a_training_is_shown_once(tmp_path, capsys):
    folder = write_run(tmp_path / "a")
    code, said = run(capsys, "-i", folder, folder, "-o", tmp_path / "x.png", "--show", "loss")
    assert code == 0 and len(rows(said)) == 3


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["-i", "{folder}/absent", "-o", "{folder}/x.png"], "no such folder"),
        (["-i", "{folder}", "-o", "{folder}/x.png"], "no metrics.csv in it"),
        (["-i", "{folder}/a", "-o", "{folder}/no/x.png"], "no does not exist; create it"),
        (["-i", "{folder}/a", "-o", "{folder}/x.png", "--labels", "p", "q"], "1 different ones"),
        (
            ["-i", "{folder}/a", "-o", "{folder}/x.png", "--show", "virial"],
            "nothing of what --show",
        ),
    ],
)
def test_what_cannot_be_drawn_leaves_no_picture(arguments, reason, tmp_path, capsys):
    write_run(tmp_path / "a")
    code, said = run(capsys, *(text.format(folder=tmp_path) for text in arguments))
    assert code == 2 and reason in said and "Traceback" not in said
    assert not list(tmp_path.rglob("*.png"))


def test_wrong_arguments(capsys):
    with pytest.raises(SystemExit) as error:
        main(["-i", "a", "-o", "picture.gif"])
    assert error.value.code == 2 and ".png, .pdf, .svg expected" in capsys.readouterr().err
