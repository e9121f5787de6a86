"""panna_validate as its users run it: numbers, page and mistakes."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from panna import validate
from panna.config.validate import TITLES
from panna.frames.ase_atoms import frame_of_structure
from panna.frames.example_file import read_example, write_example
from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.potential.compiled import evaluate_frame, open_potential

COMMITTEE = Path(__file__).parents[2] / "examples" / "lammps" / "potential"
POTENTIAL = COMMITTEE / "member_1"
SHIFTS = [0.004, -0.004, 0.004, 0.020]  # eV/atom, predicted minus reference
PULL = 0.3  # eV/angstrom along x on every atom
PRESSURE = 0.8  # GPa


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Folder of four frames of silicon whose errors are known: 64 atoms, two groups."""
    folder = tmp_path_factory.mktemp("validate") / "test"
    folder.mkdir()
    potential = open_potential(POTENTIAL)
    random = np.random.default_rng(1)
    for number, shift in enumerate(SHIFTS):
        atoms = bulk("Si", "diamond", 5.431, cubic=True) * (2, 2, 2)
        atoms.positions += random.normal(0, 0.1, atoms.positions.shape)
        frame = frame_of_structure(atoms, name=f"frame_{number}", group="hot" if number else "cold")
        found = evaluate_frame(potential, frame)
        pressure = PRESSURE / EV_PER_ANGSTROM3_IN_GPA * frame.volume * np.eye(3)
        frame = replace(
            frame,
            energy=found.energy - shift * frame.n_atoms,
            forces=found.forces - [PULL, 0, 0],
            virial=(found.virial + found.virial.T) / 2 + pressure,
        )
        write_example(frame, folder / f"{frame.name}.example")
    return folder


def write_ini(path: Path, **keys: object) -> Path:
    sections: dict[str, dict[str, object]] = {}
    for name, value in keys.items():
        section, key = name.split("__")
        sections.setdefault(section, {})[key] = value
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(folder: Path, test_dir: Path, **keys: object) -> tuple[int, Path]:
    """Exit code and page."""
    given = {
        "IO_INFORMATION__potential": POTENTIAL,
        "IO_INFORMATION__test_dir": test_dir,
        "IO_INFORMATION__report": folder / "report.html",
        "IO_INFORMATION__sections": "data, errors",
    }
    ini = write_ini(folder / "validate.ini", **(given | keys))
    return validate.main(["--config", str(ini)]), folder / "report.html"


def content(page: Path) -> dict:
    return json.loads(page.with_suffix(".json").read_text())


def test_errors_that_are_known(frames, tmp_path, capsys):
    code, page = run(tmp_path, frames)
    assert code == 0
    found = content(page)["sections"]["errors"]
    numbers = {key: one["value"] for key, one in found["numbers"].items()}
    shifts = np.array(SHIFTS)
    assert numbers["energy_rmse"] == pytest.approx(1e3 * np.sqrt(np.mean(shifts**2)), abs=1e-6)
    assert numbers["energy_bias"] == pytest.approx(1e3 * shifts.mean(), abs=1e-6)
    assert numbers["energy_max"] == pytest.approx(20.0, abs=1e-6)
    assert numbers["force_rmse"] == pytest.approx(PULL / np.sqrt(3), rel=1e-9)
    assert numbers["force_mae"] == pytest.approx(PULL / 3, rel=1e-9)
    # xx, yy and zz of six components
    assert numbers["stress_rmse"] == pytest.approx(PRESSURE / np.sqrt(2), rel=1e-6)
    assert numbers["stress_bias"] == pytest.approx(PRESSURE / 2, rel=1e-6)
    assert found["tables"]["worst"][0]["frame"] == "frame_3"
    rows = {row["group"]: row for row in found["tables"]["groups"]}
    assert rows["cold"]["energy RMSE (meV/atom)"] == pytest.approx(4.0, abs=1e-6)
    assert rows["hot"]["frames"] == 3
    assert found["verdict"] == "doubtful"
    assert "frame_3" in capsys.readouterr().out or "frame_3" in page.read_text()


