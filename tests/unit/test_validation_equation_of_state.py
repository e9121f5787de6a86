"""Energy over volume: against a known equation of state, other potentials, and bad curves."""

import json
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.stress import (
    full_3x3_to_voigt_6_strain,
    full_3x3_to_voigt_6_stress,
    voigt_6_to_full_3x3_stress,
)
from crystal_cases import OfVolume, Scaled, levels, subject_of, values

pytest.importorskip("spglib")

from ase.eos import birchmurnaghan

from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.report.level import Level
from panna.validation.crystals.relax import relaxed_crystal
from panna.validation.crystals.volume_curve import volume_curve
from panna.validation.section import NotPossible
from panna.validation.sections.equation_of_state import equation_of_state


def known_curve(volume):
    return birchmurnaghan(volume, -3.5, 0.85, 4.6, 11.6)


def test_a_known_equation_of_state_is_found():
    crystal = bulk("Cu", a=3.5)
    crystal.calc = OfVolume(known_curve)
    curve = volume_curve(relaxed_crystal(crystal), 0.06)
    assert curve.volume == pytest.approx(11.6, rel=1e-5)
    assert curve.energy == pytest.approx(-3.5, abs=1e-7)
    assert curve.bulk_modulus == pytest.approx(0.85 * EV_PER_ANGSTROM3_IN_GPA, rel=1e-4)
    assert curve.roughness < 1e-3
    assert curve.minima == 1
    assert curve.cell[0] == pytest.approx((4 * 11.6) ** (1 / 3), rel=1e-5)


def test_atoms_follow_the_strain_as_far_as_symmetry_lets_them():
    """In the structure of MoSi2, the height of the planes of copper is free."""
    cell = [[-1.4, 1.4, 4.7], [1.4, -1.4, 4.7], [1.4, 1.4, -4.7]]
    heights = [(0, 0, 0), (0, 0, 3.1), (0, 0, -3.1)]
    crystal = Atoms("AuCu2", heights, cell=cell, pbc=True, calculator=EMT())
    crystal = relaxed_crystal(crystal)
    curve = volume_curve(crystal, 0.06)
    for end in (0, -1):
        crystal.set_cell(crystal.cell * (1 + curve.strains[end]), scale_atoms=True)
        assert curve.energies[end] < crystal.get_potential_energy() / 3 - 1e-4
        crystal.set_cell(crystal.cell / (1 + curve.strains[end]), scale_atoms=True)


class Harmonic(Calculator):
    """A crystal whose energy is quadratic in Green's strain; its atoms feel no forces."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, crystal, stiffness):
        """stiffness: (6, 6) GPa, in the axes of the crystal at rest."""
        super().__init__()
        self.cell, self.volume = crystal.cell.array.copy(), crystal.get_volume()
        self.stiffness = stiffness / EV_PER_ANGSTROM3_IN_GPA

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        change = np.linalg.solve(self.cell, self.atoms.cell.array)
        # ASE takes strains with the unit matrix.
        strain = full_3x3_to_voigt_6_strain((change @ change.T + np.eye(3)) / 2)
        stress = self.stiffness @ strain
        true = change.T @ voigt_6_to_full_3x3_stress(stress) @ change
        self.results = {
            "energy": self.volume * strain @ stress / 2 - len(self.atoms),
            "forces": np.zeros((len(self.atoms), 3)),
            "stress": full_3x3_to_voigt_6_stress(true) * self.volume / self.atoms.get_volume(),
        }


def test_the_bulk_modulus_of_a_crystal_that_is_not_cubic_is_that_under_pressure():
    """Elastic constants of zinc, whose c axis is soft: Voigt's modulus would be 75 GPa."""
    stiffness = np.diag([163.7, 163.7, 63.5, 38.8, 38.8, 63.65])
    stiffness[0, 1] = stiffness[1, 0] = 36.4
    stiffness[:2, 2] = stiffness[2, :2] = 53.0
    crystal = bulk("Zn", "hcp", a=2.66, c=4.95)
    crystal.calc = Harmonic(crystal, stiffness)
    curve = volume_curve(crystal, 0.01)
    assert curve.bulk_modulus == pytest.approx(1 / np.linalg.inv(stiffness)[:3, :3].sum(), rel=0.01)
    np.testing.assert_allclose(
        curve.volumes, crystal.get_volume() / 2 * (1 + curve.strains) ** 3, rtol=1e-9
    )


