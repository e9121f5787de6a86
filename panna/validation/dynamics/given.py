"""The atoms that the section MD of the ini file names."""

from __future__ import annotations

from collections.abc import Iterator

from ase import Atoms
from ase.io import iread, read

from panna.config.reader import Config
from panna.errors import PannaError
from panna.frames.ase_atoms import frame_of_structure
from panna.validation.species import check_species


def check_given(config: Config, species: tuple[str, ...]) -> None:
    """Reads the structure file and the first frame of the trajectory, where they are given.

    Raises:
      ConfigError: one cannot be read, or has species that the potential does not have.
    """
    if config["MD"]["structure"] is not None:
        read_structure(config, species)
    if config["MD"]["rdf_trajectory"] is not None:
        next(read_trajectory(config, species))


def read_structure(config: Config, species: tuple[str, ...]) -> Atoms:
    """The structure file.

    Raises:
      ConfigError: it cannot be read, or has species that the potential does not have.
    """
    try:
        found = read(config["MD"]["structure"])
        frame_of_structure(found)
    except Exception as error:  # whatever ASE's readers raise
        raise config.error(
            "MD", "structure", f"expected a file with atoms that ASE reads ({error})"
        ) from error
    check_species(config, "MD", "structure", found, species)
    return Atoms(found.get_chemical_symbols(), found.positions, cell=found.cell, pbc=found.pbc)


def read_trajectory(config: Config, species: tuple[str, ...]) -> Iterator[Atoms]:
    """Frames of rdf_trajectory.

    Raises:
      ConfigError: it cannot be read, has no frame, or species that the potential does not have.
    """
    done = 0
    try:
        for atoms in iread(config["MD"]["rdf_trajectory"], index=":"):
            check_species(config, "MD", "rdf_trajectory", atoms, species)
            yield atoms
            done += 1
    except PannaError:
        raise
    except Exception as error:  # whatever ASE's readers raise
        raise config.error(
            "MD", "rdf_trajectory",
            f"frame {done + 1} cannot be read; expected a trajectory that ASE reads ({error})",
        ) from error  # fmt: skip
    if not done:
        raise config.error("MD", "rdf_trajectory", "no frame found")
