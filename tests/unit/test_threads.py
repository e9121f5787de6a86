"""Not one bit of a result depends on the number of threads, or on which of them did what."""

import numpy as np
import pytest
from descriptor_cases import CELLS, DESCRIPTORS, mbp, random_frame
from model_cases import a_model

from panna import core
from panna.descriptors import evaluate
from panna.frames.neighbours import concatenate, neighbour_list
from panna.potential.panna_in import write_potential

THREADS = [1, 2, 4, 4, 4, 4, 4]


def many_atoms(parameters):
    """Enough atoms, with few and with many neighbours, that every thread gets several pieces."""
    frames = [random_frame(name, parameters.species, seed) for name in CELLS for seed in range(3)]
    return concatenate([neighbour_list(f, parameters.species, parameters.cutoff) for f in frames])


def assert_all_the_same(results):
    for result in results:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("name", ["mBP", "BP"])
def test_descriptors_and_their_derivatives(name):
    parameters = DESCRIPTORS[name]
    nl = many_atoms(parameters)
    assert len(nl.species) >= 8 * max(THREADS)  # see `parallel` in bindings.cpp
    rng = np.random.default_rng(0)
    bar = rng.normal(size=(len(nl.species), parameters.size))
    tangents = rng.normal(size=nl.vectors.shape)
    for result in (
        [evaluate.compute(parameters, nl, threads=n) for n in THREADS],
        [evaluate.vjp(parameters, nl, bar, threads=n) for n in THREADS],
        [evaluate.jvp(parameters, nl, tangents, threads=n) for n in THREADS],
        [evaluate.jacobian(parameters, nl, threads=n) for n in THREADS],
    ):
        assert_all_the_same(result)


@pytest.mark.parametrize("mixed", [False, True])
def test_potentials(tmp_path, mixed):
    parameters = mbp()
    nl = many_atoms(parameters)
    write_potential(a_model(parameters), tmp_path)
    potential = core.Potential(str(tmp_path), mixed=mixed)
    arguments = nl.species, nl.first, nl.index, nl.vectors
    results = [potential.compute(*arguments, threads=n) for n in THREADS]
    assert_all_the_same([energies for energies, _, _ in results])
    assert_all_the_same([gradient for _, gradient, _ in results])
