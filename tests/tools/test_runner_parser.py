"""panna_runner_parser on data of RuNNer and n2p2, and on damaged files."""

import gzip
import lzma

import ase.io
import numpy as np
import pytest
from ase.data import chemical_symbols
from parser_runs import parser_run

from panna.frames.units import BOHR, HARTREE
from panna.tools.runner_parser import main

ATOMIC_UNITS = ("--length-unit", "bohr", "--energy-unit", "Ha")
EV = ("--length-unit", "angstrom", "--energy-unit", "eV")

WATER = """\
begin
comment a molecule
atom 0.0 0.0 0.1 O -0.8 0.0 0.01 0.02 -0.03
atom 1.4 0.0 1.2 H 0.4 0.0 -0.01 0.0 0.01
atom -1.4 0.0 1.2 H 0.4 0.0 0.0 -0.02 0.02
energy -76.4
charge 0.0
end
"""
SALT = """\
begin set=train
lattice 10.0 0.0 0.0
lattice 1.0 9.0 0.0
lattice 0.5 0.2 8.0
atom 0.0 0.0 0.0 Na 0.9 0.0 0.1 0.0 0.0
atom 4.0 4.0 4.0 Cl -0.9 0.0 -0.1 0.0 0.0
energy -620.5
charge 0.0
end
"""


def written(folder, text, name="input.data"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_molecules_and_crystals(tmp_path, capsys):
    path = written(tmp_path, WATER + SALT)
    run = parser_run(main, capsys, tmp_path / "out", path, *ATOMIC_UNITS)
    assert run.code == 0 and list(run.frames) == ["input_000001", "input_000002"]
    water, salt = run.frames.values()
    assert not water.pbc.any() and not water.cell.any() and salt.pbc.all()
    assert water.species == ("O", "H", "H") and salt.species == ("Na", "Cl")
    assert water.energy == pytest.approx(-76.4 * HARTREE, rel=1e-12)
    close = dict(rtol=1e-12, atol=0)
    np.testing.assert_allclose(salt.cell[1], np.array([1.0, 9.0, 0.0]) * BOHR, **close)
    np.testing.assert_allclose(salt.positions[1], np.full(3, 4.0) * BOHR, **close)
    np.testing.assert_allclose(
        water.forces[0], np.array([0.01, 0.02, -0.03]) * HARTREE / BOHR, **close
    )
    content = run.contents["input_000001"]
    assert content["comment"] == "a molecule" and content["source_frame"] == 1
    assert run.contents["input_000002"]["source_line"] == 9


@pytest.mark.parametrize("given", [(), ATOMIC_UNITS[:2], ATOMIC_UNITS[2:]])
def test_units_are_never_guessed(tmp_path, capsys, given):
    """Bohr and hartree are as common as angstrom and eV, and the file is silent."""
    path = written(tmp_path, WATER)
    run = parser_run(main, capsys, tmp_path / "out", path, *given)
    assert run.code == 2 and not run.frames and not (tmp_path / "out").exists()
    assert "--length-unit" in run.said and "--energy-unit" in run.said
    assert "input.nn" in run.said and "angstrom and eV" in run.said


def test_units_scale_as_told(tmp_path, capsys):
    path = written(tmp_path, WATER)
    run = parser_run(main, capsys, tmp_path / "out", path, *EV)
    assert run.only.energy == -76.4 and run.only.forces[0, 2] == -0.03
    assert "angstrom, eV, eV/angstrom" in run.said
    run = parser_run(main, capsys, tmp_path / "x", path, "--length-unit", "ell", *EV[2:])
    assert run.code == 2 and "--length-unit 'ell' is unknown" in run.said


def test_zeros_stand_for_nothing(tmp_path, capsys):
    """Data for prediction have forces 0, and sometimes an energy of 0."""
    zero = "\n".join(
        line.rsplit(maxsplit=3)[0] + " 0.0 0.0 0.0" if line.startswith("atom") else line
        for line in WATER.splitlines()
    )
    text = zero + "\n" + zero.replace("energy -76.4", "energy 0.0") + "\n" + WATER
    path = written(tmp_path, text)
    run = parser_run(main, capsys, tmp_path / "out", path, *ATOMIC_UNITS)
    assert run.code == 2 and list(run.frames) == ["input_000001", "input_000003"]
    assert run.frames["input_000001"].forces is None
    assert "frame 2 (line 9): no energy" in run.said and "was not computed" in run.said
    assert "(1 file, first: " in run.said
    run = parser_run(main, capsys, tmp_path / "kept", path, *ATOMIC_UNITS, "--keep-zeros")
    assert run.code == 0 and len(run.frames) == 3
    assert not run.frames["input_000002"].forces.any() and run.frames["input_000002"].energy == 0


@pytest.mark.parametrize("ending, opener", [(".xz", lzma.open), (".gz", gzip.open)])
def test_compressed_files(tmp_path, capsys, ending, opener):
    plain = parser_run(main, capsys, tmp_path / "a", written(tmp_path, WATER + SALT), *ATOMIC_UNITS)
    path = tmp_path / f"input.data{ending}"
    with opener(path, "wt") as file:
        file.write(WATER + SALT)
    run = parser_run(main, capsys, tmp_path / "b", path, *ATOMIC_UNITS)
    assert {k: f.fingerprint for k, f in run.frames.items()} == {
        k: f.fingerprint for k, f in plain.frames.items()
    }


def test_names_count_what_is_in_the_file(tmp_path, capsys):
    """A number stays with its structure, whatever is broken or not asked for."""
    broken = WATER.replace("energy -76.4", "energy many")
    path = written(tmp_path, SALT + broken + WATER + SALT + WATER)
    run = parser_run(main, capsys, tmp_path / "out", path, *ATOMIC_UNITS)
    assert run.code == 2
    assert list(run.frames) == [f"input_{k:06d}" for k in (1, 3, 4, 5)]
    assert [c["source_frame"] for c in run.contents.values()] == [1, 3, 4, 5]
    again = parser_run(main, capsys, tmp_path / "few", path, *ATOMIC_UNITS, "--every", "2")
    assert list(again.frames) == ["input_000001", "input_000003", "input_000005"]
    for name, frame in again.frames.items():
        assert frame.fingerprint == run.frames[name].fingerprint


def test_only_input_data_is_found_in_folders(tmp_path, capsys):
    for name in ("input.data", "scaling.data", "weights.001.data", "lammps.data"):
        written(tmp_path / "run", WATER, name)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "run", *ATOMIC_UNITS)
    assert run.code == 0 and list(run.frames) == ["input_000001"]


