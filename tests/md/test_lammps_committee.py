"""Several potentials in one pair_coeff: mean and standard deviations against Python."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import SPECIES, mbp, random_frame
from lammps_runs import (
    OUTPUT,
    PRINT,
    pair_lines,
    read_output,
    run_script,
    setup_lines,
    write_data,
)
from model_cases import random_potential

from panna.potential.compiled import evaluate_frame, open_potential

SAME = 1e-9  # eV, eV/angstrom


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Three potentials, one with a longer cutoff."""
    folder = tmp_path_factory.mktemp("members")
    cutoffs = (4.0, 4.6, 4.0)
    return [
        random_potential(folder / f"member_{m}", replace(mbp(), rc_rad=cutoff), seed=m)
        for m, cutoff in enumerate(cutoffs, 1)
    ]


def energies_and_spread(folder, members, frame, ranks, unit="metal", hybrid=False):
    """What read_output finds, (M) energies, (N) and (N, 3) standard deviations."""
    box = write_data(folder / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(members, SPECIES), *OUTPUT]
    lines[lines.index("units metal")] = f"units {unit}"
    if hybrid:
        style = lines.index("pair_style panna")
        lines[style] = "pair_style hybrid/overlay panna zero 3.0"
        lines[style + 1] = lines[style + 1].replace("* *", "* * panna", 1)
        lines.insert(style + 2, "pair_coeff * * zero")
    lines += ["compute members all pair panna"]
    lines += ["fix spread all pair 1 panna energies_std 0 forces_std 1"]
    lines += ["dump spread all custom 1 spread.dump id f_spread[*]"]
    lines += ["dump_modify spread sort id format float %.17g"]
    lines += ["thermo_style custom step pe c_pressure[1] c_members[*]", "run 0 post no", *PRINT]
    values = " ".join(f"$(c_members[{m}]:%.17g)" for m in range(1, len(members) + 1))
    done = run_script(folder, [*lines, f'print "members {values}"'], ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    energies = np.array(re.search("^members (.*)$", done.stdout, re.M)[1].split(), float)
    table = np.loadtxt(folder / "spread.dump", skiprows=9)
    return read_output(folder, done.stdout, box), energies, table[:, 1], table[:, 2:], box


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("ranks", [1, 4])
def test_mean_and_spread_are_those_of_python(members, tmp_path, ranks, hybrid):
    frame = random_frame("triclinic crystal", seed=5)
    each = [evaluate_frame(open_potential(member), frame, threads=1) for member in members]
    found, energies, energies_std, forces_std, box = energies_and_spread(
        tmp_path, members, frame, ranks, hybrid=hybrid
    )
    forces = np.stack([one.forces for one in each])
    assert np.abs(forces.mean(0)).max() > 0.1 and forces.std(0).max() > 0.1
    assert np.abs(found.forces - forces.mean(0)).max() < SAME
    assert abs(found.energy - np.mean([one.energy for one in each])) < SAME
    assert np.abs(found.virial - np.mean([one.virial for one in each], axis=0)).max() < SAME
    np.testing.assert_allclose(energies, [one.energy for one in each], rtol=0, atol=SAME)
    of_atoms = np.std([one.atomic_energies for one in each], axis=0, ddof=1)
    np.testing.assert_allclose(energies_std, of_atoms, rtol=0, atol=SAME)
    # Standard deviations belong to the axes of LAMMPS.
    np.testing.assert_allclose(forces_std, (forces @ box.rotation).std(0, ddof=1), atol=SAME)


def test_spread_in_kcal_per_mol(members, tmp_path):
    frame = random_frame("triclinic crystal", seed=5)
    metal = energies_and_spread(tmp_path, members, frame, 2)
    real = energies_and_spread(tmp_path, members, frame, 2, "real")
    for index in (1, 2, 3):
        np.testing.assert_allclose(real[index], 23.060549 * metal[index], rtol=1e-6, atol=1e-9)


def test_a_committee_of_twins_agrees_with_one(members, tmp_path):
    frame = random_frame("triclinic crystal", seed=5)
    found, energies, energies_std, forces_std, _ = energies_and_spread(
        tmp_path, [members[0], members[0]], frame, 2
    )
    alone = evaluate_frame(open_potential(members[0]), frame, threads=1)
    assert np.abs(found.forces - alone.forces).max() < SAME
    assert np.all(energies_std == 0.0) and np.abs(forces_std).max() < 1e-12
    assert energies[0] == energies[1]


def test_members_must_have_the_same_species(members, tmp_path):
    other = random_potential(tmp_path / "other", mbp(species=("Si", "O")))
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines([members[0], other], SPECIES), "run 0"]
    done = run_script(tmp_path, lines, 2)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "species Si, O found, those of" in text, text


def test_one_potential_has_no_spread(members, tmp_path):
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    lines = [*setup_lines(frame, "frame.data"), *pair_lines(members[:1], SPECIES)]
    done = run_script(tmp_path, [*lines, "fix spread all pair 1 panna forces_std 0", "run 0"])
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "pair_coeff names one potential; two or more" in text, text
