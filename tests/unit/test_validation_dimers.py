"""Two atoms: Lennard-Jones with and without faults, and a potential of silicon."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.data import atomic_numbers, covalent_radii
from validation_cases import (
    COMMITTEE,
    fact,
    judged,
    silica,
    silicon,
    subject_of,
    without_plots,
    write_frames,
    write_labelled,
    write_silica,
)

from panna.errors import PotentialError
from panna.frames.ase_atoms import frame_of_structure
from panna.potential.calculator import PANNA
from panna.report.level import Level
from panna.validation.dimers import distances_of, fall_inwards, scan
from panna.validation.sections.dimers import HEADERS, dimers

SI = 2 * covalent_radii[atomic_numbers["Si"]]
SIGMA, DEPTH = 1.9, 2.0  # angstrom, eV; the minimum lies at 2.13
BOND = 2 ** (1 / 6) * SIGMA
CUTOFF = 3.9  # of the potential in the repository


class Curve(Calculator):
    """Two atoms with any energy; everything else in the frame is as if it were not there."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, energy):
        super().__init__()
        self.energy = energy

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        vector = self.atoms.positions[1] - self.atoms.positions[0]
        r = np.linalg.norm(vector)
        slope = (self.energy(r + 1e-6) - self.energy(r - 1e-6)) / 2e-6
        force = -slope * vector / r
        self.results = {"energy": float(self.energy(r)), "forces": np.array([-force, force])}


def taper(r):
    """1 at short distances, 0 at the cutoff, smooth."""
    x = np.clip((r - 3.0) / (CUTOFF - 3.0), 0, 1)
    return (1 - x) ** 3 * (1 + 3 * x + 6 * x * x)


def lennard_jones(r):
    return 4 * DEPTH * ((SIGMA / r) ** 12 - (SIGMA / r) ** 6) * taper(r) - 7.0


def well(depth, at, width=0.05):
    """Lennard-Jones with a spurious well in the wall, rising beyond it."""
    return lambda r: lennard_jones(r) - depth * np.exp(-(((r - at) / width) ** 2))


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """One test draws."""
    if request.function is not test_test_frames_of_two_atoms:
        without_plots(monkeypatch, sys.modules[dimers.__module__])


@pytest.fixture(scope="module")
def bulk_dir(tmp_path_factory):
    """Silicon, whose shortest distance is somewhat below 2.35."""
    return write_frames(tmp_path_factory.mktemp("dimers") / "test", {"a": silicon(noise=0.02)})


def run(tmp_path, test_dir, calculator, **keys):
    return dimers(subject_of(tmp_path, test_dir, own=calculator, **keys))


def test_lennard_jones_is_good(tmp_path, bulk_dir):
    content = run(tmp_path, bulk_dir, Curve(lennard_jones))
    assert content.level == Level.GOOD
    assert judged(content, "dimer_fall")[0].value == 0.0
    assert "only rises" in judged(content, "dimer_fall")[0].sentence
    row = dict(zip(content.tables[0].headers, content.tables[0].rows[0], strict=True))
    assert row["pair"] == "Si-Si"
    assert row["bond length (Å)"] == pytest.approx(BOND, abs=0.02)
    assert row["energy there (eV)"] == pytest.approx(-DEPTH, abs=0.01)
    assert row["judged below (Å)"] == row["bond length (Å)"] < row["shortest in the data (Å)"]
    (data,) = content.data["pairs"]
    r, e = np.array(data["distances_angstrom"]), np.array(data["energies_eV"])
    assert r[0] == pytest.approx(0.4 * SI) and r[-1] == pytest.approx(CUTOFF, abs=1e-5)
    # Without the energy of the atoms alone, -7 eV.
    np.testing.assert_allclose(e, lennard_jones(r) + 7, atol=1e-9)
    assert data["energy_at_cutoff_eV"] == pytest.approx(-7.0)
    slopes = -np.gradient(e, r)
    inner = (r > 2.0) & (r < 3.8)
    assert np.abs(np.array(data["forces_eV_per_angstrom"]) - slopes)[inner].max() < 0.2
    json.dumps(content.data, allow_nan=False)


