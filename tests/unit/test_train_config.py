"""The ini file of panna_train: every key of PANNA is known, honoured or refused."""

from __future__ import annotations

import pytest

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.config.train_losses import chosen_forces_cost
from panna.config.train_optimiser import chosen_schedule, depends_on_length
from panna.errors import ConfigError
from panna.network.activations import ACTIVATIONS
from panna.training.networks import architectures

# Specification of PANNA v1 and v2, section 1.3.
KEYS = {
    "IO_INFORMATION": """data_dir train_dir input_format gvect_ini save_checkpoint_steps
        max_ckpt_to_keep log_frequency tensorboard_log_frequency avg_speed_steps
        log_device_placement restart_mode restart_file restart_epoch restart_step metrics
        progbar_interval profile starting_model_save final_model_save num_parallel_readers
        num_parallel_calls shuffle_buffer_size_multiplier prefetch_buffer_size_multiplier
        dataset_cache dataset_shuffle""",
    "PARALLELIZATION": """num_parallel_readers num_parallel_calls shuffle_buffer_size_multiplier
        prefetch_buffer_size_multiplier inter_op_parallelism_threads intra_op_parallelism_threads
        dataset_cache""",
    "DATA_INFORMATION": """atomic_sequence output_offset energy_rescale sparse_derivatives
        scaffold_type examples_name max_atoms""",
    "TRAINING_PARAMETERS": """batch_size learning_rate learning_rate_constant
        learning_rate_decay_factor learning_rate_decay_step staircase_decay_type max_steps
        max_epochs steps_per_epoch beta1 beta2 adam_eps wscale_l1 wscale_l2 bscale_l1 bscale_l2
        clip_value loss_function floss_function forces_cost energy_weight energy_reduction
        energy_prefactor force_weights force_reduction charge_cost qloss_function charge_weights
        charge_reduction""",
    "DEFAULT_NETWORK": "nn_type g_size architecture trainable activations networks_metadata",
    "LONG_RANGE": "long_range_el",
    "VALIDATION_OPTIONS": "data_dir batch_size input_format",
}
SPECIES_KEYS = """nn_type g_size architecture trainable activations networks_metadata output_offset
    behavior layer0_w_file layer0_b_file layer3_w_file prunable sparsity starting_masks
    pruning_weights"""

SMALLEST = {
    "IO_INFORMATION": {"data_dir": "tfr", "train_dir": "run"},
    "TRAINING_PARAMETERS": {"defaults": "v1", "batch_size": "8", "max_epochs": "10"},
}


def write(folder, **changes):
    """An ini file: the smallest one with SECTION__key = value added, None removed."""
    sections = {name: dict(keys) for name, keys in SMALLEST.items()}
    for name, value in changes.items():
        section, key = name.split("__")
        sections.setdefault(section, {})[key] = value
    path = folder / "train.ini"
    path.write_text(
        "\n".join(
            f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None)
            for section, keys in sections.items()
        )
    )
    return path


@pytest.fixture
def read(tmp_path):
    return lambda **changes: read_config(write(tmp_path, **changes), TRAIN)


def test_every_key_of_panna_is_known():
    for name, keys in KEYS.items():
        section = TRAIN.find(name)
        assert [key for key in keys.split() if section.find(key) is None] == [], name
    assert [key for key in SPECIES_KEYS.split() if TRAIN.species_section.find(key) is None] == []


def test_activations_of_the_ini_file_are_those_of_the_registry():
    key = TRAIN.find("DEFAULT_NETWORK").find("activations")
    assert set(key.choices) == set(ACTIVATIONS)
    for activation in ACTIVATIONS.values():
        for spelling in (activation.name, activation.name.upper(), str(activation.number)):
            assert key.parse(spelling) == (activation.name,)


def test_the_defaults_of_panna_v1(read):
    """Specification 1.3 and 4."""
    config = read()
    training = config["TRAINING_PARAMETERS"]
    assert training["loss_function"] == training["floss_function"] == "quad"
    assert (training["learning_rate"], training["forces_cost"]) == (1e-3, 0.0)
    assert (training["optimiser"], training["average_decay"]) == ("adam", 0.0)
    assert chosen_schedule(config) == "constant"
    assert training["derivatives"] == "auto" and training["standardise"]
    with pytest.raises(ConfigError, match="batch_size: missing"):
        read(TRAINING_PARAMETERS__batch_size=None)


