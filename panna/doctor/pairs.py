"""Distances between atoms, by pair of species."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, neighbour_list
from panna.frames.radii import radii_sum

RADIUS = 6.0  # angstrom, how far distances are looked at
WIDTH = 0.02  # angstrom, of a bin
BINS = round(RADIUS / WIDTH)

Pair = tuple[str, str]  # in alphabetical order


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Of the atoms of a frame.

    distance: angstrom, the one that is shortest compared with the covalent radii; infinite if no
      atoms are near.
    ratio: it over their sum.
    pair: its species, None if no atoms are near.
    asymmetry: (n,) length of the sum of the directions to the neighbours, weighted by a smooth
      function of the distance. It is 0 where symmetry makes forces 0.
    """

    distance: float
    ratio: float
    pair: Pair | None
    asymmetry: np.ndarray


@dataclass
class PairDistances:
    """Sums over all frames.

    counts: (BINS,) neighbours of the second species around atoms of the first, for each pair.
    shortest: angstrom, and the number of the frame.
    atoms: of each species.
    """

    counts: dict[Pair, np.ndarray] = field(default_factory=dict)
    shortest: dict[Pair, tuple[float, int]] = field(default_factory=dict)
    atoms: dict[str, int] = field(default_factory=dict)

    def add(self, frame: Frame, number: int) -> Surroundings:
        """Take a frame into account."""
        symbols = tuple(sorted(set(frame.species)))
        pairs = neighbour_list(frame, symbols, RADIUS)
        for symbol in symbols:
            self.atoms[symbol] = self.atoms.get(symbol, 0) + frame.species.count(symbol)
        if not pairs.n_pairs:
            return Surroundings(np.inf, np.inf, None, np.zeros(frame.n_atoms))
        distances = np.linalg.norm(pairs.vectors, axis=1)
        code = pairs.species[pairs.centre] * len(symbols) + pairs.species[pairs.index]
        bins = np.minimum((distances / WIDTH).astype(np.int64), BINS - 1)
        counts = np.bincount(code * BINS + bins, minlength=len(symbols) ** 2 * BINS)
        shortest = np.full(len(symbols) ** 2, np.inf)
        np.minimum.at(shortest, code, distances)
        worst: tuple[float, float, Pair | None] = (np.inf, np.inf, None)
        for k, of_pair in enumerate(counts.reshape(-1, BINS)):
            pair = (symbols[k // len(symbols)], symbols[k % len(symbols)])
            if pair[0] > pair[1] or not np.isfinite(shortest[k]):
                continue  # both directions have the same distances
            self.counts[pair] = self.counts.get(pair, 0) + of_pair
            distance = float(shortest[k])
            if distance < self.shortest.get(pair, (np.inf, 0))[0]:
                self.shortest[pair] = distance, number
            ratio = distance / radii_sum(pair)
            if ratio < worst[1]:
                worst = distance, ratio, pair
        return Surroundings(*worst, _asymmetry(pairs, distances))

    def density(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Distances in angstrom, and the mean density of the second species in 1/angstrom^3.

        In a liquid or crystal it is g(r) times the number density; it is defined for molecules,
        too.
        """
        edges = np.arange(BINS + 1) * WIDTH
        shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
        return edges[:-1] + 0.5 * WIDTH, self.counts[pair] / (self.atoms[pair[0]] * shells)


def _asymmetry(pairs: NeighbourList, distances: np.ndarray) -> np.ndarray:
    weights = (1.0 + pairs.species[pairs.index]) * (1.0 - (distances / RADIUS) ** 2) ** 3
    directions = pairs.vectors * (weights / distances)[:, None]
    sums = [np.bincount(pairs.centre, one, pairs.n_atoms) for one in directions.T]
    return np.linalg.norm(sums, axis=0)
