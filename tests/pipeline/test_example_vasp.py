"""examples/vasp_nacl with a part of its files and a short training: from VASP to a potential."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np

from panna import evaluate, extract_weights, gvect_calculator, tfr_packer, train
from panna.frames.example_file import read_example
from panna.frames.example_folder import list_examples
from panna.potential.compiled import evaluate_frame, open_potential
from panna.tools import data_doctor, gvect_suggest, plot_training, vasp_parser

EXAMPLE = Path(__file__).parents[2] / "examples" / "vasp_nacl"


def test_from_vasp_to_a_potential(tmp_path, monkeypatch):
    for ini in EXAMPLE.glob("*.ini"):
        text = ini.read_text().replace("max_epochs = 300", "max_epochs = 250")
        (tmp_path / ini.name).write_text(text)
    (tmp_path / "results" / "vasp").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "results")
    with tarfile.open(EXAMPLE / "data" / "vasprun_xmls.tar.xz") as archive:
        for member in [
            m for m in archive if m.name.endswith(("0.xml", "5.xml")) and "vasprun-0" in m.name
        ]:
            with Path("vasp", Path(member.name).name).open("wb") as file:
                shutil.copyfileobj(archive.extractfile(member), file)
    assert vasp_parser.main(["-i", "vasp", "-o", "examples"]) == 0
    assert data_doctor.main(["-i", "examples", "-o", "data.html"]) == 0
    suggestion = ["-i", "examples", "-o", "gvect.ini", "--plot", "resolution.png"]
    assert gvect_suggest.main(suggestion) == 0
    assert gvect_calculator.main(["-c", "gvect.ini"]) == 0
    assert tfr_packer.main(["-c", "../tfr.ini"]) == 0
    assert train.main(["-c", "../train.ini"]) == 0
    assert plot_training.main(["-i", "train", "-o", "training.png"]) == 0
    assert evaluate.main(["-c", "../evaluate.ini"]) == 0
    assert extract_weights.main(["-c", "../extract.ini"]) == 0

    summary = json.loads(Path("test", "summary.json").read_text())["networks"][0]
    frames = [read_example(path) for path in list_examples("examples")]
    forces = np.concatenate([frame.forces for frame in frames])
    assert len(frames) >= 10
    assert summary["forces"]["rmse_eV_per_angstrom"] < 0.2 * np.sqrt(np.mean(forces**2))
    potential = open_potential("potential")
    found = [evaluate_frame(potential, frame).forces for frame in frames]
    assert np.sqrt(np.mean((np.concatenate(found) - forces) ** 2)) < 0.2 * np.sqrt(
        np.mean(forces**2)
    )
