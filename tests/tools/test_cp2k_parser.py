"""panna_cp2k_parser on runs of CP2K 2023.1, on their outputs in other layouts, and damaged ones."""

import gzip
import json
import re
import shutil
import tracemalloc

import numpy as np
import pytest
from parser_runs import parser_run

from panna.frames.units import BOHR, EV_PER_ANGSTROM3_IN_GPA, HARTREE
from panna.tools.cp2k_parser import main


@pytest.fixture
def cp2k(parser_data):
    return parser_data / "cp2k"


@pytest.fixture
def copied(cp2k, tmp_path):
    """Copies files of a run to a folder of their own."""

    def copy(run, *endings, folder="in"):
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        for ending in endings or [p.name.removeprefix(run) for p in cp2k.glob(f"{run}*")]:
            shutil.copy(cp2k / f"{run}{ending}", target)
        return target

    return copy


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def rewritten(path, *changes):
    text = path.read_text()
    for old, new in changes:
        text = changed(text, old, new)
    path.write_text(text)
    return path


def work(a, b):
    """Of the forces and of the stress on the way between two frames, to second order."""
    strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
    moved = b.positions - a.positions @ (np.eye(3) + strain)
    of_atoms = ((a.forces + b.forces) / 2 * moved).sum()
    of_cell = ((a.virial + b.virial) / 2 * strain).sum()
    return of_atoms, of_cell


# -- real files ------------------------------------------------------------------------------------


def test_a_folder_of_runs(cp2k, tmp_path, capsys):
    """Every step of every run once; the two runs that failed are named."""
    run = parser_run(main, capsys, tmp_path / "out", cp2k)
    assert run.code == 2
    counts = {}
    for name in run.frames:
        project = re.sub(r"_\d{6}$", "", name)
        counts[project] = counts.get(project, 0) + 1
    single = ("o2_spin", "si8_strain_a", "si8_strain_b", "water_energy", "water_energy_force")
    steps = {"water_cell_opt": 5, "water_fixed": 3, "water_geo_opt": 6, "water_md": 6}
    assert counts == {**dict.fromkeys((*single, "water_molecule"), 1), **steps}
    assert all(name in run.frames for name in single)
    assert re.search(r"water_unconverged.out, calculation 1 .*self-consistency was not", run.said)
    assert "water_abort.out: CP2K stopped: The requested basis set <NO-SUCH-BASIS>" in run.said


def test_a_single_calculation(cp2k, tmp_path, capsys):
    """Against the numbers in the file."""
    run = parser_run(main, capsys, tmp_path / "out", cp2k / "water_energy_force.out")
    frame = run.only
    assert run.code == 0 and list(run.frames) == ["water_energy_force"]
    assert frame.species == ("O", "H", "H") and frame.pbc.all()
    np.testing.assert_array_equal(frame.cell, 5 * np.eye(3))
    np.testing.assert_array_equal(frame.positions[2], [-0.66, 0.66, -0.04])
    assert abs(frame.energy / HARTREE + 17.022950008665461) < 1e-12
    force = np.array([-0.02929509, -0.13080546, -0.00260849]) * HARTREE / BOHR
    np.testing.assert_allclose(frame.forces[0], force, rtol=1e-12)
    xy = 6.80515576293e-01 * 125 / EV_PER_ANGSTROM3_IN_GPA
    np.testing.assert_allclose(frame.virial[[0, 1], [1, 0]], xy, rtol=1e-12)
    content = run.contents["water_energy_force"]
    assert content["program"] == "CP2K 2023.1" and content["calculation"] == "ENERGY_FORCE"


def test_forces_have_the_right_sign(cp2k, tmp_path, capsys):
    """Dynamics: -dE = F . dx, but for the coarse grid; energies change by 0.03 to 0.24 eV."""
    run = parser_run(main, capsys, tmp_path / "out", cp2k / "water_md.out")
    frames = list(run.frames.values())
    assert run.code == 0 and len(frames) == 6
    for a, b in zip(frames, frames[1:], strict=False):
        of_atoms, of_cell = work(a, b)
        assert of_cell == 0
        assert abs(a.energy - b.energy - of_atoms) < 0.005, (a.energy - b.energy, of_atoms)


