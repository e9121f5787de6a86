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
    _check_images(frame, cutoff)
    # vesin replaces zero vectors by what it needs; those along aperiodic directions carry nothing
    # and may even be parallel to the periodic ones.
    box = np.where(frame.pbc[:, None], frame.cell, 0.0)
    search = CellList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    pairs, vectors = search.compute(frame.positions, box, frame.pbc, quantities="PD")
    pairs = pairs.astype(np.int64)
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
            f"frame {frame.name!r}: contains {', '.join(unknown)}, but the species are "
            f"{', '.join(species_order)}; add the species or leave the frame out"
        )
    return np.fromiter(
        (position[symbol] for symbol in frame.species), dtype=np.int32, count=frame.n_atoms
    )


def _check_images(frame: Frame, cutoff: float) -> None:
    vectors = frame.cell[frame.pbc]
    if not len(vectors):
        return
    widths = 1.0 / np.linalg.norm(np.linalg.pinv(vectors), axis=0)
    images = np.prod(2.0 * np.ceil(cutoff / widths) + 1.0)
    if images * frame.n_atoms > MOST_IMAGES and images > 1000:
        raise FrameError(
            f"frame {frame.name!r}: the cell {frame.cell.tolist()} angstrom is so small that a "
            f"cutoff of {cutoff:g} angstrom reaches about {images:.0e} images; check the units"
        )


def _check_coincidence(frame: Frame, pairs: np.ndarray, vectors: np.ndarray) -> None:
    close = np.flatnonzero(np.einsum("px,px->p", vectors, vectors) < COINCIDENT**2)
    if len(close):
        i, j = pairs[close[0]]
        other = "its own periodic image" if i == j else f"atom {j + 1} ({frame.species[j]})"
        raise FrameError(
            f"frame {frame.name!r}: atom {i + 1} ({frame.species[i]}) coincides with {other}, "
            "periodic images considered; remove the duplicate or correct the cell"
        )
