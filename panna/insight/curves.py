"""The functions of a descriptor as curves, computed by the descriptor itself.

Every point is the descriptor of a centre with one neighbour (radial) or two (angular), through the
compiled core: what is drawn is what potentials calculate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from panna.descriptors.centres import equal_angles
from panna.descriptors.evaluate import compute
from panna.descriptors.parameters import BP, MBP
from panna.frames.neighbours import NeighbourList

POINTS = 1001  # of a curve
NEAR = 1e-3  # angstrom; so near the centre that Gaussians and cutoffs of BP are 1 to 1e-6
FLAT = 1e-12  # eta or zeta of a function that is 1 everywhere
WIDEST = 0.999  # of a cutoff; the last distance that is drawn


@dataclass(frozen=True)
class Family:
    """Functions of one variable.

    x: (P,) distance in angstrom or angle in radian.
    y: (F, P) the functions.
    cutoff: (P,) what the cutoff functions contribute to each of them, above 0; 1 for angles.
    centres: (F,) where the functions were put; nan for the functions of BP of the angle.
    widths: (F,) full width at half maximum without the cutoff, in the unit of x.
    """

    x: np.ndarray
    y: np.ndarray
    cutoff: np.ndarray
    centres: np.ndarray
    widths: np.ndarray

    @property
    def uncut(self) -> np.ndarray:
        """(F, P) the functions without the cutoff."""
        return self.y / self.cutoff


@dataclass(frozen=True)
class Curves:
    """The three families of functions of a descriptor; the same for all species.

    radial: contribution of one neighbour, over its distance.
    angular: dependence on the angle alone, with a maximum of 1.
    mean_radius: dependence on the mean distance of two neighbours that are equally far, with a
      maximum of 1 before the cutoff; for BP the two and the centre are an equilateral triangle.
    """

    radial: Family
    angular: Family
    mean_radius: Family


def curves(parameters: MBP | BP) -> Curves:
    """The functions of a descriptor."""
    alone = replace(parameters, species=parameters.species[:1])
    if isinstance(parameters, MBP):
        return Curves(_radial(alone), _mbp_angular(alone), _mbp_mean_radius(alone))
    return Curves(_radial(alone), _bp_angular(alone), _bp_mean_radius(alone))


def cutoff_function(cutoff: float, distances: np.ndarray) -> np.ndarray:
    """fc at (P,) distances in angstrom, from a descriptor whose Gaussian is flat."""
    flat = MBP(
        species=("H",), rc_rad=cutoff, rs_rad=(0.0,), eta_rad=(FLAT,),
        rc_ang=cutoff, rs_ang=(0.0,), eta_ang=(FLAT,), thetas=equal_angles(1, "midpoints"),
        zeta=(1.0,),
    )  # fmt: skip
    return _radial_part(flat, distances)[0]


# -- radial ----------------------------------------------------------------------------------------


def _radial(p: MBP | BP) -> Family:
    x = _distances(p.rc_rad)
    if isinstance(p, MBP):
        eta, centres = np.array(p.eta_rad), np.array(p.rs_rad)
    else:
        eta = np.repeat(p.eta_rad, len(p.rs_rad))
        centres = np.tile(p.rs_rad, len(p.eta_rad))
    return Family(
        x, _radial_part(p, x), cutoff_function(p.rc_rad, x), centres, _gaussian_width(eta)
    )


def _radial_part(p: MBP | BP, distances: np.ndarray) -> np.ndarray:
    """(F, P) radial components of centres with one neighbour."""
    distances = np.asarray(distances, float)
    vectors = np.zeros((len(distances), 1, 3))
    vectors[:, 0, 0] = distances
    angular = len(p.rs_ang) * len(p.thetas) if isinstance(p, MBP) else _bp_block(p)
    return _descriptors(p, vectors)[:, : p.size - angular].T


# -- angular, mBP ----------------------------------------------------------------------------------


def _mbp_angular(p: MBP) -> Family:
    # One shell of neighbours at its centre, which only scales the curve.
    shell = replace(p, rs_ang=(p.rc_ang / 2,), eta_ang=(1.0,))
    thetas, radius = np.array(p.thetas), np.array([p.rc_ang / 2])
    x = np.linspace(0.0, np.pi, POINTS)
    anywhere = replace(shell, zeta=(FLAT,) * len(p.zeta))
    y = _angular_part(shell, radius, x) / _angular_part(anywhere, radius, radius)
    return Family(x, y, np.ones(len(x)), thetas, _power_width(np.array(p.zeta)))


def _mbp_mean_radius(p: MBP) -> Family:
    x = _distances(p.rc_ang)
    one = replace(p, thetas=p.thetas[:1], zeta=(FLAT,))
    y = _angular_part(one, x, np.array([np.pi / 2])) / _prefactor(one)
    fc = cutoff_function(p.rc_ang, x)
    return Family(x, y, fc**2, np.array(p.rs_ang), _gaussian_width(np.array(p.eta_ang)))


def _prefactor(p: MBP) -> float:
    """Largest contribution of a pair of neighbours without the cutoff: 2, or 4 if counted twice."""
    flat = replace(p, rs_ang=(0.0,), eta_ang=(FLAT,))
    at = np.array([p.rc_ang / 2])
    value = _angular_part(flat, at, np.array([np.pi / 2]))[0, 0]
    return value / cutoff_function(p.rc_ang, at)[0] ** 2


# -- angular, BP -----------------------------------------------------------------------------------


def _bp_angular(p: BP) -> Family:
    one = replace(p, eta_ang=(FLAT,))
    x = np.linspace(0.0, np.pi, POINTS)
    y = _angular_part(one, np.array([NEAR]), x)
    count = len(y)
    return Family(
        x,
        y / y.max(axis=1, keepdims=True),
        np.ones(len(x)),
        np.full(count, np.nan),
        _power_width(np.repeat(p.zeta, 2)),
    )


def _bp_mean_radius(p: BP) -> Family:
    one = replace(p, zeta=p.zeta[:1])
    flat = replace(one, eta_ang=(FLAT,))
    x, angle = _distances(p.rc_ang), np.array([np.pi / 3])
    height = _angular_part(flat, np.array([NEAR]), angle)[0, 0]
    fc = cutoff_function(p.rc_ang, x)
    y = _angular_part(one, x, angle)[::2] / height
    # exp(-3 eta r^2) of an equilateral triangle
    widths = _gaussian_width(3 * np.array(p.eta_ang))
    return Family(x, y, fc**3, np.zeros(len(y)), widths)


def _bp_block(p: BP) -> int:
    return len(p.eta_ang) * len(p.zeta) * 2


# -- the descriptor of few atoms -------------------------------------------------------------------


def _angular_part(p: MBP | BP, radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(F, P) angular components of centres with two neighbours, equally far.

    radii, angles: (P,) or (1,).
    """
    radii, angles = np.broadcast_arrays(np.asarray(radii, float), np.asarray(angles, float))
    vectors = np.zeros((len(radii), 2, 3))
    vectors[:, 0, 0] = radii
    vectors[:, 1, 0], vectors[:, 1, 1] = radii * np.cos(angles), radii * np.sin(angles)
    block = len(p.rs_ang) * len(p.thetas) if isinstance(p, MBP) else _bp_block(p)
    return _descriptors(p, vectors)[:, p.size - block :].T


def _descriptors(p: MBP | BP, vectors: np.ndarray) -> np.ndarray:
    """(C, size) descriptors of C centres, each with k neighbours; vectors: (C, k, 3)."""
    count, k, _ = vectors.shape
    neighbours = NeighbourList(
        species=np.zeros(count, np.int32),
        first=np.arange(count + 1, dtype=np.int64) * k,
        index=np.repeat(np.arange(count, dtype=np.int64), k),
        vectors=np.ascontiguousarray(vectors.reshape(-1, 3)),
    )
    return compute(p, neighbours, threads=1)


def _distances(cutoff: float) -> np.ndarray:
    """Distances up to the cutoff; zero is left out, atoms never coincide."""
    return np.linspace(NEAR, cutoff * WIDEST, POINTS)


def _gaussian_width(eta: np.ndarray) -> np.ndarray:
    """Full width at half maximum of exp(-eta x^2)."""
    return 2 * np.sqrt(np.log(2) / eta)


def _power_width(zeta: np.ndarray) -> np.ndarray:
    """Full width at half maximum of [(1 + cos x) / 2]^zeta."""
    return 4 * np.arccos(0.5 ** (1 / (2 * zeta)))
