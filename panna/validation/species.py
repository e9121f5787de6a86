"""Whether the potential has the species of atoms that the ini file names."""

from __future__ import annotations

from ase import Atoms

from panna.config.reader import Config


def check_species(
    config: Config, section: str, key: str, atoms: Atoms, species: tuple[str, ...]
) -> None:
    """Raises ConfigError if atoms have others than `species`, those of the potential."""
    if unknown := sorted(set(atoms.get_chemical_symbols()) - set(species)):
        raise config.error(
            section, key,
            f"species {', '.join(unknown)} found; the potential has {', '.join(species)}",
        )  # fmt: skip
