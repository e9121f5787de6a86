"""The range of descriptors in the training set, from the model to the potential and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import CELLS, mbp, random_frame
from model_cases import a_model

from panna.descriptors.evaluate import compute
from panna.errors import PotentialError
from panna.frames.neighbours import neighbour_list
from panna.network.parameters import Model
from panna.network.ranges import Ranges
from panna.potential.calculator import PANNA
from panna.potential.compiled import evaluate_frame, open_potential
from panna.potential.panna_in import read_potential, write_potential

PARAMETERS = mbp()
FRAMES = [random_frame(cell, seed=seed) for cell in CELLS for seed in range(3)]


def described(frame):
    nl = neighbour_list(frame, PARAMETERS.species, PARAMETERS.cutoff)
    return nl.species, compute(PARAMETERS, nl)


@pytest.fixture(scope="module")
def ranges() -> Ranges:
    found = Ranges.empty(len(PARAMETERS.species), PARAMETERS.size)
    for frame in FRAMES:
        species, g = described(frame)
        for s in np.unique(species):
            found.add(s, g[species == s])
    return found


@pytest.fixture(scope="module")
def folder(ranges, tmp_path_factory):
    target = tmp_path_factory.mktemp("potential")
    write_potential(replace(a_model(PARAMETERS), ranges=ranges), target)
    return target


@pytest.mark.parametrize("precision", ["full", "mixed"])
def test_no_atom_of_the_training_set_is_outside(folder, precision):
    potential = open_potential(folder, precision=precision)
    assert potential.knows_ranges
    for frame in FRAMES:
        assert not evaluate_frame(potential, frame).outside.any()


def test_components_outside_are_counted_atom_by_atom(folder, ranges):
    potential = open_potential(folder)
    margin = 1e-5 * (ranges.highest - ranges.lowest) + 1e-6
    total = 0
    for seed in range(10, 16):
        frame = random_frame("triclinic crystal", seed=seed)
        species, g = described(frame)
        below = g < (ranges.lowest - margin)[species]
        above = g > (ranges.highest + margin)[species]
        found = evaluate_frame(potential, frame).outside
        np.testing.assert_array_equal(found, (below | above).sum(1))
        np.testing.assert_array_equal(found, ranges.outside(species, g))
        total += found.sum()
    assert total > 0


def test_files_hold_the_ranges_rounded_outwards(folder, ranges):
    model, _ = read_potential(folder)
    assert (model.ranges.lowest <= ranges.lowest).all()
    assert (model.ranges.highest >= ranges.highest).all()
    np.testing.assert_allclose(model.ranges.lowest, ranges.lowest, rtol=2e-7)
    np.testing.assert_allclose(model.ranges.highest, ranges.highest, rtol=2e-7)


def test_checkpoints_hold_the_ranges(ranges):
    again = Model.from_arrays(replace(a_model(PARAMETERS), ranges=ranges).to_arrays())
    np.testing.assert_array_equal(again.ranges.lowest, ranges.lowest)
    np.testing.assert_array_equal(again.ranges.highest, ranges.highest)
    assert Model.from_arrays(a_model(PARAMETERS).to_arrays()).ranges is None


def test_a_species_without_atoms_has_no_range(ranges, tmp_path):
    some = Ranges(ranges.lowest.copy(), ranges.highest.copy())
    some.lowest[1], some.highest[1] = np.inf, -np.inf
    written = write_potential(replace(a_model(PARAMETERS), ranges=some), tmp_path)
    assert not [path for path in written if path.name == f"ranges_{PARAMETERS.species[1]}.dat"]
    assert not open_potential(tmp_path).knows_ranges
    model, _ = read_potential(tmp_path)
    np.testing.assert_array_equal(model.ranges.known, [True, False, True])


def test_ase_shows_the_components_outside(folder, tmp_path):
    from ase import Atoms

    atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 0.9]])
    for calculator in (PANNA(folder), PANNA([folder, folder])):
        atoms.calc = calculator
        atoms.get_potential_energy()
        assert (atoms.calc.results["components_outside"] > 0).all()
    write_potential(a_model(PARAMETERS), tmp_path)
    atoms.calc = PANNA(tmp_path)
    atoms.get_potential_energy()
    assert "components_outside" not in atoms.calc.results


def test_the_members_that_know_their_ranges_count_the_components_outside(folder, tmp_path):
    from ase import Atoms

    write_potential(a_model(PARAMETERS), tmp_path)  # knows none
    atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 0.9]])
    for members in ([folder, tmp_path], [tmp_path, folder]):
        atoms.calc = PANNA(members)
        atoms.get_potential_energy()
        assert (atoms.calc.results["components_outside"] > 0).all()


def _short(path):
    path.write_bytes(path.read_bytes()[:-4])


def _not_finite(path):
    numbers = np.fromfile(path, "<f4")
    numbers[0] = np.nan
    numbers.tofile(path)


def _exchanged(path):
    numbers = np.fromfile(path, "<f4")
    np.concatenate(np.split(numbers, 2)[::-1]).tofile(path)


@pytest.mark.parametrize("damage", [_short, _not_finite, _exchanged, lambda path: path.unlink()])
def test_damaged_ranges_are_named(folder, tmp_path, damage):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path / "ranges_O.dat")
    for opened in (open_potential, read_potential):
        with pytest.raises(PotentialError, match=r"ranges_O\.dat: "):
            opened(tmp_path)
