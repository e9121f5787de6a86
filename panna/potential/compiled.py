"""A potential in the compiled core, and what it says about a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna import core
from panna.descriptors.evaluate import forces_from_pairs, virial_from_pairs
from panna.errors import PotentialError
from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, neighbour_list
from panna.potential import panna_in_text
from panna.potential.panna_in_descriptor import read_descriptor


@dataclass(frozen=True)
class Evaluation:
    """Energies and forces of a frame.

    atomic_energies: (n,) float64, eV, reference energies included.
    forces: (n, 3) float64, eV/angstrom.
    virial: (3, 3) float64, eV, -dE/dstrain.
    outside: (n,) int, components of the descriptor of each atom that lie outside the range of the
      training set; None if the potential does not know the range.
    """

    atomic_energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    outside: np.ndarray | None = None

    @property
    def energy(self) -> float:
        """Total energy, eV."""
        return float(self.atomic_energies.sum())


def open_potential(
    directory: str | Path, filename: str = "panna.in", precision: str = "full"
) -> core.Potential:
    """Reads a potential into the compiled core, as LAMMPS does, and checks its descriptor_hash.

    Args:
      precision: "full", or "mixed": pairs of neighbours in single precision, faster, forces good to
        about six digits.
    Raises:
      PotentialError: with file, line and key.
    """
    if precision not in ("full", "mixed"):
        raise PotentialError(f"precision = {precision} found, full or mixed expected")
    try:
        potential = core.Potential(str(directory), filename, mixed=precision == "mixed")
    except core.CoreError as error:
        raise PotentialError(str(error)) from error
    # The core does not look at descriptor_hash, which tells of parameters changed by hand.
    read_descriptor(panna_in_text.parse(Path(directory) / filename))
    return potential


def pair_gradient(
    potential: core.Potential, neighbours: NeighbourList, threads: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Atomic energies (N,) in eV and their gradient by the neighbour vectors (M, 3).

    Raises:
      PotentialError: the neighbour list does not fit the potential.
    """
    return _computed(potential, neighbours, threads)[:2]


def _computed(
    potential: core.Potential, neighbours: NeighbourList, threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        return potential.compute(
            neighbours.species,
            neighbours.first,
            neighbours.index,
            neighbours.vectors,
            threads=threads,
        )
    except core.CoreError as error:
        raise PotentialError(str(error)) from error


def evaluate_frame(potential: core.Potential, frame: Frame, threads: int = 0) -> Evaluation:
    """Energies, forces and virial of a frame.

    Raises:
      FrameError: a species that the potential does not have, or coinciding atoms.
    """
    neighbours = neighbour_list(frame, potential.species, potential.cutoff)
    energies, gradient, outside = _computed(potential, neighbours, threads)
    return Evaluation(
        energies,
        forces_from_pairs(neighbours, gradient),
        virial_from_pairs(neighbours, gradient),
        outside if potential.knows_ranges else None,
    )