def test_the_recommended_defaults(read):
    keys = {f"TRAINING_PARAMETERS__{key}": None for key in ("defaults", "batch_size")}
    config = read(**keys)
    training = config["TRAINING_PARAMETERS"]
    assert training["loss_function"] == "quad_atom" and training["floss_function"] == "quad_percomp"
    assert (training["optimiser"], training["average_decay"]) == ("adamw", 0.99)
    assert chosen_schedule(config) == "cosine" and depends_on_length(config)
    assert [chosen_forces_cost(training, forces) for forces in (True, False)] == [0.05, 0.0]
    asked = read(**keys, TRAINING_PARAMETERS__forces_cost="0")
    assert chosen_forces_cost(asked["TRAINING_PARAMETERS"], True) == 0.0


@pytest.mark.parametrize(
    "said",
    [
        {"schedule": "constant"},
        {"learning_rate_constant": "True"},
        {"schedule": "cosine"},
        {"learning_rate_final": "1e-5"},
        {
            "learning_rate_constant": "False",
            "learning_rate_decay_factor": "0.5",
            "learning_rate_decay_step": "9",
        },
    ],
)
def test_a_schedule_that_is_asked_for_is_the_same_with_either_defaults(read, said):
    keys = {f"TRAINING_PARAMETERS__{key}": value for key, value in said.items()}
    kinds = [
        chosen_schedule(config)
        for config in (read(**keys), read(**keys, TRAINING_PARAMETERS__defaults="recommended"))
    ]
    assert kinds[0] == kinds[1]


