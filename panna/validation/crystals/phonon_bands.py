"""Phonons from finite displacements in a supercell, along a path through the Brillouin zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from panna.text import counted
from panna.validation.crystals.cells import repeats
from panna.validation.crystals.relax import NotAtRest, calculated
from panna.validation.section import NotPossible

POINTS = 160  # of the path
DENSITY = 0.05  # 1/angstrom without 2 pi, of the mesh searched for the lowest
NEAR_GAMMA = 0.1  # of the longest wave vector: closer, rounding can make acoustic modes imaginary
MOST_FORCES = 3_000_000  # atoms times displacements: a minute or some minutes of a network


@dataclass(frozen=True)
class Path:
    """Q points between points of high symmetry.

    points: (Q, 3) in units of the reciprocal vectors. x: (Q,) length along the path, 1/angstrom.
    ticks: where points of high symmetry are, and their names.
    """

    points: np.ndarray
    x: np.ndarray
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Bands:
    """Frequencies, THz; imaginary ones are negative.

    frequencies: (Q, B) along the path, ascending at each point.
    lowest: on the path and a mesh, without the acoustic modes near Gamma; lowest_at: where.
    atoms, displacements: of the supercell.
    """

    frequencies: np.ndarray
    lowest: float
    lowest_at: tuple[float, float, float]
    atoms: int
    displacements: int

    @property
    def highest(self) -> float:
        return float(self.frequencies.max())


def path_of(crystal: Atoms) -> Path:
    """The standard path of its Bravais lattice.

    Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010).

    Raises:
      NotPossible: the lattice is not recognised.
    """
    try:
        path = crystal.cell.bandpath(npoints=POINTS)
    except (RuntimeError, ValueError) as error:
        raise NotPossible(
            f"ASE knows no path through the Brillouin zone of this cell ({error}); give the "
            "crystal in its conventional cell"
        ) from error
    x, positions, labels = path.get_linear_kpoint_axis()
    # Where the path jumps, two points have one place.
    places: dict[float, str] = {}
    for place, label in zip(positions.tolist(), labels, strict=True):
        before = places.get(round(place, 9))
        places[round(place, 9)] = label if before in (None, label) else f"{before}|{label}"
    ticks = tuple((place, name.replace("G", "Γ")) for place, name in places.items())
    return Path(path.kpts, x, ticks)


def bands(crystal: Atoms, path: Path, length: float) -> Bands:
    """Displaces atoms of a supercell.

    Args:
      crystal: primitive cell at rest, with its calculator.
      length: least width of the supercell, angstrom.
    Raises:
      NotPossible: this needs too many forces.
      NotAtRest: forces cannot be calculated.
    """
    phonon = _with_displacements(crystal, length)
    cells = phonon.supercells_with_displacements
    atoms = len(phonon.supercell)
    if len(cells) * atoms > MOST_FORCES:
        raise NotPossible(
            f"{counted(len(cells), 'displacement')} of {atoms} atoms would take too long; give a "
            "crystal with a smaller cell, or a smaller phonon_length in [CRYSTAL]"
        )
    phonon.forces = np.array([_forces(crystal, cell) for cell in cells])
    phonon.produce_force_constants(calculate_full_force_constants=False, show_drift=False)
    phonon.symmetrize_force_constants(show_drift=False)

    def frequencies(points: np.ndarray) -> np.ndarray:
        phonon.run_qpoints(points)
        return np.sort(phonon.qpoints.frequencies, axis=1)

    along = frequencies(path.points)
    points = np.concatenate([path.points, _mesh(crystal)])
    values = np.concatenate([along, frequencies(points[len(path.points) :])])
    judged = _without_acoustic(crystal, points, values)
    at = int(np.argmin(judged.min(axis=1)))
    a, b, c = points[at].tolist()
    return Bands(along, float(judged[at].min()), (a, b, c), atoms, len(cells))


def _with_displacements(crystal: Atoms, length: float):
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        symbols=crystal.get_chemical_symbols(),
        cell=crystal.cell.array,
        scaled_positions=crystal.get_scaled_positions(),
    )
    phonon = Phonopy(cell, np.diag(repeats(crystal, length)), primitive_matrix=np.eye(3))
    phonon.generate_displacements()
    return phonon


def _forces(crystal: Atoms, cell) -> np.ndarray:
    atoms = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True, calculator=crystal.calc)
    forces = calculated(atoms.get_forces)
    if not np.isfinite(forces).all():
        raise NotAtRest("forces on displaced atoms are not numbers")
    return forces


def _mesh(crystal: Atoms) -> np.ndarray:
    """(M, 3) fractional, even numbers of points in each direction, with Gamma."""
    lengths = np.linalg.norm(crystal.cell.reciprocal().array, axis=1)
    counts = 2 * np.ceil(lengths / DENSITY / 2).astype(int)
    axes = [np.arange(count) / count for count in counts]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return (points + 0.5) % 1 - 0.5


def _without_acoustic(crystal: Atoms, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The frequencies; inf in place of the three nearest to zero near Gamma."""
    near = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    folded = points - np.round(points)
    vectors = (folded[:, None] + near) @ crystal.cell.reciprocal().array
    lengths = np.linalg.norm(vectors, axis=2).min(axis=1)
    values = values.copy()
    close = np.flatnonzero(lengths <= NEAR_GAMMA * lengths.max())
    smallest = np.argsort(np.abs(values[close]), axis=1)[:, :3]
    values[close[:, None], smallest] = np.inf
    return values
