"""Time per atom and memory for silicon from 10^2 to 10^5 atoms, one core.

    python benchmarks/scaling.py [--rounds 7]

Every size runs in a process of its own, so that its peak memory can be told; the memory of Python
and its libraries, measured with 8 atoms, is taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from machine import header
from systems import silicon

from panna.console import say, table
from panna.descriptors import evaluate
from panna.frames.neighbours import neighbour_list
from panna.potential.compiled import open_potential, pair_gradient

REPEATS = (1, (2, 2, 3), (5, 5, 5), (10, 10, 12), (23, 23, 24))


def measure(repeat: tuple[int, int, int], rounds: int) -> dict[str, float]:
    """Microseconds per atom of each step, and peak memory in bytes."""
    system = silicon(repeat)
    (frame,), parameters = system.frames, system.parameters
    with tempfile.TemporaryDirectory() as folder:
        system.potential(Path(folder), (32, 16, 1))
        potential = open_potential(folder)
    nl = neighbour_list(frame, parameters.species, parameters.cutoff)
    g_bar = np.ones((frame.n_atoms, parameters.size))
    jobs = {
        "list": lambda: neighbour_list(frame, parameters.species, parameters.cutoff),
        "G": lambda: evaluate.compute(parameters, nl, threads=1),
        "vjp": lambda: evaluate.vjp(parameters, nl, g_bar, threads=1),
        "forces": lambda: pair_gradient(potential, nl, threads=1),
    }
    found: dict[str, float] = {"atoms": frame.n_atoms}
    calls = max(1, 10000 // frame.n_atoms)  # long enough for the clock
    for name, job in jobs.items():
        times = []
        for _ in range(rounds):
            start = time.process_time()
            for _ in range(calls):
                job()
            times.append(time.process_time() - start)
        found[name] = 1e6 * min(times) / (calls * frame.n_atoms)
    found["bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.size:
        print(json.dumps(measure(tuple(options.size), options.rounds)))
        return
    rows, empty = [], 0.0
    for repeat in REPEATS:
        size = (repeat,) * 3 if isinstance(repeat, int) else repeat
        command = [sys.executable, __file__, "--rounds", str(options.rounds), "--size"]
        text = subprocess.run([*command, *map(str, size)], capture_output=True, check=True).stdout
        m = json.loads(text)
        if not empty:
            empty = m["bytes"]
            continue
        rows.append(
            [
                m["atoms"],
                *(f"{m[name]:.2f}" for name in ("list", "G", "vjp", "forces")),
                f"{(m['bytes'] - empty) / m['atoms'] / 1e3:.1f}",
            ]
        )
    say(header("numpy", "vesin"))
    say("silicon, 48 components; CPU time of one thread in microseconds per atom, the fastest of")
    say(f"{options.rounds} rounds (slow spells do not meet all sizes alike), and peak memory")
    say(table(["atoms", "list", "G", "vjp", "energy and forces", "kB/atom"], rows))


if __name__ == "__main__":
    main()
