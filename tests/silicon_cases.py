"""A subject of panna_validate: the silicon of examples/lammps beside Stillinger-Weber."""

from __future__ import annotations

from pathlib import Path

from calculator_cases import ini_text

from panna.config.reader import read_config
from panna.config.validate import VALIDATE
from panna.validation.subject import Subject, open_potentials

SILICON = Path(__file__).parents[1] / "examples" / "lammps"
SW = {"pair_style": "sw", "pair_coeff": f"* * {SILICON / 'Si.sw'} Si", "name": "SW"}
CRYSTAL = {"structure": "diamond Si 5.43"}


def write_ini(folder: Path, potential: Path, sections: dict) -> Path:
    """An ini file; sections: those beside IO_INFORMATION."""
    io = {"potential": potential, "test_dir": folder, "report": folder / "report.html"}
    path = folder / "validate.ini"
    path.write_text(ini_text({"IO_INFORMATION": io, **sections}))
    return path


def subject_of(folder: Path, potential: Path | None = None, **sections: dict) -> Subject:
    """Without a test set. potential: member_1 of the silicon committee, if None."""
    potential = potential or SILICON / "potential" / "member_1"
    config = read_config(write_ini(folder, potential, sections), VALIDATE)
    return Subject(config, *open_potentials(config), None)
