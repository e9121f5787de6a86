"""Energies and forces of structures from networks, without TensorFlow.

Where positions are known, descriptors and forces come from the compiled core in double precision,
as in molecular dynamics. Otherwise the stored descriptors are used, and forces are
F = -dE/dG dG/dx with the stored derivatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from panna.descriptors.evaluate import compute, forces_from_pairs, vjp
from panna.descriptors.parameters import DescriptorParameters, from_dict
from panna.errors import StorageError, TrainingError
from panna.evaluation.networks import NamedNetwork
from panna.evaluation.structures import Structure
from panna.frames.neighbours import NeighbourList, concatenate, neighbour_list
from panna.network.evaluate import energies_and_gradients, stored_forces
from panna.potential.descriptor_source import first_difference

BATCH_ATOMS = 2000  # atoms evaluated at once; enough for all threads, little memory


@dataclass(frozen=True)
class Prediction:
    """What one network says about one structure.

    energy: eV, reference energies included.
    offset: eV, the sum of the reference energies in it.
    forces: (n, 3) eV/angstrom, None if not asked for.
    outside: atoms with components of the descriptor outside the range of the training set; None if
      the network does not know it.
    """

    energy: float
    offset: float
    forces: np.ndarray | None = None
    outside: int | None = None


def predict(
    networks: Sequence[NamedNetwork],
    structures: Iterable[Structure],
    forces: bool = False,
    threads: int = 0,
) -> Iterator[tuple[Structure, list[Prediction]]]:
    """Runs all networks on one structure after the other; the descriptors are computed once.

    Args:
      networks: all with the same species and descriptor.
      forces: also compute forces.
      threads: of the core, 0 for all.
    Yields:
      Each structure with one prediction per network.
    Raises:
      StorageError: the stored data do not fit the networks or do not allow what is asked for.
      TrainingError: a network gives energies or forces that are not finite.
    """
    model = networks[0].model
    known = from_dict(model.descriptor) if model.descriptor else None
    for batch in _batches(_checked(structures, networks[0], known, forces)):
        parameters = _parameters(batch[0], known)
        if batch[0].frame is not None and parameters is not None:
            source: _Source = _FromPositions(batch, parameters, threads)
        else:
            source = _FromStorage(batch)
        results = [_run(network, batch, source, forces) for network in networks]
        yield from zip(batch, map(list, zip(*results, strict=True)), strict=True)


class _FromPositions:
    """Descriptors of a batch from the positions of its atoms."""

    def __init__(
        self, batch: list[Structure], parameters: DescriptorParameters, threads: int
    ) -> None:
        self.parameters, self.threads = parameters, threads
        self.neighbours: NeighbourList = concatenate(
            neighbour_list(s.frame, parameters.species, parameters.cutoff) for s in batch
        )
        self.descriptors = compute(parameters, self.neighbours, threads)

    def forces(self, gradients: np.ndarray) -> np.ndarray:
        pairs = vjp(self.parameters, self.neighbours, gradients, self.threads)
        return forces_from_pairs(self.neighbours, pairs)


class _FromStorage:
    """Descriptors of a batch as they were stored."""

    def __init__(self, batch: list[Structure]) -> None:
        self.batch = batch
        self.descriptors = np.concatenate([s.record.descriptors for s in batch])

    def forces(self, gradients: np.ndarray) -> np.ndarray:
        parts, start = [], 0
        for structure in self.batch:
            stop = start + structure.n_atoms
            parts.append(stored_forces(structure.record, gradients[start:stop]))
            start = stop
        return np.concatenate(parts)


_Source = _FromPositions | _FromStorage


def _run(
    network: NamedNetwork, batch: list[Structure], source: _Source, forces: bool
) -> list[Prediction]:
    species = np.concatenate([s.species for s in batch])
    energies, gradients = energies_and_gradients(network.model, species, source.descriptors, forces)
    all_forces = source.forces(gradients) if forces else None
    offsets = network.model.offsets[species]
    ranges = network.model.ranges
    outside = None if ranges is None else ranges.outside(species, source.descriptors) > 0
    predictions, start = [], 0
    for structure in batch:
        mine = slice(start, start + structure.n_atoms)
        start = mine.stop
        prediction = Prediction(
            float(energies[mine].sum()),
            float(offsets[mine].sum()),
            None if all_forces is None else all_forces[mine],
            None if outside is None else int(outside[mine].sum()),
        )
        if not np.isfinite(prediction.energy) or (
            prediction.forces is not None and not np.isfinite(prediction.forces).all()
        ):
            raise TrainingError(
                f"{network.source}: gives numbers that are not finite for {structure.where}; "
                "evaluate another checkpoint"
            )
        predictions.append(prediction)
    return predictions


def _batches(structures: Iterable[Structure]) -> Iterator[list[Structure]]:
    """Structures of the same kind together, about BATCH_ATOMS atoms."""
    batch: list[Structure] = []
    atoms = 0
    for structure in structures:
        if batch and (_kind(structure) != _kind(batch[0]) or atoms >= BATCH_ATOMS):
            yield batch
            batch, atoms = [], 0
        batch.append(structure)
        atoms += structure.n_atoms
    if batch:
        yield batch


def _kind(structure: Structure) -> tuple[bool, bool]:
    return structure.frame is None, structure.descriptor is None


def _checked(
    structures: Iterable[Structure],
    network: NamedNetwork,
    known: DescriptorParameters | None,
    forces: bool,
) -> Iterator[Structure]:
    first: dict | None = None
    for structure in structures:
        _check_stored(structure, network, known)
        first = first or structure.descriptor
        if structure.descriptor is not None and structure.descriptor != first:
            raise StorageError(
                f"{structure.where}: made with another descriptor than the structures before it; "
                "a data_dir must hold data of one descriptor"
            )
        _check_possible(structure, network, known, forces)
        yield structure


def _check_stored(
    structure: Structure, network: NamedNetwork, known: DescriptorParameters | None
) -> None:
    """The descriptors in the data must be those of the network."""
    if structure.record is None:
        return
    size = structure.record.g_size
    if size != network.model.g_size:
        raise StorageError(
            f"{structure.where}: descriptors of {size} components found, {network.source} takes "
            f"{network.model.g_size}; make the data with the descriptor of the network"
        )
    if known is None or structure.descriptor is None:
        return
    difference = first_difference(from_dict(structure.descriptor), known)
    if difference:
        raise StorageError(
            f"{structure.where}: made with another descriptor than that of the network "
            f"{network.source}: {difference}; make the data with the descriptor of the network, or "
            "evaluate with example_format = examples"
        )


def _check_possible(
    structure: Structure,
    network: NamedNetwork,
    known: DescriptorParameters | None,
    forces: bool,
) -> None:
    """What is asked for must follow from the data."""
    if structure.frame is not None and _parameters(structure, known) is not None:
        return
    if structure.record is None:
        raise StorageError(
            f"{network.source}: does not know its descriptor, so nothing can be computed for "
            f"{structure.where}; give the ini file of the descriptor as gvector_input, or use "
            "data with stored descriptors (example_format = TFR or single_files)"
        )
    if forces and structure.record.derivatives is None:
        reason = (
            "the parameters of the descriptor are not known; give its ini file as gvector_input"
            if structure.frame is not None
            else "neither positions nor derivatives of the descriptors are stored; make the data "
            "again with include_derivatives = True, or evaluate with example_format = examples"
        )
        raise StorageError(
            f"{structure.where}: forces cannot be computed: {reason}. Or set compute_forces = False"
        )


def _parameters(
    structure: Structure, known: DescriptorParameters | None
) -> DescriptorParameters | None:
    if known is not None or structure.descriptor is None:
        return known
    return from_dict(structure.descriptor)