def replaced(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)

    return change


BROKEN = {
    "no begin": (replaced("begin", "start"), "begin expected, 'start' found"),
    "no end": (replaced("end\n", ""), "no end"),
    "two begins": (replaced("charge 0.0\nend\n", "begin\n"), "a second begin found"),
    "an atom with too few values": (replaced("-0.8 0.0", "-0.8"), "8 values behind atom, 9"),
    "an atom with too many values": (replaced("-0.8 0.0", "-0.8 0.0 1"), "10 values behind atom"),
    "a position that is no number": (replaced("1.4 0.0 1.2 H", "1.4 abc 1.2 H"), "'abc' found"),
    "a position that is not finite": (
        replaced("1.4 0.0 1.2 H", "1.4 nan 1.2 H"),
        "atom 2, y is nan",
    ),
    "a force that is not finite": (replaced("0.02 -0.03", "inf -0.03"), "atom 1, y is inf"),
    "an energy that is not finite": (replaced("-76.4", "nan"), "energy is nan"),
    "an energy that is no number": (replaced("-76.4", "-7_6.4"), "energy: '-7_6.4' found"),
    "no energy": (replaced("energy -76.4\n", ""), "no energy; accept frames"),
    "two energies": (replaced("charge 0.0", "energy -1"), "one energy expected"),
    "no atoms": (lambda text: "begin\nenergy 1.0\nend\n", "no atoms"),
    "an unknown element": (replaced(" O ", " Ox "), "'Ox' is not the symbol"),
    "two lattice vectors": (
        replaced("comment a", "lattice 9 0 0\nlattice 0 9 0\ncomment a"),
        "2 lattice lines found, 3 or none",
    ),
    "a short lattice vector": (
        replaced("comment a", "lattice 9 0\nlattice 0 9 0\nlattice 0 0 9\ncomment a"),
        "lattice: 2 numbers found, 3 expected",
    ),
    "a flat cell": (
        replaced("comment a", "lattice 9 0 0\nlattice 0 9 0\nlattice 9 9 0\ncomment a"),
        "linearly dependent",
    ),
    "coinciding atoms": (replaced("-1.4 0.0 1.2 H", "1.4 0.0 1.2 H"), "coincides with"),
    "an unknown keyword": (replaced("charge 0.0", "dipole 0.0"), "'dipole 0.0' found"),
    "empty": (lambda text: "", "the file is empty"),
    "blank": (lambda text: "\n\n# nothing\n", "no configuration in it"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_with_the_reason(tmp_path, capsys, case):
    change, reason = BROKEN[case]
    path = written(tmp_path, change(WATER), "broken.data")
    good = written(tmp_path, SALT)
    run = parser_run(main, capsys, tmp_path / "out", path, good, *ATOMIC_UNITS)
    assert run.code == 2 and list(run.frames) == ["input_000001"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("a.data", bytes(range(256)) * 40, "not UTF-8 text"),
        ("b.data.xz", lzma.compress(WATER.encode() * 2000)[:200], "the file is damaged"),
        ("c.data.gz", gzip.compress(WATER.encode() * 2000)[:200], "the file is damaged"),
        ("d.data.xz", WATER.encode(), "the file is damaged"),
        ("e.data", b"begin " + b"x" * 2_000_000, "longer than"),
    ],
)
def test_junk(tmp_path, capsys, name, content, reason):
    (tmp_path / name).write_bytes(content)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / name, *ATOMIC_UNITS)
    assert run.code == 2 and reason in run.said


