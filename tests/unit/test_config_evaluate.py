"""The ini files of evaluate and extract_weights: every key of PANNA v1 and v2 is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from panna.config.evaluate import EVALUATE
from panna.config.extract import EXTRACT
from panna.config.reader import read_config
from panna.errors import ConfigError

V1_EVALUATE = """
[IO_INFORMATION]
train_dir = ./train
eval_dir = ./eval
data_dir = ./data
networks_format = tf_checkpoint
example_format = single_files
[PARALLELIZATION]
number_of_process = 4
[VALIDATION_OPTIONS]
compute_forces = True
batch_size = -1
single_step = False
subsampling = 3
add_offset = True
[TFR_STRUCTURE]
g_size = 384
sparse_derivatives = True
"""

V1A_EVALUATE = """
[IO_INFORMATION]
train_dir = ./train
eval_dir = ./eval
data_dir = ./data
networks_format = checkpoint
[VALIDATION_OPTIONS]
single_step = True
[DATA_INFORMATION]
g_size = 384
atomic_sequence = H, C, N, O
output_offset = -13.6, -1029.4, -1485.3, -2042.6
[DEFAULT_NETWORK]
activations = G:L
[H]
activations = 1:0
"""

V2_EVALUATE = """
[IO_INFORMATION]
data_dir = ./data
train_ini = train.ini
networks_dir = train/_models
eval_dir = ./eval
[VALIDATION_OPTIONS]
single_step = True
compute_forces = True
"""

V1_EXTRACT = """
[IO_INFORMATION]
train_dir = ./train
step_number = 12000
output_dir = ./saved
gvector_input = gvect.ini
output_type = LAMMPS
output_file = panna.in
"""

V1A_EXTRACT = """
[IO_INFORMATION]
train_dir = ./train
train_input = train.ini
step_number = 12000
species_list = H, C
species_offsets = -13.6, -1029.4
"""

V2_EXTRACT = """
[IO_INFORMATION]
network_dir = ./train/_models
step_number = -1
output_dir = ./saved
train_input = train.ini
gvector_input = gvect.ini
output_type = LAMMPS
gvector_version = 0
long_range_el = False
"""


def read(tmp_path: Path, text: str, schema):
    path = tmp_path / "program.ini"
    path.write_text(text)
    return read_config(path, schema)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_ini_files_of_v1_are_read(tmp_path):
    config = read(tmp_path, V1_EVALUATE, EVALUATE)
    io, options = config["IO_INFORMATION"], config["VALIDATION_OPTIONS"]
    assert io["networks_format"] == "checkpoint" and io["example_format"] == "single_files"
    assert (options["subsampling"], options["batch_size"]) == (3, -1)
    assert config["PARALLELIZATION"]["number_of_process"] == 4
    assert config["TFR_STRUCTURE"]["g_size"] == 384
    (notice,) = config.notices
    assert "sparse_derivatives" in notice and "no effect" in notice


def test_ini_files_of_the_first_release_are_read(tmp_path):
    config = read(tmp_path, V1A_EVALUATE, EVALUATE)
    assert config["DATA_INFORMATION"]["output_offset"][1] == -1029.4
    assert config["IO_INFORMATION"]["example_format"] == "TFR"
    assert len(config.notices) == 2
    extract = read(tmp_path, V1A_EXTRACT, EXTRACT)["IO_INFORMATION"]
    assert extract["output_type"] == "PANNA" and extract["species_list"] == ("H", "C")


def test_ini_files_of_v2_are_read(tmp_path):
    config = read(tmp_path, V2_EVALUATE, EVALUATE)
    assert config["IO_INFORMATION"]["train_dir"] == Path("train/_models")
    extract = read(tmp_path, V2_EXTRACT, EXTRACT)["IO_INFORMATION"]
    assert extract["train_dir"] == Path("train/_models")
    assert (extract["step_number"], extract["gvector_version"]) == (-1, 0)


def test_defaults(tmp_path):
    config = read(tmp_path, "[IO_INFORMATION]\ntrain_dir=t\neval_dir=e\ndata_dir=d\n", EVALUATE)
    assert config["VALIDATION_OPTIONS"] == {
        "compute_forces": False,
        "batch_size": -1,
        "seed": 0,
        "single_step": False,
        "step_number": None,
        "subsampling": 1,
        "add_offset": True,
        "plots": True,
    }
    extract = read(tmp_path, "[IO_INFORMATION]\ntrain_dir=t\n", EXTRACT)["IO_INFORMATION"]
    assert (extract["step_number"], extract["output_type"]) == (-1, "PANNA")
    assert (extract["output_file"], extract["gvector_version"]) == ("panna.in", "auto")


@pytest.mark.parametrize(
    "written, value",
    [("best", ("best",)), ("-1", (-1,)), ("last", (-1,)), ("10, 20, BEST", (10, 20, "best"))],
)
def test_checkpoints_by_number_or_name(tmp_path, written, value):
    text = changed(V1_EVALUATE, "subsampling = 3", f"step_number = {written}")
    assert read(tmp_path, text, EVALUATE)["VALIDATION_OPTIONS"]["step_number"] == value


PANNA = "networks_format = PANNA"
MISTAKES = [
    (V1_EVALUATE, "train_dir = ./train\n", "", EVALUATE, "train_dir: missing"),
    (V1_EVALUATE, "data_dir = ./data\n", "", EVALUATE, "data_dir: missing"),
    (V1_EVALUATE, "subsampling = 3", "subsampling = 0", EVALUATE, "above 0"),
    (V1_EVALUATE, "subsampling = 3", "step_number = best, best", EVALUATE, "repeated"),
    (V1_EVALUATE, "subsampling = 3", "step_number = -2", EVALUATE, "best or last or -1"),
    (V1_EVALUATE, "subsampling = 3", "step_number = bset", EVALUATE, "best or last or -1"),
    (V1_EVALUATE, "batch_size = -1", "batch_size = -5", EVALUATE, "expected -1 or"),
    (V1_EVALUATE, "networks_format = tf_checkpoint", PANNA, EVALUATE, "subsampling = 3"),
    (V1_EVALUATE, "single_files", "singlefiles", EVALUATE, "Did you mean single_files"),
    (V1_EVALUATE, "[VALIDATION_OPTIONS]", "[VALIDATION]", EVALUATE, "VALIDATION_OPTIONS"),
    (V1A_EVALUATE, "[H]", "[He]", EVALUATE, "the species are H, C, N, O"),
    (V1_EXTRACT, "LAMMPS", "ASE", EXTRACT, "ASE calculator"),
    (V1_EXTRACT, "LAMMPS", "PANNA", EXTRACT, "belongs to output_type = LAMMPS"),
    (V1_EXTRACT, "= panna.in", "= a/panna.in", EXTRACT, "without folders"),
    (V2_EXTRACT, "gvector_version = 0", "gvector_version = 2", EXTRACT, "auto, 0 or 1"),
    (V2_EXTRACT, "long_range_el = False", "long_range_el = yes", EXTRACT, "not supported"),
]


@pytest.mark.parametrize("text, old, new, schema, words", MISTAKES)
def test_mistakes_are_named(tmp_path, text, old, new, schema, words):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, changed(text, old, new), schema)
    assert words in str(caught.value)
    assert str(tmp_path / "program.ini") in str(caught.value)
