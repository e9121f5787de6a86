"""What a model says about a sample of frames, in NumPy: the compiled step has other work to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.descriptors.evaluate import forces_from_pairs, vjp
from panna.descriptors.parameters import DescriptorParameters
from panna.network.evaluate import energies_and_gradients
from panna.network.forces import neighbours_of
from panna.network.parameters import Model
from panna.storage.batch_source import Batch


@dataclass(frozen=True)
class Prediction:
    """Of B frames with N atoms; energies without the reference energies of the species.

    energies, reference_energies: (B,) eV/atom.
    atomic: (N,) eV.
    species: (N,) positions in the species of the model.
    forces, reference_forces: (N, 3) eV/angstrom; None if they were not asked for, or if the batch
      has no neighbour lists.
    """

    energies: np.ndarray
    reference_energies: np.ndarray
    atomic: np.ndarray
    species: np.ndarray
    forces: np.ndarray | None = None
    reference_forces: np.ndarray | None = None


def predict(
    model: Model,
    batch: Batch,
    descriptor: DescriptorParameters | None = None,
    threads: int = 0,
) -> Prediction:
    """Runs a model.

    Args:
      batch: NumPy arrays, as `BatchSource.load` describes them.
      descriptor: asks for forces.
      threads: of the core, 0 for all.
    """
    species, frame, n_atoms = batch["species"], batch["frame_of_atom"], batch["n_atoms"]
    with_forces = descriptor is not None and "vectors" in batch and "forces" in batch
    total, gradients = energies_and_gradients(model, species, batch["descriptors"], with_forces)
    offsets = model.offsets[species]
    atomic = total - offsets
    reference = batch["energy"] - np.bincount(frame, offsets, len(n_atoms))
    forces = None
    if with_forces:
        neighbours = neighbours_of(batch)
        forces = forces_from_pairs(neighbours, vjp(descriptor, neighbours, gradients, threads))
    return Prediction(
        energies=np.bincount(frame, atomic, len(n_atoms)) / n_atoms,
        reference_energies=reference / n_atoms,
        atomic=atomic,
        species=species,
        forces=forces,
        reference_forces=batch["forces"] if with_forces else None,
    )
