"""panna_qe_output_parser on real outputs of pw.x 6.0 to 7.5, and on written and damaged ones."""

import gzip
import json
import lzma
import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from parser_runs import parser_run

from panna.errors import FrameError
from panna.formats.qe_output import steps
from panna.frames.units import BOHR, RYDBERG
from panna.tools.qe_output_parser import main
from panna.tools.qe_parser import main as xml_main

ASE_RYDBERG = 13.60569193  # eV, of CODATA 2006, which ASE multiplies the text with
ASE_BOHR = 0.52917720859  # angstrom

# Files, or steps of files, that are left out, with the reason. "REMOVED" are files from which
# their publishers have cut the atomic positions.
REFUSED_STEPS = {
    "aiida/default_xml_220603/aiida.out": {1: "no atomic positions after the cell"},  # REMOVED
    "aiida/default_xml_240411/aiida.out": {1: "no atomic positions after the cell"},  # REMOVED
    "aiida/default_xml_241015/aiida.out": {1: "no atomic positions after the cell"},  # REMOVED
    "aiida/default_xml_250521/aiida.out": {1: "no atomic positions after the cell"},  # REMOVED
    "aiida/vcrelax_success_atoms_shape/aiida.out": {1: "no cell and atomic"},  # REMOVED
    "aiida/failed_scf_not_converged/aiida.out": {1: "was not reached after 2 iterations"},
}
REFUSED_FILES = {
    "aiida/failed_interrupted_relax/aiida.out": "no 'JOB DONE' up to line 69",
    "aiida/failed_out_of_walltime/aiida.out": "Maximum CPU time exceeded",
    "aiida/initialization_xml_new/aiida.out": "Program stopped by user request",
    "aiida/vcrelax_failed_charge_wrong/aiida.out": "the file is empty",
    "aiida/vcrelax_failed_fft_significant_volume_contraction/aiida.out": "the file is empty",
}

# Why ASE 3.29 has nothing to compare with.
ASE_FAILS = {
    "KeyError": "cut positions, or the energy is missing",
    "IndexError": "no energy in it",
    "AssertionError": "cut list of k-points",
    "TypeError": "takes the remark 'ATOMIC_POSITIONS: units set to alat' for positions",
    "RuntimeError": "the same, with one atom",
}


def stem(name):
    return re.sub(r"[^\w-]", "_", re.sub(r"\.(xz|gz)$", "", name).removesuffix(".out"))


