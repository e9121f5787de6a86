"""The ASE calculator: derivatives by finite differences, symmetries, and answers to mistakes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from descriptor_cases import CELLS, bp, mbp, random_frame
from model_cases import a_model

from panna.errors import FrameError, PotentialError
from panna.potential.panna_in import write_potential

ase = pytest.importorskip("ase")
from panna.potential.calculator import PANNA  # noqa: E402

# Central differences with step 1e-4: the error is the third derivative times 1e-8 / 6, and
# rounding of energies of 1e4 eV over 2e-4 (reference energies are removed below).
STEP = 1e-4
RELATIVE = 1e-6
POTENTIALS = {"mBP": mbp(), "BP": bp()}
PERIODIC = ["molecule", "wire", "slab", "triclinic crystal", "cell smaller than the cutoff"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A potential for each descriptor, without reference energies: they cost digits here."""
    made = {}
    for name, parameters in POTENTIALS.items():
        model = a_model(parameters, sizes=(8, 1), activations=("tanh", "linear"))
        model.offsets[:] = 0
        made[name] = tmp_path_factory.mktemp(name)
        write_potential(model, made[name])
    return made


def atoms_of(cell: str, folder) -> ase.Atoms:
    frame = random_frame(cell)
    atoms = ase.Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.calc = PANNA(folder, threads=1)
    return atoms


@pytest.mark.parametrize("cell", PERIODIC)
@pytest.mark.parametrize("descriptor", POTENTIALS)
def test_forces_are_minus_the_gradient_of_the_energy(folders, descriptor, cell):
    atoms = atoms_of(cell, folders[descriptor])
    forces = atoms.get_forces()
    scale = np.abs(forces).max()
    numerical = np.empty_like(forces[:3])
    for atom in range(len(numerical)):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * STEP
                moved.calc = atoms.calc
                energies.append(moved.get_potential_energy())
            numerical[atom, axis] = -(energies[0] - energies[1]) / (2 * STEP)
    worst = np.abs(numerical - forces[:3]).max() / scale
    assert worst < RELATIVE, f"differs by {worst:.1e} of the largest force"
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-11 * scale)


@pytest.mark.parametrize("cell", ["triclinic crystal", "cell smaller than the cutoff"])
@pytest.mark.parametrize("descriptor", POTENTIALS)
def test_stress_is_the_derivative_by_strain(folders, descriptor, cell):
    atoms = atoms_of(cell, folders[descriptor])
    stress = atoms.get_stress(voigt=False)
    numerical = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += sign * STEP / 2
                strain[b, a] += sign * STEP / 2
                strained = atoms.copy()
                strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
                strained.calc = atoms.calc
                energies.append(strained.get_potential_energy())
            numerical[a, b] = (energies[0] - energies[1]) / (2 * STEP) / atoms.get_volume()
    worst = np.abs(numerical - stress).max() / np.abs(stress).max()
    assert worst < RELATIVE, f"differs by {worst:.1e} of the largest component"


def test_the_stress_of_a_slab_in_a_box_has_nothing_across_it(folders):
    """The forces balance across the vacuum, so only the in-plane strain changes the energy."""
    frame = random_frame("slab")
    cell = np.array(frame.cell)
    cell[2] = [0, 0, 40.0]
    atoms = ase.Atoms(frame.species, frame.positions, cell=cell, pbc=True)
    atoms.calc = PANNA(folders["mBP"], threads=1)
    slab = ase.Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
    slab.calc = atoms.calc
    forces = slab.get_forces()
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-12)
    virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
    np.testing.assert_allclose(virial[2, 2], (forces * frame.positions)[:, 2].sum(), atol=1e-10)


@pytest.mark.parametrize("cell", PERIODIC)
def test_stress_exists_where_the_cell_has_a_volume(folders, cell):
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms = atoms_of(cell, folders["mBP"])
    if CELLS[cell][1] == (True, True, True):
        assert np.isfinite(atoms.get_stress()).all()
    else:
        with pytest.raises(PropertyNotImplementedError):
            atoms.get_stress()


def test_a_supercell_has_the_energy_times_the_number_of_cells(folders):
    atoms = atoms_of("cell smaller than the cutoff", folders["mBP"])
    energies, forces = atoms.get_potential_energies(), atoms.get_forces()
    stress = atoms.get_stress()
    large = atoms.repeat((2, 3, 2))
    large.calc = PANNA(folders["mBP"], threads=2)
    np.testing.assert_allclose(large.get_potential_energies(), np.tile(energies, 12), atol=1e-11)
    np.testing.assert_allclose(large.get_forces(), np.tile(forces, (12, 1)), atol=1e-11)
    np.testing.assert_allclose(large.get_stress(), stress, atol=1e-12)
    assert large.get_potential_energy() == pytest.approx(energies.sum() * 12, abs=1e-9)


