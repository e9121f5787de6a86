"""The derivatives of the compiled descriptors against finite differences and each other."""

from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import CELLS, DESCRIPTORS, random_frame

from panna import core
from panna.descriptors import evaluate, reference
from panna.frames.neighbours import neighbour_list

CASES = [(d, c) for d in DESCRIPTORS for c in CELLS]


@pytest.fixture(params=core.isas())
def isa(request):
    before = core.isa()
    core.set_isa(request.param)
    yield request.param
    core.set_isa(before)


def listed(descriptor_name, cell_name, margin=0.3):
    """A list a little longer than the cutoff: what lies beyond must not matter."""
    parameters = DESCRIPTORS[descriptor_name]
    frame = random_frame(cell_name, parameters.species)
    return parameters, frame, neighbour_list(frame, parameters.species, parameters.cutoff + margin)


def central_difference(function, h):
    """Difference quotient of function(h) at 0, fourth order.

    The second derivative of fc jumps at the cutoff, where an atom that crosses it within a step
    leaves an error of the order of the step: so steps are short.
    """
    return (8 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / (12 * h)


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_core_agrees_with_the_numpy_reference(descriptor_name, cell_name, isa):
    parameters, _, nl = listed(descriptor_name, cell_name)
    g = evaluate.compute(parameters, nl)
    expected = reference.compute(parameters, nl)
    scale = np.abs(expected).max()
    # both in double precision; sums of a few hundred terms of order one
    np.testing.assert_allclose(g, expected, rtol=1e-12, atol=1e-13 * scale)


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_jacobian_agrees_with_the_numpy_reference(descriptor_name, cell_name, isa):
    parameters, _, nl = listed(descriptor_name, cell_name)
    jacobian = evaluate.jacobian(parameters, nl)
    expected = reference.jacobian(parameters, nl)
    np.testing.assert_allclose(jacobian, expected, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_vjp_and_jvp_are_adjoint(descriptor_name, cell_name, isa):
    parameters, _, nl = listed(descriptor_name, cell_name)
    rng = np.random.default_rng(1)
    g_bar = rng.normal(size=(len(nl.species), parameters.size))
    tangents = rng.normal(size=nl.vectors.shape)
    left = np.sum(evaluate.vjp(parameters, nl, g_bar) * tangents)
    terms = g_bar * evaluate.jvp(parameters, nl, tangents)
    assert abs(left - terms.sum()) <= 1e-12 * np.abs(terms).sum()


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_jvp_is_the_derivative_of_the_descriptor(descriptor_name, cell_name, isa):
    parameters, _, nl = listed(descriptor_name, cell_name)
    tangents = np.random.default_rng(2).normal(size=nl.vectors.shape)
    jvp = evaluate.jvp(parameters, nl, tangents)

    def moved(step):
        return evaluate.compute(parameters, replace(nl, vectors=nl.vectors + step * tangents))

    difference = central_difference(moved, 2e-5)
    assert np.abs(jvp - difference).max() <= 1e-6 * np.abs(jvp).max()


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_forces_are_minus_the_gradient(descriptor_name, cell_name):
    """Of a smooth function of all descriptors, atoms moved one by one, lists rebuilt."""
    parameters, frame, nl = listed(descriptor_name, cell_name)
    weights = np.random.default_rng(3).normal(size=(len(nl.species), parameters.size))

    def energy(positions):
        moved = replace(frame, positions=positions)
        listing = neighbour_list(moved, parameters.species, parameters.cutoff)
        return np.sum(weights * evaluate.compute(parameters, listing))

    forces = evaluate.forces_from_pairs(nl, evaluate.vjp(parameters, nl, weights))
    atoms = range(0, len(frame.species), 4)
    for atom in atoms:
        for axis in range(3):
            step = np.zeros_like(frame.positions)
            step[atom, axis] = 1.0
            slope = central_difference(lambda h, s=step: energy(frame.positions + h * s), 5e-5)
            assert abs(forces[atom, axis] + slope) <= 1e-6 * np.abs(forces).max()
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-12 * np.abs(forces).max())


@pytest.mark.parametrize("descriptor_name, cell_name", CASES)
def test_virial_is_minus_the_strain_derivative(descriptor_name, cell_name):
    parameters, frame, nl = listed(descriptor_name, cell_name)
    weights = np.random.default_rng(4).normal(size=(len(nl.species), parameters.size))
    gradient = evaluate.vjp(parameters, nl, weights)
    virial = evaluate.virial_from_pairs(nl, gradient)

    def energy(strain):
        deform = np.eye(3) + strain
        strained = replace(frame, positions=frame.positions @ deform.T, cell=frame.cell @ deform.T)
        listing = neighbour_list(strained, parameters.species, parameters.cutoff)
        return np.sum(weights * evaluate.compute(parameters, listing))

    for a in range(3):
        for b in range(3):
            unit = np.zeros((3, 3))
            unit[a, b] = 1.0
            slope = central_difference(lambda h, u=unit: energy(h * u), 2e-5)
            assert abs(virial[a, b] + slope) <= 1e-6 * np.abs(virial).max()
    # rotations do not change the energy
    np.testing.assert_allclose(virial, virial.T, atol=1e-11 * np.abs(virial).max())


def test_batches_of_frames_give_what_single_frames_give():
    from panna.frames.neighbours import concatenate

    parameters = DESCRIPTORS["mBP"]
    frames = [random_frame(name) for name in CELLS]
    lists = [neighbour_list(f, parameters.species, parameters.cutoff) for f in frames]
    together = evaluate.compute(parameters, concatenate(lists), threads=2)
    alone = np.concatenate([evaluate.compute(parameters, nl, threads=1) for nl in lists])
    np.testing.assert_array_equal(together, alone)


def test_atoms_without_neighbours_have_zero_descriptors():
    parameters = DESCRIPTORS["mBP"]
    nl = neighbour_list(random_frame("molecule"), parameters.species, 0.2)
    assert len(nl.index) == 0
    assert not evaluate.compute(parameters, nl).any()
    assert evaluate.vjp(parameters, nl, np.ones((len(nl.species), parameters.size))).shape == (0, 3)


def test_collinear_neighbours_without_smoothing_stay_finite():
    """eps = 0 is singular where three atoms are on a line."""
    from descriptor_cases import mbp

    from panna.frames.neighbours import NeighbourList

    parameters = mbp(eps=0.0)
    vectors = np.array([[1.2, 0, 0], [-1.2, 0, 0], [2.4, 0, 0]])
    nl = NeighbourList(
        species=np.zeros(4, np.int32),
        first=np.array([0, 3, 3, 3, 3]),
        index=np.array([1, 2, 3]),
        vectors=vectors,
    )
    assert np.isfinite(evaluate.jacobian(parameters, nl)).all()


def test_inconsistent_lists_are_refused():
    from panna.errors import DescriptorError

    parameters, _, nl = listed("mBP", "molecule")
    for broken, word in (
        (replace(nl, index=nl.index + 100), "index"),
        (replace(nl, species=nl.species + 5), "species"),
        (replace(nl, first=nl.first[::-1].copy()), "first"),
        (replace(nl, vectors=nl.vectors[:-1]), "vectors"),
    ):
        with pytest.raises(DescriptorError, match=word):
            evaluate.compute(parameters, broken)