def test_the_stress_has_the_right_sign(cp2k, tmp_path, capsys):
    """The energy of strained silicon: -dE = virial : strain."""
    files = [cp2k / f"si8_strain_{name}.out" for name in "ab"]
    run = parser_run(main, capsys, tmp_path / "out", *files)
    assert run.code == 0
    a, b = (run.frames[path.stem] for path in files)
    of_atoms, of_cell = work(a, b)
    # The atoms move with the cell, but for the digits of the cell of the second.
    assert abs(of_atoms) < 0.01 and of_cell > 0.08
    assert abs(a.energy - b.energy - of_cell - of_atoms) < 0.02 * of_cell


def test_cells_forces_and_stress_of_an_optimisation_belong_together(cp2k, tmp_path, capsys):
    """Along CELL_OPT: -dE = F . dx + virial : strain; step 0 is in the output only."""
    run = parser_run(main, capsys, tmp_path / "out", cp2k / "water_cell_opt-pos-1.xyz")
    frames = list(run.frames.values())
    assert run.code == 0 and len(frames) == 5
    steps = [content.get("step") for content in run.contents.values()]
    assert steps == [None, 1, 2, 3, 4]
    for a, b in zip(frames[1:], frames[2:], strict=False):
        of_atoms, of_cell = work(a, b)
        assert of_cell > 0.009
        assert abs(a.energy - b.energy - of_atoms - of_cell) < 0.05 * of_cell
    np.testing.assert_allclose(frames[0].cell[2], [0.1, -0.3, 4.2], atol=1e-6)


def test_the_stress_file_is_that_of_the_output(cp2k, copied, tmp_path, capsys):
    """Without dynamics both are the same; the output is asked first."""
    folder = copied("water_cell_opt")
    printed = parser_run(main, capsys, tmp_path / "printed", folder)
    out = folder / "water_cell_opt.out"
    out.write_text(re.sub(r" STRESS\| Analytical stress tensor", " NOTHING|", out.read_text()))
    filed = parser_run(main, capsys, tmp_path / "filed", folder)
    assert len(filed.frames) == 5 and filed.frames["water_cell_opt_000001"].virial is None
    for name in list(printed.frames)[1:]:
        a, b = printed.frames[name].virial, filed.frames[name].virial
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


def test_the_stress_file_of_a_dynamics_is_not_taken(cp2k, copied, tmp_path, capsys):
    """It contains the kinetic part: 662 bar of 54528 in the first step."""
    folder = copied("water_md")
    whole = parser_run(main, capsys, tmp_path / "whole", folder)
    first = whole.frames["water_md_000001"]
    row = (folder / "water_md-1.stress").read_text().splitlines()[1].split()[2:]
    trace = sum(float(row[k]) for k in (0, 4, 8)) / 3
    inner = np.trace(first.virial) / 3 / first.volume * EV_PER_ANGSTROM3_IN_GPA * 1e4
    kinetic = 2 / 3 * 0.285013380896e-2 * HARTREE / 125 * EV_PER_ANGSTROM3_IN_GPA * 1e4
    assert abs(trace - inner - kinetic) < 0.01 and kinetic > 600
    out = folder / "water_md.out"
    out.write_text(re.sub(r" STRESS\| Analytical stress tensor", " NOTHING|", out.read_text()))
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert len(run.frames) == 6 and all(frame.virial is None for frame in run.frames.values())
    assert "contains the motion of the atoms" in run.said


def test_a_magnetic_molecule(cp2k, tmp_path, capsys):
    frame = parser_run(main, capsys, tmp_path / "out", cp2k / "o2_spin.out").only
    assert frame.species == ("O", "O") and frame.forces is not None


