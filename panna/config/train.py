"""The ini file of panna_train: every key of PANNA v1 and v2, and ours.

What PANNA knows and this version does not do yet is refused with the reason, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable

from panna.config.reader import Config
from panna.config.schema import NO_ELECTROSTATICS, Key, Problem, SameAs, Schema, Section
from panna.config.values import (
    boolean,
    choice,
    colon_list,
    comma_list,
    different,
    either,
    fraction,
    integer,
    non_negative_integer,
    non_negative_real,
    path,
    positive_integer,
    positive_real,
    real,
    text,
)

NOT_YET = "not supported yet"
PIPELINE = "PARALLELIZATION"  # section in which PANNA v1 has the keys of the data pipeline

activation = choice(
    "linear",
    "gaussian",
    "relu",
    "tanh",
    "rbf",
    synonyms={"l": "linear", "0": "linear", "g": "gaussian", "gauss": "gaussian", "1": "gaussian",
              "rl": "relu", "3": "relu", "th": "tanh", "4": "tanh", "2": "rbf"},
)  # fmt: skip

CAPPED = f"exponential losses are {NOT_YET}; use quad_atom, or quad_std_atom"
energy_loss = choice(
    "quad",
    "quad_atom",
    "quad_std_atom",
    refused=dict.fromkeys(
        ("exp_quad", "exp_quad_atom", "exp_quad_std_atom", "quad_exp_tanh", "quad_exp_tanh_atom",
         "quad_exp_tanh_std_atom"),
        CAPPED,
    ),
)  # fmt: skip
force_loss = choice(
    "quad",
    "quad_atom",
    "quad_percomp",
    refused=dict.fromkeys(
        ("exp_quad", "exp_quad_atom"), f"exponential losses are {NOT_YET}; use quad_atom"
    ),
)
reduction = choice(
    "mean", refused={"sum": "losses are means over the frames of a batch, independent of its size; "
                            "multiply learning_rate and forces_cost accordingly"}
)  # fmt: skip
input_format = choice(
    "TFR",
    refused={"example": "descriptors are computed by gvect_calculator and packed by tfr_packer; "
                        "derivatives = on_the_fly then trains forces without stored derivatives"},
)  # fmt: skip
restart_mode = choice(
    "default",
    "continue_from_last_ckpt",
    refused=dict.fromkeys(
        ("force_default", "specific_ckpt", "metadata", "none"),
        f"{NOT_YET}; choose a new train_dir to start afresh, default continues where the last "
        "checkpoint stopped",
    ),
)


def pipeline_keys(other: str) -> tuple[Key, ...]:
    """Keys of the data pipeline, in [PARALLELIZATION] (v1) or in [IO_INFORMATION] (v2)."""
    shuffled = "every epoch is a perfect shuffle of the whole training set, without a buffer"
    return (
        Key("num_parallel_readers", positive_integer, 1, also_in=other,
            obsolete="records are read by number, by the num_parallel_calls threads"),
        Key("num_parallel_calls", positive_integer, 1, also_in=other,
            meaning="threads that prepare batches"),
        Key("shuffle_buffer_size_multiplier", positive_integer, 10, also_in=other,
            obsolete=shuffled),
        Key("prefetch_buffer_size_multiplier", positive_integer, 4, also_in=other,
            meaning="batches prepared in advance"),
        Key("dataset_cache", either("auto", None, boolean), None, also_in=other,
            meaning="keep the data and neighbour lists in memory; auto: if half of the free memory "
                    "is enough"),
    )  # fmt: skip


IO = Section(
    "IO_INFORMATION",
    (
        Key("data_dir", path, meaning="folder with the *.tfrecord files of the training set"),
        Key("subset_size", either("all", None, positive_integer), None, unit="frames",
            meaning="train on so many of the frames, chosen at random; subsets of one subset_seed "
                    "are nested"),
        Key("subset_seed", non_negative_integer, 0, meaning="of this choice"),
        Key("train_dir", path, meaning="folder for checkpoints, metrics.csv and TensorBoard"),
        Key("input_format", input_format, "TFR"),
        Key("gvect_ini", path, None,
            refused="descriptors come from the TFRecord files, with their parameters; remove it"),
        Key("save_checkpoint_steps", non_negative_integer, 0, unit="steps",
            meaning="steps between checkpoints; 0: one at the end of every epoch"),
        Key("max_ckpt_to_keep", positive_integer, 10, meaning="latest checkpoints that are kept"),
        Key("log_frequency", non_negative_integer, 0, unit="steps",
            meaning="steps between the losses of single batches in TensorBoard; 0: only the means "
                    "of epochs"),
        Key("tensorboard_log_frequency", non_negative_integer, SameAs("log_frequency"),
            unit="steps", meaning="the same (name of v1); this one counts if both are given"),
        Key("avg_speed_steps", positive_integer, 1, obsolete="the progress line shows the speed"),
        Key("log_device_placement", boolean, False,
            meaning="TensorFlow prints the device of every operation"),
        Key("restart_mode", restart_mode, "default",
            meaning="default: continue if train_dir has checkpoints; continue_from_last_ckpt: it "
                    "must have some"),
        Key("restart_file", path, None,
            refused=f"{NOT_YET}; the last checkpoint of train_dir is taken. Delete later ones to "
                    "go back"),
        Key("restart_epoch", integer, 0, refused=f"{NOT_YET}; delete later checkpoints to go back"),
        Key("restart_step", integer, 0, refused=f"{NOT_YET}; delete later checkpoints to go back"),
        Key("metrics", comma_list(choice("MAE", "RMSE", "loss")), ("MAE",),
            obsolete="RMSE, MAE and losses are always written to metrics.csv"),
        Key("progbar_interval", positive_real, 1.0, unit="s",
            obsolete="the progress bar is always shown"),
        Key("profile", text, "0",
            refused=f"{NOT_YET}; remove it, or run the program under a profiler"),
        Key("starting_model_save", integer, -1,
            refused=f"{NOT_YET}; every checkpoint holds a complete model"),
        Key("final_model_save", integer, -1,
            refused=f"{NOT_YET}; every checkpoint holds a complete model"),
        *pipeline_keys(PIPELINE),
        Key("dataset_shuffle", boolean, True, meaning="a new order of the frames in every epoch"),
    ),
    required=True,
    meaning="files",
)  # fmt: skip

PARALLELIZATION = Section(
    PIPELINE,
    (
        *pipeline_keys("IO_INFORMATION"),
        Key("inter_op_parallelism_threads", non_negative_integer, 0,
            meaning="operations that TensorFlow runs at the same time; 0: TensorFlow chooses"),
        Key("intra_op_parallelism_threads", non_negative_integer, 0,
            meaning="threads of one operation, and of the descriptors; 0: all cores"),
    ),
    meaning="threads and data pipeline",
)  # fmt: skip

DATA = Section(
    "DATA_INFORMATION",
    (
        Key("atomic_sequence", different(comma_list(text)), None,
            meaning="species, in the order of the descriptor; absent: what the data say"),
        Key("output_offset", either("fit", None, comma_list(real)), None, unit="eV",
            meaning="reference energy per species, in the order of atomic_sequence; fit: least "
                    "squares on the training set"),
        Key("energy_rescale", real, 1.0,
            refused="energies are trained in eV; the standardisation of descriptors and the first "
                    "weights do what it was meant for"),
        Key("sparse_derivatives", boolean, False,
            obsolete="the files tell in which form derivatives are stored"),
        Key("scaffold_type", choice("PANNA"), "PANNA"),
        Key("examples_name", boolean, True, obsolete="names are read where the files have them"),
        Key("max_atoms", integer, -1, obsolete="frames are not padded"),
    ),
    meaning="what the data mean",
)  # fmt: skip

TRAINING = Section(
    "TRAINING_PARAMETERS",
    (
        Key("batch_size", positive_integer, meaning="frames in a batch"),
        Key("learning_rate", positive_real, 1e-3, meaning="of Adam, at the first step"),
        Key("learning_rate_final", positive_real, None,
            meaning="learning rate at the last step; it decays exponentially over the whole run"),
        Key("learning_rate_constant", boolean, True,
            meaning="False: learning_rate * decay_factor ^ (step / decay_step)"),
        Key("learning_rate_decay_factor", positive_real, None),
        Key("learning_rate_decay_step", positive_real, None, unit="steps"),
        Key("staircase_decay_type", boolean, False, meaning="the exponent is rounded down"),
        Key("max_steps", positive_integer, None, meaning="steps in all, restarts included"),
        Key("max_epochs", positive_integer, None,
            meaning="passes over the training set in all, restarts included; or max_steps"),
        Key("steps_per_epoch", positive_integer, None,
            refused="an epoch is one pass over the training set; give max_steps = "
                    "max_epochs * steps_per_epoch instead"),
        Key("beta1", fraction, 0.9, meaning="of Adam"),
        Key("beta2", fraction, 0.999, meaning="of Adam"),
        Key("adam_eps", positive_real, 1e-8, meaning="of Adam"),
        Key("wscale_l1", non_negative_real, 0.0, refused=f"regularisation is {NOT_YET}; remove it"),
        Key("wscale_l2", non_negative_real, 0.0, refused=f"regularisation is {NOT_YET}; remove it"),
        Key("bscale_l1", non_negative_real, 0.0, refused=f"regularisation is {NOT_YET}; remove it"),
        Key("bscale_l2", non_negative_real, 0.0, refused=f"regularisation is {NOT_YET}; remove it"),
        Key("clip_value", non_negative_real, 0.0,
            refused=f"clipping is {NOT_YET}; use a smaller learning_rate"),
        Key("loss_function", energy_loss, "quad",
            meaning="of energies, d per frame of N atoms: quad d^2, quad_atom (d/N)^2, "
                    "quad_std_atom d^2/N; mean over the frames of a batch"),
        Key("floss_function", force_loss, "quad",
            meaning="of forces, f2 = squares summed over a frame: quad f2, quad_atom f2/N, "
                    "quad_percomp f2/3N; mean over the frames of a batch"),
        Key("forces_cost", non_negative_real, 0.0,
            meaning="weight of the force loss; above 0 forces are trained"),
        Key("energy_weight", choice("n_atoms", "n_atoms2"), None,
            refused="use loss_function = quad_std_atom (for n_atoms) or quad_atom (for n_atoms2)"),
        Key("energy_reduction", reduction, "mean"),
        Key("energy_prefactor", real, None, refused=CAPPED),
        Key("force_weights", choice("n_atoms", "n_atoms2", "3n_atoms", "3n_atoms2"), None,
            refused="use floss_function = quad_atom (for n_atoms) or quad_percomp (for 3n_atoms)"),
        Key("force_reduction", reduction, "mean"),
        Key("charge_cost", real, 0.0, refused=NO_ELECTROSTATICS),
        Key("qloss_function", choice("quad"), "quad"),
        Key("charge_weights", text, None, refused=NO_ELECTROSTATICS),
        Key("charge_reduction", reduction, "mean"),
        Key("derivatives", choice("auto", "stored", "on_the_fly"), "auto",
            meaning="dG/dx for force training: stored in the files, or from positions by the core "
                    "in every step; auto: on_the_fly where the files hold positions"),
        Key("seed", non_negative_integer, 0, meaning="of first weights and order of frames"),
        Key("precision", choice("float32", "float64"), "float32", meaning="of the networks"),
        Key("standardise", boolean, True,
            meaning="descriptors with mean 0 and standard deviation 1 per species; folded into "
                    "the first layer at export"),
        Key("average_decay", fraction, 0.0,
            meaning="decay per step of a running average of the weights, which then is validated "
                    "and exported; 0: off. Typical: 0.99"),
    ),
    required=True,
    meaning="the optimisation",
)  # fmt: skip

NETWORK_KEYS = (
    Key("nn_type", choice("a2aff", synonyms={"ff": "a2aff", "a2a": "a2aff"}), "a2aff"),
    Key("g_size", positive_integer, None,
        meaning="components of a descriptor; checked against the data"),
    Key("architecture", colon_list(positive_integer), None,
        meaning="outputs of each layer, 32:16:1"),
    Key("trainable", colon_list(boolean), None, meaning="per layer; default: all are trained"),
    Key("activations", colon_list(activation), None,
        meaning="per layer; default: gaussian, and linear in the last one"),
    Key("networks_metadata", path, None,
        refused=f"starting from an exported network is {NOT_YET}; remove it"),
)  # fmt: skip
DEFAULT_NETWORK = Section(
    "DEFAULT_NETWORK", NETWORK_KEYS, meaning="of every species that does not say otherwise"
)
SPECIES = Section(
    "<Symbol>",
    (
        *NETWORK_KEYS,
        Key("output_offset", real, None, unit="eV",
            meaning="reference energy of the species; all species or none"),
        Key("behavior", colon_list(choice("new", "keep", "load")), None,
            refused=f"starting from given layers is {NOT_YET}; all layers are new"),
        *(
            Key(f"layer{k}_{array}_file", path, None,
                refused=f"starting from given layers is {NOT_YET}; remove it")
            for k in range(10)
            for array in "wb"
        ),
        *(
            Key(name, text, None, refused=f"pruning is {NOT_YET}; remove it")
            for name in ("prunable", "sparsity", "starting_masks", "pruning_weights")
        ),
    ),
    meaning="network of one species",
)  # fmt: skip
LONG_RANGE = Section(
    "LONG_RANGE",
    (Key("long_range_el", boolean, False, refused=f"electrostatics is {NOT_YET}; remove it"),),
)
VALIDATION = Section(
    "VALIDATION_OPTIONS",
    (
        Key("data_dir", path, meaning="folder with the *.tfrecord files of the validation set"),
        Key("batch_size", positive_integer, None, meaning="default: that of the training"),
        Key("input_format", input_format, "TFR"),
    ),
    meaning="validation at the end of every epoch",
)


def _check_length(config: Config) -> Iterable[Problem]:
    training = config["TRAINING_PARAMETERS"]
    given = [key for key in ("max_steps", "max_epochs") if training[key] is not None]
    if len(given) != 1:
        found = "both are given" if given else "neither is given"
        yield Problem(
            "TRAINING_PARAMETERS", "max_epochs", f"expected max_epochs or max_steps; {found}"
        )


def _check_learning_rate(config: Config) -> Iterable[Problem]:
    section = "TRAINING_PARAMETERS"
    training = config[section]
    decay = ("learning_rate_decay_factor", "learning_rate_decay_step")
    if training["learning_rate_final"] is not None:
        for key in ("learning_rate_constant", *decay, "staircase_decay_type"):
            if config.given(section, key):
                yield Problem(section, key, "learning_rate_final fixes the decay; remove one")
        return
    for key in decay:
        if not training["learning_rate_constant"] and training[key] is None:
            yield Problem(section, key, "missing; learning_rate_constant = False needs it")
        if training["learning_rate_constant"] and training[key] is not None:
            yield Problem(
                section, key, "without effect; set learning_rate_constant = False or remove it"
            )
    if training["learning_rate_constant"] and training["staircase_decay_type"]:
        yield Problem(
            section, "staircase_decay_type",
            "without effect; set learning_rate_constant = False or remove it",
        )  # fmt: skip


def _check_subset(config: Config) -> Iterable[Problem]:
    io = config["IO_INFORMATION"]
    if config.given("IO_INFORMATION", "subset_seed") and io["subset_size"] is None:
        yield Problem("IO_INFORMATION", "subset_seed", "without effect; subset_size is missing")


def _check_offsets(config: Config) -> Iterable[Problem]:
    data = config["DATA_INFORMATION"]
    sequence, offsets = data["atomic_sequence"], data["output_offset"]
    if offsets is not None and sequence is None:
        yield Problem(
            "DATA_INFORMATION", "output_offset", "atomic_sequence is missing; it gives the order"
        )
    elif offsets is not None and len(offsets) != len(sequence):
        yield Problem(
            "DATA_INFORMATION", "output_offset",
            f"{len(offsets)} values found, {len(sequence)} expected as in atomic_sequence",
        )  # fmt: skip
    if offsets is not None:
        for symbol, section in config.species_sections.items():
            if section["output_offset"] is not None:
                yield Problem(symbol, "output_offset", "also given in [DATA_INFORMATION]")


TRAIN = Schema(
    "panna_train",
    (IO, PARALLELIZATION, DATA, TRAINING, DEFAULT_NETWORK, LONG_RANGE, VALIDATION),
    species_section=SPECIES,
    species_key=("DATA_INFORMATION", "atomic_sequence"),
    checks=(_check_length, _check_learning_rate, _check_subset, _check_offsets),
    meaning="train networks on packed descriptors",
)