@pytest.mark.parametrize("depth, level", [(5.5, Level.DOUBTFUL), (9.0, Level.BAD)])
def test_a_well_in_the_wall(tmp_path, bulk_dir, depth, level):
    curve = well(depth, 1.75)
    content = run(tmp_path, bulk_dir, Curve(curve))
    (one,) = judged(content, "dimer_fall")
    r = np.linspace(1.6, BOND, 20001)[::-1]
    e = curve(r)
    expected = (np.maximum.accumulate(e) - e).max()
    assert one.value == pytest.approx(expected, abs=0.1)
    assert one.level == level
    assert "Si-Si" in one.sentence and "barrier" in one.sentence
    assert "short distances of Si-Si" in one.advice and "zbl" in one.advice


def test_a_wall_that_turns_over(tmp_path, bulk_dir):
    """Behind a barrier the energy falls without end, as networks do."""
    content = run(tmp_path, bulk_dir, Curve(lambda r: np.where(
        r > 1.9, lennard_jones(r), lennard_jones(1.9) - 8 * (1.9 - r))))  # fmt: skip
    (one,) = judged(content, "dimer_fall")
    assert one.level == Level.BAD
    assert one.value == pytest.approx(8 * (1.9 - 0.4 * SI), abs=0.1)
    row = dict(zip(content.tables[0].headers, content.tables[0].rows[0], strict=True))
    assert row["begins at (Å)"] == pytest.approx(1.9, abs=0.02)
    assert row["barrier before it (eV)"] == pytest.approx(DEPTH, abs=0.1)


def test_a_fault_that_no_atom_reaches(tmp_path, bulk_dir):
    """At 1.3 angstrom Lennard-Jones is 650 eV high."""
    assert run(tmp_path, bulk_dir, Curve(well(300.0, 1.3))).level == Level.GOOD


def test_only_what_is_shorter_than_the_data_is_judged(tmp_path):
    """The same fault, with data that reach below it."""
    fault = Curve(well(9.0, 1.75))
    pair = Atoms("Si2", [[0, 0, 0], [1.65, 0, 0]])
    content = run(tmp_path, write_frames(tmp_path / "test", {"close": pair}), fault)
    (one,) = judged(content, "dimer_fall")
    assert one.value == 0.0
    assert content.tables[0].rows[0][1] == pytest.approx(1.65)


def test_the_training_set_counts_as_data(tmp_path, bulk_dir):
    pair = Atoms("Si2", [[0, 0, 0], [1.65, 0, 0]])
    training = write_frames(tmp_path / "train", {"close": pair})
    (training / "broken.example").write_text("{")
    content = run(tmp_path, bulk_dir, Curve(well(9.0, 1.75)), training_dir=training)
    assert fact(content, "searched") == 2
    assert judged(content, "dimer_fall")[0].value == 0.0


@pytest.mark.parametrize("depth, at", [(7.0, 1.82), (45.0, 1.64)])
def test_a_well_far_inside_the_data_is_no_bond_however_deep(tmp_path, bulk_dir, depth, at):
    content = run(tmp_path, bulk_dir, Curve(well(depth, at)))
    (one,) = judged(content, "dimer_fall")
    assert one.level == Level.BAD
    row = dict(zip(content.tables[0].headers, content.tables[0].rows[0], strict=True))
    assert row["bond length (Å)"] == pytest.approx(BOND, abs=0.02)
    assert row["judged below (Å)"] == row["bond length (Å)"]


def test_a_deep_well_that_no_atom_reaches(tmp_path, bulk_dir):
    """Behind a barrier of 38 eV; the way from the data to the bond is no fall either."""
    assert run(tmp_path, bulk_dir, Curve(well(100.0, 1.56, 0.02))).level == Level.GOOD


