"""Data files of LAMMPS: atom_style atomic, units metal, one for each frame.

LAMMPS wants a1 along x and a2 in the xy plane, and a tilt of at most half an edge: frames are
turned, and a2 and a3 shortened by whole lattice vectors. A left-handed cell is mirrored. Distances
and energies stay as they are.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from panna.errors import FrameError
from panna.frames.writers.base import FileForEachFrame

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame

STRAIGHT = 1e-12  # of the longest edge; a smaller tilt is rounding, and not allowed where aperiodic


class LammpsDataWriter(FileForEachFrame):
    """<name>.data for read_data."""

    title = "data files of LAMMPS"
    suffix = ".data"
    needs_species = True
    next_step = "in LAMMPS: units metal; boundary as the first line says; read_data {target}/..."

    @classmethod
    def add_arguments(cls, group: argparse._ArgumentGroup) -> None:
        """Numbers of the elements."""
        group.add_argument(
            "--species", nargs="+", metavar="ELEMENT",
            help="elements in the order of LAMMPS's types (default: all that occur, sorted)",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        from panna.frames.elements import KNOWN

        super().__init__(args)
        self.species = tuple(args.species or ())
        self.needs_species = not self.species
        for symbol in self.species:
            if symbol not in KNOWN:
                raise FrameError(f"--species: {symbol!r} is not the symbol of a chemical element")
        if len(set(self.species)) < len(self.species):
            raise FrameError(f"--species {' '.join(self.species)}: an element occurs twice")

    def set_species(self, species: tuple[str, ...]) -> None:
        """Types from 1 in this order."""
        self.species = species

    def plan(self) -> list[tuple[str, str]]:
        """Types and orientation."""
        types = " ".join(f"{k} {symbol}" for k, symbol in enumerate(self.species, start=1))
        return [
            ("units", "metal (angstrom)"),
            ("types", types or "all elements that occur, sorted"),
            ("cells", "turned: a1 along x, a2 in the xy plane; aperiodic ones as --vacuum says"),
        ]

    def text(self, frame: Frame) -> str:
        """Header, Masses, Atoms."""
        from ase.data import atomic_masses, atomic_numbers

        for symbol in frame.species:
            if symbol not in self.species:
                raise FrameError(f"{symbol} is not in --species {' '.join(self.species)}")
        cell, positions = lammps_box(frame, self.args.vacuum)
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
        boundary = " ".join("p" if periodic else "f" for periodic in frame.pbc)
        title = f"{frame.name}, boundary {boundary}, units metal"
        lines = [
            " ".join(title.split()),
            "",
            f"{frame.n_atoms} atoms",
            f"{len(self.species)} atom types",
            "",
            f"0.0 {lx!r} xlo xhi",
            f"0.0 {ly!r} ylo yhi",
            f"0.0 {lz!r} zlo zhi",
        ]
        if xy or xz or yz:
            lines.append(f"{xy!r} {xz!r} {yz!r} xy xz yz")
        lines += ["", "Masses", ""]
        for number, symbol in enumerate(self.species, start=1):
            lines.append(f"{number} {atomic_masses[atomic_numbers[symbol]]:.6f} # {symbol}")
        lines += ["", "Atoms # atomic", ""]
        for atom, (symbol, place) in enumerate(zip(frame.species, positions.tolist(), strict=True)):
            number = self.species.index(symbol) + 1
            lines.append(f"{atom + 1} {number} {' '.join(map(repr, place))}")
        return "\n".join(lines) + "\n"


def lammps_box(frame: Frame, vacuum: float) -> tuple[np.ndarray, np.ndarray]:
    """The box and the positions in LAMMPS's orientation.

    Returns:
      cell (3, 3), lower triangular, each tilt at most half of the edge along the same axis where
      that is periodic; positions (n, 3). Both float64, angstrom.
    """
    import numpy as np

    from panna.frames.writers.box import boxed, lower_triangular

    cell, positions = boxed(frame, vacuum)
    cell, turn = lower_triangular(cell)
    cell[np.abs(cell) < STRAIGHT * cell.max()] = 0.0
    # a3 by a2 first: it changes the tilt of a3 along x, which is mended last.
    for row, by in ((1, 0), (2, 1), (2, 0)):
        if frame.pbc[row] and frame.pbc[by]:
            cell[row] -= np.round(cell[row, by] / cell[by, by]) * cell[by]
    return cell, positions @ turn
