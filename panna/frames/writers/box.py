"""Cells for programs that know no aperiodic directions, and turned the way they want them."""

from __future__ import annotations

import numpy as np

from panna.frames.frame import Frame


def boxed(frame: Frame, vacuum: float) -> tuple[np.ndarray, np.ndarray]:
    """A right-handed box in place of missing lattice vectors, with the atoms in its middle.

    Vectors along periodic directions stay; if all are, nothing is changed. The others are replaced
    by vectors perpendicular to all the rest, as long as the atoms reach plus the vacuum.

    Args:
      vacuum: angstrom, > 0, between the atoms and their next images.
    Returns:
      cell (3, 3), rows a1, a2, a3; positions (n, 3). Both float64, angstrom.
    """
    cell = np.where(frame.pbc[:, None], frame.cell, 0.0)
    positions = frame.positions.copy()
    free = np.flatnonzero(~frame.pbc)
    for axis in free:
        cell[axis] = _perpendicular(cell, axis)
    if len(free) and np.linalg.det(cell) < 0:
        cell[free[-1]] *= -1
    for axis in free:
        direction = cell[axis].copy()
        along = positions @ direction
        positions += (vacuum / 2 - along.min()) * direction
        cell[axis] = (np.ptp(along) + vacuum) * direction
    return cell, positions


def _perpendicular(cell: np.ndarray, axis: int) -> np.ndarray:
    """A unit vector, close to the Cartesian axis of this number, perpendicular to all rows."""
    rows = cell[np.linalg.norm(cell, axis=1) > 0]
    inside = np.linalg.qr(rows.T)[0] if len(rows) else np.zeros((3, 0))
    outside = np.eye(3) - inside @ inside.T
    lengths = np.linalg.norm(outside, axis=1)
    # Its own axis if that is not too close to the other vectors, so that a box stays upright.
    best = axis if lengths[axis] > 0.5 else int(lengths.argmax())
    return outside[best] / lengths[best]


def lower_triangular(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell turned so that a1 is along x and a2 in the xy plane, both towards positive sides.

    Returns:
      the cell (3, 3), lower triangular with a positive diagonal, and the matrix that turns rows of
      vectors: cell @ matrix is the first. A left-handed cell is also mirrored.
    """
    q, r = np.linalg.qr(cell.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.tril((r * signs[:, None]).T), q * signs
