"""Radial distribution functions: from trajectories, and how two differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, islice
from pathlib import Path

import numpy as np
from ase import Atoms

from panna.frames.ase_atoms import frame_of_structure
from panna.frames.neighbours import neighbour_list
from panna.validation.lammps.box import Box

BIN = 0.025  # angstrom
BLOCKS = 64  # of a trajectory at most, an even number; halves are told apart by them
DUMP_HEAD = 9  # lines before the atoms of a frame


@dataclass(frozen=True)
class Radial:
    """Averages over a trajectory.

    pairs: of species, (a, b).
    r: (bins,) angstrom, middles of the bins.
    g: (pairs, bins). Of periodic atoms g(r), the density of b round a over that of atoms without
      any order, (N_b - 1 if a is b) / volume. Otherwise the probability density of the distances,
      1/angstrom. nan for pairs that never exist.
    halves: (2, pairs, bins), the same of the first and of the second half.
    frames: how many.
    """

    pairs: list[tuple[str, str]]
    r: np.ndarray
    g: np.ndarray
    halves: np.ndarray
    frames: int

    def noise(self, pair: int) -> float:
        """Percent by which the two halves differ; nan where one of them has no such pair."""
        if self.frames > 1 and not self.g[pair].any():
            return 0.0  # never within reach: in this the halves agree
        return difference(*self.halves[:, pair])

    def peak(self, pair: int) -> tuple[float, float] | None:
        """Position, angstrom, and height of the first peak that is half as high as the highest."""
        values = self.g[pair]
        if not np.nanmax(np.append(values, 0)) > 0:
            return None
        high = values >= values.max() / 2
        begin = int(np.argmax(high))
        end = begin + int(np.argmin(np.append(high[begin:], False)))
        top = begin + int(np.argmax(values[begin:end]))
        shift, height = 0.0, float(values[top])
        if 0 < top < len(values) - 1:
            left, here, right = values[top - 1 : top + 2]
            curvature = left - 2 * here + right
            if curvature < 0:
                shift = 0.5 * (left - right) / curvature
                height = here - 0.25 * (left - right) * shift
        return float(self.r[top] + shift * BIN), float(height)


def difference(g: np.ndarray, reference: np.ndarray) -> float:
    """100 * sum |g - reference| / sum reference; nan without a reference."""
    total = reference.sum()
    return float(100 * np.abs(g - reference).sum() / total) if total > 0 else float("nan")


def expected_noise(one: Radial, other: Radial, pair: int) -> float:
    """Percent by which two runs of these lengths differ if their potentials are the same.

    Halves differ by sqrt(2) times the noise of one half, which is sqrt(2) times that of the whole.
    """
    return float(np.hypot(one.noise(pair), other.noise(pair)) / 2)


def radial_distribution(
    trajectory: Iterable[Atoms], species: tuple[str, ...], farthest: float
) -> Radial | None:
    """Average over all frames; None if there is none.

    Periodic frames are those that are so in all three directions. Each is normalised with its own
    density.

    Args:
      farthest: angstrom.
    """
    bins = round(farthest / BIN)
    pairs = list(combinations_with_replacement(range(len(species)), 2))
    blocks: list[np.ndarray] = []
    length, filled = 1, 0  # frames of a block, and those in the last one
    counts = np.zeros((len(pairs), 1))
    frames = 0
    for atoms in trajectory:
        values = _histogram(atoms, species, pairs, bins)
        known = np.isfinite(values).all(1)
        counts[known] += 1
        frames += 1
        if filled in (0, length):
            if len(blocks) == BLOCKS:
                blocks = [a + b for a, b in zip(blocks[::2], blocks[1::2], strict=True)]
                length *= 2
            blocks.append(np.zeros((len(pairs), bins)))
            filled = 0
        blocks[-1] += np.where(known[:, None], values, 0)
        filled += 1
    if not frames:
        return None
    middle = (len(blocks) + 1) // 2
    # Only shapes are compared: the halves need not be equally long.
    halves = [sum(part, np.zeros_like(blocks[0])) for part in (blocks[:middle], blocks[middle:])]
    total = halves[0] + halves[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = [
            half * total.sum(1, keepdims=True) / half.sum(1, keepdims=True) / counts
            for half in halves
        ]
        g = total / counts
    return Radial(
        [(species[a], species[b]) for a, b in pairs],
        (np.arange(bins) + 0.5) * BIN,
        g,
        np.array(scaled),
        frames,
    )


def _histogram(
    atoms: Atoms, species: tuple[str, ...], pairs: list[tuple[int, int]], bins: int
) -> np.ndarray:
    """(pairs, bins) of one frame; nan for pairs that it does not have."""
    found = neighbour_list(frame_of_structure(atoms), species, bins * BIN)
    distances = np.linalg.norm(found.vectors, axis=1)
    places = np.minimum((distances / BIN).astype(int), bins - 1)
    centre, neighbour = found.species[found.centre], found.species[found.index]
    n = len(species)
    flat = (centre * n + neighbour) * bins + places
    counts = np.bincount(flat, minlength=n * n * bins).reshape(n, n, bins).astype(float)
    numbers = np.bincount(found.species, minlength=n)
    edges = np.arange(bins + 1) * BIN
    if atoms.pbc.all():
        shells = 4 / 3 * np.pi * np.diff(edges**3) / atoms.get_volume()
    else:
        shells = np.full(bins, BIN)
    values = np.full((len(pairs), bins), np.nan)
    for k, (a, b) in enumerate(pairs):
        if possible := numbers[a] * (numbers[b] - (a == b)):
            values[k] = counts[a, b] / possible / shells
    return values


def read_dump(path: Path, box: Box, elements: tuple[str, ...]) -> Iterator[Atoms]:
    """Frames of a dump with the columns type, x, y, z, and a cell that does not change.

    Ends before a frame that is not complete.
    """
    symbols = np.array(elements)
    n = len(box.positions)
    with open(path) as file:
        while len(list(islice(file, DUMP_HEAD))) == DUMP_HEAD:
            rows = [line.split() for line in islice(file, n)]
            if len(rows) < n or any(len(row) != 4 for row in rows):
                return
            table = np.array(rows, float)
            types = table[:, 0].astype(int)
            yield Atoms(symbols[types - 1], table[:, 1:], cell=box.cell, pbc=box.pbc)
