"""pair_style panna under the commands of LAMMPS that move atoms and boxes.

After each of them energy, forces and virial are those of Python for the atoms that are there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import SPECIES, random_frame
from lammps_runs import (
    BAR,
    OUTPUT,
    PRINT,
    Box,
    pair_lines,
    read_output,
    run_script,
    setup_lines,
    write_data,
)

from panna.frames.frame import Frame
from panna.potential.compiled import evaluate_frame, open_potential

SAME = 1e-9  # eV, eV/angstrom
STATE = [
    "dump state all custom 1 state.dump id type x y z",
    "dump_modify state sort id format float %.17g",
]
CELL = 'print "cell $(lx:%.17g) $(ly:%.17g) $(lz:%.17g) $(xy:%.17g) $(xz:%.17g) $(yz:%.17g)"'


def final_frame(folder: Path, text: str, pbc) -> Frame:
    """The frame after a script with STATE and CELL; the origin of the box does not matter."""
    lx, ly, lz, xy, xz, yz = map(float, re.findall("^cell (.*)$", text, re.M)[-1].split())
    state = (folder / "state.dump").read_text().rsplit("ITEM: ATOMS", 1)[1].splitlines()[1:]
    table = np.array([line.split() for line in state], float)
    cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]) * np.array(pbc)[:, None]
    species = tuple(SPECIES[int(t) - 1] for t in table[:, 1])
    return Frame(species, table[:, 2:], cell, tuple(pbc))


def check_after(folder, potential, frame, commands, ranks=2, setup=None):
    """Runs commands, then compares with Python; gives the text and what LAMMPS found."""
    write_data(folder / "frame.data", frame, list(SPECIES))
    if setup and "dimension 2" in setup:  # the plane is z = 0
        text = (folder / "frame.data").read_text()
        height = f"{frame.cell[2, 2]:.17g}"
        (folder / "frame.data").write_text(
            text.replace(f"0 {height} zlo", f"-{height} {height} zlo")
        )
    lines = setup or setup_lines(frame, "frame.data")
    lines = [*lines, *pair_lines(potential, SPECIES), *commands]
    done = run_script(folder, [*lines, *OUTPUT, *STATE, "run 0 post no", *PRINT, CELL], ranks)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    found = read_output(folder, done.stdout, Box(np.eye(3), np.zeros((1, 3)), np.eye(3)))
    now = final_frame(folder, done.stdout, frame.pbc)
    expected = evaluate_frame(open_potential(potential), now, threads=1)
    assert abs(found.energy - expected.energy) < SAME
    assert np.abs(found.forces - expected.forces).max() < SAME
    assert np.abs(found.virial - expected.virial).max() < SAME
    assert np.abs(expected.forces).max() > 1e-3, "forces too small to show anything"
    return done.stdout, now


MOVES = {
    "minimize": ["min_modify dmax 0.01", "minimize 0 1e-8 20 100"],
    "nve": ["velocity all create 300 7", "fix move all nve", "run 20"],
    "nvt": ["velocity all create 300 7", "fix move all nvt temp 300 300 0.01", "run 20"],
    "npt": [
        "velocity all create 300 7",
        "fix move all npt temp 300 300 0.01 tri 0 0 0.1",
        "run 20",
    ],
    "box/relax": ["min_modify dmax 0.01", "fix box all box/relax tri 0", "minimize 0 1e-8 10 50"],
    "deform": ["fix move all nve", "fix box all deform 1 x erate 1 xy erate 1 remap x", "run 20"],
}


@pytest.mark.parametrize("move", MOVES)
def test_python_agrees_after(potential, tmp_path, move):
    frame = random_frame("triclinic crystal", seed=4)
    before = evaluate_frame(open_potential(potential), frame, threads=1)
    _, now = check_after(tmp_path, potential, frame, ["timestep 2e-4", *MOVES[move]])
    box = Box.of(frame)
    moved = np.abs(now.positions - box.positions).max()
    assert moved > 1e-4
    cell_changed = np.abs(now.cell - box.cell).max() > 1e-6
    assert cell_changed == (move in ("npt", "box/relax", "deform"))
    if move == "minimize":
        after = evaluate_frame(open_potential(potential), now, threads=1)
        assert after.energy < before.energy - 0.01


def test_pressure_is_the_slope_of_energy_over_volume(potential, tmp_path):
    frame = replace(random_frame("triclinic crystal", seed=4), cell=np.diag([6.0, 5.5, 6.3]))
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES)]
    lines += ["compute pressure all pressure NULL virial"]
    lines += ["thermo_style custom step pe vol c_pressure"]
    for scale in (1.0, 1.0001, 0.9999 / 1.0001):
        sides = " ".join(f"{side} scale {scale:.17g}" for side in "xyz")
        lines += [f"change_box all {sides} remap", "run 0 post no"]
        lines += ['print "point $(pe:%.17g) $(vol:%.17g) $(c_pressure:%.17g)"']
    done = run_script(tmp_path, lines, 2)
    assert done.returncode == 0, done.stdout + done.stderr
    points = np.array([p.split() for p in re.findall("^point (.*)$", done.stdout, re.M)], float)
    (_, _, pressure), larger, smaller = points
    slope = (larger[0] - smaller[0]) / (larger[1] - smaller[1])
    assert abs(pressure) > 1e3
    np.testing.assert_allclose(pressure, -BAR * slope, rtol=1e-5)


def test_two_dimensions(potential, tmp_path):
    rng = np.random.default_rng(2)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2) * 2.3
    positions = np.column_stack([grid + rng.normal(0, 0.1, grid.shape), np.zeros(len(grid))])
    species = tuple(SPECIES[i % len(SPECIES)] for i in range(len(grid)))
    frame = Frame(species, positions, np.diag([9.2, 9.2, 12.0]), (True, True, True))
    setup = ["dimension 2", *setup_lines(frame, "frame.data")]
    commands = ["velocity all create 100 7", "fix move all nve", "fix flat all enforce2d"]
    _, now = check_after(
        tmp_path, potential, frame, [*commands, "timestep 2e-4", "run 20"], setup=setup
    )
    assert np.all(now.positions[:, 2] == 0.0)


@pytest.mark.parametrize("boundary", ["s s s", "m m m", "p s m"])
def test_boundaries_that_follow_the_atoms(potential, tmp_path, boundary):
    frame = random_frame("molecule", seed=4)
    setup = setup_lines(frame, "frame.data")
    setup[setup.index("boundary f f f")] = f"boundary {boundary}"
    if "p" in boundary:
        cell = np.diag([30.0, 30.0, 30.0])
        frame = replace(frame, cell=cell, pbc=(True, False, False))
    commands = ["velocity all create 300 7", "fix move all nve", "timestep 2e-4", "run 20"]
    check_after(tmp_path, potential, frame, commands, setup=setup)


def test_a_lost_atom_is_not_missed(potential, tmp_path):
    frame = random_frame("molecule", seed=4)
    commands = ["group gone id 1", "velocity gone set 5000 5000 5000", "fix move all nve"]
    commands += [
        "thermo_modify lost ignore",
        "timestep 1e-3",
        "run 100",
        "velocity all zero linear",
    ]
    _, now = check_after(tmp_path, potential, frame, commands)
    assert now.n_atoms == frame.n_atoms - 1


def test_special_bonds(potential, tmp_path):
    """Neighbours that carry the marks of bonds count in full; those with factor 0 are missing."""
    frame = random_frame("triclinic crystal", seed=4)
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    text = (tmp_path / "frame.data").read_text()
    text = text.replace(" atom types\n", " atom types\n1 bonds\n1 bond types\n")
    head, atoms = text.split("Atoms # atomic\n")
    atoms = re.sub(r"(?m)^(\d+) (\d+) ", r"\1 1 \2 ", atoms)  # molecule 1
    text = f"{head}Atoms # bond\n{atoms}\nBonds\n\n1 1 1 2\n"
    expected = evaluate_frame(open_potential(potential), frame, threads=1)
    energies = {}
    for factor in (1.0, 0.5, 0.0):
        (tmp_path / "frame.data").write_text(text)
        lines = setup_lines(frame, "frame.data")
        lines[lines.index("atom_style atomic")] = "atom_style bond"
        lines += ["bond_style zero", "bond_coeff *", f"special_bonds lj/coul {factor} 1 1"]
        done = run_script(
            tmp_path,
            [*lines, *pair_lines(potential, SPECIES), "run 0 post no", 'print "e $(pe:%.17g)"'],
            2,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        energies[factor] = float(re.search("^e (.*)$", done.stdout, re.M)[1])
        warned = "bonded pairs are taken out of the neighbour list" in done.stdout
        assert warned == (factor != 1.0)
    assert abs(energies[1.0] - expected.energy) < SAME
    assert abs(energies[0.5] - expected.energy) < SAME
    assert abs(energies[0.0] - expected.energy) > 1e-3


def test_inner_levels_of_respa_are_refused(potential, tmp_path):
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES), "fix move all nve"]
    whole = run_script(tmp_path, [*lines, "run_style respa 2 2 pair 2", "run 2"])
    assert whole.returncode == 0, whole.stdout + whole.stderr
    parts = run_script(tmp_path, [*lines, "run_style respa 2 2 inner 1 2 3 outer 2", "run 2"])
    assert parts.returncode != 0
    assert "does not support rRESPA inner/middle/outer" in parts.stdout + parts.stderr


@pytest.mark.parametrize("kind", ["restart", "data"])
def test_a_run_goes_on_from_a_file(potential, tmp_path, kind):
    frame = random_frame("triclinic crystal", seed=4)
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    dynamics = ["fix move all nve", "timestep 2e-4"]
    write = f"write_{kind} half.{kind}" + (" nocoeff" if kind == "data" else "")
    start = [*setup_lines(frame, "frame.data"), *pair_lines(potential, SPECIES)]
    start += ["velocity all create 300 7", *dynamics, "run 10", write, "run 10"]
    end = [*OUTPUT, "run 0 post no", *PRINT]
    box = Box(np.eye(3), np.zeros((1, 3)), np.eye(3))
    done = run_script(tmp_path, [*start, *end], 2)
    assert done.returncode == 0, done.stdout + done.stderr
    through = read_output(tmp_path, done.stdout, box)
    again = ["units metal", "atom_style atomic", "boundary p p p", "atom_modify map array"]
    again += ["neighbor 0.5 bin", f"read_{kind} half.{kind}", *pair_lines(potential, SPECIES)]
    done = run_script(tmp_path, [*again, *dynamics, "run 10", *end], 2)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_output(tmp_path, done.stdout, box)
    assert abs(found.energy - through.energy) < 1e-7
    assert np.abs(found.forces - through.forces).max() < 1e-7


def test_hybrid_overlay_adds_a_short_range_repulsion(potential, tmp_path):
    frame = random_frame("triclinic crystal", seed=4)
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    numbers = [14, 8, 1]
    zbl = [
        f"pair_coeff {i + 1} {j + 1} zbl {numbers[i]} {numbers[j]}"
        for i in range(3)
        for j in range(i, 3)
    ]
    both = ["pair_style hybrid/overlay panna zbl 2.0 2.5", *zbl]
    both += [f"pair_coeff * * panna {potential} panna.in {' '.join(SPECIES)}"]
    alone = ["pair_style zbl 2.0 2.5", *(line.replace(" zbl", "") for line in zbl)]
    forces = []
    for pair in (both, alone):
        lines = [*setup_lines(frame, "frame.data"), *pair, *OUTPUT, "run 0 post no", *PRINT]
        done = run_script(tmp_path, lines, 2)
        assert done.returncode == 0, done.stdout + done.stderr
        forces.append(read_output(tmp_path, done.stdout, Box.of(frame)).forces)
    expected = evaluate_frame(open_potential(potential), frame, threads=1)
    assert np.abs(forces[1]).max() > 0.1
    assert np.abs(forces[0] - forces[1] - expected.forces).max() < SAME