def test_the_curve_of_a_crystal_whose_shape_follows_is_smooth():
    crystal = bulk("Cu", "hcp", a=2.56, c=4.2)
    crystal.calc = EMT()
    curve = volume_curve(relaxed_crystal(crystal), 0.06)
    assert curve.minima == 1 and curve.roughness < 1
    assert curve.bulk_modulus == pytest.approx(134, rel=0.05)  # that of cubic copper


def test_potential_and_reference_that_agree_are_good(tmp_path):
    content = equation_of_state(subject_of(tmp_path, potential=EMT(), reference=EMT()))
    assert content.level == Level.GOOD, content.sentences()
    assert levels(content) == {"volume": "good", "bulk_modulus": "good", "roughness": "good"}
    found = values(content)
    assert found["volume"] == pytest.approx(3.5898**3 / 4, rel=1e-3)
    assert found["bulk_modulus"] == pytest.approx(134.4, rel=0.01)
    row = content.tables[0].rows[1]
    assert row[0] == "bulk modulus"
    assert row[-1] == pytest.approx(0, abs=1e-9)
    assert len(content.data["reference"]["energies_eV_per_atom"]) == 25
    assert "energy above rest" in content.plots[0].svg
    json.dumps(content.data, allow_nan=False)


def test_a_crystal_that_is_too_stiff_is_bad(tmp_path):
    content = equation_of_state(subject_of(tmp_path, potential=Scaled(1.3), reference=EMT()))
    assert levels(content) == {"volume": "good", "bulk_modulus": "bad", "roughness": "good"}
    assert content.judgements[1].value == pytest.approx(30, abs=0.1)
    assert content.judgements[1].advice


def test_known_numbers_are_the_reference_without_a_potential(tmp_path):
    settings = "[REFERENCE]\nvolume = 11.7\nbulk_modulus = 140"
    content = equation_of_state(subject_of(tmp_path, settings, potential=EMT()))
    assert levels(content) == {"volume": "doubtful", "bulk_modulus": "good", "roughness": "good"}
    assert content.tables[0].rows[0][-1] == pytest.approx(100 * (11.5657 / 11.7 - 1), abs=0.01)


def test_without_a_reference_it_says_so(tmp_path):
    content = equation_of_state(subject_of(tmp_path, potential=EMT()))
    assert levels(content) == {"roughness": "good", "No reference is": "note"}
    assert content.tables == []


def test_a_second_minimum_is_doubtful_and_a_kink_is_seen(tmp_path):
    def waves(volume):
        return known_curve(volume) - 0.05 * np.exp(-(((volume - 13.2) / 0.15) ** 2))

    content = equation_of_state(subject_of(tmp_path, potential=OfVolume(waves)))
    assert levels(content)["The energy has"] == "doubtful"
    assert levels(content)["roughness"] in ("doubtful", "bad")


@pytest.mark.parametrize(
    "energy, reason",
    [
        (lambda v: -0.5 * v, "its volume becomes"),
        (lambda v: np.nan, "are not numbers"),
        (lambda v: 0.0, "does not depend on the volume"),
    ],
    ids=["expands", "nan", "flat"],
)
def test_a_potential_that_does_not_hold_the_crystal_is_bad(tmp_path, energy, reason):
    content = equation_of_state(subject_of(tmp_path, potential=OfVolume(energy)))
    assert content.level == Level.BAD
    assert "does not hold this crystal" in content.judgements[0].sentence
    assert reason in content.judgements[0].sentence


def test_a_reference_that_does_not_hold_the_crystal_is_told(tmp_path):
    subject = subject_of(tmp_path, potential=EMT(), reference=OfVolume(lambda v: -0.5 * v))
    content = equation_of_state(subject)
    assert content.level == Level.DOUBTFUL
    assert "with the reference" in content.judgements[-1].sentence


def test_without_crystal_it_cannot_be_done(tmp_path):
    with pytest.raises(NotPossible, match="structure"):
        equation_of_state(subject_of(tmp_path))


def test_the_silicon_network(tmp_path):
    settings = "[CRYSTAL]\nstructure = diamond Si 5.3\n[REFERENCE]\nvolume = 20.02"
    content = equation_of_state(subject_of(tmp_path, settings))
    assert content.level == Level.GOOD, content.sentences()
    # examples/lammps/README.md: 5.432 angstrom, -4.3369 eV, 102.0 GPa
    found = values(content)
    assert found["volume"] == pytest.approx(5.432**3 / 8, rel=1e-3)
    assert found["energy"] == pytest.approx(-4.3369, abs=1e-4)
    assert found["bulk_modulus"] == pytest.approx(102.0, rel=0.01)