def test_a_molecule_is_not_periodic(cp2k, tmp_path, capsys):
    """PERIODIC NONE; a kind named H1 is hydrogen."""
    frame = parser_run(main, capsys, tmp_path / "out", cp2k / "water_molecule.out").only
    assert not frame.pbc.any() and frame.species == ("O", "H", "H")


def test_an_energy_without_forces(cp2k, tmp_path, capsys):
    frame = parser_run(main, capsys, tmp_path / "out", cp2k / "water_energy.out").only
    assert frame.forces is None and frame.virial is None and frame.energy is not None


def test_digits_of_the_cell(cp2k, tmp_path, capsys):
    """Three decimals of a turned cell: lengths and angles give the shape, --cell everything."""
    path = cp2k / "si8_strain_b.out"
    strain = np.array([[0.004, 0.003, 0], [0.003, -0.002, 0.001], [0, 0.001, 0.002]])
    exact = 5.3 * (np.eye(3) + strain)
    run = parser_run(main, capsys, tmp_path / "out", path)
    cell = run.only.cell
    assert "three decimals" in run.said and np.abs(cell - exact).max() < 6e-4
    np.testing.assert_allclose(cell @ cell.T, exact @ exact.T, atol=2e-5)
    cell_words = [f"{x:.10f}" for x in exact.flat]
    run = parser_run(main, capsys, tmp_path / "given", path, "--cell", *cell_words)
    assert "three decimals" not in run.said
    np.testing.assert_allclose(run.only.cell, exact, atol=1e-9)
    wrong = ["5.3", *cell_words[1:]]
    run = parser_run(main, capsys, tmp_path / "wrong", path, "--cell", *wrong)
    assert run.code == 2 and not run.frames and "in the file" in run.said


def test_forces_on_fixed_atoms_are_left_out(cp2k, tmp_path, capsys):
    """CP2K writes 0 for them."""
    run = parser_run(main, capsys, tmp_path / "out", cp2k / "water_fixed-pos-1.xyz")
    assert len(run.frames) == 3 and "--keep-fixed takes them" in run.said
    assert all(frame.forces is None for frame in run.frames.values())
    path = cp2k / "water_fixed-pos-1.xyz"
    run = parser_run(main, capsys, tmp_path / "kept", path, "--keep-fixed")
    assert all(not frame.forces[0].any() for frame in run.frames.values())


# -- which files -----------------------------------------------------------------------------------


def test_output_trajectory_and_folder_give_the_same(cp2k, copied, tmp_path, capsys):
    folder = copied("water_md")
    wanted = parser_run(main, capsys, tmp_path / "a", folder).frames
    for k, name in enumerate(("water_md.out", "water_md-pos-1.xyz")):
        frames = parser_run(main, capsys, tmp_path / str(k), folder / name).frames
        assert {n: f.fingerprint for n, f in frames.items()} == {
            n: f.fingerprint for n, f in wanted.items()
        }


def test_no_frame_twice(cp2k, copied, tmp_path, capsys):
    folder = copied("water_md")
    shutil.copy(folder / "water_md.out", folder / "other.out")
    names = ("other.out", "water_md-pos-1.xyz")
    run = parser_run(main, capsys, tmp_path / "out", *(folder / name for name in names))
    assert run.code == 2 and len(run.frames) == 6
    assert "were read with" in run.said


def test_without_the_trajectory_only_the_first_step_has_a_geometry(copied, tmp_path, capsys):
    folder = copied("water_md", ".out")
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and list(run.frames) == ["water_md_000001"]
    assert "5 more calculations have no geometry in the output" in run.said


def test_without_the_output_nothing_tells_that_steps_converged(copied, tmp_path, capsys):
    folder = copied("water_md", "-pos-1.xyz", "-frc-1.xyz", "-1.cell")
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and not run.frames and "whether it converged" in run.said
    run = parser_run(main, capsys, tmp_path / "other", folder, "--unchecked")
    assert run.code == 2 and not run.frames and "--periodic" in run.said
    run = parser_run(main, capsys, tmp_path / "good", folder, "--unchecked", "--periodic", "XYZ")
    assert run.code == 0 and len(run.frames) == 6
    assert all(frame.forces is not None for frame in run.frames.values())


