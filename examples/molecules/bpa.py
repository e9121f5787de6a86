"""The mixed temperatures of 3BPA as extended XYZ with the temperature as group.

    python bpa.py TRAIN.xyz.xz MIXED.xyz.xz OUTPUT.xyz

The file is in the order of the temperatures. Frames that are in the training set, too, are left
out.
"""

import io
import lzma
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from panna.console import say

# temperature and number of frames, in the order of the file
BLOCKS = ((300, 167), (600, 167), (1200, 166))


def frames(path: Path) -> list[Atoms]:
    # As a whole: ASE goes back and forth in the file, which is slow in a compressed one.
    with lzma.open(path, "rt") as file:
        return read(io.StringIO(file.read()), ":", format="extxyz")


def unknown(mixed: list[Atoms], train: list[Atoms]) -> list[Atoms]:
    """The frames that are not in the training set, labelled by their temperature.

    Raises:
      ValueError: not as many frames as BLOCKS says.
    """
    temperatures = np.repeat(*zip(*BLOCKS, strict=True))
    if len(mixed) != len(temperatures):
        raise ValueError(f"{len(mixed)} frames found, {len(temperatures)} expected")
    known = {atoms.positions.tobytes() for atoms in train}
    found = []
    for atoms, temperature in zip(mixed, temperatures, strict=True):
        if atoms.positions.tobytes() not in known:
            # ASE writes energy and forces of the calculator; the dihedrals are not needed.
            atoms.info = {"group": f"{temperature}K"}
            found.append(atoms)
    return found


def main() -> None:
    train, mixed, output = map(Path, sys.argv[1:])
    everything = frames(mixed)
    found = unknown(everything, frames(train))
    write(output, found, format="extxyz")
    say(f"{len(found)} frames; {len(everything) - len(found)} others are in the training set")
    for temperature, _ in BLOCKS:
        group = f"{temperature}K"
        energies = [a.get_potential_energy() for a in found if a.info["group"] == group]
        say(f"  {group:<6} {len(energies)}, mean energy {np.mean(energies):.3f} eV")


if __name__ == "__main__":
    main()