def test_angles_of_forces(frames, tmp_path):
    """The median angle that the pull makes."""
    _, page = run(tmp_path, frames)
    numbers = content(page)["sections"]["errors"]["numbers"]
    angles, references = [], []
    for path in sorted(frames.glob("*.example")):
        reference = read_example(path).forces
        references.append(reference)
        predicted = reference + np.array([PULL, 0, 0])
        norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(predicted, axis=1)
        angles.append(np.degrees(np.arccos(np.einsum("ij,ij->i", reference, predicted) / norms)))
    reference = np.concatenate(references)
    strong = np.linalg.norm(reference, axis=1) > 0.5 * np.sqrt(3 * np.mean(reference**2))
    wanted = np.median(np.concatenate(angles)[strong])
    assert numbers["angle"]["value"] == pytest.approx(wanted, rel=1e-6)


def test_thresholds_decide(frames, tmp_path):
    verdicts = []
    for limits in ("15, 20", "1, 2"):
        keys = {f"THRESHOLDS__{key}": limits for key in ("energy_rmse", "outlier", "group_factor")}
        keys |= {"THRESHOLDS__force_rmse": "100, 200", "THRESHOLDS__stress_rmse": "1, 2"}
        _, page = run(tmp_path, frames, **keys)
        verdicts.append(content(page)["sections"]["errors"]["verdict"])
    assert verdicts == ["good", "bad"]


def test_a_committee_is_its_mean(frames, tmp_path):
    _, page = run(tmp_path, frames, IO_INFORMATION__potential=COMMITTEE)
    found = content(page)
    assert [Path(one).name for one in found["potential"]] == ["member_1", "member_2", "member_3"]
    folders = sorted(COMMITTEE.glob("member_*"))
    frame = read_example(frames / "frame_0.example")
    energies = [evaluate_frame(open_potential(folder), frame).energy for folder in folders]
    shown = found["sections"]["errors"]["data"]["frames"][0]["predicted_energy_eV"]
    assert shown == pytest.approx(np.mean(energies), abs=1e-9)


