"""The descriptors of one frame, with everything that a trainer needs to know about the frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from panna.errors import StorageError

FLOAT32_EXACT = 2**24  # integers beyond are not all representable in float32


@dataclass(frozen=True)
class SparseDerivatives:
    """Non-zero elements of dG/dx of one frame with n atoms and g components.

    rows: (K,) int64, i * g + component, i the centre.
    cols: (K,) int64, 3 * k + xyz, k the atom that moves.
    values: (K,) float32, dG_i[component] / dx_k in 1/angstrom.
    """

    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray

    @classmethod
    def from_dense(cls, dense: np.ndarray) -> SparseDerivatives:
        """The non-zero elements of dense (n, g, n, 3), ordered by row, then column."""
        n, g = dense.shape[:2]
        matrix = dense.reshape(n * g, 3 * n)
        rows, cols = np.nonzero(matrix)
        return cls(rows, cols, np.asarray(matrix[rows, cols], np.float32))

    def dense(self, n_atoms: int, g_size: int) -> np.ndarray:
        """(n, g, n, 3) float32; repeated elements are added.

        Raises:
          StorageError: an element lies outside the matrix.
        """
        self.check(n_atoms, g_size)
        matrix = np.zeros((n_atoms * g_size, 3 * n_atoms), np.float32)
        np.add.at(matrix, (self.rows, self.cols), self.values)
        return matrix.reshape(n_atoms, g_size, n_atoms, 3)

    def check(self, n_atoms: int, g_size: int) -> None:
        """Raises StorageError if an element lies outside the matrix of this frame."""
        for name, index, end in (
            ("row", self.rows, n_atoms * g_size),
            ("column", self.cols, 3 * n_atoms),
        ):
            if len(index) and (index.min() < 0 or index.max() >= end):
                raise StorageError(
                    f"sparse derivatives: a {name} index lies outside 0..{end - 1} "
                    f"({n_atoms} atoms, {g_size} components); the data are corrupted"
                )


@dataclass(frozen=True)
class DescriptorRecord:
    """One frame with its descriptors, as stored in a .bin file or in a TFRecord.

    name: key of the frame (unique in a data set; empty in data of the earliest PANNA).
    species: (n,) int32, position in the descriptor's list of species.
    energy: total energy in eV, reference energies not removed.
    descriptors: (n, g) float32.
    positions (n, 3), cell (3, 3) float64 in angstrom and pbc (3,) bool: all three or none.
    forces: (n, 3) float64, eV/angstrom.
    virial: (3, 3) float64, eV, -dE/dstrain.
    derivatives: dense (n, g, n, 3) float32 or SparseDerivatives, dG_i/dx_k in 1/angstrom.
    per_atom_quantity: (n,) float32, the per-atom energies in eV if asked for.
    descriptor: parameters of the descriptor as a plain dictionary, None if the file does not say.
    descriptor_hash: hash of these parameters.
    provenance: source file, its hash and the options of the calculation.
    """

    name: str
    species: np.ndarray
    energy: float
    descriptors: np.ndarray
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    pbc: np.ndarray | None = None
    forces: np.ndarray | None = None
    virial: np.ndarray | None = None
    weight: float = 1.0
    group: str = ""
    derivatives: np.ndarray | SparseDerivatives | None = None
    per_atom_quantity: np.ndarray | None = None
    descriptor: dict[str, Any] | None = None
    descriptor_hash: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, g = len(self.species), self.g_size
        for name, array, shape in (
            ("descriptors", self.descriptors, (n, g)),
            ("positions", self.positions, (n, 3)),
            ("cell", self.cell, (3, 3)),
            ("pbc", self.pbc, (3,)),
            ("forces", self.forces, (n, 3)),
            ("virial", self.virial, (3, 3)),
            ("per_atom_quantity", self.per_atom_quantity, (n,)),
            ("derivatives", self.derivatives, (n, g, n, 3)),
        ):
            if array is None or isinstance(array, SparseDerivatives):
                continue
            if np.shape(array) != shape:
                raise StorageError(
                    f"frame {self.name}: {name} has shape {np.shape(array)}; {shape} expected "
                    f"for {n} atoms and {g} components"
                )
        if len({self.positions is None, self.cell is None, self.pbc is None}) != 1:
            raise StorageError(
                f"frame {self.name}: positions, cell and pbc come together or not at all"
            )

    @property
    def n_atoms(self) -> int:
        return len(self.species)

    @property
    def g_size(self) -> int:
        return self.descriptors.shape[1] if self.descriptors.ndim == 2 else 0

    def sparse_derivatives(self) -> SparseDerivatives | None:
        """The derivatives in sparse form, whatever form they are held in."""
        if isinstance(self.derivatives, np.ndarray):
            return SparseDerivatives.from_dense(self.derivatives)
        return self.derivatives

    def dense_derivatives(self) -> np.ndarray | None:
        """The derivatives as (n, g, n, 3) float32, whatever form they are held in."""
        if isinstance(self.derivatives, SparseDerivatives):
            return self.derivatives.dense(self.n_atoms, self.g_size)
        return self.derivatives

    def check_float32_indices(self) -> None:
        """Raises StorageError if sparse row indices are too large for the float32 of the files."""
        if self.n_atoms * self.g_size > FLOAT32_EXACT:
            raise StorageError(
                f"frame {self.name}: {self.n_atoms} atoms with {self.g_size} components; sparse "
                f"row indices are float32 in the files and exact only up to {FLOAT32_EXACT}. Set "
                "sparse_derivatives = False, or train with derivatives = on_the_fly"
            )