def test_without_any_cell_it_is_refused(copied, tmp_path, capsys):
    folder = copied("water_md", "-pos-1.xyz")
    arguments = ["--unchecked", "--periodic", "XYZ"]
    run = parser_run(main, capsys, tmp_path / "out", folder, *arguments)
    assert run.code == 2 and not run.frames and "nothing tells the cell" in run.said
    cell = "5 0 0 0 5 0 0 0 5".split()
    run = parser_run(main, capsys, tmp_path / "good", folder, *arguments, "--cell", *cell)
    assert run.code == 0 and run.frames["water_md_000003"].volume == pytest.approx(125)


def test_a_cell_that_changes_needs_its_file(copied, tmp_path, capsys):
    folder = copied("water_cell_opt", ".out", "-pos-1.xyz", "-frc-1.xyz")
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and "the cell changes along the run" in run.said
    assert list(run.frames) == ["water_cell_opt_000001"]  # of the output
    shutil.rmtree(folder)
    folder = copied("water_md", ".out", "-pos-1.xyz")
    run = parser_run(main, capsys, tmp_path / "constant", folder)
    assert run.code == 0 and len(run.frames) == 6
    ensemble = ("Ensemble type                                                       NVE",)
    rewritten(folder / "water_md.out", (ensemble[0], ensemble[0].replace("  NVE", "NPT_I")))
    run = parser_run(main, capsys, tmp_path / "npt", folder)
    assert run.code == 2 and not run.frames and "the cell changes along the run" in run.said


def test_forces_of_the_output_where_there_is_no_file_of_them(copied, tmp_path, capsys):
    folder = copied("water_md")
    exact = parser_run(main, capsys, tmp_path / "exact", folder).frames
    (folder / "water_md-frc-1.xyz").unlink()
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 0
    for name, frame in exact.items():
        worst = np.abs(run.frames[name].forces - frame.forces).max()
        assert 0 < worst < 1e-6  # eight decimals in the output, hartree/bohr


def test_forces_of_some_steps(copied, tmp_path, capsys):
    """The file of the forces has every second step, the output none."""
    folder = copied("water_md")
    out = folder / "water_md.out"
    out.write_text(out.read_text().replace(" ATOMIC FORCES in", " NOTHING in"))
    path = folder / "water_md-frc-1.xyz"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for k, line in enumerate(lines) if k // 5 % 2 == 0))
    run = parser_run(main, capsys, tmp_path / "out", folder)
    has = [frame.forces is not None for frame in run.frames.values()]
    assert run.code == 0 and has == [True, False] * 3


def test_a_restarted_run(copied, tmp_path, capsys):
    """Two outputs and one trajectory, in which steps 3 and 4 come a second time."""
    folder = copied("water_md")
    whole = (folder / "water_md.out").read_text()
    second = changed(whole, "STARTED AT               2026", "STARTED AT               2027")
    (folder / "a_second.out").write_text(second)
    for name in ("-pos-1.xyz", "-frc-1.xyz", "-1.cell", "-1.stress"):
        path = folder / f"water_md{name}"
        lines = path.read_text().splitlines(keepends=True)
        size, head = (5, 0) if name.endswith("xyz") else (1, 1)
        steps = [lines[head + size * k :][:size] for k in (0, 1, 2, 3, 4, 3, 4, 5)]
        path.write_text("".join(lines[:head] + [line for step in steps for line in step]))
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 0
    assert [c["step"] for c in run.contents.values()] == [0, 1, 2, 3, 4, 3, 4, 5]
    frames = run.frames
    assert frames["water_md_000004"].fingerprint == frames["water_md_000006"].fingerprint
    assert all(frame.forces is not None for frame in frames.values())


