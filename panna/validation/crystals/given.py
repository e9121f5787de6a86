"""The crystal of the ini file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from panna.config.reader import Config
from panna.errors import FrameError
from panna.frames.ase_atoms import frame_of_structure
from panna.frames.neighbours import neighbour_list
from panna.validation.species import check_species

CLOSEST = 0.1  # angstrom between atoms; closer ones are one atom given twice
EXPECTED = (
    "expected a file that ASE reads, or structure, elements and lattice constants in angstrom, as "
    "in: diamond Si 5.43"
)


def parse_crystal(config: Config, species: tuple[str, ...]) -> Atoms:
    """The primitive cell, or the cell of the file.

    Raises:
      ConfigError: it cannot be read, is not periodic, has other species than the potential, or
        atoms that coincide.
    """
    content = config["CRYSTAL"]["structure"]
    try:
        found = read(content) if Path(content).is_file() else _built(content)
    except Exception as error:  # whatever ASE's readers and builders raise
        raise config.error("CRYSTAL", "structure", f"{EXPECTED} ({error})") from error
    if not found.pbc.all():
        raise config.error("CRYSTAL", "structure", "not periodic in three directions")
    check_species(config, "CRYSTAL", "structure", found, species)
    _check_distances(config, found, species)
    return Atoms(found.get_chemical_symbols(), found.positions, cell=found.cell, pbc=True)


def _check_distances(config: Config, found: Atoms, species: tuple[str, ...]) -> None:
    try:
        near = neighbour_list(frame_of_structure(found), species, CLOSEST)
    except FrameError as error:
        raise config.error("CRYSTAL", "structure", str(error)) from error
    if near.n_pairs:
        first, second = near.centre[0] + 1, near.index[0] + 1
        distance = np.linalg.norm(near.vectors[0])
        raise config.error(
            "CRYSTAL", "structure",
            f"atoms {first} and {second} are {distance:.3g} angstrom apart, {CLOSEST:g} expected "
            "at least; check positions and cell",
        )  # fmt: skip


def _built(content: str) -> Atoms:
    words = content.split()
    if not 3 <= len(words) <= 4:
        raise ValueError(f"no such file, and {len(words)} words")
    constants = dict(zip("ac", map(float, words[2:]), strict=False))
    return bulk(words[1], words[0], **constants)
