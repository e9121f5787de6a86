"""Extended XYZ frames: keys, units, signs and the cutting of a stream into frames."""

import io
import re

import ase.io
import ase.units
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from panna.errors import FrameError
from panna.frames.extxyz import ExtxyzConvention, ExtxyzReader
from panna.frames.extxyz_stream import frame_texts
from panna.frames.text_lines import Lines, split_name
from panna.frames.units import BOHR, HARTREE
from panna.tools.exyz_parser import ExtxyzFiles

CELL = 'Lattice="5 0 0 1 6 0 0 0.5 7"'
COLUMNS = "Properties=species:S:1:pos:R:3:forces:R:3"
ATOMS = "Si 0 0 0 0 0 0.1\nO 1.5 1 0 0 0 -0.1\n"


def text_of(comment: str, atoms: str = ATOMS) -> str:
    return f"{len(atoms.splitlines())}\n{comment}\n{atoms}"


def lines_of(text: str, **options) -> Lines:
    return Lines(io.StringIO(text), **options)


def read(comment: str, atoms: str = ATOMS, *, energy_required=True, **convention):
    """One frame from the comment line and the atom lines."""
    reader = ExtxyzReader(ExtxyzConvention(**convention), energy_required)
    (piece,) = frame_texts(lines_of(text_of(comment, atoms)))
    return reader.frame(piece, "x")


# -- structure -------------------------------------------------------------------------------------


def test_a_plain_frame():
    frame = read(f'{CELL} {COLUMNS} energy=-3.5 pbc="T T T" group=Surface weight=2')
    assert frame.species == ("Si", "O")
    assert frame.positions.tolist() == [[0, 0, 0], [1.5, 1, 0]]
    assert frame.cell.tolist() == [[5, 0, 0], [1, 6, 0], [0, 0.5, 7]]
    assert frame.forces.tolist() == [[0, 0, 0.1], [0, 0, -0.1]]
    assert (frame.energy, frame.group, frame.weight) == (-3.5, "Surface", 2.0)
    assert frame.pbc.all()


def test_without_a_lattice_nothing_is_periodic():
    frame = read(f"{COLUMNS} energy=-1")
    assert not frame.pbc.any() and not frame.cell.any()


def test_vectors_along_aperiodic_directions_are_dropped():
    frame = read(f'{CELL} {COLUMNS} energy=-1 pbc="T T F"')
    assert frame.pbc.tolist() == [True, True, False]
    assert frame.cell.tolist() == [[5, 0, 0], [1, 6, 0], [0, 0, 0]]


def test_atomic_numbers_may_stand_for_symbols():
    frame = read(f"{CELL} Properties=Z:I:1:pos:R:3 energy=-1", "14 0 0 0\n8 1 1 1\n")
    assert frame.species == ("Si", "O")


# -- energy, forces, stress ------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["energy", "REF_energy", "dft_energy", "DFT_Energy", "free_energy"])
def test_well_known_energy_keys_are_found(key):
    assert read(f"{CELL} {COLUMNS} {key}=-7").energy == -7.0


def test_the_energy_comes_before_the_free_energy():
    assert read(f"{CELL} {COLUMNS} free_energy=-8 energy=-7").energy == -7.0


def test_keys_can_be_chosen_by_name():
    comment = f"{CELL} {COLUMNS}:mine:R:3 energy=-1 my_energy=-2"
    atoms = "Si 0 0 0 0 0 0.1 1 2 3\nO 1.5 1 0 0 0 -0.1 4 5 6\n"
    frame = read(comment, atoms, energy_key="my_energy", forces_key="mine")
    assert frame.energy == -2.0
    assert frame.forces.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read(comment, atoms, forces_key="none").forces is None
    assert read(comment, atoms, energy_key="none").energy is None


def test_frames_without_energy_can_be_accepted():
    assert read(f"{CELL} {COLUMNS}", energy_required=False).energy is None
    assert read(f"{CELL} {COLUMNS}", energy_required=False, energy_key="E").energy is None


