"""panna_json2axsf: animations as ASE reads them back."""

import ase.io
import numpy as np
import pytest

from panna.frames.ase_atoms import atoms_of_frame
from panna.frames.example_file import write_example
from panna.frames.frame import Frame
from panna.frames.units import HARTREE
from panna.tools.json2axsf import main

CELL = np.array([[4.0, 0.3, 0.1], [-0.2, 5.0, 0.4], [0.5, -0.3, 6.0]])
POSITIONS = np.array([[0.1, 0.2, 0.3], [1.5, 1.7, -1.1], [2.5, 3.9, 7.2]])
FORCES = np.arange(9).reshape(3, 3) / 7 - 0.5
KINDS = {
    "crystal": [(1, 1, 1)],
    "slab": [(1, 1, 0), (1, 0, 1), (0, 1, 1)],
    "polymer": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "atoms": [(0, 0, 0)],
}


def frame(name, energy=-3.0, pbc=(1, 1, 1), atoms=3, forces=True, scale=1.0):
    return Frame(
        species=("Si", "O", "H")[:atoms],
        positions=scale * POSITIONS[:atoms],
        cell=np.where(np.array(pbc, bool)[:, None], scale * CELL, 0.0),
        pbc=pbc,
        energy=energy,
        forces=FORCES[:atoms] if forces else None,
        name=name,
    )


@pytest.fixture
def animate(tmp_path, capsys):
    """Write frames as examples and run the program: exit code, what was said."""

    def run(frames, *options):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for one in frames:
            write_example(one, folder / f"{one.name}.example")
        code = main(["-i", str(folder), "-o", str(tmp_path / "o.axsf"), *options])
        written = capsys.readouterr()
        assert not list(tmp_path.glob(".*")), "something half-written is left"
        return code, written.out + written.err

    return run


def read(path):
    return ase.io.read(path, ":", format="xsf")


@pytest.mark.parametrize("kind", KINDS)
def test_what_ase_reads_back(animate, tmp_path, kind):
    """Distances, forces along bonds, volume or area or length; cells and sizes that differ."""
    given = []
    for k, pbc in enumerate(KINDS[kind] * 2):
        given.append(frame(f"f{k}", -k, pbc, atoms=3 - k % 2, scale=1 + k / 10))
    given.sort(key=lambda one: one.energy / one.n_atoms)
    code, _ = animate(given)
    assert code == 0
    text = (tmp_path / "o.axsf").read_text().splitlines()
    assert text[1] == f"ANIMSTEPS {len(given)}"
    assert text[2] == (kind.upper() if kind != "atoms" else "ATOMS 1")
    images = read(tmp_path / "o.axsf")
    for one, atoms in zip(given, images, strict=True):
        expected = atoms_of_frame(one)
        periodic = int(one.pbc.sum())
        assert atoms.get_chemical_symbols() == list(one.species)
        assert atoms.pbc.tolist() == [True] * periodic + [False] * (3 - periodic)
        np.testing.assert_allclose(
            atoms.get_all_distances(mic=True), expected.get_all_distances(mic=True), atol=1e-10
        )
        # ASE's hartree is that of CODATA, 4e-7 larger or smaller than that of this package.
        bonds = [a.positions - a.positions[0] for a in (atoms, expected)]
        work = [(b @ a.get_forces().T) for a, b in zip((atoms, expected), bonds, strict=True)]
        np.testing.assert_allclose(work[0], work[1], atol=1e-5)
        np.testing.assert_allclose(
            atoms.cell.array[:periodic] @ atoms.cell.array[:periodic].T,
            one.cell[one.pbc] @ one.cell[one.pbc].T,
            atol=1e-10,
        )
        assert not atoms.cell.array[:periodic, periodic:].any()
    if kind in ("crystal", "atoms"):
        np.testing.assert_allclose(images[0].positions, given[0].positions, atol=1e-13)


def test_units_and_layout(animate, tmp_path):
    """Written out: angstrom, and hartree/angstrom, not hartree/bohr."""
    animate([frame("a", atoms=2)])
    lines = (tmp_path / "o.axsf").read_text().splitlines()
    assert lines[3] == "PRIMVEC 1" and lines[7:9] == ["PRIMCOORD 1", "2 1"]
    symbol, *numbers = lines[10].split()
    assert symbol == "O"
    np.testing.assert_allclose([float(x) for x in numbers[:3]], POSITIONS[1], atol=1e-14)
    np.testing.assert_allclose([float(x) for x in numbers[3:]], FORCES[1] / HARTREE, atol=1e-14)


ORDERED = [("d", -9.0, 3), ("a", -8.0, 2), ("c", None, 1), ("b", 1.0, 2), ("e", None, 2)]


@pytest.mark.parametrize(("order", "expected"), [("energy", "adbce"), ("name", "abcde")])
def test_order(animate, tmp_path, order, expected):
    """By energy per atom: -8/2 is below -9/3. Those without energy come last."""
    given = [frame(name, energy, (0, 0, 0), n) for name, energy, n in ORDERED]
    code, said = animate(given, *([] if order == "energy" else ["--order", order]))
    assert code == 0 and "2 frames without energy" in said
    sizes = {name: n for name, _, n in ORDERED}
    assert [len(atoms) for atoms in read(tmp_path / "o.axsf")] == [sizes[x] for x in expected]
    assert "lowest             a, -4.000000 eV/atom" in said
    assert "highest            b, 0.500000 eV/atom" in said


def test_a_mixed_folder_gives_a_file_for_each_kind(animate, tmp_path):
    given = [frame(f"{kind}{k}", pbc=pbc) for kind in KINDS for k, pbc in enumerate(KINDS[kind])]
    code, said = animate(given)
    assert code == 0 and not (tmp_path / "o.axsf").exists()
    for kind, directions in KINDS.items():
        path = tmp_path / f"o_{kind}.axsf"
        assert len(read(path)) == len(directions) and str(path) in said


def test_frames_without_forces(animate, tmp_path):
    code, _ = animate([frame("a", -9.0), frame("b", forces=False)])
    first, second = read(tmp_path / "o.axsf")
    assert code == 0 and first.calc is not None and second.calc is None


BROKEN = {
    "empty": ("", "not valid JSON"),
    "binary": ("\x00\x01\xff", "not valid JSON"),
    "cut": ('{"atoms": [[1, "Si"', "not valid JSON"),
    "nan": ('{"energy": [NaN, "eV"]}', "contains NaN"),
    "no energy": ('{"unit_of_length": "bohr"}', "atoms: no such key"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_examples_are_left_out(animate, tmp_path, case):
    content, reason = BROKEN[case]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "broken.example"
    path.write_text(content)
    code, said = animate([frame("a")])
    assert code == 2 and len(read(tmp_path / "o.axsf")) == 1
    line = next(line for line in said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, said


def test_nothing_usable(animate, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.example").write_text("{")
    code, said = animate([])
    assert code == 2 and "nothing was written" in said and not (tmp_path / "o.axsf").exists()


def test_empty_folder(animate):
    code, said = animate([])
    assert code == 2 and "no *.example file in it" in said


def test_files_are_not_overwritten(animate, tmp_path):
    (tmp_path / "o.axsf").write_text("precious")
    code, said = animate([frame("a")])
    assert code == 2 and "exists already" in said
    assert (tmp_path / "o.axsf").read_text() == "precious"


def test_no_folder_for_the_file(animate, tmp_path, capsys):
    animate([frame("a")])
    code = main(["-i", str(tmp_path / "in"), "-o", str(tmp_path / "no" / "o.axsf")])
    assert code == 2 and "does not exist; create it" in capsys.readouterr().err