def test_a_truncated_file_gives_what_is_complete(tmp_path, capsys):
    path = written(tmp_path, (WATER + SALT + WATER).removesuffix("charge 0.0\nend\n"))
    run = parser_run(main, capsys, tmp_path / "out", path, *ATOMIC_UNITS)
    assert run.code == 2 and list(run.frames) == ["input_000001", "input_000002"]
    assert "structure 3 (line 18): the file ends" in run.said


@pytest.mark.parametrize(
    "folder, length, energy",
    [
        ("h2o_rpbe_d3", "bohr", "Ha"),
        ("cu2s_pbe", "angstrom", "eV"),
        ("dmabn_scan_polynomial", "bohr", "Ha"),
    ],
)
def test_n2p2_reads_the_same(shared_data, tmp_path, capsys, folder, length, energy):
    """Energies, forces and elements in the order of the file, as n2p2 itself has read them."""
    source = shared_data / "runner_golden" / folder
    expected = np.load(source / "reference_n2p2.npz")
    run = parser_run(
        main, capsys, tmp_path / "out", source / "input.data.xz",
        "--length-unit", length, "--energy-unit", energy,
    )  # fmt: skip
    frames = list(run.frames.values())
    energy_unit = HARTREE if energy == "Ha" else 1.0
    length_unit = BOHR if length == "bohr" else 1.0
    assert run.code == 0 and len(frames) == len(expected["energy_ref"])
    assert [f.n_atoms for f in frames] == expected["natoms"].tolist()
    close = dict(rtol=1e-12, atol=0)
    energies = np.array([f.energy for f in frames]) / energy_unit
    np.testing.assert_allclose(energies, expected["energy_ref"], **close)
    forces = np.concatenate([f.forces for f in frames]) * (length_unit / energy_unit)
    np.testing.assert_allclose(forces, expected["forces_ref"].reshape(-1, 3), **close)
    assert [s for f in frames for s in f.species] == [chemical_symbols[z] for z in expected["z"]]


@pytest.mark.parametrize("element", ["Si", "Ni"])
def test_the_data_of_zuo(shared_data, tmp_path, capsys, element):
    """The same configurations as extended XYZ, but for digits and constants.

    Forces of perfect crystals are 0 in them.
    """
    source = shared_data / "runner_golden" / f"zuo_{element}_nnp" / "test.input.data.xz"
    run = parser_run(main, capsys, tmp_path / "out", source, *ATOMIC_UNITS, "--keep-zeros")
    with lzma.open(shared_data / "zuo2020" / f"{element}_test.xyz.xz", "rt") as file:
        expected = ase.io.read(file, ":", format="extxyz")
    assert run.code == 0 and len(run.frames) == len(expected)
    for frame, atoms in zip(run.frames.values(), expected, strict=True):
        assert frame.energy == pytest.approx(atoms.get_potential_energy(), rel=5e-7)
        np.testing.assert_allclose(frame.cell, atoms.cell.array, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(frame.positions, atoms.positions, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), rtol=1e-6, atol=1e-8)