def test_one_run_does_not_mix_keys():
    reader = ExtxyzReader()
    texts = [text_of(f"{CELL} {COLUMNS} {key}=-1") for key in ("energy", "REF_energy")]
    first, second = frame_texts(lines_of("".join(texts)))
    assert reader.frame(first, "a").energy == -1.0
    with pytest.raises(FrameError, match="has energy under 'REF_energy', but frames before it"):
        reader.frame(second, "b")


@pytest.fixture(scope="module")
def strained_copper():
    """A calculation with energy, forces and stress of known sign: ASE's EMT on strained copper."""
    atoms = bulk("Cu", cubic=True) * (1, 1, 2)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) * 0.97 + np.diag([0.02], 2)), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    atoms.get_stress(), atoms.get_forces()
    return atoms


def written_by_ase(atoms) -> str:
    stream = io.StringIO()
    ase.io.write(stream, atoms, format="extxyz")
    return stream.getvalue()


def test_what_ase_writes_is_read_with_its_signs(strained_copper):
    (piece,) = frame_texts(lines_of(written_by_ase(strained_copper)))
    frame = ExtxyzReader().frame(piece, "x")
    stress = strained_copper.get_stress(voigt=False)
    assert np.trace(stress) < 0, "compressed: negative in the sign of ASE"
    assert frame.energy == pytest.approx(strained_copper.get_potential_energy(), abs=1e-8)
    # ASE writes eight decimals.
    assert np.abs(frame.forces - strained_copper.get_forces()).max() < 1e-8
    assert np.abs(frame.virial + frame.volume * stress).max() < 1e-7


def test_the_virial_is_minus_the_derivative_by_strain(strained_copper):
    (piece,) = frame_texts(lines_of(written_by_ase(strained_copper)))
    virial = ExtxyzReader().frame(piece, "x").virial
    step = 1e-4
    for a, b in ((0, 0), (1, 1), (0, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * step
            atoms = strained_copper.copy()
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            atoms.calc = EMT()
            energies.append(atoms.get_potential_energy())
        found = -(energies[0] - energies[1]) / (2 * step)
        # Central differences: their error is of the order of step**2 times 1e3 eV.
        assert virial[a, b] == pytest.approx(found, abs=1e-4), (a, b)


SIX = "1 2 3 4 5 6"  # xx yy zz yz xz xy
NINE = "1 6 5 6 2 4 5 4 3"
FULL = np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]], float)


@pytest.mark.parametrize(
    ("entry", "convention", "expected"),
    [
        (f'stress="{NINE}"', {}, -210 * FULL),
        (f'my_stress="{SIX}"', {"stress_key": "my_stress"}, -210 * FULL),
        (f'stress="{NINE}"', {"stress_sign": "pressure"}, 210 * FULL),
        (f'stress="{NINE}"', {"stress_unit": "GPa"}, -210 * FULL * ase.units.GPa),
        (f'stress="{NINE}"', {"stress_unit": "kbar"}, -210 * FULL * ase.units.GPa / 10),
        (f'virial="{NINE}"', {}, FULL),
        (f'virial="{NINE}"', {"energy_unit": "Ha"}, HARTREE * FULL),
        (f'virial="{NINE}" stress="{NINE}"', {"stress_key": "none"}, FULL),
    ],
)
def test_stress_and_virial_are_converted(entry, convention, expected):
    virial = read(f"{CELL} {COLUMNS} energy=-1 {entry}", **convention).virial
    # The tables of units differ in the 8th digit.
    np.testing.assert_allclose(virial, expected, rtol=1e-7)


def test_units_of_length_energy_and_force():
    bohr = read(f"{CELL} {COLUMNS} energy=-1", length_unit="bohr", energy_unit="Ha")
    plain = read(f"{CELL} {COLUMNS} energy=-1")
    np.testing.assert_allclose(bohr.positions, plain.positions * BOHR, rtol=1e-15)
    np.testing.assert_allclose(bohr.cell, plain.cell * BOHR, rtol=1e-15)
    np.testing.assert_allclose(bohr.forces, plain.forces * HARTREE / BOHR, rtol=1e-15)
    assert bohr.energy == -HARTREE
    mixed = read(f"{CELL} {COLUMNS} energy=-1", energy_unit="Ha", force_unit="meV/A")
    np.testing.assert_allclose(mixed.forces, plain.forces * 1e-3, rtol=1e-15)


