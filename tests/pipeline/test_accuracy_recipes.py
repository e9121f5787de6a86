"""The recipes of examples/accuracy, each on a few frames and with few epochs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from descriptor_cases import mbp
from example_scripts import with_values
from training_cases import labelled_frame

from panna import evaluate, gvect_calculator, tfr_packer, train
from panna.frames.example_file import read_example, write_example
from panna.frames.frame import Frame
from panna.tools import exyz_parser

pytest.importorskip("tensorflow")
EXAMPLES = Path(__file__).parents[2] / "examples"
SETS = {
    "elements": EXAMPLES / "accuracy" / "data" / "Ge_train.xyz.xz",
    "ethanol": EXAMPLES / "learning_curve" / "data" / "train.xyz.xz",
    "alloy": ("Nb", "Mo", "Ta", "W"),
    "water": ("H", "O"),
    "silicon_sw": ("Si",),
}


def frames_of(source: Path | tuple[str, ...], folder: Path) -> list[Frame]:
    if isinstance(source, tuple):
        return [labelled_frame(mbp(species=source), i) for i in range(40)]
    assert exyz_parser.main(["-i", str(source), "-o", str(folder)]) == 0
    paths = sorted(folder.glob("*.example"))
    return [read_example(path) for path in paths[:: len(paths) // 40]][:40]


@pytest.mark.parametrize("recipe", SETS)
def test_a_recipe_learns(recipe, tmp_path, monkeypatch):
    frames = frames_of(SETS[recipe], tmp_path / "all")
    for i, frame in enumerate(frames):
        folder = tmp_path / "examples" / ("test" if i % 5 == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        write_example(frame, folder / f"{i:02d}.example")
    for program in ("gvect", "tfr", "train", "evaluate"):
        place = EXAMPLES / "accuracy" / ("" if program == "evaluate" else recipe)
        text = (place / f"{program}.ini").read_text()
        text = text.replace("ELEMENT", "Ge").replace("CUTOFF", "5.4")
        text = with_values(text, max_epochs="40", number_of_process="1")
        (tmp_path / f"{program}.ini").write_text(text)
    monkeypatch.chdir(tmp_path)
    for name, program in (("gvect", gvect_calculator), ("tfr", tfr_packer), ("train", train),
                          ("evaluate", evaluate)):  # fmt: skip
        assert program.main(["--config", f"{name}.ini"]) == 0

    (network,) = json.loads((tmp_path / "test" / "summary.json").read_text())["networks"]
    assert network["forces"]["components"] == sum(3 * frame.n_atoms for frame in frames[::5])
    with open(tmp_path / "train" / "metrics.csv") as file:
        epochs = list(csv.DictReader(file))
    learned = float(epochs[-1]["train_force_rmse_eV_per_angstrom"])
    known = [frame.forces.ravel() for i, frame in enumerate(frames) if i % 5]
    assert learned < 0.6 * np.sqrt(np.mean(np.concatenate(known) ** 2))


def test_frames_in_arrays(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "positions": rng.uniform(0, 5, (3, 2, 3)),
        "forces": rng.normal(size=(3, 2, 3)),
        "energy": np.array([-8.0, -9.0, -10.0]),
        "box": np.array([5.0, 6.0, 7.0]),
        "group": np.array(["solid", "liquid", "volume 0.9"]),
        "split": np.array(["train", "validation", "train"]),
    }
    np.savez(tmp_path / "frames.npz", **arrays)
    script = EXAMPLES / "accuracy" / "arrays.py"
    files = ["frames.npz", "train.xyz", "test.xyz"]
    subprocess.run([sys.executable, script, *files], cwd=tmp_path, check=True)
    for name, numbers in (("train", [0, 2]), ("test", [1])):
        frames = read(tmp_path / f"{name}.xyz", ":")
        assert len(frames) == len(numbers)
        for atoms, k in zip(frames, numbers, strict=True):
            assert atoms.info["group"] == arrays["group"][k] and atoms.pbc.all()
            assert atoms.cell.lengths() == pytest.approx(arrays["box"][k])
            assert atoms.get_potential_energy() == arrays["energy"][k]
            np.testing.assert_allclose(atoms.positions, arrays["positions"][k], atol=1e-7)
            np.testing.assert_allclose(atoms.get_forces(), arrays["forces"][k], atol=1e-7)
