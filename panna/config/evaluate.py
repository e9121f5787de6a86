"""The ini file of evaluate: every key of PANNA v1 and v2, and ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.config.schema import Key, Problem, Schema, Section
from panna.config.values import (
    boolean,
    checkpoint_step,
    choice,
    colon_list,
    comma_list,
    different,
    either,
    non_negative_integer,
    path,
    positive_integer,
    real,
    text,
)

if TYPE_CHECKING:
    from panna.config.reader import Config

FROM_NETWORK = "the network files say it"

IO = Section(
    "IO_INFORMATION",
    required=True,
    meaning="networks, data and results",
    keys=(
        Key("data_dir", path, meaning="folder with the structures to evaluate on"),
        Key(
            "example_format",
            choice("TFR", "single_files", "examples", synonyms={"example": "examples"}),
            "TFR",
            meaning="*.tfrecord files, *.bin files, or *.example files",
        ),
        Key("eval_dir", path, meaning="folder for the results, made if missing"),
        Key(
            "networks_format",
            choice("checkpoint", "PANNA", "LAMMPS", synonyms={"tf_checkpoint": "checkpoint"}),
            "checkpoint",
            meaning="checkpoints of train_dir, or an exported network in networks_folder",
        ),
        Key(
            "train_dir",
            path,
            None,
            meaning="folder of the training, with its checkpoints, or of a committee",
            aliases=("networks_dir",),
        ),
        Key(
            "networks_folder",
            path,
            Path("saved_networks"),
            meaning="folder of an exported network or committee (networks_format PANNA or LAMMPS)",
        ),
        Key(
            "potential_file",
            text,
            "panna.in",
            meaning="name of the text file in networks_folder (networks_format LAMMPS)",
        ),
        Key(
            "gvector_input",
            path,
            None,
            meaning="ini file of the descriptor, for networks that do not know theirs",
            aliases=("gvect_ini",),
        ),
        Key("train_ini", path, None, obsolete=FROM_NETWORK, meaning="ini file of the training"),
    ),
)

VALIDATION = Section(
    "VALIDATION_OPTIONS",
    meaning="what to evaluate",
    keys=(
        Key("compute_forces", boolean, False, meaning="also the forces"),
        Key(
            "batch_size",
            either("-1", -1, positive_integer),
            -1,
            meaning="number of structures, chosen at random; -1 takes all",
        ),
        Key("seed", non_negative_integer, 0, meaning="of the random choice"),
        Key("single_step", boolean, False, meaning="only one checkpoint, the last unless given"),
        Key(
            "step_number",
            different(comma_list(checkpoint_step)),
            None,
            meaning="checkpoints to evaluate: steps, -1 or last, best",
        ),
        Key("subsampling", positive_integer, 1, meaning="take every n-th checkpoint"),
        Key(
            "add_offset",
            boolean,
            True,
            meaning="False: without the reference energies, in e_ref and in e_nn",
        ),
        Key("plots", boolean, True, meaning="draw parity plots"),
    ),
)

PARALLELIZATION = Section(
    "PARALLELIZATION",
    keys=(
        Key(
            "number_of_process",
            positive_integer,
            None,
            meaning="threads of the descriptors; all cores if absent",
        ),
    ),
)

TFR_STRUCTURE = Section(
    "TFR_STRUCTURE",
    meaning="what the data must agree with",
    keys=(
        Key("g_size", positive_integer, None, meaning="number of components of the descriptor"),
        Key("sparse_derivatives", boolean, False, obsolete="the data files say it"),
    ),
)

DATA = Section(
    "DATA_INFORMATION",
    meaning="what the network must agree with",
    keys=(
        Key("g_size", positive_integer, None, meaning="number of components of the descriptor"),
        Key("atomic_sequence", comma_list(text), None, meaning="species in the order of indices"),
        Key(
            "output_offset",
            comma_list(real),
            None,
            unit="eV",
            meaning="reference energies, one per species",
        ),
    ),
)

_ACTIVATIONS = (Key("activations", colon_list(text), None, obsolete=FROM_NETWORK),)


def _networks(config: Config) -> Iterator[Problem]:
    """The key that says where the networks are must fit their format."""
    io = config["IO_INFORMATION"]
    if io["networks_format"] == "checkpoint":
        if io["train_dir"] is None:
            yield Problem(
                "IO_INFORMATION",
                "train_dir",
                "missing; expected the folder of the training. For an exported network give "
                "networks_format = PANNA or LAMMPS and networks_folder",
            )
        if config.given("IO_INFORMATION", "networks_folder"):
            yield Problem(
                "IO_INFORMATION",
                "networks_folder",
                "has no effect with networks_format = checkpoint; remove it, or give "
                "networks_format = PANNA or LAMMPS",
            )
        return
    # PANNA v1 accepted single_step too, and its files have it.
    for key in ("step_number", "subsampling"):
        if config.given("VALIDATION_OPTIONS", key):
            yield Problem(
                "VALIDATION_OPTIONS",
                key,
                f"chooses among checkpoints, but networks_format = {io['networks_format']} is one "
                "network; remove it",
            )
    if config.given("IO_INFORMATION", "potential_file") and io["networks_format"] != "LAMMPS":
        yield Problem(
            "IO_INFORMATION",
            "potential_file",
            f"has no effect with networks_format = {io['networks_format']}; remove it",
        )


def _steps(config: Config) -> Iterator[Problem]:
    """The keys that choose checkpoints must not contradict each other."""
    options = config["VALIDATION_OPTIONS"]
    steps = options["step_number"]
    if steps is not None and len(steps) > 1 and options["single_step"]:
        yield Problem(
            "VALIDATION_OPTIONS",
            "step_number",
            f"{len(steps)} checkpoints, but single_step = True; remove one of the two",
        )
    if options["subsampling"] > 1 and (steps is not None or options["single_step"]):
        yield Problem(
            "VALIDATION_OPTIONS",
            "subsampling",
            "has no effect where step_number or single_step chooses the checkpoint; remove it",
        )


EVALUATE = Schema(
    program="panna_evaluate",
    meaning="errors of networks on structures with known energies and forces",
    sections=(
        IO,
        VALIDATION,
        PARALLELIZATION,
        TFR_STRUCTURE,
        DATA,
        Section("DEFAULT_NETWORK", _ACTIVATIONS),
    ),
    species_section=Section("species", _ACTIVATIONS),
    species_key=("DATA_INFORMATION", "atomic_sequence"),
    checks=(_networks, _steps),
)
