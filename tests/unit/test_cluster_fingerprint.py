"""What must be the same on all nodes, and what may differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_cases import ONE_SPECIES, records, write_data, write_ini

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.training.cluster import fingerprint as module
from panna.training.cluster.fingerprint import REMEDY, difference, fingerprint
from panna.training.data import open_training_data


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder / "train", records(ONE_SPECIES, 4))
    write_data(folder / "validation", records(ONE_SPECIES, 2, first=4))
    write_data(folder / "copy", records(ONE_SPECIES, 4))
    write_data(folder / "other", records(ONE_SPECIES, 4, first=1))
    return folder


def of(tmp_path: Path, data: Path, train="train", validation="validation", **changes):
    ini = write_ini(tmp_path / "t.ini", data / train, data / validation, **changes)
    config = read_config(ini, TRAIN)
    return fingerprint(config, open_training_data(config))


def test_places_threads_and_nodes_may_differ(data, tmp_path):
    here = of(tmp_path / "here", data)
    there = of(
        tmp_path / "there", data, train="copy",
        PARALLELIZATION__intra_op_parallelism_threads="2",
        CLUSTER__nodes="a, b", CLUSTER__task_index_variable="X",
    )  # fmt: skip
    assert difference(here, there) == ""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"train": "other"}, "training data"),
        ({"validation": "other"}, "validation data"),
        ({"TRAINING_PARAMETERS__seed": "3"}, "settings"),
        ({"DEFAULT_NETWORK__architecture": "6:1"}, "settings"),
        ({"Si__architecture": "4:1"}, "settings"),
    ],
)
def test_other_data_and_settings_are_named(data, tmp_path, changes, what):
    text = difference(of(tmp_path / "a", data), of(tmp_path / "b", data, **changes))
    assert text.startswith(f"another {what} than on the chief")
    assert text.endswith(REMEDY[what])


def test_other_code_and_versions_are_named(data, tmp_path, monkeypatch):
    here = of(tmp_path, data)
    assert difference(here, here | {"version": "1.0"}).startswith("another version")
    package = tmp_path / "panna"
    package.mkdir()
    (package / "__init__.py").write_text("changed = True\n")
    monkeypatch.setattr(module.panna, "__file__", str(package / "__init__.py"))
    assert difference(here, of(tmp_path, data)).startswith("another code than on the chief")
    assert difference(here, {}).startswith("another version")
