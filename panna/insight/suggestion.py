"""Parameters of mBP from the distances and angles of data.

The rule, lengths in angstrom:

* Rc_rad: data with a periodic direction and at least 24 neighbours within 8: the first minimum of
  the distribution of distances between atoms other than hydrogen (of all atoms if that has none)
  within which an atom has at least 24 neighbours on average, that is the end of the second or third
  shell of neighbours; without such a minimum the radius of 24 neighbours. Molecules: 1.2 times
  the distance below which 99 % of all distances are, but at most 6. Or what the user says.
* Rc_ang: Rc_rad, or the radius within which an atom has 50 neighbours on average (1225 angles) if
  that is smaller.
* Rs0_rad, Rs0_ang: the shortest distance, and the smallest mean of two distances, less 0.05 and
  rounded down to 0.1.
* RsN_rad, RsN_ang, ThetasN: by the size.
* eta_rad, eta_ang, zeta: so that neighbouring functions overlap by 0.7 (see `resolution`):
  exp(-eta d^2 / 2) = 0.7 for centres at a distance d, and cos^(2 zeta) for angles likewise. Two
  Gaussians then cross at 84 % of their height.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.config.gvect import GVECT
from panna.config.ini import ini_text
from panna.config.reader import Config, read_config
from panna.errors import DescriptorError
from panna.insight.geometry import Distances

SEARCH_RADIUS = 8.0  # angstrom
FEWEST_NEIGHBOURS = 24  # within Rc_rad
MOST_NEIGHBOURS = 50  # within Rc_ang
MARGIN = 1.2  # of the cutoff around a molecule
MOLECULE_SHARE = 0.99  # of the distances in a molecule
LONGEST_MOLECULE = 6.0  # angstrom
OVERLAP = 0.7
BLUR = 0.1  # angstrom; shells closer than about twice this are one shell
DEPTH = 0.05  # of a minimum, relative to the mean density of neighbours
BELOW = 0.05  # angstrom between the shortest distance and the first centre, at least
NARROWEST = 0.5  # angstrom between the first centre and the cutoff, at least


@dataclass(frozen=True)
class Size:
    """Numbers of radial functions, of angular shells and of angles."""

    rsn_rad: int
    rsn_ang: int
    thetas: int


SIZES = {"small": Size(10, 3, 6), "medium": Size(16, 4, 8), "large": Size(24, 8, 8)}


@dataclass(frozen=True)
class Choice:
    """A length in angstrom and why it was chosen."""

    value: float
    reason: str


@dataclass(frozen=True)
class Suggestion:
    """Parameters of mBP; lengths in angstrom, eta in 1/angstrom^2."""

    species: tuple[str, ...]
    rc_rad: Choice
    rc_ang: Choice
    rs0_rad: Choice
    rs0_ang: Choice
    size: Size

    @property
    def eta_rad(self) -> float:
        """For RsN_rad centres between Rs0_rad and Rc_rad."""
        return eta_for((self.rc_rad.value - self.rs0_rad.value) / self.size.rsn_rad)

    @property
    def eta_ang(self) -> float:
        """For RsN_ang centres between Rs0_ang and Rc_ang."""
        return eta_for((self.rc_ang.value - self.rs0_ang.value) / self.size.rsn_ang)

    @property
    def zeta(self) -> int:
        """For ThetasN angles; an integer, which is computed fastest."""
        return zeta_for(math.pi / self.size.thetas)

    def ini(self, folders: dict[str, str]) -> str:
        """A complete gvect.ini.

        Args:
          folders: the keys of [IO_INFORMATION].
        """
        return ini_text(
            {
                "IO_INFORMATION": folders,
                "SYMMETRY_FUNCTION": {"type": "mBP", "species": ", ".join(self.species)},
                "GVECT_PARAMETERS": {
                    "gvect_parameters_unit": "angstrom",
                    "eta_rad": f"{self.eta_rad:.4g}",
                    "Rc_rad": f"{self.rc_rad.value:g}",
                    "Rs0_rad": f"{self.rs0_rad.value:g}",
                    "RsN_rad": str(self.size.rsn_rad),
                    "eta_ang": f"{self.eta_ang:.4g}",
                    "Rc_ang": f"{self.rc_ang.value:g}",
                    "Rs0_ang": f"{self.rs0_ang.value:g}",
                    "RsN_ang": str(self.size.rsn_ang),
                    "zeta": str(self.zeta),
                    "ThetasN": str(self.size.thetas),
                },
            }
        )


def eta_for(spacing: float) -> float:
    """Eta with which Gaussians at this distance overlap by OVERLAP."""
    return -2 * math.log(OVERLAP) / spacing**2


def zeta_for(spacing: float) -> int:
    """Zeta with which [(1 + cos x) / 2]^zeta at this distance in radian overlap by OVERLAP.

    For large zeta the function is exp(-zeta x^2 / 4), a Gaussian with eta = zeta / 4.
    """
    return max(1, round(4 * eta_for(spacing)))


def species_order(symbols: Iterable[str]) -> tuple[str, ...]:
    """Species in the order of the alphabet."""
    return tuple(sorted(set(symbols)))


def radial_cutoff(distances: Distances, given: float | None) -> Choice:
    """Rc_rad for distances collected up to SEARCH_RADIUS (or up to what the user has given).

    Raises:
      DescriptorError: no two atoms are within the radius.
    """
    if not np.isfinite(distances.shortest):
        raise DescriptorError(
            f"no two atoms are within {distances.cutoff:g} angstrom of each other: isolated atoms, "
            "or the unit of lengths is wrong"
        )
    if given is not None:
        return Choice(given, "as given")
    within = distances.neighbours_within()
    if distances.periodic and within[-1] >= FEWEST_NEIGHBOURS:
        return _shell_end(distances, within)
    return _molecule(distances)


def angular_cutoff(distances: Distances, rc_rad: float) -> Choice:
    """Rc_ang: as far as the number of angles allows."""
    radius = radius_of(distances, MOST_NEIGHBOURS)
    if radius is None or radius >= rc_rad:
        return Choice(rc_rad, "as Rc_rad")
    return Choice(_down(radius, 0.1), f"{MOST_NEIGHBOURS} neighbours on average")


def first_centre(shortest: float, what: str) -> Choice:
    """A centre just below the shortest distance."""
    value = max(0.0, _down(shortest - BELOW, 0.1))
    return Choice(value, f"below the {what}, {shortest:.3g}")


def suggestion(
    distances: Distances, shortest_mean: float, rc_rad: Choice, rc_ang: Choice, size: str
) -> Suggestion:
    """The parameters.

    Raises:
      DescriptorError: the cutoffs are hardly longer than the shortest distances.
    """
    rs0_rad = first_centre(distances.shortest, "shortest distance")
    rs0_ang = rs0_rad
    if np.isfinite(shortest_mean):
        rs0_ang = first_centre(shortest_mean, "smallest mean distance")
    for name, cutoff, first in (("Rc_rad", rc_rad, rs0_rad), ("Rc_ang", rc_ang, rs0_ang)):
        if cutoff.value < first.value + NARROWEST:
            raise DescriptorError(
                f"{name} = {cutoff.value:g} angstrom ({cutoff.reason}) found, expected at least "
                f"{first.value + NARROWEST:g} as the first centre is at {first.value:g}: choose a "
                "longer cutoff with --cutoff"
            )
    return Suggestion(distances.species, rc_rad, rc_ang, rs0_rad, rs0_ang, SIZES[size])


def read_back(ini: str) -> Config:
    """What panna_gvect_calculator reads from this text.

    Raises:
      ConfigError: it would refuse it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gvect.ini"
        path.write_text(ini, encoding="utf-8")
        return read_config(path, GVECT)


