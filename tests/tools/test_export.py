"""panna_export: every format is read back and compared with the frames."""

import io
import json
from dataclasses import replace

import ase.db
import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parser_runs import parser_run

from panna.frames.ase_atoms import atoms_of_frame, frame_of_atoms
from panna.frames.example_file import read_example, write_example
from panna.frames.extxyz import ExtxyzReader
from panna.frames.extxyz_stream import frame_texts
from panna.frames.frame import Frame
from panna.frames.text_lines import Lines
from panna.frames.units import BOHR, HARTREE
from panna.frames.writers.box import boxed, lower_triangular
from panna.frames.writers.extxyz_file import ExtxyzWriter
from panna.frames.writers.lammps_data import lammps_box
from panna.tools import ase_parser, exyz_parser
from panna.tools.export import main

CELL = np.array([[4.0, 0.3, 0.1], [-0.2, 5.0, 0.4], [0.5, -0.3, 6.0]])
POSITIONS = np.array([[0.1, 0.2, 0.3], [1.5, 1.7, -1.1], [2.5, 3.9, 7.2]])
ENDINGS = {"extxyz": "o.xyz", "ase": "o.traj", "runner": "input.data", "qe": "qe", "lammps": "lmp"}
QE = ("--pseudo", "Si=Si.upf", "O=O.pbe.upf", "--ecutwfc", "40", "--kspacing", "0.3")


def frame(pbc=(1, 1, 1), name="a", **more):
    cell = np.where(np.array(pbc, bool)[:, None], CELL, 0.0)
    given = {
        "energy": -10.123456789012345,
        "forces": np.arange(9).reshape(3, 3) / 7 - 0.5,
        "virial": np.array([[1, 0.1, 0.2], [0.1, 2, 0.3], [0.2, 0.3, -3]]) / 3,
    }
    return Frame(("Si", "O", "O"), POSITIONS, cell, pbc, name=name, **{**given, **more})


def dimensions():
    """Frames with 3, 2, 1 and 0 periodic directions."""
    kinds = {"crystal": (1, 1, 1), "slab": (1, 0, 1), "wire": (0, 1, 0), "molecule": (0, 0, 0)}
    return [frame(pbc, name) for name, pbc in kinds.items()]


@pytest.fixture
def export(tmp_path, capsys):
    """Write frames as examples and export them: exit code, what was said, the target."""

    def run(form, frames, *options, target=None):
        folder = tmp_path / "examples"
        folder.mkdir(exist_ok=True)
        for one in frames:
            write_example(one, folder / f"{one.name}.example")
        target = tmp_path / (target or ENDINGS[form])
        words = ["-i", folder, "-o", target, "--format", form, *options]
        code = main([str(word) for word in words])
        written = capsys.readouterr()
        unfinished = [path.name for path in tmp_path.rglob(".*")]
        assert not unfinished, "something half-written is left"
        return code, written.out + written.err, target

    return run


def assert_same(a, b):
    """Everything but the name, to the last bit."""
    assert a.fingerprint == b.fingerprint
    assert (a.group, a.weight) == (b.group, b.weight)
    assert (a.per_atom_energy is None) == (b.per_atom_energy is None)
    if a.per_atom_energy is not None:
        np.testing.assert_array_equal(a.per_atom_energy, b.per_atom_energy)


# -- extended XYZ ----------------------------------------------------------------------------------

numbers = st.floats(-1e4, 1e4, allow_subnormal=False)
TRAPS = [
    *[
        "Surface 3",
        "12",
        "1e3",
        "T",
        "F T",
        "true",
        "nan",
        'a "b" c',
        "d'e",
        "\\",
        "_JSON 1",
        "a=b",
    ],
    *["{}", "[1]", " x ", "line\nbreak", "gr\u00fcn", "\u6c34", "\ud800", "1 2 3", ",", "\u2028"],
]
groups = st.text(max_size=12) | st.sampled_from(TRAPS)


