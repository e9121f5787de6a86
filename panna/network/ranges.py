"""The values that descriptors took in a training set: beyond them a network extrapolates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest value of every component, by species of the centre.

    lowest, highest: (n_species, g) float64; a species without atoms has lowest > highest.
    """

    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def empty(cls, n_species: int, g_size: int) -> Ranges:
        """Of no atoms at all."""
        shape = (n_species, g_size)
        return cls(np.full(shape, np.inf), np.full(shape, -np.inf))

    def add(self, species: int, descriptors: np.ndarray) -> None:
        """Widens the ranges of a species by its atoms, (n, g)."""
        np.minimum(self.lowest[species], descriptors.min(0), out=self.lowest[species])
        np.maximum(self.highest[species], descriptors.max(0), out=self.highest[species])

    def outside(self, species: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """(n,) int: components of each atom outside its range, 0 for a species without atoms.

        With the margin for rounding that the core has (core/include/panna/model.hpp, Range).

        Args:
          species: (n,) species numbers; descriptors: (n, g).
        """
        known = self.known
        counts = np.zeros(len(species), int)
        for s in np.flatnonzero(known):
            mine, margin = species == s, 1e-5 * (self.highest[s] - self.lowest[s]) + 1e-6
            below = descriptors[mine] < self.lowest[s] - margin
            above = descriptors[mine] > self.highest[s] + margin
            counts[mine] = (below | above).sum(1)
        return counts

    @property
    def known(self) -> np.ndarray:
        """(n_species,) bool: whether the species has atoms."""
        return (self.lowest <= self.highest).all(1)
