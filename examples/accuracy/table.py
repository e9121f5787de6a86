"""Test errors of all sets in results/, beside published ones: python table.py"""

import json
import sys
from pathlib import Path

from panna.console import say, table

# set: {method: (energy, forces)}; sources in README.md. Elements and alloy: meV per atom and
# eV/angstrom, MAE; ethanol: meV and eV/angstrom, MAE; water: meV per atom and eV/angstrom, RMSE.
PUBLISHED = {
    "Si": {"NNP": (5.63, 0.109), "GAP": (2.91, 0.07), "MTP": (2.21, 0.06)},
    "Ge": {"NNP": (4.89, 0.085), "GAP": (2.06, 0.05), "MTP": (1.79, 0.05)},
    "Mo": {"NNP": (3.65, 0.125), "GAP": (2.24, 0.09), "MTP": (2.83, 0.09)},
    "Ni": {"NNP": (1.52, 0.030), "GAP": (0.42, 0.02), "MTP": (0.48, 0.01)},
    "alloy": {"SNAP": (4.97, 0.125)},
    "ethanol": {"ANI": (2.5, 0.0134), "sGDML": (2.4, 0.0160), "GAP": (3.5, 0.0181)},
    "water": {},
}


def errors(folder: Path) -> tuple[float, float]:
    with open(folder / "test" / "summary.json") as file:
        network = json.load(file)["networks"][0]
    energy, forces = network["energy"], network["forces"]
    if folder.name == "water":
        return energy["rmse_meV_per_atom"], forces["rmse_eV_per_angstrom"]
    if folder.name == "ethanol":
        return 1e3 * energy["mae_eV"], forces["mae_eV_per_angstrom"]
    return energy["mae_meV_per_atom"], forces["mae_eV_per_angstrom"]


def main() -> None:
    rows = []
    for name, published in PUBLISHED.items():
        folder = Path(__file__).parent / "results" / name
        if not (folder / "test" / "summary.json").exists():
            continue
        energy, force = errors(folder)
        unit = "meV" if name == "ethanol" else "meV/atom"
        kind = "RMSE" if name == "water" else "MAE"
        others = ", ".join(f"{who} {e} and {f}" for who, (e, f) in published.items())
        rows.append([name, f"{kind} {energy:.2f} {unit}", f"{force:.4f} eV/angstrom", others])
    if not rows:
        sys.exit("panna: error: nothing in results/; bash run.sh first")
    say()
    say(table(["set", "energy", "forces", "published"], rows))


if __name__ == "__main__":
    main()
