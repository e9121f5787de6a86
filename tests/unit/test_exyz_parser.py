"""The program panna_exyz_parser: what it writes, what it says, and what it refuses."""

import gzip
import json
import lzma
import os
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest

from panna.frames.example_file import read_example
from panna.tools.exyz_parser import main

ROOT = Path(__file__).parents[2]
SILICON = ROOT / "examples" / "quickstart" / "data"
COMMENT = (
    'Lattice="5 0 0 0 6 0 0 0 7" Properties=species:S:1:pos:R:3:forces:R:3 pbc="T T T" '
    "energy={energy}"
)


def frame_text(energy="-3.5", atoms="Si 0 0 0 0 0 0.1\nO 1.5 1 0 0 0 -0.1\n", more="") -> str:
    comment = f"{COMMENT.format(energy=energy)} {more}".strip()
    return f"{len(atoms.splitlines())}\n{comment}\n{atoms}"


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "examples"


@pytest.fixture
def source(tmp_path):
    """Write an extended XYZ file of some frames."""

    def write(*frames: str, name="data.xyz") -> Path:
        path = tmp_path / name
        path.write_text("".join(frames))
        return path

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


# -- real data -------------------------------------------------------------------------------------


def test_the_silicon_test_set(out, capsys):
    """All 25 frames, against ASE's own reading of them."""
    path = SILICON / "Si_test.xyz.xz"
    assert run("-i", path, "-o", out) == 0
    said = capsys.readouterr().out
    with lzma.open(path, "rt") as stream:
        expected = list(ase.io.iread(stream, format="extxyz", index=":"))
    assert names(out) == [f"Si_test_{i:06d}.example" for i in range(1, 26)]
    assert len(expected) == 25
    for name, atoms in zip(names(out), expected, strict=True):
        frame = read_example(out / name)
        assert frame.species == tuple(atoms.symbols)
        assert np.array_equal(frame.positions, atoms.positions)
        assert np.array_equal(frame.cell, atoms.cell.array)
        assert np.array_equal(frame.forces, atoms.calc.results["forces"])
        assert frame.energy == atoms.calc.results["energy"]
        assert frame.group == atoms.info["group"]
        stress = atoms.calc.results.get("stress")
        assert (frame.virial is None) == (stress is None)
        if stress is not None:
            xx, yy, zz, yz, xz, xy = -atoms.get_volume() * stress
            full = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
            np.testing.assert_allclose(frame.virial, full, rtol=1e-12, atol=1e-12)
    for text in (
        "energy: auto",
        "25 files written to",
        "Si (1525 atoms)",
        "Surface (2)",
        "energy: energy, forces: forces, stress: stress",
        f"input_json_dir = {out}",
        "species = Si",
    ):
        assert text in said
    assert "panna_gvect_calculator --config" in said


def test_a_folder_of_compressed_files(tmp_path, out):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.xyz").write_text(frame_text(-1))
    (folder / "b.extxyz.gz").write_bytes(gzip.compress(frame_text(-2).encode()))
    (folder / "c.xyz.xz").write_bytes(lzma.compress(frame_text(-3).encode()))
    (folder / "notes.txt").write_text("not read")
    assert run("-i", folder, "-o", out) == 0
    assert names(out) == [f"{stem}_000001.example" for stem in "abc"]
    assert [read_example(out / name).energy for name in names(out)] == [-1.0, -2.0, -3.0]


# -- names -----------------------------------------------------------------------------------------


def test_examples_say_where_they_come_from(source, out):
    run("-i", source(frame_text(), frame_text(-4)), "-o", out)
    written = json.loads((out / "data_000002.example").read_text())
    assert (written["source"], written["source_frame"]) == ("data.xyz", 2)


def test_names_hold_no_dots_and_take_a_prefix(source, out):
    """PANNA v1 cuts names at the first dot."""
    assert run("-i", source(frame_text(), name="T=300K v1.2.xyz"), "-o", out, "--prefix", "x.") == 0
    assert names(out) == ["x_T_300K_v1_2_000001.example"]


def test_a_hash_is_the_same_for_the_same_content_only(source, out):
    path = source(frame_text(), frame_text(), frame_text(-9))
    assert run("-i", path, "-o", out, "--addhash") == 0
    stems = [name.removesuffix(".example").split("_") for name in names(out)]
    assert [number for _, number, _ in stems] == ["000001", "000002", "000003"]
    first, second, third = (digits for *_, digits in stems)
    assert first == second != third
    assert len(first) == 16


def test_a_second_run_changes_nothing(source, out, capsys):
    path = source(frame_text(), frame_text(-4))
    assert run("-i", path, "-o", out) == 0
    before = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    capsys.readouterr()
    assert run("-i", path, "-o", out) == 0
    assert {name: (out / name).stat().st_mtime_ns for name in names(out)} == before
    said = capsys.readouterr().out
    assert "holds 2 .example files already" in said
    assert "2 files there already, with the same content" in said


