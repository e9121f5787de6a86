"""Neighbour lists: for every atom the vectors to all atoms and periodic images within the cutoff.

The search itself is vesin's cell list, linear in the number of atoms. It takes cells smaller than
the cutoff, atoms outside the cell, and any mixture of periodic and aperiodic directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from vesin import NeighborList as CellList

from panna.errors import FrameError
from panna.frames.frame import Frame

COINCIDENT = 1e-4  # angstrom; atoms closer than this are the same atom given twice
MOST_IMAGES = 10_000_000  # images of the cell within the cutoff; beyond it the units are wrong
MOST_CELLS = 50_000  # half of what vesin allows itself, see _search_radius


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """Neighbours of N centres, one centre after the other.

    species: (N,) int32, position of the species in the species order.
    first: (N + 1,) int64; the neighbours of centre i are the rows first[i] to first[i + 1] - 1.
    index: (M,) int64, the atom 0..N-1 of which the neighbour is an image (or which it is).
    vectors: (M, 3) float64, angstrom, position of the neighbour minus position of the centre.
    """

    species: np.ndarray
    first: np.ndarray
    index: np.ndarray
    vectors: np.ndarray

    @property
    def n_atoms(self) -> int:
        """Number of centres, N."""
        return len(self.species)

    @property
    def n_pairs(self) -> int:
        """Number of neighbours over all centres, M."""
        return len(self.index)

    @property
    def centre(self) -> np.ndarray:
        """(M,) int64, the centre of every row."""
        return np.repeat(np.arange(self.n_atoms), np.diff(self.first))


def neighbour_list(frame: Frame, species_order: Sequence[str], cutoff: float) -> NeighbourList:
    """All neighbours with 0 < r < cutoff, every pair in both directions.

    Periodic images are neighbours of their own, images of the centre included. The order of the
    neighbours of one centre is not specified.

    Args:
      frame: atoms may lie outside the cell; only vectors of periodic directions are used.
      species_order: the symbols that the indices in `species` refer to.
      cutoff: angstrom.
    Raises:
      FrameError: a species is not in species_order, two atoms coincide, or the cell is absurdly
        small compared with the cutoff.
    """
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise FrameError(f"cutoff {cutoff}: expected a positive length in angstrom")
    species = species_indices(frame, species_order)
    box = _complete_box(frame, cutoff)
    radius = _search_radius(box, cutoff)
    _check_images(frame, radius)
    search = CellList(cutoff=radius, full_list=True, sorted=True, n_threads=1)
    pairs, vectors = search.compute(frame.positions, box, True, quantities="PD")
    pairs = pairs.astype(np.int64)
    if radius > cutoff:
        near = np.einsum("px,px->p", vectors, vectors) < cutoff**2
        pairs, vectors = pairs[near], vectors[near]
    _check_coincidence(frame, pairs, vectors)
    first = np.zeros(frame.n_atoms + 1, np.int64)
    np.cumsum(np.bincount(pairs[:, 0], minlength=frame.n_atoms), out=first[1:])
    return NeighbourList(species, first, np.ascontiguousarray(pairs[:, 1]), vectors)


def concatenate(lists: Iterable[NeighbourList]) -> NeighbourList:
    """One list of the centres of several frames; `index` counts atoms over all of them."""
    lists = list(lists)
    atoms = np.cumsum([0, *(one.n_atoms for one in lists)])
    rows = np.cumsum([0, *(one.n_pairs for one in lists)])
    empty = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros((0, 3)))
    species, index, vectors = (
        np.concatenate([start, *parts])
        for start, parts in zip(
            empty,
            (
                [one.species for one in lists],
                [one.index + shift for one, shift in zip(lists, atoms[:-1], strict=True)],
                [one.vectors for one in lists],
            ),
            strict=True,
        )
    )
    first = np.concatenate(
        [np.zeros(1, np.int64)]
        + [one.first[1:] + shift for one, shift in zip(lists, rows[:-1], strict=True)]
    )
    return NeighbourList(species, first, index, vectors)


def species_indices(frame: Frame, species_order: Sequence[str]) -> np.ndarray:
    """(n,) int32, position of each atom's symbol in species_order.

    Raises:
      FrameError: a symbol of the frame is not in species_order.
    """
    position = {symbol: i for i, symbol in enumerate(species_order)}
    unknown = sorted(set(frame.species) - position.keys())
    if unknown:
        raise FrameError(
            f"{_where(frame)}contains {', '.join(unknown)}, but the species are "
            f"{', '.join(species_order)}; add the species or leave the frame out"
        )
    return np.fromiter(
        (position[symbol] for symbol in frame.species), dtype=np.int32, count=frame.n_atoms
    )


def _complete_box(frame: Frame, cutoff: float) -> np.ndarray:
    """(3, 3) vectors of a box that is periodic in all directions and gives the same neighbours.

    Aperiodic directions get vectors so long that no image comes within the cutoff. (vesin 0.6 takes
    a time that grows with the square of the extent if it has to find these vectors by itself.)
    """
    if frame.pbc.all():
        return frame.cell
    vectors = frame.cell[frame.pbc]
    axes = np.linalg.svd(vectors)[2][len(vectors) :] if len(vectors) else np.eye(3)
    extents = np.ptp(frame.positions @ axes.T, axis=0)
    return np.concatenate([vectors, (extents + 2.0 * cutoff)[:, None] * axes])


def _search_radius(box: np.ndarray, cutoff: float) -> float:
    """The cutoff, or more where vesin 0.6 would fail.

    vesin sorts atoms into cells of about the cutoff. Beyond 1e5 cells it makes them larger, in
    proportion, counts zero cells along the short side of a flat or thin box and ends the process
    with a division by zero.
    """
    across = widths(box)
    radius = cutoff
    while True:
        cells = np.maximum(across / radius, 1.0)
        shrink = np.cbrt(MOST_CELLS / np.prod(cells))
        if shrink >= 1.0 or cells.min() * shrink > 2.0:
            return radius
        radius *= 1.1


def widths(vectors: np.ndarray) -> np.ndarray:
    """(k,) distances between opposite faces of the cell that (k, 3) vectors span."""
    if len(vectors) == 0:
        return np.zeros(0)
    inverse = np.linalg.inv(vectors) if len(vectors) == 3 else np.linalg.pinv(vectors)
    return 1.0 / np.linalg.norm(inverse, axis=0)


def _check_images(frame: Frame, cutoff: float) -> None:
    images = np.prod(2.0 * np.ceil(cutoff / widths(frame.cell[frame.pbc])) + 1.0)
    if images * frame.n_atoms > MOST_IMAGES and images > 1000:
        raise FrameError(
            f"{_where(frame)}the cell {frame.cell.tolist()} angstrom is so small that a "
            f"cutoff of {cutoff:g} angstrom reaches about {images:.0e} images; check the units"
        )


def _check_coincidence(frame: Frame, pairs: np.ndarray, vectors: np.ndarray) -> None:
    close = np.flatnonzero(np.einsum("px,px->p", vectors, vectors) < COINCIDENT**2)
    if len(close):
        i, j = pairs[close[0]]
        other = "its own periodic image" if i == j else f"atom {j + 1} ({frame.species[j]})"
        raise FrameError(
            f"{_where(frame)}atom {i + 1} ({frame.species[i]}) coincides with {other}, "
            "periodic images considered; remove the duplicate or correct the cell"
        )


def _where(frame: Frame) -> str:
    return f"frame {frame.name!r}: " if frame.name else ""
