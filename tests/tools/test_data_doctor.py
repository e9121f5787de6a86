"""panna_data_doctor: each defect is found where it was planted, and none in sound data."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from doctor_frames import OFFSETS, SIDE, SITES, computed, sound_frames, write_frames

from panna.doctor import report
from panna.doctor.findings import CHECKS
from panna.frames.units import BOHR, HARTREE
from panna.tools.data_doctor import main


@dataclass
class Run:
    """code: of the exit. said: output and errors. numbers: the JSON file. page: the HTML file."""

    code: int
    said: str
    numbers: dict
    page: str

    def found(self, key: str) -> dict[str, str]:
        """What a check found: where, and the level."""
        return {f["where"]: f["level"] for f in self.check(key)["findings"]}

    def check(self, key: str) -> dict:
        return next(s["checks"][key] for s in self.sections if key in s["checks"])

    @property
    def sections(self) -> list[dict]:
        return list(self.numbers["sections"].values())

    def all_found(self) -> dict[str, dict[str, str]]:
        """By check; notes left out."""
        keys = [key for s in self.sections for key in s["checks"]]
        serious = {
            key: {where: level for where, level in self.found(key).items() if level != "note"}
            for key in keys
        }
        return {key: found for key, found in serious.items() if found}


@pytest.fixture
def doctor(drawing_doctor, monkeypatch):
    """The program without its plots, which take most of the time."""
    monkeypatch.setattr(report, "SECTIONS", [(*parts, []) for *parts, _ in report.SECTIONS])
    return drawing_doctor


@pytest.fixture
def drawing_doctor(tmp_path, capsys):
    def run(folder: Path, *options: str) -> Run:
        capsys.readouterr()
        page = tmp_path / "report.html"
        code = main(["-i", str(folder), "-o", str(page), *options])
        said = capsys.readouterr()
        numbers = page.with_suffix(".json")
        assert not list(tmp_path.glob(".*")), "something half-written is left"
        return Run(
            code,
            said.out + said.err,
            json.loads(numbers.read_text()) if numbers.exists() else {},
            page.read_text() if page.exists() else "",
        )

    return run


@pytest.fixture
def frames():
    return sound_frames()


def test_sound_data_are_good(drawing_doctor, frames, tmp_path):
    run = drawing_doctor(write_frames(frames, tmp_path / "in"))
    assert run.code == 0 and run.all_found() == {}
    assert run.numbers["verdict"] == "good" and "Verdict: good; 0 suspicious" in run.said
    untested = [key for s in run.sections for key, c in s["checks"].items() if c["untested"]]
    assert untested == []


# -- planted defects -------------------------------------------------------------------------------

# Each changes the frames and returns what is to be found: by check, where and how bad.


def change(frames, name, **changes):
    frame, facts = frames[name]
    frames[name] = replace(frame, **changes), facts


def copy_of_a_frame(frames):
    frames["twice"] = frames["random_3_0"][0], {}
    return {"identical": {"twice": "doubtful"}}


def many_copies(frames):
    names = [f"zcopy_{k}" for k in range(6)]
    for k, name in enumerate(names):
        frames[name] = frames[f"md_{k:02d}"][0], {}
    return {"identical": dict.fromkeys(names, "bad")}


def same_geometry_other_energy(frames):
    frame = frames["random_3_0"][0]
    frames["redone"] = (
        replace(frame, positions=frame.positions + 4e-7, energy=frame.energy + 0.1),
        {},
    )
    return {"inconsistent": {"redone": "bad"}}


def same_geometry_again(frames):
    frame = frames["random_3_0"][0]
    frames["redone"] = replace(frame, positions=frame.positions - 4e-7), {}
    return {"repeated": {"redone": "doubtful"}}


def nearly_the_same_geometry(frames):
    frame = frames["random_3_0"][0]
    frames["redone"] = replace(frame, positions=frame.positions + 3e-6), {}
    return {}


def close_atoms(frames):
    change(frames, "random_2_1", positions=moved(frames["random_2_1"][0], 1.1))
    return {"too_close": {"random_2_1": "doubtful"}}


def coincident_nearly(frames):
    change(frames, "random_2_1", positions=moved(frames["random_2_1"][0], 0.2))
    return {"too_close": {"random_2_1": "bad"}}


def moved(frame, distance):
    """Positions with the last atom (O) at a distance from the first (Mg)."""
    positions = frame.positions.copy()
    positions[-1] = positions[0] + [distance, 0, 0]
    return positions


def lengths_of_another_unit(frames):
    for name, (frame, _) in frames.items():
        change(frames, name, positions=frame.positions * 1.9, cell=frame.cell * 1.9)
    return {"too_far": {"all frames": "bad"}, "force_slope": ..., "virial_slope": ...}


def energy_of_another_calculation(frames):
    change(frames, "md_20", energy=frames["md_20"][0].energy + 8.0)
    return {"energy_outlier": {"md_20": "doubtful"}}


def energies_in_a_wrong_unit(frames):
    change(frames, "random_1_0", energy=frames["random_1_0"][0].energy * 1e4)
    return {"energy_unit": {"random_1_0": "bad"}, "energy_outlier": {"random_1_0": "doubtful"}}


def no_energy(frames):
    change(frames, "random_4_1", energy=None)
    return {"no_energy": {"random_4_1": "bad"}}


def other_pseudopotential(frames):
    names = [f"random_2_{k}" for k in range(5)]
    for name in names:
        change(frames, name, energy=frames[name][0].energy - 2 * 30.0)
    return {"shifted_composition": {"Mg2O6": "bad"}, "energy_outlier": ...}


def half_a_composition_of_another_functional(frames):
    for k in range(15):
        change(frames, f"md_{2 * k:02d}", energy=frames[f"md_{2 * k:02d}"][0].energy - 16.0)
    return {
        "split_composition": {"Mg4O4": "doubtful"},
        "shifted_composition": {"Mg4O4": "bad"},
        "force_slope": ...,
    }


def no_forces(frames):
    change(frames, "random_5_2", forces=None)
    return {"no_forces": {"random_5_2": "doubtful"}}


def large_force(frames):
    forces = frames["random_5_2"][0].forces.copy()
    forces[:2, 0] += [60.0, -60.0]
    change(frames, "random_5_2", forces=forces)
    return {"force_outlier": {"random_5_2": "doubtful"}}


def forces_beyond_all(frames):
    change(frames, "random_5_2", forces=frames["random_5_2"][0].forces * 1e4)
    found = {"random_5_2": "doubtful"}
    return {"force_unit": {"random_5_2": "bad"}, "force_outlier": found}


def net_force(frames):
    change(frames, "random_5_2", forces=np.add(frames["random_5_2"][0].forces, [0.2, 0, 0]))
    return {"net_force": {"random_5_2": "doubtful"}}


def zeros_for_forces(frames):
    change(frames, "random_5_2", forces=np.zeros((8, 3)))
    return {"zero_forces": {"random_5_2": "doubtful"}}


def fixed_atoms(frames):
    forces = frames["random_5_2"][0].forces.copy()
    forces[:2] = 0.0
    forces[2:] -= forces.mean(0) * 8 / 6
    change(frames, "random_5_2", forces=forces)
    return {"fixed_atoms": {"random_5_2": "doubtful"}}


def gradients_for_forces(frames):
    for name in [name for name in frames if name.startswith("md")]:
        change(frames, name, forces=-frames[name][0].forces)
    return {"force_slope": {"md.xyz": "bad"}}


def forces_in_atomic_units(frames):
    for name in [name for name in frames if name.startswith("md")]:
        change(frames, name, forces=frames[name][0].forces * (BOHR / HARTREE))
    return {"force_slope": {"md.xyz": "bad"}}


def virial_of_the_other_sign(frames):
    for name in [name for name in frames if name.startswith("strain")]:
        change(frames, name, virial=-frames[name][0].virial)
    return {"virial_slope": {"strain.xyz": "bad"}}


def stress_in_another_unit(frames):
    change(frames, "random_5_2", virial=frames["random_5_2"][0].virial * 1602.0)
    return {"stress_unit": {"random_5_2": "doubtful"}}


PLANTED = [
    copy_of_a_frame, many_copies, same_geometry_other_energy, same_geometry_again,
    nearly_the_same_geometry, close_atoms, coincident_nearly, lengths_of_another_unit,
    energy_of_another_calculation, energies_in_a_wrong_unit, no_energy, other_pseudopotential,
    half_a_composition_of_another_functional, no_forces, large_force, forces_beyond_all, net_force,
    zeros_for_forces, fixed_atoms, gradients_for_forces, forces_in_atomic_units,
    virial_of_the_other_sign, stress_in_another_unit,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found_and_nothing_else(doctor, frames, tmp_path, plant):
    """Dots stand for what follows from the defect and may be found, too."""
    expected = plant(frames)
    run = doctor(write_frames(frames, tmp_path / "in"))
    found = run.all_found()
    for key, where in expected.items():
        if where is ...:
            found.pop(key, None)
        else:
            assert found.pop(key, None) == where, key
    assert found == {}
    assert run.code == 0
    levels = {level for where in run.all_found().values() for level in where.values()}
    worst = "bad" if "bad" in levels else "doubtful" if "doubtful" in levels else "good"
    assert run.numbers["verdict"] == worst and f"Verdict: {worst};" in run.said


def test_every_check_has_a_planted_defect(frames):
    others = {"unreadable", "unit_assumed", "no_virial"}  # below
    tested = {key for plant in PLANTED for key in plant(sound_frames())}
    assert {check.key for check in CHECKS} == tested | others


def test_frames_without_virial_are_noted_only(doctor, frames, tmp_path):
    change(frames, "random_5_2", virial=None)
    run = doctor(write_frames(frames, tmp_path / "in"))
    assert run.found("no_virial") == {"random_5_2": "note"}
    assert run.numbers["verdict"] == "good"


def test_files_without_units(doctor, frames, tmp_path):
    folder = write_frames(frames, tmp_path / "in")
    path = folder / "md_03.example"
    content = json.loads(path.read_text())
    del content["unit_of_length"]
    path.write_text(json.dumps(content))
    assert doctor(folder).all_found() == {"unit_assumed": {"md_03": "doubtful"}}


# -- what is right although it looks suspicious ----------------------------------------------------


def test_a_perfect_crystal_may_have_no_forces(doctor, frames, tmp_path):
    species = ["Mg"] * 4 + ["O"] * 4
    perfect = computed(species, SITES * SIDE, np.eye(3) * SIDE, group="random")
    assert np.abs(perfect.forces).max() < 1e-12
    frames["perfect"] = replace(perfect, forces=np.zeros((8, 3))), {}
    assert doctor(write_frames(frames, tmp_path / "in")).all_found() == {}


def test_isolated_atoms_are_of_another_kind(doctor, frames, tmp_path):
    """Neither their energies nor their missing forces are compared with those of the solid."""
    for symbol, energy in OFFSETS.items():
        atom = computed([symbol], np.zeros((1, 3)), np.zeros((3, 3)), [False] * 3)
        frames[f"atom_{symbol}"] = replace(atom, energy=energy + 4.0, forces=None), {}
    assert doctor(write_frames(frames, tmp_path / "in")).all_found() == {}


def test_atoms_that_cross_the_cell_have_not_moved_far(doctor, frames, tmp_path):
    for k in range(1, 30, 2):
        shift = np.round(SITES * 2) @ (np.eye(3) * SIDE)
        change(frames, f"md_{k:02d}", positions=frames[f"md_{k:02d}"][0].positions + shift)
    run = doctor(write_frames(frames, tmp_path / "in"))
    numbers = run.numbers["sections"]["runs"]["numbers"]
    assert numbers["unstrained_pairs"]["value"] > 20
    assert abs(numbers["unstrained_slope"]["value"] - 1) < 0.01
    assert abs(numbers["strained_slope"]["value"] - 1) < 0.01


def test_what_cannot_be_told_is_said(doctor, frames, tmp_path):
    """One composition, no runs, no virials, no periodicity."""
    random = np.random.default_rng(1)
    species = ["Mg"] * 4 + ["O"] * 4
    some = {}
    for k in range(5):
        positions = SITES * SIDE + random.normal(scale=0.1, size=(8, 3))
        some[f"m{k}"] = computed(species, positions, np.zeros((3, 3)), [False] * 3), {}
    run = doctor(write_frames(some, tmp_path / "in"))
    untested = {k: c["untested"] for s in run.sections for k, c in s["checks"].items()}
    assert untested["shifted_composition"].startswith("1 compositions and 1 reference energies")
    assert untested["force_slope"].startswith("0 pairs of near frames")
    assert untested["no_virial"] and untested["stress_unit"]
    assert run.numbers["verdict"] == "good" and "Not tested:" in run.page


def test_a_composition_that_alone_has_a_species_cannot_be_tested(doctor, frames, tmp_path):
    frame = frames["random_3_0"][0]
    frames["alloy"] = replace(frame, species=("Ca", *frame.species[1:]), energy=-9000.0), {}
    run = doctor(write_frames(frames, tmp_path / "in"))
    assert "shifted_composition" not in run.all_found()
    numbers = run.numbers["sections"]["compositions"]["numbers"]
    assert numbers["untestable"]["value"] == "CaMg2O5"


# -- numbers ---------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_frames(doctor, frames, tmp_path):
    run = doctor(write_frames(frames, tmp_path / "in"))
    sections = run.numbers["sections"]
    contents = sections["contents"]["numbers"]
    assert contents["frames"]["value"] == len(frames) == len(run.numbers["frames"]["name"])
    assert contents["atoms"]["value"] == 8 * len(frames)
    assert contents["with_energy"]["value"] == contents["with_virial"]["value"] == len(frames)
    rows = {row["composition"]: row for row in sections["compositions"]["tables"]["compositions"]}
    energies = [f.energy / 8 for f, _ in frames.values() if f.species.count("Mg") == 3]
    row = rows["Mg3O5"]
    assert row["frames"] == len(energies) == 5
    np.testing.assert_allclose(row["mean (eV/atom)"], np.mean(energies), rtol=1e-12)
    np.testing.assert_allclose(row["standard deviation (eV/atom)"], np.std(energies), rtol=1e-9)
    fitted = sections["compositions"]["numbers"]
    bonds = np.mean(
        [(f.energy - sum(OFFSETS[s] for s in f.species)) / 8 for f, _ in frames.values()]
    )
    for symbol, offset in OFFSETS.items():
        assert abs(fitted[f"least_squares_{symbol}"]["value"] - offset - bonds) < 0.5
    largest = [np.linalg.norm(f.forces, axis=1).max() for f, _ in frames.values()]
    found = sections["forces"]["numbers"]["largest"]["value"]
    np.testing.assert_allclose(found, [min(largest), max(largest)], rtol=1e-12)
    pressures = [np.trace(f.virial) / 3 / f.volume * 160.2176634 for f, _ in frames.values()]
    found = sections["cells"]["numbers"]["pressure"]["value"]
    np.testing.assert_allclose(found, [min(pressures), max(pressures)], rtol=1e-9)


def test_the_densities_of_neighbours_count_all_atoms(doctor, frames, tmp_path):
    """The integral of the density of O round Mg over the bonds of rock salt is six."""
    only = {k: v for k, v in frames.items() if k.startswith("md")}
    run = doctor(write_frames(only, tmp_path / "in"))
    one = run.numbers["histograms"]["distances"]["Mg-O"]
    r, density = np.array(one["distance_angstrom"]), np.array(one["density_per_angstrom3"])
    width = r[1] - r[0]
    shells = 4 / 3 * np.pi * ((r + width / 2) ** 3 - (r - width / 2) ** 3)
    assert abs((density * shells)[r < 3.5].sum() - 6) < 1e-9


def test_thresholds_of_the_command_line(doctor, frames, tmp_path):
    folder = write_frames(frames, tmp_path / "in")
    run = doctor(folder, "--close", "1.0", "--bad-share", "1")
    assert run.numbers["thresholds"]["close"]["value"] == 1.0
    assert set(run.found("too_close").values()) == {"doubtful"}
    run = doctor(folder, "--close", "1.0", "--bad-share", "0.01")
    assert set(run.found("too_close").values()) == {"bad"}
    assert "--close" in run.page


# -- the page --------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page refers to, its ids, and its text."""

    def __init__(self, text):
        super().__init__()
        self.references, self.ids, self.text, self.tags = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("href", "src", "xlink:href", "srcset", "action"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else(drawing_doctor, frames, tmp_path):
    close_atoms(frames)
    page = Page(drawing_doctor(write_frames(frames, tmp_path / "in")).page)
    assert page.tags.count("svg") == 8
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    outside = [r for r in page.references if not r.startswith(("#", "data:image/png;base64,"))]
    assert outside == []
    assert {r[1:] for r in page.references if r.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)), "ids are there twice"
    assert "random_2_1" in page.text and "mathdefault" not in page.text


