"""panna_learning_curve as its users run it."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
from training_cases import TWO_SPECIES, records, write_data, write_ini

from panna import learning_curve, train
from panna.training.checkpoints import checkpoint_path, list_checkpoints, read_checkpoint
from panna.training.loop import Loop

TIMES = ("training_seconds", "prediction_seconds_per_1000_frames")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    some = records(TWO_SPECIES, 17)
    write_data(folder / "train", some[:12])
    write_data(folder / "test", some[12:])
    return folder


def curve_ini(folder: Path, data: Path, test: str = "test", **keys: str) -> Path:
    template = write_ini(folder / "template.ini", data / "train")
    chosen = {"sizes": "4, 8", "seeds": "2", "modes": "energies, energies_forces"} | keys
    ini = folder / "curve.ini"
    ini.write_text(
        f"[IO_INFORMATION]\ntrain_ini = {template}\ntest_dir = {data / test}\n"
        f"output_dir = {folder / 'curve'}\n[LEARNING_CURVE]\n"
        + "\n".join(f"{key} = {value}" for key, value in chosen.items())
        + "\n"
    )
    return ini


def run(ini: Path) -> int:
    return learning_curve.main(["--config", str(ini)])


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "curve" / "learning_curve.csv") as file:
        return list(csv.DictReader(file))


def without_times(table: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in table]


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert run(curve_ini(folder, data)) == 0
    return folder


def test_the_table_has_every_point_with_its_errors_and_times(finished):
    table = rows(finished)
    assert [(r["mode"], r["size"], r["seed"]) for r in table] == [
        (mode, size, seed)
        for mode in ("energies", "energies_forces")
        for size in "48"
        for seed in "01"
    ]
    assert {r["steps"] for r in table} == {"6"}  # 3 epochs of 8 frames in batches of 4
    for row in table:
        numbers = {k: float(v) for k, v in row.items() if k not in ("mode", "settings")}
        assert all(np.isfinite(list(numbers.values()))), row
        for name in ("energy_{}_meV", "energy_{}_meV_per_atom", "force_{}_eV_per_angstrom"):
            assert 0 < numbers[name.format("mae")] <= numbers[name.format("rmse")]
        assert all(numbers[name] > 0 for name in TIMES)
    assert (finished / "curve" / "learning_curve.png").stat().st_size > 10_000


def test_a_point_is_what_panna_train_and_panna_evaluate_give(finished, data, tmp_path):
    """From the ini file that the point left."""
    import json

    from panna import evaluate

    ini = finished / "curve" / "runs" / "energies_forces_8_seed1" / "train.ini"
    mine = tmp_path / "train.ini"
    mine.write_text(ini.read_text().replace(str(ini.parent), str(tmp_path / "run")))
    assert train.main(["-c", str(mine)]) == 0
    (tmp_path / "evaluate.ini").write_text(
        f"[IO_INFORMATION]\ntrain_dir = {tmp_path / 'run'}\ndata_dir = {data / 'test'}\n"
        f"eval_dir = {tmp_path / 'eval'}\n"
        "[VALIDATION_OPTIONS]\ncompute_forces = True\nsingle_step = True\nplots = False\n"
    )
    assert evaluate.main(["-c", str(tmp_path / "evaluate.ini")]) == 0
    found = json.loads((tmp_path / "eval" / "summary.json").read_text())["networks"][0]
    (row,) = [
        r for r in rows(finished)
        if (r["mode"], r["size"], r["seed"]) == ("energies_forces", "8", "1")
    ]  # fmt: skip
    assert float(row["energy_rmse_meV_per_atom"]) == pytest.approx(
        found["energy"]["rmse_meV_per_atom"], rel=1e-8
    )
    assert float(row["energy_mae_meV"]) == pytest.approx(1e3 * found["energy"]["mae_eV"], rel=1e-8)
    assert float(row["force_mae_eV_per_angstrom"]) == pytest.approx(
        found["forces"]["mae_eV_per_angstrom"], rel=1e-8
    )


def test_the_small_set_of_a_seed_is_part_of_the_large_one(finished):
    from panna.config.reader import read_config
    from panna.config.train import TRAIN
    from panna.training.data import open_training_data

    names = []
    for size in (4, 8):
        ini = finished / "curve" / "runs" / f"energies_{size}_seed0" / "train.ini"
        found = open_training_data(read_config(ini, TRAIN)).train
        names.append(set(found.names(np.arange(found.n_frames))))
    assert len(names[0]) == 4 and len(names[1]) == 8 and names[0] < names[1]


def test_a_finished_curve_is_not_trained_again(finished, data, capsys, monkeypatch):
    before = rows(finished)
    monkeypatch.setattr(Loop, "run", None)
    assert run(curve_ini(finished, data)) == 0
    out = capsys.readouterr().out
    assert rows(finished) == before
    assert "8 trainings finished before" in out
    for text in ("E RMSE meV/atom", "± ", "E MAE", "b", "learning_curve.png"):
        assert text in out


def test_an_interrupted_curve_continues_to_the_same_table(finished, data, tmp_path, capsys):
    """Stopped by a signal within the fourth training."""
    ini = curve_ini(tmp_path, data, modes="energies")
    original, calls = Loop.run, []

    def interrupted(loop, report):
        calls.append(loop)
        if len(calls) < 4:
            return original(loop, report)

        def stop_at_the_second_step(steps, text):
            report(steps, text)
            if loop.position.step == 2:
                signal.raise_signal(signal.SIGTERM)

        return original(loop, stop_at_the_second_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "run", interrupted)
        assert run(ini) == 128 + signal.SIGTERM
    out = capsys.readouterr().out
    assert "Stopped after 3 of 4 trainings" in out and "(stopped)" not in out.splitlines()[-1]
    assert len(rows(tmp_path)) == 3
    fourth = tmp_path / "curve" / "runs" / "energies_8_seed1"
    assert list(list_checkpoints(fourth)) == [2]
    spent = float((fourth / "seconds").read_text())
    assert run(ini) == 0
    assert "3 trainings finished before" in capsys.readouterr().out
    keys = ("mode", "size", "seed", "energy_rmse_meV", "force_rmse_eV_per_angstrom")
    assert [[r[k] for k in keys] for r in rows(tmp_path)] == [
        [r[k] for k in keys] for r in rows(finished)[:4]
    ]
    assert float(rows(tmp_path)[-1]["training_seconds"]) > spent


def test_a_killed_training_is_begun_anew_as_its_time_is_not_known(data, tmp_path):
    ini = curve_ini(tmp_path, data, sizes="4", seeds="1", modes="energies")
    assert run(ini) == 0
    before = rows(tmp_path)
    folder = tmp_path / "curve" / "runs" / "energies_4_seed0"
    (folder / "seconds").unlink()
    (folder / "remains").touch()
    (tmp_path / "curve" / "learning_curve.csv").unlink()
    assert run(ini) == 0
    assert without_times(rows(tmp_path)) == without_times(before)
    assert not (folder / "remains").exists()
    assert read_checkpoint(checkpoint_path(folder)).state["step"] == 3


def test_other_settings_need_another_folder(finished, data, tmp_path, capsys):
    table = (finished / "curve" / "learning_curve.csv").read_text()
    (tmp_path / "curve").mkdir()
    (tmp_path / "curve" / "learning_curve.csv").write_text(table)
    assert run(curve_ini(tmp_path, data, sizes="4, 8, 12")) == 2
    err = capsys.readouterr().err
    assert "was trained with other settings" in err and "choose another output_dir" in err


def test_more_frames_than_there_are_is_an_error(data, tmp_path, capsys):
    assert run(curve_ini(tmp_path, data, sizes="4, 13")) == 2
    assert "sizes = 4, 13: " in (err := capsys.readouterr().err) and "has 12 frames" in err
    assert not (tmp_path / "curve" / "runs").exists()


def test_a_test_set_with_frames_of_the_training_set_is_told(data, tmp_path, capsys):
    write_data(tmp_path / "data", records(TWO_SPECIES, 6, first=10))
    ini = curve_ini(tmp_path, data, test=str(tmp_path / "data"), sizes="4", seeds="1")
    assert run(ini) == 0
    out = capsys.readouterr().out
    assert "warning: 2 frames of the test set have composition and energy of a training" in out


def test_panna_train_takes_a_part_of_the_frames(data, tmp_path, capsys):
    keys = {"IO_INFORMATION__subset_size": "5", "IO_INFORMATION__subset_seed": "2"}
    assert train.main(["-c", str(write_ini(tmp_path / "t.ini", data / "train", **keys))]) == 0
    out = capsys.readouterr().out
    assert "5 frames, " in out and "by subset_seed = 2" in out
    keys["IO_INFORMATION__subset_size"] = "13"
    assert train.main(["-c", str(write_ini(tmp_path / "u.ini", data / "train", **keys))]) == 2
    assert "subset_size = 13: " in (err := capsys.readouterr().err) and "has 12 frames" in err


def test_help_starts_without_tensorflow():
    import subprocess
    import sys

    code = "import sys, panna.learning_curve as t\ntry: t.main(['--help'])\n"
    code += "except SystemExit: pass\nassert not {'tensorflow', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "force_references" in done.stdout
