"""The scripts of examples/lammps with few steps, and what they print against Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, LBFGS
from lammps_runs import BIN

from panna.potential.calculator import PANNA

EXAMPLE = Path(__file__).parents[2] / "examples" / "lammps"
GPA = 160.21766208  # eV/angstrom^3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("example") / "lammps"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("results"))
    (place / "results").mkdir()
    return place


def run(folder: Path, name: str, **variables: object) -> str:
    command = [BIN / "lmp", "-in", name, "-log", "none"]
    for key, value in variables.items():
        command += ["-var", key, str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def numbers(text: str, pattern: str) -> list[float]:
    return [float(value) for value in re.search(pattern, text).groups()]


@pytest.mark.parametrize("melt, temperature", [("no", 500), ("yes", 1800)])
def test_energy_is_conserved_as_by_the_reference(folder, melt, temperature):
    spreads = {}
    for style in ("panna", "sw"):
        out = f"results/nve_{style}_{temperature}.dat"
        run(folder, "in.nve", style=style, melt=melt, temperature=temperature, steps=1000,
            prepare=300, out=out)  # fmt: skip
        _, temperatures, energies = np.loadtxt(folder / out, unpack=True)
        assert len(energies) == 21 and np.ptp(temperatures) > 1
        spreads[style] = np.std(energies)
    assert spreads["panna"] < 3 * spreads["sw"] + 1e-6
    done = subprocess.run(
        [sys.executable, "nve.py", "results"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0 and f" {temperature} " in done.stdout, done.stderr
    assert (folder / "results" / "nve.png").stat().st_size > 1000


def test_thermal_expansion(folder):
    text = run(folder, "in.npt", steps=1000)
    (a, temperature) = numbers(text, r"lattice constant ([\d.]+) angstrom at (\d+) K")
    assert 5.40 < a < 5.47 and 150 < temperature < 450
    assert len(np.loadtxt(folder / "results" / "npt.dat")) == 100


def test_crystal_and_vacancy_at_rest(folder):
    text = run(folder, "in.minimize")
    a, energy = numbers(text, r"lattice constant ([\d.]+) angstrom, energy (-[\d.]+) eV/atom")
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.calc = PANNA(folder / "potential" / "member_1")
    BFGS(FrechetCellFilter(atoms, hydrostatic_strain=True), logfile=None).run(fmax=1e-5)
    assert a == pytest.approx(atoms.cell[0, 0], abs=2e-4)
    assert energy == pytest.approx(atoms.get_potential_energy() / 8, abs=2e-5)
    (vacancy,) = numbers(text, r"vacancy ([\d.]+) eV")
    perfect = bulk("Si", a=a, cubic=True) * (3, 3, 3)
    del perfect[99]
    perfect.calc = PANNA(folder / "potential" / "member_1")
    LBFGS(perfect, logfile=None).run(fmax=1e-3, steps=300)
    # Minimisers may end in different minima; the energy of the same one agrees.
    assert vacancy == pytest.approx(perfect.get_potential_energy() - 215 * energy, abs=0.05)


def strained_stress(potential: Path, a: float, strain: np.ndarray) -> np.ndarray:
    """(3, 3) stress in GPa of the relaxed atoms in a strained cell."""
    atoms = bulk("Si", a=a, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.calc = PANNA(potential)
    BFGS(atoms, logfile=None).run(fmax=1e-5)
    return GPA * atoms.get_stress(voigt=False)


def test_elastic_constants_are_those_of_python(folder):
    text = run(folder, "in.elastic")
    (a,) = numbers(text, r"lattice constant ([\d.]+) angstrom")
    constants = numbers(text, r"C11 ([\d.]+) GPa, C12 ([\d.]+) GPa, C44 ([\d.]+) GPa")
    potential, e = folder / "potential" / "member_1", 0.002
    side, shear = np.diag([e, 0, 0]), np.zeros((3, 3))
    shear[1, 0] = e  # the second vector leans towards x
    along = strained_stress(potential, a, side) - strained_stress(potential, a, -side)
    across = strained_stress(potential, a, shear) - strained_stress(potential, a, -shear)
    expected = [along[0, 0] / (2 * e), along[1, 1] / (2 * e), across[0, 1] / (2 * e)]
    np.testing.assert_allclose(constants, expected, rtol=2e-3)


def test_elastic_constants_of_the_reference_are_the_known_ones(folder):
    """Stillinger and Weber at rest: 151.4, 76.4 and 56.4 GPa (Cowley, PRL 60, 2379, 1988)."""
    text = run(folder, "in.elastic", style="sw")
    constants = numbers(text, r"C11 ([\d.]+) GPa, C12 ([\d.]+) GPa, C44 ([\d.]+) GPa")
    np.testing.assert_allclose(constants, [151.4, 76.4, 56.4], rtol=3e-3)


def test_melting_and_quenching(folder):
    text = run(folder, "in.melt", steps=200)
    assert "quench" in text
    for name in ("liquid", "quenched"):
        table = np.loadtxt(folder / "results" / f"rdf_{name}.dat", skiprows=4)
        assert table.shape == (110, 4) and table[:, 2].max() > 1.0


def test_a_committee_tells_its_spread(folder):
    text = run(folder, "in.committee", steps=200, every=50)
    rows = text.rsplit("Step", 1)[1].splitlines()[1:6]
    table = np.array([row.split() for row in rows], float)
    energies, mean, largest = table[:, 3:6], table[:, 6], table[:, 7]
    np.testing.assert_allclose(table[:, 2], energies.mean(axis=1), atol=1e-3)
    assert np.all(largest >= mean) and np.all(mean >= 0)
    assert len(set(np.round(energies[-1], 6))) == 3
