"""Elastic constants at rest, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.validation.crystals.cells import FIRST_CUBIC, symmetry
from panna.validation.crystals.relax import at_rest

STEPS = 3  # strains of a pattern: -e, 0, +e
POSITION_FORCE = 1e-5  # eV/angstrom; stresses of small strains are differences of small numbers
NAMES = [f"C{i}{j}" for i in range(1, 7) for j in range(i, 7)]
SYSTEMS = (  # and their first space groups
    (FIRST_CUBIC, "cubic"),
    (168, "hexagonal"),
    (143, "trigonal"),
    (75, "tetragonal"),
    (16, "orthorhombic"),
    (3, "monoclinic"),
    (1, "triclinic"),
)
# From Voigt's matrix of stiffness to Mandel's, in which a rotation of the axes is an orthogonal
# matrix, so that eigenvalues and traces do not depend on the axes.
MANDEL = np.sqrt(np.outer([1.0, 1, 1, 2, 2, 2], [1.0, 1, 1, 2, 2, 2]))
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ElasticTensor:
    """Stress = matrix times strain, relaxed atoms.

    matrix: (6, 6) GPa, in the order xx, yy, zz, yz, xz, xy; shear strains are changes of angles,
      twice the components of the tensor.
    noise: GPa, the largest change that the symmetry of the crystal has required.
    independent: names of the constants that determine the others by symmetry.
    """

    matrix: np.ndarray
    noise: float
    system: str
    independent: tuple[str, ...]

    def __getitem__(self, name: str) -> float:
        """GPa, of a name like C12."""
        return float(self.matrix[int(name[1]) - 1, int(name[2]) - 1])

    @property
    def eigenvalues(self) -> np.ndarray:
        """(6,) GPa, ascending; below zero, a strain lowers the energy (Born)."""
        return np.linalg.eigvalsh(self.matrix * MANDEL)

    @property
    def stable(self) -> bool:
        return bool(self.eigenvalues[0] > 0)

    @property
    def moduli(self) -> tuple[float, float] | None:
        """Bulk and shear modulus, GPa, means of Voigt's and Reuss's; None if not stable.

        R. Hill, Proc. Phys. Soc. A 65, 349 (1952).
        """
        if not self.stable:
            return None
        stiffness = self.matrix * MANDEL
        # 3 K and 2 G are the eigenvalues of an isotropic body, once and five times.
        bulk, shear = _isotropic(stiffness)
        inverse_bulk, inverse_shear = _isotropic(np.linalg.inv(stiffness))
        return (bulk + 1 / inverse_bulk) / 6, (shear + 1 / inverse_shear) / 4


def elastic_tensor(crystal: Atoms, strain: float) -> ElasticTensor:
    """From the stress under strains of both signs of each component, atoms at rest in each.

    Args:
      crystal: at rest, with its calculator.
    Raises:
      NotAtRest: atoms of a strained cell do not come to rest.
    """
    from matscipy.elasticity import fit_elastic_constants, generate_strained_configs

    strained = list(generate_strained_configs(crystal, "triclinic", STEPS, strain))
    for atoms in strained:
        at_rest(atoms, POSITION_FORCE, "in a strained cell")
    matrix, _ = fit_elastic_constants(
        strained, "triclinic", STEPS, strain, verbose=False, graphics=False
    )
    matrix = matrix * EV_PER_ANGSTROM3_IN_GPA
    group = symmetry(crystal)
    rotations = _rotations(crystal.cell.array, group.rotations)
    averaged = _averaged(matrix * MANDEL, rotations) / MANDEL
    return ElasticTensor(
        averaged,
        float(np.abs(averaged - matrix).max()),
        next(name for first, name in SYSTEMS if group.number >= first),
        _independent(rotations),
    )


def _isotropic(matrix: np.ndarray) -> tuple[float, float]:
    """What the average over all orientations has as its single and its fivefold eigenvalue."""
    single = matrix[:3, :3].sum() / 3
    return float(single), float((np.trace(matrix) - single) / 5)


def _rotations(cell: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """(S, 6, 6) operations on Mandel's vectors, of the (S, 3, 3) ones on fractional coordinates."""
    basis = np.zeros((6, 3, 3))
    for number, (i, j) in enumerate(VOIGT):
        basis[number, i, j] = basis[number, j, i] = 1 if i == j else np.sqrt(0.5)
    turns = cell.T @ np.unique(rotations, axis=0) @ np.linalg.inv(cell.T)
    return np.einsum("aij,sik,bkl,sjl->sab", basis, turns, basis, turns)


def _averaged(matrix: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """What all operations leave as it is; Mandel's notation."""
    matrix = (matrix + matrix.T) / 2
    return np.mean(rotations @ matrix @ rotations.transpose(0, 2, 1), axis=0)


def _independent(rotations: np.ndarray) -> tuple[str, ...]:
    """The first names, in their order, whose constants are no combinations of those before."""
    upper = np.triu_indices(6)
    effects = []  # (21,) of each constant on all averaged constants
    for i, j in zip(*upper, strict=True):
        one = np.zeros((6, 6))
        one[i, j] = one[j, i] = 1
        effects.append(_averaged(one, rotations)[upper])
    chosen: list[int] = []
    for number, row in enumerate(np.array(effects).T):
        rows = [np.array(effects).T[k] for k in chosen] + [row]
        if np.linalg.matrix_rank(rows, tol=1e-6) == len(rows):
            chosen.append(number)
    return tuple(NAMES[number] for number in chosen)
