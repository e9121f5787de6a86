"""Small data sets and ini files for the tests of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from descriptor_cases import mbp, random_frame

from panna.descriptors.parameters import MBP
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.storage.frame_record import describe
from panna.storage.record import DescriptorRecord

TWO_SPECIES = mbp(species=("Si", "O"))
ONE_SPECIES = mbp(species=("Si",))
CELLS = ("molecule", "triclinic crystal", "cell smaller than the cutoff")
OFFSETS = {"Si": -107.5, "O": -432.25}


def labelled_frame(parameters: MBP, number: int) -> Frame:
    """A random frame with the energy and forces of a soft pair repulsion."""
    frame = random_frame(CELLS[number % 3], parameters.species, seed=number, shortest=1.5)
    pairs = neighbour_list(frame, parameters.species, parameters.cutoff)
    distance = np.linalg.norm(pairs.vectors, axis=1)
    fade = (1 - distance / parameters.cutoff) ** 3
    energy = 0.5 * fade.sum() + sum(OFFSETS.get(symbol, 0.0) for symbol in frame.species)
    slope = -3 / parameters.cutoff * (1 - distance / parameters.cutoff) ** 2
    pull = 0.5 * (slope / distance)[:, None] * pairs.vectors  # of each directed pair
    centre = np.repeat(np.arange(frame.n_atoms), np.diff(pairs.first))
    forces = np.zeros((frame.n_atoms, 3))
    np.add.at(forces, centre, pull)
    np.subtract.at(forces, pairs.index, pull)
    return replace(frame, name=f"frame{number}", energy=float(energy), forces=forces)


def records(
    parameters: MBP, count: int, first: int = 0, derivatives: str = "none"
) -> list[DescriptorRecord]:
    """Described frames of 3 and 14 atoms."""
    frames = [labelled_frame(parameters, first + i) for i in range(count)]
    return [describe(frame, parameters, derivatives, threads=1) for frame in frames]


def write_data(folder: Path, some: list[DescriptorRecord], sparse: bool = False) -> Path:
    """A folder with one TFRecord file."""
    from panna.storage.tfrecord import write_tfrecord

    folder.mkdir(parents=True)
    write_tfrecord(folder / "1-1.tfrecord", some, sparse=sparse)
    return folder


def write_ini(path: Path, data: Path, validation: Path | None = None, **changes: str) -> Path:
    """An ini file of panna_train.

    Args:
      path: of the ini file; train_dir is the folder "run" beside it.
      changes: SECTION__key = value, where the value None removes the key; Si__architecture = "4:1".
    """
    sections: dict[str, dict[str, object]] = {
        "IO_INFORMATION": {"data_dir": data, "train_dir": path.parent / "run"},
        "DATA_INFORMATION": {},
        "PARALLELIZATION": {},
        "TRAINING_PARAMETERS": {
            "defaults": "v1",
            "batch_size": 4,
            "learning_rate": 0.01,
            "max_epochs": 3,
            "loss_function": "quad_atom",
            "floss_function": "quad_percomp",
            "forces_cost": 1.0,
        },
        "DEFAULT_NETWORK": {"architecture": "6:4:1"},
    }
    if validation is not None:
        sections["VALIDATION_OPTIONS"] = {"data_dir": validation}
    for name, value in changes.items():
        section, key = name.split("__")
        sections.setdefault(section, {})[key] = value
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
