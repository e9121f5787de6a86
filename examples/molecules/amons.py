"""Molecules of the amons set as extended XYZ, one file for each number of heavy atoms.

    python amons.py OUTPUT_DIR HEAVY FILE.csv.xz...

HEAVY: the numbers of atoms other than H, as in 1-5. Energies in kcal/mol become eV.
"""

import ast
import csv
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from panna.console import say
from panna.frames.units import FOREIGN_ENERGY

KCAL_PER_MOL = FOREIGN_ENERGY["kcal/mol"]  # eV


def molecules(path: Path) -> Iterator[Atoms]:
    """All molecules of a file, total energies in eV, forces in eV/angstrom."""
    with lzma.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            symbols, positions, forces = (
                ast.literal_eval(row[key]) for key in ("atomtypes", "coordinates", "forces")
            )
            atoms = Atoms(symbols, positions)
            atoms.calc = SinglePointCalculator(
                atoms,
                energy=KCAL_PER_MOL * float(row["total_energy"]),
                forces=KCAL_PER_MOL * np.array(forces),
            )
            atoms.info["smiles"] = row["smiles"]
            atoms.info["group"] = f"heavy_{heavy(atoms)}"
            yield atoms


def heavy(atoms: Atoms) -> int:
    """Number of atoms other than H."""
    return int(np.count_nonzero(atoms.numbers != 1))


def main() -> None:
    folder, wanted = Path(sys.argv[1]), sys.argv[2]
    least, _, most = wanted.partition("-")
    folder.mkdir(parents=True, exist_ok=True)
    found = [atoms for path in sys.argv[3:] for atoms in molecules(Path(path))]
    for size in range(int(least), int(most or least) + 1):
        mine = [atoms for atoms in found if heavy(atoms) == size]
        path = folder / f"heavy_{size}.xyz"
        write(path, mine, format="extxyz")
        known = len({atoms.info["smiles"] for atoms in mine})
        say(f"{path}: {known} molecules of {size} heavy atoms, {len(mine)} frames")


if __name__ == "__main__":
    main()
