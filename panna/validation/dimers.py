"""Two atoms alone: energy and force over their distance, and whether they repel one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from panna.frames.radii import radii_sum

BONDING = 0.7, 2.0  # times the sum of the covalent radii, where a minimum may be a bond
UNREACHABLE = 20.0  # eV above the start of a walk; no atom of a simulation climbs so high
JUST_INSIDE = 1e-6  # angstrom; at the cutoff itself there is no neighbour, and no force


@dataclass(frozen=True)
class Dimer:
    """R distances, the last one just within the cutoff.

    distances: (R,) angstrom, increasing.
    energies: (R,) eV, without that of the atoms alone.
    forces: (R,) eV/angstrom, positive where the atoms repel one another.
    forces_std: (R,) eV/angstrom of a committee, or None.
    alone: eV, energy of the two atoms at the cutoff.
    known: (R,) bool, whether the descriptors of both are within the ranges of the training set;
      None if that is not known.
    """

    pair: tuple[str, str]
    distances: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    forces_std: np.ndarray | None
    alone: float
    known: np.ndarray | None

    def bond(self, shortest: float = 0.0) -> float | None:
        """Distance of the deepest minimum within BONDING, from `shortest` on, angstrom; None if
        there is none."""
        low, high = (factor * radii_sum(self.pair) for factor in BONDING)
        low = max(low, shortest)
        e, r = self.energies, self.distances
        inner = np.flatnonzero((e[1:-1] < e[:-2]) & (e[1:-1] <= e[2:])) + 1
        inner = inner[(r[inner] >= low) & (r[inner] <= high)]
        return float(r[inner[np.argmin(e[inner])]]) if len(inner) else None


def distances_of(pair: tuple[str, str], cutoff: float, shortest: float, points: int) -> np.ndarray:
    """(R,) angstrom. shortest: a part of the sum of the covalent radii."""
    start = min(shortest * radii_sum(pair), 0.9 * cutoff)
    return np.linspace(start, cutoff - JUST_INSIDE, max(points, 3))


def scan(
    calculator: Calculator, pair: tuple[str, str], distances: np.ndarray, cutoff: float
) -> Dimer:
    """Moves two atoms apart; cutoff: angstrom, where they are alone."""
    # Some calculators want a cell, even where nothing is periodic.
    atoms = Atoms(pair, np.zeros((2, 3)), cell=np.full(3, 4 * cutoff), pbc=False)
    atoms.calc = calculator
    centre = 2 * cutoff
    energies, forces, spreads, known = [], [], [], []
    for r in [*distances, cutoff]:
        atoms.positions = [[centre - r / 2, centre, centre], [centre + r / 2, centre, centre]]
        energies.append(float(atoms.get_potential_energy()))
        forces.append(float(atoms.get_forces()[1, 0]))
        spread = calculator.results.get("forces_std")
        outside = calculator.results.get("components_outside")
        spreads.append(None if spread is None else float(spread[1, 0]))
        known.append(None if outside is None else not np.any(outside))
    alone = energies.pop()
    several = spreads[0] is not None
    return Dimer(
        pair, distances,
        energies=np.array(energies) - alone,
        forces=np.array(forces[:-1]),
        forces_std=np.array(spreads[:-1]) if several else None,
        alone=alone,
        known=None if known[0] is None else np.array(known[:-1]),
    )  # fmt: skip


@dataclass(frozen=True)
class Fall:
    """By how much the energy falls when two atoms come closer than `start`.

    depth: eV, the largest fall from the highest energy on the way. 0 if it only rises.
    top, bottom: angstrom, where the fall begins and ends.
    barrier: eV, the energy at the top, above that at the start.
    """

    start: float
    depth: float
    top: float
    bottom: float
    barrier: float


def fall_inwards(dimer: Dimer, start: float) -> Fall:
    """Walks from `start` (angstrom) towards shorter distances, until the energy is UNREACHABLE."""
    inside = dimer.distances <= start + 1e-9
    r, e = dimer.distances[inside][::-1], dimer.energies[inside][::-1]
    if not len(r):
        return Fall(start, 0.0, start, start, 0.0)
    high = np.flatnonzero(e > e[0] + UNREACHABLE)
    if len(high):
        r, e = r[: high[0] + 1], e[: high[0] + 1]
    highest = np.maximum.accumulate(e)
    bottom = int(np.argmax(highest - e))
    top = int(np.argmax(e[: bottom + 1]))
    return Fall(
        start,
        depth=float(highest[bottom] - e[bottom]),
        top=float(r[top]),
        bottom=float(r[bottom]),
        barrier=float(e[top] - e[0]),
    )