@pytest.mark.parametrize("change", [{"energy": -4}, {"more": "weight=2"}, {"more": "group=b"}])
def test_files_with_another_content_are_not_overwritten(source, out, capsys, change):
    run("-i", source(frame_text()), "-o", out)
    before = (out / "data_000001.example").read_bytes()
    assert run("-i", source(frame_text(**change)), "-o", out) == 2
    assert (out / "data_000001.example").read_bytes() == before
    assert "exists with another content" in capsys.readouterr().out


# -- choices ---------------------------------------------------------------------------------------


def test_keys_and_units_of_the_command_line(source, out):
    path = source(frame_text(more="E=-2 sigma='1 2 3 0 0 0'"))
    options = (
        "--energy-key E --stress-key sigma --forces-key none --energy-unit Ha --stress-unit GPa "
        "--stress-sign pressure --length-unit nm"
    )
    assert run("-i", path, "-o", out, *options.split()) == 0
    frame = read_example(out / "data_000001.example")
    assert frame.energy == pytest.approx(-2 * 27.2113961318, rel=1e-15)
    assert frame.forces is None
    assert frame.cell[0].tolist() == [50.0, 0.0, 0.0]
    # pressure (GPa) times volume, 1 eV/angstrom^3 = 160.21766 GPa
    assert np.diag(frame.virial) == pytest.approx(
        np.array([1, 2, 3]) * 210e3 / 160.2176634, rel=1e-12
    )


def test_only_the_first_frames(source, out):
    assert run("-i", source(*[frame_text(-e) for e in range(1, 6)]), "-o", out, "--limit", 2) == 0
    assert len(names(out)) == 2


def test_frames_without_energy_need_a_word(source, out, capsys):
    path = source(frame_text().replace("energy=-3.5", ""))
    assert run("-i", path, "-o", out) == 2
    assert "--no-energy" in capsys.readouterr().out
    assert names(out) == []
    assert run("-i", path, "-o", out, "--no-energy") == 0
    assert read_example(out / "data_000001.example").energy is None


# -- bad input -------------------------------------------------------------------------------------

ATOM_LINE = "Si 0 0 0 0 0 0.1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("hello\n", r"frame 1 (line 1): expected the number of atoms, found 'hello'"),
        (frame_text().replace('Lattice="5 0 0 0 6 0 0 0 7" ', ""), "periodic along a1, but that"),
        (frame_text("nan"), "frame 1 (line 1): energy is nan"),
        (frame_text("abc"), "energy = 'abc': expected one number"),
        (frame_text().replace("energy=", "E="), "under a well-known key; the frame has E"),
        (frame_text(more="REF_energy=-1"), "several keys could be the energy: energy, REF_energy"),
        (frame_text(atoms="Si 0 0 0 0 0 nan\n"), "forces: atom 1, z is nan"),
        (frame_text(atoms="Si 0 0 0 0 0\n"), "atom 1 (line 3) has 6 columns, expected 7"),
        (frame_text(atoms="Qq 0 0 0 0 0 0\n"), "'Qq' is not the symbol of a chemical element"),
        (frame_text(atoms="Si 0 0 1e9 0 0 0\n"), "check the units"),
        (frame_text(atoms=ATOM_LINE * 2), "atom 1 (Si) coincides with atom 2 (Si)"),
        (frame_text()[:-30], "frame 1 (line 1)"),
        (frame_text(more='stress="1 2"'), "stress"),
        (frame_text().replace("Lattice", "lattice"), "lattice found, the key Lattice expected"),
        (frame_text().replace("Lattice", "cell"), "cell found, the key Lattice expected"),
    ],
)
def test_bad_frames_are_named_and_not_written(source, out, capsys, content, message):
    path = source(content)
    assert run("-i", path, "-o", out) == 2
    said = capsys.readouterr().out
    assert f"left out: {path}" in said
    assert message in said
    assert names(out) == []


def test_a_bad_frame_does_not_stop_the_others(source, out, capsys):
    path = source(frame_text(-1), frame_text("nan"), frame_text(-3))
    assert run("-i", path, "-o", out) == 2
    assert names(out) == ["data_000001.example", "data_000003.example"]
    said = capsys.readouterr().out
    assert f"left out: {path}, frame 2 (line 5): energy is nan" in said
    assert "1 left out, by reason" in said


def test_reasons_keep_their_words(source, out, capsys):
    assert run("-i", source("2\nenergies are elsewhere\nH 0 0 0\nH 0 0 1\n"), "-o", out) == 2
    summary = capsys.readouterr().out.split("left out, by reason")[1]
    assert "well-known key" in summary
    assert "--energy-key" in summary


def test_atoms_that_are_all_far_apart_are_suspicious(source, out, capsys):
    assert run("-i", source(frame_text()), "-o", out, "--length-unit", "nm") == 0
    assert "warning: no two atoms of any frame are closer" in capsys.readouterr().out