def test_an_unconverged_step_of_a_dynamics(copied, tmp_path, capsys):
    folder = copied("water_md")
    out = folder / "water_md.out"
    text = out.read_text()
    place = [found.start() for found in re.finditer(r" +\*\*\* SCF run converged", text)][2]
    warning = " *** WARNING in qs_scf.F:601 :: SCF run NOT converged ***"
    out.write_text(text[:place] + warning + text[text.index("\n", place) :])
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and len(run.frames) == 5
    assert re.search(r"step 2 \(line 11\): self-consistency was not reached", run.said)


def test_compressed_files(copied, tmp_path, capsys):
    folder = copied("water_md")
    wanted = parser_run(main, capsys, tmp_path / "plain", folder).frames
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 0 and len(run.frames) == 6
    assert [f.fingerprint for f in run.frames.values()] == [f.fingerprint for f in wanted.values()]


# -- other layouts ---------------------------------------------------------------------------------


def as_2025(text):
    """Layout of CP2K 2025 on: hartree, FORCES| with the length of each force, stress in bar."""
    text = changed(text, "energy [a.u.]:", "energy [hartree]")
    text = re.sub(
        r" ATOMIC FORCES in \[a.u.\]\n\n # Atom.*\n",
        " FORCES| Atomic forces [hartree/bohr]\n FORCES|   Atom     x     y     z     |f|\n",
        text,
    )
    row = re.compile(r"^ +(\d+) +\d+ +[A-Z][a-z]? +(-?\d\.\d{8} +-?\d\.\d{8} +-?\d\.\d{8})$", re.M)
    text = row.sub(r" FORCES|  \1  \2  1.00000000E+00", text)
    text = text.replace(" SUM OF ATOMIC FORCES", " FORCES| Sum")

    def in_bar(found):
        numbers = [f"{float(word) * 1e4:.11E}" for word in found[2].split()]
        return f" STRESS|      {found[1]}  {'  '.join(numbers)}"

    text = re.sub(r" STRESS\| +([xyz]) +(.*E.*)", in_bar, text)
    return changed(text, "Analytical stress tensor [GPa]", "Analytical stress tensor [bar]")


def as_7(text):
    """Layout of CP2K 7: parentheses, STRESS TENSOR, no periodicity."""
    text = changed(text, "energy [a.u.]:", "energy (a.u.):")
    text = re.sub(
        r" STRESS\| Analytical stress tensor \[GPa\]\n.*\n",
        " STRESS TENSOR [GPa]\n\n            X               Y               Z\n",
        text,
    )
    text = re.sub(r" STRESS\| +([xyz]) +(.*E.*)", lambda m: f"  {m[1].upper()}  {m[2]}", text)
    return re.sub(r" CELL\| Periodicity.*\n", "", text)


@pytest.mark.parametrize("layout", [as_2025, as_7])
def test_other_layouts(cp2k, tmp_path, capsys, layout):
    """Of other versions, rewritten from the real output."""
    path = cp2k / "water_energy_force.out"
    wanted = parser_run(main, capsys, tmp_path / "wanted", path).only
    (tmp_path / "other.out").write_text(layout(path.read_text()))
    arguments = ["--periodic", "XYZ"]
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "other.out", *arguments)
    assert run.code == 0, run.said
    assert run.only.energy == wanted.energy
    np.testing.assert_array_equal(run.only.forces, wanted.forces)
    np.testing.assert_allclose(run.only.virial, wanted.virial, rtol=1e-10)


def test_a_periodicity_that_contradicts_the_output(cp2k, tmp_path, capsys):
    path = cp2k / "water_molecule.out"
    run = parser_run(main, capsys, tmp_path / "out", path, "--periodic", "XYZ")
    assert run.code == 2 and "is not what the output tells" in run.said


