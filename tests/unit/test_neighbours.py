"""Neighbour lists of crystals known by heart, the edges of the search, and named errors."""

from dataclasses import replace

import numpy as np
import pytest

from panna.errors import FrameError
from panna.frames.frame import Frame
from panna.frames.neighbours import concatenate, neighbour_list

A = 5.43  # lattice parameter of silicon, angstrom
FCC = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * A / 2
DIAMOND = Frame(("Si", "Si"), np.array([[0, 0, 0], [0.25, 0.25, 0.25]]) @ FCC, FCC, (True,) * 3)
OPEN = np.zeros((3, 3))


def molecule(*positions, species=None) -> Frame:
    return Frame(species or ("H",) * len(positions), positions, OPEN, (False,) * 3)


def pairs_of(found) -> list[tuple]:
    """Every row as (centre, neighbour, vector), in one order."""
    return sorted(
        (int(i), int(j), *(round(float(x), 9) + 0.0 for x in v))
        for i, j, v in zip(found.centre, found.index, found.vectors, strict=True)
    )


@pytest.mark.parametrize(
    ("cutoff", "neighbours"),
    # Shells of diamond: 4, 12, 12, 6, 12 atoms at sqrt(3)/4, sqrt(2)/2, sqrt(11)/4, 1, sqrt(19)/4.
    [(2.3, 0), (2.4, 4), (3.9, 16), (4.6, 28), (5.5, 34), (6.0, 46)],
)
def test_the_shells_of_silicon(cutoff, neighbours):
    found = neighbour_list(DIAMOND, ("Si",), cutoff)
    assert np.diff(found.first).tolist() == [neighbours] * 2
    assert found.n_pairs == 2 * neighbours
    assert found.n_atoms == 2


def test_shapes_and_types_are_as_documented():
    found = neighbour_list(DIAMOND, ("H", "Si"), 3.0)
    assert (found.species.dtype, found.species.tolist()) == (np.int32, [1, 1])
    assert (found.first.dtype, found.index.dtype) == (np.int64, np.int64)
    assert (found.vectors.dtype, found.vectors.shape) == (np.float64, (8, 3))
    assert found.centre.tolist() == [0] * 4 + [1] * 4
    assert all(a.flags.c_contiguous for a in (found.first, found.index, found.vectors))


def test_an_atom_alone_is_its_own_neighbour_only_through_images():
    alone = molecule((0, 0, 0))
    assert neighbour_list(alone, ("H",), 5.0).n_pairs == 0
    wire = replace(alone, cell=np.diag([0, 2.0, 0]), pbc=(False, True, False))
    found = neighbour_list(wire, ("H",), 5.0)
    assert found.index.tolist() == [0] * 4
    assert sorted(found.vectors[:, 1].round(12)) == [-4, -2, 2, 4]


def test_vectors_point_from_the_centre_to_the_neighbour():
    found = neighbour_list(molecule((0, 0, 0), (0, 0.5, 1.0)), ("H",), 2.0)
    assert pairs_of(found) == [(0, 1, 0, 0.5, 1.0), (1, 0, 0, -0.5, -1.0)]


def test_the_cutoff_is_exclusive():
    pair = molecule((0, 0, 0), (2.0, 0, 0))
    assert neighbour_list(pair, ("H",), 2.0).n_pairs == 0
    assert neighbour_list(pair, ("H",), np.nextafter(2.0, 3)).n_pairs == 2


def test_vectors_of_aperiodic_directions_are_not_used():
    frame = molecule((0, 0, 0), (0.9, 0, 0))
    slab = replace(frame, cell=np.diag([3.0, 3.0, 1.0]), pbc=(True, True, False))
    expected = pairs_of(neighbour_list(replace(slab, cell=np.diag([3.0, 3.0, 0])), ("H",), 3.5))
    assert len(expected) > 10
    assert pairs_of(neighbour_list(slab, ("H",), 3.5)) == expected
    parallel = [[3.0, 0, 0], [0, 3.0, 0], [3.0, 0, 0]]
    assert pairs_of(neighbour_list(replace(slab, cell=parallel), ("H",), 3.5)) == expected


