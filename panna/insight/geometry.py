"""Distances and angles of a set of atoms as histograms, collected frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from panna.errors import FrameError
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.insight.curves import cutoff_function

DISTANCE_BIN = 0.02  # angstrom
ANGLE_BIN = np.pi / 90
MOST_CENTRES = 1000  # of a frame, for angles; they are drawn at random from a larger one


@dataclass(frozen=True)
class Histogram:
    """counts: (B,) of each bin; edges: (B + 1,) in angstrom or radian."""

    counts: np.ndarray
    edges: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """(B,) middles of the bins."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def share(self, x: np.ndarray, where: np.ndarray) -> float:
        """Part of the counts that lies where (P,) bool is true on the ascending grid x (P,)."""
        total = self.counts.sum()
        if not total:
            return 0.0
        nearest = np.clip(np.searchsorted(x, self.centres), 0, len(x) - 1)
        return float(self.counts[where[nearest]].sum() / total)


@dataclass
class Distances:
    """Distances of all atoms up to a cutoff, by species of centre and neighbour.

    counts: (S, S, B), every pair of atoms from both sides.
    centres: (S,) atoms that were looked at.
    shortest: angstrom; inf if no two atoms are within the cutoff.
    periodic: frames with a periodic direction.
    """

    species: tuple[str, ...]
    cutoff: float
    counts: np.ndarray = field(init=False)
    centres: np.ndarray = field(init=False)
    shortest: float = np.inf
    frames: int = 0
    periodic: int = 0

    def __post_init__(self) -> None:
        s = len(self.species)
        self.edges = _edges(self.cutoff, DISTANCE_BIN)
        self.counts = np.zeros((s, s, len(self.edges) - 1))
        self.centres = np.zeros(s, np.int64)

    def add(self, frame: Frame) -> None:
        """Take one more frame into account.

        Raises:
          FrameError: a species is not among those of the descriptor, or two atoms coincide.
        """
        near = neighbour_list(frame, self.species, self.cutoff)
        r = np.linalg.norm(near.vectors, axis=1)
        s = len(self.species)
        kind = near.species[near.centre] * s + near.species[near.index]
        for one in range(s * s):
            counted, _ = np.histogram(r[kind == one], self.edges)
            self.counts[one // s, one % s] += counted
        self.centres += np.bincount(near.species, minlength=s)
        self.shortest = min(self.shortest, float(r.min(initial=np.inf)))
        self.frames += 1
        self.periodic += bool(frame.pbc.any())

    def of_pair(self, centre: str, neighbour: str) -> Histogram:
        """Distances from atoms of one species to those of another one."""
        i, j = self.species.index(centre), self.species.index(neighbour)
        return Histogram(self.counts[i, j], self.edges)

    def up_to(self, cutoff: float) -> Distances:
        """Only the distances of the bins that begin before a shorter cutoff."""
        other = Distances(self.species, self.cutoff)
        bins = int(np.searchsorted(self.edges, cutoff - 1e-9))
        other.counts, other.edges = self.counts[:, :, :bins], self.edges[: bins + 1]
        other.cutoff, other.centres, other.shortest = cutoff, self.centres, self.shortest
        other.frames, other.periodic = self.frames, self.periodic
        return other

    def neighbours_within(self) -> np.ndarray:
        """(B,) neighbours that an atom has on average up to the end of each bin."""
        return np.cumsum(self.counts.sum(axis=(0, 1))) / max(1, self.centres.sum())


@dataclass
class Angles:
    """Angles at the centre between two neighbours within a cutoff, as a descriptor sees them.

    Each unordered pair of neighbours counts fc(r_ij) fc(r_ik).
    angles, radii: (S, S, S, B) weights by species of the centre and of the two neighbours (the
      first not behind the second in the list of species), over the angle in radian and over the
      mean of the two distances in angstrom.
    shortest_mean: angstrom; inf if no atom has two neighbours.
    """

    species: tuple[str, ...]
    cutoff: float
    seed: int = 0
    shortest_mean: float = np.inf

    def __post_init__(self) -> None:
        s = len(self.species)
        self.angle_edges = _edges(np.pi, ANGLE_BIN)
        self.radius_edges = _edges(self.cutoff, DISTANCE_BIN)
        self.angles = np.zeros((s, s, s, len(self.angle_edges) - 1))
        self.radii = np.zeros((s, s, s, len(self.radius_edges) - 1))
        self._random = np.random.default_rng(self.seed)

    def add(self, frame: Frame) -> None:
        """Take one more frame into account.

        Raises:
          FrameError: as Distances.add.
        """
        near = neighbour_list(frame, self.species, self.cutoff)
        centres = np.arange(near.n_atoms)
        if len(centres) > MOST_CENTRES:
            centres = np.sort(self._random.choice(centres, MOST_CENTRES, replace=False))
        r = np.linalg.norm(near.vectors, axis=1)
        directions = near.vectors / r[:, None]
        fc = cutoff_function(self.cutoff, r)
        species = near.species[near.index]
        for centre in centres:
            mine = slice(near.first[centre], near.first[centre + 1])
            self._add(near.species[centre], species[mine], directions[mine], r[mine], fc[mine])

    def _add(self, centre, species, directions, r, fc) -> None:
        j, k = np.triu_indices(len(r), 1)
        if not len(j):
            return
        angle = np.arccos(np.clip(np.einsum("px,px->p", directions[j], directions[k]), -1, 1))
        mean, weight = 0.5 * (r[j] + r[k]), fc[j] * fc[k]
        self.shortest_mean = min(self.shortest_mean, float(mean.min()))
        a, b = np.minimum(species[j], species[k]), np.maximum(species[j], species[k])
        for target, value, edges in (
            (self.angles, angle, self.angle_edges),
            (self.radii, mean, self.radius_edges),
        ):
            width = edges[1] - edges[0]
            bins = np.minimum((value / width).astype(np.int64), len(edges) - 2)
            np.add.at(target[centre], (a, b, bins), weight)

    def angles_of(self, centre: str, one: str, other: str) -> Histogram:
        """Angles one - centre - other."""
        return Histogram(self.angles[self._place(centre, one, other)], self.angle_edges)

    def radii_of(self, centre: str, one: str, other: str) -> Histogram:
        """Mean distances of the neighbours one and other from the centre."""
        return Histogram(self.radii[self._place(centre, one, other)], self.radius_edges)

    def _place(self, centre: str, one: str, other: str) -> tuple[int, int, int]:
        i, j, k = (self.species.index(symbol) for symbol in (centre, one, other))
        return i, min(j, k), max(j, k)


@dataclass
class Geometry:
    """What a descriptor with these cutoffs meets in a set of frames."""

    distances: Distances
    angles: Angles

    @classmethod
    def within(cls, species: Sequence[str], rc_rad: float, rc_ang: float, seed: int) -> Geometry:
        """An empty one."""
        species = tuple(species)
        return cls(Distances(species, rc_rad), Angles(species, rc_ang, seed))

    def add(self, frame: Frame) -> None:
        """Take one more frame into account, or raise FrameError and leave all as it is."""
        if frame.n_atoms < 1:
            raise FrameError("no atoms")
        self.distances.add(frame)
        self.angles.add(frame)


def _edges(end: float, width: float) -> np.ndarray:
    """Equal bins from 0 to the end, of about this width."""
    return np.linspace(0.0, end, max(1, round(end / width)) + 1)
