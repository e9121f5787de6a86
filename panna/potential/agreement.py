"""Does an exported model give the energies of the network that it was made from?

Two differences are looked at, atom by atom. What comes out of the files must be what was meant to
go into them, to the last digits of double precision. And it must be the trained network but for
the rounding to float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.descriptors.evaluate import compute
from panna.descriptors.parameters import DescriptorParameters
from panna.errors import PotentialError
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import atomic_energies
from panna.network.parameters import Model
from panna.potential.compiled import open_potential, pair_gradient
from panna.potential.descriptor_source import first_difference
from panna.potential.panna_in import descriptor_of, read_potential
from panna.potential.panna_networks import read_networks

# Double precision sums in another order; 1e-12 is seen, relative to the energies of the atoms.
READING = 1e-9
# Rounding of weights and biases to float32: with 48:32:16:1 networks 1e-8 to 1e-6 eV are seen,
# more with widely scaled descriptors. 0.05 meV/atom is far below the error of any potential.
ROUNDING = 5e-5

RANDOM_FRAMES = 8
ATOMS = 24
VOLUME = 20.0  # cubic angstrom per atom
SHORTEST = 1.6  # angstrom


@dataclass(frozen=True)
class Agreement:
    """The comparison.

    source: where the structures came from.
    frames, atoms: how many.
    largest: eV/atom, exported model minus network; `tolerance` is its limit.
    """

    source: str
    frames: int
    atoms: int
    largest: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"largest difference of an atomic energy {self.largest:.1e} eV "
            f"(limit {self.tolerance:.0e}) on {self.atoms} atoms of {self.frames} {self.source}"
        )


@dataclass(frozen=True)
class Energies:
    """Energies (n,) of the atoms of one structure in eV, by each way of computing them.

    offsets: reference energies. network: the trained network. read, core: the exported files, read
    by the Python reader and by the compiled one.
    """

    offsets: np.ndarray
    network: np.ndarray
    read: np.ndarray
    core: np.ndarray


def check_potential(
    model: Model,
    directory: str | Path,
    filename: str = "panna.in",
    frames: Iterable[Frame] | None = None,
    source: str = "training frames",
) -> Agreement:
    """Compares a potential on disk, run by the compiled core, with its network in float64.

    Args:
      model: the network that was exported.
      directory, filename: the potential.
      frames: structures to compare on; random ones if None.
      source: what the message calls them.
    Raises:
      PotentialError: a difference is beyond its limit.
    """
    parameters = descriptor_of(model)
    potential = open_potential(directory, filename)
    again, found = read_potential(directory, filename)
    if difference := first_difference(found, parameters):
        raise PotentialError(
            f"{Path(directory) / filename}: descriptor read back: {difference}; not usable"
        )

    def energies() -> Iterator[Energies]:
        for frame in random_frames(parameters) if frames is None else frames:
            neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
            g, g_found = compute(parameters, neighbours), compute(found, neighbours)
            yield Energies(
                model.offsets[neighbours.species],
                atomic_energies(model, neighbours.species, g),
                atomic_energies(again, neighbours.species, g_found),
                pair_gradient(potential, neighbours)[0],
            )

    return _compare(directory, energies(), source if frames else "random structures")


def check_networks(model: Model, directory: str | Path) -> Agreement:
    """Compares a PANNA network directory with its network in float64, on random descriptors.

    Raises:
      PotentialError: a difference is beyond its limit.
    """
    again = read_networks(directory)

    def energies() -> Iterator[Energies]:
        for species, g in random_descriptors(model):
            expected = atomic_energies(again, species, g)
            network = atomic_energies(model, species, g)
            yield Energies(model.offsets[species], network, expected, expected)

    return _compare(directory, energies(), "random descriptors")


def random_frames(parameters: DescriptorParameters) -> Iterator[Frame]:
    """Periodic random structures of all species, no two atoms closer than SHORTEST."""
    rng = np.random.default_rng(0)
    side = (ATOMS * VOLUME) ** (1 / 3)
    for k in range(RANDOM_FRAMES):
        positions = np.zeros((0, 3))
        while len(positions) < ATOMS:
            new = rng.uniform(0, side, 3)
            distance = np.abs(positions - new)
            distance = np.minimum(distance, side - distance)
            if (np.linalg.norm(distance, axis=1) > SHORTEST).all():
                positions = np.vstack([positions, new])
        species = rng.permutation(
            [parameters.species[i % len(parameters.species)] for i in range(ATOMS)]
        )
        yield Frame(
            tuple(map(str, species)),
            positions,
            side * np.eye(3),
            np.ones(3, bool),
            name=f"random {k}",
        )


def random_descriptors(model: Model) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Species and descriptors spread like the training data if the model knows their spread."""
    rng = np.random.default_rng(0)
    species = np.arange(ATOMS) % len(model.species)
    for _ in range(RANDOM_FRAMES):
        if model.scale_mean is None:
            g = rng.uniform(0, 1, (ATOMS, model.g_size))
        else:
            g = rng.normal(model.scale_mean[species], model.scale_std[species])
        yield species, g


def _compare(directory: str | Path, energies: Iterable[Energies], source: str) -> Agreement:
    frames = atoms = 0
    largest, tolerance = 0.0, ROUNDING
    for e in energies:
        for name, values in (("network", e.network), ("exported potential", e.core)):
            if not np.isfinite(values).all():
                raise PotentialError(f"{directory}: the {name} gives energies that are not finite")
        # Far outside the training data a network may give energies of any size.
        scale = max(1.0, float(np.abs(e.network - e.offsets).max()))
        reading = float(np.abs(e.read - e.core).max())
        if reading > READING * scale:
            raise PotentialError(
                f"{directory}: two readers of these files disagree by {reading:.1e} eV; at most "
                f"{READING * scale:.0e} expected. This is a defect of the program; do not use the "
                "files"
            )
        difference = float(np.abs(e.core - e.network).max())
        if difference > ROUNDING * scale:
            raise PotentialError(
                f"{directory}: the exported model differs from the network by {difference:.1e} eV "
                f"for an atom of {source}; at most {ROUNDING * scale:.0e} eV expected from "
                "rounding to float32. Descriptors of very different size may be the reason: train "
                "with standardise = True, or with another descriptor"
            )
        frames, atoms = frames + 1, atoms + len(e.network)
        largest, tolerance = max(largest, difference), max(tolerance, ROUNDING * scale)
    if not frames:
        raise PotentialError(f"{directory}: no structure to compare the energies on")
    return Agreement(source, frames, atoms, largest, tolerance)
