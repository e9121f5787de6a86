"""The crystal of the ini file."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms
from ase.build import bulk
from ase.io import read

from panna.config.reader import Config

EXPECTED = (
    "expected a file that ASE reads, or structure, elements and lattice constants in angstrom, as "
    "in: diamond Si 5.43"
)


def parse_crystal(config: Config, species: tuple[str, ...]) -> Atoms:
    """The primitive cell, or the cell of the file.

    Raises:
      ConfigError: it cannot be read, is not periodic, or has other species than the potential.
    """
    content = config["CRYSTAL"]["structure"]
    try:
        found = read(content) if Path(content).is_file() else _built(content)
    except Exception as error:  # whatever ASE's readers and builders raise
        raise config.error("CRYSTAL", "structure", f"{EXPECTED} ({error})") from error
    if not found.pbc.all():
        raise config.error("CRYSTAL", "structure", "not periodic in three directions")
    if unknown := sorted(set(found.get_chemical_symbols()) - set(species)):
        raise config.error(
            "CRYSTAL", "structure",
            f"species {', '.join(unknown)} found; the potential has {', '.join(species)}",
        )  # fmt: skip
    return Atoms(found.get_chemical_symbols(), found.positions, cell=found.cell, pbc=True)


def _built(content: str) -> Atoms:
    words = content.split()
    if not 3 <= len(words) <= 4:
        raise ValueError(f"no such file, and {len(words)} words")
    constants = dict(zip("ac", map(float, words[2:]), strict=False))
    return bulk(words[1], words[0], **constants)
