"""TensorFlow in float64 and the compiled core give the same energies and forces."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
import tensorflow as tf
from training_cases import TWO_SPECIES, labelled_frame

from panna.descriptors import evaluate
from panna.descriptors.scaling import Scaling, network_inputs
from panna.frames.neighbours import concatenate, neighbour_list
from panna.network.energy import energies_and_slopes
from panna.network.evaluate import energies_and_gradients
from panna.network.forces import OnTheFly, forces_from
from panna.network.initialise import initial_network
from panna.network.parameters import Model
from panna.network.variables import NetworkVariables
from panna.potential.compiled import open_potential, pair_gradient
from panna.potential.panna_in import write_potential
from panna.training.by_species import Lengths

AGREEMENT = 1e-9  # relative, as the design promises


@pytest.fixture(scope="module")
def neighbours():
    """Four frames as one batch: molecule, crystals, a cell smaller than the cutoff."""
    return concatenate(
        [
            neighbour_list(labelled_frame(TWO_SPECIES, i), TWO_SPECIES.species, TWO_SPECIES.cutoff)
            for i in range(4)
        ]
    )


def a_model(g: np.ndarray, species: np.ndarray, activation: str) -> Model:
    """Random networks for standardised descriptors; weights that float32 represents exactly."""
    mean = np.stack([g[species == s].mean(0) for s in range(2)])
    std = np.stack([g[species == s].std(0) + 0.01 for s in range(2)])
    networks = [
        initial_network(
            TWO_SPECIES.size, (8, 5, 1), (activation, "tanh", "linear"), [True] * 3,
            seed=3, symbol=symbol, dtype="float64",
        )
        for symbol in TWO_SPECIES.species
    ]  # fmt: skip
    model = Model(
        species=TWO_SPECIES.species,
        descriptor=TWO_SPECIES.to_dict(),
        networks=networks,
        offsets=np.array([-107.123456789, -432.987654321]),
        scale_mean=mean,
        scale_std=std,
        descriptor_hash=TWO_SPECIES.hash,
    ).folded()
    rounded = [
        replace(
            network,
            weights=[w.astype(np.float32).astype(float) for w in network.weights],
            biases=[b.astype(np.float32).astype(float) for b in network.biases],
        )
        for network in model.networks
    ]
    return replace(model, networks=rounded)


def by_tensorflow(model: Model, neighbours, scaling: Scaling | None = None):
    """Energies of atoms without offsets, dE/dG, and forces, in float64."""
    variables = [NetworkVariables.create(network, tf.float64) for network in model.networks]
    species = np.asarray(neighbours.species)
    g = evaluate.compute(TWO_SPECIES, neighbours, 1)
    inputs = network_inputs(scaling, species, g, "float64")
    layout = Lengths(2, exact=True).sort(species)
    energies, slopes = energies_and_slopes(variables, list(map(tf.constant, layout.split(inputs))))
    energies, slopes = (layout.join([part.numpy() for part in x]) for x in (energies, slopes))
    gradients = slopes / (1.0 if scaling is None else scaling.std[species])
    batch = dict(zip(("species", "first", "index", "vectors"), astuple(neighbours), strict=True))
    forces = forces_from(batch, OnTheFly(TWO_SPECIES, threads=1).slopes(batch, gradients))
    return energies, gradients, forces


@pytest.mark.parametrize("activation", ["gaussian", "tanh", "relu"])
def test_with_the_exported_potential(activation, neighbours, tmp_path):
    species = np.asarray(neighbours.species)
    model = a_model(evaluate.compute(TWO_SPECIES, neighbours, 1), species, activation)
    write_potential(model, tmp_path)
    potential = open_potential(tmp_path)
    expected, pairs = pair_gradient(potential, neighbours)
    energies, _, forces = by_tensorflow(model, neighbours)
    worst = np.abs(energies + model.offsets[species] - expected).max()
    assert worst < AGREEMENT * np.abs(expected).max(), f"energies differ by {worst:.1e} eV"
    worst = np.abs(forces - evaluate.forces_from_pairs(neighbours, pairs)).max()
    assert worst < AGREEMENT * np.abs(forces).max(), f"forces differ by {worst:.1e} eV/angstrom"


def test_with_the_networks_in_numpy_scaling_included(neighbours):
    species = np.asarray(neighbours.species)
    g = evaluate.compute(TWO_SPECIES, neighbours, 1)
    model = a_model(g, species, "gaussian")
    scale = dict(scale_mean=np.tile(g.mean(0), (2, 1)), scale_std=np.tile(g.std(0) + 0.1, (2, 1)))
    model = replace(model, **scale)
    expected, slopes = energies_and_gradients(model, species, g)
    scaling = Scaling(model.scale_mean, model.scale_std)
    energies, gradients, _ = by_tensorflow(model, neighbours, scaling)
    scale = np.abs(energies).max()
    worst = np.abs(energies + model.offsets[species] - expected).max()
    assert worst < AGREEMENT * scale, f"energies differ by {worst:.1e} eV"
    worst = np.abs(gradients - slopes).max()
    assert worst < AGREEMENT * np.abs(slopes).max(), f"dE/dG differs by {worst:.1e} eV"
