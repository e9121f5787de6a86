"""Models, training folders and example files that several tests share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from descriptor_cases import mbp, random_frame

from panna.descriptors.parameters import DescriptorParameters
from panna.frames.example_file import write_example
from panna.frames.frame import Frame
from panna.network.initialise import initial_network
from panna.network.parameters import Model, SpeciesNetwork
from panna.potential.panna_in import write_potential
from panna.training.checkpoints import BEST, Checkpoint, save_step, write_checkpoint

OFFSETS = {"Si": -163.2468013579, "O": -2041.8412345678, "H": -13.123456789}


def a_model(
    parameters: DescriptorParameters | None = None,
    sizes=(7, 5, 1),
    activations=("gaussian", "gaussian", "linear"),
    scaled: bool = True,
    dtype=np.float32,
    seed: int = 0,
) -> Model:
    """A network with random weights, standardised descriptors and reference energies."""
    parameters = parameters or mbp()
    rng = np.random.default_rng(seed)
    g, n = parameters.size, len(parameters.species)
    networks = [
        SpeciesNetwork(
            weights=[
                rng.normal(0, 1 / np.sqrt(i), (i, o)).astype(dtype)
                for i, o in zip((g, *sizes[:-1]), sizes, strict=True)
            ],
            biases=[rng.normal(0, 0.3, o).astype(dtype) for o in sizes],
            activations=list(activations),
            trainable=[True] * len(sizes),
        )
        for _ in parameters.species
    ]
    return Model(
        species=parameters.species,
        descriptor=parameters.to_dict(),
        networks=networks,
        offsets=np.array([OFFSETS.get(symbol, -1.5) for symbol in parameters.species]),
        scale_mean=rng.uniform(0, 1, (n, g)) if scaled else None,
        scale_std=rng.uniform(0.3, 1, (n, g)) if scaled else None,
        descriptor_hash=parameters.hash,
    )


def random_potential(folder: Path, descriptor: DescriptorParameters, seed: int = 1) -> Path:
    """A potential with random networks; energies of atoms spread over some tenths of an eV."""
    networks = [
        initial_network(
            descriptor.size,
            (9, 5, 1),
            ("gaussian", "tanh", "linear"),
            (True,) * 3,
            seed=seed,
            symbol=symbol,
            spread=0.3,
        )
        for symbol in descriptor.species
    ]
    offsets = [-100.0 - 3.7 * k for k in range(len(networks))]
    model = Model(descriptor.species, descriptor.to_dict(), networks, offsets)
    write_potential(model, folder)
    return folder


def write_training(folder: Path, models: dict[int, Model], best: int | None = None) -> Path:
    """A training folder with a checkpoint for each step, and best.npz made of one of them."""
    for step, model in models.items():
        save_step(folder, Checkpoint(model, {"step": step, "epoch": step // 10}), keep=100)
    if best is not None:
        state = {"step": best, "epoch": best // 10}
        write_checkpoint(folder / BEST, Checkpoint(models[best], state))
    return folder


def labelled_frames(count: int = 4, species=("Si", "O", "H"), seed: int = 0) -> list[Frame]:
    """Structures with made-up energies and forces, crystals and molecules."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(count):
        cell = "triclinic crystal" if k % 2 else "molecule"
        frame = random_frame(cell, species, seed + k, shortest=1.4)
        reference = sum(OFFSETS[symbol] for symbol in frame.species)
        frames.append(
            replace(
                frame,
                name=f"frame.{k}",
                energy=reference + rng.normal(),
                forces=rng.normal(0, 0.5, (frame.n_atoms, 3)),
                group=("crystals" if k % 2 else "molecules"),
            )
        )
    return frames


def write_examples(folder: Path, frames: list[Frame]) -> Path:
    """A folder of .example files."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        write_example(frame, folder / f"{frame.name}.example")
    return folder


def gvect_ini(species: str, eta_ang: str, zeta: float = 8) -> str:
    """An ini file of gvect_calculator with the parameters of `descriptor_cases.mbp`."""
    return f"""\
[IO_INFORMATION]
input_json_dir = x
[SYMMETRY_FUNCTION]
type = mBP
species = {species}
[GVECT_PARAMETERS]
eta_rad = 4
Rc_rad = 4.5
Rs0_rad = 0.5
RsN_rad = 7
eta_ang = {eta_ang}
Rc_ang = 3.5
Rs0_ang = 0.5
RsN_ang = 3
zeta = {zeta}
ThetasN = 5
"""