def test_an_outer_loop(cp2k, tmp_path, capsys):
    """Its failure counts, whatever the inner loops did."""
    text = (cp2k / "water_energy_force.out").read_text()
    line = "  *** SCF run converged in    12 steps ***\n"
    good = "  outer SCF loop converged in   2 iterations or   24 steps\n"
    failed = "  outer SCF loop FAILED to converge after   2 iterations or   24 steps\n"
    (tmp_path / "good.out").write_text(changed(text, line, good))
    (tmp_path / "bad.out").write_text(changed(text, line, line + failed))
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "good.out", tmp_path / "bad.out")
    assert list(run.frames) == ["good"] and "self-consistency was not reached" in run.said


# -- damaged files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["ATOMIC FORCES in", "STRESS| 1/3", "SUM OF", "Total energy:"])
def test_truncated_single_calculations(cp2k, tmp_path, capsys, place):
    """Nothing of a calculation that is not complete."""
    text = (cp2k / "water_energy_force.out").read_text()
    (tmp_path / "cut.out").write_text(text[: text.index(place)])
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "cut.out")
    assert run.code == 2 and not run.frames and "did not come to its end" in run.said


def test_a_dynamics_that_was_stopped(copied, tmp_path, capsys):
    """Steps that the output tells of are good; the end of the run is mentioned."""
    folder = copied("water_md")
    out = folder / "water_md.out"
    text = out.read_text()
    out.write_text(text[: re.search(r" MD\| Step number +4\n", text).start() - 100])
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and list(run.frames) == [f"water_md_{k:06d}" for k in (1, 2, 3, 4)]
    assert "did not come to its end" in run.said
    assert "no output beside the file has a calculation of this energy" in run.said