# -- defects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "atoms", "message"),
    [
        (f'{COLUMNS} energy=-1 pbc="T T T"', ATOMS, "periodic along a1, but that lattice vector"),
        (f"{CELL} {COLUMNS}", ATOMS, "no energy under a well-known key; the frame has no such"),
        (f"{CELL} {COLUMNS} E=1 time=2", ATOMS, "the frame has E, time. .*--energy-key"),
        (f"{CELL} {COLUMNS} energy=-1 REF_energy=-2", ATOMS, "several keys could be the energy"),
        (f"{CELL} {COLUMNS} energy=nan", ATOMS, "energy is nan"),
        (f"{CELL} {COLUMNS} energy=1e999", ATOMS, "energy is inf"),
        (f"{CELL} {COLUMNS} energy=low", ATOMS, "energy = 'low': expected one number"),
        (f"{CELL} {COLUMNS} energy", ATOMS, "energy = True: expected one number"),
        (f'{CELL} {COLUMNS} energy="1 2"', ATOMS, "energy = .*expected one number"),
        (f"{CELL} {COLUMNS} energy=-1", ATOMS.replace("0.1", "nan"), "forces: atom 1, z is nan"),
        (f"{CELL} {COLUMNS} energy=-1", ATOMS.replace("1.5", "inf"), "positions: atom 2, x is inf"),
        (
            f"{CELL} {COLUMNS} energy=-1",
            ATOMS.replace("1.5", "x"),
            "atom 2 .line 4., pos: 'x' found, a number expected",
        ),
        (f"{CELL} {COLUMNS} energy=-1", ATOMS.replace("Si", "Qq"), "'Qq' is not the symbol"),
        (f"{CELL} {COLUMNS} energy=-1", "Si 0 0 0 0 0\n", r"atom 1 \(line 3\) has 6 columns, expe"),
        (f"{CELL} Properties=pos:R:3 energy=-1", "0 0 0\n", r"expected species \(or Z\) and pos"),
        (f"{CELL} Properties=species:S energy=-1", ATOMS, "expected name:type:columns triplets"),
        (f"{CELL} Properties=species:S:1:pos:R:x energy=-1", ATOMS, "name:type:columns triplets"),
        (f"{CELL} {COLUMNS}:forces:R:3 energy=-1", ATOMS, "a name occurs twice"),
        (f"{CELL} Properties=species:S:1:pos:R:3:forces:R:1 energy=-1", "Si 0 0 0 1\n", "three"),
        (f'Lattice="5 0 0 0 5 0" {COLUMNS} energy=-1', ATOMS, "comment line: .*Lattice"),
        ('Lattice="5 0 0 0 5 0 0 0 nan" ' + f"{COLUMNS} energy=-1", ATOMS, "cell: row 3, z is nan"),
        (f'Lattice="5 0 0 0 5 0 5 5 0" {COLUMNS} energy=-1', ATOMS, "linearly dependent"),
        (f'{CELL} {COLUMNS} energy=-1 pbc="T T"', ATOMS, "expected three of T and F"),
        (f'{CELL} {COLUMNS} energy=-1 stress="1 2"', ATOMS, "stress"),
        (f'{CELL} {COLUMNS} energy=-1 stress="1 9 0 0 1 0 0 0 1"', ATOMS, "is not symmetric"),
        (f'{CELL} {COLUMNS} energy=-1 virial="nan 0 0 0 1 0 0 0 1"', ATOMS, "virial is not finite"),
        (f'{COLUMNS} energy=-1 stress="{NINE}"', ATOMS, "stress: a stress needs a cell"),
        (f'{CELL} {COLUMNS} energy=-1 stress="{NINE}" virial="{NINE}"', ATOMS, "disagree: trace 6"),
        (f"{CELL} {COLUMNS} energy=-1 weight=-1", ATOMS, "weight -1.0"),
        ("", ATOMS, "has 7 columns, expected 4"),
    ],
)
def test_defects_of_a_frame_are_named(comment, atoms, message):
    with pytest.raises(FrameError, match=message):
        read(comment, atoms)


