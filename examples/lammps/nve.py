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
    rows, lines = [], {}
    for file in files:
        style, target = file.stem.split("_")[1:]
        time, temperature, energy = np.loadtxt(file, unpack=True)
        slope, start = np.polyfit(time, energy, 1)
        spread = np.std(energy - start - slope * time)
        row = [style, target, f"{temperature.mean():.0f}", f"{time[-1]:.1f}"]
        rows.append([*row, f"{1e6 * spread:.2f}", f"{1e6 * slope:+.3f}"])
        lines.setdefault(target, []).append((style, time, 1e6 * (energy - energy.mean())))
    titles = ["style", "K wanted", "K", "ps", "fluctuation ueV/atom", "drift ueV/atom per ps"]
    say(table(titles, rows))

    figure, panels = plt.subplots(
        len(lines),
        1,
        sharex=True,
        squeeze=False,
        figsize=(7, 2.5 * len(lines)),
        layout="constrained",
    )
    for axes, (target, runs) in zip(panels[:, 0], sorted(lines.items()), strict=True):
        # The reference behind, in grey: the two should be alike.
        for style, time, energy in sorted(runs, key=lambda run: run[0], reverse=True):
            colour = "0.6" if style == "sw" else "C0"
            axes.plot(time, energy, color=colour, lw=0.6, alpha=0.8, label=style)
        axes.set(title=f"{target} K", ylabel="energy - mean (μeV/atom)")
        axes.legend(loc="upper right")
    panels[-1, 0].set_xlabel("time (ps)")
    figure.savefig(folder / "nve.png", dpi=110)
    say(f"plot: {folder / 'nve.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
