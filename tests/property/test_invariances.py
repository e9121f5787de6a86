"""What must not change a descriptor: translation, rotation, permutation, the choice of the cell."""

from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import CELLS, DESCRIPTORS, random_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from panna.descriptors import evaluate
from panna.frames.neighbours import neighbour_list

# Sums of a few hundred terms of order one in another order, in double precision.
TOLERANCE = 1e-11
FEW = settings(max_examples=15, deadline=None)
SEEDS = st.integers(0, 10_000)


def descriptor_and_forces(parameters, frame):
    """G and the forces of the energy sum(weights * G)."""
    nl = neighbour_list(frame, parameters.species, parameters.cutoff)
    weights = np.cos(np.arange(parameters.size))
    g_bar = np.tile(weights, (len(nl.species), 1))
    forces = evaluate.forces_from_pairs(nl, evaluate.vjp(parameters, nl, g_bar))
    return evaluate.compute(parameters, nl), forces


def close(found, expected):
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * scale)


@pytest.mark.parametrize("name", DESCRIPTORS)
@given(seed=SEEDS, cell_name=st.sampled_from(list(CELLS)))
@FEW
def test_rotation_turns_the_forces_and_keeps_the_descriptor(name, seed, cell_name):
    parameters = DESCRIPTORS[name]
    frame = random_frame(cell_name, parameters.species, seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    turned = replace(frame, positions=frame.positions @ turn.T, cell=frame.cell @ turn.T)
    g, forces = descriptor_and_forces(parameters, frame)
    g_turned, forces_turned = descriptor_and_forces(parameters, turned)
    close(g_turned, g)
    close(forces_turned, forces @ turn.T)


@pytest.mark.parametrize("name", DESCRIPTORS)
@given(seed=SEEDS, cell_name=st.sampled_from(list(CELLS)))
@FEW
def test_translation_of_all_or_by_cell_vectors_changes_nothing(name, seed, cell_name):
    """Atoms may lie outside the cell, by any number of cells."""
    parameters = DESCRIPTORS[name]
    frame = random_frame(cell_name, parameters.species, seed)
    rng = np.random.default_rng(seed)
    cells = rng.integers(-3, 4, frame.positions.shape) * frame.pbc
    moved = replace(frame, positions=frame.positions + rng.normal(0, 10, 3) + cells @ frame.cell)
    g, forces = descriptor_and_forces(parameters, frame)
    g_moved, forces_moved = descriptor_and_forces(parameters, moved)
    # Positions of up to 30 angstrom carry 4e-15 of rounding, steep functions multiply it by 1e2.
    close(g_moved, g)
    close(forces_moved, forces)


@pytest.mark.parametrize("name", DESCRIPTORS)
@given(seed=SEEDS, cell_name=st.sampled_from(list(CELLS)))
@FEW
def test_permutation_of_atoms_permutes_the_rows(name, seed, cell_name):
    parameters = DESCRIPTORS[name]
    frame = random_frame(cell_name, parameters.species, seed)
    order = np.random.default_rng(seed).permutation(len(frame.species))
    shuffled = replace(
        frame,
        positions=frame.positions[order],
        species=tuple(frame.species[i] for i in order),
    )
    g, forces = descriptor_and_forces(parameters, frame)
    g_shuffled, forces_shuffled = descriptor_and_forces(parameters, shuffled)
    close(g_shuffled, g[order])
    close(forces_shuffled, forces[order])


@pytest.mark.parametrize("name", DESCRIPTORS)
@given(seed=SEEDS, cell_name=st.sampled_from([c for c in CELLS if c != "molecule"]))
@FEW
def test_a_supercell_repeats_the_rows(name, seed, cell_name):
    parameters = DESCRIPTORS[name]
    frame = random_frame(cell_name, parameters.species, seed)
    repeats = np.where(frame.pbc, [2, 1, 3], 1)
    shifts = [np.array(s) @ frame.cell for s in np.ndindex(*repeats)]
    large = replace(
        frame,
        positions=np.concatenate([frame.positions + s for s in shifts]),
        species=frame.species * len(shifts),
        cell=frame.cell * repeats[:, None],
    )
    g, forces = descriptor_and_forces(parameters, frame)
    g_large, forces_large = descriptor_and_forces(parameters, large)
    close(g_large, np.tile(g, (len(shifts), 1)))
    close(forces_large, np.tile(forces, (len(shifts), 1)))


@pytest.mark.parametrize("name", [n for n in DESCRIPTORS if "one species" not in n])
def test_species_are_told_apart(name):
    parameters = DESCRIPTORS[name]
    frame = random_frame("triclinic crystal", parameters.species)
    swapped = replace(frame, species=frame.species[1:] + frame.species[:1])
    g, _ = descriptor_and_forces(parameters, frame)
    g_swapped, _ = descriptor_and_forces(parameters, swapped)
    assert np.abs(g - g_swapped).max() > 1e-2
