"""ASE calculator: the potential of LAMMPS and KIM in Python scripts.

from panna.potential.calculator import PANNA
atoms.calc = PANNA("potential")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from panna.frames.frame import Frame
from panna.potential.compiled import evaluate_frame, open_potential


class PANNA(Calculator):
    """Energies, forces and stress of a potential directory.

    Any number of periodic directions. The stress (eV/angstrom^3, negative under compression) exists
    where the cell has a volume. The numbers are those of LAMMPS: both run the same core.

    Args:
      directory: folder with panna.in and the weights.
      filename: name of the text file in it.
      threads: of the core; 0 = all.
      precision: "full" or "mixed", see `open_potential`.
    Raises:
      PotentialError: the potential cannot be read.
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
        directory: str | Path,
        filename: str = "panna.in",
        threads: int = 0,
        precision: str = "full",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._source = (Path(directory).absolute(), filename, precision)
        self.potential = open_potential(directory, filename, precision)
        self.threads = threads

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes, which read the potential again."""
        return {name: value for name, value in vars(self).items() if name != "potential"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.potential = open_potential(*self._source)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Computes all properties at once.

        Raises:
          FrameError: a species that the potential does not have, or coinciding atoms.
        """
        super().calculate(atoms, properties, system_changes)
        frame = Frame(
            species=tuple(self.atoms.get_chemical_symbols()),
            positions=self.atoms.positions,
            cell=self.atoms.cell.array,
            pbc=self.atoms.pbc,
        )
        found = evaluate_frame(self.potential, frame, self.threads)
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.atomic_energies,
            "forces": found.forces,
        }
        if frame.volume > 0:
            stress = -(found.virial + found.virial.T) / (2 * frame.volume)
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)
