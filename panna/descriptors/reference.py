"""Readable NumPy version of the descriptors, written from the equations alone.

It shares no code with the C++ core: tests compare the two, and a reader who wants to know what a
descriptor *is* finds it here. It is some hundred times slower than the core; nothing in the
pipeline calls it.

Notation: centre i with neighbours j, k (periodic images are separate neighbours), r_ij in
angstrom, c = cos(angle j-i-k), fc(r) = (1 + cos(pi r / Rc)) / 2 for r < Rc and 0 beyond.

* Radial (both types): G[s, m] = sum over j of species s of exp(-eta (r_ij - Rs_m)^2) fc(r_ij).
* mBP: Eq. 5 of Lot et al., CPC 256, 107402 (2020), smoothed as in its note 63.
* BP: Eq. 4 of the same paper (Behler and Parrinello, PRL 98, 146401), with each eta_ang combined
  with each zeta and with lambda = +1, -1.

Order of the components of one atom: radial blocks of species 0, 1, ..., then angular blocks of the
species pairs (0,0), (0,1), ..., (1,1), ... Inside a radial block: mBP by Rs; BP by eta (slow), then
Rs. Inside an angular block: mBP by Rs (slow), then theta; BP by eta (slow), zeta, lambda.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from panna.descriptors.parameters import BP, MBP
    from panna.frames.neighbours import NeighbourList

SMALLEST_SINE = 1e-10  # angle derivative of collinear triples when eps = 0, as in PANNA


def compute(parameters: MBP | BP, neighbours: NeighbourList) -> np.ndarray:
    """Descriptors of all centres of a neighbour list.

    Args:
      parameters: MBP or BP, lengths in angstrom, eta in 1/angstrom^2.
      neighbours: full neighbour list (both directions) of N centres.
    Returns:
      (N, size) float64, dimensionless.
    """
    result = np.zeros((len(neighbours.species), _size(parameters)))
    for centre, vectors, species in _centres(neighbours):
        result[centre], _ = _one_centre(parameters, vectors, species, with_gradient=False)
    return result


def jacobian(parameters: MBP | BP, neighbours: NeighbourList) -> np.ndarray:
    """Derivative of each centre's descriptor with respect to each of its neighbour vectors.

    Args:
      parameters: MBP or BP, lengths in angstrom, eta in 1/angstrom^2.
      neighbours: full neighbour list with M neighbour vectors.
    Returns:
      (M, size, 3) float64, 1/angstrom: d G_centre / d vectors[m].
    """
    result = np.zeros((len(neighbours.index), _size(parameters), 3))
    for centre, vectors, species in _centres(neighbours):
        first, last = neighbours.first[centre], neighbours.first[centre + 1]
        _, result[first:last] = _one_centre(parameters, vectors, species, with_gradient=True)
    return result


def _centres(neighbours: NeighbourList):
    """Yields (centre, vectors (m, 3), species of the neighbours (m,)) for each centre."""
    species = np.asarray(neighbours.species)
    for centre in range(len(species)):
        mine = slice(neighbours.first[centre], neighbours.first[centre + 1])
        yield centre, np.asarray(neighbours.vectors[mine]), species[neighbours.index[mine]]


def _angular_block(parameters: MBP | BP) -> int:
    """Number of components of one angular block."""
    if parameters.type == "mBP":
        return len(parameters.rs_ang) * len(parameters.thetas)
    return len(parameters.eta_ang) * len(parameters.zeta) * 2


def _radial_terms(parameters: MBP | BP) -> tuple[np.ndarray, np.ndarray]:
    """(eta, Rs) of each component of a radial block."""
    eta, r_s = np.asarray(parameters.eta_rad, float), np.asarray(parameters.rs_rad, float)
    if parameters.type == "mBP":
        return eta, r_s
    return np.repeat(eta, len(r_s)), np.tile(r_s, len(eta))


def _size(parameters: MBP | BP) -> int:
    n = len(parameters.species)
    radial = len(_radial_terms(parameters)[0])
    return n * radial + n * (n + 1) // 2 * _angular_block(parameters)


def _cutoff(r: np.ndarray, rc: float, zeroed: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """fc(r) and its derivative, both zero from rc on unless zeroed is False."""
    inside = r < (rc if zeroed else np.inf)
    value = np.where(inside, 0.5 * (1 + np.cos(np.pi * r / rc)), 0.0)
    slope = np.where(inside, -0.5 * np.pi / rc * np.sin(np.pi * r / rc), 0.0)
    return value, slope


def _one_centre(parameters, vectors, species, *, with_gradient):
    """G (size,) of one centre and dG/dvectors (m, size, 3) of its m neighbours."""
    g = np.zeros(_size(parameters))
    dg = np.zeros((len(vectors), len(g), 3)) if with_gradient else None
    _add_radial(parameters, vectors, species, g, dg)
    _add_angular(parameters, vectors, species, g, dg)
    return g, dg


def _add_radial(parameters, vectors, species, g, dg) -> None:
    """Adds the radial blocks of one centre to g (size,) and dg (m, size, 3) in place."""
    eta, r_s = _radial_terms(parameters)
    r = np.linalg.norm(vectors, axis=1)
    fc, dfc = _cutoff(r, parameters.rc_rad)
    distance = r[:, None] - r_s
    gauss = np.exp(-eta * distance**2)
    value = gauss * fc[:, None]
    slope = gauss * dfc[:, None] - 2 * eta * distance * value
    for s in range(len(parameters.species)):
        mine = np.flatnonzero(species == s)
        block = slice(s * len(eta), (s + 1) * len(eta))
        g[block] = value[mine].sum(axis=0)
        if dg is not None:
            direction = vectors[mine] / r[mine, None]
            dg[mine, block] = slope[mine, :, None] * direction[:, None, :]


def _add_angular(parameters, vectors, species, g, dg) -> None:
    """Adds the angular blocks of one centre to g (size,) and dg (m, size, 3) in place.

    Every unordered pair of neighbours within Rc_ang is one row of the arrays below.
    """
    n, length = len(parameters.species), _angular_block(parameters)
    start = n * len(_radial_terms(parameters)[0])
    near = np.flatnonzero(np.linalg.norm(vectors, axis=1) < parameters.rc_ang)
    j, k = (near[side] for side in np.triu_indices(len(near), 1))
    if not len(j):
        return
    of_type = _mbp_pairs if parameters.type == "mBP" else _bp_pairs
    value, d_j, d_k = of_type(parameters, vectors[j], vectors[k], dg is not None)
    s, t = np.minimum(species[j], species[k]), np.maximum(species[j], species[k])
    if getattr(parameters, "like_pairs", "once") == "twice":
        weight = np.where(s == t, 2.0, 1.0)
        value = value * weight[:, None]
        if dg is not None:
            d_j, d_k = d_j * weight[:, None, None], d_k * weight[:, None, None]
    pair_of_species = s * n - s * (s + 1) // 2 + t
    for p in np.unique(pair_of_species):
        mine = pair_of_species == p
        block = slice(start + p * length, start + (p + 1) * length)
        g[block] = value[mine].sum(axis=0)
        if dg is not None:
            np.add.at(dg[:, block], j[mine], d_j[mine])
            np.add.at(dg[:, block], k[mine], d_k[mine])


def _angle(v_j, v_k, r_j, r_k):
    """Cosine c of the angle between v_j and v_k, unit vectors, and gradients of c by v_j and v_k.

    For nearly collinear triples and eps = 0 the last bits of c decide the slope (1 / S): this is
    the order of operations that comes closest to published data.
    """
    u_j, u_k = v_j / r_j[:, None], v_k / r_k[:, None]
    c = np.clip(np.sum(v_j * v_k, axis=1) / (r_j * r_k), -1.0, 1.0)
    dc_j = (u_k - c[:, None] * u_j) / r_j[:, None]
    dc_k = (u_j - c[:, None] * u_k) / r_k[:, None]
    return c, u_j, u_k, dc_j, dc_k


def _mbp_pairs(parameters, v_j, v_k, with_gradient):
    """Angular mBP terms of P pairs of neighbours.

    A = 2 exp(-eta [(r_ij + r_ik)/2 - Rs]^2)
          { [1 + c cos(theta_m) + S sin(theta_m)] / [1 + sqrt(1 + eps sin^2 theta_m)] }^zeta
          fc(r_ij) fc(r_ik),    S = sqrt(1 - c^2 + eps sin^2 theta_m).

    Args:
      v_j, v_k: (P, 3) vectors from the centre.
    Returns:
      A (P, block), dA/dv_j and dA/dv_k (P, block, 3) or None, None.
    """
    eta, r_s = np.asarray(parameters.eta_ang, float), np.asarray(parameters.rs_ang, float)
    theta, zeta = np.asarray(parameters.thetas, float), np.asarray(parameters.zeta, float)
    r_j, r_k = np.linalg.norm(v_j, axis=1), np.linalg.norm(v_k, axis=1)
    c, u_j, u_k, dc_j, dc_k = _angle(v_j, v_k, r_j, r_k)
    fc_j, dfc_j = _cutoff(r_j, parameters.rc_ang)
    fc_k, dfc_k = _cutoff(r_k, parameters.rc_ang)

    distance = 0.5 * (r_j + r_k)[:, None] - r_s
    radial = 2 * np.exp(-eta * distance**2)  # (P, Rs)
    smooth = parameters.eps * np.sin(theta) ** 2
    sine = np.sqrt(np.maximum(1 - c[:, None] ** 2, 0.0) + smooth)  # (P, thetas)
    base = (1 + c[:, None] * np.cos(theta) + sine * np.sin(theta)) / (1 + np.sqrt(1 + smooth))
    angular = base**zeta

    def outer(pair_factor, of_radius, of_angle):
        product = pair_factor[:, None, None] * of_radius[:, :, None] * of_angle[:, None, :]
        return product.reshape(len(pair_factor), -1)

    value = outer(fc_j * fc_k, radial, angular)
    if not with_gradient:
        return value, None, None
    d_radial = -eta * distance * radial  # by r_ij or r_ik: half of the derivative by the mean
    dbase = np.cos(theta) - c[:, None] * np.sin(theta) / np.maximum(sine, SMALLEST_SINE)
    dbase /= 1 + np.sqrt(1 + smooth)
    d_angular = zeta * base ** (zeta - 1) * dbase
    by_cosine = outer(fc_j * fc_k, radial, d_angular)
    by_r_j = outer(fc_j * fc_k, d_radial, angular) + outer(dfc_j * fc_k, radial, angular)
    by_r_k = outer(fc_j * fc_k, d_radial, angular) + outer(fc_j * dfc_k, radial, angular)
    d_j = by_r_j[:, :, None] * u_j[:, None] + by_cosine[:, :, None] * dc_j[:, None]
    d_k = by_r_k[:, :, None] * u_k[:, None] + by_cosine[:, :, None] * dc_k[:, None]
    return value, d_j, d_k


def _bp_pairs(parameters, v_j, v_k, with_gradient):
    """Angular BP terms of P pairs of neighbours.

    A = 2 [(1 + lambda c)/2]^zeta exp(-eta (r_ij^2 + r_ik^2 + r_jk^2)) fc(r_ij) fc(r_ik) fc(r_jk).
    With rjk_cutoff = "published" fc(r_jk) keeps its cosine beyond Rc, as PANNA computes it.

    Args:
      v_j, v_k: (P, 3) vectors from the centre.
    Returns:
      A (P, block), dA/dv_j and dA/dv_k (P, block, 3) or None, None.
    """
    eta = np.asarray(parameters.eta_ang, float)
    rc = parameters.rc_ang
    zeta = np.repeat(np.asarray(parameters.zeta, float), 2)  # (zeta, lambda), lambda fast
    sign = np.tile([1.0, -1.0], len(parameters.zeta))
    v_jk = v_k - v_j
    r_j, r_k = np.linalg.norm(v_j, axis=1), np.linalg.norm(v_k, axis=1)
    r_jk = np.linalg.norm(v_jk, axis=1)
    c, u_j, u_k, dc_j, dc_k = _angle(v_j, v_k, r_j, r_k)
    fc_j, dfc_j = _cutoff(r_j, rc)
    fc_k, dfc_k = _cutoff(r_k, rc)
    fc_jk, dfc_jk = _cutoff(r_jk, rc, zeroed=parameters.rjk_cutoff == "smooth")

    gauss = 2 * np.exp(-eta * (r_j**2 + r_k**2 + r_jk**2)[:, None])  # (P, eta)
    base = np.maximum(0.5 * (1 + sign * c[:, None]), 0.0)  # (P, zeta * lambda)
    angular = base**zeta

    def outer(pair_factor, of_radius, of_angle):
        product = pair_factor[:, None, None] * of_radius[:, :, None] * of_angle[:, None, :]
        return product.reshape(len(pair_factor), -1)

    value = outer(fc_j * fc_k * fc_jk, gauss, angular)
    if not with_gradient:
        return value, None, None
    d_angular = 0.5 * sign * zeta * base ** (zeta - 1)
    by_cosine = outer(fc_j * fc_k * fc_jk, gauss, d_angular)

    def by_distance(r, d_product):
        """Through the Gaussian and through the cutoff function of this distance."""
        return outer(fc_j * fc_k * fc_jk * r, -2 * eta * gauss, angular) + outer(
            d_product, gauss, angular
        )

    by_r_j = by_distance(r_j, dfc_j * fc_k * fc_jk)
    by_r_k = by_distance(r_k, fc_j * dfc_k * fc_jk)
    by_r_jk = by_distance(r_jk, fc_j * fc_k * dfc_jk)
    u_jk = v_jk / np.maximum(r_jk, 1e-300)[:, None]
    d_j = by_r_j[:, :, None] * u_j[:, None] + by_cosine[:, :, None] * dc_j[:, None]
    d_k = by_r_k[:, :, None] * u_k[:, None] + by_cosine[:, :, None] * dc_k[:, None]
    by_v_jk = by_r_jk[:, :, None] * u_jk[:, None]
    return value, d_j - by_v_jk, d_k + by_v_jk
