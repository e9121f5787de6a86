"""Derivatives of the descriptors in blocks, one for each atom and neighbour, for training.

A fifth of PANNA's dense or sparse form, and read once from front to end by the products that the
forces need. The block of the atom itself is left out: by translation it is minus the sum of the
others, so forces are differences, F_i = sum s_ij - sum s_ji, as they are for neighbour vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.errors import StorageError
from panna.storage.record import SparseDerivatives

UNBALANCED = 1e-3  # largest part of a derivative that rounding can leave when atoms move together


@dataclass(frozen=True)
class PairDerivatives:
    """Of one frame with N atoms and M pairs.

    first: (N + 1,) int64; index: (M,) int64: as in a NeighbourList.
    blocks: (M, 3, g) float32, dG(centre)/d(vector to the neighbour), 1/angstrom.
    """

    first: np.ndarray
    index: np.ndarray
    blocks: np.ndarray


def from_sparse(derivatives: SparseDerivatives, n_atoms: int, g_size: int) -> PairDerivatives:
    """The blocks of derivatives by the positions of atoms, as PANNA stores them.

    Raises:
      StorageError: elements outside the frame, or descriptors that change when all atoms move
        together.
    """
    derivatives.check(n_atoms, g_size)
    centre, component = np.divmod(derivatives.rows, g_size)
    atom, axis = np.divmod(derivatives.cols, 3)
    pairs, pair = np.unique(centre * n_atoms + atom, return_inverse=True)
    flat = np.bincount(
        (3 * pair + axis) * g_size + component, derivatives.values, len(pairs) * 3 * g_size
    )
    blocks = flat.astype(np.float32).reshape(-1, 3, g_size)
    centres, atoms = np.divmod(pairs, n_atoms)
    total = np.zeros((n_atoms, 3, g_size))
    np.add.at(total, centres, blocks)
    largest = np.abs(blocks).max(initial=0.0)
    if np.abs(total).max(initial=0.0) > UNBALANCED * largest:
        raise StorageError(
            f"stored derivatives: descriptors change by up to {np.abs(total).max():.1e} per "
            f"angstrom when all atoms move together (largest derivative {largest:.1e}); expected "
            "0. The file is damaged or incomplete: compute it again"
        )
    others = centres != atoms
    first = np.zeros(n_atoms + 1, np.int64)
    np.cumsum(np.bincount(centres[others], minlength=n_atoms), out=first[1:])
    return PairDerivatives(first, atoms[others], blocks[others])
