"""The ini file of extract_weights: every key of PANNA v1 and v2, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.config.schema import NO_ELECTROSTATICS, Key, Problem, Schema, Section
from panna.config.values import (
    boolean,
    checkpoint_step,
    choice,
    comma_list,
    optional_text,
    path,
    real,
    text,
)

if TYPE_CHECKING:
    from panna.config.reader import Config

FROM_CHECKPOINT = "the checkpoint says it"

IO = Section(
    "IO_INFORMATION",
    required=True,
    meaning="the training and what to make of it",
    keys=(
        Key(
            "train_dir",
            path,
            meaning="folder of the training, with its checkpoints, or of a committee",
            aliases=("network_dir", "networks_dir"),
        ),
        Key("step_number", checkpoint_step, -1, meaning="checkpoint: a step, -1 or last, best"),
        Key(
            "output_type",
            choice(
                "PANNA",
                "LAMMPS",
                "KIM",
                refused={
                    "ASE": "not needed: the ASE calculator of PANNA runs the LAMMPS potential; "
                    "use output_type = LAMMPS and `from panna.potential.calculator import PANNA`"
                },
            ),
            "PANNA",
            meaning="PANNA: arrays to start another training from; LAMMPS: a potential; KIM: a "
            "potential as a portable model of the KIM API, described in section [KIM]",
        ),
        Key("output_dir", path, Path("saved_network"), meaning="folder of the result"),
        Key("output_file", text, "panna.in", meaning="name of the text file of a potential"),
        Key(
            "gvector_input",
            path,
            None,
            meaning="ini file of the descriptor; needed only if the training data did not know it",
        ),
        Key(
            "gvector_version",
            choice("auto", "0", "1", values={"auto": "auto", "0": 0, "1": 1}),
            "auto",
            meaning="grammar of a potential; auto takes 0 if it holds the descriptor exactly",
        ),
        Key(
            "check_dir",
            path,
            None,
            meaning="folder of .example files on which the potential is compared with the network; "
            "random structures if absent",
        ),
        Key("species_list", comma_list(text), None, meaning="species; must be the checkpoint's"),
        Key(
            "species_offsets",
            comma_list(real),
            None,
            unit="eV",
            meaning="reference energies; must be the checkpoint's",
        ),
        Key("train_input", path, None, obsolete=FROM_CHECKPOINT, meaning="ini of the training"),
        Key("long_range_el", boolean, False, refused=NO_ELECTROSTATICS),
    ),
)


KIM = Section(
    "KIM",
    meaning="the model item that output_type = KIM makes of the potential, for OpenKIM",
    keys=(
        Key(
            "item_name",
            text,
            meaning="extended KIM ID, such as MLP_PANNA_Lot_2020_Si__MO_000000000000_000 (zeros "
            "until openkim.org gives a number)",
        ),
        Key(
            "kim_driver",
            choice("panna", "published"),
            "panna",
            meaning="model driver: the one in kim_driver/, or PANNA__MD_805652781592_000 of "
            "openkim.org, which runs simple potentials only",
        ),
        Key("title", optional_text, "", meaning="of kimspec.edn and README.md; made if absent"),
        Key("description", optional_text, "", meaning="what the model is for and how it was made"),
        Key("developers", comma_list(text), (), meaning="names or KIM user IDs"),
        Key("contributor", optional_text, "", meaning="KIM user ID"),
        Key("maintainer", optional_text, "", meaning="KIM user ID; the contributor if absent"),
        Key("content_origin", optional_text, "", meaning="where the model was first published"),
        Key("doi", optional_text, "", meaning="of the model's publication"),
        Key("licence_file", path, None, meaning="text of the licence; MIT if absent"),
    ),
)
ITEM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*__MO_[0-9]{12}_[0-9]{3}")


def _item(config: Config) -> Iterator[Problem]:
    """Section [KIM] and output_type = KIM belong together."""
    is_kim = config["IO_INFORMATION"]["output_type"] == "KIM"
    name = config["KIM"]["item_name"]
    if is_kim and name is None:
        yield Problem("KIM", "item_name", "is missing; output_type = KIM needs this section")
    elif not is_kim and name is not None:
        yield Problem("KIM", "item_name", "belongs to output_type = KIM; remove the section")
    elif is_kim and not ITEM_NAME.fullmatch(name):
        yield Problem(
            "KIM",
            "item_name",
            "expected letters, digits and underscores, starting with a letter and ending in "
            "__MO_ 12 digits _ 3 digits, such as MLP_PANNA_Lot_2020_Si__MO_000000000000_000",
        )
    if (
        is_kim
        and config["KIM"]["kim_driver"] == "published"
        and config["IO_INFORMATION"]["gvector_version"] == 1
    ):
        yield Problem("KIM", "kim_driver", "published reads gvector_version 0 only")


def _output(config: Config) -> Iterator[Problem]:
    """Keys of the potential must not stand where no potential is written."""
    io = config["IO_INFORMATION"]
    if io["output_file"] != Path(io["output_file"]).name or io["output_file"] in (".", ".."):
        yield Problem(
            "IO_INFORMATION",
            "output_file",
            "expected a name without folders; the folder is output_dir",
        )
    if io["output_file"].endswith((".dat", ".npy", ".json")):
        yield Problem(
            "IO_INFORMATION",
            "output_file",
            "has the extension of other files of the potential; expected a name like panna.in",
        )
    if io["output_type"] == "PANNA":
        for key in ("output_file", "gvector_version", "check_dir"):
            if config.given("IO_INFORMATION", key):
                yield Problem(
                    "IO_INFORMATION",
                    key,
                    "belongs to output_type = LAMMPS or KIM; remove it, or give one of these",
                )


EXTRACT = Schema(
    program="panna_extract_weights",
    meaning="from a checkpoint to a potential for molecular dynamics, or to arrays",
    sections=(IO, KIM),
    checks=(_output, _item),
)
