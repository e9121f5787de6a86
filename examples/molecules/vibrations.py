"""A molecule at rest and in motion: relaxation, harmonic frequencies, a run without thermostat.

    python vibrations.py POTENTIAL START.xyz OUTPUT_DIR [--temperature 300] [--time 10] [--step 0.5]

Writes molecule.xyz, the relaxed molecule, and vibrations.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import read, write
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.vibrations import Vibrations

from panna.console import Progress, say
from panna.potential.calculator import PANNA

EVERY = 10  # steps between two energies


def relax(atoms: Atoms) -> float:
    """Moves the atoms to a minimum; returns the largest force left, eV/angstrom."""
    BFGS(atoms, logfile=None, maxstep=0.05).run(fmax=1e-4, steps=1000)
    return float(np.linalg.norm(atoms.get_forces(), axis=1).max())


def frequencies(atoms: Atoms) -> np.ndarray:
    """(3 N - 6,) cm^-1, imaginary ones negative; of a molecule at rest that is not linear."""
    with tempfile.TemporaryDirectory() as folder:
        vibrations = Vibrations(atoms, name=str(Path(folder) / "displacements"), delta=0.005)
        vibrations.run()
        found = vibrations.get_frequencies()
    # ASE says imaginary ones as complex numbers.
    signed = found.real - found.imag
    # Translations and rotations are the six nearest to zero.
    return np.sort(signed[np.argsort(np.abs(signed))[6:]])


def run(atoms: Atoms, temperature: float, time: float, step: float) -> dict[str, object]:
    """Without thermostat, from velocities of twice the temperature; time in ps, step in fs."""
    random = np.random.default_rng(1)
    # Half of it becomes potential energy.
    widths = np.sqrt(2 * units.kB * temperature * atoms.get_masses())
    atoms.set_momenta(widths[:, None] * random.standard_normal((len(atoms), 3)))
    Stationary(atoms)
    ZeroRotation(atoms)
    dynamics = VelocityVerlet(atoms, step * units.fs)
    steps = round(1e3 * time / step)
    degrees = 3 * len(atoms) - 6
    times, energies, temperatures = [], [], []
    with Progress(steps, "simulating", "steps") as progress:
        for number in range(0, steps, EVERY):
            dynamics.run(EVERY)
            times.append((number + EVERY) * step / 1e3)
            energies.append(atoms.get_total_energy())
            temperatures.append(2 * atoms.get_kinetic_energy() / degrees / units.kB)
            progress.advance(EVERY)
    slope, start = np.polyfit(times, energies, 1)
    noise = np.std(np.array(energies) - start - slope * np.array(times))
    return {
        "time_ps": times[-1],
        "step_fs": step,
        "temperature_K": float(np.mean(temperatures)),
        "drift_meV_per_atom_per_ps": 1e3 * slope / len(atoms),
        "noise_meV_per_atom": 1e3 * noise / len(atoms),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A molecule at rest and in motion.")
    parser.add_argument("potential")
    parser.add_argument("start", type=Path, help="its frame of lowest energy is taken")
    parser.add_argument("output", type=Path)
    parser.add_argument("--temperature", type=float, default=300, help="K")
    parser.add_argument("--time", type=float, default=10, help="ps")
    parser.add_argument("--step", type=float, default=0.5, help="fs")
    args = parser.parse_args()

    first = min(read(args.start, ":"), key=lambda frame: frame.get_potential_energy())
    atoms = Atoms(first.symbols, first.positions)
    atoms.calc = PANNA(args.potential, threads=1)
    force = relax(atoms)
    molecule = args.output / "molecule.xyz"
    write(molecule, Atoms(atoms.symbols, atoms.positions), format="extxyz")
    found = frequencies(atoms)
    imaginary = int((found < 0).sum())
    say(f"Relaxed to a largest force of {force:.1g} eV/angstrom: {molecule}")
    say(
        f"Harmonic frequencies: {len(found)}, "
        + ("all real" if not imaginary else f"{imaginary} imaginary (a saddle point)")
        + f", {found[0]:.0f} to {found[-1]:.0f} cm^-1"
    )
    nve = run(atoms, args.temperature, args.time, args.step)
    say(
        f"NVE: {nve['time_ps']:g} ps at {nve['temperature_K']:.0f} K, drift "
        f"{nve['drift_meV_per_atom_per_ps']:.2g} meV/atom per ps, noise "
        f"{nve['noise_meV_per_atom']:.2g} meV/atom"
    )
    numbers = {"largest_force_eV_per_angstrom": force, "frequencies_per_cm": found.tolist()}
    (args.output / "vibrations.json").write_text(json.dumps({**numbers, "nve": nve}, indent=1))
    say(f"Written to {args.output / 'vibrations.json'}")


if __name__ == "__main__":
    main()