@pytest.mark.parametrize(
    ("convention", "message"),
    [
        ({"energy_key": "E"}, "no energy under 'E'; the frame has energy, time"),
        ({"forces_key": "f"}, "no forces under 'f'; the frame has forces"),
    ],
)
def test_a_named_key_must_be_there(convention, message):
    with pytest.raises(FrameError, match=message):
        read(f"{CELL} {COLUMNS} energy=-1 time=3", **convention)


def test_a_named_stress_may_be_absent():
    assert read(f"{CELL} {COLUMNS} energy=-1", stress_key="sigma").virial is None


@pytest.mark.parametrize(
    ("convention", "message"),
    [
        ({"length_unit": "meter"}, "length unit 'meter' is unknown; known are angstrom"),
        ({"energy_unit": "angstrom"}, "energy unit 'angstrom' is unknown"),
        ({"force_unit": "eV"}, "force unit 'eV': expected an energy unit, a slash"),
        ({"stress_unit": "atm"}, "stress unit 'atm' is unknown"),
    ],
)
def test_unknown_units_are_refused_before_reading(convention, message):
    with pytest.raises(FrameError, match=message):
        ExtxyzReader(ExtxyzConvention(**convention))


# -- the stream ------------------------------------------------------------------------------------

GOOD = text_of(f"{CELL} {COLUMNS} energy=-1")


def test_frames_carry_their_place_in_the_file():
    pieces = list(frame_texts(lines_of(GOOD + "\n\n" + GOOD)))
    assert [(p.number, p.line, p.problem) for p in pieces] == [(1, 1, ""), (2, 7, "")]
    assert pieces[0].lines == pieces[1].lines == tuple(GOOD.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD.replace("2\n", "3\n", 1), "the frame ends after 2 atom lines; the first line says 3"),
        (GOOD.replace("2\n", "1\n", 1), "line 4 .* follows the 1 atoms"),
        (GOOD.replace("2\n", "two\n", 1), "expected the number of atoms, found 'two'"),
        (GOOD.replace("2\n", "-2\n", 1), "expected the number of atoms, found '-2'"),
        (GOOD.replace("2\n", "99999999999999\n", 1), "the first line says 99999999999999"),
        ("0\ncomment\n", "zero atoms"),
    ],
)
def test_after_a_bad_frame_reading_goes_on_at_the_next(bad, message):
    first, second = frame_texts(lines_of(bad + GOOD))
    assert re.search(message, first.problem), first.problem
    assert (second.problem, second.lines) == ("", tuple(GOOD.splitlines(keepends=True)))
    assert second.line == bad.count("\n") + 1


@pytest.mark.parametrize(
    ("cut", "message"),
    [("2\n", "ends after the atom count"), ("2\nx\nSi 0 0 0", "the file ends after 1 atom lines")],
)
def test_a_file_that_ends_too_early(cut, message):
    (piece,) = frame_texts(lines_of(cut))
    assert message in piece.problem


def test_nothing_is_no_frame():
    assert list(frame_texts(lines_of("\n  \n"))) == []


def test_a_line_without_end_does_not_fill_the_memory():
    lines = lines_of("2\n" + "x" * 1000, longest=100)
    with pytest.raises(FrameError, match="line 2 is longer than 100 characters"):
        list(frame_texts(lines))


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()]
)
def test_byte_order_marks_and_windows_lines_are_read(tmp_path, content):
    path = tmp_path / "x.xyz"
    path.write_bytes(content)
    with Lines.open(path) as lines:
        assert [piece.lines for piece in frame_texts(lines)] == [
            tuple(GOOD.splitlines(keepends=True))
        ]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.xyz", "a"),
        ("a.b.extxyz", "a.b"),
        ("A.XYZ", "A"),
        ("a.xyz.xz", "a"),
        ("a.extxyz.gz", "a"),
        ("a.cif", None),
        (".xyz", None),
        ("a.xyz.zip", None),
    ],
)
def test_names_of_extended_xyz_files(name, stem):
    found, ending = split_name(name, ExtxyzFiles.endings)
    assert bool(ending) == (stem is not None)
    assert found == (stem or name)
