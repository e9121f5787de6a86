"""Frames of a cubic box in an .npz file as extended XYZ: those to train on, the others.

python arrays.py FRAMES.npz TRAIN.xyz OTHERS.xyz

Arrays of the file: positions and forces (frame, atom, 3), energy and box (frame), group and split
(frame, texts); angstrom, eV, eV/angstrom. All atoms are silicon; split is "train" or another word.
"""

import sys

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

source, train, others = sys.argv[1:]
frames = np.load(source)
positions, forces = frames["positions"], frames["forces"]
sets: dict[str, list[Atoms]] = {train: [], others: []}
for k, (box, energy, group, split) in enumerate(
    zip(frames["box"], frames["energy"], frames["group"], frames["split"], strict=True)
):
    atoms = Atoms(f"Si{len(positions[k])}", positions[k], cell=[box] * 3, pbc=True)
    atoms.info["group"] = str(group)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces[k])
    sets[train if split == "train" else others].append(atoms)
for path, one in sets.items():
    write(path, one, format="extxyz")
