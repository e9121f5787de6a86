"""CPU time per atom on one core: descriptors, their derivatives, energies and forces.

    python benchmarks/descriptors.py [--rounds 51] [--only S1]

S1: 216 disordered silicon atoms, 48 components. BP: the same atoms, 48 components of Behler and
Parrinello. S2: 64 water molecules, 128 components. S3: 100 ethanol molecules, descriptor of four
species, 384 components. The neighbour list is given. vjp and jvp: products of the Jacobian with a
vector, without G. Energies and forces with a network components:32:16:1 for each species. Peers in
the same run, where pip has them: dscribe ACSF, with the same components for BP and else with as
many of BP's kinds; torchani AEV (S3).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TORCHANI_NO_WARN_EXTENSIONS"] = "1"

import numpy as np
from ase import Atoms
from machine import header, interleaved
from systems import System, ethanol, silicon, silicon_bp, water

from panna import core
from panna.console import say, table
from panna.descriptors import evaluate
from panna.potential.compiled import open_potential, pair_gradient

SYSTEMS = {"S1": silicon, "BP": silicon_bp, "S2": water, "S3": ethanol}
NETWORK = (32, 16, 1)


def our_jobs(system: System, folder: Path) -> dict[str, Callable[[], object]]:
    parameters, nl = system.parameters, system.neighbours()
    system.potential(folder, NETWORK)
    full, mixed = open_potential(folder), open_potential(folder, precision="mixed")
    g_bar = np.random.default_rng(1).normal(size=(system.n_atoms, parameters.size))
    tangents = np.random.default_rng(2).normal(size=nl.vectors.shape)

    def with_isa(isa: str, job: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            core.set_isa(isa)
            job()

        return run

    jobs = {}
    for isa in core.isas():
        jobs |= {
            f"panna {isa}, {name}": with_isa(isa, job)
            for name, job in {
                "G": lambda: evaluate.compute(parameters, nl, threads=1),
                "vjp": lambda: evaluate.vjp(parameters, nl, g_bar, threads=1),
                "jvp": lambda: evaluate.jvp(parameters, nl, tangents, threads=1),
                "whole Jacobian": lambda: evaluate.jacobian(parameters, nl, threads=1),
                "energy and forces": lambda: pair_gradient(full, nl, threads=1),
                "energy and forces, mixed": lambda: pair_gradient(mixed, nl, threads=1),
            }.items()
        }
    jobs["neighbour list (vesin)"] = system.neighbours
    return jobs


def peers(system: System) -> dict[str, Callable[[], object]]:
    return dscribe_acsf(system) | torchani_aev(system)


def dscribe_acsf(system: System) -> dict[str, Callable[[], object]]:
    try:
        from dscribe.descriptors import ACSF
    except ImportError:
        return {}
    p = system.parameters
    bp = silicon_bp().parameters
    # dscribe adds one component (the sum of cutoff functions) for each species.
    acsf = ACSF(
        r_cut=p.cutoff,
        g2_params=[[p.eta_rad[0], rs] for rs in p.rs_rad[1:]],
        g4_params=[[eta, zeta, sign] for eta in bp.eta_ang for zeta in bp.zeta for sign in (1, -1)],
        species=list(p.species),
        periodic=bool(system.frames[0].pbc.any()),
    )
    all_atoms = [
        Atoms(list(f.species), positions=f.positions, cell=f.cell, pbc=f.pbc) for f in system.frames
    ]
    return {"dscribe ACSF, G": lambda: [acsf.create(atoms) for atoms in all_atoms]}


def torchani_aev(system: System) -> dict[str, Callable[[], object]]:
    if system.frames[0].pbc.any():
        return {}
    try:
        import torch
        import torchani
    except ImportError:
        return {}
    torch.set_num_threads(1)
    p = system.parameters
    # 16 radial and 4 x 8 angular components for each of four species (pairs), as in ANI-1x.
    aev = torchani.AEVComputer.from_constants(
        p.rc_rad, p.rc_ang, p.eta_rad[0], p.rs_rad, p.eta_ang[0], p.zeta[0], p.rs_ang, p.thetas,
        len(p.species),
    )  # fmt: skip
    species = torch.tensor([[p.species.index(s) for s in f.species] for f in system.frames])
    positions = torch.tensor(np.array([f.positions for f in system.frames]), dtype=torch.float32)

    def descriptors():
        return aev(species, positions)

    def with_gradient():
        x = positions.clone().requires_grad_(True)
        torch.autograd.grad(aev(species, x).sum(), x)

    return {"torchani AEV, G": descriptors, "torchani AEV, G with vjp": with_gradient}


def report(name: str, system: System, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = interleaved(our_jobs(system, Path(folder)) | peers(system), rounds)
    core.set_isa(core.isas()[-1])
    neighbours = np.diff(system.neighbours().first)
    n = system.n_atoms
    base = np.median(times[f"panna {core.isas()[-1]}, G"])
    say()
    say(
        f"{name}: {system.name}, {n} atoms, {neighbours.mean():.1f} neighbours within "
        f"{system.parameters.cutoff} angstrom, {system.parameters.size} components"
    )
    say(
        table(
            ["what", "us/atom", "fastest", "ratio to G"],
            [
                [
                    what,
                    f"{np.median(t) / n * 1e6:.2f}",
                    f"{t.min() / n * 1e6:.2f}",
                    f"{np.median(t) / base:.2f}",
                ]
                for what, t in times.items()
            ],
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--only", choices=SYSTEMS, help="one system")
    options = parser.parse_args()
    say(header("numpy", "ase", "vesin", "dscribe", "torchani"))
    say(f"CPU time of one thread; medians of {options.rounds} interleaved rounds")
    for name, make in SYSTEMS.items():
        if options.only in (None, name):
            report(name, make(), options.rounds)


if __name__ == "__main__":
    main()