def of_file(run, name):
    """(number or 1, frame) of the frames that came from a file."""
    pattern = re.compile(rf"{re.escape(stem(name))}(?:_(\d{{6}}))?")
    found = ((pattern.fullmatch(key), frame) for key, frame in run.frames.items())
    return {int(match[1] or 1): frame for match, frame in found if match}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The run over all shared files; a second call gives the same."""
    runs = {}

    def run(shared_data, capsys):
        if not runs:
            folder = shared_data / "qe"
            runs["text"] = parser_run(main, capsys, tmp_path_factory.mktemp("text"), folder)
            runs["xml"] = parser_run(
                xml_main, capsys, tmp_path_factory.mktemp("xml"), folder, "--keep-fixed"
            )
        return runs

    return run


# -- real files ------------------------------------------------------------------------------------


def test_all_shared_files(everything, shared_data, tmp_path, capsys):
    """Each of 43 files gives the energies of its "!" lines, and what ASE reads; or the reason."""
    folder = shared_data / "qe"
    expected = json.loads((folder / "expected_text_ase.json").read_text())
    run = everything(shared_data, capsys)["text"]
    assert run.code == 2 and len(expected) == 43
    seen = 0
    for name, reference in expected.items():
        frames = of_file(run, name)
        seen += len(frames)
        if name in REFUSED_FILES:
            said = run.said
            if not (folder / name).stat().st_size:
                said = parser_run(main, capsys, tmp_path / stem(name), folder / name).said
            line = re.search(rf"left out: {re.escape(str(folder / name))}: (.*)", said)
            assert not frames and REFUSED_FILES[name] in line[1]
            continue
        energies = reference["energies_Ry_lines_with_exclamation_mark"]
        refused = REFUSED_STEPS.get(name, {})
        for number, reason in refused.items():
            place = rf"left out: {re.escape(str(folder / name))}, step {number} \(line \d+\): "
            assert re.search(place + f".*{re.escape(reason)}", run.said), name
        steps_expected = set(range(1, max(len(energies), 1) + 1)) - set(refused)
        assert set(frames) == steps_expected, name
        for number, frame in frames.items():
            assert abs(frame.energy / RYDBERG / energies[number - 1] - 1) < 1e-12
        check_against_ase(name, frames, reference)
    assert seen == len(run.frames)


def check_against_ase(name, frames, reference):
    failure = reference.get("ase_reader")
    if failure:
        assert failure.removeprefix("fails: ") in ASE_FAILS
        return
    assert len(frames) == reference["frames"], name
    for number, frame in frames.items():
        # The reference has six digits behind the point.
        energy = frame.energy * ASE_RYDBERG / RYDBERG
        assert abs(energy - reference["energies_eV"][number - 1]) < 6e-7 + 1e-9 * abs(energy)
        largest = reference["forces_max_abs_eV_A"][number - 1]
        assert (largest is None) == (frame.forces is None), name
        if largest is not None:
            found = np.abs(frame.forces).max() * (ASE_RYDBERG / ASE_BOHR) / (RYDBERG / BOHR)
            assert abs(found - largest) < 1e-6
        trace = reference["stress_trace_over3_eV_A3"][number - 1]
        if trace is not None:
            # ASE reads the columns in kbar, with two digits.
            assert abs(-np.trace(frame.virial) / 3 / frame.volume - trace) < 0.006 / 1602


def test_text_and_xml_of_the_same_run_agree(everything, shared_data, capsys):
    """In every digit of the text; so positions, energy, forces and stress belong together."""
    runs = everything(shared_data, capsys)
    compared = forces = stresses = 0
    for key, frame in runs["text"].frames.items():
        twin = runs["xml"].frames.get(xml_key(key))
        if twin is None:
            continue
        compared += 1
        assert frame.species == twin.species
        # Last digits: 1e-8 Ry, 1e-6 alat in the first cell, 1e-7 alat in the first positions.
        alat = 5.8
        assert abs(frame.energy - twin.energy) < 0.51e-8 * RYDBERG
        assert np.abs(frame.cell - twin.cell).max() < 0.6e-6 * alat
        assert np.abs(frame.positions - twin.positions).max() < 0.8e-7 * alat
        if frame.forces is not None and "fixed_coords" not in key:
            forces += 1
            assert np.abs(frame.forces - twin.forces).max() < 0.51e-8 * RYDBERG / BOHR
        if frame.virial is not None and twin.virial is not None:
            stresses += 1
            difference = np.abs(frame.virial - twin.virial).max() / frame.volume
            assert difference < 0.52e-8 * RYDBERG / BOHR**3
    assert (compared, forces, stresses) == (73, 53, 11)


def xml_key(key):
    """aiida_CASE_aiida_000001 of the text is aiida_CASE_data-file..._000001 of the XML."""
    key = key.replace("si8_md_qe67_pw", "si8_md_qe67_si8_md")
    name = "data-file" if "fixed_coords" in key else "data-file-schema"
    return re.sub(r"_aiida(_\d+)?$", rf"_{name}\1", key)


def test_the_text_has_the_forces_on_fixed_coordinates(everything, shared_data, capsys):
    """The XML has 0 there. Forces on free coordinates are the same; the sum of all is 0."""
    runs = everything(shared_data, capsys)
    keys = [key for key in runs["text"].frames if "fixed_coords" in key]
    for key in keys:
        text, xml = runs["text"].frames[key].forces, runs["xml"].frames[xml_key(key)].forces
        free = np.array([[False] * 3, [False, False, True]])
        assert np.abs(text - xml)[free].max() < 0.51e-8 * RYDBERG / BOHR
        assert np.abs(xml[~free]).max() == 0.0
        assert np.abs(text[~free]).max() > 0.5 and np.abs(text.sum(axis=0)).max() < 1e-6
    assert len(keys) == 3


@pytest.mark.parametrize("name", ["si.md2", "si.md8"])
def test_energies_of_md_fall_by_the_work_of_the_forces(everything, shared_data, capsys, name):
    """-dE = F . dx; with the positions of the next step the work is of another step."""
    run = everything(shared_data, capsys)["text"]
    frames = [frame for _, frame in sorted(of_file(run, f"qe_text/{name}.out").items())]
    assert len(frames) == 100

    def work(shift):
        positions = [frame.positions for frame in frames[shift:]]
        mean = [(a.forces + b.forces) / 2 for a, b in zip(frames, frames[1:], strict=False)]
        pairs = zip(mean, positions, positions[1:], strict=False)
        return np.array([(force * (after - before)).sum() for force, before, after in pairs])

    fall = -np.diff([frame.energy for frame in frames])
    right, wrong = work(0) - fall, work(1) - fall[:-1]
    # The energies have 1e-8 Ry and are converged to 1e-8 Ry and worse.
    assert np.abs(right).max() < 5e-6 and np.abs(right).max() < 0.01 * np.abs(wrong).max()


def test_energies_of_a_moving_cell_fall_by_the_work_of_the_stress(everything, shared_data, capsys):
    """-dE = F . dx + virial : strain in a damped run with moving cell; so the sign is right."""
    run = everything(shared_data, capsys)["text"]
    frames = [frame for _, frame in sorted(of_file(run, "qe_text/As.vcs00.out").items())]
    seen = 0
    for a, b in zip(frames, frames[1:], strict=False):
        strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
        moved = b.positions - a.positions @ (np.eye(3) + strain)
        of_cell = ((a.virial + b.virial) / 2 * strain).sum()
        of_atoms = ((a.forces + b.forces) / 2 * moved).sum()
        if abs(of_cell) > 0.02:
            seen += 1
            assert abs(a.energy - b.energy - of_cell - of_atoms) < 0.2 * abs(of_cell)
    assert seen >= 3


def test_facts_of_real_files(everything, shared_data, capsys):
    contents = everything(shared_data, capsys)["text"].contents
    kinds = {
        "aiida_default_aiida": ("PWSCF 6.6", "scf"),
        "aiida_relax_success_aiida_000001": ("PWSCF 6.6", "relax"),
        "aiida_vcrelax_success_aiida_000003": ("PWSCF 6.6", "vc-relax"),
        "qe_text_si_md8_000001": ("PWSCF 6.0", "md"),
        "qe_text_As_vcs00_000001": ("PWSCF 6.0", "vc-relax"),
        "qe_text_co_rx_000001": ("PWSCF 6.0", "relax"),
        "si8_md_qe67_pw_000030": ("PWSCF 6.7MaX", "md"),
    }
    for key, (program, calculation) in kinds.items():
        content = contents[key]
        assert (content["program"], content["calculation"]) == (program, calculation)
        assert "magnetism" not in content
    magnetism = contents["aiida_tot_magnetization_aiida"]["magnetism"]
    assert magnetism["kind"] == "collinear"
    assert magnetism["total_bohr_magneton"] == magnetism["absolute_bohr_magneton"] == [1.0]


def test_remarks_on_fields_and_charges(everything, shared_data, capsys):
    said = everything(shared_data, capsys)["text"].said
    assert "energies and forces are those in an electric field (1 file," in said
    assert "the number of electrons varies" in said and "(2 files, first:" in said


def test_the_golden_molecular_crystal(golden, tmp_path, capsys):
    """As the tool of PANNA v1, which wrote bohr and Ry.

    The second file is a piece from the middle of a run. PANNA v1 gave its energy to the positions
    before and to its own; only the latter is right.
    """
    folder = golden / "parsers" / "qe_out"
    reference = json.loads((golden / "parsers" / "expected" / "summary.json").read_text())["qe_out"]
    run = parser_run(main, capsys, tmp_path / "scf", folder)
    # Its end is missing, too, but the calculation is whole.
    assert run.code == 2 and list(run.frames) == ["full_scf_qe6"]
    check_golden(run.only, reference[2])
    run = parser_run(main, capsys, tmp_path / "bfgs", folder / "full_bfgs_qe6.txt")
    assert run.code == 2 and "no 'JOB DONE'" in run.said
    check_golden(run.only, reference[1])


def check_golden(frame, expected):
    assert frame.n_atoms == expected["n_atoms"] == 20
    assert abs(frame.energy / RYDBERG - expected["energy"][0]) < 1e-12 * abs(expected["energy"][0])
    np.testing.assert_allclose(frame.cell / BOHR, expected["lattice_vectors"], atol=1e-12)
    for atom, index in (("first_atom", 0), ("last_atom", -1)):
        _, symbol, position, force = expected[atom]
        assert frame.species[index] == symbol
        # PANNA v1 took the positions in the cell, which agree with the others in 1e-6 bohr.
        np.testing.assert_allclose(frame.positions[index] / BOHR, position, atol=3e-6)
        np.testing.assert_allclose(frame.forces[index] * BOHR / RYDBERG, force, atol=1e-15)
    stress = np.array(expected["stress"]) * RYDBERG / BOHR**3
    np.testing.assert_allclose(frame.virial / frame.volume, stress, rtol=1e-12)


# -- written files ---------------------------------------------------------------------------------

ALAT = 10.26
FCC = np.array([[-0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [-0.5, 0.5, 0.0]])
START = np.array([[0.0, 0.0, 0.0], [0.25, 0.25, 0.26]])
MOVED = np.array([[0.0, 0.0, 0.001], [0.25, 0.25, 0.259]])


def header(cell=FCC, positions=START, extra="", alat=ALAT):
    volume = abs(np.linalg.det(cell)) * alat**3
    axes = "".join(f"               a({k}) = ({row(a, 11, 6)} )\n" for k, a in enumerate(cell, 1))
    sites = "".join(
        f"         {k}           Si  tau({k:4d}) = ({row(p, 12, 7)}  )\n"
        for k, p in enumerate(positions, 1)
    )
    return f"""
     bravais-lattice index     =            0
     lattice parameter (alat)  = {alat:13.4f}  a.u.
     unit-cell volume          = {volume:13.4f} (a.u.)^3
     number of atoms/cell      =            2
{extra}
     celldm(1)= {alat:10.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
{axes}
     site n.     atom                  positions (alat units)
{sites}
     Self-consistent Calculation
"""


def row(values, width, digits):
    return "".join(f"{value:{width}.{digits}f}" for value in values)


def energy(value, mark="! ", converged=True):
    ending = "     convergence has been achieved in   5 iterations\n" if converged else ""
    return f"\n{mark}   total energy              = {value:16.8f} Ry\n\n{ending}"


def forces(values):
    lines = "".join(
        f"     atom {k:4d} type  1   force = {row(f, 14, 8)}\n" for k, f in enumerate(values, 1)
    )
    return f"""
     Forces acting on atoms (cartesian axes, Ry/au):

{lines}     The non-local contrib.  to forces
{lines}
     Total force =     0.012345     Total SCF correction =     0.000001
"""


def stress(pressure):
    tensor = np.diag([pressure, 2 * pressure, 3 * pressure])
    lines = "".join(f"{row(a, 13, 8)}  {row(a * 147105, 12, 2)}\n" for a in tensor)
    title = "          total   stress  (Ry/bohr**3)                   (kbar)     P=       -6.17"
    return f"\n{title}\n{lines}\n"


def scf(value, pressure=1e-5):
    pull = np.array([[0.01, 0.02, value % 1], [-0.01, -0.02, -(value % 1)]])
    return energy(value) + forces(pull) + stress(pressure)


def positions(values, unit="alat", flags=""):
    lines = "".join(f"Si      {row(p, 16, 10)}{flags}\n" for p in values)
    return f"\n\nATOMIC_POSITIONS ({unit})\n{lines}\n\n"


def new_cell(values, unit=f"alat= {ALAT:.8f}", volume=None):
    volume = abs(np.linalg.det(values)) * ALAT**3 if volume is None else volume
    lines = "".join(f"{row(a, 14, 9)}\n" for a in values)
    return f"     new unit-cell volume = {volume:12.5f} a.u.^3\n\nCELL_PARAMETERS ({unit})\n{lines}"


START_LINE = "\n     Program PWSCF v.7.2 starts on  1Jan2024 at 10: 0: 0\n"
BFGS = "\n     BFGS Geometry Optimization\n"
MD = "\n     Molecular Dynamics Calculation\n     Entering Dynamics:    iteration =     1\n"
FINAL = "\nBegin final coordinates\n"
DONE = "\n=---=\n   JOB DONE.\n=---=\n"

SCF = START_LINE + header() + scf(-15.8) + DONE
RELAX = (
    START_LINE + header() + scf(-15.8) + BFGS + positions(MOVED) + scf(-15.9)
    + positions(2 * MOVED) + scf(-15.95) + BFGS + FINAL + positions(2 * MOVED)
    + "End final coordinates\n" + DONE
)  # fmt: skip


@pytest.fixture
def convert(tmp_path, capsys):
    """Parse a text; returns the run. Names of frames: run, run_000001, ..."""
    count = iter(range(100))

    def run(text, *arguments, name="run.out"):
        folder = tmp_path / f"in{next(count)}"
        folder.mkdir()
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return parser_run(main, capsys, folder / "out", path, *arguments)

    return run


def test_one_calculation_has_no_number(convert):
    run = convert(SCF)
    assert run.code == 0 and list(run.frames) == ["run"]
    content = run.contents["run"]
    assert content["program"] == "PWSCF 7.2" and content["calculation"] == "scf"
    assert content["source"] == "run.out" and len(content["source_sha256"]) == 64
    assert content["parser"].startswith("panna_qe_output_parser ")
    assert SCF.splitlines()[content["source_line"] - 1].startswith("!")


def test_units_and_signs(convert):
    frame = convert(SCF).only
    assert abs(frame.energy + 15.8 * RYDBERG) < 1e-12
    np.testing.assert_allclose(frame.cell, FCC * ALAT * BOHR, rtol=1e-12)
    np.testing.assert_allclose(frame.positions, START * ALAT * BOHR, rtol=1e-12)
    assert abs(frame.forces[0, 1] - 0.02 * RYDBERG / BOHR) < 1e-12
    expected = np.diag([1e-5, 2e-5, 3e-5]) * RYDBERG / BOHR**3 * frame.volume
    np.testing.assert_allclose(frame.virial, expected, rtol=1e-12)


def test_positions_behind_the_forces_are_those_of_the_next_step(convert):
    run = convert(RELAX)
    assert run.code == 0 and list(run.frames) == [f"run_{k:06d}" for k in (1, 2, 3)]
    for frame, factor in zip(run.frames.values(), (START, MOVED, 2 * MOVED), strict=True):
        np.testing.assert_allclose(frame.positions, factor * ALAT * BOHR, atol=1e-9)
    assert {content["calculation"] for content in run.contents.values()} == {"relax"}


def test_md_never_takes_the_positions_ahead(convert):
    text = START_LINE + header() + scf(-15.8) + MD + positions(MOVED) + scf(-15.9)
    run = convert(text + positions(2 * MOVED) + DONE)
    assert run.code == 0 and len(run.frames) == 2
    last = run.frames["run_000002"]
    np.testing.assert_allclose(last.positions, MOVED * ALAT * BOHR, atol=1e-9)
    assert run.contents["run_000001"]["calculation"] == "md"


UNITS = {
    "alat": (f"alat= {ALAT:.8f}", 1.0, "alat", 1.0),
    "bohr": ("bohr", ALAT, "bohr", ALAT),
    "angstrom": ("angstrom", ALAT * BOHR, "angstrom", ALAT * BOHR),
    "crystal": (f"alat= {ALAT:.8f}", 1.0, "crystal", None),
}


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_of_cell_and_positions(convert, unit):
    cell_unit, cell_factor, position_unit, factor = UNITS[unit]
    cell = 1.02 * FCC
    places = MOVED @ np.linalg.inv(cell) if factor is None else MOVED * factor
    moved = new_cell(cell * cell_factor, cell_unit, abs(np.linalg.det(cell)) * ALAT**3)
    text = START_LINE + header() + scf(-15.8) + BFGS + moved + positions(places, position_unit)
    run = convert(text + scf(-15.9) + DONE)
    frame = run.frames["run_000002"]
    np.testing.assert_allclose(frame.cell, cell * ALAT * BOHR, atol=6e-9)
    np.testing.assert_allclose(frame.positions, MOVED * ALAT * BOHR, atol=6e-9)
    assert run.contents["run_000001"]["calculation"] == "vc-relax"


def test_the_final_scf_of_vcrelax_keeps_the_digits_of_the_final_coordinates(convert):
    """The header that follows them has fewer."""
    cell, places = FCC * 1.0123456789, MOVED + 0.012345678
    text = START_LINE + header() + scf(-15.8) + BFGS + FINAL + new_cell(cell) + positions(places)
    text += "End final coordinates\n" + header(cell, places) + scf(-15.85) + DONE
    run = convert(text)
    assert list(run.frames) == ["run_000001", "run_000002"]
    frame = run.frames["run_000002"]
    np.testing.assert_allclose(frame.cell, cell * ALAT * BOHR, atol=6e-9)
    np.testing.assert_allclose(frame.positions, places * ALAT * BOHR, atol=6e-9)


def test_a_header_with_another_geometry_is_believed(convert):
    text = START_LINE + header() + scf(-15.8) + BFGS + FINAL + new_cell(FCC) + positions(START)
    text += "End final coordinates\n" + header(1.1 * FCC, MOVED) + scf(-15.85) + DONE
    frame = convert(text).frames["run_000002"]
    np.testing.assert_allclose(frame.cell, 1.1 * FCC * ALAT * BOHR, atol=1e-6)
    np.testing.assert_allclose(frame.positions, MOVED * ALAT * BOHR, atol=1e-6)


def test_alat_is_taken_from_celldm(convert):
    frame = convert(START_LINE + header(alat=10.263456) + scf(-15.8) + DONE).only
    np.testing.assert_allclose(frame.cell, FCC * 10.263456 * BOHR, rtol=1e-12)


EXX = "     EXX-fraction              =        0.25\n"
GO_ON = "\n     EXX: now go back to refine exchange calculation\n"
REACHED = "\n     EXX self-consistency reached\n"


def test_exact_exchange_takes_the_energy_of_the_outer_cycle(convert):
    cycles = energy(-15.1) + GO_ON + energy(-15.2) + energy(-15.25, "  ", False) + GO_ON
    cycles += energy(-15.3) + energy(-15.35, "!!", False) + REACHED
    rest = forces(START) + stress(1e-5)
    for head in (header(extra=EXX), header()):
        run = convert(START_LINE + head + cycles + rest + DONE)
        assert run.code == 0 and abs(run.only.energy + 15.35 * RYDBERG) < 1e-12
        assert run.only.forces is not None
    second = energy(-15.4) + energy(-15.45, "!!", False) + REACHED + rest
    text = START_LINE + header() + cycles + rest + BFGS + positions(MOVED) + second + DONE
    run = convert(text)
    found = [frame.energy / RYDBERG for frame in run.frames.values()]
    np.testing.assert_allclose(found, [-15.35, -15.45], rtol=1e-12)


def test_exact_exchange_that_was_not_reached_is_left_out(convert):
    """pw.x goes on to the forces when the outer cycles are used up."""
    cycles = energy(-15.1) + GO_ON + energy(-15.2) + energy(-15.25, "  ", False) + GO_ON
    stopped = "     Calculation (EXX) stopped after iteration #      2\n"
    run = convert(START_LINE + header() + cycles + stopped + forces(START) + DONE)
    assert run.code == 2 and not run.frames
    assert "self-consistency of the exact exchange was not reached" in run.said


def test_all_electron_energies_are_another_thing(convert):
    others = "     total all-electron energy = -1942.1 Ry\n     Harris-Foulkes estimate = -1.7 Ry\n"
    text = SCF.replace("     convergence has", others + "     convergence has")
    assert abs(convert(text).only.energy + 15.8 * RYDBERG) < 1e-12


def test_energies_of_cycles_that_are_not_converged(convert):
    """With iprint, pw.x 6 marks them with "!", too."""
    text = START_LINE + header() + energy(-15.5, converged=False) + scf(-15.8) + DONE
    assert abs(convert(text).only.energy + 15.8 * RYDBERG) < 1e-12
    run = convert(START_LINE + header() + energy(-15.5, converged=False) + forces(START) + DONE)
    assert run.code == 2 and "self-consistency was not reached" in run.said and not run.frames


NOT = (
    "\n     End of self-consistent calculation\n     convergence NOT achieved after 100 iterations"
)


def test_steps_that_did_not_converge_are_left_out(convert):
    """In the middle of a relaxation that goes on (scf_must_converge = .false.)."""
    text = START_LINE + header() + scf(-15.8) + BFGS + positions(MOVED)
    for failed in (NOT, energy(-15.85, converged=False) + NOT):
        failed += ": stopping\n" + forces(START) + stress(1e-5) + positions(2 * MOVED)
        run = convert(text + failed + scf(-15.9) + DONE)
        assert run.code == 2 and list(run.frames) == ["run_000001", "run_000003"]
        assert "step 2 (line" in run.said
        assert "self-consistency was not reached after 100 iterations" in run.said
        np.testing.assert_allclose(
            run.frames["run_000003"].positions, 2 * MOVED * ALAT * BOHR, atol=1e-9
        )


CRASH = """
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine c_bands (1):
     too many bands are not converged
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
"""
ENDINGS = {
    "crash": (CRASH, "pw.x stopped with 'Error in routine c_bands (1): too many bands are not"),
    "time": ("\n     Maximum CPU time exceeded\n" + DONE, "stopped early: Maximum CPU time"),
    "user": ("\n     Program stopped by user request\n" + DONE, "stopped early: Program stopped"),
    "killed": ("\n     iteration #  1     ecut=    18.00 Ry\n", "no 'JOB DONE' up to line"),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_good_steps_before_an_early_end_are_kept(convert, case):
    ending, reason = ENDINGS[case]
    run = convert(START_LINE + header() + scf(-15.8) + BFGS + positions(MOVED) + ending)
    assert run.code == 2 and list(run.frames) == ["run_000001"]
    assert "left out" in run.said and reason in run.said


@pytest.mark.parametrize("case", ENDINGS)
def test_an_early_end_without_steps(convert, case):
    ending, reason = ENDINGS[case]
    run = convert(START_LINE + header() + ending)
    assert run.code == 2 and not run.frames and reason in run.said


def test_a_file_that_ends_anywhere_gives_nothing_wrong(tmp_path):
    """Every step of every beginning of a file is one of the whole file, complete."""
    path = tmp_path / "run.out"
    path.write_text(RELAX)
    whole = [step for step in steps(path) if not step.flaw]
    assert len(whole) == 3
    lines = RELAX.splitlines(keepends=True)
    most = 0
    for count in range(len(lines)):
        path.write_text("".join(lines[:count]) + lines[count][:9])
        found = good_steps(path)
        most = max(most, len(found))
        for step, expected in zip(found, whole, strict=False):
            for name in ("positions", "cell", "forces", "stress", "energy"):
                assert np.array_equal(getattr(step, name), getattr(expected, name)), count
    assert most == 3


def good_steps(path):
    found = []
    try:
        for step in steps(path):
            found += [] if step.flaw else [step]
    except FrameError as error:
        assert "JOB DONE" in str(error) or "not a text output of pw.x" in str(error)
    return found


def test_two_runs_in_one_file(convert):
    """A restarted run is often written behind the first; each has its own header."""
    first = START_LINE + header() + scf(-15.8) + BFGS + positions(MOVED) + CRASH
    run = convert(first + START_LINE.replace("7.2", "6.8") + header(1.1 * FCC) + scf(-15.7) + DONE)
    assert run.code == 2 and list(run.frames) == ["run_000001", "run_000002"]
    assert "the rest of the file: line" in run.said and "Error in routine c_bands" in run.said
    assert run.contents["run_000002"]["program"] == "PWSCF 6.8"
    second = run.frames["run_000002"]
    np.testing.assert_allclose(second.cell, 1.1 * FCC * ALAT * BOHR, atol=1e-6)
    np.testing.assert_allclose(second.positions, START * ALAT * BOHR, atol=1e-6)


def test_another_program_behind_pw(convert):
    """As in pw.x > out; ph.x >> out: it repeats the header, and nothing of it is taken."""
    phonon = START_LINE.replace("PWSCF", "PHONON") + header(positions=MOVED) + NOT + CRASH
    run = convert(SCF + phonon)
    assert run.code == 0 and run.only.fingerprint == convert(SCF).only.fingerprint


def test_line_ends_of_another_system(convert):
    run = convert(RELAX.replace("\n", "\r\n"))
    assert run.code == 0 and len(run.frames) == 3


def test_moments_of_magnetic_runs(convert):
    lines = "     total magnetization       =    {} Bohr mag/cell\n"
    lines += "     absolute magnetization    =     2.17 Bohr mag/cell\n\n     convergence has"
    text = SCF.replace("     convergence has", lines.format("-2.00"))
    assert convert(text).contents["run"]["magnetism"] == {
        "kind": "collinear", "total_bohr_magneton": [-2.0], "absolute_bohr_magneton": [2.17],
    }  # fmt: skip
    text = SCF.replace("     convergence has", lines.format("0.00    0.00    -2.00"))
    magnetism = convert(text).contents["run"]["magnetism"]
    assert magnetism["kind"] == "non-collinear"
    assert magnetism["total_bohr_magneton"] == [0.0, 0.0, -2.0]


def test_flags_behind_positions(convert):
    """0 for coordinates that do not move; the forces of the text are whole."""
    flagged = positions(MOVED, flags="    0   0   1")
    run = convert(START_LINE + header() + scf(-15.8) + BFGS + flagged + scf(-15.9) + DONE)
    assert run.code == 0 and len(run.frames) == 2
    assert all(np.abs(frame.forces[:, :2]).min() > 0.1 for frame in run.frames.values())


def test_columns_without_a_blank_between_them(convert):
    far = positions(MOVED).replace("    0.2500000000    0.2500000000", "  -10.123456789-100.250000")
    frame = convert(START_LINE + header() + scf(-15.8) + far + scf(-15.9) + DONE).frames[
        "run_000002"
    ]
    expected = np.array([-10.123456789, -100.25, 0.259]) * ALAT * BOHR
    np.testing.assert_allclose(frame.positions[1], expected, rtol=1e-12)


def test_labels_of_atoms(convert):
    text = SCF.replace("Si  tau(   1)", "Fe1 tau(   1)").replace("Si  tau(   2)", "C_h tau(****)")
    assert convert(text).only.species == ("Fe", "C")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_files(convert, ending, pack):
    plain, packed = convert(SCF).only, convert(pack(SCF.encode()), name=f"run.pwo{ending}")
    assert list(packed.frames) == ["run"]
    assert packed.only.fingerprint == plain.fingerprint


def test_a_compressed_file_that_ends_early(convert):
    rng = np.random.default_rng(1)
    noise = "".join(f"{x:.15f}\n" for x in rng.random(20000))
    text = START_LINE + header() + scf(-15.8) + BFGS + positions(MOVED) + noise + scf(-15.9) + DONE
    packed = gzip.compress(text.encode())
    run = convert(packed[: len(packed) // 2], name="run.out.gz")
    assert run.code == 2 and list(run.frames) == ["run_000001"]
    assert "the rest of the file: cannot be read after line" in run.said


def test_which_files_of_a_folder(tmp_path, capsys):
    """Those with the right name that begin as pw.x does; the others in silence."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.out", "deep/b.log", "c.txt", "d.PWO", "e.dat", "f.xml", "noend"):
        (folder / name).write_text(SCF)
    (folder / "g.out.gz").write_bytes(gzip.compress(SCF.encode()))
    (folder / "phonon.out").write_text(SCF.replace("PWSCF", "PHONON"))
    (folder / "late.out").write_text("\n" * 200 + SCF)
    (folder / "in_time.out").write_text("mpirun says hello\n" * 100 + SCF)
    (folder / "empty.out").write_text("")
    (folder / "binary.log").write_bytes(b"\x00\xff" * (1 << 20))
    run = parser_run(main, capsys, tmp_path / "out", folder)
    assert run.code == 0
    assert list(run.frames) == ["a", "c", "d", "deep_b", "g", "in_time"]
    (folder / "broken.out.xz").write_bytes(b"no xz at all")
    run = parser_run(main, capsys, tmp_path / "other", folder)
    assert run.code == 2 and "broken.out.xz: cannot be read" in run.said


