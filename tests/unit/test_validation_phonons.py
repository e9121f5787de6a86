"""Phonons: against a dynamical matrix made by hand, other potentials, and unstable crystals."""

import json

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from crystal_cases import Scaled, levels, stillinger_weber, subject_of, values

pytest.importorskip("spglib")
pytest.importorskip("phonopy")

from panna.report.level import Level
from panna.validation.crystals import phonon_bands
from panna.validation.crystals.cells import primitive_cell
from panna.validation.crystals.phonon_bands import Path, bands, path_of
from panna.validation.crystals.relax import relaxed_crystal
from panna.validation.section import NotPossible
from panna.validation.sections.phonons import phonons

SMALL = "[CRYSTAL]\nphonon_length = 6\n"  # 27 atoms of copper
THZ = units._e**0.5 * 1e10 / units._amu**0.5 / (2 * np.pi) * 1e-12  # of eV/angstrom^2/amu


def at_rest(crystal, calculator):
    crystal = primitive_cell(crystal)
    crystal.calc = calculator
    return relaxed_crystal(crystal)


def frequencies_by_hand(crystal, point, cells, step=0.005):
    """(3 n,) THz at a point that fits into the supercell, from forces on its displaced atoms."""
    whole = crystal.repeat(cells)
    whole.calc = crystal.calc
    n = len(crystal)
    # crystal.repeat puts copies of the whole cell one after the other
    shifts = np.repeat(np.indices((cells,) * 3).reshape(3, -1).T, n, axis=0)
    phases = np.exp(2j * np.pi * shifts @ point)
    matrix = np.zeros((3 * n, 3 * n), complex)
    rest = whole.positions.copy()
    for row in range(3 * n):
        forces = []
        for sign in (1, -1):
            whole.positions[:] = rest
            whole.positions[row // 3, row % 3] += sign * step
            forces.append(whole.get_forces())
        second = -(forces[0] - forces[1]) / (2 * step) * phases[:, None]
        matrix[row] = second.reshape(-1, n, 3).sum(0).ravel()
    masses = np.repeat(crystal.get_masses(), 3)
    squares = np.linalg.eigvalsh(matrix / np.sqrt(np.outer(masses, masses)))
    return np.sort(np.sign(squares) * np.sqrt(np.abs(squares))) * THZ


@pytest.mark.parametrize(
    "crystal, make, point, cells, length",
    [
        (bulk("Cu"), EMT, (0.5, 0, 0.5), 4, 8.0),
        (bulk("Cu", "sc", a=2.4), EMT, (0.5, 0.5, 0), 4, 9.0),
        (bulk("Si"), stillinger_weber, (0.5, 0, 0), 2, 6.0),
    ],
    ids=["fcc", "unstable", "diamond"],
)
def test_frequencies_are_those_of_a_dynamical_matrix_made_by_hand(
    crystal, make, point, cells, length
):
    if make is stillinger_weber:
        pytest.importorskip("matscipy")
    crystal = at_rest(crystal, make())
    path = Path(np.array([point]), np.zeros(1), ((0.0, "X"),))
    found = bands(crystal, path, length)
    assert found.atoms == len(crystal) * cells**3
    by_hand = frequencies_by_hand(crystal, np.array(point), cells)
    # both are finite differences, with other steps
    assert found.frequencies[0] == pytest.approx(by_hand, abs=0.02)


def test_the_path_is_that_of_the_lattice():
    path = path_of(primitive_cell(bulk("Cu", cubic=True)))
    assert [name for _, name in path.ticks] == "Γ X W K Γ L U W L K|U X".split()
    assert path.ticks[1][0] == pytest.approx(2 * np.pi / 3.61, rel=1e-6)
    assert path.points[0] == pytest.approx([0, 0, 0])
    assert len(path.points) == len(path.x)


def test_potential_and_reference_that_agree_are_good(tmp_path):
    content = phonons(subject_of(tmp_path, SMALL, potential=EMT(), reference=EMT()))
    assert content.level == Level.GOOD, content.sentences()
    assert levels(content) == {"imaginary": "good", "phonon": "good"}
    found = values(content)
    assert found["rms"] == 0
    assert found["lowest"] > 0.1
    assert found["highest"] == pytest.approx(8.1, abs=0.2)
    assert np.array(content.data["frequencies_THz"]).shape[1] == 3
    assert "frequency (THz)" in content.plots[0].svg
    json.dumps(content.data, allow_nan=False)


def test_deviations_are_judged(tmp_path):
    """Frequencies go with the square root of the energy."""
    content = phonons(subject_of(tmp_path, SMALL, potential=Scaled(1.44), reference=EMT()))
    found = values(content)
    assert found["highest"] / found["reference_highest"] == pytest.approx(1.2, abs=1e-3)
    along = np.array(content.data["reference_frequencies_THz"])
    share = 20 * np.sqrt(np.mean(along**2)) / along.max()
    assert content.judgements[1].value == pytest.approx(share, rel=1e-2)
    assert levels(content) == {"imaginary": "good", "phonon": "doubtful"}


@pytest.mark.parametrize("structure, lattice", [("sc", 2.4), ("bcc", 2.86)])
def test_an_unstable_crystal_is_bad(tmp_path, structure, lattice):
    crystal = bulk("Cu", structure, a=lattice)
    content = phonons(subject_of(tmp_path, SMALL, crystal, potential=EMT(), reference=EMT()))
    assert levels(content)["imaginary"] == "bad"
    assert values(content)["lowest"] < -0.5
    assert any("too, has imaginary" in sentence for sentence in content.sentences())


def test_a_cell_that_needs_too_many_forces_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(phonon_bands, "MOST_FORCES", 20)
    with pytest.raises(NotPossible, match=r"1 displacement of 27 atoms .* phonon_length"):
        phonons(subject_of(tmp_path, SMALL, potential=EMT()))


def test_a_missing_library_is_named(tmp_path, without_package):
    without_package("phonopy")
    with pytest.raises(NotPossible, match="phonopy is not installed; pip install"):
        phonons(subject_of(tmp_path, potential=EMT()))


def test_without_crystal_it_cannot_be_done(tmp_path):
    with pytest.raises(NotPossible, match="structure"):
        phonons(subject_of(tmp_path))


def test_the_silicon_network(tmp_path):
    pytest.importorskip("matscipy")
    settings = "[CRYSTAL]\nstructure = diamond Si 5.43\nphonon_length = 9"
    content = phonons(subject_of(tmp_path, settings))
    assert levels(content) == {"imaginary": "good", "No reference is": "note"}
    # The network was trained on Stillinger and Weber's potential.
    crystal = at_rest(bulk("Si"), stillinger_weber())
    theirs = bands(crystal, path_of(crystal), 9.0)
    assert theirs.highest == pytest.approx(17.8, abs=0.1)
    assert values(content)["highest"] == pytest.approx(theirs.highest, rel=0.01)
