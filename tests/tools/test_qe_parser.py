"""panna_qe_parser on real files of pw.x 6.1 to 7.5, and on damaged ones."""

import gc
import gzip
import json
import re
import shutil

import numpy as np
import pytest
from parser_runs import parser_run

from panna.frames.units import BOHR, HARTREE
from panna.tools.qe_parser import main

REFUSED = {
    "aiida/failed_interrupted_xml/data-file-schema.xml": "not complete, well-formed XML",
    "aiida/failed_out_of_walltime/data-file-schema.xml": "self-consistency was not reached",
    "aiida/failed_scf_not_converged/data-file-schema.xml": "self-consistency was not reached",
    "aiida/initialization_xml_new/data-file-schema.xml": "no total_energy in output",
    "aiida/vcrelax_failed_charge_wrong/data-file.xml": "the root element is Root, espresso",
}


@pytest.fixture
def qe(parser_data):
    return parser_data / "qe"


def close(found, expected, relative):
    np.testing.assert_allclose(found, expected, rtol=relative, atol=0)


def check_frame(frame, expected):
    close(frame.energy / HARTREE, expected["energy_Ha"], 1e-9)
    close(frame.volume / BOHR**3, expected["volume_bohr3"], 1e-8)
    assert list(frame.species) == [re.sub(r"\d+$", "", name) for name in expected["species"]]
    if (largest := expected["forces_max_abs_Ha_bohr"]) is not None:
        forces = frame.forces * (BOHR / HARTREE)
        close(np.abs(forces).max(), largest, 1e-8)
        close(forces[0], expected["forces_first_atom_Ha_bohr"], 1e-8)
    else:
        assert frame.forces is None
    trace = expected["stress_trace_over3_Ha_bohr3"]
    if trace:
        close(np.trace(frame.virial) / 3 / frame.volume * BOHR**3 / HARTREE, trace, 1e-8)


def test_all_shared_files(shared_data, tmp_path, capsys):
    """Each of 36 files gives the numbers of another reader, or is refused with the reason."""
    folder = shared_data / "qe"
    expected = json.loads((folder / "expected_xml.json").read_text())
    run = parser_run(main, capsys, tmp_path / "out", folder, "--keep-fixed")
    assert run.code == 2
    for name, reason in REFUSED.items():
        line = re.search(rf"left out: {re.escape(str(folder / name))}.*", run.said)
        assert line and reason in line[0]
    seen = set()
    for name, of_file in expected.items():
        stem = re.sub(r"[^\w-]", "_", name.removesuffix(".xml"))
        frames = {
            key: frame for key, frame in run.frames.items() if re.fullmatch(rf"{stem}(_\d+)?", key)
        }
        seen |= set(frames)
        if name in REFUSED:
            assert not frames
            continue
        steps = of_file["steps"]
        for number, step in enumerate(steps, start=1):
            frame = frames.pop(f"{stem}_{number:06d}")
            check_frame(frame, {**step, "species": of_file["final"]["species"]})
        final = of_file["final"]
        if steps and final["energy_Ha"] == steps[-1]["energy_Ha"]:
            assert not frames  # the last step again, perhaps with moved atoms
        else:
            check_frame(frames.popitem()[1], final)
            assert not frames
    assert len(expected) == 36 and seen == set(run.frames)


def test_the_golden_molecules(golden, tmp_path, capsys):
    """As the tool of PANNA v1, which wrote bohr and hartree."""
    summary = json.loads((golden / "parsers" / "expected" / "summary.json").read_text())["qe_xml"]
    run = parser_run(main, capsys, tmp_path / "out", golden / "parsers" / "qe_xml")
    assert run.code == 0 and len(run.frames) == len(summary) == 3
    for expected in summary:
        frame = run.frames[expected["file"].removesuffix(".example")]
        assert frame.n_atoms == expected["n_atoms"]
        close(frame.energy, expected["energy"][0] * HARTREE, 1e-12)
        close(frame.cell, np.array(expected["lattice_vectors"]) * BOHR, 1e-12)
        for atom, index in (("first_atom", 0), ("last_atom", -1)):
            _, symbol, position, force = expected[atom]
            assert frame.species[index] == symbol
            close(frame.positions[index], np.array(position) * BOHR, 1e-12)
            close(frame.forces[index], np.array(force) * (HARTREE / BOHR), 1e-12)


def test_the_command_line_of_the_paper(golden, tmp_path, capsys):
    """CPC 256, 107402, section 4.1: -i, -o and --addhash."""
    run = parser_run(main, capsys, tmp_path / "out", golden / "parsers" / "qe_xml", "--addhash")
    assert run.code == 0
    assert all(re.fullmatch(r"ANI_\w{10}_[0-9a-f]{16}", name) for name in run.frames)


