"""ASE calculator: the potential of LAMMPS and KIM in Python scripts.

from panna.potential.calculator import PANNA
atoms.calc = PANNA("potential")

or the mean of several potentials, with the standard deviation as a measure of its error:

atoms.calc = PANNA(["first", "second", "third"])
atoms.get_forces()
atoms.calc.results["forces_std"]
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from panna.errors import PotentialError
from panna.frames.ase_atoms import frame_of_structure
from panna.members import list_members
from panna.potential.compiled import Evaluation, evaluate_frame, open_potential

Folder = str | os.PathLike[str]
WITH_SPREAD = ("energy", "energies", "forces", "stress")
OUTSIDE = "components_outside"


class PANNA(Calculator):
    """Energies, forces and stress of a potential directory, or their means over a committee.

    Any number of periodic directions. The stress (eV/angstrom^3, negative under compression) exists
    where the cell has a volume. The numbers are those of LAMMPS: both run the same core.

    A committee has further properties: energy_std, energies_std, forces_std and stress_std are the
    standard deviations over the M >= 2 members, with the divisor M - 1, of every component. They
    are in `results` after each calculation, and `get_property` knows them.

    results["components_outside"], (n,) int: how many components of each atom's descriptor lie
    outside the range of the training set, where the potential knows it; the largest number of a
    committee.

    Args:
      directory: folder with panna.in and the weights; several of them, or a folder with member_1,
        member_2, ... in it, are a committee.
      filename: name of the text file in it.
      threads: of the core; 0 = all.
      precision: "full" or "mixed", see `open_potential`.
    Raises:
      PotentialError: a potential cannot be read.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]

    def __init__(
        self,
        directory: Folder | Sequence[Folder],
        filename: str = "panna.in",
        threads: int = 0,
        precision: str = "full",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        folders = _folders(directory)
        self._sources = [(folder.absolute(), filename, precision) for folder in folders]
        self.potentials = [open_potential(folder, filename, precision) for folder in folders]
        self.threads = threads
        if len(folders) > 1:
            names = [f"{name}_std" for name in WITH_SPREAD]
            self.implemented_properties = [*type(self).implemented_properties, *names]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes, which read the potentials again."""
        return {name: value for name, value in vars(self).items() if name != "potentials"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.potentials = [open_potential(*source) for source in self._sources]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Computes all properties at once.

        Raises:
          FrameError: a species that the potential does not have, or coinciding atoms.
        """
        super().calculate(atoms, properties, system_changes)
        frame = frame_of_structure(self.atoms)
        found = [
            _properties(evaluate_frame(potential, frame, self.threads), frame.volume)
            for potential in self.potentials
        ]
        self.results = found[0] if len(found) == 1 else _mean_and_spread(found)


def _folders(directory: Folder | Sequence[Folder]) -> list[Path]:
    if not isinstance(directory, (str, os.PathLike)):
        folders = [Path(one) for one in directory]
        if not folders:
            raise PotentialError("PANNA([]): no folder found, at least one expected")
        return folders
    return list_members(directory) or [Path(directory)]


def _properties(found: Evaluation, volume: float) -> dict[str, Any]:
    results: dict[str, Any] = {
        "energy": found.energy,
        "free_energy": found.energy,
        "energies": found.atomic_energies,
        "forces": found.forces,
    }
    if found.outside is not None:
        results[OUTSIDE] = found.outside
    if volume > 0:
        stress = -(found.virial + found.virial.T) / (2 * volume)
        results["stress"] = full_3x3_to_voigt_6_stress(stress)
    return results


def _mean_and_spread(members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of all properties, and the standard deviations of those that have one."""
    results: dict[str, Any] = {}
    # Members may differ in whether they know the range of their training set.
    for name in dict.fromkeys(name for member in members for name in member):
        values = np.stack([member[name] for member in members if name in member])
        results[name] = values.max(axis=0) if name == OUTSIDE else values.mean(axis=0)
        if name in WITH_SPREAD:
            results[f"{name}_std"] = values.std(axis=0, ddof=1)
    return {name: v.item() if v.ndim == 0 else v for name, v in results.items()}