def test_frames_without_labels(frames, tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    for path in frames.glob("*.example"):
        bare = replace(read_example(path), energy=None, forces=None, virial=None)
        write_example(bare, folder / path.name)
    code, page = run(tmp_path, folder)
    assert code == 0
    assert content(page)["sections"]["errors"]["verdict"] == "bad"
    assert "Neither energies nor forces" in page.read_text()


def test_a_file_that_cannot_be_used_is_named(frames, tmp_path):
    folder = tmp_path / "frames"
    shutil.copytree(frames, folder)
    (folder / "broken.example").write_text("{")
    code, page = run(tmp_path, folder)
    assert code == 2
    data = content(page)["sections"]["data"]
    assert data["verdict"] == "bad"
    assert "broken.example" in data["text"][0]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"IO_INFORMATION__sections": "data, dimmers"}, "dimmers found"),
        ({"IO_INFORMATION__report": "page.pdf"}, "does not end in .html"),
        ({"IO_INFORMATION__report": "no_such_folder/page.html"}, "does not exist; create it"),
        ({"IO_INFORMATION__potential": "nowhere"}, "nowhere"),
        ({"REFERENCE__pair_style": "sw"}, "pair_coeff: missing"),
        ({"THRESHOLDS__outlier": "5, 1"}, "5 is more than 1"),
        ({"CRYSTAL__structure": "diamond Ge 5.66"}, "species Ge found; the potential has Si"),
        ({"CRYSTAL__structure": "diamnd Si 5.43"}, "expected a file that ASE reads"),
        ({"CRYSTAL__structure": "no_such_file.cif"}, "expected a file that ASE reads"),
        ({"CRYSTAL__structure": "coincident.xyz"}, "atoms 1 and 3 are 0.001 angstrom apart"),
        ({"MD__structure": "no_such_file.xyz"}, "expected a file with atoms that ASE reads"),
        ({"MD__structure": "carbon.xyz"}, "species C found; the potential has Si"),
        ({"MD__rdf_trajectory": "no_such_file.xyz"}, "expected a trajectory that ASE reads"),
        ({"MD__rdf_trajectory": "carbon.xyz"}, "species C found; the potential has Si"),
    ],
)
def test_mistakes_are_explained_at_once(change, message, frames, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("panna.validation.test_set.predict", None)  # the first long work
    crystal = bulk("Si", "diamond", 5.43)
    write("coincident.xyz", crystal + Atoms("Si", [[0.001, 0, 0]]))
    write("carbon.xyz", bulk("C", "diamond", 3.57))
    code, page = run(tmp_path, frames, **change)
    assert code == 2
    said = capsys.readouterr().err
    assert message in said.replace("] ", ": ")
    assert "Traceback" not in said
    assert not page.exists()


def test_names_are_no_formulas_in_plots(frames, tmp_path):
    """matplotlib takes what stands between dollars for a formula; 5_ is a wrong one."""
    folder = tmp_path / "test"
    folder.mkdir()
    for path, group in zip(sorted(frames.glob("*.example")), ["$5_$", "b"], strict=False):
        write_example(replace(read_example(path), group=group), folder / path.name)
    code, page = run(tmp_path, folder)
    assert code == 0
    assert "$5_$</text>" in page.read_text()


def test_a_report_without_judgements_is_not_called_good(frames, tmp_path, capsys):
    _, page = run(tmp_path, frames, IO_INFORMATION__sections="learning")
    assert content(page)["verdict"] == "not judged"
    assert "Verdict: not judged" in page.read_text()
    assert "Verdict: not judged" in capsys.readouterr().out


@pytest.fixture(scope="module")
def whole(frames, tmp_path_factory):
    """Page of a small run of all sections: a committee, data of silicon, a made-up training."""
    folder = tmp_path_factory.mktemp("whole")
    rows = ["epoch,step,learning_rate,train_loss,validation_loss"]
    rows += [f"{k},{10 * k},0.01,{1 / k},{1.1 / k}" for k in range(1, 21)]
    for member in (1, 2, 3):
        (folder / "train" / f"member_{member}").mkdir(parents=True)
        (folder / "train" / f"member_{member}" / "metrics.csv").write_text("\n".join(rows) + "\n")
    keys = {
        "IO_INFORMATION__potential": COMMITTEE,
        "IO_INFORMATION__training_dir": frames,
        "IO_INFORMATION__train_dir": folder / "train",
        "IO_INFORMATION__sections": "all",
        "REFERENCE__pair_style": "sw",
        "REFERENCE__pair_coeff": f"* * {COMMITTEE.parent / 'Si.sw'} Si",
        "CRYSTAL__structure": "diamond Si 5.43",
        "CRYSTAL__phonon_length": 7,
        "CRYSTAL__defect_length": 7,
        "CRYSTAL__surfaces": "111",
        "MD__atoms": 64,
        "MD__nve_time": 0.1,
        "MD__rdf_time": 0.1,
        "DIMERS__points": 40,
    }
    code, page = run(folder, frames, **keys)
    assert code == 0
    return page


def test_every_number_is_in_the_json_file(whole):
    sections = content(whole)["sections"]
    assert list(sections) == list(TITLES)
    for key, one in sections.items():
        assert one["verdict"] in ("good", "doubtful", "bad"), (key, one["text"])
        assert one["judgements"], key
        assert one["numbers"] or one["tables"], key


def test_the_page_in_a_browser(whole):
    """Without network: every section is there, with words, a verdict, and drawn plots."""
    api = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[test]'")
    browsers = ("chromium", "chromium-browser", "google-chrome")
    if not (program := next(filter(None, map(shutil.which, browsers)), None)):
        pytest.skip(f"needs a browser: one of {', '.join(browsers)}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(whole.as_uri())
        assert asked == [whole.as_uri()]
        assert wrong == []
        for key in TITLES:
            section = page.locator(f"section#{key}")
            text = section.inner_text()
            assert len(text) > 200, key
            assert not re.search(r"\b(nan|None|inf)\b", text), (key, text)
            verdict = section.locator(".end").inner_text()
            assert verdict.startswith(("Good.", "Doubtful.", "Bad.")), (key, verdict)
            drawn = [one.bounding_box() for one in section.locator("figure svg").all()]
            assert all(box["width"] > 100 and box["height"] > 50 for box in drawn), key
            if key not in ("data", "elastic", "speed"):
                assert drawn or section.locator("tbody tr").count() > 1, key
        assert page.locator("header tbody tr").count() == len(TITLES)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "the page is wider than the window"
        assert page.pdf()[:5] == b"%PDF-"
        browser.close()


def test_an_empty_folder(tmp_path, capsys):
    (tmp_path / "test").mkdir()
    assert run(tmp_path, tmp_path / "test")[0] == 2
    assert "expected *.example files" in capsys.readouterr().err