def test_a_bond_of_two_atoms_somewhat_shorter_than_in_the_data_is_a_bond(tmp_path):
    folder = write_frames(tmp_path / "test", {"wide": silicon(1.05, noise=0)})
    content = run(tmp_path, folder, Curve(lennard_jones))
    row = dict(zip(content.tables[0].headers, content.tables[0].rows[0], strict=True))
    assert row["bond length (Å)"] < 0.87 * row["shortest in the data (Å)"]
    assert content.level == Level.GOOD


def test_a_reference_tells_the_bond_from_a_spurious_well(tmp_path, bulk_dir):
    """A well deeper than the bond, at a distance where a bond might be."""
    curve = well(7.0, 1.98)
    alone = run(tmp_path, bulk_dir, Curve(curve))
    content = run(tmp_path, bulk_dir, Curve(curve), other=Curve(lambda r: lennard_jones(r) + 3))
    row = dict(zip(content.tables[0].headers, content.tables[0].rows[0], strict=True))
    assert alone.tables[0].rows[0][2] == pytest.approx(1.98, abs=0.03)
    assert judged(alone, "dimer_fall")[0].value < 0.1
    assert judged(content, "dimer_fall")[0].level == Level.BAD
    # Different zeros of energy do not matter, only the well does.
    (data,) = content.data["pairs"]
    r = np.array(data["distances_angstrom"])
    low = lennard_jones(r) + 7 < 5
    difference = (curve(r) - lennard_jones(r))[low]
    key = "RMS deviation from the reference (eV)"
    assert row[key] == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-6)


class NoPairsOf(Curve):
    """LAMMPS with a table that begins further out, say: pairs of these species fail."""

    def __init__(self, *species):
        super().__init__(lennard_jones)
        self.species = sorted(species)

    def calculate(self, atoms=None, *args, **kwargs):
        if sorted(atoms.symbols) == self.species:
            raise PotentialError("Pair distance < table inner cutoff.")
        super().calculate(atoms, *args, **kwargs)


def test_a_reference_that_fails_for_a_pair_leaves_the_potential_judged(tmp_path):
    folder = write_frames(tmp_path / "test", {"a": silica("SiOH")})
    potential = write_silica(tmp_path / "potential")
    subject = subject_of(tmp_path, folder, potential, other=NoPairsOf("O", "H"))
    content = dimers(subject)
    has = {"-".join(one["pair"]): "reference_energies_eV" in one for one in content.data["pairs"]}
    assert has == {pair: pair != "O-H" for pair in has} and len(has) == 6
    assert len(judged(content, "dimer_fall")) == 1
    (note,) = [one for one in content.judgements if one.level == Level.NOTE]
    assert "reference of O-H" in note.sentence
    assert note.sentence.endswith("Å on: Pair distance < table inner cutoff.")


def test_a_training_set_that_cannot_be_used_leaves_the_test_set(tmp_path, bulk_dir):
    content = run(tmp_path, bulk_dir, Curve(lennard_jones), training_dir=tmp_path / "nowhere")
    assert fact(content, "searched") == 1
    assert content.verdict == "good"
    (note,) = [one for one in content.judgements if one.level == Level.NOTE]
    assert "Only the test set" in note.sentence and "nowhere" in note.sentence


@pytest.mark.parametrize("rc, level", [(CUTOFF, Level.BAD), (2.5, Level.GOOD)])
def test_force_at_the_cutoff(tmp_path, bulk_dir, rc, level):
    """A potential that ends abruptly, at the cutoff or well before it."""
    calculator = LennardJones(sigma=SIGMA, epsilon=DEPTH, rc=rc)
    (one,) = judged(run(tmp_path, bulk_dir, calculator), "dimer_cutoff_force")
    expected = 24 * DEPTH * (SIGMA**6 / rc**7 - 2 * SIGMA**12 / rc**13) if rc == CUTOFF else 0
    assert one.value == pytest.approx(expected, rel=1e-4)
    assert one.level == level


