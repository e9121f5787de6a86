"""The NumPy reference of the descriptors against formulas written out for single terms."""

from dataclasses import replace
from math import acos, cos, exp, pi, sin, sqrt

import numpy as np
import pytest

from panna.descriptors import reference
from panna.descriptors.parameters import BP, MBP
from panna.frames.neighbours import NeighbourList

MBP_TWO = MBP(
    species=("H", "O"),
    rc_rad=4.0,
    rs_rad=(0.5, 1.5),
    eta_rad=(3.0, 5.0),
    rc_ang=3.0,
    rs_ang=(0.8, 1.3, 2.0),
    eta_ang=(4.0, 2.0, 3.0),
    thetas=(0.4, 2.0),
    zeta=(8.0, 5.5),
    eps=1e-2,
)
BP_TWO = BP(
    species=("H", "O"),
    rc_rad=4.0,
    rs_rad=(0.0, 1.5),
    eta_rad=(0.5, 1.0),
    rc_ang=3.0,
    eta_ang=(0.05, 0.2),
    zeta=(1.0, 4.0, 2.5),
)
VARIANTS = [
    MBP_TWO,
    replace(MBP_TWO, eps=0.0),
    replace(MBP_TWO, eps=1e-3, like_pairs="twice"),
    BP_TWO,
    replace(BP_TWO, rjk_cutoff="published"),
]


