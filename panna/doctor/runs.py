"""Frames that follow each other in a run: the energy lost must be the work of the forces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.frames.frame import SHORTEST_VECTOR, Frame

LARGEST_STRAIN = 0.02
SAME_CELL = 1e-8  # strain
LEAST_WORK = 1e-3  # eV; smaller differences of energies are noise of the calculations
FEWEST = 10  # pairs of frames that a slope needs


@dataclass(frozen=True)
class Step:
    """From one frame to a near one.

    work: eV, of the forces and, if the cell changed, of the stress.
    lost: eV, energy of the first minus energy of the second frame.
    strained: whether the cell changed.
    """

    work: float
    lost: float
    strained: bool


def step_between(a: Frame, b: Frame, farthest: float) -> Step | None:
    """The step from a to b by the trapezoidal rule, exact to the second order.

    Args:
      farthest: angstrom; None is returned where an atom moves farther, where the atoms are others,
        or where something that the work needs is missing.
    """
    if a.species != b.species or not np.array_equal(a.pbc, b.pbc):
        return None
    if a.energy is None or b.energy is None or a.forces is None or b.forces is None:
        return None
    strain = _strain(a, b)
    if strain is None:
        return None
    strained = bool(np.abs(strain).max() > SAME_CELL)
    moved = b.positions - a.positions @ (np.eye(3) + strain if strained else np.eye(3))
    periodic = b.cell[b.pbc]
    if len(periodic):
        # An atom may have left the cell on one side and come back on the other.
        moved = moved - np.rint(moved @ np.linalg.pinv(periodic)) @ periodic
    if np.linalg.norm(moved, axis=1).max() > farthest:
        return None
    work = float(((a.forces + b.forces) / 2 * moved).sum())
    if strained:
        if a.virial is None or b.virial is None:
            return None
        work += float(((a.virial + b.virial) / 2 * strain).sum())
    return Step(work, a.energy - b.energy, strained)


def _strain(a: Frame, b: Frame) -> np.ndarray | None:
    """(3, 3), b.cell = a.cell (1 + strain); None if it is large or not defined."""
    if np.allclose(a.cell[a.pbc], b.cell[b.pbc], rtol=0, atol=SHORTEST_VECTOR):
        return np.zeros((3, 3))
    if not a.pbc.all():
        return None
    strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
    return strain if np.abs(strain).max() <= LARGEST_STRAIN else None


def slope(work: np.ndarray, lost: np.ndarray) -> float:
    """Energy lost over work: the line through the origin with the smallest absolute deviations.

    That is the median of the ratios with the work as weight; a few wrong steps do not move it.
    """
    ratios, weights = lost / work, np.abs(work)
    order = np.argsort(ratios)
    half = np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())
    return float(ratios[order][min(half, len(order) - 1)])
