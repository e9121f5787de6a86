"""The published example potential, against the numbers of the published KIM driver."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from panna.frames.frame import Frame
from panna.potential.compiled import evaluate_frame, open_potential

LAMMPS = Path(__file__).parents[1] / "data" / "golden" / "lammps"

# eV and eV/angstrom. The expected numbers are double precision; an independent program agrees with
# them to 1e-13, and dE/dstrain was checked there by finite differences to 3e-8.
TOLERANCE = 1e-8


def frame_of(name: str) -> tuple[Frame, dict]:
    expected = json.loads((LAMMPS / f"expected_{name}.json").read_text())
    cell = np.array(expected.get("cell", np.zeros((3, 3))))
    pbc = np.full(3, "cell" in expected)
    return Frame(tuple(expected["species"]), expected["positions"], cell, pbc), expected


@pytest.fixture(params=["molecule", "periodic"])
def golden(request):
    return frame_of(request.param)


def deviation(found, expected) -> float:
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max())


def test_energies_and_forces_are_those_of_the_published_driver(golden):
    frame, expected = golden
    found = evaluate_frame(open_potential(LAMMPS), frame, threads=1)
    errors = {
        "energy": deviation(found.energy, expected["energy"]),
        "atomic energies": deviation(found.atomic_energies, expected["atomic_energies"]),
        "forces": deviation(found.forces, expected["forces"]),
    }
    if "dE_dstrain" in expected:
        errors["strain"] = deviation(-found.virial, expected["dE_dstrain"])
    assert max(errors.values()) < TOLERANCE, errors


def test_the_calculator_gives_the_same_numbers(golden):
    ase = pytest.importorskip("ase")
    from panna.potential.calculator import PANNA

    frame, expected = golden
    atoms = ase.Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.calc = PANNA(LAMMPS, threads=1)
    assert deviation(atoms.get_potential_energy(), expected["energy"]) < TOLERANCE
    assert deviation(atoms.get_potential_energies(), expected["atomic_energies"]) < TOLERANCE
    assert deviation(atoms.get_forces(), expected["forces"]) < TOLERANCE
    if "dE_dstrain" in expected:
        stress = np.array(expected["dE_dstrain"]) / atoms.get_volume()
        assert deviation(atoms.get_stress(voigt=False), stress) < TOLERANCE


def test_the_molecule_of_the_lammps_data_file():
    ase_io = pytest.importorskip("ase.io")
    from panna.potential.calculator import PANNA

    atoms = ase_io.read(LAMMPS / "p.mol", format="lammps-data", atom_style="atomic")
    atoms.symbols = ["HCNO"[kind - 1] for kind in atoms.arrays["type"]]
    atoms.calc = PANNA(LAMMPS, threads=1)
    _, expected = frame_of("molecule")
    assert deviation(atoms.get_potential_energy(), expected["energy"]) < TOLERANCE
    assert deviation(atoms.get_forces(), expected["forces"]) < TOLERANCE


def test_atoms_outside_the_cell_and_other_cells_of_the_same_lattice():
    frame, expected = frame_of("periodic")
    shift = np.random.default_rng(1).integers(-2, 3, (frame.n_atoms, 3))
    other = np.array([[1, 0, 0], [1, 1, 0], [0, -2, 1]]) @ frame.cell
    moved = Frame(frame.species, frame.positions + shift @ frame.cell, other, frame.pbc)
    found = evaluate_frame(open_potential(LAMMPS), moved, threads=1)
    assert deviation(found.energy, expected["energy"]) < TOLERANCE
    assert deviation(found.forces, expected["forces"]) < TOLERANCE