def test_only_some_frames(convert):
    assert list(convert(RELAX, "--every", "2").frames) == ["run_000001", "run_000003"]
    run = convert(RELAX + CRASH, "--limit", "1")
    assert run.code == 0 and list(run.frames) == ["run_000001"]


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


NO_STRESS = re.sub(r"(?s)\n {10}total   stress.*?\n\n", "\n", SCF)
BROKEN = {
    "empty": (lambda: "", "the file is empty"),
    "binary": (lambda: "\x00\x7fELF\n" * 50, "no line 'Program PWSCF v.'"),
    "no lines": (lambda: "x" * (1 << 20) + SCF, "line 1 is longer than 1048576 characters"),
    "another program": (lambda: changed(SCF, "PWSCF", "PHONON"), "output of PHONON 7.2, not"),
    "only the header": (lambda: START_LINE + header() + DONE, "without a self-consistent"),
    "bands": (
        lambda: START_LINE + header() + "\n     End of band structure calculation\n" + DONE,
        "a calculation of bands",
    ),
    "no JOB DONE, no stress": (
        lambda: changed(NO_STRESS, "JOB DONE", ""),
        "step 1 (line 22): it is not complete",
    ),
    "stars for the energy": (
        lambda: re.sub(r"(! .*=)[^R]*", r"\1 ****************  ", SCF),
        "line 22: '****************' is a number that was too long for its column",
    ),
    "stars in the forces": (
        lambda: changed(SCF, "atom    2 type  1   force =    -0.01000000",
                        "atom    2 type  1   force = **************"),
        "line 29: '**************' is a number that was too long",
    ),
    "stars in the stress": (
        lambda: changed(SCF, "   0.00002000", "************ "),
        "line 38: '0.00000000************' is a number that was too long",
    ),
    "stars in the cell": (
        lambda: changed(SCF, "a(2) = (   0.000000", "a(2) = (***********"),
        "line 13: '***********' is a number that was too long",
    ),
    "stars in the positions": (
        lambda: changed(SCF, "tau(   2) = (   0.2500000", "tau(   2) = (************"),
        "line 18: '************' is a number that was too long",
    ),
    "nan energy": (lambda: changed(SCF, "-15.80000000", "         NaN"), "'NaN' found, a number"),
    "infinite force": (lambda: changed(SCF, " 0.02000000", " Infinity  "), "'Infinity' found"),
    "two atoms announced as three": (
        lambda: changed(SCF, "atoms/cell      =            2", "atoms/cell      =            3"),
        "2 positions found, 3 expected",
    ),
    "a force missing": (
        lambda: re.sub(r"     atom    2 type.*\n", "", SCF),
        "1 forces found, 2 expected",
    ),
    "a force in the wrong place": (
        lambda: changed(SCF, "atom    2 type", "atom    3 type"),
        "line 29: force on atom 3 found, 2 expected",
    ),
    "no such element": (lambda: changed(SCF, "Si  tau(   2)", "Xq  tau(   2)"), "'Xq' names no"),
    "no positions": (lambda: re.sub(r".*tau\(.*\n", "", SCF), "0 positions found, 2 expected"),
    "no lattice parameter": (
        lambda: re.sub(r".*(alat\) |celldm).*\n", "", SCF),
        "in units of alat, which is not known",
    ),
    "another lattice parameter": (
        lambda: changed(changed(SCF, "10.2600  a.u.", "10.3600  a.u."), "10.260000", "10.360000"),
        "the cell has a volume of",
    ),
    "a row of the cell missing": (
        lambda: re.sub(r".*a\(3\).*\n", "", SCF),
        "'' found, a(1) = ( x y z ) expected",
    ),
    "flat cell": (
        lambda: START_LINE + header(np.ones((3, 3))) + scf(-15.8) + DONE,
        "linearly dependent",
    ),
    "atoms on each other": (
        lambda: START_LINE + header(positions=0 * START) + scf(-15.8) + DONE,
        "coincide",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_with_the_reason(tmp_path, capsys, case):
    change, reason = BROKEN[case]
    path, good = tmp_path / "broken.out", tmp_path / "good.out"
    path.write_text(change())
    good.write_text(SCF)
    run = parser_run(main, capsys, tmp_path / "out", path, good)
    assert run.code == 2 and list(run.frames) == ["good"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


BROKEN_STEPS = {
    "stars in the positions": (r"(Si +)0\.0000000000", r"\1**************", "too long for its"),
    "unknown unit": (r"ATOMIC_POSITIONS \(alat\)", "ATOMIC_POSITIONS (furlong)", "unit 'furlong'"),
    "a row missing": (r"\nSi.*0\.2590000000", "", "1 positions found, 2 expected"),
    "a row too much": (r"(\nSi.*0\.2590000000)", r"\1\1", "3 positions found, 2 expected"),
    "a column missing": (r"(\nSi.*)0\.2590000000", r"\1", "2 numbers found, 3 expected"),
    "flags that are none": (r"(0\.2590000000)", r"\1  0 0 2", "6 numbers found, 3 expected"),
    "no element": (r"\nSi(.*0\.2590000000)", r"\nQq\1", "'Qq' names no chemical element"),
}


@pytest.mark.parametrize("case", BROKEN_STEPS)
def test_a_broken_step_is_left_out_and_the_others_are_kept(convert, case):
    pattern, replacement, reason = BROKEN_STEPS[case]
    text, count = re.subn(pattern, replacement, RELAX, count=1)
    assert count == 1
    run = convert(text)
    assert run.code == 2 and list(run.frames) == ["run_000001", "run_000003"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert "step 2 (line" in line and reason in line


def test_a_step_without_a_new_geometry_is_not_believed(convert):
    run = convert(START_LINE + header() + scf(-15.8) + scf(-15.9) + DONE)
    assert run.code == 2 and len(run.frames) == 1
    assert "none was printed after the last step" in run.said


def test_a_cell_whose_volume_is_not_the_announced_one(convert):
    """Such as a cell in bohr that says alat."""
    moved = new_cell(FCC, "angstrom") + positions(MOVED)
    run = convert(START_LINE + header() + scf(-15.8) + BFGS + moved + scf(-15.9) + DONE)
    assert run.code == 2 and len(run.frames) == 1
    assert "the cell has a volume of" in run.said


def test_memory_does_not_grow_with_the_steps(tmp_path):
    path = tmp_path / "md.out"
    path.write_text(START_LINE + header() + (scf(-15.8) + MD + positions(MOVED)) * 300 + DONE)
    tracemalloc.start()
    assert sum(1 for step in steps(path) if not step.flaw) == 300
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_started_as_a_script(tmp_path):
    script = sys.modules[main.__module__].__file__
    done = subprocess.run(
        [sys.executable, script, "--help"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0
    assert "free energy, which the forces belong to" in " ".join(done.stdout.split())
