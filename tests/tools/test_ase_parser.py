"""panna_ase_parser on files that ASE writes, on small outputs, on damaged and dangerous files."""

import gzip
import pickle
import sqlite3

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from parser_runs import parser_run

from panna.tools.ase_parser import main

# Rounded CODATA values, for the comparison with numbers worked out by hand.
HARTREE, HARTREE_PER_BOHR = 27.21139, 51.42208

NWCHEM = """\
              Northwest Computational Chemistry Package (NWChem) 7.2.0

                                 NWChem DFT Module
                                 -----------------

         Total DFT energy =      -76.400000000000

                         DFT ENERGY GRADIENTS

    atom               coordinates                        gradient
                 x          y          z           x          y          z
   1 O       0.000000   0.000000   0.220000    0.000000   0.000000  -0.010000
   2 H       0.000000   1.430000  -0.890000    0.000000  -0.002000   0.005000
   3 H       0.000000  -1.430000  -0.890000    0.000000   0.002000   0.005000

"""


def crystal(**results):
    """Two atoms in a skewed cell, with results that say from which component they come."""
    atoms = Atoms(
        "SiO", [[0, 0, 0], [1.5, 1.2, 1.0]], cell=[[4, 0, 0], [1, 4, 0], [0, 0, 5]], pbc=True
    )
    given = {
        "energy": -12.5,
        "forces": np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]]),
        "stress": np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06]),
    }
    atoms.calc = SinglePointCalculator(atoms, **{**given, **results})
    return atoms


@pytest.mark.parametrize("ending", ["traj", "db", "json", "xyz", "traj.gz"])
def test_what_ase_writes(tmp_path, capsys, ending):
    """Energy, forces and stress come back, with ASE's sign and order of the components."""
    path = tmp_path / f"data.{ending}"
    images = [crystal(), crystal(energy=-11.0)]
    if ending == "traj.gz":
        ase.io.write(tmp_path / "data.traj", images)
        path.write_bytes(gzip.compress((tmp_path / "data.traj").read_bytes()))
    else:
        ase.io.write(path, images)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 0, run.said
    assert list(run.frames) == ["data_000001", "data_000002"]
    frame = run.frames["data_000002"]
    assert frame.species == ("Si", "O") and frame.energy == -11.0 and frame.pbc.all()
    tolerance = 1e-7 if ending == "xyz" else 1e-14  # ASE writes eight decimals
    np.testing.assert_allclose(frame.forces[0], [0.1, 0.2, 0.3], atol=tolerance)
    np.testing.assert_allclose(frame.positions[1], [1.5, 1.2, 1.0], atol=tolerance)
    stress = [[0.01, 0.06, 0.05], [0.06, 0.02, 0.04], [0.05, 0.04, 0.03]]
    np.testing.assert_allclose(frame.virial, -80.0 * np.array(stress), atol=1e-6)
    assert run.contents["data_000001"]["ase_format"] == {"xyz": "extxyz"}.get(
        ending, ending.removesuffix(".gz")
    )


def test_forces_are_those_before_constraints(tmp_path, capsys):
    atoms = crystal()
    atoms.set_constraint(FixAtoms([0]))
    assert not atoms.get_forces()[0].any()
    ase.io.write(tmp_path / "fixed.traj", atoms)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "fixed.traj")
    np.testing.assert_array_equal(run.only.forces[0], [0.1, 0.2, 0.3])


@pytest.mark.parametrize(("choice", "expected"), [("free", -12.75), ("energy", -12.5)])
def test_which_energy(tmp_path, capsys, choice, expected):
    ase.io.write(tmp_path / "smeared.traj", crystal(free_energy=-12.75))
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "smeared.traj", "--energy", choice)
    assert run.only.energy == expected and "no free energy" not in run.said
    name = {"free": "free_energy", "energy": "energy"}[choice]
    assert run.contents["smeared_000001"]["ase_energy"] == name
    assert f"energies taken     {name} (1)" in run.said


