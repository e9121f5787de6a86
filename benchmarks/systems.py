"""Atoms, descriptors and potentials that the benchmarks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from panna.descriptors.parameters import BP, MBP, DescriptorParameters
from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, concatenate, neighbour_list
from panna.network.initialise import initial_network
from panna.network.parameters import Model
from panna.potential.panna_in import write_potential

CUTOFF = 4.6


@dataclass(frozen=True)
class System:
    """Some frames, what they are, and their descriptor."""

    name: str
    frames: tuple[Frame, ...]
    parameters: DescriptorParameters

    @property
    def n_atoms(self) -> int:
        return sum(frame.n_atoms for frame in self.frames)

    def neighbours(self) -> NeighbourList:
        species, cutoff = self.parameters.species, self.parameters.cutoff
        return concatenate([neighbour_list(frame, species, cutoff) for frame in self.frames])

    def potential(self, folder: Path, sizes: tuple[int, ...], spread: float = 1.0) -> None:
        """Writes a potential with random weights; `spread` scales its energies and forces."""
        parameters = self.parameters
        networks = [
            initial_network(
                parameters.size,
                sizes,
                ("gaussian",) * (len(sizes) - 1) + ("linear",),
                (True,) * len(sizes),
                seed=0,
                symbol=symbol,
                spread=spread,
            )
            for symbol in parameters.species
        ]
        offsets = np.zeros(len(parameters.species))
        write_potential(Model(parameters.species, parameters.to_dict(), networks, offsets), folder)


def centres(first: float, cutoff: float, count: int) -> tuple[float, ...]:
    """Rs_m = Rs0 + m (Rc - Rs0)/N."""
    return tuple(first + m * (cutoff - first) / count for m in range(count))


def descriptor(species: tuple[str, ...], rc_rad: float = CUTOFF, rc_ang: float = CUTOFF) -> MBP:
    """16 radial and 4 x 8 angular components for each species and pair of species."""
    return MBP(
        species=species,
        rc_rad=rc_rad,
        rs_rad=centres(0.5, rc_rad, 16),
        eta_rad=(16.0,) * 16,
        rc_ang=rc_ang,
        rs_ang=centres(0.5 if rc_ang < 4 else 1.5, rc_ang, 4),
        eta_ang=(6.0,) * 4,
        thetas=tuple((m + 0.5) * np.pi / 8 for m in range(8)),
        zeta=(50.0,) * 8,
    )


def frame_of(atoms: Atoms) -> Frame:
    return Frame(
        tuple(atoms.get_chemical_symbols()), atoms.positions, atoms.cell.array, np.array(atoms.pbc)
    )


def silicon_atoms(repeat: tuple[int, int, int] = (3, 3, 3)) -> Atoms:
    """A disordered cell: 0.985 of the lattice constant, displacements of 0.15 angstrom."""
    atoms = bulk("Si", cubic=True) * repeat
    atoms.set_cell(atoms.cell * 0.985, scale_atoms=True)
    atoms.positions += np.random.default_rng(0).normal(0, 0.15, atoms.positions.shape)
    return atoms


def silicon(repeat: tuple[int, int, int] = (3, 3, 3)) -> System:
    atoms = silicon_atoms(repeat)
    return System(f"{len(atoms)} Si", (frame_of(atoms),), descriptor(("Si",)))


def silicon_bp() -> System:
    """The silicon of S1 with 16 radial and 32 angular components of Behler and Parrinello."""
    bp = BP(
        species=("Si",),
        rc_rad=CUTOFF,
        rs_rad=centres(0.5, CUTOFF, 16),
        eta_rad=(16.0,),
        rc_ang=CUTOFF,
        eta_ang=(0.01, 0.03, 0.06, 0.1),
        zeta=(1.0, 4.0, 16.0, 50.0),
    )
    atoms = silicon_atoms()
    return System(f"{len(atoms)} Si, BP", (frame_of(atoms),), bp)


def water() -> System:
    """64 molecules on a grid, turned at random, at 1 g/cm3."""
    rng = np.random.default_rng(0)
    box = Atoms(cell=[12.42] * 3, pbc=True)
    for corner in np.ndindex(4, 4, 4):
        one = molecule("H2O")
        one.euler_rotate(*rng.uniform(0, 360, 3))
        one.translate(np.array(corner) * 12.42 / 4 + rng.normal(0, 0.2, 3))
        box += one
    return System("64 H2O", (frame_of(box),), descriptor(("H", "O"), 4.6, 3.5))


def ethanol() -> System:
    """100 distorted molecules, descriptor of four species."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(100):
        one = molecule("CH3CH2OH")
        one.positions += rng.normal(0, 0.05, one.positions.shape)
        frames.append(frame_of(one))
    species = ("H", "C", "N", "O")
    return System("100 ethanol", tuple(frames), descriptor(species, 4.6, 3.1))
