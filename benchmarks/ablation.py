"""What each setting of the recipe in examples/accuracy/elements is worth.

    python benchmarks/ablation.py [--epochs 150] [--splits 2] [--only NAME ...] [--folder DIR]

Silicon and molybdenum of Zuo et al. (2020), training frames only: in every split another fifth,
drawn by the seed, is kept for validation. One setting changes at a time; the errors are those of
the last epoch on the frames kept back, means over the splits. The published test sets take no
part. Trainings that DIR holds already are not repeated. Two minutes for each training.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from machine import header

from panna.console import say, table

EXAMPLES = Path(__file__).parents[1] / "examples"
RECIPE = EXAMPLES / "accuracy" / "elements"
SETS = {
    "Si": (EXAMPLES / "quickstart" / "data" / "Si_train.xyz.xz", "5.2"),
    "Mo": (EXAMPLES / "accuracy" / "data" / "Mo_train.xyz.xz", "5.2"),
}
# name: changes of gvect.ini and train.ini, key = value; None removes a key
CHANGES: dict[str, dict[str, str | None]] = {
    "the recipe": {},
    "adam, no weight decay": {"optimiser": "adam", "weight_decay": None},
    "weight_decay = 0.2": {"weight_decay": "0.2"},
    "activations: gaussian": {"activations": "gaussian:gaussian:linear"},
    "forces_cost = 0.01": {"forces_cost": "0.01"},
    "forces_cost = 0.2": {"forces_cost": "0.2"},
    "constant learning rate of 0.001": {"learning_rate": "0.001", "learning_rate_final": None},
    "learning_rate = 0.003": {"learning_rate": "0.003"},
    "schedule = cosine": {"schedule": "cosine"},
    "batch_size = 32": {"batch_size": "32"},
    "no running average": {"average_decay": "0"},
    "standardise = False": {"standardise": "False"},
    "output_offset = 0": {"output_offset": "0"},
    "quad losses per frame": {"loss_function": "quad", "floss_function": "quad"},
    "88:32:16:1": {"architecture": "32:16:1"},
    "16 + 4 x 8 components": {"RsN_rad": "16", "RsN_ang": "4", "eta_ang": "0.8"},
}


def changed(text: str, changes: dict[str, str | None]) -> str:
    """An ini file with other values; a new key goes behind `seed`."""
    for key, value in changes.items():
        line = "" if value is None else f"{key} = {value}\n"
        text, count = re.subn(rf"(?m)^{key} = .*\n", line, text)
        if not count and line:
            text = re.sub(r"(?m)^(seed = .*\n)", rf"\g<1>{line}", text)
    return text


def run(program: str, folder: Path, name: str, changes: dict[str, str | None]) -> None:
    element = folder.parent.name
    text = (RECIPE / f"{program}.ini").read_text()
    text = text.replace("ELEMENT", element).replace("CUTOFF", SETS[element][1])
    (folder / f"{name}.ini").write_text(changed(text, changes))
    module = {"gvect": "gvect_calculator", "tfr": "tfr_packer"}.get(program, program)
    command = [sys.executable, "-m", f"panna.{module}", "--config", f"{name}.ini"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{folder / name}.ini: {done.stderr}")


def errors(element: str, name: str, split: int, epochs: int, root: Path) -> tuple[float, float]:
    """MAE on the frames kept back: energy in meV/atom, forces in eV/angstrom."""
    changes = CHANGES[name]
    descriptor = {k: v for k, v in changes.items() if k.startswith(("Rs", "eta_", "Rc", "zeta"))}
    label = re.sub(r"[^\w.]+", "_", name)  # of files and folders
    folder = root / element / f"{label if descriptor else 'the_recipe'}_{split}"
    if not (folder / "tfr").exists():
        folder.mkdir(parents=True, exist_ok=True)
        parser = [sys.executable, "-m", "panna.tools.exyz_parser"]
        paths = ["-i", str(SETS[element][0]), "-o", str(folder / "examples" / "train")]
        subprocess.run([*parser, *paths], check=True, capture_output=True)
        run("gvect", folder, "gvect", descriptor)
        run("tfr", folder, "tfr", {"validation_fraction": "0.2", "seed": str(split)})
    keys = {k: v for k, v in changes.items() if k not in descriptor}
    keys |= {"max_epochs": str(epochs), "train_dir": f"train_{label}_{epochs}", "seed": str(split)}
    run("train", folder, f"train_{label}", keys)
    with open(folder / f"train_{label}_{epochs}" / "metrics.csv") as file:
        last = list(csv.DictReader(file))[-1]
    energy, force = "validation_energy_mae_eV_per_atom", "validation_force_mae_eV_per_angstrom"
    return 1e3 * float(last[energy]), float(last[force])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--folder", type=Path, default=Path("results/ablation"))
    options = parser.parse_args()
    rows = []
    for name in options.only:
        row = [name]
        for element in SETS:
            found = np.array(
                [
                    errors(element, name, split, options.epochs, options.folder.resolve())
                    for split in range(1, options.splits + 1)
                ]
            )
            mean, spread = found.mean(axis=0), np.ptp(found, axis=0) / 2
            row += [f"{mean[0]:.2f} ({spread[0]:.2f})", f"{mean[1]:.4f} ({spread[1]:.4f})"]
        rows.append(row)
        print(*row, sep=" | ", file=sys.stderr, flush=True)
    say(header("panna", "tensorflow-cpu"))
    say("MAE on frames kept back, meV/atom and eV/angstrom; half the range of the splits behind")
    heads = [f"{element} {what}" for element in SETS for what in ("E", "F")]
    say(table(["what", *heads], rows))


if __name__ == "__main__":
    main()