def test_an_energy_in_place_of_the_free_one_is_told(tmp_path, capsys):
    ase.io.write(tmp_path / "plain.traj", crystal())
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "plain.traj")
    assert run.code == 0 and run.only.energy == -12.5
    assert "no free energy in the file: its energy is taken (1 file" in run.said


def test_energies_are_never_taken_from_the_free_one_unasked(tmp_path, capsys):
    atoms = crystal()
    atoms.calc = SinglePointCalculator(atoms, free_energy=-1.0)
    ase.io.write(tmp_path / "free.traj", atoms)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "free.traj", "--energy", "energy")
    assert run.code == 2 and "no energy" in run.said and not run.frames


def test_nwchem(tmp_path, capsys):
    """Bohr, hartree, and gradients with the other sign."""
    path = tmp_path / "water.nwo"
    path.write_text(NWCHEM)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 0, run.said
    frame = run.frames["water_000001"]
    assert frame.species == ("O", "H", "H") and not frame.pbc.any() and frame.virial is None
    np.testing.assert_allclose(frame.energy, -76.4 * HARTREE, rtol=1e-6)
    np.testing.assert_allclose(
        frame.positions[1], [0, 1.43 * 0.5291772, -0.89 * 0.5291772], rtol=1e-6
    )
    np.testing.assert_allclose(frame.forces[0], [0, 0, 0.01 * HARTREE_PER_BOHR], rtol=1e-6)
    np.testing.assert_allclose(frame.forces[1, 1], 0.002 * HARTREE_PER_BOHR, rtol=1e-6)


def test_readers_that_forget_the_periodicity(tmp_path, capsys):
    """As ASE's of NWChem's plane waves; such cells are told, and --periodic all mends them."""
    atoms = crystal()
    atoms.pbc = False
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    ase.io.write(tmp_path / "box.traj", atoms)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "box.traj")
    assert not run.only.pbc.any() and not run.only.cell.any()
    assert "a cell without periodic directions" in run.said
    run = parser_run(main, capsys, tmp_path / "all", tmp_path / "box.traj", "--periodic", "all")
    assert run.only.pbc.all() and run.only.cell[1, 0] == 1.0


def test_folders(tmp_path, capsys):
    folder = tmp_path / "in"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "OUTPUT").write_text(NWCHEM)
    (folder / "b.nwo").write_text(NWCHEM)
    (folder / "notes.txt").write_text("nothing")
    run = parser_run(main, capsys, tmp_path / "out", folder, "--files", "*.nwo")
    assert run.code == 0 and list(run.frames) == ["b_000001"]
    run = parser_run(main, capsys, tmp_path / "other", folder, "--files", "a/OUTPUT")
    assert run.code == 0 and list(run.frames) == ["a_OUTPUT_000001"]
    run = parser_run(main, capsys, tmp_path / "no", folder)
    assert run.code == 2 and "--files '*.nwo'" in run.said
    run = parser_run(main, capsys, tmp_path / "no", folder, "--files", "*.out")
    assert run.code == 2 and "holds no file that matches --files" in run.said


def test_names_that_ase_would_take_for_something_else(tmp_path, capsys, monkeypatch):
    """An @ is not a selection of images, and postgres not a server."""
    monkeypatch.chdir(tmp_path)
    for name in ("run@1.traj", "postgres.traj"):
        ase.io.write(f"{tmp_path}/x.traj", [crystal(), crystal()])
        (tmp_path / "x.traj").rename(tmp_path / name)
    run = parser_run(main, capsys, tmp_path / "out", "run@1.traj", "postgres.traj")
    assert run.code == 0, run.said
    assert sorted(run.frames) == [f"{a}_00000{k}" for a in ("postgres", "run_1") for k in (1, 2)]


