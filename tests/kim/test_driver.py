"""The KIM model driver against Python, the golden numbers and the published driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from descriptor_cases import CELLS, DESCRIPTORS, SPECIES, mbp, random_frame
from lammps_runs import write_data
from model_cases import a_model
from potential_damages import DAMAGES, PUBLISHED, damaged
from valgrind_reports import reports_about, valgrind

from panna.frames.frame import Frame
from panna.potential.calculator import PANNA
from panna.potential.compiled import evaluate_frame, open_potential
from panna.potential.panna_in import read_potential

ROOT = Path(__file__).parents[2]
SAME = 1e-9  # eV, eV/angstrom
# Of a (3, 3) virial in the order of KIM.
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])


@pytest.fixture(scope="session")
def golden(kim) -> str:
    """The published example of PANNA: H, C, N, O."""
    return kim.install_files("Golden", PUBLISHED)


@pytest.fixture(scope="session", params=["mBP", "BP"])
def any_model(request, kim) -> tuple[str, Path]:
    name = f"Random_{request.param}"
    item = kim.install_model(name, a_model(DESCRIPTORS[request.param], seed=2))
    return item, kim.folder / "items" / item


def golden_frame(name: str) -> tuple[Frame, dict]:
    expected = json.loads((PUBLISHED / f"expected_{name}.json").read_text())
    periodic = name == "periodic"
    cell = expected["cell"] if periodic else np.zeros((3, 3))
    frame = Frame(tuple(expected["species"]), expected["positions"], cell, (periodic,) * 3)
    return frame, expected


@pytest.mark.parametrize("name", ["molecule", "periodic"])
def test_the_golden_numbers(kim, golden, name):
    frame, expected = golden_frame(name)
    found = kim.compute(golden, frame)
    assert abs(found.energy - expected["energy"]) < SAME
    assert np.abs(found.forces - expected["forces"]).max() < SAME
    assert np.abs(found.energies - expected["atomic_energies"]).max() < SAME


@pytest.mark.parametrize("name", ["molecule", "periodic"])
def test_the_published_driver_says_the_same(kim, golden, published_driver, name):
    item = f"GoldenPublished__MO_{'0' * 12}_000"
    if not (kim.folder / "items" / item).exists():
        kim.install_files("GoldenPublished", PUBLISHED, published_driver)
    frame, _ = golden_frame(name)
    ours, theirs = kim.compute(golden, frame), kim.compute(item, frame, "published")
    # It cuts cosines off near +-1, which shows in crystals with straight lines of atoms.
    tolerance = SAME if name == "molecule" else 5e-9
    assert abs(ours.energy - theirs.energy) < tolerance
    assert np.abs(ours.forces - theirs.forces).max() < tolerance


@pytest.mark.parametrize("cell", CELLS)
def test_python_and_kim_agree(kim, any_model, cell):
    item, folder = any_model
    frame = random_frame(cell, seed=3)
    expected = evaluate_frame(open_potential(folder), frame, threads=1)
    found = kim.compute(item, frame)
    assert abs(found.energy - expected.energy) < SAME
    assert np.abs(found.forces - expected.forces).max() < SAME
    assert np.abs(found.energies - expected.atomic_energies).max() < SAME
    # KIM's virial is dE/dstrain, ours its negative.
    assert np.abs(found.virial + expected.virial[VOIGT]).max() < SAME
    assert np.abs(found.virials.sum(axis=0) - found.virial).max() < SAME
    assert np.abs(found.forces).max() > 0.05


def test_derivatives_with_respect_to_distances(kim, any_model):
    """Forces and virial that follow from ProcessDEDrTerm are the others."""
    for cell in ("molecule", "triclinic crystal"):
        found = kim.compute(any_model[0], random_frame(cell, seed=3))
        assert np.abs(found.forces_of_distances - found.forces).max() < SAME
        assert np.abs(found.virial_of_distances - found.virial).max() < SAME


def test_forces_and_virial_are_derivatives(kim, any_model):
    item, _ = any_model
    frame = random_frame("triclinic crystal", seed=3)
    found, h = kim.compute(item, frame), 1e-5

    def energy(changed: Frame) -> float:
        return kim.compute(item, changed).energy

    for atom, axis in ((0, 0), (5, 1), (9, 2)):
        step = np.zeros_like(frame.positions)
        step[atom, axis] = h
        up, down = (replace(frame, positions=frame.positions + s * step) for s in (1, -1))
        slope = (energy(up) - energy(down)) / (2 * h)
        assert abs(found.forces[atom, axis] + slope) < 1e-6
    for k, (a, b) in enumerate(zip(*VOIGT, strict=True)):
        strain = np.zeros((3, 3))
        strain[a, b] = strain[b, a] = h if a == b else h / 2
        changed = [
            energy(
                replace(
                    frame,
                    positions=frame.positions @ (np.eye(3) + s * strain),
                    cell=frame.cell @ (np.eye(3) + s * strain),
                )
            )
            for s in (1, -1)
        ]
        assert abs(found.virial[k] - (changed[0] - changed[1]) / (2 * h)) < 1e-5


def test_invariance(kim, any_model):
    """Under permutations, translations and rotations."""
    item, _ = any_model
    frame = random_frame("molecule", seed=6)
    found = kim.compute(item, frame)
    rng = np.random.default_rng(1)
    order = rng.permutation(frame.n_atoms)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = Frame(
        tuple(frame.species[i] for i in order),
        frame.positions[order] @ rotation + [3.0, -20.0, 7.0],
        frame.cell,
        frame.pbc,
    )
    again = kim.compute(item, moved)
    assert abs(again.energy - found.energy) < SAME
    assert np.abs(again.forces - found.forces[order] @ rotation).max() < SAME


def test_dimers_go_to_zero_smoothly_at_the_cutoff(kim, any_model):
    item, _ = any_model
    for pair in (("Si", "Si"), ("Si", "O"), ("H", "O")):

        def dimer(distance, pair=pair):
            frame = Frame(pair, [[0, 0, 0], [distance, 0, 0]], np.zeros((3, 3)), (False,) * 3)
            return kim.compute(item, frame)

        cutoff = dimer(1.0).cutoff
        far, at, near = dimer(cutoff + 1), dimer(cutoff), dimer(cutoff - 1e-4)
        assert at.energy == far.energy and np.all(at.forces == 0.0) and np.all(far.forces == 0.0)
        assert abs(near.energy - far.energy) < 1e-6 and np.abs(near.forces).max() < 1e-2
        inside = [dimer(r).forces[0, 0] for r in (cutoff - 0.5, cutoff - 0.5 + 1e-6)]
        assert abs(inside[1] - inside[0]) < 1e-4


@pytest.mark.parametrize(
    "units, length, energy",
    [
        (("Bohr", "Hartree"), 1 / 0.52917721, 1 / 27.211386),
        (("nm", "kcal_mol"), 0.1, 23.060548),
        (("m", "J"), 1e-10, 1.60217663e-19),
    ],
)
def test_units(kim, golden, units, length, energy):
    frame, _ = golden_frame("molecule")
    here = kim.compute(golden, frame)
    there = kim.compute(golden, frame, units=units, length=length)
    np.testing.assert_allclose(there.cutoff, here.cutoff * length, rtol=1e-6)
    np.testing.assert_allclose(there.energy, here.energy * energy, rtol=2e-5)
    # Constants of 2014 and of 2018 differ in the seventh digit, and move the atoms by as much.
    scale = energy / length * np.abs(here.forces).max()
    assert np.abs(there.forces - here.forces * energy / length).max() < 1e-5 * scale
    scale = energy * np.abs(here.virial).max()
    assert np.abs(there.virial - here.virial * energy).max() < 1e-5 * scale


def test_threads_and_parameter(kim, any_model):
    item, _ = any_model
    frame = random_frame("triclinic crystal")
    found = kim.compute(item, frame)
    assert kim.compute(item, frame, "threads", "4").energy == found.energy
    shifted = kim.compute(item, frame, "shift", "2.5")
    silicon = np.array([symbol == SPECIES[0] for symbol in frame.species])
    np.testing.assert_allclose(shifted.energies - found.energies, 2.5 * silicon, atol=1e-9)
    assert np.array_equal(shifted.forces, found.forces)


@pytest.fixture(scope="session")
def lammps() -> str:
    """A LAMMPS with the KIM package."""
    found = shutil.which("lmp", path="/usr/bin:/usr/local/bin")
    if (
        not found
        or "KIM" not in subprocess.run([found, "-h"], capture_output=True, text=True).stdout
    ):
        pytest.skip("needs a LAMMPS with the KIM package: apt-get install lammps")
    return found


def run_lammps(lammps: str, kim, script: list[str]) -> str:
    (kim.folder / "in.kim").write_text("\n".join(script) + "\n")
    done = subprocess.run(
        [lammps, "-in", "in.kim", "-log", "none"],
        cwd=kim.folder, env={**kim.environment, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nve_of_silicon_with_kim(kim, lammps):
    folder = ROOT / "examples" / "lammps" / "potential" / "member_1"
    item = kim.install_model("Silicon", read_potential(folder)[0])
    script = [f"kim init {item} metal", "lattice diamond 5.431", "region all block 0 2 0 2 0 2"]
    script += ["create_box 1 all", "create_atoms 1 box", "mass 1 28.0855", "kim interactions Si"]
    script += ["timestep 0.001", "velocity all create 600 7", "fix move all nve", "thermo 20"]
    script += ["thermo_style custom step pe etotal ke", "thermo_modify format float %.15g"]
    text = run_lammps(lammps, kim, [*script, "run 400"])
    rows = text.rsplit("Step", 1)[1].splitlines()[1:22]
    _, potential, total, kinetic = np.array([row.split() for row in rows], float).T
    atoms = bulk("Si", a=5.431, cubic=True) * (2, 2, 2)
    atoms.calc = PANNA(folder)
    assert abs(potential[0] - atoms.get_potential_energy()) < 1e-5  # weights rounded once more
    assert np.ptp(kinetic) > 0.5 and np.ptp(total) < 2e-3 * np.ptp(kinetic)


def test_lammps_with_kim(kim, lammps, any_model):
    """NVE: energies of Python, and conserved."""
    item, folder = any_model
    frame = random_frame("triclinic crystal", seed=3)
    box = write_data(kim.folder / "frame.data", frame, list(SPECIES))
    turned = replace(frame, cell=box.cell, positions=box.positions)
    script = [f"kim init {item} metal", "boundary p p p", "read_data frame.data"]
    script += [f"kim interactions {' '.join(SPECIES)}", "timestep 1e-4", "fix move all nve"]
    script += ["velocity all create 100 7", "thermo 10", "thermo_style custom step pe etotal ke"]
    script += ["thermo_modify format float %.15g", "run 50"]
    rows = run_lammps(lammps, kim, script).rsplit("Step", 1)[1].splitlines()[1:7]
    table = np.array([row.split() for row in rows], float)
    expected = evaluate_frame(open_potential(folder), turned, threads=1)
    assert abs(table[0, 1] - expected.energy) < 1e-8
    assert np.ptp(table[:, 3]) > 1e-3 and np.ptp(table[:, 2]) < 1e-3 * np.ptp(table[:, 3])


BROKEN = [
    "unknown key", "missing key", "key given twice", "not a number", "not finite", "negative",
    "list too short", "zero centres", "other count", "species without section", "section twice",
    "no header", "unknown activation", "two outputs", "other sizes", "no file", "gversion",
]  # fmt: skip


@pytest.fixture(scope="session")
def broken(kim, tmp_path_factory) -> dict[str, list[str]]:
    """Models with a mistake; the words that the log must say about each."""
    root = tmp_path_factory.mktemp("broken")

    def make(name: str) -> list[str]:
        number = BROKEN.index(name)
        folder, words = damaged(name, root / str(number))
        kim.install_files(f"Broken{number}", folder)
        return words

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(BROKEN, pool.map(make, BROKEN), strict=True))


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_in_the_log_of_kim(kim, broken, tmp_path, name):
    item = f"Broken{BROKEN.index(name)}__MO_{'0' * 12}_000"
    done = kim.run(item, "0\n", folder=tmp_path)
    assert done.returncode == 2 and "the model cannot be created" in done.stderr
    log = (tmp_path / "kim.log").read_text()
    message = next(line for line in log.splitlines() if "PANNA: " in line)
    assert "error" in message and "panna_driver.cpp:" in message
    for word in broken[name]:
        assert word in message, message


def test_damaged_weights_are_in_the_log_of_kim(kim, tmp_path):
    shutil.copytree(PUBLISHED, tmp_path / "p")
    weights = tmp_path / "p" / "weights_C.dat"
    weights.write_bytes(weights.read_bytes()[:-4])
    item = kim.install_files("Short", tmp_path / "p")
    assert kim.run(item, "0\n", folder=tmp_path).returncode == 2
    assert "weights_C.dat" in (tmp_path / "kim.log").read_text()


def test_valgrind_finds_nothing(kim, any_model, tmp_path):
    before = valgrind(tmp_path / "report")
    particles = "4\nSi 1 0 0 0\nO 1 1.6 0 0\nH 1 0 1.5 0.2\nSi 0 0.3 0.4 2.2\n"
    done = kim.run(any_model[0], particles, before=before, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    ours = reports_about(tmp_path / "report", "panna::", "PannaModel", "Buffers")
    assert not ours, "\n".join(ours)


def test_every_damage_is_known():
    assert set(BROKEN) <= set(DAMAGES) and (ROOT / "kim_driver" / "CMakeLists.txt").exists()
    assert mbp().species == SPECIES


def test_ase_with_kim(kim, any_model, monkeypatch):
    """ASE's calculator KIM, which works through kimpy."""
    pytest.importorskip("kimpy", reason="needs kimpy: pip install kimpy")
    for name, value in kim.environment.items():
        if name.startswith("KIM_API"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(kim.folder)
    from ase import Atoms
    from ase.calculators.kim import KIM

    item, folder = any_model
    frame = random_frame("triclinic crystal", seed=3)
    atoms = Atoms(frame.species, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.calc = KIM(item)
    expected = evaluate_frame(open_potential(folder), frame, threads=1)
    assert abs(atoms.get_potential_energy() - expected.energy) < SAME
    assert np.abs(atoms.get_forces() - expected.forces).max() < SAME
    stress = -expected.virial[([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])] / atoms.get_volume()
    assert np.abs(atoms.get_stress() - stress).max() < SAME
