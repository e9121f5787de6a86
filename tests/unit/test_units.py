"""Units against independent sources: PANNA's published constants, CODATA through ASE, physics."""

import ase.units
import numpy as np
import pytest

from panna.errors import FrameError
from panna.frames import units
from panna.frames.units import ENERGY, FOREIGN_ENERGY, FOREIGN_LENGTH, FOREIGN_STRESS, LENGTH


def test_bohr_and_rydberg_are_pannas_constants():
    assert float(np.float32(0.52917721067)) == units.BOHR
    assert units.RYDBERG == 13.6056980659
    assert units.HARTREE == 2 * units.RYDBERG


def test_they_differ_from_codata_by_what_the_documentation_says():
    bohr, rydberg = units.BOHR / 0.529177210903 - 1, units.RYDBERG / 13.605693122994 - 1
    assert bohr == pytest.approx(-4e-8, abs=0.5e-8)
    assert rydberg == pytest.approx(4e-7, abs=0.5e-7)


@pytest.mark.parametrize(
    ("found", "expected", "tolerance"),
    [
        # ASE uses CODATA 2014, which differs from 2018 by less than 1e-7.
        (FOREIGN_ENERGY["kcal/mol"], ase.units.kcal / ase.units.mol, 1e-7),
        (FOREIGN_ENERGY["kj/mol"], ase.units.kJ / ase.units.mol, 1e-7),
        (FOREIGN_ENERGY["mev"], 1e-3, 0),
        (FOREIGN_STRESS["gpa"], ase.units.GPa, 1e-7),
        (FOREIGN_STRESS["kbar"], 1e3 * ase.units.bar, 1e-7),
        (FOREIGN_STRESS["bar"], ase.units.bar, 1e-7),
        (FOREIGN_LENGTH["nm"], ase.units.nm, 0),
        # With the constants of PANNA, see above.
        (FOREIGN_ENERGY["ha"], ase.units.Ha, 5e-7),
        (FOREIGN_ENERGY["ry"], ase.units.Ry, 5e-7),
        (FOREIGN_LENGTH["bohr"], ase.units.Bohr, 5e-8),
        (FOREIGN_STRESS["ha/bohr^3"], ase.units.Ha / ase.units.Bohr**3, 6e-7),
        (FOREIGN_STRESS["ry/bohr^3"], ase.units.Ry / ase.units.Bohr**3, 6e-7),
        (units.force_factor("Ry/bohr"), ase.units.Ry / ase.units.Bohr, 6e-7),
        (units.force_factor("kcal/mol/A"), ase.units.kcal / ase.units.mol, 1e-7),
        (units.force_factor("eV/nm"), 0.1, 1e-15),
    ],
)
def test_values_agree_with_ase(found, expected, tolerance):
    assert found == pytest.approx(expected, rel=tolerance, abs=0)


@pytest.mark.parametrize("spelling", ["Ry", "Ryd", "ryd", "ry", "RY"])
def test_the_spellings_of_rydberg_in_examples(spelling):
    assert units.factor(ENERGY, spelling, "unit") == units.RYDBERG


@pytest.mark.parametrize("spelling", ["eV", "ev", "EV", " eV "])
def test_the_spellings_of_electronvolt_in_examples(spelling):
    assert units.factor(ENERGY, spelling, "unit") == 1.0


def test_both_tables_of_a_quantity_agree():
    for table, foreign in ((LENGTH, FOREIGN_LENGTH), (ENERGY, FOREIGN_ENERGY)):
        for name, value in table.items():
            if name.lower() in foreign:
                assert foreign[name.lower()] == value, name


def test_unknown_units_are_named_with_the_known_ones():
    with pytest.raises(FrameError, match=r"length unit 'furlong' is unknown; known are .*bohr"):
        units.factor(FOREIGN_LENGTH, "furlong", "length unit")
    with pytest.raises(FrameError, match="force unit 'eV': expected an energy unit, a slash"):
        units.force_factor("eV")
    with pytest.raises(FrameError, match="force unit 'bohr/Ha': energy unit 'bohr' is unknown"):
        units.force_factor("bohr/Ha")
    with pytest.raises(FrameError, match="length unit 'mile' is unknown"):
        units.force_factor("eV/mile")
    for unit in (None, 3, [], ""):
        with pytest.raises(FrameError, match="is unknown"):
            units.factor(LENGTH, unit, "unit_of_length")