FORMATS = {
    "py": "is refused: a program",
    "postgresql": "is refused: a server",
    "bundletrajectory": "is refused: a folder",
    "cp2k-restart": "it holds no energies",
    "nwchem-ot": "did you mean nwchem-out?",
    "png": "writes but cannot read",
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_that_are_not_read(tmp_path, capsys, name):
    (tmp_path / "x").write_text("print('executed')")
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "x", "--format", name)
    assert run.code == 2 and FORMATS[name] in run.said and not run.frames
    assert f"--format {name}" in run.said


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("start", [b"", b"PickleTrajectory"])
@pytest.mark.parametrize("form", ["traj", "gpw", "db", "json", "eon", "netcdftrajectory"])
def test_nothing_is_unpickled(tmp_path, capsys, form, start):
    trace = tmp_path / "trace"
    path = tmp_path / "bomb.traj"
    path.write_bytes(start + pickle.dumps(Bomb(str(trace)), protocol=0))
    run = parser_run(main, capsys, tmp_path / "out", path, "--format", form)
    assert run.code == 2 and not trace.exists()
    assert f"left out: {path}: " in run.said


def test_databases_of_others_are_not_touched(tmp_path, capsys):
    """ASE would add its tables to them."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("create table systems (x)")
    before = path.read_bytes()
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and "a database, but not one of ASE" in run.said
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) <= 2


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


DAMAGED = {
    "empty": ("a.traj", lambda b: b"", "the file is empty"),
    "junk": ("a.traj", lambda b: bytes(range(256)) * 20, "ASE cannot read it as traj"),
    "cut": ("a.traj", cut, "ASE cannot read it as traj"),
    "text": ("a.nwo", lambda b: b"no output\n", "ASE"),
    "unknown": ("a.what", lambda b: b"no output\n", "name it with --format"),
    "executable": ("a.py", lambda b: b"open('trace', 'w')\n", "is refused: a program"),
    "json of others": ("a.json", lambda b: b'{"a": 1}', "ASE cannot read it as json"),
    "deep json": ("a.json", lambda b: b"[" * 100000, "ASE cannot read it as json"),
    "no sqlite": ("a.db", lambda b: b"x" * 5000, "not a database of ASE"),
    "cut gzip": ("a.traj.gz", lambda b: cut(gzip.compress(b)), "ASE cannot find out what it is"),
    "no energies": (
        "a.poscar",
        lambda b: b"x\n1.0\n3 0 0\n0 3 0\n0 0 3\nSi\n1\nDirect\n0 0 0\n",
        "no energy",
    ),
    "nan": (
        "a.xyz",
        lambda b: b'1\nProperties=species:S:1:pos:R:3 energy=nan pbc="F F F"\nSi 0 0 0\n',
        "energy is nan",
    ),
    "no element": (
        "a.xyz",
        lambda b: b'1\nProperties=species:S:1:pos:R:3 energy=1 pbc="F F F"\nX 0 0 0\n',
        "'X' is not the symbol",
    ),
    "no atoms": ("a.gro", lambda b: b"title\n", "no atoms"),
    "missing vector": (
        "a.xyz",
        lambda b: b'1\nProperties=species:S:1:pos:R:3 energy=1 pbc="T T T"\nSi 0 0 0\n',
        "lattice vector is missing or zero",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_named_with_the_reason(tmp_path, capsys, case):
    name, change, reason = DAMAGED[case]
    ase.io.write(tmp_path / "good.traj", crystal())
    path = tmp_path / name
    path.write_bytes(change((tmp_path / "good.traj").read_bytes()))
    run = parser_run(main, capsys, tmp_path / "out", path, tmp_path / "good.traj")
    assert run.code == 2 and list(run.frames) == ["good_000001"], run.said
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


def test_one_bad_configuration_of_several(tmp_path, capsys):
    images = [crystal(), crystal(energy=np.nan), crystal(energy=-3.0)]
    ase.io.write(tmp_path / "three.traj", images)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "three.traj")
    assert run.code == 2 and list(run.frames) == ["three_000001", "three_000003"]
    assert "three.traj, configuration 2: energy is nan" in run.said


def test_a_stress_needs_a_volume(tmp_path, capsys):
    """Some calculators give zeros for molecules."""
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.75]])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, stress=np.zeros(6))
    ase.io.write(tmp_path / "h2.traj", atoms)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "h2.traj")
    assert run.code == 0 and run.only.virial is None