def test_many_bad_frames_are_summed_up(source, out, capsys):
    assert run("-i", source(*[frame_text(f"x{i}") for i in range(60)]), "-o", out) == 2
    said = capsys.readouterr().out
    assert said.count("left out: ") == 11  # ten and "more"
    assert "60 left out, by reason" in said
    assert "60 x energy = 'x#': expected one number" in said


@pytest.mark.parametrize("damage", ["junk", "truncated"])
@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
def test_damaged_files_are_named(tmp_path, out, capsys, damage, suffix):
    good = "".join(frame_text(-i) for i in range(1, 200)).encode()
    packed = {".xz": lzma.compress, ".gz": gzip.compress, "": lambda b: b}[suffix](good)
    path = tmp_path / f"data.xyz{suffix}"
    path.write_bytes(b"\xff\x00\x81junk" * 50 if damage == "junk" else packed[: len(packed) // 2])
    assert run("-i", path, "-o", out) == 2
    assert f"left out: {path}" in capsys.readouterr().out
    for name in names(out):
        read_example(out / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--energy-unit", "furlong"], "energy unit 'furlong' is unknown; known are ev"),
        (["--length-unit", "eV"], "length unit 'eV' is unknown"),
        (["--force-unit", "Ha"], "force unit 'Ha': expected an energy unit, a slash"),
        (["--stress-unit", "atm"], "stress unit 'atm' is unknown"),
    ],
)
def test_unknown_units_are_refused_at_once(source, out, capsys, options, message):
    assert run("-i", source(frame_text()), "-o", out, *options) == 2
    assert f"panna: error: {message}" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("quantity", ["energy", "forces"])
def test_a_wrong_key_writes_nothing(source, out, capsys, quantity):
    assert run("-i", source(frame_text()), "-o", out, f"--{quantity}-key", "typo") == 2
    assert f"no {quantity} under 'typo'; the frame has" in capsys.readouterr().out
    assert names(out) == []


@pytest.mark.parametrize("quantity", ["stress", "virial"])
def test_a_key_that_no_frame_has_is_reported(source, out, capsys, quantity):
    assert run("-i", source(frame_text()), "-o", out, f"--{quantity}-key", "typo") == 2
    assert f"--{quantity}-key typo: no frame has this key" in capsys.readouterr().out


def test_suspicious_units_are_warned_of(source, out, capsys):
    far_too_close = frame_text(-1e7, "Si 0 0 0 0 0 9e4\nO 0.2 0 0 0 0 -9e4\n")
    assert run("-i", source(far_too_close), "-o", out) == 0
    said = capsys.readouterr().out
    assert "two atoms closer than 0.3 angstrom" in said
    assert "energy per atom beyond" in said
    assert "a force beyond" in said
    assert "shortest distance  0.2 angstrom" in said


@pytest.mark.parametrize("case", ["missing", "empty folder", "same names", "output is a file"])
def test_wrong_paths_are_refused_at_once(tmp_path, out, capsys, case):
    good = tmp_path / "a.xyz"
    good.write_text(frame_text())
    inputs = [good]
    if case == "missing":
        inputs, message = [tmp_path / "no.xyz"], "no.xyz: no such file or folder"
    elif case == "empty folder":
        (tmp_path / "empty").mkdir()
        inputs, message = [tmp_path / "empty"], "holds no .xyz or .extxyz file"
    elif case == "same names":
        (tmp_path / "a.extxyz").write_text(frame_text())
        inputs, message = [good, tmp_path / "a.extxyz"], "would both give a_000001.example"
    else:
        out.write_text("in the way")
        message = "the folder cannot be made (File exists)"
    assert run("-i", *inputs, "-o", out) == 2
    assert message in capsys.readouterr().err
    assert not out.is_dir()


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write everywhere")
def test_an_output_folder_that_cannot_be_written(source, out, capsys):
    out.mkdir(mode=0o500)
    assert run("-i", source(frame_text()), "-o", out) == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


# -- ways to start ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, str(ROOT / "panna" / "tools" / "exyz_parser.py")],
        [sys.executable, "-m", "panna.tools.exyz_parser"],
        [str(Path(sys.executable).with_name("panna_exyz_parser"))],
    ],
    ids=["script", "module", "console"],
)
def test_all_ways_to_start_do_the_same(source, out, tmp_path, command):
    path = source(frame_text())
    done = subprocess.run(
        [*command, "-i", path, "-o", out], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert names(out) == ["data_000001.example"]
    wrong = subprocess.run([*command, "-i", path], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "-o" in wrong.stderr


def test_help_comes_at_once_and_names_the_options():
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "panna.tools.exyz_parser", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    assert "--addhash" in done.stdout and "kcal/mol" in done.stdout
    # 0.1 s on an idle machine; NumPy and ASE would take 0.5 s.
    code = "import sys, panna.tools.exyz_parser; print({'numpy', 'ase'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert loaded.stdout.strip() == "set()"
    assert seconds < 3.0
