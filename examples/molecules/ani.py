"""Conformations of the ANI files for training and for the test.

    python ani.py ENERGIES FORCES OUTPUT_DIR

ENERGIES and FORCES: folders of .example files of the two HDF5 files. The second holds conformations
of the first, turned in space and many of them several times. Each fifth conformation of a molecule
is for the test, in both. Made of links in OUTPUT_DIR: energies/train, energies/test, forces/train,
forces/test.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from panna.console import say
from panna.frames.example_file import read_example
from panna.frames.example_folder import list_examples
from panna.frames.frame import Frame

FIFTH = 5
# angstrom. The two files agree to 1e-6; conformations of one file differ by more than 1e-3.
SAME = 1e-5


def distances(frame: Frame) -> np.ndarray:
    """Of all pairs of atoms: the same for a molecule that is turned or moved."""
    i, j = np.triu_indices(frame.n_atoms, 1)
    return np.linalg.norm(frame.positions[i] - frame.positions[j], axis=1)


def once(found: np.ndarray) -> np.ndarray:
    """The first of all rows that are the same."""
    again = [max(pair) for pair in cKDTree(found).query_pairs(SAME)]
    return np.setdiff1d(np.arange(len(found)), again)


def divide(energies: list[Frame], forces: list[Frame]) -> list[tuple[list[int], list[int]]]:
    """Numbers of the frames for training and for the test, in both lists.

    A conformation that comes again is left out; one of `forces` that is not in `energies` is for
    training.
    """
    parts: list[tuple[list[int], list[int]]] = [([], []), ([], [])]
    for species in dict.fromkeys(frame.species for frame in energies):
        numbers, rows = [], []
        for frames in (energies, forces):
            mine = [i for i, frame in enumerate(frames) if frame.species == species]
            if not mine:
                continue
            all_rows = np.array([distances(frames[i]) for i in mine])
            first = once(all_rows)
            numbers.append(np.array(mine)[first])
            rows.append(all_rows[first])
        test = [np.arange(len(numbers[0])) % FIFTH == 0]
        if len(rows) > 1:
            far, nearest = cKDTree(rows[0]).query(rows[1])
            test.append((far < SAME) & test[0][nearest])
        for part, mine, for_test in zip(parts, numbers, test, strict=False):
            part[0].extend(mine[~for_test].tolist())
            part[1].extend(mine[for_test].tolist())
    return parts


def main() -> None:
    sources, output = list(map(Path, sys.argv[1:3])), Path(sys.argv[3])
    paths = [list(list_examples(folder)) for folder in sources]
    parts = divide(*([read_example(path) for path in some] for some in paths))
    for name, some, part in zip(("energies", "forces"), paths, parts, strict=True):
        for folder, numbers in zip(("train", "test"), part, strict=True):
            target = output / name / folder
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for number in numbers:
                (target / some[number].name).hardlink_to(some[number])
            say(f"{target}: {len(numbers)} conformations")
        if again := len(some) - sum(map(len, part)):
            say(f"  {again} more come again and are left out")


if __name__ == "__main__":
    main()