# -- shells ----------------------------------------------------------------------------------------


def _shell_end(distances: Distances, within: np.ndarray) -> Choice:
    ends = distances.edges[1:]
    for symbols, what in (
        ([s for s in distances.species if s != "H"], "atoms other than hydrogen"),
        (list(distances.species), "atoms"),
    ):
        for minimum in minima(distances, symbols):
            count = np.interp(minimum, ends, within)
            if count >= FEWEST_NEIGHBOURS:
                what = what if "H" in distances.species else "atoms"
                return Choice(
                    round(minimum, 1),
                    f"minimum of the distribution of distances between {what}, "
                    f"{count:.0f} neighbours",
                )
    radius = radius_of(distances, FEWEST_NEIGHBOURS)
    return Choice(_up(radius, 0.1), f"no shells to be seen; {FEWEST_NEIGHBOURS} neighbours")


def minima(distances: Distances, symbols: Sequence[str]) -> list[float]:
    """Ends of the shells of neighbours in angstrom: minima of the blurred radial density.

    The density of neighbours, counts / r^2, is g(r) up to a factor; it needs no volume, so that
    slabs and clusters are no special case.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    some = [distances.species.index(symbol) for symbol in symbols]
    counts = distances.counts[np.ix_(some, some)].sum(axis=(0, 1))
    if not counts.any():
        return []
    r = 0.5 * (distances.edges[1:] + distances.edges[:-1])
    width = distances.edges[1] - distances.edges[0]
    density = gaussian_filter1d(counts / r**2, BLUR / width, mode="nearest")
    density /= counts.sum() / np.sum(r**2)
    places, _ = find_peaks(-density, prominence=DEPTH)
    first = np.argmax(density > DEPTH)
    return [float(r[place]) for place in places if place > first]


def radius_of(distances: Distances, neighbours: float) -> float | None:
    """Radius within which an atom has so many neighbours on average; None if it has fewer."""
    within = distances.neighbours_within()
    if within[-1] < neighbours:
        return None
    return float(distances.edges[1:][np.searchsorted(within, neighbours)])


def _molecule(distances: Distances) -> Choice:
    within = distances.neighbours_within()
    place = np.searchsorted(within, MOLECULE_SHARE * within[-1])
    size = distances.edges[1:][min(place, len(within) - 1)]
    if MARGIN * size >= LONGEST_MOLECULE:
        return Choice(LONGEST_MOLECULE, "the longest for molecules")
    return Choice(
        _up(MARGIN * size, 0.1),
        f"{MARGIN:g} x {size:.3g}, below which {100 * MOLECULE_SHARE:.0f} % of the distances are",
    )


def _down(value: float, step: float) -> float:
    return round(math.floor(value / step + 1e-9) * step, 6)


def _up(value: float, step: float) -> float:
    return round(math.ceil(value / step - 1e-9) * step, 6)
