"""Vacancies and surfaces: against counted bonds, other potentials, and potentials that are bad."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from crystal_cases import Scaled, levels, stillinger_weber, subject_of, values

pytest.importorskip("spglib")

from panna.config.reader import ConfigError
from panna.config.validate import miller_indices
from panna.report.level import Level
from panna.validation.crystals import defect_energies
from panna.validation.crystals.cells import conventional_cell, primitive_cell, symmetry
from panna.validation.crystals.defect_energies import slab_of, surface, vacancies
from panna.validation.crystals.relax import NotAtRest, relaxed_crystal
from panna.validation.section import NotPossible
from panna.validation.sections.defects import defects

SMALL = "[CRYSTAL]\ndefect_length = 7\nsurfaces = 111, 100\n"


def at_rest(crystal, calculator):
    crystal = primitive_cell(crystal)
    crystal.calc = calculator
    return relaxed_crystal(crystal)


def test_stillinger_weber_silicon_by_counting_bonds():
    """Its angles are at rest in the crystal: an energy is that of the bonds that are broken."""
    pytest.importorskip("matscipy")
    crystal = at_rest(bulk("Si"), stillinger_weber())
    a = np.sqrt(2) * np.linalg.norm(crystal.cell[0])
    bond = -crystal.get_potential_energy() / 4
    bonds_per_area = {(1, 0, 0): 4 / a**2, (1, 1, 0): 2 * np.sqrt(2) / a**2}
    bonds_per_area[(1, 1, 1)] = 4 / np.sqrt(3) / a**2
    for indices, count in bonds_per_area.items():
        # half of each bond on each side; angles lost at the surface were at rest
        found = surface(crystal, indices, 10.0)
        assert found.unrelaxed == pytest.approx(count * bond / 2, rel=1e-3), indices
    # four bonds are broken, and the atom makes two elsewhere
    found = vacancies(crystal, 10.0)
    assert found.unrelaxed == pytest.approx(2 * bond, rel=1e-4)
    assert found.sites[0].atoms == 63


def test_the_slab_is_that_of_ase():
    crystal = at_rest(bulk("Cu"), EMT())
    found = surface(crystal, (1, 1, 1), 9.0)
    a = conventional_cell(crystal).cell[0, 0]
    slab = fcc111("Cu", (1, 1, 6), a=a, vacuum=10.0)
    slab.calc = EMT()
    excess = slab.get_potential_energy() - 6 * crystal.get_potential_energy()
    area = 2 * np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    assert found.unrelaxed == pytest.approx(excess / area, rel=0.01)
    assert found.energy <= found.unrelaxed


@pytest.mark.parametrize("indices", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (1, -1, 2)])
def test_slabs_are_thick_stoichiometric_and_cut_where_the_gap_is_widest(indices):
    cell = conventional_cell(bulk("NaCl", "rocksalt", a=5.64))
    slab = slab_of(cell, indices, 9.0)
    symbols = slab.get_chemical_symbols()
    assert symbols.count("Na") == symbols.count("Cl")
    thickness = np.ptp(slab.positions[:, 2])
    assert 9 - 1e-6 <= thickness < 9 + 2 * 5.64
    assert slab.cell[2, 2] - thickness == pytest.approx(2 * defect_energies.VACUUM)
    # inside, all atoms have their six neighbours
    counts = np.bincount(neighbor_list("i", slab, 2.9), minlength=len(slab))
    heights = slab.positions[:, 2]
    assert (counts[(heights > heights.min() + 2.9) & (heights < heights.max() - 2.9)] == 6).all()
    assert counts.max() == 6


def test_diamond_is_cut_between_the_double_planes():
    """The other cut of (111) leaves three broken bonds in place of one."""
    slab = slab_of(conventional_cell(bulk("Si")), (1, 1, 1), 9.0)
    assert np.bincount(neighbor_list("i", slab, 2.5)).min() == 3


def test_a_vacancy_in_a_compound_needs_no_chemical_potentials():
    """Energies that depend on the number of atoms of each species alone cancel."""

    class Shifted(EMT):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            symbols = self.atoms.get_chemical_symbols()
            self.results["energy"] += 3 * symbols.count("Cu") - 5 * symbols.count("Au")

    found = []
    for calculator in (EMT(), Shifted()):
        crystal = at_rest(bulk("CuAu", "cesiumchloride", a=3.0), calculator)
        found.append(vacancies(crystal, 6.0))
        assert [one.name for one in found[-1].sites] == ["Cu", "Au"]
    assert 0.3 < found[0].energy < 1.5
    assert found[0].energy < found[0].unrelaxed
    assert found[1].energy == pytest.approx(found[0].energy, abs=1e-5)


def test_potential_and_reference_that_agree_are_good(tmp_path):
    content = defects(subject_of(tmp_path, SMALL, potential=EMT(), reference=EMT()))
    assert content.level == Level.GOOD, content.sentences()
    assert levels(content) == {
        "vacancy": "good",
        "surface": "good",
        "All formation energies": "good",
    }
    found = values(content)
    assert 1.0 < found["vacancy"] < 1.4  # copper in experiment: 1.28 eV
    assert found["vacancy"] < found["vacancy_unrelaxed"]
    assert found["surface_111"] == pytest.approx(16.0218 * found["surface_111_eV"], rel=1e-5)
    assert found["surface_111"] < found["surface_100"]
    assert {row[0] for row in content.tables[1].rows} == {
        "vacancy of Cu", "surface (111)", "surface (100)",
    }  # fmt: skip


def test_deviations_are_judged(tmp_path):
    content = defects(subject_of(tmp_path, SMALL, potential=Scaled(1.4), reference=EMT()))
    assert levels(content)["vacancy"] == "bad"
    assert levels(content)["surface"] == "bad"
    assert content.judgements[0].value == pytest.approx(40, abs=0.5)


def test_without_a_reference_only_the_sign_is_judged(tmp_path):
    content = defects(subject_of(tmp_path, SMALL, potential=EMT()))
    assert levels(content) == {"All formation energies": "good", "No reference is": "note"}
    unbound = crystal_that_gains_by_breaking()
    content = defects(subject_of(tmp_path, SMALL, potential=unbound))
    assert levels(content)["It costs no"] == "bad"
    assert "surface (111)" in content.judgements[0].sentence


def crystal_that_gains_by_breaking():
    """Energies of EMT with its sign changed for cells that are not full, as a network may do."""

    class Wrong(EMT):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            if self.atoms.get_volume() / len(self.atoms) > 11.57 * 1.005:
                for name in ("energy", "free_energy", "forces"):
                    self.results[name] = -self.results[name]

    return Wrong()


def test_atoms_that_do_not_come_to_rest_are_told(tmp_path, monkeypatch):
    relax = defect_energies.relax_positions
    monkeypatch.setattr(
        defect_energies, "relax_positions", lambda *args, **kwargs: relax(*args, **kwargs, steps=1)
    )
    content = defects(subject_of(tmp_path, SMALL, potential=EMT()))
    assert levels(content)["The atoms have"] == "doubtful"
    assert "vacancy of Cu" in content.judgements[1].sentence


def test_many_kinds_of_atoms_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(defect_energies, "MOST_SITES", 0)
    content = defects(subject_of(tmp_path, SMALL, potential=EMT()))
    assert "Vacancies were left out" in content.judgements[-1].sentence
    assert "vacancy" not in values(content)


def test_a_box_of_gas_is_no_crystal(tmp_path):
    """Atoms without neighbours: nothing is at rest, or nothing is gained by it."""
    lonely = Atoms("Cu", cell=[9, 9, 9], pbc=True)
    content = defects(subject_of(tmp_path, SMALL, lonely, potential=EMT()))
    assert content.level == Level.BAD


@pytest.mark.parametrize(
    "content, expected",
    [("110", (1, 1, 0)), ("1-10", (1, -1, 0)), ("10-10", (1, 0, 0)), ("0001", (0, 0, 1))],
)
def test_miller_indices(content, expected):
    assert miller_indices(content) == expected


@pytest.mark.parametrize("content", ["11", "000", "1 1 0", "1010", "abc", "11111"])
def test_miller_indices_that_are_none_are_refused(tmp_path, content):
    with pytest.raises(ConfigError, match="Miller"):
        subject_of(tmp_path, f"[CRYSTAL]\nsurfaces = 100, {content}")


def test_without_crystal_it_cannot_be_done(tmp_path):
    with pytest.raises(NotPossible, match="structure"):
        defects(subject_of(tmp_path))


def test_the_silicon_network(tmp_path):
    content = defects(subject_of(tmp_path, "[CRYSTAL]\nstructure = diamond Si 5.43"))
    assert content.level == Level.NOTE, content.sentences()
    found = values(content)
    # examples/lammps/in.minimize: 4.43 eV
    assert found["vacancy"] == pytest.approx(4.43, abs=0.01)
    # of Stillinger and Weber's potential, that it was trained on, but not on surfaces
    theirs = {"surface_100": 2.356, "surface_110": 1.666, "surface_111": 1.360}
    assert {key: found[key] for key in theirs} == pytest.approx(theirs, rel=0.05)
    outside = {row[0]: row[-1] for row in content.tables[0].rows}
    assert outside["surface (111)"] > 0


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("look", [primitive_cell, conventional_cell, symmetry])
def test_atoms_that_coincide_are_not_at_rest(look, raises, monkeypatch):
    """As a potential without repulsion leaves them; in both ways of spglib, which phonopy sets."""
    monkeypatch.setattr("spglib.error.OLD_ERROR_HANDLING", not raises, raising=False)
    atoms = bulk("Cu") + Atoms("Cu", [[0.001, 0, 0]])
    with pytest.raises(NotAtRest, match="two of its atoms may coincide"):
        look(atoms)
