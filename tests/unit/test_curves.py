"""Learning curves without a training: their plan, table, statistics and picture."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from panna.config.ini import ini_text, read_ini
from panna.config.learning_curve import LEARNING_CURVE
from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.curves.analysis import Mean, PowerLaw
from panna.curves.plan import Point, recipes
from panna.curves.plot import draw
from panna.curves.report import power_laws, quantities, summary
from panna.curves.results import COLUMNS, Result, ResultTable
from panna.errors import ConfigError, TrainingError
from panna.storage.record_index import RecordIndex

TEMPLATE = """
[IO_INFORMATION]
data_dir = tfr/train
train_dir = anywhere
[TRAINING_PARAMETERS]
batch_size = 8
max_epochs = 10
forces_cost = 0.5
seed = 17
[VALIDATION_OPTIONS]
data_dir = tfr/validation
"""


def curve_ini(folder: Path, template: str = TEMPLATE, **keys: str) -> Path:
    (folder / "template.ini").write_text(template)
    lines = [f"{key} = {value}" for key, value in keys.items()]
    ini = folder / "curve.ini"
    ini.write_text(
        f"[IO_INFORMATION]\ntrain_ini = {folder / 'template.ini'}\ntest_dir = tfr/test\n"
        f"output_dir = {folder / 'curve'}\n[LEARNING_CURVE]\n" + "\n".join(lines) + "\n"
    )
    return ini


def planned(folder: Path, template: str = TEMPLATE, files=(), **keys: str):
    config = read_config(curve_ini(folder, template, **keys), LEARNING_CURVE)
    return recipes(config, read_config(folder / "template.ini", TRAIN), files)


def trained_as(recipe, folder: Path):
    path = folder / "derived.ini"
    path.write_text(recipe.text)
    return read_config(path, TRAIN)


def test_every_mode_size_and_seed_is_planned_with_the_same_number_of_steps(tmp_path):
    found = planned(tmp_path, sizes="10, 40, 20", seeds="2")
    assert [r.point.seed for r in found] == [0] * 6 + [1] * 6
    assert {(r.point.mode, r.point.size) for r in found[:6]} == {
        (m, n) for m in ("energies", "energies_forces") for n in (10, 20, 40)
    }
    assert {r.steps for r in found} == {50}  # 10 epochs of 40 frames in batches of 8
    for recipe in found:
        config = trained_as(recipe, tmp_path)
        io, training = config["IO_INFORMATION"], config["TRAINING_PARAMETERS"]
        assert (io["subset_size"], io["subset_seed"]) == (recipe.point.size, recipe.point.seed)
        assert training["seed"] == recipe.point.seed
        assert (training["max_steps"], training["max_epochs"]) == (50, None)
        assert training["forces_cost"] == (0.5 if recipe.point.mode == "energies_forces" else 0)
        assert config["VALIDATION_OPTIONS"]["data_dir"] == Path("tfr/validation")
    assert len({r.train_dir for r in found}) == len({r.settings for r in found}) == 12


def test_the_length_in_epochs_gives_small_sets_few_steps(tmp_path):
    found = planned(tmp_path, sizes="10, 40", seeds="1", modes="energies", length="epochs")
    assert [r.steps for r in found] == [20, 50]
    assert trained_as(found[0], tmp_path)["TRAINING_PARAMETERS"]["max_epochs"] == 10


def test_settings_change_with_the_data_the_template_and_the_model_that_is_tested(tmp_path):
    data = tmp_path / "a.tfrecord"
    data.write_bytes(b"1234")
    keys = dict(files=[data], sizes="10", seeds="1", modes="energies")
    settings = [planned(tmp_path, **keys)[0].settings]
    assert planned(tmp_path, **keys | {"seeds": "3"})[0].settings == settings[0]
    settings.append(planned(tmp_path, **keys | {"step_number": "best"})[0].settings)
    settings.append(planned(tmp_path, TEMPLATE.replace("= 8", "= 9"), **keys)[0].settings)
    data.write_bytes(b"12345")
    settings.append(planned(tmp_path, **keys)[0].settings)
    assert len(set(settings)) == 4


WRONG = {
    "unknown key": (dict(size="1"), TEMPLATE, "size = 1: unknown key. Did you mean sizes"),
    "a size twice": (dict(sizes="10, 10"), TEMPLATE, "10 is repeated"),
    "unknown mode": (dict(modes="forces"), TEMPLATE, "expected energies or energies_forces"),
    "reference": (dict(force_references="sGDML:0.05"), TEMPLATE, "expected label:frames:error"),
    "reference size": (dict(force_references="a:1.5:2"), TEMPLATE, "an integer above 0"),
    "no forces": ({}, TEMPLATE.replace("0.5", "0"), r"modes: energies_forces needs \[TRAINING"),
    "no epochs": (
        dict(length="epochs"),
        TEMPLATE.replace("max_epochs", "max_steps"),
        "length = epochs: .*template.ini gives max_steps",
    ),
    "no validation": (
        dict(step_number="best"),
        TEMPLATE.split("[VALIDATION")[0],
        "step_number = best: .* has no .VALIDATION_OPTIONS. data_dir",
    ),
    "test set of the validation": (
        {},
        TEMPLATE.replace("tfr/validation", "tfr/test"),
        r"test_dir = tfr/test: it is the \[VALIDATION_OPTIONS\] data_dir",
    ),
    "size in the template": (
        {},
        TEMPLATE.replace("train_dir", "subset_size = 5\ntrain_dir"),
        "subset_size = 5: the sizes are given in .*curve.ini",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case, tmp_path):
    keys, template, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        planned(tmp_path, template, **keys)


def test_an_ini_file_is_written_as_it_was_read(tmp_path):
    sections = {"A": {"x": "50 % of %(y)s", "list": "1,\n2"}, "B": {"empty": ""}}
    path = tmp_path / "a.ini"
    path.write_text(ini_text(sections))
    found = {name: {k: v for k, (_, v) in keys.items()} for name, keys in read_ini(path).items()}
    assert found == sections


def test_subsets_of_a_seed_are_nested_and_random():
    numbers = np.arange(1000)
    index = RecordIndex((Path("a"), Path("b")), numbers // 600, numbers % 600, numbers, numbers)
    sets = [set(index.subset(size, seed=3).offsets.tolist()) for size in (10, 200, 1000)]
    assert sets[0] < sets[1] < sets[2] == set(numbers.tolist())
    assert sets[0] != set(index.subset(10, seed=4).offsets.tolist())
    one = index.subset(200, seed=3)
    assert np.all(np.diff(one.offsets) > 0)
    last = int(one.offsets[-1])
    assert one.where(199) == index.where(last) == f"b, record {last - 600 + 1}"


def test_intervals_are_those_of_the_t_table():
    # t(0.975) of 4 degrees of freedom: 2.776; of 1: 12.706.
    mean = Mean.of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean.mean == 3
    assert mean.half_width == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=1e-3)
    assert Mean.of([1.0, 3.0]).half_width == pytest.approx(12.706, rel=1e-4)
    assert math.isnan(Mean.of([1.0]).half_width)


def test_the_interval_of_the_mean_holds_the_truth_in_95_of_100_cases():
    random, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        mean = Mean.of(random.normal(7.0, 2.0, size=4))
        inside += abs(mean.mean - 7.0) < mean.half_width
    # binomial standard deviation: 0.005
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_power_laws_are_found_with_their_interval():
    sizes = np.repeat([100, 250, 500, 1000], 5)
    exact = PowerLaw.fit(sizes, 3.0 * sizes**-0.55)
    assert (exact.factor, exact.exponent) == pytest.approx((3.0, 0.55))
    assert exact.half_width == pytest.approx(0, abs=1e-7)
    random, inside = np.random.default_rng(0), 0
    for _ in range(500):
        noise = np.exp(random.normal(0, 0.1, size=len(sizes)))
        law = PowerLaw.fit(sizes, 3.0 * sizes**-0.55 * noise)
        inside += abs(law.exponent - 0.55) < law.half_width
    assert inside / 500 == pytest.approx(0.95, abs=0.04)
    assert math.isnan(PowerLaw.fit([1, 2], [1.0, 0.5]).half_width)
    assert PowerLaw.fit([5, 5], [1.0, 2.0]) is None
    assert PowerLaw.fit([1, 2, 3], [1.0, 0.0, 1.0]) is None


def results(forces: bool = True) -> list[Result]:
    found = []
    for mode, factor in (("energies", 2.0), ("energies_forces", 1.0)):
        for size in (100, 400):
            for seed in (0, 1, 2):
                # The table keeps nine digits.
                error = round(factor * (1 + 0.1 * seed) * 10 / math.sqrt(size), 6)
                force = error if forces else math.nan
                numbers = [error, error / 2, round(9 * error, 6), error, force, force, 12.5, 0.25]
                found.append(Result(mode, size, seed, 50, *numbers, "abc"))
    return found


def test_the_table_keeps_all_rows_and_knows_what_is_finished(tmp_path):
    path = tmp_path / "learning_curve.csv"
    table = ResultTable(path)
    rows = results()
    for row in reversed(rows):
        table.add(row)
    lines = path.read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[1].startswith("energies,100,0,50,2,1,18,2,")
    again = ResultTable(path)
    assert list(again.rows.values()) == rows
    again.add(replace(rows[0], force_rmse_eV_per_angstrom=math.nan))
    assert math.isnan(ResultTable(path).rows[rows[0].point].force_rmse_eV_per_angstrom)


def test_a_row_of_other_settings_or_a_broken_table_is_refused(tmp_path):
    (recipe,) = planned(tmp_path, sizes="100", seeds="1", modes="energies")
    path = tmp_path / "learning_curve.csv"
    table = ResultTable(path)
    assert not table.finished(recipe)
    table.add(replace(results()[0], settings=recipe.settings))
    assert table.finished(recipe)
    table.add(results()[0])
    with pytest.raises(TrainingError, match=r"energies, 100 frames, seed 0 was trained with other"):
        table.finished(recipe)
    path.write_text(path.read_text().replace(",50,", ",fifty,"))
    with pytest.raises(TrainingError, match=r"learning_curve.csv line 2: cannot be read"):
        ResultTable(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TrainingError, match="its columns are not those"):
        ResultTable(path)


def test_tables_for_the_screen():
    text = summary(results(), "per_atom")
    # 2, 2.2, 2.4: standard deviation 0.2, t(0.975) of 2 degrees of freedom 4.303
    first = text.splitlines()[2].split()
    assert first[:6] == ["energies", "100", "3", "2.20", "±", "0.50"]
    assert "E RMSE meV/atom" in text and "F MAE eV/angstrom" in text
    assert "F RMSE" not in summary(results(forces=False), "total")
    laws = power_laws(results(), "total")
    assert "E MAE" in laws and "0.50 ± 0.15" in laws


@pytest.mark.parametrize("forces", [True, False])
def test_the_picture_has_a_panel_for_each_known_quantity(forces, tmp_path):
    import matplotlib.image

    energy, _, force, _ = quantities("per_atom")
    panels = [(energy, []), (force, [("sGDML", 100, 0.5), ("sGDML", 200, 0.3), ("GAP", 100, 1.0)])]
    assert draw(tmp_path / "a.png", "title", results(forces), panels)
    height, width, _ = matplotlib.image.imread(tmp_path / "a.png").shape
    assert width / height == pytest.approx((2 if forces else 1) * 5.2 / 4.4, rel=0.01)


def test_a_point_is_named_for_people():
    assert str(Point("energies_forces", 1, 4)) == "energies + forces, 1 frame, seed 4"