def test_energies_fall_by_the_work_of_forces_and_stress(shared_data, tmp_path, capsys):
    """Along vc-relax: -dE = F . dx + virial : strain, to second order; so are the signs right."""
    name = "vcrelax_failed_fft_significant_volume_contraction"
    run = parser_run(main, capsys, tmp_path / "out", shared_data / "qe" / "aiida" / name)
    frames = list(run.frames.values())
    seen = 0
    for a, b in zip(frames, frames[1:], strict=False):
        strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
        moved = b.positions - a.positions @ (np.eye(3) + strain)
        if np.abs(strain).max() > 0.01 or np.abs(moved).max() > 0.01:
            continue
        of_atoms = ((a.forces + b.forces) / 2 * moved).sum()
        of_cell = ((a.virial + b.virial) / 2 * strain).sum()
        if min(abs(of_atoms), abs(of_cell)) > 1e-4:
            seen += 1
            assert abs(a.energy - b.energy - of_atoms - of_cell) < 0.5 * abs(of_cell)
    assert seen > 2


def test_md_takes_every_step_once(qe, tmp_path, capsys):
    """The final block of md has the positions of the step to come: it is never taken."""
    run = parser_run(main, capsys, tmp_path / "out", qe / "water_md.xml")
    assert run.code == 0
    assert list(run.frames) == [f"water_md_{k:06d}" for k in range(1, 7)]
    text = (qe / "water_md.xml").read_text()
    output = text[text.index("<output>") :]
    ahead = [float(x) * BOHR for x in re.search(r'name="O" index="1">([^<]*)<', output)[1].split()]
    for frame in run.frames.values():
        assert np.abs(frame.positions[0] - ahead).max() > 1e-6


def test_the_last_calculation_of_vcrelax_is_one_more(shared_data, tmp_path, capsys):
    """With the plane waves of the last cell; a run that stopped before has none."""
    source = shared_data / "qe" / "aiida" / "vcrelax_success" / "data-file-schema.xml"
    run = parser_run(main, capsys, tmp_path / "out", source)
    energies = [frame.energy / HARTREE for frame in run.frames.values()]
    close(energies[1:], [-11.330264796, -11.3302647862], 1e-11)
    assert len(energies) == 3


def test_a_vcrelax_that_stopped_gives_its_steps(qe, tmp_path, capsys):
    run = parser_run(main, capsys, tmp_path / "out", qe / "si2_vcrelax.xml")
    assert run.code == 0 and len(run.frames) == 8
    assert len({frame.volume for frame in run.frames.values()}) == 8


def test_the_stress_of_the_final_block_is_that_of_the_last_step(qe, tmp_path, capsys):
    """The steps of the XML have none; the one of md belongs to moved atoms, and to no frame."""
    run = parser_run(main, capsys, tmp_path / "relax", qe / "si2_vcrelax.xml")
    with_virial = [frame.virial is not None for frame in run.frames.values()]
    assert with_virial == [False] * 7 + [True]
    assert "pw.x writes no stress into the steps" in run.said
    run = parser_run(main, capsys, tmp_path / "md", qe / "water_md.xml")
    assert all(frame.virial is None for frame in run.frames.values())


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_the_first_steps_only(qe, tmp_path, capsys):
    """Reading stops in the middle of the file."""
    run = parser_run(main, capsys, tmp_path / "out", qe / "water_md.xml", "--limit", "2")
    gc.collect()
    assert run.code == 0 and list(run.frames) == ["water_md_000001", "water_md_000002"]


def test_one_calculation_has_no_number(qe, tmp_path, capsys):
    run = parser_run(main, capsys, tmp_path / "out", qe / "al4_scf.xml")
    assert list(run.frames) == ["al4_scf"]
    content = run.contents["al4_scf"]
    assert content["source"] == "al4_scf.xml" and len(content["source_sha256"]) == 64
    assert content["program"] == "PWSCF 6.7MaX" and content["calculation"] == "scf"
    assert content["parser"].startswith("panna_qe_parser ")


def test_magnetic_runs_say_so(qe, tmp_path, capsys):
    run = parser_run(main, capsys, tmp_path / "out", qe / "o2_spin_scf.xml", qe / "al4_scf.xml")
    magnetism = run.contents["o2_spin_scf"]["magnetism"]
    assert magnetism["kind"] == "collinear"
    assert abs(magnetism["total_bohr_magneton"][0] - 2) < 1e-9
    assert "magnetism" not in run.contents["al4_scf"]


