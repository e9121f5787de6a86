"""How well the functions of a descriptor resolve distances and angles: numbers, and warnings.

* Overlap of two functions: their normalised product, integral f g / sqrt(integral f^2 integral
  g^2), without the cutoff; exp(-eta d^2 / 2) for two whole Gaussians at a distance d.
* A part of the range is covered where the sum of the functions, without the cutoff, is at least a
  tenth of its maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panna.insight.curves import Curves, Family
from panna.insight.geometry import Geometry, Histogram
from panna.text import counted, listed

COVERED = 0.1  # of the maximum of the sum
ALIKE = 0.95  # overlap from which two functions say the same
APART = 0.1  # overlap below which what lies between two functions is seen by neither
SEEN = 1e-2  # of its maximum: a function below it sees nothing
MISSED = 0.01  # share of the data in gaps that is worth a warning


@dataclass(frozen=True)
class Resolution:
    """Numbers about one family of functions.

    name: radial, angular or mean radius.
    unit: of all lengths here: angstrom or degrees.
    spacings: (F - 1,) between neighbouring centres; nan for BP.
    widths: (F,) full width at half maximum.
    overlaps: (F - 1,) of neighbouring functions.
    gaps: parts of the range that are not covered, (from, to).
    """

    name: str
    unit: str
    centres: np.ndarray
    spacings: np.ndarray
    widths: np.ndarray
    overlaps: np.ndarray
    gaps: list[tuple[float, float]]

    @property
    def ratio(self) -> np.ndarray:
        """(F - 1,) spacing over the mean width of the two functions."""
        return self.spacings / (0.5 * (self.widths[1:] + self.widths[:-1]))


def resolution(curves: Curves) -> list[Resolution]:
    """The three families of a descriptor: radial, angular, mean radius."""
    return [
        _of("radial", "angstrom", curves.radial, 1.0),
        _of("angular", "degrees", curves.angular, 180 / np.pi),
        _of("mean radius", "angstrom", curves.mean_radius, 1.0),
    ]


def _of(name: str, unit: str, family: Family, factor: float) -> Resolution:
    order = np.lexsort((family.widths, np.nan_to_num(family.centres)))
    if np.isnan(family.centres).all():
        order = np.arange(len(family.centres))
    centres, functions = family.centres[order] * factor, family.uncut[order]
    return Resolution(
        name=name,
        unit=unit,
        centres=centres,
        spacings=np.diff(centres),
        widths=family.widths[order] * factor,
        overlaps=_overlaps(functions),
        gaps=[(a * factor, b * factor) for a, b in _intervals(family.x, ~covered(family))],
    )


def covered(family: Family) -> np.ndarray:
    """(P,) bool, where the sum of the functions is at least a tenth of its maximum."""
    total = family.uncut.sum(axis=0)
    return total >= COVERED * total.max()


def _overlaps(functions: np.ndarray) -> np.ndarray:
    """(F - 1,) of neighbouring rows of (F, P) functions on an equidistant grid."""
    norms = np.sqrt(np.sum(functions**2, axis=1))
    products = np.sum(functions[1:] * functions[:-1], axis=1)
    return products / np.maximum(norms[1:] * norms[:-1], 1e-300)


def _intervals(x: np.ndarray, where: np.ndarray) -> list[tuple[float, float]]:
    """Parts of the grid x (P,) where a condition (P,) holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(int)))
    return [(float(x[a]), float(x[b - 1])) for a, b in edges.reshape(-1, 2)]


# -- words -----------------------------------------------------------------------------------------

HEADERS = ("functions", "number", "from", "to", "unit", "spacing", "width", "ratio", "overlap")


def rows(found: Sequence[Resolution]) -> list[list[str]]:
    """One row for each family, as wide as HEADERS."""
    return [
        [
            one.name,
            str(len(one.widths)),
            _number(np.min(one.centres)),
            _number(np.max(one.centres)),
            one.unit,
            _range(one.spacings),
            _range(one.widths),
            _range(one.ratio),
            _range(one.overlaps),
        ]
        for one in found
    ]


def gap_lines(found: Sequence[Resolution]) -> list[str]:
    """The parts of the ranges that are not covered, one line for each family that has some."""
    return [
        f"{one.name}: not covered "
        + listed([f"{low:.2f} to {high:.2f} {one.unit}" for low, high in one.gaps])
        for one in found
        if one.gaps
    ]


