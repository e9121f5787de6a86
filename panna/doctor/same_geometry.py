"""Frames with the same atoms in the same places."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from panna.frames.frame import Frame

PROJECTIONS = 3


def project(frame: Frame) -> tuple[int, np.ndarray]:
    """A number for the atoms and the periodicity, and PROJECTIONS random sums of coordinates.

    If no coordinate of two frames differs by more than d, their sums differ by less than
    d (3 n + 9).
    """
    text = " ".join(frame.species) + str(frame.pbc.tolist())
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    coordinates = _coordinates(frame)
    random = np.random.default_rng(frame.n_atoms)
    return (
        int.from_bytes(digest, "little"),
        random.uniform(-1, 1, (PROJECTIONS, len(coordinates))) @ coordinates,
    )


def same_geometries(
    kinds: np.ndarray,
    sums: np.ndarray,
    n_atoms: np.ndarray,
    distance: float,
    read: Callable[[int], Frame],
) -> np.ndarray:
    """For each of F frames the number of the first one with the same geometry, often its own.

    The order of the atoms and the origin count: a geometry that is turned or shifted is another.

    Args:
      kinds, sums: (F,) and (F, PROJECTIONS), see `project`.
      n_atoms: (F,).
      distance: angstrom, largest difference of a coordinate.
      read: gives a frame by its number; asked for those only that seem to be the same.
    """
    first = np.arange(len(kinds))
    order = np.lexsort([first, sums[:, 0], kinds])
    reach = distance * (3 * n_atoms + 9) + 1e-12 * np.abs(sums).max(1, initial=0.0)
    current: list[int] = []  # frames unlike each other, near the one that is looked at
    for frame in order:
        current = [
            other
            for other in current
            if kinds[other] == kinds[frame] and sums[frame, 0] - sums[other, 0] <= reach[frame]
        ]
        for other in current:
            if np.all(np.abs(sums[frame] - sums[other]) <= reach[frame]) and _same(
                read(frame), read(other), distance
            ):
                first[frame] = other
                break
        else:
            current.append(int(frame))
    smallest = np.arange(len(kinds))
    np.minimum.at(smallest, first, np.arange(len(kinds)))
    return smallest[first]


def _same(a: Frame, b: Frame, distance: float) -> bool:
    return bool(np.abs(_coordinates(a) - _coordinates(b)).max() <= distance)


def _coordinates(frame: Frame) -> np.ndarray:
    """(3 n + 9,) positions and the periodic lattice vectors."""
    cell = np.where(frame.pbc[:, None], frame.cell, 0.0)
    return np.concatenate([frame.positions.ravel(), cell.ravel()])
