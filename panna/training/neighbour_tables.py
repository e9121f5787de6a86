"""The neighbours of the atoms of a batch in arrays of fixed width, for network/graph_descriptors.

XLA compiles a graph anew for every shape it meets: the arrays are as wide as the atom with most
neighbours needs, and get wider only when a batch does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.descriptors.parameters import DescriptorParameters
from panna.training.by_species import BySpecies, rounded


@dataclass(frozen=True)
class Table:
    """vectors: arrays (N, K, 3), angstrom, 0 where there is no neighbour; neighbours: (N, K) int32,
    rows of the neighbours. Near ones of each species, then far ones of each species."""

    vectors: list[np.ndarray]
    neighbours: list[np.ndarray]


class NeighbourTables:
    """Makes tables.

    exact: as wide as a batch needs; else rounded up, and at least as wide as ever before.
    dtype: of the vectors.
    """

    def __init__(self, parameters: DescriptorParameters, dtype: str, exact: bool) -> None:
        self.parameters, self.dtype, self.exact = parameters, dtype, exact
        self._widths = np.zeros(2 * len(parameters.species), np.int64)

    def make(self, batch, layout: BySpecies) -> Table:
        """The table of a batch with positions, its atoms in the rows of a layout."""
        n_species, rows = len(self.parameters.species), int(layout.rows.sum())
        vectors, place = batch["vectors"], layout.places()
        centre = np.repeat(np.arange(len(batch["species"])), np.diff(batch["first"]))
        square = np.einsum("px,px->p", vectors, vectors)
        far = square >= self.parameters.rc_ang**2
        section = batch["species"][batch["index"]] + n_species * far
        # The list may be longer than the cutoff.
        section[square >= self.parameters.cutoff**2] = -1
        tables = Table([], [])
        for number in range(2 * n_species):
            mine = np.flatnonzero(section == number)
            counts = np.bincount(centre[mine], minlength=len(batch["species"]))
            width = self._width(number, int(counts.max(initial=0)))
            starts = np.cumsum(counts) - counts
            column = np.arange(len(mine)) - np.repeat(starts, counts)
            at = place[centre[mine]], column
            made = np.zeros((rows, width, 3), self.dtype)
            made[at] = vectors[mine]
            tables.vectors.append(made)
            made = np.zeros((rows, width), np.int32)
            made[at] = place[batch["index"][mine]]
            tables.neighbours.append(made)
        return tables

    def _width(self, number: int, count: int) -> int:
        if self.exact:
            return count
        self._widths[number] = max(self._widths[number], rounded(count))
        return int(self._widths[number])
