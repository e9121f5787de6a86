"""panna_vasp_parser on real files of VASP 5.4.4 and 6.3, on written ones, and on damaged ones."""

import gzip
import json
import lzma
import re
import shutil
import tarfile
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import vasp_files as vf
from parser_runs import parser_run

from panna.errors import FrameError
from panna.formats.vasp_outcar import outcar_steps
from panna.formats.vasp_xml import vasprun_steps
from panna.tools.vasp_parser import main

NOT_CONVERGED = {"dpdata/OUTCAR.ch4.1step": {1}, "dpdata/OUTCAR.ch4.unconverged": {1}}
TITANIA = ("Ti", "O", "O")
KBAR_OF_ASE = 1602.1766208  # CODATA 2014, in the expected numbers


def close(found, expected, relative, absolute=0.0):
    np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute)


def same_frame(a, b, positions=0.0):
    """Equal within half of the last printed digit of what has fewer digits."""
    assert a.species == b.species
    close(a.positions, b.positions, 0, positions + 1e-9)
    close(a.cell, b.cell, 0, 6e-9)
    close(a.energy, b.energy, 1e-10)
    close(a.forces, b.forces, 0, 6e-7)
    assert (a.virial is None) == (b.virial is None)
    if a.virial is not None:
        # OUTCAR has five digits in kbar; vasprun.xml is symmetric to so many.
        close(a.virial, b.virial, 0, 1.1e-5 * a.volume / 1602)