def test_keys_of_the_pipeline_stand_in_either_section(read):
    for section in ("IO_INFORMATION", "PARALLELIZATION"):
        keys = {f"{section}__dataset_cache": "True", f"{section}__num_parallel_calls": "3"}
        config = read(**keys)
        assert config["PARALLELIZATION"]["dataset_cache"] is True
        assert config["PARALLELIZATION"]["num_parallel_calls"] == 3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"TRAINING_PARAMETERS__max_steps": "5"}, "max_epochs or max_steps; both"),
        ({"TRAINING_PARAMETERS__max_epochs": None}, "max_epochs or max_steps; neither"),
        ({"TRAINING_PARAMETERS__steps_per_epoch": "5"}, "max_steps = max_epochs"),
        (
            {"TRAINING_PARAMETERS__learning_rate_constant": "False"},
            "learning_rate_decay_factor: missing",
        ),
        ({"TRAINING_PARAMETERS__learning_rate_decay_step": "10"}, "without effect"),
        ({"TRAINING_PARAMETERS__staircase_decay_type": "True"}, "without effect"),
        (
            {
                "TRAINING_PARAMETERS__learning_rate_final": "1e-5",
                "TRAINING_PARAMETERS__learning_rate_decay_factor": "0.5",
            },
            "learning_rate_final fixes the decay",
        ),
        ({"TRAINING_PARAMETERS__learning_rate": "-1"}, "expected a number above 0"),
        (
            {
                "TRAINING_PARAMETERS__energy_reduction": "sum",
                "TRAINING_PARAMETERS__loss_flavour": "v1",
            },
            "sums only",
        ),
        (
            {
                "TRAINING_PARAMETERS__energy_weight": "n_atoms2",
                "TRAINING_PARAMETERS__loss_function": "quad_atom",
            },
            "per atom already",
        ),
        (
            {
                "TRAINING_PARAMETERS__force_weights": "3n_atoms",
                "TRAINING_PARAMETERS__floss_function": "huber",
            },
            "has its own weight",
        ),
        ({"TRAINING_PARAMETERS__energy_prefactor": "3"}, "without effect with these losses"),
        ({"TRAINING_PARAMETERS__exp_tanh_constant": "3"}, "without effect with these losses"),
        (
            {"TRAINING_PARAMETERS__stress_cost": "1", "TRAINING_PARAMETERS__forces_cost": "0"},
            "virials come with forces",
        ),
        ({"TRAINING_PARAMETERS__forces_cost_final": "1"}, "forces are not trained"),
        ({"TRAINING_PARAMETERS__early_stopping_patience": "5"}, "needs a validation set"),
        ({"TRAINING_PARAMETERS__schedule": "plateau"}, "needs a validation set"),
        (
            {
                "TRAINING_PARAMETERS__schedule": "cosine",
                "TRAINING_PARAMETERS__learning_rate_constant": "False",
            },
            "schedule says the same",
        ),
        ({"TRAINING_PARAMETERS__schedule": "staircase"}, "decay_factor: missing; schedule ="),
        ({"TRAINING_PARAMETERS__plateau_patience": "5"}, "without effect with a constant"),
        (
            {
                "TRAINING_PARAMETERS__schedule": "plateau",
                "TRAINING_PARAMETERS__learning_rate_decay_factor": "2",
                "VALIDATION_OPTIONS__data_dir": "tfr",
            },
            "below 1 expected",
        ),
        ({"TRAINING_PARAMETERS__group_weights": "bulk:1, surface"}, "'surface': .*group:weight"),
        ({"TRAINING_PARAMETERS__group_weights": "a:1, a:2"}, "a is repeated"),
        ({"TRAINING_PARAMETERS__group_weights": "a:-1"}, "expected a number from 0|0 or more"),
        ({"TRAINING_PARAMETERS__weight_decay": "0.1"}, "needs optimiser = adamw"),
        (
            {"TRAINING_PARAMETERS__clip_value": "1", "TRAINING_PARAMETERS__clip_norm": "1"},
            "clip_value is given, too",
        ),
        ({"IO_INFORMATION__input_format": "example"}, "gvect_calculator"),
        ({"IO_INFORMATION__restart_mode": "specific_ckpt"}, "expected one of .*none is given"),
        ({"IO_INFORMATION__restart_step": "5"}, "without effect; set restart_mode = specific"),
        ({"IO_INFORMATION__restart_mode": "metadata"}, "needs .* networks_metadata"),
        ({"IO_INFORMATION__profile": "9, 3"}, "first and the last"),
        ({"DATA_INFORMATION__energy_rescale": "0"}, "expected a number above 0"),
        ({"DATA_INFORMATION__output_offset": "-1"}, "atomic_sequence is missing"),
        (
            {
                "DATA_INFORMATION__output_offset": "-1",
                "DATA_INFORMATION__atomic_sequence": "Si, O",
            },
            "1 values found, 2 expected",
        ),
        ({"DEFAULT_NETWORK__activations": "gausian:linear"}, "Did you mean gaussian"),
        ({"Si__behavior": "keep:freeze"}, "expected new, keep or load"),
        ({"Si__pruning_weights": "w.npy"}, "not supported yet"),
        ({"LONG_RANGE__long_range_el": "True"}, "electrostatics"),
        ({"VALIDATION_OPTIONS__batch_size": "4"}, "data_dir: missing"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(read, change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(**change)
    section = next(iter(change)).split("__")[0]
    assert f"[{section}]" in str(caught.value)


def test_values_that_change_nothing_are_accepted(read):
    config = read(
        TRAINING_PARAMETERS__wscale_l1="0.0",
        TRAINING_PARAMETERS__clip_value="0",
        TRAINING_PARAMETERS__stress_cost="0",
        DATA_INFORMATION__energy_rescale="1.0",
        DATA_INFORMATION__scaffold_type="PANNA",
        LONG_RANGE__long_range_el="False",
        IO_INFORMATION__avg_speed_steps="100",
    )
    assert [notice for notice in config.notices if "avg_speed_steps" in notice]


def test_the_schedule_follows_from_the_keys_of_either_version(read):
    decay = {
        "TRAINING_PARAMETERS__learning_rate_decay_factor": "0.5",
        "TRAINING_PARAMETERS__learning_rate_decay_step": "100",
    }
    old = {"TRAINING_PARAMETERS__learning_rate_constant": "False", **decay}
    staircase = {"TRAINING_PARAMETERS__staircase_decay_type": "True", **old}
    final = {"TRAINING_PARAMETERS__learning_rate_final": "1e-5"}
    named = {"TRAINING_PARAMETERS__schedule": "staircase", **decay}
    kinds = {"constant": {}, "exponential": old, "staircase": staircase}
    for kind, keys in kinds.items():
        assert chosen_schedule(read(**keys)) == kind
    assert chosen_schedule(read(**final)) == "exponential"
    assert chosen_schedule(read(**named)) == "staircase"
    cosine = {"TRAINING_PARAMETERS__schedule": "cosine"}
    for keys, expected in ((final, True), (old, False), (cosine, True), ({}, False)):
        assert depends_on_length(read(**keys)) == expected


def test_species_change_the_default_network(read):
    config = read(
        DEFAULT_NETWORK__architecture="8:4:1",
        DEFAULT_NETWORK__activations="tanh:relu:linear",
        DEFAULT_NETWORK__trainable="0:1:1",
        O__activations="1:1:0",
        H__architecture="3:1",
        C__trainable="1:1:1",
    )
    si, o, h, c = architectures(config, ("Si", "O", "H", "C"))
    assert si.sizes == o.sizes == c.sizes == (8, 4, 1) and h.sizes == (3, 1)
    assert si.activations == c.activations == ("tanh", "relu", "linear")
    assert o.activations == ("gaussian", "gaussian", "linear")
    assert h.activations == ("gaussian", "linear") and h.trainable == (True, True)
    assert si.trainable == o.trainable == (False, True, True) and c.trainable == (True,) * 3


def test_a_species_without_any_architecture_is_named(read):
    with pytest.raises(ConfigError, match=r"\[DEFAULT_NETWORK\] architecture: missing, and \[O\]"):
        architectures(read(Si__architecture="4:1"), ("Si", "O"))
