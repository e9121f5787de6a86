"""The ini file of panna_train: every key of PANNA v1 and v2, and ours.

What PANNA knows and this version does not do yet is refused with the reason, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable

from panna.config.reader import Config
from panna.config.schema import REQUIRED, Key, Problem, SameAs, Schema, Section
from panna.config.train_cluster import CLUSTER, check_cluster
from panna.config.train_losses import LOSS_KEYS, check_losses
from panna.config.train_optimiser import (
    OPTIMISER_KEYS,
    check_learning_rate,
    check_length,
    check_optimiser,
)
from panna.config.values import (
    Kind,
    boolean,
    choice,
    colon_list,
    comma_list,
    different,
    either,
    fraction,
    integer,
    non_negative_integer,
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

input_format = choice(
    "TFR",
    refused={"example": "descriptors are computed by gvect_calculator and packed by tfr_packer; "
                        "derivatives = on_the_fly then trains forces without stored derivatives"},
)  # fmt: skip
restart_mode = choice(
    "default", "force_default", "continue_from_last_ckpt", "specific_ckpt", "metadata", "none"
)
metric = choice("MAE", "RMSE", "loss")


def _profiled(content: str) -> tuple[int, ...]:
    steps = comma_list(non_negative_integer)(content)
    if len(steps) > 2 or steps[0] > steps[-1] or (0 in steps and steps != (0,)):
        raise ValueError("expected a step, the first and the last one of some, or 0 for none")
    return steps


profiled_steps = Kind("one or two numbers of steps, or 0", _profiled)


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
        Key("input_format", input_format, "TFR", meaning="TFRecord files of tfr_packer"),
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
            meaning="default: continue from the last checkpoint of train_dir, if there is one, "
                    "with the same settings; force_default: or with others; "
                    "continue_from_last_ckpt: likewise, but there must be one; specific_ckpt: from "
                    "that of restart_file, restart_step or restart_epoch; metadata: begin with "
                    "networks_metadata; none: begin afresh; these two in a new train_dir"),
        Key("restart_file", path, None, meaning="a checkpoint, step_N.npz, for specific_ckpt"),
        Key("restart_epoch", non_negative_integer, 0,
            meaning="number of finished epochs of the checkpoint for specific_ckpt"),
        Key("restart_step", non_negative_integer, 0,
            meaning="number of finished steps of the checkpoint for specific_ckpt"),
        Key("metrics", different(comma_list(metric)), ("RMSE",),
            meaning="what the progress line shows; metrics.csv always has RMSE, MAE and losses"),
        Key("progbar_interval", positive_real, None, unit="s",
            meaning="between two progress lines; default: 10, and 0.1 for a bar in a terminal"),
        Key("profile", profiled_steps, (0,),
            meaning="step, or first and last step, of a TensorBoard profile; 0: none"),
        Key("starting_model_save", either("-1", -1, non_negative_integer), -1,
            meaning="the model after so many steps goes to train_dir/starting_model.npz; -1: none"),
        Key("final_model_save", either("-1", -1, non_negative_integer), -1,
            meaning="the model after so many steps, or at the end if that comes first, goes to "
                    "train_dir/final_model.npz; -1: none"),
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
        Key("processes", either("auto", None, positive_integer), None,
            meaning="of this machine that make every step together, each with its part of the "
                    "batch; auto: one for each GPU, else 1. See [CLUSTER] for more machines"),
        Key("device",
            choice("auto", "cpu", "gpu", "tpu"), "auto",
            meaning="what TensorFlow computes on; auto: a GPU if there is one, and then the whole "
                    "step with its forces. tpu: one process, stored derivatives, everything "
                    "compiled by XLA; it has been tried on CPUs only"),
    ),
    meaning="threads, device and data pipeline",
)  # fmt: skip

DATA = Section(
    "DATA_INFORMATION",
    (
        Key("atomic_sequence", different(comma_list(text)), None,
            meaning="species, in the order of the descriptor; absent: what the data say"),
        Key("output_offset", either("fit", None, comma_list(real)), None, unit="eV",
            meaning="reference energy per species, in the order of atomic_sequence; fit: least "
                    "squares on the training set. Default: those of networks_metadata, or fit"),
        Key("energy_rescale", positive_real, 1.0,
            meaning="factor of the errors of energies, forces and virials in the losses; networks, "
                    "metrics and potentials stay in eV"),
        Key("sparse_derivatives", boolean, False,
            obsolete="the files tell in which form derivatives are stored"),
        Key("scaffold_type", choice("PANNA"), "PANNA", meaning="of PANNA v1; there is one"),
        Key("examples_name", boolean, True, obsolete="names are read where the files have them"),
        Key("max_atoms", integer, -1, obsolete="frames are not padded"),
    ),
    meaning="what the data mean",
)  # fmt: skip

TRAINING = Section(
    "TRAINING_PARAMETERS",
    (
        Key("defaults", choice("recommended", "v1"), "recommended",
            meaning="of the keys of this section and of activations: recommended, chosen by "
                    "measurement (benchmarks/ablation.md); v1, those of PANNA v1"),
        Key("batch_size", positive_integer, 8, v1=REQUIRED, meaning="frames in a batch"),
        *OPTIMISER_KEYS,
        *LOSS_KEYS,
        Key("derivatives", choice("auto", "stored_half", "stored", "on_the_fly"), "auto",
            meaning="dG/dx for force training: stored in memory in half or in single precision, "
                    "or on_the_fly, from positions in every step; auto: stored_half if the memory "
                    "suffices"),
        Key("seed", non_negative_integer, 0, meaning="of first weights and order of frames"),
        Key("committee", positive_integer, 1,
            meaning="networks with the seeds seed, seed + 1, ..., trained side by side in "
                    "train_dir/member_1, member_2, ..."),
        Key("precision", choice("float32", "float64"), "float32", meaning="of the networks"),
        Key("standardise", boolean, True,
            meaning="descriptors with mean 0 and standard deviation 1 per species; folded into "
                    "the first layer at export"),
        Key("average_decay", fraction, 0.99, v1=0.0,
            meaning="decay per step of a running average of the weights, which then is validated "
                    "and exported; 0: off"),
        Key("xla", boolean, False,
            meaning="TensorFlow's graphs are compiled by XLA: some seconds at the start, then a "
                    "fifth faster"),
    ),
    required=True,
    meaning="the optimisation",
)  # fmt: skip

NETWORK_KEYS = (
    Key("nn_type", choice("a2aff", synonyms={"ff": "a2aff", "a2a": "a2aff"}), "a2aff",
        meaning="fully connected layers"),
    Key("g_size", positive_integer, None,
        meaning="components of a descriptor; checked against the data"),
    Key("architecture", colon_list(positive_integer), None,
        meaning="outputs of each layer, 32:16:1"),
    Key("trainable", colon_list(boolean), None, meaning="per layer; default: all are trained"),
    Key("activations", colon_list(activation), None,
        meaning="per layer; default: tanh, with defaults = v1 gaussian, and linear in the last "
                "one"),
    Key("networks_metadata", path, None,
        meaning="folder of an exported network (networks_metadata.json): first values of sizes, "
                "activations, trainable flags, weights and reference energies"),
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
        Key("networks_from", text, None,
            meaning="symbol of the species of networks_metadata whose network this one begins "
                    "with; default: its own"),
        Key("behavior", colon_list(choice("new", "keep", "load")), None,
            meaning="per layer: new, random; keep, from networks_metadata; load, from the files "
                    "below, or without them as keep. Default: keep where the architecture is that "
                    "of networks_metadata"),
        *(
            Key(f"layer{k}_{array}_file", path, None,
                meaning=f"{what} of layer {k}, .npy, for descriptors as they are")
            for k in range(10)
            for array, what in (("w", "(in, out) weights"), ("b", "(out,) biases"))
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
        Key("input_format", input_format, "TFR", meaning="TFRecord files of tfr_packer"),
    ),
    meaning="validation at the end of every epoch",
)


def _check_restart(config: Config) -> Iterable[Problem]:
    section, mode = "IO_INFORMATION", config["IO_INFORMATION"]["restart_mode"]
    keys = ("restart_file", "restart_step", "restart_epoch")
    given = [key for key in keys if config[section][key]]
    if mode == "specific_ckpt" and len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        yield Problem(section, "restart_mode", f"expected one of {', '.join(keys)}; {found}")
    elif mode != "specific_ckpt":
        for key in given:
            yield Problem(section, key, "without effect; set restart_mode = specific_ckpt")
    places = (config["DEFAULT_NETWORK"], *config.species_sections.values())
    if config[section]["restart_file"] and config["TRAINING_PARAMETERS"]["committee"] != 1:
        yield Problem(
            section, "restart_file",
            "is one training, and a committee has several; give restart_step or restart_epoch",
        )  # fmt: skip
    if mode == "metadata" and not any(place["networks_metadata"] for place in places):
        yield Problem(section, "restart_mode", "needs [DEFAULT_NETWORK] networks_metadata")


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
    (IO, PARALLELIZATION, CLUSTER, DATA, TRAINING, DEFAULT_NETWORK, LONG_RANGE, VALIDATION),
    species_section=SPECIES,
    species_key=("DATA_INFORMATION", "atomic_sequence"),
    defaults_key=("TRAINING_PARAMETERS", "defaults"),
    checks=(
        check_length,
        check_learning_rate,
        check_optimiser,
        check_losses,
        _check_subset,
        _check_offsets,
        _check_restart,
        check_cluster,
    ),
    meaning="train networks on packed descriptors",
)
