"""Test errors of all sets in results/, beside published ones: python table.py"""

import json
import statistics
import sys
from pathlib import Path

from panna.console import say, table

# set: {method: (energy, forces)}; sources in README.md. Elements and alloy: meV per atom and
# eV/angstrom, MAE; ethanol: meV and eV/angstrom, MAE; those of RMSE: meV per atom and eV/angstrom.
PUBLISHED = {
    "Si": {"NNP": (5.63, 0.109), "GAP": (2.91, 0.07), "MTP": (2.21, 0.06)},
    "Ge": {"NNP": (4.89, 0.085), "GAP": (2.06, 0.05), "MTP": (1.79, 0.05)},
    "Mo": {"NNP": (3.65, 0.125), "GAP": (2.24, 0.09), "MTP": (2.83, 0.09)},
    "Ni": {"NNP": (1.52, 0.030), "GAP": (0.42, 0.02), "MTP": (0.48, 0.01)},
    "alloy": {"SNAP": (4.94, 0.109)},
    "alloy, Multinary_Test": {"SNAP": (5.75, 0.189)},
    "ethanol": {"ANI": (2.5, 0.0134), "sGDML": (2.4, 0.0160), "GAP": (3.5, 0.0181)},
    "water": {},
    "silicon_sw": {"PANNA, 8000 frames": (2.7, 0.134)},
}
RMSE = ("water", "silicon_sw")


def errors(summary: Path, name: str) -> tuple[float, float]:
    """Errors of energy and forces in the units of PUBLISHED."""
    with open(summary) as file:
        network = json.load(file)["networks"][0]
    if name.startswith("alloy"):
        # Frames of three and four elements: the training set has two at most.
        multinary = "Multinary" in name
        groups = [g for which, g in network["groups"].items() if multinary == ("Multi" in which)]
        return (
            mean_error(groups, "energy", "structures", "mae_meV_per_atom"),
            mean_error(groups, "forces", "components", "mae_eV_per_angstrom"),
        )
    energy, forces = network["energy"], network["forces"]
    if name in RMSE:
        return energy["rmse_meV_per_atom"], forces["rmse_eV_per_angstrom"]
    if name == "ethanol":
        return 1e3 * energy["mae_eV"], forces["mae_eV_per_angstrom"]
    return energy["mae_meV_per_atom"], forces["mae_eV_per_angstrom"]


def mean_error(groups: list[dict], what: str, weight: str, error: str) -> float:
    """Over the frames of several groups."""
    weights = [group[what][weight] for group in groups]
    return sum(w * g[what][error] for w, g in zip(weights, groups, strict=True)) / sum(weights)


def mean_and_spread(values: list[float], digits: int) -> str:
    """The mean and, of several values, their standard deviation."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean + (f" +- {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def main() -> None:
    rows = []
    for name, published in PUBLISHED.items():
        folder = Path(__file__).parent / "results" / name.split(",")[0]
        found = sorted(folder.glob("test_*/summary.json"))
        if not found:
            continue
        energies, forces = zip(*(errors(summary, name) for summary in found), strict=True)
        rows.append(
            [
                name,
                len(found),
                "RMSE" if name in RMSE else "MAE",
                mean_and_spread(energies, 2) + (" meV" if name == "ethanol" else " meV/atom"),
                mean_and_spread(forces, 4) + " eV/angstrom",
                ", ".join(f"{who} {e} and {f}" for who, (e, f) in published.items()),
            ]
        )
    if not rows:
        sys.exit("panna: error: nothing in results/; bash run.sh first")
    say()
    say(table(["set", "seeds", "error", "energy", "forces", "published"], rows))


if __name__ == "__main__":
    main()
