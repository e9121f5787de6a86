"""Neighbour lists against a sum over all images, for random cells, atoms and periodicities."""

import itertools

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from panna.errors import FrameError
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list

SPECIES = ("O", "H", "Si")
ROUNDING = 1e-9  # angstrom; positions of up to 100 angstrom carry 1e-14 of rounding


@st.composite
def frames(draw) -> Frame:
    """Triclinic cells from much smaller than the cutoff to larger, atoms anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pbc = np.array(draw(st.tuples(*[st.booleans()] * 3)))
    edge = draw(st.sampled_from([1.5, 3.0, 8.0]))
    cell = np.diag(rng.uniform(0.8, 1.5, 3) * edge) + rng.uniform(-0.4, 0.4, (3, 3)) * edge
    if draw(st.booleans()):
        cell = cell[[1, 0, 2]]  # left-handed
    assume(abs(np.linalg.det(cell)) > 0.2 * edge**3)
    n = draw(st.integers(1, 5))
    spread = draw(st.sampled_from([1.0, 30.0]))
    positions = rng.uniform(-spread, spread, (n, 3))
    zero_rows = draw(st.booleans())
    return Frame(
        species=tuple(rng.choice(SPECIES, n)),
        positions=positions,
        cell=np.where(pbc[:, None] | (not zero_rows), cell, 0.0),
        pbc=pbc,
    )


def brute_force(frame: Frame, cutoff: float) -> list[tuple[int, int, np.ndarray]]:
    """All pairs over all images that can be within the cutoff, written from the definition."""
    vectors = frame.cell[frame.pbc]
    # Atoms are first brought together in fractional coordinates, then images are counted from the
    # distances between the faces of the cell.
    fractions = frame.positions @ np.linalg.pinv(vectors) if len(vectors) else None
    home = np.zeros((frame.n_atoms, 3))
    reach = np.zeros(0, int)
    if len(vectors):
        home = -np.floor(fractions) @ vectors
        inverse = np.linalg.pinv(vectors)
        reach = np.ceil(cutoff * np.linalg.norm(inverse, axis=0)).astype(int) + 1
    shifts = list(itertools.product(*(range(-r, r + 1) for r in reach)))
    images = np.array(shifts, float).reshape(len(shifts), len(vectors)) @ vectors
    pairs = []
    for i, j in itertools.product(range(frame.n_atoms), repeat=2):
        found = frame.positions[j] + home[j] - frame.positions[i] - home[i] + images
        distances = np.linalg.norm(found, axis=1)
        if i == j:
            distances[shifts.index((0,) * len(vectors))] = np.inf
        pairs += [(i, j, v) for v in found[distances < cutoff]]
    return pairs


def in_order(pairs) -> tuple[list, np.ndarray]:
    """Pairs sorted by centre, neighbour and vector; numbers rounded for the sorting only."""
    ordered = sorted(pairs, key=lambda p: (p[0], p[1], *np.round(p[2], 6)))
    return [(i, j) for i, j, _ in ordered], np.array([v for *_, v in ordered]).reshape(-1, 3)


@given(frame=frames(), cutoff=st.sampled_from([1.1, 4.0, 6.5]))
@settings(max_examples=120, deadline=None)
def test_lists_are_those_of_a_sum_over_images(frame, cutoff):
    expected = brute_force(frame, cutoff)
    # Pairs at the cutoff to within rounding may be counted or not, coinciding atoms are refused.
    distances = np.array([np.linalg.norm(v) for *_, v in expected])
    assume(not (np.abs(distances - cutoff) < ROUNDING).any() and (distances > 1e-3).all())
    found = neighbour_list(frame, SPECIES, cutoff)
    assert [SPECIES[s] for s in found.species] == list(frame.species)
    assert found.first[0] == 0 and found.first[-1] == found.n_pairs
    pairs, vectors = in_order(list(zip(found.centre, found.index, found.vectors, strict=True)))
    expected_pairs, expected_vectors = in_order(expected)
    assert pairs == expected_pairs
    worst = np.abs(vectors - expected_vectors).max(initial=0.0)
    assert worst < ROUNDING, f"worst deviation {worst:.1e} angstrom"


@given(frame=frames(), cutoff=st.sampled_from([2.0, 5.0]))
@settings(max_examples=60, deadline=None)
def test_every_pair_is_there_in_both_directions(frame, cutoff):
    try:
        found = neighbour_list(frame, SPECIES, cutoff)
    except FrameError:  # two random atoms coincide
        assume(False)
    rows = list(zip(found.centre, found.index, found.vectors, strict=True))
    forward = in_order(rows)
    backward = in_order([(j, i, -v) for i, j, v in rows])
    assert forward[0] == backward[0]
    assert np.abs(forward[1] - backward[1]).max(initial=0.0) < ROUNDING


@given(
    repeats=st.tuples(*[st.integers(1, 3)] * 3),
    shell=st.sampled_from([np.sqrt(3) / 4, np.sqrt(2) / 2, np.sqrt(11) / 4, 1.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_perfect_crystals_with_a_shell_at_the_cutoff_are_symmetric(repeats, shell, seed):
    """Atoms at the cutoff to within rounding: each pair in both directions or in none."""
    a = 5.43
    cube = np.array(list(itertools.product(range(2), repeat=3)))
    basis = np.concatenate([cube[cube.sum(1) % 2 == 0] / 2, cube[cube.sum(1) % 2 == 0] / 2 + 0.25])
    cells = np.array(list(itertools.product(*(range(r) for r in repeats))))
    positions = (cells[:, None] + basis[None]).reshape(-1, 3) * a
    positions += np.random.default_rng(seed).uniform(-20, 20, 3)
    frame = Frame(("Si",) * len(positions), positions, np.diag(repeats) * a, (True,) * 3)
    found = neighbour_list(frame, ("Si",), shell * a)
    forward = in_order(list(zip(found.centre, found.index, found.vectors, strict=True)))
    backward = in_order(list(zip(found.index, found.centre, -found.vectors, strict=True)))
    assert forward[0] == backward[0]
    assert np.abs(forward[1] - backward[1]).max(initial=0.0) < 1e-5
