"""Numbers of half precision in the core: with all instruction sets those of NumPy."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from panna import core
from panna.descriptors import evaluate
from panna.frames.ase_atoms import frame_of_structure
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import energies_and_gradients
from panna.potential.panna_in import descriptor_of, read_potential

POTENTIAL = Path(__file__).parents[2] / "examples" / "lammps" / "potential" / "member_1"

BITS = np.arange(2**16, dtype=np.uint16)
NUMBERS = BITS[BITS >> 10 & 31 != 31].view(np.float16)  # all, without infinities and nan


@pytest.fixture(params=core.isas(), autouse=True)
def instruction_set(request):
    before = core.isa()
    core.set_isa(request.param)
    yield
    core.set_isa(before)


@pytest.mark.parametrize("first", range(20))
def test_every_number_is_read_exactly(first):
    """Also where a row ends with less numbers than a register has."""
    block = np.zeros((1, 3, len(NUMBERS) - first), np.float16)
    block[0, 1] = NUMBERS[first:]
    starts, size = np.array([0, 1]), block.shape[2]
    change = core.blocks_jvp([block], starts, np.array([[0.0, 1.0, 0.0]]), size, 1)
    assert np.array_equal(change[0], NUMBERS[first:])
    one = np.zeros((1, size), np.float32)
    one[0, -1 - first] = 1.0
    slope = core.blocks_vjp([block], starts, one, 1)
    assert np.array_equal(slope, [[0.0, NUMBERS[-1 - first], 0.0]])


def test_numbers_are_rounded_as_numpy_does():
    """All numbers, those half-way between two, and their neighbours in float32."""
    sorted_numbers = np.sort(NUMBERS.astype(np.float32))
    halfway = (sorted_numbers[1:] + sorted_numbers[:-1]) / 2
    some = np.concatenate([NUMBERS.astype(np.float32), halfway, [0.0, -0.0, 65519.99, 1e-30]])
    some = some.astype(np.float32)
    near = np.concatenate([some, np.nextafter(some, np.inf), np.nextafter(some, -np.inf)])
    found, expected = core.to_half(near), near.astype(np.float16)
    assert np.array_equal(found, expected) and np.array_equal(np.signbit(found), np.signbit(near))


def test_numbers_too_large_become_infinite():
    found = core.to_half(np.array([[65520.0, -7e4], [1e30, -np.inf]], np.float32))
    assert found.shape == (2, 2) and np.array_equal(found, [[np.inf, -np.inf]] * 2)


def test_rows_shorter_than_a_register():
    rng = np.random.default_rng(0)
    for count in range(40):
        numbers = rng.normal(size=count).astype(np.float32)
        assert np.array_equal(core.to_half(numbers), numbers.astype(np.float16))


def test_forces_of_a_trained_potential_hardly_change():
    """What rounding its derivatives does to training."""
    model = read_potential(POTENTIAL)[0]
    descriptor = descriptor_of(model)
    rng = np.random.default_rng(0)
    atoms = bulk("Si", "diamond", 5.431, cubic=True) * 2
    atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
    neighbours = neighbour_list(frame_of_structure(atoms), ("Si",), descriptor.cutoff)
    slopes = energies_and_gradients(
        model, neighbours.species, evaluate.compute(descriptor, neighbours)
    )[1]
    blocks = evaluate.blocks(descriptor, neighbours, 1)
    exact, rounded = (
        core.forces(
            neighbours.first,
            neighbours.index,
            core.blocks_vjp([stored], neighbours.first, slopes.astype(np.float32)),
        )
        for stored in (blocks, core.to_half(blocks))
    )
    assert 0 < np.std(rounded - exact) < 1e-3 * np.std(exact)
    assert np.std(exact) > 1.0  # eV/angstrom


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_atoms_without_neighbours_have_no_derivatives(kind):
    """A frame that ends with one, and a frame of one alone."""
    block = np.arange(2 * 3 * 5).reshape(2, 3, 5).astype(kind)
    frames, starts = [block, np.zeros((0, 3, 5), kind)], np.array([0, 0, 2, 2, 2])
    bar = np.ones((4, 5), np.float32)
    assert np.array_equal(core.blocks_vjp(frames, starts, bar), block.sum(2))
    change = core.blocks_jvp(frames, starts, np.ones((2, 3)), 5)
    assert np.array_equal(change, [[0] * 5, block.sum((0, 1)), [0] * 5, [0] * 5])
