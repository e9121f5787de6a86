"""Conservation of energy: python nve.py FOLDER, for the nve_STYLE_TEMPERATURE.dat of in.nve."""

import sys
from pathlib import Path

import matplotlib
import numpy as np

from panna.console import say, table

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main(folder: Path) -> None:
    files = sorted(folder.glob("nve_*_*.dat"))
    if not files:
        sys.exit(f"panna: error: no nve_STYLE_TEMPERATURE.dat in {folder}; run in.nve first")
    rows = []
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for file, line in zip(files, ("-", "-", "--", "--"), strict=False):
        style, target = file.stem.split("_")[1:]
        time, temperature, energy = np.loadtxt(file, unpack=True)
        slope, start = np.polyfit(time, energy, 1)
        spread = np.std(energy - start - slope * time)
        rows.append(
            [
                style,
                target,
                f"{temperature.mean():.0f}",
                f"{time[-1]:.1f}",
                f"{1e6 * spread:.2f}",
                f"{1e6 * slope:+.3f}",
            ]
        )
        axes.plot(time, 1e6 * (energy - energy[0]), line, lw=0.7, label=f"{style}, {target} K")
    say(
        table(
            ["style", "K wanted", "K", "ps", "fluctuation ueV/atom", "drift ueV/atom per ps"], rows
        )
    )
    axes.set(xlabel="time (ps)", ylabel="total energy - first (μeV/atom)")
    axes.legend()
    figure.savefig(folder / "nve.png", dpi=150)
    say(f"plot: {folder / 'nve.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
