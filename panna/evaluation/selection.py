"""Which frames to compute next: uncertain ones that differ from one another.

Of the POOL times N frames with the largest spread, the one with the largest spread is taken first;
then, again and again, the one farthest from all that are taken. The distance of two frames is that
of the descriptors of the atoms whose forces are least certain, one atom of each frame: of what the
members disagree about, not of the rest of the frame. Atoms of different species are infinitely
far; of equally far frames the less certain one comes first; a frame without any distance to those
taken is never taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panna.descriptors.evaluate import compute
from panna.descriptors.parameters import DescriptorParameters
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list

POOL = 5
NEAREST = 1e-6  # of the length of a descriptor: rounding only


def surroundings(frame: Frame, atom: int, parameters: DescriptorParameters) -> np.ndarray:
    """(g,) descriptor of an atom.

    Raises:
      FrameError: a species that the descriptor does not have, or coinciding atoms.
    """
    neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
    return compute(parameters, neighbours)[atom]


def farthest(species: Sequence[str], descriptors: np.ndarray, count: int) -> list[int]:
    """Numbers of the frames to take, in the order in which they are taken.

    Args:
      species: of the atom that stands for each of F frames, the least certain frame first.
      descriptors: (F, g) of these atoms.
      count: how many at most; fewer if all others are the same as one taken.
    """
    species, g = np.asarray(species), np.asarray(descriptors, float)
    distance = np.full(len(species), np.inf)
    taken: list[int] = []
    while len(taken) < min(count, len(species)):
        number = int(np.argmax(distance))
        if distance[number] <= NEAREST * np.linalg.norm(g[number]):
            break
        taken.append(number)
        same = species == species[number]
        away = np.linalg.norm(g[same] - g[number], axis=1)
        distance[same] = np.minimum(distance[same], away)
        distance[number] = -np.inf
    return taken
