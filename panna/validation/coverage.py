"""How far the environments of atoms are from those of a training set, in the space of descriptors.

Distances are Euclidean, between descriptors whose components are divided by their standard
deviations in the training set. They are exact, not those of a projection: what is new in a frame
is new just where the training set does not vary, and a projection on the principal components of
the training set would not see it. The descriptors are only rotated onto the principal axes, which
changes no distance but lets a k-d tree look at the important directions first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from panna.descriptors.evaluate import compute
from panna.descriptors.parameters import DescriptorParameters
from panna.errors import PannaError
from panna.frames.example_file import read_example
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list

MOST_ATOMS = 20_000  # of a species, that distances are measured to
MOST_OWN = 5_000  # of them, whose own nearest neighbours are looked for
FACTOR = 3.0  # an atom is uncovered beyond so many times the limit
QUANTILE = 0.99  # of the training set's own distances; this is the limit
SMALLEST = 1e-2  # standard deviation, as a part of the largest one of the species
BLOCK = 2_000_000  # distances at a time
SAME = 1e-5  # distance of environments that differ by rounding only


def describe(parameters: DescriptorParameters, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """(n,) numbers of the species and (n, g) descriptors of a frame.

    Raises:
      FrameError: a species that the potential does not have.
    """
    neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
    return neighbours.species, compute(parameters, neighbours)


def described_files(
    parameters: DescriptorParameters, paths: Iterable[Path], unreadable: list[tuple[str, str]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same of files; those that cannot be used are put on the list with the reason."""
    for path in paths:
        try:
            yield describe(parameters, read_example(path))
        except PannaError as error:
            unreadable.append((path.name, str(error)))


@dataclass
class Sample:
    """Atoms of one species of a training set: all of them, or MOST_ATOMS, each as likely as any.

    seen: how many there were.
    """

    random: np.random.Generator
    seen: int = 0
    _parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _held: int = 0

    def add(self, descriptors: np.ndarray, frame: int) -> None:
        """descriptors: (n, g) of the atoms of a frame; frame: its number."""
        n = len(descriptors)
        # The atoms with the smallest of such numbers are a fair sample, however many there are.
        lots = self.random.random(n)
        self._parts.append((lots, np.full(n, frame), descriptors))
        self.seen += n
        self._held += n
        if self._held > 2 * MOST_ATOMS:
            self._parts = [self._chosen()]
            self._held = len(self._parts[0][0])

    def atoms(self) -> tuple[np.ndarray, np.ndarray]:
        """(k, g) descriptors and (k,) numbers of their frames."""
        _, frames, descriptors = self._chosen()
        return descriptors, frames

    def _chosen(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        joined = tuple(np.concatenate(column) for column in zip(*self._parts, strict=True))
        lots = joined[0]
        chosen = np.sort(np.argsort(lots, kind="stable")[:MOST_ATOMS])
        return joined[0][chosen], joined[1][chosen], joined[2][chosen]


@dataclass(frozen=True)
class Cover:
    """The environments of one species in a training set.

    mean, scale: (g,), of the components. axes: (g, g) principal axes, a rotation.
    tree: of the atoms of the sample.
    limit: QUANTILE of the distances between training atoms and the nearest one of another frame.
    own: (m,) these distances; empty if all atoms are of one frame, and then the limit is 0.
    atoms, frames: how many there are.
    complete: whether there are no atoms beside the sample.
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    tree: cKDTree
    own: np.ndarray
    limit: float
    atoms: int
    frames: int
    complete: bool

    @classmethod
    def of(cls, sample: Sample) -> Cover:
        """At least one atom."""
        descriptors, frames = sample.atoms()
        mean, scale = descriptors.mean(0), descriptors.std(0)
        # Components that the training set does not vary are what a new environment shows up in.
        scale = np.maximum(scale, max(SMALLEST * scale.max(), 1e-6))
        scaled = (descriptors - mean) / scale
        axes = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1]
        points = scaled @ axes
        tree = cKDTree(points)
        chosen = sample.random.permutation(len(points))[:MOST_OWN]
        own = _nearest_of_others(tree, points[chosen], frames[chosen], frames)
        return cls(
            mean, scale, axes, tree, own,
            limit=float(np.quantile(own, QUANTILE)) if len(own) else 0.0,
            atoms=sample.seen,
            frames=len(np.unique(frames)),
            complete=sample.seen == len(points),
        )  # fmt: skip

    def coordinates(self, descriptors: np.ndarray) -> np.ndarray:
        """(n, g) -> (n, g), along the principal axes, the first one first."""
        return (descriptors - self.mean) / self.scale @ self.axes

    def distances(self, coordinates: np.ndarray) -> np.ndarray:
        """(n,) to the nearest atom of the sample."""
        return self.tree.query(coordinates)[0]

    def distances_to(self, others: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        """(n,) to the nearest of the descriptors `others`, (k, g); infinite if all are too far.

        Too far to cover an atom: what lies beyond that need not be looked at, which makes this
        much faster than to find the nearest one wherever it is.
        """
        reach = max(FACTOR * self.limit, SAME)
        return cKDTree(self.coordinates(others)).query(coordinates, distance_upper_bound=reach)[0]

    def ratios(self, distances: np.ndarray) -> np.ndarray:
        """(n,) distances over the limit; infinite beyond a limit of zero."""
        same = distances <= SAME
        ratios = np.full(len(distances), np.inf)
        if self.limit > SAME:
            ratios = distances / self.limit
        return np.where(same, 0.0, ratios)


def _nearest_of_others(
    tree: cKDTree, points: np.ndarray, mine: np.ndarray, frames: np.ndarray
) -> np.ndarray:
    """Distances of points to the nearest one of another frame; empty if there is no other frame.

    Args:
      points, mine: (m, g) points and (m,) their frames.
      frames: (k,) of the points in the tree.
    """
    if (frames == frames[0]).all():
        return np.zeros(0)
    found = np.full(len(points), np.inf)
    open_ones, count = np.arange(len(points)), 2
    while len(open_ones):
        count = min(count, tree.n)
        # Atoms of a crystal have many equals in their frame.
        for some in np.array_split(open_ones, 1 + len(open_ones) * count // BLOCK):
            distances, neighbours = tree.query(points[some], count)
            distances[frames[neighbours] == mine[some, None]] = np.inf
            found[some] = distances.min(1, initial=np.inf)
        open_ones = open_ones[~np.isfinite(found[open_ones])]
        count *= 4
    return found