BROKEN = {
    "empty": (lambda t: "", "the file is empty"),
    "binary": (lambda t: "\x00\x7fELF" * 50, "not an output of CP2K"),
    "text": (lambda t: "Program PWSCF v.7.2\n", "not an output of CP2K"),
    "nan energy": (lambda t: changed(t, "-17.022950008665461", "NaN"), "'NaN' found"),
    "stars": (lambda t: changed(t, "-0.13080546", "***********"), "too long for its column"),
    "other unit": (lambda t: changed(t, "energy [a.u.]", "energy [furlong]"), "energy unit"),
    "stress unit": (lambda t: changed(t, "tensor [GPa]", "tensor [furlong]"), "stress unit"),
    "fewer forces": (
        lambda t: re.sub(r"\n +3 +2 +H +-0.09306438.*", "", t),
        "2 forces found, 3 expected",
    ),
    "forces in disorder": (
        lambda t: changed(t, "      2      2      H", "      3      2      H"),
        "force on atom 3 found, 2 expected",
    ),
    "short row": (lambda t: changed(t, "    0.07821430     0.01130419", ""), "1 numbers found"),
    "no cell": (lambda t: re.sub(r"\n CELL\| V.*", "", t), "no cell before it"),
    "cell without sense": (
        lambda t: re.sub(r"( CELL\| Angle .* alpha.*) 90.0", r"\1 60.0", t),
        "do not fit its lengths and angles",
    ),
    "flat cell": (lambda t: re.sub(r"( CELL\| Angle .*gamma.*) 90.0", r"\1  0.0", t), "no cell"),
    "no element": (lambda t: changed(t, "1    1 O     8 ", "1    1 O   208 "), "atomic number 208"),
    "ghost": (lambda t: changed(t, "6.0000  15.9994", "0.0000  15.9994"), "ghost atoms"),
    "classical": (lambda t: changed(t, "( QS )", "( FIST )"), "method FIST"),
    "another run type": (lambda t: changed(t, "  ENERGY_FORCE", "  BAND"), "run type BAND"),
    "no convergence": (
        lambda t: re.sub(r".*SCF run converged.*", "", t),
        "nothing tells that self-consistency",
    ),
    "two stress rows": (lambda t: re.sub(r" STRESS\|      z .*\n", "", t), "2 rows of stress"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_outputs_are_named_with_the_reason(cp2k, tmp_path, capsys, case):
    change, reason = BROKEN[case]
    path = tmp_path / "broken.out"
    path.write_text(change((cp2k / "water_energy_force.out").read_text()))
    run = parser_run(main, capsys, tmp_path / "out", path, cp2k / "o2_spin.out")
    assert run.code == 2 and list(run.frames) == ["o2_spin"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


# File, change, reason, steps that are left.
BROKEN_STEPS = {
    "number": ("-pos-1.xyz", ("0.8909496313", "0.89x"), "'0.89x' found", 5),
    "row": ("-pos-1.xyz", ("  O         0.1003896073", "  5  0.1"), "rows found", 5),
    "element": ("-pos-1.xyz", ("  O         0.1003896073", "  Q  0.1003896073"), "no chemical", 5),
    "comment": ("-pos-1.xyz", (" i =        2, time", " i = 2 time"), "a comment as", 2),
    "energy": ("-pos-1.xyz", ("E =       -17.0278645109", "E = -17.03"), "of this energy", 5),
    "unit": ("-pos-1.xyz", ("0.8600000000        0.6300000000", "1.625 1.19"), "angstrom", 5),
    "forces": ("-frc-1.xyz", ("0.0756074654", "0.07***"), "too long for its column", 5),
    "force unit": ("-frc-1.xyz", ("0.1040377212", "5.3498"), "hartree/bohr", 5),
    "other step": (
        "-frc-1.xyz",
        ("E =       -17.0278645109", "E =       -17.0278645999"),
        "another energy there",
        5,
    ),
    "other atoms": ("-frc-1.xyz", ("  O        -0.0322365519", "  S -0.03"), "other atoms", 5),
    "no cell": ("-1.cell", ("       2       1.000", "       2       1.x"), "found, a number", 5),
    "cell of another time": ("-1.cell", ("3       1.500", "3       1.700"), "another time", 5),
}


@pytest.mark.parametrize("case", BROKEN_STEPS)
def test_broken_steps_are_named_and_the_others_go_on(copied, tmp_path, capsys, case):
    ending, change, reason, left = BROKEN_STEPS[case]
    folder = copied("water_md")
    rewritten(folder / f"water_md{ending}", change)
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert len(run.frames) == left and reason in run.said, run.said
    assert run.code == 2


def test_a_cell_file_in_other_units(copied, tmp_path, capsys):
    folder = copied("water_md")
    path = folder / "water_md-1.cell"
    path.write_text(path.read_text().replace("[Angstrom]", "[bohr]"))
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 2 and not run.frames and "no columns in Angstrom" in run.said


def test_memory_does_not_grow_with_the_steps(copied, tmp_path, capsys):
    """A trajectory of 100 and of 1500 steps, through the reader alone."""
    from panna.formats.cp2k_trajectory import Outputs, Trajectory, companions

    folder = copied("water_md")
    peaks = []
    for repeated in (20, 300):
        for name in ("-pos-1.xyz", "-frc-1.xyz"):
            path = folder / f"water_md{name}"
            blocks = path.read_text().splitlines(keepends=True)[:25]
            path.write_text("".join(blocks) * repeated)
        beside = companions(folder / "water_md-pos-1.xyz")
        del beside["cells"]
        tracemalloc.start()
        outputs = Outputs([folder / "water_md.out"])
        path = folder / "water_md-pos-1.xyz"
        steps = Trajectory(path, outputs, **beside, cell=5 * np.eye(3)).steps()
        assert sum(not step.flaw for step in steps) == 5 * repeated
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000, peaks  # buffers of files; a kept step has 600 bytes


def test_a_given_source_is_told(cp2k, tmp_path, capsys):
    run = parser_run(main, capsys, tmp_path / "out", cp2k / "water_geo_opt.out")
    content = run.contents["water_geo_opt_000003"]
    assert content["step"] == 2 and content["calculation"] == "GEO_OPT"
    assert json.dumps(content["source"]) == '"water_geo_opt.out"'