@st.composite
def frames(draw):
    pbc = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    skew = draw(st.lists(st.floats(-0.2, 0.2), min_size=9, max_size=9))
    scale = draw(st.floats(0.5, 50))
    cell = scale * (np.eye(3) + np.array(skew).reshape(3, 3))
    cell = np.where(np.array(pbc)[:, None], cell, 0.0)
    n = draw(st.integers(1, 4))

    def values(*shape):
        count = int(np.prod(shape))
        return np.array(draw(st.lists(numbers, min_size=count, max_size=count))).reshape(shape)

    def perhaps(*shape):
        return values(*shape) if draw(st.booleans()) else None

    virial = perhaps(3, 3)
    return Frame(
        species=draw(st.lists(st.sampled_from(["H", "C", "Si", "Og"]), min_size=n, max_size=n)),
        positions=values(n, 3),
        cell=cell,
        pbc=pbc,
        energy=draw(st.none() | st.floats(-1e9, 1e9)),
        forces=perhaps(n, 3),
        # Zeros of both signs would not be symmetric to the last bit.
        virial=None if virial is None else np.tril(virial) + np.tril(virial, -1).T + 0.0,
        per_atom_energy=perhaps(n),
        group=draw(groups),
        weight=draw(st.floats(0, 1e6) | st.just(1.0)),
    )