def test_lists_of_several_frames_are_joined():
    order = ("H", "Si")
    lists = [
        neighbour_list(frame, order, 3.0)
        for frame in (molecule((0, 0, 0), (1, 0, 0)), molecule((5, 5, 5)), DIAMOND)
    ]
    joined = concatenate(lists)
    assert joined.species.tolist() == [0, 0, 0, 1, 1]
    assert joined.first.tolist() == [0, 1, 2, 2, 6, 10]
    assert joined.index.tolist() == [1, 0, *(lists[2].index + 3)]
    assert np.array_equal(joined.vectors, np.concatenate([one.vectors for one in lists]))
    assert (joined.first.dtype, joined.index.dtype) == (np.int64, np.int64)


def test_nothing_joined_is_an_empty_list():
    empty = concatenate([])
    assert (empty.n_atoms, empty.n_pairs, empty.first.tolist()) == (0, 0, [0])


def test_a_species_outside_the_order_is_an_error():
    frame = replace(molecule((0, 0, 0), (2, 0, 0), species=("H", "Cl")), name="salt")
    with pytest.raises(FrameError, match="frame 'salt': contains Cl, but the species are H, O;"):
        neighbour_list(frame, ("H", "O"), 3.0)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_the_cutoff_must_be_a_length(cutoff):
    with pytest.raises(FrameError, match="expected a positive length in angstrom"):
        neighbour_list(DIAMOND, ("Si",), cutoff)


def test_coinciding_atoms_are_an_error():
    with pytest.raises(FrameError, match=r"atom 1 \(H\) coincides with atom 2 \(H\)"):
        neighbour_list(molecule((0, 0, 0), (0, 0, 1e-5)), ("H",), 3.0)
    periodic = Frame(("H", "O"), [[0, 0, 0], [4, 0, -4]], np.eye(3) * 4, (True,) * 3)
    with pytest.raises(FrameError, match=r"atom 1 \(H\) coincides with atom 2 \(O\), periodic"):
        neighbour_list(periodic, ("H", "O"), 3.0)


@pytest.mark.parametrize(
    "cell", [np.eye(3) * 0.01, [[1, 0, 0], [0, 1, 0], [1, 1, 1e-3]]], ids=["tiny", "flat"]
)
def test_an_absurdly_small_cell_is_refused_before_memory_is_filled(cell):
    frame = Frame(("H",), [[0, 0, 0]], cell, (True,) * 3)
    with pytest.raises(FrameError, match=r"so small that a cutoff of 5 angstrom .* units"):
        neighbour_list(frame, ("H",), 5.0)


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        (OPEN, (False,) * 3),
        (np.diag([0, 0, 5.0]), (False, False, True)),
        (np.diag([4e3, 4e3, 0]), (True, True, False)),
        (np.diag([4e3, 4e3, 5.0]), (True, True, True)),
    ],
    ids=["flake", "ribbon", "sheet", "periodic sheet"],
)
def test_wide_flat_systems_are_searched(cell, pbc):
    """Where vesin 0.6 alone ends the process with a division by zero, see _search_radius."""
    corners = [(0, 0, 0), (1.5, 0, 0), (0, 1900, 0), (1900, 0, 0.2), (1900, 1, 0.2)]
    found = neighbour_list(Frame(("H",) * 5, corners, cell, pbc), ("H",), 2.0)
    assert pairs_of(found) == [
        (0, 1, 1.5, 0, 0), (1, 0, -1.5, 0, 0), (3, 4, 0, 1, 0), (4, 3, 0, -1, 0),
    ]  # fmt: skip


def test_time_grows_with_the_number_of_atoms_not_its_square():
    """2000 atoms in well under a second; a search over all pairs and images takes minutes."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(12.6)] * 3), -1).reshape(-1, 3)[:2000] * 2.3
    frame = Frame(("H",) * 2000, grid + rng.uniform(-0.3, 0.3, grid.shape), np.eye(3) * 30, [1] * 3)
    found = neighbour_list(frame, ("H",), 5.0)
    density = 2000 / 30**3
    # The grid leaves a gap at the faces, so the mean is a little off.
    assert found.n_pairs / 2000 == pytest.approx(density * 4 / 3 * np.pi * 5**3, rel=0.1)