def test_results_follow_the_atoms(folders):
    """The calculator notices moved atoms and another cell, and computes once otherwise."""
    atoms = atoms_of("triclinic crystal", folders["mBP"])
    first = atoms.get_potential_energy()
    results = atoms.calc.results
    atoms.get_forces()
    assert atoms.calc.results is results
    atoms.positions[0] += 0.1
    assert atoms.get_potential_energy() != first
    atoms.positions[0] -= 0.1
    assert atoms.get_potential_energy() == pytest.approx(first, abs=1e-12)
    atoms.set_cell(atoms.cell * 1.01, scale_atoms=True)
    assert atoms.get_potential_energy() != first


def test_energies_add_up_and_numbers_of_threads_do_not_matter(folders):
    atoms = atoms_of("triclinic crystal", folders["mBP"])
    total = atoms.get_potential_energy()
    assert atoms.get_potential_energies().sum() == pytest.approx(total, abs=1e-12)
    forces = atoms.get_forces()
    atoms.calc = PANNA(folders["mBP"], threads=3)
    assert atoms.get_potential_energy() == pytest.approx(total, abs=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-13)


def test_a_lone_atom_has_an_energy_and_no_force(folders):
    atoms = ase.Atoms("Si", calculator=PANNA(folders["mBP"]))
    assert np.isfinite(atoms.get_potential_energy())
    np.testing.assert_array_equal(atoms.get_forces(), np.zeros((1, 3)))


def test_copies_and_other_processes_get_the_same_potential(folders, monkeypatch, tmp_path):
    monkeypatch.chdir(folders["mBP"].parent)
    atoms = atoms_of("slab", folders["mBP"].name)
    forces = atoms.get_forces()
    monkeypatch.chdir(tmp_path)
    for other in (copy.deepcopy(atoms.calc), pickle.loads(pickle.dumps(atoms.calc))):
        again = atoms.copy()
        again.calc = other
        other.reset()
        np.testing.assert_array_equal(again.get_forces(), forces)


def test_mistakes_are_explained(folders, tmp_path):
    with pytest.raises(PotentialError, match=r"panna\.in"):
        PANNA(tmp_path)
    gold = ase.Atoms("Au", calculator=PANNA(folders["mBP"]))
    with pytest.raises(FrameError, match="Au"):
        gold.get_potential_energy()
    double = ase.Atoms("Si2", calculator=PANNA(folders["mBP"]))
    with pytest.raises(FrameError, match="coincides"):
        double.get_potential_energy()


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    """A folder of three potentials; the last one has another descriptor."""
    folder = tmp_path_factory.mktemp("committee")
    for number, parameters in enumerate((mbp(), mbp(), bp()), start=1):
        write_potential(a_model(parameters, seed=number), folder / f"member_{number}")
    return folder


@pytest.mark.parametrize("cell", ["molecule", "triclinic crystal"])
def test_a_committee_gives_means_and_standard_deviations(committee, cell):
    paths = [committee / f"member_{number}" for number in (1, 2, 3)]
    atoms = atoms_of(cell, paths)
    single = []
    for path in paths:
        alone = atoms_of(cell, path)
        alone.get_potential_energy()
        assert not any(name.endswith("_std") for name in alone.calc.results)
        single.append(alone.calc.results)
    atoms.get_forces()
    found = atoms.calc.results
    names = ["energy", "energies", "forces"] + ["stress"] * (cell != "molecule")
    assert found.keys() == {*names, "free_energy", *(f"{name}_std" for name in names)}
    for name in names:
        values = np.array([one[name] for one in single])
        mean = values.sum(axis=0) / 3
        deviation = np.sqrt(((values - mean) ** 2).sum(axis=0) / 2)
        np.testing.assert_allclose(found[name], mean, rtol=1e-13)
        # The mean of energies of 1e4 eV costs digits.
        np.testing.assert_allclose(found[f"{name}_std"], deviation, rtol=1e-9, atol=1e-11)
    assert atoms.calc.get_property("forces_std", atoms) is not None
    assert isinstance(found["energy_std"], float)
    again = atoms_of(cell, committee)  # the folder of the members
    assert again.get_potential_energy() == atoms.get_potential_energy()
    other = pickle.loads(pickle.dumps(atoms.calc))
    assert other.get_property("energy_std", atoms) == found["energy_std"]


def test_frames_with_the_results_of_a_committee_are_written_and_read(committee, tmp_path):
    import ase.io

    atoms = atoms_of("triclinic crystal", committee)
    atoms.get_forces()
    for name in ("frame.xyz", "frame.traj"):
        ase.io.write(tmp_path / name, atoms)
        again = ase.io.read(tmp_path / name)
        np.testing.assert_allclose(again.get_forces(), atoms.get_forces(), atol=1e-7)


def test_a_committee_of_nobody_is_refused():
    with pytest.raises(PotentialError, match="at least one"):
        PANNA([])
