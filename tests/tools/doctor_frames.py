"""Sound examples with energies, forces and virials of one pair potential, to plant defects in."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np

from panna.frames.example_file import write_example
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list

SIDE = 5.2  # angstrom, eight atoms of rock salt
REACH = 4.0  # angstrom, of the potential
STRENGTH = 30.0  # eV
OFFSETS = {"Mg": -40.0, "O": -430.0}  # eV
SITES = np.array(
    [p for p in itertools.product((0.0, 0.5), repeat=3) if sum(p) % 1 == 0]
    + [p for p in itertools.product((0.0, 0.5), repeat=3) if sum(p) % 1]
)


def computed(species, positions, cell, pbc=(True, True, True), **labels) -> Frame:
    """The frame with energy, forces and virial of phi(r) = STRENGTH (1 - r/REACH)^4."""
    bare = Frame(tuple(species), positions, cell, pbc)
    pairs = neighbour_list(bare, tuple(OFFSETS), REACH)
    r = np.linalg.norm(pairs.vectors, axis=1)
    slopes = -4 * STRENGTH / REACH * (1 - r / REACH) ** 3
    energy = 0.5 * (STRENGTH * (1 - r / REACH) ** 4).sum() + sum(OFFSETS[s] for s in species)
    push = pairs.vectors * (slopes / r)[:, None]
    forces = np.stack([np.bincount(pairs.centre, p, bare.n_atoms) for p in push.T], 1)
    virial = -0.5 * pairs.vectors.T @ push
    return Frame(
        bare.species, positions, cell, pbc,
        energy=energy, forces=forces, virial=virial if bare.pbc.all() else None, **labels,
    )  # fmt: skip


def sound_frames() -> dict[str, tuple[Frame, dict]]:
    """Name: frame and informative entries. A run, a run under strain, and seven compositions."""
    return dict(_sound_frames())


@cache
def _sound_frames() -> dict[str, tuple[Frame, dict]]:
    random = np.random.default_rng(7)
    base, cell = SITES * SIDE, np.eye(3) * SIDE
    compound = ["Mg"] * 4 + ["O"] * 4
    amplitudes, phases = random.normal(scale=0.12, size=(2, 8, 3))
    found = {}
    for k in range(30):
        positions = base + amplitudes * np.sin(0.2 * k + 9 * phases)
        facts = {"source": "md.xyz", "source_frame": k + 1}
        found[f"md_{k:02d}"] = computed(compound, positions, cell, group="md"), facts
    still = base + random.normal(scale=0.1, size=(8, 3))
    for k in range(14):
        strain = np.eye(3) + 0.004 * (k - 6) * np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, -1]])
        facts = {"source": "strain.xyz", "source_frame": k + 1}
        frame = computed(compound, still @ strain, cell @ strain, group="strain")
        found[f"strain_{k:02d}"] = frame, facts
    for magnesium in range(1, 8):
        species = ["Mg"] * magnesium + ["O"] * (8 - magnesium)
        for k in range(5):
            positions = base + random.normal(scale=0.1, size=(8, 3))
            frame = computed(species, positions, cell, group="random")
            found[f"random_{magnesium}_{k}"] = frame, {}
    return found


def write_frames(frames: dict[str, tuple[Frame, dict]], folder: Path) -> Path:
    """Write them as examples; returns the folder."""
    folder.mkdir(exist_ok=True)
    for name, (frame, facts) in frames.items():
        write_example(frame, folder / f"{name}.example", extra=facts)
    return folder