def test_zeros_of_fixed_coordinates_are_no_forces(qe, tmp_path, capsys):
    source = tmp_path / "fixed.xml"
    fixed = '<free_positions rank="2" dims="3 3">0 0 0 1 1 1 1 1 1</free_positions></input>'
    source.write_text(changed((qe / "water_scf.xml").read_text(), "</input>", fixed))
    run = parser_run(main, capsys, tmp_path / "out", source)
    assert run.code == 0 and run.only.forces is None
    assert "forces of such files are left out (1 file" in run.said
    run = parser_run(main, capsys, tmp_path / "kept", source, "--keep-fixed")
    assert run.only.forces is not None


def test_the_copy_in_the_folder_of_the_run_is_not_read_twice(qe, tmp_path, capsys):
    folder = tmp_path / "in" / "water.save"
    folder.mkdir(parents=True)
    shutil.copy(qe / "water_scf.xml", tmp_path / "in" / "water.xml")
    shutil.copy(qe / "water_scf.xml", folder / "data-file-schema.xml")
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "in")
    assert list(run.frames) == ["water"]
    (tmp_path / "in" / "water.xml").unlink()
    run = parser_run(main, capsys, tmp_path / "other", tmp_path / "in")
    assert list(run.frames) == ["water_save_data-file-schema"]


def test_a_compressed_file_that_ends_early(qe, tmp_path, capsys):
    """What is whole is written, the rest is reported."""
    text = (qe / "water_md.xml").read_bytes()
    cut = text[: text.index(b'<step n_step="4"') + 100]
    (tmp_path / "md.xml.gz").write_bytes(gzip.compress(cut))
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "md.xml.gz")
    assert run.code == 2 and list(run.frames) == [f"md_{k:06d}" for k in (1, 2, 3)]
    assert "the rest of the file: not complete, well-formed XML" in run.said


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


BROKEN = {
    "empty": (lambda t: "", "the file is empty"),
    "binary": (lambda t: "\x00\x7fELF" * 50, "not complete, well-formed XML"),
    "text": (lambda t: "Program PWSCF v.7.2", "not complete, well-formed XML"),
    "another root": (lambda t: "<html><body/></html>", "the root element is html, espresso"),
    "entities": (
        lambda t: changed(t, "<qes:espresso", '<!DOCTYPE x [<!ENTITY a "b">]>\n<qes:espresso'),
        "document type declaration",
    ),
    "nan energy": (lambda t: re.sub("<etot>[^<]*", "<etot>NaN", t), "energy is nan"),
    "word": (
        lambda t: re.sub("<etot>[^<]*", "<etot>***", t),
        "etot: '***' is a number that was too long",
    ),
    "no energy": (lambda t: re.sub("<etot>[^<]*</etot>", "", t), "no etot in total_energy"),
    "no cell": (lambda t: re.sub("(?s)<cell>.*?</cell>", "", t), "no a1 in atomic_structure"),
    "flat cell": (lambda t: re.sub("<a3>[^<]*", "<a3>0 0 0", t), "missing or zero"),
    "wrong count": (lambda t: changed(t, 'nat="3"', 'nat="4"'), "3 atoms found, nat = 4"),
    "no such element": (lambda t: changed(t, 'name="O"', 'name="Xq"'), "names no chemical"),
    "short forces": (
        lambda t: re.sub(r"(<forces rank[^>]*>)\s*\S+", r"\1", t),
        "forces: 8 numbers found, 9 expected",
    ),
    "other units": (lambda t: changed(t, "Hartree atomic units", "Rydberg"), "its units are"),
    "not converged": (
        lambda t: changed(t, "achieved>true", "achieved>false"),
        "self-consistency was not reached",
    ),
    "bands": (lambda t: changed(t, ">scf<", ">nscf<"), "a calculation of type nscf"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_with_the_reason(qe, tmp_path, capsys, case):
    change, reason = BROKEN[case]
    path = tmp_path / "broken.xml"
    path.write_text(change((qe / "water_scf.xml").read_text()))
    good = shutil.copy(qe / "al4_scf.xml", tmp_path / "good.xml")
    run = parser_run(main, capsys, tmp_path / "out", path, good)
    assert run.code == 2 and list(run.frames) == ["good"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


def test_entities_are_never_expanded(tmp_path, capsys):
    """A billion laughs, and a file of the machine."""
    (tmp_path / "secret").write_text("secret words")
    lines = ['<!ENTITY l0 "ha">']
    lines += [f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10)]
    lines += [f'<!ENTITY file SYSTEM "file://{tmp_path}/secret">']
    text = f"<!DOCTYPE x [{''.join(lines)}]>\n<espresso><general_info>&l9;&file;</general_info>"
    path = tmp_path / "laughs.xml"
    path.write_text(text + "</espresso>")
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and "document type declaration" in run.said
    assert "secret words" not in run.said
