"""The end of the quickstart: errors beside published potentials, drift of the energy, a plot."""

import json

import matplotlib
import numpy as np

from panna.console import say, table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Mean absolute errors on the same test set, meV/atom and eV/angstrom. NNP, SNAP and qSNAP: the
# coefficients of Zuo et al. (2020), evaluated with n2p2 and LAMMPS; GAP and MTP: as quoted from
# the paper.
PUBLISHED = {
    "NNP": (5.63, 0.109),
    "SNAP": (6.44, 0.133),
    "qSNAP": (3.81, 0.116),
    "GAP": (2.91, 0.07),
    "MTP": (2.21, 0.06),
}


def drift(time, energy):
    """Slope in meV/atom per ps of energies in eV/atom, and the fitted line."""
    slope, start = np.polyfit(time, energy, 1)
    return 1e3 * slope, start + slope * time


def main() -> None:
    with open("results/test/summary.json") as file:
        network = json.load(file)["networks"][0]
    errors = (network["energy"]["mae_meV_per_atom"], network["forces"]["mae_eV_per_angstrom"])
    say("Mean absolute errors on the 25 test frames of Zuo et al. (2020):")
    rows = [["PANNA, this run", f"{errors[0]:.2f}", f"{errors[1]:.3f}"]]
    rows += [[name, f"{e:.2f}", f"{f:.3f}"] for name, (e, f) in PUBLISHED.items()]
    say(table(["potential", "E meV/atom", "F eV/angstrom"], rows))

    time, temperature, energy = np.loadtxt("results/nve.dat", usecols=(0, 1, 3), unpack=True)
    slope, line = drift(time, energy)
    say()
    say(
        f"NVE: 1000 atoms, {time[-1]:g} ps, {temperature.mean():.0f} K: the total energy drifts by "
        f"{slope:.1g} meV/atom per ps"
    )

    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 5), layout="constrained")
    upper.plot(time, 1e3 * (energy - energy[0]), lw=0.8)
    upper.plot(time, 1e3 * (line - energy[0]), "k--", lw=1, label=f"{slope:.1g} meV/atom per ps")
    upper.set_ylabel("total energy - first (meV/atom)")
    upper.set_title("NVE of 1000 Si atoms, 1 fs")
    upper.legend()
    lower.plot(time, temperature, lw=0.8)
    lower.set_ylabel("temperature (K)")
    lower.set_xlabel("time (ps)")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig("results/nve.png", dpi=150)

    say()
    say("Look at")
    plots = f"results/test/{network['label']}"
    for what, where in (
        ("predictions and references", f"{plots}_energies.png, {plots}_forces.png"),
        ("energy during the run", "results/nve.png"),
        ("potential for LAMMPS and ASE", "results/potential"),
        ("the training", "tensorboard --logdir results/train"),
    ):
        say(f"  {what:<30}{where}")


if __name__ == "__main__":
    main()
