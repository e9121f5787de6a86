"""Time of descriptors per atom on one core: G, G with vjp, G with jvp, the whole Jacobian.

    python benchmarks/descriptors.py [--rounds 15]

216 silicon atoms at 0.985 of the lattice constant with random displacements: about 26 neighbours
and 310 pairs of neighbours within 4.6 angstrom, 48 components (16 radial, 4 x 8 angular).
The peer in the same run is dscribe's ACSF where it is installed (pip install dscribe) with as
many components of the same kinds.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from ase.build import bulk
from machine import header, interleaved

from panna import core
from panna.console import say, table
from panna.descriptors import evaluate
from panna.descriptors.parameters import MBP
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list

CUTOFF = 4.6


def centres(first: float, count: int) -> tuple[float, ...]:
    return tuple(first + m * (CUTOFF - first) / count for m in range(count))


def silicon():
    """ASE atoms of a disordered 216-atom cell."""
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    atoms.set_cell(atoms.cell * 0.985, scale_atoms=True)
    atoms.positions += np.random.default_rng(0).normal(0, 0.15, atoms.positions.shape)
    return atoms


def peers(atoms) -> dict[str, object]:
    try:
        from dscribe.descriptors import ACSF
    except ImportError:
        return {}
    acsf = ACSF(
        r_cut=CUTOFF,
        g2_params=[[16.0, r] for r in centres(0.5, 15)],
        g4_params=[
            [0.05 * (e + 1), zeta, sign]
            for e in range(4)
            for zeta in (1, 4, 16, 50)
            for sign in (1, -1)
        ],
        species=["Si"],
        periodic=True,
    )
    return {"dscribe ACSF, G": lambda: acsf.create(atoms)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    atoms = silicon()
    n = len(atoms)
    frame = Frame(
        species=tuple(atoms.get_chemical_symbols()),
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=np.ones(3, bool),
    )
    parameters = MBP(
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
    nl = neighbour_list(frame, parameters.species, CUTOFF)
    counts = np.diff(nl.first)
    say(header("numpy", "ase", "vesin", "dscribe"))
    say(
        f"{n} atoms, {counts.mean():.1f} neighbours and {np.mean(counts * (counts - 1) / 2):.0f} "
        f"pairs of neighbours per atom, {parameters.size} components; CPU time of one thread, "
        f"median of {rounds} interleaved rounds"
    )
    rng = np.random.default_rng(1)
    g_bar = rng.normal(size=(n, parameters.size))
    tangents = rng.normal(size=nl.vectors.shape)

    def with_isa(isa, function, *arrays):
        def job():
            core.set_isa(isa)
            function(parameters, nl, *arrays, threads=1)

        return job

    jobs = {}
    for isa in core.isas():
        jobs[f"panna {isa}, G"] = with_isa(isa, evaluate.compute)
        jobs[f"panna {isa}, G with vjp"] = with_isa(isa, evaluate.vjp, g_bar)
        jobs[f"panna {isa}, G with jvp"] = with_isa(isa, evaluate.jvp, tangents)
        jobs[f"panna {isa}, whole Jacobian"] = with_isa(isa, evaluate.jacobian)
    jobs["neighbour list"] = lambda: neighbour_list(frame, parameters.species, CUTOFF)
    jobs.update(peers(atoms))
    times = interleaved(jobs, rounds)
    base = np.median(times[f"panna {core.isas()[-1]}, G"])
    rows = [
        [
            name,
            f"{np.median(t) / n * 1e6:.2f}",
            f"{t.min() / n * 1e6:.2f}",
            f"{np.median(t) / base:.2f}",
        ]
        for name, t in times.items()
    ]
    say(table(["what", "us/atom", "fastest", "ratio to G"], rows))


if __name__ == "__main__":
    main()
