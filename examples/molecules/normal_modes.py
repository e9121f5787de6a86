"""Energies of a molecule along its normal modes: the potential and its spread beside DFT.

    python normal_modes.py POTENTIAL OUTPUT_DIR SCAN.xyz...

Writes normal_modes.png and normal_modes.json.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

from panna.console import say, table
from panna.potential.calculator import PANNA
from panna.report.svg import COLOURS, STYLE, figure_of


@dataclass(frozen=True)
class Scan:
    """Along a mode; all (n,), in the order of the displacement.

    displacement: as the file says. reference, predicted: eV, over that of the frame where the
    reference is lowest. spread: eV, standard deviation of the members. outside: components of the
    descriptors outside the range of the training set.
    """

    name: str
    displacement: np.ndarray
    reference: np.ndarray
    predicted: np.ndarray
    spread: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, name: str, frames: list[Atoms], calculator: PANNA) -> Scan:
        rows = []
        for atoms in sorted(frames, key=lambda atoms: atoms.info["displacement"]):
            copy = Atoms(atoms.symbols, atoms.positions)
            calculator.calculate(copy)
            found = calculator.results
            rows.append(
                (
                    atoms.info["displacement"],
                    atoms.get_potential_energy(),
                    found["energy"],
                    found.get("energy_std", 0.0),
                    np.sum(found.get("components_outside", 0)),
                )
            )
        displacement, reference, predicted, spread, outside = np.array(rows).T
        lowest = reference.argmin()
        return cls(
            name, displacement, reference - reference[lowest], predicted - predicted[lowest],
            spread, outside,
        )  # fmt: skip

    def row(self, most: float) -> list:
        """For the table: errors where the reference is below `most` eV."""
        near = self.reference <= most
        errors = (self.predicted - self.reference)[near]
        return [
            self.name,
            f"below {most:g} eV",
            int(near.sum()),
            f"{1e3 * np.sqrt(np.mean(errors**2)):.1f}",
            f"{1e3 * np.abs(errors).max():.1f}",
            f"{1e3 * self.spread[near].mean():.1f}",
            int((self.outside[near] > 0).sum()),
        ]


def draw(scans: list[Scan]):
    figure = figure_of(4.2 * len(scans), 3.4)
    for axes, scan in zip(figure.subplots(1, len(scans), squeeze=False)[0], scans, strict=True):
        low, high = scan.predicted - 2 * scan.spread, scan.predicted + 2 * scan.spread
        axes.fill_between(scan.displacement, low, high, color=COLOURS[0], alpha=0.25, lw=0,
                          label="two standard deviations")  # fmt: skip
        axes.plot(scan.displacement, scan.predicted, color=COLOURS[0], label="potential")
        axes.plot(scan.displacement, scan.reference, "o", ms=3, color=COLOURS[1], label="DFT")
        axes.set_title(scan.name.replace("_", " "))
        axes.set_xlabel("displacement")
        axes.set_ylabel("energy (eV)")
        axes.set_ylim(min(-0.1, 1.1 * scan.reference.min()), 1.3 * scan.reference.max())
        axes.legend()
    return figure


def main() -> None:
    potential, output = sys.argv[1], Path(sys.argv[2])
    calculator = PANNA(potential)
    scans = [
        Scan.of(Path(path).stem.removeprefix("test_"), read(path, ":", format="extxyz"), calculator)
        for path in sys.argv[3:]
    ]
    import matplotlib

    with matplotlib.rc_context(STYLE):
        draw(scans).savefig(output / "normal_modes.png", dpi=150)
    headers = ["mode", "DFT energies", "frames", "RMSE meV", "largest", "mean spread",
               "frames outside the training range"]  # fmt: skip
    rows = [scan.row(most) for scan in scans for most in (0.5, 1.0, 100.0)]
    lists = [
        {key: value if key == "name" else value.tolist() for key, value in vars(scan).items()}
        for scan in scans
    ]
    (output / "normal_modes.json").write_text(
        json.dumps({"headers": headers, "rows": rows, "scans": lists}, indent=1)
    )
    say(table(headers, rows))
    say(f"Written to {output}: normal_modes.png, normal_modes.json")


if __name__ == "__main__":
    main()
