"""Descriptors in TensorFlow against the core: values and both products with their derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from descriptor_cases import CELLS, DESCRIPTORS, bp, mbp, random_frame

from panna.descriptors import evaluate
from panna.descriptors.parameters import DescriptorParameters
from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, concatenate, neighbour_list
from panna.network.graph_descriptors import GraphDescriptor
from panna.training.by_species import BySpecies, Lengths
from panna.training.neighbour_tables import NeighbourTables, Table

FOUR = ("Si", "O", "H", "C")
CASES = DESCRIPTORS | {
    "mBP, four species": mbp(FOUR),
    "mBP, eps 0": mbp(("Si",), eps=0.0),
    "mBP, zeta below 1": mbp(("Si",), zeta=(0.5, 1.0, 1.5, 2.0, 64.0)),
    "BP, four species": bp(FOUR),
    "BP, zeta no integer": bp(("Si",), zeta=(1.4, 1.0, 2.7)),
}
# Where atoms and their images lie on one line, the last bits of the cosine decide without eps.
AWAY_FROM_LINES = ("mBP, eps 0",)


def molecule(positions, species) -> Frame:
    """Atoms of all species in turn."""
    symbols = tuple(species[i % len(species)] for i in range(len(positions)))
    return Frame(symbols, np.array(positions, float), np.zeros((3, 3)), np.zeros(3, bool))


def sparse_frames(parameters: DescriptorParameters) -> list[Frame]:
    """An atom alone; pairs that are near, with radial terms only, and without any; three atoms."""
    between = 0.5 * (parameters.rc_rad + parameters.rc_ang)
    ends = [1.3, between, parameters.cutoff + 0.1]
    pairs = [[[0, 0, 0], [0.1, 0.2, end]] for end in ends]
    three = [[0, 0, 0], [1.5, 0.3, 0], [0.2, 1.7, 0.4]]
    return [molecule(places, parameters.species) for places in ([[0, 0, 0]], *pairs, three)]


@dataclass(frozen=True)
class Case:
    """A neighbour list of several frames and the same as a table."""

    neighbours: NeighbourList
    layout: BySpecies
    table: Table

    def rows(self, values: np.ndarray) -> tf.Tensor:
        """(N, ...) of the atoms -> those of the table, with noise where there is no atom."""
        shape = (int(self.layout.rows.sum()), *values.shape[1:])
        made = np.random.default_rng(9).normal(size=shape)
        made[self.layout.places()] = values
        return tf.constant(made)

    def atoms(self, values: tf.Tensor) -> np.ndarray:
        return values.numpy()[self.layout.places()]

    def forces(self, slopes: list[tf.Tensor]) -> np.ndarray:
        found = np.zeros((int(self.layout.rows.sum()), 3))
        for one, neighbours in zip(slopes, self.table.neighbours, strict=True):
            found += one.numpy().sum(1)
            np.subtract.at(found, neighbours, one.numpy())
        return found[self.layout.places()]

    def tangents(self, moves: np.ndarray) -> list[tf.Tensor]:
        """Changes of the vectors when atoms move; something where there is no neighbour, too."""
        rows = self.rows(moves).numpy()
        return [
            tf.constant(rows[neighbours] - rows[:, None]) for neighbours in self.table.neighbours
        ]


def a_case(parameters, frames, exact=False, dtype="float64", margin=0.3, room=0) -> Case:
    lists = [neighbour_list(one, parameters.species, parameters.cutoff + margin) for one in frames]
    neighbours = concatenate(lists)
    lengths = Lengths(len(parameters.species), exact)
    if room:
        lengths.expect(np.full((2, len(parameters.species)), float(room)), 1)
    layout = lengths.sort(neighbours.species)
    batch = {name: getattr(neighbours, name) for name in ("species", "first", "index", "vectors")}
    return Case(neighbours, layout, NeighbourTables(parameters, dtype, exact).make(batch, layout))


def all_frames(parameters) -> list[Frame]:
    frames = [random_frame(name, parameters.species) for name in CELLS]
    return frames + sparse_frames(parameters)


def close(found: np.ndarray, expected: np.ndarray, limit: float = 1e-11) -> None:
    worst = np.abs(found - expected).max() / np.abs(expected).max()
    assert worst < limit, f"relative difference {worst:.1e}"


def check_products(parameters, case: Case, descriptor: GraphDescriptor, limit: float = 1e-11):
    """Values, forces and changes are those of the core."""
    random, nl = np.random.default_rng(1), case.neighbours
    close(
        case.atoms(descriptor.values(case.table.vectors)), evaluate.compute(parameters, nl), limit
    )
    gradients = random.normal(size=(nl.n_atoms, parameters.size))
    expected = evaluate.forces_from_pairs(nl, evaluate.vjp(parameters, nl, gradients))
    slopes = descriptor.slopes(case.rows(gradients), case.table.vectors)
    close(case.forces(slopes), expected, limit)
    for one, vectors in zip(slopes, case.table.vectors, strict=True):
        assert not one.numpy()[~vectors.any(2)].any(), "a slope where there is no neighbour"
    moves = random.normal(size=(nl.n_atoms, 3))
    expected = evaluate.jvp(parameters, nl, moves[nl.index] - moves[nl.centre])
    found = descriptor.changes(case.tangents(moves), case.table.vectors)
    close(case.atoms(found), expected, limit)


@pytest.mark.parametrize("name", CASES)
def test_values_and_products_are_those_of_the_core(name):
    """All cells, atoms without neighbours or without angular ones, rows without an atom."""
    parameters = CASES[name]
    frames = all_frames(parameters)
    if name in AWAY_FROM_LINES:
        frames = [frames[0], *sparse_frames(parameters)]
    case = a_case(parameters, frames, room=60)
    check_products(parameters, case, GraphDescriptor(parameters))


def test_some_atoms_after_the_other_give_the_same():
    """Three at a time of ten; the last ones fill no block."""
    parameters = CASES["mBP, eps 1e-3, one species"]
    case = a_case(parameters, sparse_frames(parameters))
    check_products(parameters, case, GraphDescriptor(parameters, pairs_at_once=12))


def test_xla_gives_the_same():
    parameters = bp(("Si",))
    plain = GraphDescriptor(parameters, pairs_at_once=2000)
    case = a_case(parameters, all_frames(parameters)[2:])
    compiled = GraphDescriptor(parameters, pairs_at_once=2000)
    for product in ("values", "slopes", "changes"):
        function = tf.function(getattr(plain, product), autograph=False, jit_compile=True)
        setattr(compiled, product, function)
    check_products(parameters, case, compiled)


def test_sparse_batches_need_no_special_care():
    """Nothing but atoms alone, or no angular term at all: arrays without a column."""
    parameters = CASES["BP"]
    descriptor = GraphDescriptor(parameters)
    case = a_case(parameters, sparse_frames(parameters)[1:3], exact=True)
    check_products(parameters, case, descriptor)
    alone = a_case(parameters, sparse_frames(parameters)[:1], exact=True)
    assert [one.shape[1] for one in alone.table.vectors] == [0] * 6
    assert not descriptor.values(alone.table.vectors).numpy().any()
    gradients = tf.ones([1, parameters.size], tf.float64)
    slopes = descriptor.slopes(gradients, alone.table.vectors)
    assert all(one.shape == (1, 0, 3) for one in slopes)


@pytest.mark.parametrize("name", ["mBP", "BP, published r_jk cutoff"])
def test_neighbours_on_one_line(name):
    """A simple cubic crystal and a chain: cosines of exactly 1 and -1."""
    parameters = CASES[name]
    cell = np.eye(3) * 1.9
    crystal = Frame(("Si",), np.zeros((1, 3)), cell, np.ones(3, bool))
    chain = molecule(np.outer(np.arange(5), [0.0, 0.0, 1.1]), parameters.species)
    case = a_case(parameters, [crystal, chain])
    check_products(parameters, case, GraphDescriptor(parameters))


@pytest.mark.parametrize("name", ["mBP, eps 1e-3, one species", "mBP, zeta below 1", "BP"])
def test_single_precision_is_near(name):
    parameters = CASES[name]
    case = a_case(parameters, all_frames(parameters), dtype="float32")
    descriptor, nl = GraphDescriptor(parameters), case.neighbours
    found = case.atoms(descriptor.values(case.table.vectors))
    assert found.dtype == np.float32
    close(found, evaluate.compute(parameters, nl), 1e-5)
    gradients = np.random.default_rng(1).normal(size=(nl.n_atoms, parameters.size))
    expected = evaluate.forces_from_pairs(nl, evaluate.vjp(parameters, nl, gradients))
    rows = tf.cast(case.rows(gradients), tf.float32)
    close(case.forces(descriptor.slopes(rows, case.table.vectors)), expected, 3e-5)


def test_gradients_of_gradients_through_the_values():
    """A loss of forces by a parameter of the energy, against its difference quotient."""
    parameters = CASES["mBP, eps 1e-3, one species"]
    case = a_case(parameters, all_frames(parameters)[:1])
    descriptor = GraphDescriptor(parameters)
    vectors = [tf.constant(one) for one in case.table.vectors]

    def loss(scale):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            energy = tf.reduce_sum(tf.sin(scale * descriptor.values(vectors)))
        return tf.add_n([tf.reduce_sum(one**2) for one in tape.gradient(energy, vectors)])

    scale, h = tf.Variable(0.7, dtype=tf.float64), 1e-5
    with tf.GradientTape() as tape:
        value = loss(scale)
    found = tape.gradient(value, scale).numpy()
    expected = (loss(scale + h) - loss(scale - h)).numpy() / (2 * h)
    assert found == pytest.approx(expected, rel=1e-7)


def test_tables_get_wider_only():
    parameters = CASES["BP"]
    tables = NeighbourTables(parameters, "float32", exact=False)
    frames, lengths = all_frames(parameters), Lengths(3, exact=False)
    shapes = []
    for chosen in (frames, frames[5:], frames[:2], frames):
        lists = [neighbour_list(one, parameters.species, 4.5) for one in chosen]
        nl = concatenate(lists)
        batch = {name: getattr(nl, name) for name in ("species", "first", "index", "vectors")}
        table = tables.make(batch, lengths.sort(nl.species))
        assert sum(one.any(2).sum() for one in table.vectors) == nl.n_pairs
        shapes.append([one.shape for one in [*table.vectors, *table.neighbours]])
    assert shapes[0] == shapes[1] == shapes[2] == shapes[3]
