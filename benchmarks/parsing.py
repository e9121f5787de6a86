"""panna_exyz_parser on many frames: time and memory, beside ASE's reading of the same file.

    python benchmarks/parsing.py [--frames 1000 10000] [--atoms 200] [--folder DIR]

Frames of silicon with energy, forces and stress. The parser checks every frame (shapes, numbers,
distances) and writes one .example for each; ASE's row is `ase.io.iread` alone, which writes
nothing. Memory is the largest resident set of the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import header

from panna.console import say, table

EDGE, SPACING = 14.7, 2.45  # angstrom
ASE = "import sys, ase.io; print(sum(1 for _ in ase.io.iread(sys.argv[1], format='extxyz')))"


def write_frames(path: Path, frames: int, atoms: int) -> None:
    """A cubic lattice with random displacements; random forces."""
    random = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(-1, 3)[:atoms] * SPACING
    lattice = " ".join(f"{x:g}" for x in (EDGE * np.eye(3)).ravel())
    with path.open("w") as file:
        for _ in range(frames):
            rows = np.hstack(
                [grid + random.normal(0, 0.1, grid.shape), random.normal(size=grid.shape)]
            )
            file.write(
                f'{atoms}\nLattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 '
                f'energy={-4 * atoms + random.random():.8f} stress="0.1 0 0 0 0.1 0 0 0 0.1" '
                'pbc="T T T"\n'
            )
            file.writelines("Si " + " ".join(f"{x:.8f}" for x in row) + "\n" for row in rows)


def measure(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and largest resident set in bytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    wall = time.perf_counter() - start
    return wall, usage.ru_utime + usage.ru_stime, unit * usage.ru_maxrss


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--atoms", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary one")
    args = parser.parse_args()
    say(header("ase", "panna"))
    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        for frames in args.frames:
            path = folder / f"{frames}.xyz"
            write_frames(path, frames, args.atoms)
            command = ["-m", "panna.tools.exyz_parser", "-i", str(path), "-o"]
            ours = measure([sys.executable, *command, str(folder / str(frames))])
            peer = measure([sys.executable, "-c", ASE, str(path)])
            for what, (wall, cpu, memory) in (("panna_exyz_parser", ours), ("ASE, reading", peer)):
                ratio = f"{cpu / peer[1]:.2f}"
                rows.append(
                    [frames, what, f"{wall:.1f}", f"{cpu:.1f}", ratio, f"{memory / 1e6:.0f}"]
                )
    say(table(["frames", "what", "wall, s", "CPU, s", "CPU/ASE", "memory, MB"], rows))


if __name__ == "__main__":
    main()