def test_names_cannot_break_the_page(drawing_doctor, frames, tmp_path):
    close_atoms(frames)
    evil = "<script>alert(1)</script> & $x_{$"
    frames["<b>bold & $"] = frames.pop("random_2_1")
    for name, (frame, facts) in list(frames.items()):
        if name.startswith("md"):
            frames[name] = replace(frame, group=evil), {**facts, "source": evil}
    gradients_for_forces(frames)
    run = drawing_doctor(write_frames(frames, tmp_path / "in"))
    page = Page(run.page)
    assert "script" not in page.tags and "b" not in page.tags
    assert evil in page.text and "<b>bold & $" in page.text
    assert run.found("force_slope") == {evil: "bad"}


# -- malformed input -------------------------------------------------------------------------------

DAMAGES = {
    "nan": (lambda t: re.sub(r'"energy": \[[^,]*', '"energy": [NaN', t), "contains NaN"),
    "truncated": (lambda t: t[: len(t) // 2], "not valid JSON"),
    "empty": (lambda t: "", "not valid JSON"),
    "list": (lambda t: "[]", "expected a JSON object"),
    "no atoms": (lambda t: json.dumps({**json.loads(t), "atoms": []}), "the list is empty"),
    "coincident": (
        lambda t: re.sub(r'("O", )\[[^]]*\]', r"\1[0.1, 0.1, 0.1]", t), "coincides with"),
    "no such element": (lambda t: t.replace('"Mg"', '"Xx"'), "not the symbol"),
    "huge energy": (lambda t: re.sub(r'"energy": \[[^,]*', '"energy": [1e999', t), "finite"),
    "flat cell": (
        lambda t: re.sub(r'"lattice_vectors": \[\[[^]]*\]', '"lattice_vectors": [[0, 0, 0]', t),
        "missing or zero"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_broken_files_are_named_with_the_reason(doctor, frames, tmp_path, case):
    damage, reason = DAMAGES[case]
    frames = {k: v for k, v in frames.items() if k.startswith("random")}
    folder = write_frames(frames, tmp_path / "in")
    path = folder / "random_6_3.example"
    path.write_text(damage(path.read_text()))
    run = doctor(folder)
    assert run.code == 2
    (finding,) = run.check("unreadable")["findings"]
    assert finding["where"] == path.name and reason in finding["found"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line
    assert run.numbers["sections"]["contents"]["numbers"]["frames"]["value"] == len(frames) - 1
    assert run.all_found() == {"unreadable": {path.name: "bad"}}


def test_odd_entries_about_the_source_do_no_harm(doctor, frames, tmp_path):
    some = {}
    for source in ("md.xyz", 7, None, ["x"], {"a": 1}):
        for number in (3, "3", None, -1, 1e300, 10**30, True):
            facts = {"source": source, "source_frame": number}
            some[f"f{len(some):02d}"] = frames[f"md_{len(some) % 30:02d}"][0], facts
    run = doctor(write_frames(some, tmp_path / "in"))
    assert run.code == 0 and len(run.numbers["frames"]["name"]) == 35


def test_all_files_broken(doctor, tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(3):
        (tmp_path / "in" / f"f{k}.example").write_bytes(b"\x00\xff\x80")
    run = doctor(tmp_path / "in")
    assert run.code == 2 and run.page == "" and run.numbers == {}
    assert "none of 3 .example files can be read" in run.said and "f0.example" in run.said


def test_folders_without_examples(doctor, tmp_path):
    assert "no such folder" in doctor(tmp_path / "missing").said
    (tmp_path / "empty").mkdir()
    run = doctor(tmp_path / "empty")
    assert run.code == 2 and "no *.example file" in run.said


OUTPUTS = {
    "folder/missing/report.html": "does not exist; create it",
    "in.html": "is a folder",
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_where_nothing_can_be_written(frames, tmp_path, capsys, output):
    folder = write_frames({"md_00": frames["md_00"]}, tmp_path / "in")
    (tmp_path / "in.html").mkdir()
    assert main(["-i", str(folder), "-o", str(tmp_path / output)]) == 2
    said = capsys.readouterr()
    assert OUTPUTS[output] in said.err and "reading" not in said.out


WRONG = {
    "--output report.txt": "does not end in .html",
    "--output r.html --close -1": "is not a positive number",
    "--output r.html --close nan": "is not a positive number",
    "--output r.html --slope x": "is not a positive number",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["-i", "x", *arguments.split()])
    assert stop.value.code == 2 and WRONG[arguments] in capsys.readouterr().err


def test_one_frame_is_enough(drawing_doctor, frames, tmp_path):
    run = drawing_doctor(write_frames({"md_00": frames["md_00"]}, tmp_path / "in"))
    assert run.code == 0 and run.numbers["verdict"] == "good"


def test_frames_without_anything(drawing_doctor, frames, tmp_path):
    """Neither energies nor forces nor virials: a report, too."""
    some = {}
    for k in range(3):
        frame = frames[f"md_0{k}"][0]
        some[f"f{k}"] = replace(frame, energy=None, forces=None, virial=None), {}
    run = drawing_doctor(write_frames(some, tmp_path / "in"))
    assert set(run.all_found()) == {"no_energy", "no_forces"}


def test_the_program_starts_without_tensorflow():
    code = (
        "import sys; from panna.tools import data_doctor; "
        "heavy = {'numpy', 'ase', 'matplotlib'} & set(sys.modules); assert not heavy, heavy; "
        "from panna.doctor import report, page; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- real data -------------------------------------------------------------------------------------


def converted(source: Path, out: Path, *options: str) -> Path:
    from panna.tools.exyz_parser import main as exyz_parser

    assert exyz_parser(["-i", str(source), "-o", str(out), *options]) == 0
    return out


def test_published_silicon_is_good(doctor, shared_data, tmp_path):
    source = shared_data / "zuo2020" / "Si_train.xyz.xz"
    run = doctor(converted(source, tmp_path / "in"))
    assert run.numbers["verdict"] == "good"


def test_published_tantalum_has_extreme_cells(doctor, shared_data, tmp_path):
    """Volume scans down to half the volume: close atoms and stresses of terapascals, no more.

    With gradients for forces the slope tells their sign.
    """
    folder = converted(shared_data / "ta_fitsnap" / "Ta.xyz.xz", tmp_path / "in")
    run = doctor(folder)
    assert set(run.all_found()) == {"too_close", "stress_unit"}
    slopes = run.numbers["sections"]["runs"]["numbers"]
    assert all(abs(n["value"] - 1) < 0.1 for key, n in slopes.items() if key.endswith("slope"))
    for path in folder.iterdir():
        content = json.loads(path.read_text())
        for atom in content["atoms"]:
            atom[3] = [-x for x in atom[3]]
        path.write_text(json.dumps(content))
    (value,) = [f["value"] for f in doctor(folder).check("force_slope")["findings"]]
    assert abs(value + 1) < 0.1
