"""Atoms as LAMMPS wants them, and its data file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from panna.frames.ase_atoms import frame_of_structure
from panna.frames.writers.box import boxed, lower_triangular


@dataclass(frozen=True)
class Box:
    """First vector along x, second in the xy plane.

    cell: (3, 3) angstrom, lower triangular with a positive diagonal.
    positions: (n, 3) angstrom.
    rotation: (3, 3) orthogonal; vectors of the atoms @ rotation are vectors here. It holds a
      reflection if the vectors of the cell are left-handed: no energy knows the difference.
    pbc: (3,) bool.
    """

    cell: np.ndarray
    positions: np.ndarray
    rotation: np.ndarray
    pbc: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, margin: float) -> Box:
        """The box of some atoms.

        Args:
          margin: angstrom of room beyond the atoms, on each side, in directions that are not
            periodic; these become perpendicular to all others.
        """
        cell, positions = boxed(frame_of_structure(atoms), 2 * margin)
        cell, rotation = lower_triangular(cell)
        return cls(cell, positions @ rotation, rotation, atoms.pbc.copy())

    @property
    def volume(self) -> float:
        """angstrom^3."""
        return float(np.prod(np.diag(self.cell)))

    @property
    def boundary(self) -> str:
        """Arguments of the command."""
        return " ".join("p" if periodic else "f" for periodic in self.pbc)

    def vectors_back(self, vectors: np.ndarray) -> np.ndarray:
        """(n, 3) vectors in the axes of the atoms."""
        return vectors @ self.rotation.T

    def tensor_back(self, tensor: np.ndarray) -> np.ndarray:
        """(3, 3) tensor in the axes of the atoms."""
        return self.rotation @ tensor @ self.rotation.T


def data_file(box: Box, symbols: Sequence[str], elements: Sequence[str]) -> str:
    """For read_data with atom_style atomic; atom type t is elements[t - 1]."""
    (lx, ly, lz), (xy, xz, yz) = np.diag(box.cell), box.cell[[1, 2, 2], [0, 0, 1]]
    types = [elements.index(symbol) + 1 for symbol in symbols]
    masses = [atomic_masses[atomic_numbers[symbol]] for symbol in elements]
    lines = [
        "written by panna_validate\n",
        f"{len(types)} atoms",
        f"{len(elements)} atom types",
        *(f"0 {h:.17g} {d}lo {d}hi" for d, h in zip("xyz", (lx, ly, lz), strict=True)),
        f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz",
        "\nMasses\n",
        *(f"{t} {mass:.10g}" for t, mass in enumerate(masses, 1)),
        "\nAtoms # atomic\n",
        *(
            f"{i} {t} {x:.17g} {y:.17g} {z:.17g}"
            for i, (t, (x, y, z)) in enumerate(zip(types, box.positions, strict=True), 1)
        ),
    ]
    return "\n".join(lines) + "\n"
