"""Elastic constants: known ones, any orientation, any symmetry, unstable crystals."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.spacegroup import crystal as of_group
from crystal_cases import Scaled, levels, stillinger_weber, subject_of, values

pytest.importorskip("spglib")
pytest.importorskip("matscipy")

from panna.config.reader import ConfigError
from panna.report.level import Level
from panna.validation.crystals import elastic_tensor as tensors
from panna.validation.crystals.cells import primitive_cell, symmetry
from panna.validation.crystals.elastic_tensor import elastic_tensor
from panna.validation.crystals.relax import relaxed_crystal
from panna.validation.crystals.volume_curve import volume_curve
from panna.validation.sections.elastic import elastic


def at_rest(crystal, calculator):
    crystal = primitive_cell(crystal)
    crystal.calc = calculator
    return relaxed_crystal(crystal)


def test_stillinger_weber_silicon():
    """Cowley, Phys. Rev. Lett. 60, 2379 (1988): 151.4, 76.4 and, atoms relaxed, 56.4 GPa; with
    atoms that only follow the strain, C44 would be 117.2."""
    found = elastic_tensor(at_rest(bulk("Si"), stillinger_weber()), 0.002)
    assert found.independent == ("C11", "C12", "C44")
    assert [found[name] for name in found.independent] == pytest.approx([151.4, 76.4, 56.4], 0.002)
    bulk_modulus, shear = found.moduli
    assert bulk_modulus == pytest.approx((151.4 + 2 * 76.4) / 3, rel=0.002)
    # Hill's mean of Voigt's and Reuss's shear modulus of a cubic crystal
    c = (found["C11"] - found["C12"]) / 2
    voigt, reuss = (2 * c + 3 * found["C44"]) / 5, 5 / (2 / c + 3 / found["C44"])
    assert shear == pytest.approx((voigt + reuss) / 2, rel=1e-9)


def test_bulk_modulus_is_that_of_the_equation_of_state():
    crystal = at_rest(bulk("Cu"), EMT())
    found = elastic_tensor(crystal, 0.002)
    bulk_modulus = (found["C11"] + 2 * found["C12"]) / 3
    assert bulk_modulus == pytest.approx(volume_curve(crystal, 0.02).bulk_modulus, rel=0.005)
    assert 130 < bulk_modulus < 140


def test_the_orientation_and_the_cell_of_the_file_do_not_matter():
    given = bulk("Cu", cubic=True)
    given.rotate(37, (1, 2, 3), rotate_cell=True)
    one, other = (elastic_tensor(at_rest(c, EMT()), 0.002) for c in (given, bulk("Cu")))
    assert one.matrix == pytest.approx(other.matrix, abs=1e-3)


def test_a_hexagonal_crystal_has_five_constants():
    found = elastic_tensor(at_rest(bulk("Cu", "hcp", a=2.54, c=4.14), EMT()), 0.002)
    assert (found.system, found.independent) == (
        "hexagonal",
        ("C11", "C12", "C13", "C33", "C44"),
    )
    assert found["C66"] == pytest.approx((found["C11"] - found["C12"]) / 2, rel=1e-9)
    assert found.noise < 0.1


@pytest.mark.parametrize(
    "group, cell, names",
    [
        (225, [4, 4, 4, 90, 90, 90], "11 12 44"),
        (194, [4, 4, 5, 90, 90, 120], "11 12 13 33 44"),
        (152, [5, 5, 6, 90, 90, 120], "11 12 13 14 33 44"),
        (148, [5, 5, 6, 90, 90, 120], "11 12 13 14 15 33 44"),
        (99, [4, 4, 5, 90, 90, 90], "11 12 13 33 44 66"),
        (75, [4, 4, 5, 90, 90, 90], "11 12 13 16 33 44 66"),
        (62, [4, 5, 6, 90, 90, 90], "11 12 13 22 23 33 44 55 66"),
        (14, [4, 5, 6, 90, 100, 90], "11 12 13 15 22 23 25 33 35 44 46 55 66"),
    ],
)
def test_independent_constants_are_those_of_the_point_group(group, cell, names):
    """Nye, Physical Properties of Crystals (1985), table 9."""
    places = [(0.47, 0.13, 0.05), (0.41, 0.27, 0.12), (0.11, 0.23, 0.39)]
    crystal = primitive_cell(of_group(["Si", "O", "C"], places, spacegroup=group, cellpar=cell))
    data = symmetry(crystal)
    assert data.number == group
    rotations = tensors._rotations(crystal.cell.array, data.rotations)
    assert tensors._independent(rotations) == tuple(f"C{name}" for name in names.split())


@pytest.mark.parametrize(
    "crystal", [bulk("Cu", "sc", a=2.4), bulk("Cu", "bcc", a=2.86)], ids=["sc", "bcc"]
)
def test_an_unstable_crystal_is_bad(tmp_path, crystal):
    """Simple cubic copper has C44 < 0, body-centred copper C11 < C12."""
    content = elastic(subject_of(tmp_path, crystal=crystal, potential=EMT()))
    assert levels(content)["The crystal is"] == "bad"
    assert values(content)["smallest_eigenvalue"] < -5
    assert values(content)["bulk_modulus"] is None


def test_deviations_are_judged(tmp_path):
    good = elastic(subject_of(tmp_path, potential=Scaled(1.08), reference=EMT()))
    assert good.level == Level.GOOD, good.sentences()
    assert good.judgements[0].value == pytest.approx(8, abs=0.01)
    bad = elastic(subject_of(tmp_path, potential=Scaled(0.7), reference=EMT()))
    assert levels(bad)["elastic"] == "bad"
    json.dumps(bad.data, allow_nan=False)


def test_known_constants_are_the_reference(tmp_path):
    settings = "[REFERENCE]\nelastic_constants = c11:172.6, C12:115.4, C44:75"
    content = elastic(subject_of(tmp_path, settings, potential=EMT()))
    assert levels(content)["elastic"] == "doubtful"
    assert "worst C44" in content.judgements[0].sentence
    assert content.tables[0].headers == ["of", "unit", "potential", "known", "deviation (%)"]


def test_deviations_of_small_constants_count_in_tenths_of_the_largest(tmp_path):
    settings = "[REFERENCE]\nelastic_constants = C11:172.6, C12:115.4, C44:89.9, C14:1"
    content = elastic(subject_of(tmp_path, settings, potential=EMT()))
    deviations = {row[0]: row[-1] for row in content.tables[0].rows}
    assert deviations["C14"] == pytest.approx(-100 / 17.26, abs=1e-3)


@pytest.mark.parametrize("content", ["C11:x", "B:100", "C17:3"])
def test_constants_that_are_none_are_refused(tmp_path, content):
    with pytest.raises(ConfigError, match="elastic_constants"):
        subject_of(tmp_path, f"[REFERENCE]\nelastic_constants = {content}")


def test_the_silicon_network_as_in_the_example_of_lammps(tmp_path):
    """examples/lammps/in.elastic with the same potential: 151.1, 77.4, 57.2 GPa."""
    settings = (
        "[CRYSTAL]\nstructure = diamond Si 5.43\n"
        "[REFERENCE]\nelastic_constants = C11:151.4, C12:76.4, C44:56.5"
    )
    content = elastic(subject_of(tmp_path, settings))
    assert content.level == Level.GOOD, content.sentences()
    found = [values(content)[name] for name in ("C11", "C12", "C44")]
    assert np.allclose(found, [151.1, 77.4, 57.2], atol=0.06), found