def warnings(curves: Curves, geometry: Geometry | None = None) -> list[str]:
    """What is probably not intended, in words."""
    lines = []
    for one in resolution(curves):
        lines += _about_overlaps(one)
    if geometry is not None:
        lines += _about_data(curves, geometry)
    return lines


def _about_overlaps(one: Resolution) -> list[str]:
    lines = []
    alike, apart = one.overlaps > ALIKE, one.overlaps < APART
    if np.isnan(one.spacings).all():
        apart[:] = False  # BP: neighbours in the list look in opposite directions
    if alike.any():
        lines.append(
            f"{one.name}: {counted(int(alike.sum()), 'pair')} of neighbouring functions overlap by "
            f"more than {ALIKE:g} and say nearly the same: take fewer, or make them narrower "
            f"(larger {_exponent(one)})"
        )
    if apart.any():
        lines.append(
            f"{one.name}: {counted(int(apart.sum()), 'pair')} of neighbouring functions overlap by "
            f"less than {APART:g}, what lies between them is hardly seen: take more, or make them "
            f"wider (smaller {_exponent(one)})"
        )
    return lines


def _exponent(one: Resolution) -> str:
    return {"radial": "eta_rad", "angular": "zeta", "mean radius": "eta_ang"}[one.name]


def _about_data(curves: Curves, geometry: Geometry) -> list[str]:
    distances, angles = geometry.distances, geometry.angles
    if not distances.counts.sum():
        return [
            f"no two atoms of the data are within Rc_rad = {distances.cutoff:g} angstrom: is the "
            "unit of lengths right?"
        ]
    lines = []
    all_distances = Histogram(distances.counts.sum(axis=(0, 1)), distances.edges)
    lines += _missed("radial", "distances", curves.radial, all_distances)
    lines += _idle("radial", curves.radial, all_distances, 1.0, "angstrom")
    lines += _unseen_species(distances)
    if not angles.angles.sum():
        return [*lines, f"no atom of the data has two neighbours within {angles.cutoff:g} angstrom"]
    all_angles = Histogram(angles.angles.sum(axis=(0, 1, 2)), angles.angle_edges)
    all_radii = Histogram(angles.radii.sum(axis=(0, 1, 2)), angles.radius_edges)
    lines += _missed("angular", "angles", curves.angular, all_angles)
    lines += _missed("mean radius", "mean distances", curves.mean_radius, all_radii)
    lines += _idle("angular", curves.angular, all_angles, 180 / np.pi, "degrees")
    lines += _idle("mean radius", curves.mean_radius, all_radii, 1.0, "angstrom")
    return lines


def _missed(name: str, what: str, family: Family, data: Histogram) -> list[str]:
    share = data.share(family.x, ~covered(family))
    if share < MISSED:
        return []
    return [f"{name}: {100 * share:.1f} % of the {what} of the data lie where no function covers"]


def _idle(name: str, family: Family, data: Histogram, factor: float, unit: str) -> list[str]:
    """Functions that no datum reaches."""
    there = np.interp(family.x, data.centres, data.counts, left=0.0, right=0.0) > 0
    reach = np.where(there, family.uncut, 0.0).max(axis=1)
    idle = reach < SEEN * family.uncut.max(axis=1)
    if not idle.any():
        return []
    centres = [f"{centre * factor:.3g}" for centre in family.centres[idle]]
    which = f"centres {listed(centres)} {unit}"
    if len(idle) > 1 and not np.ptp(family.centres) > 0:  # those of BP differ in eta or zeta
        which = "number " + listed([str(number + 1) for number in np.flatnonzero(idle)])
    return [
        f"{name}: {counted(int(idle.sum()), 'function')} of {len(idle)} see nothing of the data "
        f"({which})"
    ]


def _unseen_species(distances) -> list[str]:
    return [
        f"{symbol} is among the species, but no atom of the data is one: its components stay 0"
        for symbol, count in zip(distances.species, distances.centres, strict=True)
        if not count
    ]


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def _range(values: np.ndarray) -> str:
    """Smallest and largest of some numbers, one number if they agree."""
    if not len(values) or np.isnan(values).all():
        return "-"
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-6 * abs(high):
        return _number(0.5 * (low + high))
    low, high = _number(low), _number(high)
    return low if low == high else f"{low}..{high}"