def cluster(n=6, seed=0):
    """Every atom is a neighbour of every other one; positions far from collinear."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-1.6, 1.6, (n, 3))
    index = np.array([[k for k in range(n) if k != i] for i in range(n)]).ravel()
    centre = np.repeat(np.arange(n), n - 1)
    return NeighbourList(
        species=np.arange(n, dtype=np.int32) % 2,
        first=np.arange(n + 1) * (n - 1),
        index=index,
        vectors=positions[index] - positions[centre],
    )


def one_centre(species, vectors):
    """A centre of species 0 (atom 0) whose neighbours have the species and vectors given."""
    m = len(vectors)
    return NeighbourList(
        species=np.array([0, *species], np.int32),
        first=np.array([0] + [m] * (m + 1)),
        index=np.arange(1, m + 1),
        vectors=np.array(vectors, float),
    )


def fc(r, rc):
    return 0.5 * (1 + cos(pi * r / rc)) if r < rc else 0.0


def test_radial_terms_of_one_neighbour_are_the_formula():
    g = reference.compute(MBP_TWO, one_centre([1], [[0, 0, 1.2]]))[0]
    expected = np.zeros(MBP_TWO.size)
    for m in range(2):
        distance = 1.2 - MBP_TWO.rs_rad[m]
        expected[2 + m] = exp(-MBP_TWO.eta_rad[m] * distance**2) * fc(1.2, 4.0)
    np.testing.assert_allclose(g, expected, rtol=1e-14, atol=0)


def test_angular_mbp_terms_of_one_pair_are_the_formula_in_the_documented_order():
    v_j, v_k = np.array([0.3, 1.1, -0.2]), np.array([1.4, -0.1, 0.5])
    g = reference.compute(MBP_TWO, one_centre([1, 0], [v_j, v_k]))[0]
    r_j, r_k = np.linalg.norm(v_j), np.linalg.norm(v_k)
    c = v_j @ v_k / (r_j * r_k)
    expected = []
    for p in range(3):
        for t in range(2):
            smooth = MBP_TWO.eps * sin(MBP_TWO.thetas[t]) ** 2
            base = 1 + c * cos(MBP_TWO.thetas[t])
            base += sqrt(1 - c * c + smooth) * sin(MBP_TWO.thetas[t])
            value = 2 * (base / (1 + sqrt(1 + smooth))) ** MBP_TWO.zeta[t]
            value *= exp(-MBP_TWO.eta_ang[p] * ((r_j + r_k) / 2 - MBP_TWO.rs_ang[p]) ** 2)
            expected.append(value * fc(r_j, 3.0) * fc(r_k, 3.0))
    # blocks of 6: (H,H), (H,O), (O,O) after 4 radial components
    np.testing.assert_allclose(g[10:16], expected, rtol=1e-13)
    assert not g[4:10].any() and not g[16:].any()


def test_angular_bp_terms_of_one_pair_are_the_formula_in_the_documented_order():
    v_j, v_k = np.array([0.3, 1.1, -0.2]), np.array([1.4, -0.1, 0.5])
    g = reference.compute(BP_TWO, one_centre([1, 1], [v_j, v_k]))[0]
    r_j, r_k, r_jk = (np.linalg.norm(v) for v in (v_j, v_k, v_k - v_j))
    c = v_j @ v_k / (r_j * r_k)
    expected = [
        2 * ((1 + sign * c) / 2) ** zeta * exp(-eta * (r_j**2 + r_k**2 + r_jk**2))
        * fc(r_j, 3.0) * fc(r_k, 3.0) * fc(r_jk, 3.0)
        for eta in BP_TWO.eta_ang for zeta in BP_TWO.zeta for sign in (1, -1)
    ]  # fmt: skip
    # radial: 2 species x 2 eta x 2 Rs = 8; blocks of 12: (H,H), (H,O), (O,O)
    np.testing.assert_allclose(g[8 + 24 :], expected, rtol=1e-13)
    assert not g[8 : 8 + 24].any()


def test_radial_bp_has_eta_slow_and_rs_fast():
    g = reference.compute(BP_TWO, one_centre([0], [[0, 0, 1.2]]))[0]
    expected = [
        exp(-eta * (1.2 - rs) ** 2) * fc(1.2, 4.0) for eta in BP_TWO.eta_rad for rs in BP_TWO.rs_rad
    ]
    np.testing.assert_allclose(g[:4], expected, rtol=1e-14)


@pytest.mark.parametrize("parameters", VARIANTS)
def test_jacobian_is_the_derivative(parameters):
    neighbours = cluster()
    tangent = np.random.default_rng(1).normal(size=neighbours.vectors.shape)
    step = 1e-5
    plus, minus = (
        reference.compute(parameters, replace_vectors(neighbours, sign * step * tangent))
        for sign in (1, -1)
    )
    numerical = (plus - minus) / (2 * step)
    product = np.einsum("msx,mx->ms", reference.jacobian(parameters, neighbours), tangent)
    analytical = np.add.reduceat(product, neighbours.first[:-1])
    # central differences: step^2 of the third derivative, and rounding 1e-16 / step
    np.testing.assert_allclose(analytical, numerical, atol=2e-7 * np.abs(numerical).max())


def replace_vectors(neighbours, change):
    return replace(neighbours, vectors=neighbours.vectors + change)


@pytest.mark.parametrize("parameters", VARIANTS)
def test_size_is_what_the_parameters_say(parameters):
    assert reference.compute(parameters, cluster()).shape == (6, parameters.size)


def test_an_atom_without_neighbours_has_zero_descriptor():
    alone = one_centre([], np.zeros((0, 3)))
    assert not reference.compute(MBP_TWO, alone).any()
    assert reference.jacobian(MBP_TWO, alone).shape == (0, MBP_TWO.size, 3)


def test_like_pairs_twice_doubles_pairs_of_one_species_only():
    neighbours = cluster()
    once = reference.compute(MBP_TWO, neighbours)
    twice = reference.compute(replace(MBP_TWO, like_pairs="twice"), neighbours)
    factor = np.ones(MBP_TWO.size)
    factor[4:10] = factor[16:22] = 2.0
    np.testing.assert_allclose(twice, once * factor, rtol=1e-14)


def test_without_smoothing_the_angular_function_is_the_half_angle_power():
    parameters = replace(MBP_TWO, eps=0.0)
    v_j, v_k = np.array([0.3, 1.1, -0.2]), np.array([1.4, -0.1, 0.5])
    g = reference.compute(parameters, one_centre([0, 0], [v_j, v_k]))[0][4:10].reshape(3, 2)
    angle = acos(v_j @ v_k / np.linalg.norm(v_j) / np.linalg.norm(v_k))
    powers = [((1 + cos(angle - t)) / 2) ** z for t, z in zip((0.4, 2.0), (8.0, 5.5), strict=True)]
    np.testing.assert_allclose(g[:, 0] / g[:, 1], powers[0] / powers[1], rtol=1e-12)


def test_collinear_neighbours_have_finite_derivatives_without_smoothing():
    line = one_centre([0, 0], [[1.0, 0, 0], [2.0, 0, 0]])
    assert np.isfinite(reference.jacobian(replace(MBP_TWO, eps=0.0), line)).all()


def test_bp_pairs_further_apart_than_the_cutoff_vanish_only_when_smooth():
    far = one_centre([0, 0], [[2.0, 0, 0], [-2.0, 0.1, 0]])
    assert not reference.compute(BP_TWO, far)[0, 8:].any()
    assert reference.compute(replace(BP_TWO, rjk_cutoff="published"), far)[0, 8:].any()