@given(frames())
@settings(max_examples=150, deadline=None)
def test_extxyz_comes_back_to_the_last_bit(one):
    """Cells, periodic directions, what may be missing, and any text as a group."""
    text = ExtxyzWriter.text(None, replace(one, name='a "name"'))
    (found,) = frame_texts(Lines(io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8-sig")))
    assert_same(ExtxyzReader(energy_required=False).frame(found, ""), one)


def test_example_to_extxyz_and_back(export, tmp_path, capsys):
    """Through both programs, with everything that a frame can have."""
    given = [*dimensions(), frame(name="rich", group="12", weight=0.3, per_atom_energy=[1, 2, 0.1])]
    given.append(frame(name="poor", energy=None, forces=None, virial=None, group="a b"))
    code, said, target = export("extxyz", given)
    assert code == 0 and "everything of the frames is kept" in said
    back = parser_run(exyz_parser.main, capsys, tmp_path / "back", target, "--no-energy")
    assert back.code == 0, back.said
    in_order = sorted(given, key=lambda one: one.name)
    for one, found in zip(in_order, back.frames.values(), strict=True):
        assert_same(found, one)
    names = [line.split('name="')[1] for line in target.read_text().splitlines() if "name=" in line]
    assert names == [f'{one.name}"' for one in in_order]


def test_ase_reads_the_extxyz_too(export):
    _, _, target = export("extxyz", dimensions()[:1])
    atoms = ase.io.read(target)
    assert atoms.get_potential_energy() == frame().energy
    np.testing.assert_array_equal(atoms.get_forces(), frame().forces)
    np.testing.assert_array_equal(atoms.cell.array, CELL)
    assert atoms.info["name"] == "crystal"


def test_a_virial_that_is_not_symmetric(export, tmp_path, capsys):
    """Its symmetric part is written, which is said."""
    virial = np.array([[1.0, 2, 3], [0, 1, 0], [0, 0, 1]])
    code, said, target = export("extxyz", [frame(virial=virial)])
    assert code == 0 and "antisymmetric part of the virial (1 frame)" in said
    back = parser_run(exyz_parser.main, capsys, tmp_path / "back", target)
    np.testing.assert_array_equal(back.only.virial, (virial + virial.T) / 2)


def test_energies_of_atoms_that_are_no_numbers(tmp_path, capsys):
    """The column of panna_exyz_parser that was made for this program."""
    path = tmp_path / "bad.xyz"
    head = (
        '1\nProperties=species:S:1:pos:R:3:per_atom_energy:{} pbc="F F F" energy=1.0\nH 0 0 0 {}\n'
    )
    for kind, values, reason in (
        ("S:1", "x", "expected one real column"),
        ("R:2", "1 2", "expected one real column"),
        ("R:1", "nan", "per_atom_energy: atom 1 is nan"),
    ):
        path.write_text(head.format(kind, values))
        run = parser_run(exyz_parser.main, capsys, tmp_path / "out", path)
        assert run.code == 2 and reason in run.said, run.said


# -- ASE -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["traj", "db", "json"])
def test_ase_and_back(export, tmp_path, capsys, ending):
    """Exact but for the virial, which is a stress in between."""
    given = [*dimensions(), frame(name="z", group="12", weight=0.3, per_atom_energy=[1, 2, 0.1])]
    given = sorted(given, key=lambda one: one.name)
    code, said, target = export("ase", given, target=f"o.{ending}")
    assert code == 0 and "everything of the frames is kept" in said
    stress = ase.io.read(target, index=0).get_stress(voigt=False)
    np.testing.assert_allclose(stress, -given[0].virial / given[0].volume, rtol=1e-14)
    back = parser_run(ase_parser.main, capsys, tmp_path / "back", target)
    assert back.code == 0, back.said
    for one, found in zip(given, back.frames.values(), strict=True):
        np.testing.assert_allclose(found.virial, one.virial, rtol=1e-12)
        assert_same(replace(found, virial=None), replace(one, virial=None))


def test_the_library_functions_are_inverse():
    one = frame(group="g", weight=2.0, name="n")
    atoms = atoms_of_frame(one)
    assert atoms.info == {"name": "n", "group": "g", "weight": 2.0}
    found = frame_of_atoms(atoms)
    np.testing.assert_allclose(found.virial, one.virial, rtol=1e-14)
    assert_same(replace(found, virial=None), replace(one, virial=None))
    bare = atoms_of_frame(frame(energy=None, forces=None, virial=None))
    assert bare.calc is None and frame_of_atoms(bare).energy is None


def test_a_json_database_stays_small(export, monkeypatch):
    monkeypatch.setattr("panna.frames.writers.ase_files.MOST_IN_JSON", 2)
    code, said, target = export("ase", [frame(name=n) for n in "abc"], target="o.json")
    assert code == 2 and "write a .db file instead" in said
    assert len(ase.io.read(target, ":")) == 2


# -- RuNNer ----------------------------------------------------------------------------------------


def runner_blocks(path):
    """Lines of words of every block, read here without ASE."""
    blocks = path.read_text().split("begin\n")[1:]
    return [[line.split() for line in block.splitlines()] for block in blocks]


def test_runner(export):
    given = [
        frame(),
        frame((0, 0, 0), "b", group="my group", per_atom_energy=[-27.2113961318, 0, 0]),
    ]
    code, said, target = export("runner", given)
    assert code == 0
    crystal, molecule = runner_blocks(target)
    assert crystal[0] == ["comment", "units", "bohr", "hartree,", "name", "a"]
    lattice = [[float(x) for x in line[1:]] for line in crystal if line[0] == "lattice"]
    np.testing.assert_allclose(lattice, CELL / BOHR, rtol=1e-15)
    atoms = [line for line in crystal if line[0] == "atom"]
    assert [line[4] for line in atoms] == ["Si", "O", "O"]
    places = [[float(x) for x in line[1:4]] for line in atoms]
    np.testing.assert_allclose(places, POSITIONS / BOHR, rtol=1e-15)
    forces = [[float(x) for x in line[7:10]] for line in atoms]
    np.testing.assert_allclose(forces, frame().forces / HARTREE * BOHR, rtol=1e-15)
    assert [line[0] for line in crystal[-3:]] == ["energy", "charge", "end"]
    assert float(crystal[-3][1]) == frame().energy / HARTREE
    assert not [line for line in molecule if line[0] == "lattice"]
    assert [line[6] for line in molecule if line[0] == "atom"] == ["-1", "0", "0"]
    assert "group (in the comment line only) (1 frame)" in said and "virial (2 frames)" in said


def test_runner_in_other_units(export):
    _, _, target = export("runner", [frame()], "--length-unit", "angstrom", "--energy-unit", "eV")
    (block,) = runner_blocks(target)
    assert float(block[-3][1]) == frame().energy and float(block[3][3]) == CELL[2, 2]
    assert block[0][2:4] == ["angstrom", "eV,"]


def test_runner_leaves_out_what_it_cannot_say(export):
    given = [frame(), frame((1, 1, 0), "slab"), frame(name="b", energy=None)]
    given += [frame(name="c", forces=None), frame(name="d", group="end\nend")]
    code, said, target = export("runner", given)
    assert code == 2 and len(runner_blocks(target)) == 2
    for reason in ("periodic in 2 of 3 directions", "no energy, which every", "no forces, which"):
        assert reason in said
    assert sum(line == ["end"] for block in runner_blocks(target) for line in block) == 2


def test_runner_with_zeros_for_forces(export):
    code, said, target = export("runner", [frame(forces=None)], "--zero-forces")
    assert code == 0 and "that it has no forces (zeros written) (1 frame)" in said
    assert {
        float(x) for line in runner_blocks(target)[0] if line[0] == "atom" for x in line[7:]
    } == {0}


# -- Quantum ESPRESSO ------------------------------------------------------------------------------


def test_qe(export):
    """ASE reads the inputs: cell and positions agree, aperiodic frames are in a box."""
    given = dimensions()
    code, said, target = export("qe", given, *QE, "--vacuum", "12")
    assert code == 0 and "energy (4 frames)" in said
    for one in given:
        text = (target / f"{one.name}.in").read_text()
        atoms = ase.io.read(target / f"{one.name}.in", format="espresso-in")
        cell, positions = boxed(one, 12.0)
        np.testing.assert_allclose(atoms.cell.array, cell, atol=1e-14)
        np.testing.assert_allclose(atoms.positions, positions, atol=1e-13)
        assert atoms.get_chemical_symbols() == ["Si", "O", "O"]
        assert f"prefix = '{one.name}'" in text and "ibrav = 0" in text
        assert "nat = 3" in text and "ntyp = 2" in text and "ecutwfc = 40.0" in text
        assert "tprnfor = .true." in text and "tstress = .true." in text
        assert "Si 28.085000 Si.upf" in text and "O 15.999000 O.pbe.upf" in text
    # |b| = 2 pi / distance of the lattice planes: 6.283/4 = 1.57, 1.26 and 1.05 over 0.3.
    assert "K_POINTS automatic\n6 5 4 0 0 0\n" in (target / "crystal.in").read_text()
    assert "K_POINTS automatic\n6 1 4 0 0 0\n" in (target / "slab.in").read_text()
    assert "K_POINTS automatic\n1 5 1 0 0 0\n" in (target / "wire.in").read_text()
    assert "K_POINTS gamma\n" in (target / "molecule.in").read_text()


def test_kspacing_of_a_cube(export):
    """2 pi / 4 angstrom / 4 = 0.3927 apart: exactly four points, five if it must be closer."""
    cube = replace(frame(), cell=4.0 * np.eye(3))
    for spacing, points in (("0.39269908169872414", 4), ("0.3926", 5)):
        _, _, target = export("qe", [cube], *QE[:-1], spacing, target=f"k{points}")
        assert f"{points} {points} {points} 0 0 0" in (target / "a.in").read_text()


TEMPLATE = """\
! a metal
&control
  calculation = 'relax', prefix = 'other'
  tstress=.false. ! not here
/
&SYSTEM
  ibrav = 1, celldm(1) = 10.2, nat = 99
  ntyp=9
  A = 5.0
  ecutwfc = 30, occupations = 'smearing' ! nat = 7 in a comment
  degauss = 0.01
/
&electrons
  mixing_beta = 0.3
/
&ions
/
ATOMIC_SPECIES
X 1.0 X.upf
"""


def test_qe_with_a_template(export, tmp_path):
    """Its namelists stay but for what the frame says; its cards do not."""
    template = tmp_path / "template"
    template.write_text(TEMPLATE)
    code, _, target = export(
        "qe", [frame()], *QE[:3], "--kspacing", "gamma", "--template", template
    )
    assert code == 0
    text = (target / "a.in").read_text()
    data, cards = ase.io.espresso.read_fortran_namelist(text.splitlines())
    assert data["control"] == {
        "prefix": "a", "tprnfor": True, "calculation": "relax", "tstress": False,
    }  # fmt: skip
    assert data["system"] == {
        "ibrav": 0, "nat": 3, "ntyp": 2, "ecutwfc": 30, "occupations": "smearing", "degauss": 0.01,
    }  # fmt: skip
    assert data["electrons"] == {"mixing_beta": 0.3} and data["ions"] == {}
    assert "X.upf" not in text and cards[0] == "ATOMIC_SPECIES" and cards[-1] == "K_POINTS gamma"


def test_numbers_of_elements_in_a_template(export, tmp_path):
    """starting_magnetization(2) is that of the second element of --pseudo, or the frame is out."""
    template = tmp_path / "template"
    template.write_text(TEMPLATE.replace("degauss", "starting_magnetization(2) = 0.5, degauss"))
    pure = Frame(("Si",), [[0, 0, 0]], CELL, (1, 1, 1), energy=0.0, name="pure")
    options = ("--pseudo", "Si=a.upf", "O=b.upf", "--kspacing", "gamma", "--template", template)
    code, said, target = export("qe", [frame(), pure], *options)
    assert code == 2 and "no O in it, but starting_magnetization(2)" in said
    text = (target / "a.in").read_text()
    assert text.index("\nSi 28.085") < text.index("\nO 15.999")
    assert not (target / "pure.in").exists()


# -- LAMMPS ----------------------------------------------------------------------------------------


def test_lammps(export):
    """As ASE reads it: the same distances, elements by mass, atoms inside where it is aperiodic."""
    given = dimensions()
    code, said, target = export("lammps", given)
    assert code == 0 and "species            O, Si" in said
    for one in given:
        path = target / f"{one.name}.data"
        atoms = ase.io.read(path, format="lammps-data", atom_style="atomic")
        atoms.pbc = one.pbc
        expected = atoms_of_frame(one)
        assert atoms.get_chemical_symbols() == list(one.species)
        np.testing.assert_allclose(
            atoms.get_all_distances(mic=True), expected.get_all_distances(mic=True), atol=1e-12
        )
        inside = atoms.get_scaled_positions(wrap=False)[:, ~one.pbc]
        assert (inside > 0).all() and (inside < 1).all()
        text = path.read_text()
        boundary = " ".join("p" if p else "f" for p in one.pbc)
        assert text.splitlines()[0] == f"{one.name}, boundary {boundary}, units metal"
        assert "1 15.999000 # O\n2 28.085000 # Si" in text
        assert ("xy xz yz" in text) == (one.name in ("crystal", "slab"))
    crystal = ase.io.read(target / "crystal.data", format="lammps-data")
    np.testing.assert_allclose(crystal.get_volume(), given[0].volume, rtol=1e-14)


def test_lammps_types_in_the_order_given(export):
    _, _, target = export("lammps", [frame()], "--species", "Si", "H", "O")
    text = (target / "a.data").read_text()
    assert "3 atom types" in text and "2 1.008000 # H\n3 15.999000 # O" in text
    assert [line.split()[1] for line in text.splitlines()[-3:]] == ["1", "3", "3"]


cells = st.lists(st.floats(-8, 8), min_size=9, max_size=9).map(lambda x: np.reshape(x, (3, 3)))
directions = st.tuples(st.booleans(), st.booleans(), st.booleans())


@given(cells, directions)
@settings(max_examples=150, deadline=None)
def test_boxes_of_lammps(cell, pbc):
    """Lower triangular, little tilt, and the same lattice: differences are whole vectors."""
    lengths = np.linalg.norm(cell, axis=1)
    if lengths.min() < 0.5 or abs(np.linalg.det(cell / lengths[:, None])) < 0.05:
        return
    cell = np.where(np.array(pbc)[:, None], cell, 0.0)
    one = Frame(("Si", "O", "O"), POSITIONS, cell, pbc)
    box, positions = lammps_box(one, 10.0)
    assert (np.triu(box, 1) == 0).all() and (np.diag(box) > 0).all()
    for row, by in ((1, 0), (2, 0), (2, 1)):
        assert abs(box[row, by]) <= 0.5000001 * box[by, by]
        assert box[row, by] == 0 or (one.pbc[row] and one.pbc[by])
    full, _ = boxed(one, 10.0)
    turned, turn = lower_triangular(full)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    whole = turned @ np.linalg.inv(box)
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(positions[1:] - positions[0], axis=1),
        np.linalg.norm(POSITIONS[1:] - POSITIONS[0], axis=1),
        atol=1e-10,
    )


# -- what can go wrong -----------------------------------------------------------------------------

BROKEN = {
    "empty": ("", "not valid JSON"),
    "binary": ("\x00\x01\xff", "not valid JSON"),
    "list": ("[1]", "expected a JSON object"),
    "nan": ('{"energy": [NaN, "eV"]}', "contains NaN"),
    "no atoms": (
        '{"energy": [1, "eV"], "unit_of_length": "bohr", "atoms": []}',
        "the list is empty",
    ),
}


@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("case", BROKEN)
def test_broken_examples_are_left_out(export, tmp_path, form, case):
    content, reason = BROKEN[case]
    (tmp_path / "examples").mkdir()
    broken = tmp_path / "examples" / "broken.example"
    broken.write_text(content)
    code, said, target = export(form, [frame()], *(QE if form == "qe" else ()))
    assert code == 2 and target.exists()
    line = next(line for line in said.splitlines() if line.startswith("left out"))
    assert str(broken) in line and reason in line, said
    assert "1 frame written" in said


@pytest.mark.parametrize("form", ENDINGS)
def test_no_usable_frame_leaves_nothing(export, tmp_path, form):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "broken.example").write_text("{")
    code, said, target = export(form, [], *(QE if form == "qe" else ()))
    assert code == 2 and "no frame to write" in said
    assert not target.exists() or not list(target.iterdir())


