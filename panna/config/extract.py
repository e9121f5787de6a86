"""The ini file of extract_weights: every key of PANNA v1 and v2, and ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.config.schema import NO_ELECTROSTATICS, Key, Problem, Schema, Section
from panna.config.values import boolean, checkpoint_step, choice, comma_list, path, real, text

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
                refused={
                    "ASE": "not needed: the ASE calculator of PANNA runs the LAMMPS potential; "
                    "use output_type = LAMMPS and `from panna.potential.calculator import PANNA`"
                },
            ),
            "PANNA",
            meaning="PANNA: arrays to start another training from; LAMMPS: a potential",
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
                    "belongs to output_type = LAMMPS; remove it, or give output_type = LAMMPS",
                )


EXTRACT = Schema(
    program="panna_extract_weights",
    meaning="from a checkpoint to a potential for molecular dynamics, or to arrays",
    sections=(IO,),
    checks=(_output,),
)