def test_test_frames_of_two_atoms(tmp_path):
    """Their energies and forces stand beside the curve; two atoms of a crystal are no pair."""
    frames = []
    for number, r in enumerate((2.0, 2.5)):
        atoms = Atoms("Si2", [[0, 0, 0], [0, 0, r]])
        atoms.calc = Curve(lennard_jones)
        frames.append(frame_of_structure(atoms, name=f"pair_{number}", energy=lennard_jones(r),
                                         forces=atoms.get_forces()))  # fmt: skip
    from ase.build import bulk

    frames.append(frame_of_structure(bulk("Si", "diamond", 5.43), name="crystal", energy=-8.0))
    far = Atoms("Si2", [[0, 0, 0], [0, 0, 5.0]])
    frames.append(frame_of_structure(far, name="far", energy=-7.0))
    folder = write_labelled(tmp_path / "test", frames)
    content = run(tmp_path, folder, Curve(lennard_jones))
    assert fact(content, "test_dimers") == 2
    points = content.data["pairs"][0]["test_frames"]
    assert [one["distance_angstrom"] for one in points] == pytest.approx([2.0, 2.5])
    energies = [one["energy_eV"] for one in points]
    assert energies == pytest.approx([lennard_jones(2.0) + 7, lennard_jones(2.5) + 7])
    forces = [one["force_eV_per_angstrom"] for one in points]
    assert forces[0] > 0 > forces[1]
    assert "test frames" in content.plots[0].svg


def test_a_potential_of_silicon(tmp_path, bulk_dir):
    """A committee: the curve is that of ASE, and its spread is there."""
    content = dimers(subject_of(tmp_path, bulk_dir, COMMITTEE))
    (data,) = content.data["pairs"]
    k = 120
    r = data["distances_angstrom"][k]
    atoms = Atoms("Si2", [[0, 0, 0], [r, 0, 0]], calculator=PANNA(COMMITTEE))
    energy, force = atoms.get_potential_energy(), atoms.get_forces()[1, 0]
    assert data["energies_eV"][k] + data["energy_at_cutoff_eV"] == pytest.approx(energy, abs=1e-9)
    assert data["forces_eV_per_angstrom"][k] == pytest.approx(force, abs=1e-9)
    spread = abs(atoms.calc.results["forces_std"][1, 0])
    assert data["forces_std_eV_per_angstrom"][k] == pytest.approx(spread, abs=1e-9)
    assert len(data["within_ranges_of_training"]) == 200
    assert judged(content, "dimer_cutoff_force")[0].level == Level.GOOD


def test_all_pairs_of_three_species(tmp_path):
    folder = write_frames(tmp_path / "test", {"a": silica("SiOH"), "b": silica("HO", 3)})
    content = dimers(subject_of(tmp_path, folder, write_silica(tmp_path / "potential")))
    rows = {row[0]: dict(zip(HEADERS, row, strict=True)) for row in content.tables[0].rows}
    assert list(rows) == ["Si-Si", "Si-O", "Si-H", "O-O", "O-H", "H-H"]
    assert rows["Si-Si"]["shortest in the data (Å)"] is None
    # H-O of the data and O-H of the potential are one pair.
    lengths = [silica("SiOH").get_distance(1, 2), silica("HO", 3).get_distance(0, 1)]
    assert rows["O-H"]["shortest in the data (Å)"] == pytest.approx(min(lengths))
    (one,) = judged(content, "dimer_fall")
    assert one.value == max(row["fall (eV)"] for row in rows.values())
    json.dumps(content.data, allow_nan=False)


def test_a_walk_from_outside_the_curve():
    distances = distances_of(("Si", "Si"), CUTOFF, 0.4, 50)
    one = scan(Curve(lennard_jones), ("Si", "Si"), distances, CUTOFF)
    assert fall_inwards(one, 0.1).depth == 0.0
    # All the way: the only fall is the bond itself.
    assert fall_inwards(one, CUTOFF).depth == pytest.approx(DEPTH, abs=0.05)