@pytest.mark.parametrize("form", ["extxyz", "ase", "runner"])
def test_files_are_not_overwritten(export, tmp_path, form):
    (tmp_path / ENDINGS[form]).write_text("precious")
    code, said, target = export(form, [frame()])
    assert code == 2 and "there is a file already" in said and target.read_text() == "precious"


@pytest.mark.parametrize("form", ["qe", "lammps"])
def test_a_second_run_into_a_folder(export, form):
    """The same frames are there already, another one of the same name is refused."""
    options = QE if form == "qe" else ()
    export(form, [frame()], *options)
    code, said, target = export(form, [frame()], *options)
    assert code == 0 and "1 frame there already, with the same content" in said
    (path,) = target.iterdir()
    before = path.read_text()
    moved = replace(frame(), positions=POSITIONS + 0.1)
    code, said, _ = export(form, [moved, frame(name="b")], *options)
    assert code == 2 and "exists with another content" in said and path.read_text() == before
    assert len(list(target.iterdir())) == 2


OPTIONS = {
    "no pseudopotential": ("qe", QE[3:], "needs --pseudo"),
    "strange pseudopotential": ("qe", ("--pseudo", "Si.upf", *QE[3:]), "expected element=file"),
    "no cutoff": ("qe", QE[:3], "needs --ecutwfc"),
    "negative cutoff": ("qe", (*QE, "--ecutwfc", "-3"), "a positive number of Ry"),
    "nan spacing": ("qe", (*QE[:-1], "nan"), "--kspacing nan: expected a positive number"),
    "no template": ("qe", (*QE, "--template", "/no/file"), "/no/file: cannot be read"),
    "unknown unit": ("runner", ("--energy-unit", "K"), "--energy-unit 'K' is unknown"),
    "unknown species": ("lammps", ("--species", "Sx"), "'Sx' is not the symbol"),
    "species twice": ("lammps", ("--species", "Si", "Si"), "an element occurs twice"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_make_no_sense(export, case):
    form, options, reason = OPTIONS[case]
    code, said, target = export(form, [frame()], *options)
    assert code == 2 and reason in said and not target.exists()


@pytest.mark.parametrize(
    ("form", "options", "reason"),
    [
        ("qe", (*QE[:2], *QE[3:]), "no pseudopotential for O"),
        ("qe", QE[:-2], "give --kspacing"),
        ("lammps", ("--species", "Si"), "O is not in --species Si"),
    ],
)
def test_frames_that_the_options_do_not_fit(export, form, options, reason):
    code, said, target = export(form, [frame()], *options)
    assert code == 2 and reason in said and not list(target.iterdir())


TEMPLATES = {
    "no end": (TEMPLATE.replace("/\n&SYSTEM", "&SYSTEM"), "a namelist without its end"),
    "no system": (TEMPLATE.replace("&SYSTEM", "&cell"), "0 times &SYSTEM found"),
    "cards only": ("ATOMIC_SPECIES\n", "0 times &CONTROL found"),
    "a card that counts": (TEMPLATE + "HUBBARD ortho-atomic\nU Si-3p 3.0\n", "card HUBBARD found"),
    "no cutoff": (TEMPLATE.replace("ecutwfc", "! ecutwfc"), "needs --ecutwfc"),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_broken_templates(export, tmp_path, case):
    text, reason = TEMPLATES[case]
    (tmp_path / "t").write_text(text)
    code, said, target = export("qe", [frame()], *QE[:3], "--template", tmp_path / "t")
    assert code == 2 and reason in said and not target.exists()


def test_options_of_another_format(export, capsys):
    with pytest.raises(SystemExit) as stopped:
        export("lammps", [frame()], "--ecutwfc", "40")
    assert stopped.value.code == 2
    assert "--ecutwfc belongs to --format qe" in capsys.readouterr().err


def test_the_ending_of_ase(export):
    code, said, _ = export("ase", [frame()], target="o.xyz")
    assert code == 2 and "one of .traj, .db, .json expected" in said


def test_no_such_folder(tmp_path, capsys):
    code = main(["-i", str(tmp_path / "no"), "-o", str(tmp_path / "o"), "--format", "extxyz"])
    assert code == 2 and "no such file or folder" in capsys.readouterr().err


def test_the_golden_examples(golden, tmp_path, capsys):
    """Real examples of PANNA, in bohr and hartree: the same frames come back."""
    source = sorted(golden.rglob("*.example"))[:5]
    target = tmp_path / "o.xyz"
    assert source
    assert main(["-i", *map(str, source), "-o", str(target), "--format", "extxyz"]) == 0
    capsys.readouterr()
    back = parser_run(exyz_parser.main, capsys, tmp_path / "back", target)
    for path, found in zip(source, back.frames.values(), strict=True):
        assert_same(found, read_example(path))
    assert json.loads((tmp_path / "back" / f"{next(iter(back.frames))}.example").read_text())
