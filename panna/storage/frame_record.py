"""From a frame to its record: descriptors and, if asked for, their derivatives by positions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from panna.descriptors import evaluate
from panna.descriptors.parameters import DescriptorParameters
from panna.errors import StorageError
from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, neighbour_list
from panna.storage.record import DescriptorRecord, SparseDerivatives

DERIVATIVE_FORMS = ("none", "dense", "sparse")
JACOBIAN_BYTES = 64 * 2**20  # of one piece of the Jacobian held in memory


def describe(
    frame: Frame, parameters: DescriptorParameters, derivatives: str = "none", threads: int = 0
) -> DescriptorRecord:
    """Computes the descriptors of a frame.

    Args:
      frame: positions and cell in angstrom, energy in eV.
      parameters: the descriptor.
      derivatives: "none", "dense" or "sparse".
      threads: of the core; 0 = all.
    Returns:
      The record of the frame, energies and forces as the frame has them.
    Raises:
      FrameError: a species that the descriptor does not know.
      StorageError: the frame has no energy, or no forces although derivatives are asked for.
    """
    _check_labels(frame, derivatives)
    neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
    descriptors = evaluate.compute(parameters, neighbours, threads)
    stored = None
    if derivatives == "dense":
        stored = dense_derivatives(parameters, neighbours, threads)
    elif derivatives == "sparse":
        stored = sparse_derivatives(parameters, neighbours, threads)
    return DescriptorRecord(
        name=frame.name,
        species=np.asarray(neighbours.species, np.int32),
        energy=float(frame.energy),
        descriptors=descriptors.astype(np.float32),
        positions=frame.positions,
        cell=frame.cell,
        pbc=np.asarray(frame.pbc, bool),
        forces=frame.forces,
        virial=frame.virial,
        weight=frame.weight,
        group=frame.group,
        derivatives=stored,
        descriptor=parameters.to_dict(),
        descriptor_hash=parameters.hash,
    )


def dense_derivatives(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> np.ndarray:
    """dG_i/dx_k of all pairs of atoms: (n, g, n, 3) float32, 1/angstrom."""
    n = len(neighbours.species)
    result = np.zeros((n, parameters.size, n, 3), np.float32)
    for centre, atoms, block in atom_derivatives(parameters, neighbours, threads):
        result[centre][:, atoms] = block
    return result


def sparse_derivatives(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> SparseDerivatives:
    """The non-zero elements of dG_i/dx_k, ordered by row, then column."""
    rows, cols, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for centre, atoms, block in atom_derivatives(parameters, neighbours, threads):
        matrix = block.reshape(parameters.size, -1).astype(np.float32)
        row, col = np.nonzero(matrix)
        columns = (3 * atoms[:, None] + np.arange(3)).ravel()
        rows.append(row + centre * parameters.size)
        cols.append(columns[col])
        values.append(matrix[row, col])
    return SparseDerivatives(np.concatenate(rows), np.concatenate(cols), np.concatenate(values))


def atom_derivatives(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Derivatives of each centre's descriptor by the positions of the atoms of the frame.

    dG_i/dx_k adds up d/dvector over all neighbours of i that are images of atom k; each of these
    vectors starts at i, so dG_i/dx_i takes the opposite sign. The blocks of one centre sum to zero.

    Yields:
      centre; atoms (K,) ascending, the centre among them; block (g, K, 3) float64, 1/angstrom.
    """
    for start, stop in _pieces(neighbours.first, parameters.size):
        piece = _centres_only(neighbours, start, stop)
        jacobian = evaluate.jacobian(parameters, piece, threads)
        offset = neighbours.first[start]
        for centre in range(start, stop):
            mine = slice(neighbours.first[centre] - offset, neighbours.first[centre + 1] - offset)
            moving = np.append(piece.index[mine], centre)
            atoms, slot = np.unique(moving, return_inverse=True)
            block = np.zeros((len(atoms), parameters.size, 3))
            np.add.at(block, slot[:-1], jacobian[mine])
            block[slot[-1]] -= jacobian[mine].sum(axis=0)
            yield centre, atoms, block.transpose(1, 0, 2)


def _check_labels(frame: Frame, derivatives: str) -> None:
    if derivatives not in DERIVATIVE_FORMS:
        raise StorageError(
            f"derivatives = {derivatives} found, one of {', '.join(DERIVATIVE_FORMS)} expected"
        )
    if frame.energy is None:
        raise StorageError(f"frame {frame.name}: no energy; training data need one")
    if derivatives != "none" and frame.forces is None:
        raise StorageError(
            f"frame {frame.name}: no forces, but include_derivatives = True asks for derivatives; "
            "add the forces or set include_derivatives = False"
        )


def _pieces(first: np.ndarray, g_size: int) -> Iterator[tuple[int, int]]:
    """Ranges of centres whose Jacobians stay below JACOBIAN_BYTES, one centre at least."""
    most = max(1, JACOBIAN_BYTES // (24 * g_size))
    start, n = 0, len(first) - 1
    while start < n:
        stop = int(np.searchsorted(first, first[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def _centres_only(neighbours: NeighbourList, start: int, stop: int) -> NeighbourList:
    """The same atoms, but only the centres start..stop-1 keep their neighbours."""
    first = np.asarray(neighbours.first)
    mine = slice(first[start], first[stop])
    return NeighbourList(
        species=neighbours.species,
        first=np.clip(first, first[start], first[stop]) - first[start],
        index=neighbours.index[mine],
        vectors=neighbours.vectors[mine],
    )
