"""The atoms of the test set measured by the training set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from panna.descriptors.parameters import DescriptorParameters
from panna.listing import Listing
from panna.validation.coverage import FACTOR, Cover, Sample, describe, described_files
from panna.validation.frames import frames_of_test
from panna.validation.section import NotPossible
from panna.validation.subject import Subject

MOST_FRAMES = 5_000  # of the training set, that the sample is taken from
MOST_AGAIN = 20_000  # more, in which a neighbour of atoms without one is looked for
BLOCK = 20_000  # atoms of the training set at a time


@dataclass
class Measured:
    """The test set, N atoms, beside the training set.

    covers: by the number of the species; None of a species that the training set does not have.
    ratios: (N,) distance to the nearest training atom over the limit of its species; where this
      is more than FACTOR, to the nearest one of the sample.
    planes: (N, 2) coordinates along the first two principal axes, nan without a cover.
    frames, atoms: of the training set, that were used. files: how many there are.
    again: frames in which neighbours of atoms that seemed uncovered were looked for.
    unreadable: name of a training file and reason.
    """

    covers: dict[int, Cover | None]
    ratios: np.ndarray
    planes: np.ndarray
    files: int
    frames: int
    again: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def uncovered(self) -> np.ndarray:
        """(N,) bool."""
        return self.ratios > FACTOR


def measure(subject: Subject, files: Listing, parameters: DescriptorParameters) -> Measured:
    """Reads both sets.

    Args:
      files: of the training set, in random order.
    Raises:
      NotPossible: the training set has less than two frames.
    """
    covers, frames, unreadable = _covers(subject.species, files, parameters)
    test = subject.test
    count = len(test.species)
    ratios, planes = np.full(count, np.inf), np.full((count, 2), np.nan)
    first = 0
    beyond = frames + len(unreadable) < len(files)
    # Places and coordinates of atoms without a neighbour, where there are atoms beside the sample.
    alone: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {
        s: [] for s, cover in covers.items() if cover and (beyond or not cover.complete)
    }
    for frame in frames_of_test(subject):
        species, descriptors = describe(parameters, frame)
        for s in np.unique(species):
            cover = covers[int(s)]
            if cover is None:
                continue
            places = np.flatnonzero(species == s)
            coordinates = cover.coordinates(descriptors[places])
            places += first
            planes[places] = coordinates[:, :2]
            ratios[places] = cover.ratios(cover.distances(coordinates))
            far = ratios[places] > FACTOR
            if far.any() and int(s) in alone:
                alone[int(s)].append((places[far], coordinates[far]))
        first += len(species)
    found = Measured(covers, ratios, planes, len(files), frames, unreadable=unreadable)
    _look_again(found, alone, files, parameters)
    return found


def _covers(
    species: Sequence[str], files: Listing, parameters: DescriptorParameters
) -> tuple[dict[int, Cover | None], int, list[tuple[str, str]]]:
    random = np.random.default_rng(1)
    samples = {s: Sample(random) for s in range(len(species))}
    unreadable: list[tuple[str, str]] = []
    frames = 0
    some = files.select(np.arange(min(len(files), MOST_FRAMES)))
    for numbers, descriptors in described_files(parameters, some, unreadable):
        for s in np.unique(numbers):
            samples[int(s)].add(descriptors[numbers == s], frames)
        frames += 1
    if frames < 2:
        reason = f" ({': '.join(unreadable[0])})" if unreadable else ""
        raise NotPossible(
            f"{files.folder}: {frames} usable frames found{reason}; distances within a training "
            "set need two"
        )
    return (
        {s: Cover.of(one) if one.seen else None for s, one in samples.items()},
        frames,
        unreadable,
    )


def _look_again(
    found: Measured,
    alone: dict[int, list[tuple[np.ndarray, np.ndarray]]],
    files: Listing,
    parameters: DescriptorParameters,
) -> None:
    """Looks for neighbours of atoms without one among the training atoms outside the sample.

    A rare kind of environment may be missing in a sample.
    """
    left = {
        s: tuple(np.concatenate(column) for column in zip(*parts, strict=True))
        for s, parts in alone.items()
        if parts
    }
    if not left:
        return
    some = files.select(np.arange(min(len(files), MOST_FRAMES + MOST_AGAIN)))
    for frames, numbers, descriptors in _blocks(described_files(parameters, some, [])):
        found.again += frames
        for s, (places, coordinates) in list(left.items()):
            mine = numbers == s
            if not mine.any():
                continue
            cover = found.covers[s]
            assert cover is not None
            ratios = cover.ratios(cover.distances_to(descriptors[mine], coordinates))
            still = ratios > FACTOR
            found.ratios[places[~still]] = ratios[~still]
            left[s] = places[still], coordinates[still]
            if not still.any():
                del left[s]
        if not left:
            return


def _blocks(
    frames: Iterable[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Species and descriptors of frames, joined to BLOCK atoms or a few more; how many frames."""
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for frame in frames:
        parts.append(frame)
        count += len(frame[0])
        if count >= BLOCK:
            yield _joined(parts)
            parts, count = [], 0
    if parts:
        yield _joined(parts)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[int, np.ndarray, np.ndarray]:
    numbers, descriptors = (np.concatenate(column) for column in zip(*parts, strict=True))
    return len(parts), numbers, descriptors
