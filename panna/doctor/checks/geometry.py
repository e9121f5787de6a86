"""Frames that are there twice, and atoms that are too close."""

from __future__ import annotations

import numpy as np

from panna.doctor.findings import Finding, Found, check, of_frames
from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.frames.radii import radii_sum
from panna.frames.survey import SHORTEST_DISTANCE
from panna.report.level import Level


@check(
    "duplicates", "frames that are there twice",
    good="no frame is there twice",
    advice="remove them: they count twice, and where one of two is used for validation or test, "
    "errors come out too small",
    escalates=True,
)  # fmt: skip
def identical(s: Statistics, t: Thresholds) -> Found:
    first = _first_identical(s)
    frames = np.flatnonzero(first != np.arange(len(s)))
    return of_frames(s, frames, lambda f: f"identical to {s.name(first[f])}", "different")


def _first_identical(s: Statistics) -> np.ndarray:
    """(F,) for each frame the first one that is the same to the last bit."""
    _, index, inverse = np.unique(s.rows["fingerprint"], return_index=True, return_inverse=True)
    return index[inverse]


@check(
    "duplicates", "frames with the geometry of another one, but another energy",
    good="frames of the same geometry have the same energy",
    advice="no potential can fit both: find out which calculation is right (magnetic state, "
    "k points, functional, unfinished self-consistency) and remove the other",
)  # fmt: skip
def inconsistent(s: Statistics, t: Thresholds) -> Found:
    first = s.same_geometries(t.same_distance)
    shift = s.per_atom - s.per_atom[first]
    frames = np.flatnonzero(np.abs(shift) > t.same_energy)
    return of_frames(
        s,
        frames[np.argsort(-np.abs(shift[frames]), kind="stable")],
        lambda f: f"{1e3 * shift[f]:+.4g} meV/atom against {s.name(first[f])}",
        f"{1e3 * t.same_energy:g} meV/atom",
        shift,
        Level.BAD,
    )


@check(
    "duplicates", "frames with the geometry and energy of another one",
    good="no geometry is there twice",
    advice="remove one of each pair, as for frames that are there twice",
    escalates=True,
)  # fmt: skip
def repeated(s: Statistics, t: Thresholds) -> Found:
    first = s.same_geometries(t.same_distance)
    again = (first != np.arange(len(s))) & (_first_identical(s) == np.arange(len(s)))
    again &= ~(np.abs(s.per_atom - s.per_atom[first]) > t.same_energy)
    return of_frames(
        s,
        np.flatnonzero(again),
        lambda f: f"as {s.name(first[f])}",
        f"coordinates differ by more than {t.same_distance:g} angstrom",
    )


@check(
    "distances", "frames with atoms too close",
    good="no atoms are too close",
    advice="check positions, cell and unit of length; keep such frames only if they are to teach "
    "the repulsion",
    escalates=True,
)  # fmt: skip
def too_close(s: Statistics, t: Thresholds) -> Found:
    ratio, distance = s.rows["distance_ratio"], s.rows["distance"]
    frames = np.flatnonzero((ratio < t.close) | (distance < SHORTEST_DISTANCE))

    def pair(f: int) -> tuple[str, str]:
        return s.close_pairs[s.rows["distance_pair"][f]]

    def one(f: int) -> Finding:
        limit = t.close * radii_sum(pair(f))
        return Finding(
            s.name(f),
            f"{'-'.join(pair(f))} {distance[f]:.3g} angstrom ({ratio[f]:.0%} of the radii)",
            f"{limit:.3g} angstrom ({t.close:.0%})",
            float(distance[f]),
            int(f),
            Level.BAD if distance[f] < SHORTEST_DISTANCE else Level.DOUBTFUL,
        )

    return [one(f) for f in frames[np.argsort(ratio[frames], kind="stable")]]


@check(
    "distances", "signs of a wrong unit",
    good="the unit of lengths seems right",
    advice="check the unit of lengths",
)  # fmt: skip
def too_far(s: Statistics, t: Thresholds) -> Found:
    # The frames are named by the other checks; this one is about all frames together.
    return [
        Finding("all frames", text, "distances of bonds", level=Level.BAD)
        for text in s.survey.warnings()
        if text.startswith("no two atoms")
    ]