def convert(capsys, folder, text, *arguments, name=None):
    """Write one file, with the name of its kind, and convert it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or ("vasprun.xml" if text.startswith("<") else "OUTCAR"))
    path.write_bytes(text.encode("latin-1"))
    return parser_run(main, capsys, folder / "out", path, *arguments)


# -- real files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("energy", ["free", "sigma0"])
def test_all_shared_files(shared_data, tmp_path, capsys, energy):
    """The numbers of another reader, apart from steps that did not converge."""
    folder = shared_data / "vasp"
    everything = json.loads((folder / "expected_ase.json").read_text())
    seen = 0
    for name, expected in everything.items():
        out = tmp_path / name.replace("/", "_")
        run = parser_run(main, capsys, out, folder / name, "--energy", energy)
        if "frames" not in expected:
            assert run.frames
            continue
        bad = NOT_CONVERGED.get(name, set())
        assert run.said.count("self-consistency was not reached: ") >= len(bad)
        numbers = [int(key[-6:]) for key in run.frames]
        assert numbers == [k for k in range(1, expected["frames"] + 1) if k not in bad]
        key = {"free": "free_energy_eV", "sigma0": "energy_sigma0_eV"}[energy]
        for number, frame in zip(numbers, run.frames.values(), strict=True):
            k = number - 1
            close(frame.energy, expected[key][k], 1e-9)
            close(frame.forces[0], expected["forces_first_atom_eV_A"][k], 1e-8, 1e-12)
            close(frame.volume, expected["volume_A3"][k], 1e-8)
            traces = expected.get("stress_trace_over3_eV_A3")
            if traces and traces[k] is not None:
                # The expected numbers have ten decimals.
                ours = -np.trace(frame.virial) / 3 / frame.volume
                close(ours * vf.KBAR / KBAR_OF_ASE, traces[k], 1e-8, 6e-11)
                assert np.array_equal(frame.virial, frame.virial.T)
            else:
                assert frame.virial is None
            seen += 1
    assert len(everything) == 16 and seen == 49


def test_the_golden_steps(golden, tmp_path, capsys):
    """As the tool of PANNA v1: its e_wo_entrp is, from VASP 5, the energy for zero smearing."""
    folder = golden / "parsers" / "vasp"
    expected = json.loads((folder.parent / "expected" / "summary.json").read_text())
    for name, code in (("vasprun.0.xml", 2), ("vasprun.6.xml.gz", 0)):
        run = parser_run(main, capsys, tmp_path / name, folder / name, "--energy", "sigma0")
        assert run.code == code and len(run.frames) == 21
        assert ("the rest of the file: not complete, well-formed XML" in run.said) == (code == 2)
        stem = name.partition(".xml")[0]
        assert list(run.frames) == [f"{stem.replace('.', '_')}_{k:06d}" for k in range(1, 22)]
        for frame, step in zip(run.frames.values(), expected[stem], strict=True):
            assert frame.n_atoms == step["n_atoms"]
            close(frame.energy, step["energy"][0], 1e-9)
            close(frame.cell, step["lattice_vectors"], 1e-12)
            for atom, index in (("first_atom", 0), ("last_atom", -1)):
                _, symbol, position, force = step[atom]
                assert frame.species[index] == symbol
                close(frame.positions[index], np.array(position) @ frame.cell, 1e-9, 1e-9)
                close(frame.forces[index], force, 1e-12)


PAIRS = {
    "OUTCAR.h2o.md.10": "vasprun.h2o.md.10.xml",
    "OUTCAR.Ge.vdw": "vasprun.Ge.vdw.xml",
    "Ti-O-Ti-v6/OUTCAR": "Ti-O-Ti-v6/vasprun.xml",
    "Ti-aimd-nwrite0/OUTCAR": "Ti-aimd-nwrite0/vasprun.xml",
}


@pytest.mark.parametrize("energy", ["free", "sigma0", "without_entropy"])
@pytest.mark.parametrize("outcar", PAIRS)
def test_both_files_of_a_run_agree(shared_data, tmp_path, capsys, outcar, energy):
    """MD of water, a triclinic cell with dispersion, one element in two POTCARs, NWRITE = 0."""
    folder = shared_data / "vasp" / "dpdata"
    a, b = (
        {key[-6:]: frame for key, frame in run.frames.items()}
        for run in (
            parser_run(main, capsys, tmp_path / str(k), folder / name, "--energy", energy)
            for k, name in enumerate((outcar, PAIRS[outcar]))
        )
    )
    assert a and set(a) <= set(b)
    for number in a:
        # OUTCAR has positions with five digits; whole lattice vectors are free.
        moved = np.linalg.solve(a[number].cell.T, (b[number].positions - a[number].positions).T)
        close((moved - np.round(moved)).T @ a[number].cell, 0, 0, 5.1e-6)
        same_frame(a[number], replace(b[number], positions=a[number].positions))


def test_steps_without_geometry(shared_data, tmp_path, capsys):
    source = shared_data / "vasp" / "dpdata" / "Ti-aimd-nwrite0" / "OUTCAR"
    run = parser_run(main, capsys, tmp_path / "out", source)
    assert run.code == 2 and list(run.frames) == ["OUTCAR_000001", "OUTCAR_000010"]
    assert "8 x its positions and lattice vectors are not in this file" in run.said


def test_machine_learned_steps_are_left_out(shared_data, tmp_path, capsys):
    """Steps 1, 2, 3 and 6 are DFT; predictions for the same geometries stand before them."""
    source = shared_data / "vasp" / "dpdata" / "OUTCAR.ch4.ml"
    run = parser_run(main, capsys, tmp_path / "out", source)
    assert run.code == 2
    assert [int(key[-6:]) for key in run.frames] == [1, 2, 3, 6]
    energies = [frame.energy for frame in run.frames.values()]
    assert energies == [-24.12709802, -24.12724275, -24.12737148, -24.12697674]
    pressure = [np.trace(f.virial) / 3 / f.volume * 1602.176634 for f in run.frames.values()]
    close(pressure, [-0.264, -0.219, -0.134, 0.062], 0, 1e-3)  # not the predicted 0.18
    assert "6 x a prediction of VASP's machine-learned force field" in run.said


def test_the_loop_of_ch4_that_ended_at_nelm(shared_data, tmp_path, capsys):
    """Step 1 stops at NELM = 15, far off; step 2 reaches EDIFF in the 15th. VASP 5 claims both."""
    source = shared_data / "vasp" / "dpdata" / "OUTCAR.ch4.unconverged"
    assert source.read_text().count("aborting loop because EDIFF is reached") == 3
    run = parser_run(main, capsys, tmp_path / "out", source)
    assert run.code == 2 and [int(key[-6:]) for key in run.frames] == [2, 3]
    assert "15 electronic step(s), last change of the energy 2.4e-03 eV (NELM = 15" in run.said


def test_energies_fall_by_the_work_of_the_forces(shared_data, tmp_path, capsys):
    """Along MD: -dE = F . dx, to second order."""
    for name in ("dpdata/vasprun.h2o.md.10.xml", "dpdata/Ti-aimd-nwrite0/vasprun.xml"):
        run = parser_run(main, capsys, tmp_path / name, shared_data / "vasp" / name)
        frames = list(run.frames.values())
        assert len(frames) == 10
        for a, b in zip(frames, frames[1:], strict=False):
            moved = np.linalg.solve(a.cell.T, (b.positions - a.positions).T).T
            moved = (moved - np.round(moved)) @ a.cell
            work = ((a.forces + b.forces) / 2 * moved).sum()
            close(a.energy - b.energy, work, 0.05)


def test_energies_fall_by_the_work_of_the_stress(shared_data, tmp_path, capsys):
    """In relaxations of the cell: -dE = F . dx + virial : strain; the cells of B8O6 are sheared."""
    for name in ("uf3_w128_relax/vasprun.xml", "dpdata/6362_OUTCAR"):
        run = parser_run(main, capsys, tmp_path / name, shared_data / "vasp" / name)
        frames = list(run.frames.values())
        for a, b in zip(frames, frames[1:], strict=False):
            strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
            crystal = [np.linalg.solve(f.cell.T, f.positions.T).T for f in (a, b)]
            moved = crystal[1] - crystal[0]
            moved = (moved - np.round(moved)) @ b.cell
            of_atoms = ((a.forces + b.forces) / 2 * moved).sum()
            of_cell = ((a.virial + b.virial) / 2 * strain).sum()
            assert abs(of_cell) > abs(of_atoms)
            # The strains are up to 3 %, so that the second order is felt.
            assert abs(a.energy - b.energy - of_atoms - of_cell) < 0.15 * abs(of_cell)
        assert len(frames) > 1


def test_a_training_set_of_phonons(shared_data, tmp_path, capsys):
    """Random displacements in NaCl: the forces on all atoms together vanish."""
    source = shared_data / "vasp" / "phono3py_nacl_rd" / "vasprun_xmls.tar.xz"
    with tarfile.open(source) as tar:
        tar.extractall(tmp_path, members=[m for m in tar if "-0000" in m.name], filter="data")
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "vasprun_xmls")
    assert run.code == 0 and len(run.frames) == 9
    for frame in run.frames.values():
        assert frame.n_atoms == 64 and frame.virial is not None
        assert np.abs(frame.forces.sum(axis=0)).max() < 1e-2
    assert run.contents["vasprun-00001_000001"]["functional"] == "GGA = PS"


# -- both readers on the same written numbers ------------------------------------------------------


WRITERS = {"OUTCAR": vf.outcar, "vasprun": vf.vasprun}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("version", ["5.4.4.18Apr17-6-g9f103f2a35", "6.3.0"])
def test_every_number_of_a_file(tmp_path, capsys, kind, version):
    """All energies, and stress in the order xx yy zz xy yz zx; OUTCAR with columns that touch."""
    calculation = vf.titania(3, version=version)
    for energy in ("free", "sigma0", "without_entropy"):
        text = WRITERS[kind](calculation)
        run = convert(capsys, tmp_path / energy, text, "--energy", energy)
        assert run.code == 0, run.said
        assert list(run.frames) == [f"{kind}_{k:06d}" for k in (1, 2, 3)]
        for frame, step in zip(run.frames.values(), calculation.steps, strict=True):
            assert frame.species == TITANIA
            close(frame.energy, getattr(step, energy), 1e-12)
            close(frame.cell, step.cell, 0, 1e-9)
            close(frame.positions, step.positions, 0, 1e-9)
            close(frame.forces, step.forces, 1e-12)
            close(frame.virial, step.stress * frame.volume / vf.KBAR, 1e-9)


@pytest.mark.parametrize("kind", WRITERS)
def test_facts(tmp_path, capsys, kind):
    settings = {"ISPIN": "2", "METAGGA": "SCAN", "GGA": "--"}
    calculation = vf.titania(1, settings=settings, moment="     1.9999998")
    run = convert(capsys, tmp_path, WRITERS[kind](calculation))
    content = run.contents[f"{kind}_000001"]
    assert content["program"] == "VASP 5.4.4" and content["functional"] == "METAGGA = SCAN"
    assert content["encut_eV"] == 400 and content["ispin"] == 2
    assert content["energy_taken"] == "free energy (TOTEN)"
    assert content["potentials"] == list(calculation.titles)
    moment = {"total_bohr_magneton": [1.9999998]} if kind == "OUTCAR" else {}
    assert content["magnetism"] == {"kind": "collinear", **moment}


def test_magnetism_of_noncollinear_runs(tmp_path, capsys):
    settings = {"LNONCOLLINEAR": "T"}
    calculation = vf.titania(1, settings=settings, moment=" 0.5000000 -0.2500000 1.0000000")
    run = convert(capsys, tmp_path, vf.outcar(calculation))
    moments = {"kind": "non-collinear", "total_bohr_magneton": [0.5, -0.25, 1.0]}
    assert run.contents["OUTCAR_000001"]["magnetism"] == moments
    run = convert(capsys, tmp_path / "none", vf.outcar(vf.titania(1)))
    assert "magnetism" not in run.contents["OUTCAR_000001"]


LOOPS = {
    "reached in the last step": ((-1, -2, -3, -3.1, -3.2, -3.200009), {}, True),
    "missed in the last step": ((-1, -2, -3, -3.1, -3.2, -3.2001), {}, False),
    "ended early": ((-1, -2, -3, -3.000002), {}, True),
    "stopped from outside": ((-1, -2, -3), {}, False),
    "one step": ((-1,), {}, False),
    "NELM is 1": ((-1,), {"NELM": "1"}, False),
    "a fixed density": ((-1, -2, -2.000001), {"ICHARG": "11"}, False),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("case", LOOPS)
def test_convergence(tmp_path, capsys, kind, case):
    """NELM = 6 and EDIFF = 1e-5, of the electrons and not of the response functions."""
    electronic, settings, good = LOOPS[case]
    calculation = vf.titania(2, settings=settings)
    calculation.steps[0].electronic = electronic
    run = convert(capsys, tmp_path, WRITERS[kind](calculation))
    usable = [1, 2] if good else [] if "ICHARG" in settings else [2]
    assert [int(key[-6:]) for key in run.frames] == usable
    assert run.code == (0 if good else 2)
    assert good or re.search("self-consistency was not reached|not self-consistent", run.said)


def test_vasp6_says_when_it_has_not_converged(tmp_path, capsys):
    text = vf.outcar(vf.titania(2, version="6.3.0"))
    text = changed(text, "because EDIFF is reached", "EDIFF was not reached (unconverged)")
    run = convert(capsys, tmp_path, text)
    assert run.code == 2 and list(run.frames) == ["OUTCAR_000002"]


@pytest.mark.parametrize("kind", WRITERS)
def test_stress_that_is_not_one(tmp_path, capsys, kind):
    """Missing, all zeros, or with a right trace only (ISIF = 1)."""
    calculation = vf.titania(2)
    calculation.steps[0].stress = None
    calculation.steps[1].stress = np.zeros((3, 3))
    run = convert(capsys, tmp_path / "a", WRITERS[kind](calculation))
    assert run.code == 0 and [f.virial for f in run.frames.values()] == [None, None]
    run = convert(capsys, tmp_path / "b", WRITERS[kind](vf.titania(1, settings={"ISIF": "1"})))
    assert run.code == 0 and run.only.virial is None and run.only.forces is not None


def test_elements_of_wrong_labels(tmp_path, capsys):
    titles = ("PAW_PBE Zr_sv 04Jan2005", "PAW_PBE Xe 07Sep2000")
    for kind, write in WRITERS.items():
        calculation = vf.titania(1, titles=titles, labels=("r", "X"))
        run = convert(capsys, tmp_path / kind, write(calculation))
        assert run.only.species == ("Zr", "Xe", "Xe")


def test_counts_of_atoms_that_touch(tmp_path, capsys):
    """More than 999 atoms of a type: the columns have four digits."""
    step = vf.titania(1).steps[0]
    many = replace(
        step,
        positions=np.arange(3 * 1064).reshape(-1, 3) * 0.01,
        forces=np.zeros((1064, 3)),
    )
    text = vf.outcar(vf.titania(1, steps_made=[many], counts=(64, 1000)))
    assert "641000" in text
    run = convert(capsys, tmp_path, text)
    assert run.only.species == ("Ti",) * 64 + ("O",) * 1000


def test_energies_before_positions(tmp_path, capsys):
    """The order of old versions."""
    calculation = vf.titania(2)
    text = vf.outcar_header(calculation)
    for k, step in enumerate(calculation.steps):
        text += vf.outcar_electronic(calculation, k) + vf.outcar_energies(step)
        text += vf.outcar_stress(step) + vf.outcar_geometry(step)
    old = convert(capsys, tmp_path / "old", text + vf.END)
    new = convert(capsys, tmp_path / "new", vf.outcar(calculation))
    assert old.code == new.code == 0
    for a, b in zip(old.frames.values(), new.frames.values(), strict=True):
        assert a.fingerprint == b.fingerprint


def test_dispersion_enters_after_the_electronic_steps(tmp_path, capsys):
    """The energy of the ionic step has it, those of the electronic steps do not."""
    calculation = vf.titania(1)
    step = calculation.steps[0]
    step.electronic = tuple(energy + 11.0 for energy in step.electronic)
    for energy in ("free", "sigma0", "without_entropy"):
        run = convert(capsys, tmp_path / energy, vf.vasprun(calculation), "--energy", energy)
        close(run.only.energy, getattr(step, energy), 1e-12)


def test_pressure_times_volume_is_no_energy(tmp_path, capsys):
    """With PSTRESS, vasprun.xml ends each step with the enthalpy, OUTCAR with the energy."""
    calculation = vf.titania(1, settings={"PSTRESS": "25.0"})
    (step,) = calculation.steps
    work = 25.0 / vf.KBAR * np.linalg.det(step.cell)
    assert work > 1
    enthalpy = replace(calculation, steps=[replace(step, free=round(step.free + work, 8))])
    run = convert(capsys, tmp_path / "with", vf.vasprun(enthalpy))
    close(run.only.energy, step.free, 1e-12)
    assert "PSTRESS is set" in run.said and run.code == 0
    run = convert(capsys, tmp_path / "without", vf.vasprun(calculation))
    close(run.only.energy, step.free, 1e-12)
    other = replace(calculation, steps=[replace(step, free=step.free + work - 2)])
    run = convert(capsys, tmp_path / "other", vf.vasprun(other))
    assert run.code == 2 and "convert the OUTCAR instead" in run.said
    run = convert(capsys, tmp_path / "outcar", vf.outcar(calculation))
    close(run.only.energy, step.free, 1e-12)


def test_machine_learned_steps_of_both_files(tmp_path, capsys):
    """DFT, prediction, DFT; in OUTCAR with predictions before each DFT step."""
    calculation = vf.titania(3, settings={"ML_LMLFF": "T"})
    one, two, three = calculation.steps
    two.stress = None  # must not be that of the prediction before it
    text = vf.outcar_header(calculation)
    for index in (0, None, 1):
        text += vf.outcar_prediction(replace(three, free=0.5))
        text += "" if index is None else vf.outcar_step(calculation, index)
    run = convert(capsys, tmp_path / "a", text + vf.END)
    assert run.code == 2 and list(run.frames) == ["OUTCAR_000001", "OUTCAR_000003"]
    close([frame.energy for frame in run.frames.values()], [one.free, two.free], 1e-12)
    assert run.frames["OUTCAR_000003"].virial is None
    assert "step 2: a prediction of VASP's machine-learned" in run.said

    blocks = [vf.vasprun_step(calculation, step) for step in calculation.steps]
    blocks[1] = re.sub("(?s)<scstep>.*</scstep>", "", blocks[1])
    beside = "<structure></structure><varray name='forces'></varray>"
    text = vf.vasprun_header(calculation) + blocks[0] + beside + blocks[1] + blocks[2]
    run = convert(capsys, tmp_path / "b", text + "</modeling>")
    assert run.code == 2 and list(run.frames) == ["vasprun_000001", "vasprun_000003"]
    assert run.said.count("a prediction of VASP's machine-learned") >= 2


def test_a_prediction_for_the_end(tmp_path, capsys):
    calculation = vf.titania(1)
    text = vf.outcar(calculation).replace(vf.END, vf.outcar_prediction(calculation.steps[0]))
    for k, end in enumerate(("", vf.END)):
        run = convert(capsys, tmp_path / str(k), text + end)
        assert run.code == 2 and len(run.frames) == 1
        assert "step 2: a prediction" in run.said


def test_convergence_that_cannot_be_checked(tmp_path, capsys):
    """A file that somebody has made smaller: usable, but the user is told, once for each file."""
    text = re.sub("(?s)<scstep>.*?</scstep>", "", vf.vasprun(vf.titania(2)))
    run = convert(capsys, tmp_path / "a", text)
    assert run.code == 0 and len(run.frames) == 2
    assert re.search(r"convergence could not be checked \(1 file, ", run.said)
    run = convert(capsys, tmp_path / "b", text, "--energy", "sigma0")
    assert run.code == 2 and "no energy extrapolated to zero smearing" in run.said
    for kind, write in WRITERS.items():
        text = re.sub('.*(EDIFF  =|"EDIFF").*\n', "", write(vf.titania(2)))
        run = convert(capsys, tmp_path / kind, text)
        assert run.code == 0 and re.search(r"could not be checked \(1 file, ", run.said)


def test_forces_on_fixed_atoms_are_kept(tmp_path, capsys):
    calculation = vf.titania(1)
    fixed = '<varray name="selective">' + '<v type="logical"> F F F </v>' * 3 + "</varray>"
    text = changed(vf.vasprun(calculation), "</structure>\n(?=<varray)", fixed + "</structure>\n")
    run = convert(capsys, tmp_path, text)
    assert run.code == 0
    close(run.only.forces, calculation.steps[0].forces, 1e-12)


def test_memory_does_not_grow_with_the_steps(tmp_path):
    peaks = []
    for count in (20, 400):
        path = tmp_path / f"OUTCAR.{count}"
        path.write_text(vf.outcar(vf.titania(count)))
        tracemalloc.start()
        assert sum(1 for _ in outcar_steps(path, "free")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


# -- folders ---------------------------------------------------------------------------------------


def test_one_of_both_files_in_a_folder(tmp_path, capsys):
    """Unless OUTCAR is given by name, or vasprun.xml is of another run, or empty."""
    calculation = vf.titania(2)
    for name in ("run", "empty"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "OUTCAR").write_text(vf.outcar(calculation))
    folder = tmp_path / "in" / "run"
    (folder / "vasprun.xml").write_text(vf.vasprun(calculation))
    other = vf.titania(1, seed=1)
    (folder / "OUTCAR.relax1").write_text(vf.outcar(other))
    (folder / "OUTCAR_static").write_text(vf.outcar(other))
    (folder / "vasprun.static.xml.gz").write_bytes(gzip.compress(vf.vasprun(other).encode()))
    (tmp_path / "in" / "empty" / "vasprun.xml").write_text("")
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "in")
    assert run.code == 2 and "the file is empty" in run.said
    assert sorted(run.frames) == [
        "empty_OUTCAR_000001", "empty_OUTCAR_000002", "run_OUTCAR_relax1_000001",
        "run_vasprun_000001", "run_vasprun_000002", "run_vasprun_static_000001",
    ]  # fmt: skip
    assert "the OUTCAR of the same run, beside it, was not read (2 files" in run.said
    run = parser_run(main, capsys, tmp_path / "named", folder / "OUTCAR")
    assert run.code == 0 and list(run.frames) == ["OUTCAR_000001", "OUTCAR_000002"]
    assert "was not read" not in run.said


def test_names_in_folders(tmp_path, capsys):
    text = {"xml": vf.vasprun(vf.titania(1)), "": vf.outcar(vf.titania(1))}
    wanted = ("6362_OUTCAR", "OUTCAR.md.10", "vasprun-00023.xml", "a.vasprun.xml", "OUTCAR.xz")
    for name in (*wanted, "POTCAR", "CONTCAR", "vasprun.txt", "data.xml", "my_OUTCAR_notes.txt"):
        content = text["xml" if ".xml" in name else ""].encode()
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lzma.compress(content) if name.endswith("xz") else content)
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "in")
    assert run.code == 0 and len(run.frames) == len(wanted)


def test_the_kind_of_a_file_is_in_its_content(tmp_path, capsys):
    for k, write in enumerate(WRITERS.values()):
        run = convert(capsys, tmp_path / str(k), write(vf.titania(1)), name="result.dat")
        assert run.code == 0 and list(run.frames) == ["result_dat_000001"]


# -- damaged files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_ends_early_gives_its_whole_steps(tmp_path, capsys, kind):
    """Wherever it is cut, also in the middle of a number."""
    calculation = vf.titania(2)
    text = WRITERS[kind](calculation)
    path = tmp_path / kind
    path.write_text(text)
    whole, reason = frames_and_reason(kind, path)
    assert len(whole) == 2 and not reason
    end = text.index("General timing" if kind == "OUTCAR" else "</modeling>")
    last = [m.start() for m in re.finditer("free  energy|energy  without|</calculation>", text)]
    counts = set()
    cuts = {*range(200, end, 97), *(at + k for at in last for k in range(90))}
    for cut in sorted(cut for cut in cuts if cut < end):
        path.write_text(text[:cut])
        found, reason = frames_and_reason(kind, path)
        assert found == whole[: len(found)], cut
        assert re.search("cut off|not complete, well-formed|not clear|sums to", reason), cut
        counts.add(len(found))
    assert counts == {0, 1, 2}
    run = convert(capsys, tmp_path / "cut", text[: end - 200])
    assert run.code == 2 and len(run.frames) == 1 and "the rest of the file: " in run.said


def frames_and_reason(kind, path):
    """Fingerprints of what can be read, and why nothing more can."""
    prints = []
    try:
        for item in (outcar_steps if kind == "OUTCAR" else vasprun_steps)(path, "free"):
            prints.append(item.frame.fingerprint)
    except FrameError as error:
        return prints, str(error)
    return prints, ""


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_compressed_files(tmp_path, capsys, kind, ending):
    """Whole; and cut off, with what can be read of it."""
    calculation = vf.titania(40)
    plain = WRITERS[kind](calculation)
    packed = (gzip.compress if ending == ".gz" else lzma.compress)(plain.encode())
    for name, data, code in (("whole", packed, 0), ("cut", packed[: len(packed) // 2], 2)):
        path = tmp_path / name / ("OUTCAR" if kind == "OUTCAR" else "vasprun.xml")
        path.parent.mkdir()
        path = path.with_name(path.name + ending)
        path.write_bytes(data)
        run = parser_run(main, capsys, tmp_path / name / "out", path)
        assert run.code == code, run.said
        if code == 0:
            assert len(run.frames) == 40
        elif kind == "OUTCAR" and ending == ".gz":
            assert 5 < len(run.frames) < 40 and "the rest of the file: cannot be read" in run.said


def test_junk_between_the_lines(tmp_path, capsys):
    """Bytes that are no text, and a line of two megabytes with words that mean something."""
    calculation = vf.titania(2)
    long = "free  energy   TOTEN  =  1.0 eV " * 60000
    junk = f"\x00\xff\x1b[0m\x80 free  energy\n{long}\n"
    text = vf.outcar_header(calculation)
    text += vf.outcar_step(calculation, 0) + junk + vf.outcar_step(calculation, 1) + vf.END
    run = convert(capsys, tmp_path, text)
    assert run.code == 0
    close([frame.energy for frame in run.frames.values()], [s.free for s in calculation.steps], 0)


def changed(text: str, old: str, new: str, flags: str = "(?s)") -> str:
    """With the first match of a pattern replaced."""
    made, count = re.subn(flags + old, lambda _: new, text, count=1)
    assert count == 1
    return made


FREE_LINE = r"free  energy   TOTEN  =[^\n]*"
DAMAGES = {
    "vasprun": {
        "empty": (lambda t: "", "the file is empty"),
        "another root": (lambda t: "<html><body/></html>", "root element is html, modeling"),
        "entities": (
            lambda t: changed(t, "<modeling>", '<!DOCTYPE x [<!ENTITY a "b">]>\n<modeling>'),
            "document type declaration",
        ),
        "ampersand": (lambda t: changed(t, ">oxide<", ">a & b<"), "not complete, well-formed XML"),
        "no atoms": (
            lambda t: changed(t, "<atominfo>.*</atominfo>", ""),
            "no atominfo before it",
        ),
        "short atoms": (
            lambda t: changed(t, "<atoms> *3", "<atoms> 4"),
            "atominfo: 3 atoms found, 4 expected",
        ),
        "types": (
            lambda t: changed(t, "<c>   2</c></rc>", "<c>   7</c></rc>"),
            "of types [1, 2, 7]",
        ),
        "no number of a type": (
            lambda t: changed(t, "<c>   2</c></rc>", "<c></c></rc>"),
            "atominfo: rows with too few or wrong entries",
        ),
        "no element": (
            lambda t: t.replace(">Ti<", ">Qq<").replace(" Ti_sv ", " Qq_sv "),
            "label 'Qq' and title",
        ),
        "stars": (
            lambda t: changed(t, r'name="forces">\n<v> *\S+', 'name="forces">\n<v> *****'),
            "forces: '*****' is a number that was too long",
        ),
        "short row": (
            lambda t: changed(t, r'name="forces">\n<v> *\S+', 'name="forces">\n<v>'),
            "forces: ",
        ),
        "lost row": (
            lambda t: changed(t, r'name="forces">\n<v>[^\n]*', 'name="forces">\n'),
            "forces: 2 rows found, 3 expected",
        ),
        "forces twice": (
            lambda t: changed(t, '(?=<varray name="stress">)', '<varray name="forces"/>'),
            "forces: 2 found in calculation, one expected",
        ),
        "no cell": (lambda t: changed(t, "<crystal>.*?</crystal>", ""), "basis: 0 found"),
        "flat cell": (
            lambda t: changed(t, '"basis">.*?</varray>', '"basis"><v>1 0 0</v><v>1 0 0</v>'
                              "<v>0 0 1</v></varray>"),
            "linearly dependent",
        ),
        "no energy": (
            lambda t: re.sub(r"(</varray>\n)<energy>.*</energy>", r"\1", t),
            "energy: 0 found in calculation",
        ),
        "nan": (
            lambda t: re.sub(r'(</varray>\n<energy><i name="e_fr_energy">)[^<]*', r"\1 NaN", t),
            "energy is nan",
        ),
    },
    "OUTCAR": {
        "empty": (lambda t: "", "the file is empty"),
        "binary": (lambda t: "\x7fELF\x00\x01" * 4000, "not an OUTCAR"),
        "text": (lambda t: "Program PWSCF v.7.2\n" * 1000, "not an OUTCAR"),
        "no counts": (lambda t: changed(t, "   ions per type[^\n]*\n", ""), "0 counts in"),
        "words for counts": (
            lambda t: changed(t, "type = *1 *2", "type = 1 a"),
            "numbers expected",
        ),
        "wrong sum": (lambda t: changed(t, "NIONS = *3", "NIONS = 4"), "'ions per type' sums to 3"),
        "no titles": (
            lambda t: re.sub("   TITEL[^\n]*\n| POTCAR[^\n]*\n", "", t),
            "0 titles of potentials",
        ),
        "no element": (
            lambda t: t.replace("VRHFIN =Ti", "VRHFIN =Qq").replace(" Ti_sv ", " Qq_sv "),
            "label 'Qq' and title",
        ),
        "stars": (lambda t: changed(t, r"(?<=Angst\)\n) -+\n *\S+", " ---\n *****"), "'*****"),
        "lost row": (
            lambda t: changed(t, r"TOTAL-FORCE \(eV/Angst\)\n -+\n[^\n]*\n",
                              "TOTAL-FORCE (eV/Angst)\n -----\n"),
            "found in row 3 of 3, six",
        ),
        "one row more": (
            lambda t: changed(t, r"(?= -+\n    total drift)", " 1.0 1.0 1.0 1.0 1.0 1.0\n"),
            "more than 3 rows",
        ),
        "stars in the cell": (
            lambda t: changed(t, r"(?<=lattice vectors\n)  +4\.0[^\n]*", "  *****  0.0  0.0"),
            "three rows of three expected",
        ),
        "no cell": (
            lambda t: changed(t, r"VOLUME and BASIS.*?(?= POSITION)", ""),
            "its positions and lattice vectors are not in this file",
        ),
        "stars in the stress": (
            lambda t: changed(t, r"in kB +\S+", "in kB  *******"),
            "stress in kB: ",
        ),
        "word": (
            lambda t: changed(t, FREE_LINE, "free  energy   TOTEN  =  ***** eV"),
            "'*****' is",
        ),
        "nan": (lambda t: changed(t, FREE_LINE, "free  energy   TOTEN  = NaN eV"), "energy is nan"),
        "no energy": (lambda t: changed(t, FREE_LINE, ""), "no free energy (TOTEN)"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, cases in DAMAGES.items() for case in cases]
)
def test_broken_files_are_named_with_the_reason(tmp_path, capsys, kind, case):
    change, reason = DAMAGES[kind][case]
    path = tmp_path / "broken"
    path.write_bytes(change(WRITERS[kind](vf.titania(1))).encode("latin-1"))
    good = shutil.copy(path, tmp_path / "good")
    (tmp_path / "good").write_text(WRITERS[kind](vf.titania(1, seed=1)))
    run = parser_run(main, capsys, tmp_path / "out", path, good)
    assert run.code == 2 and list(run.frames) == ["good_000001"], run.said
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


def test_one_bad_step_among_good_ones(tmp_path, capsys):
    for kind, write in WRITERS.items():
        calculation = vf.titania(3)
        calculation.steps[1].forces[1, 2] = np.nan
        run = convert(capsys, tmp_path / kind, write(calculation))
        assert run.code == 2 and [int(key[-6:]) for key in run.frames] == [1, 3]
        assert "step 2" in run.said or "frame 2" in run.said
