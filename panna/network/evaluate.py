"""The networks in NumPy, float64: for evaluation and export without TensorFlow."""

from __future__ import annotations

import numpy as np

from panna.errors import TrainingError
from panna.network.activations import ACTIVATIONS
from panna.network.parameters import Model, SpeciesNetwork
from panna.storage.record import DescriptorRecord


def atomic_energies(model: Model, species: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
    """Energies of atoms, reference energies included.

    Args:
      species: (N,) integers, position in model.species.
      descriptors: (N, g), as calculated (not standardised).
    Returns:
      (N,) float64, eV.
    """
    return energies_and_gradients(model, species, descriptors, with_gradients=False)[0]


def energies_and_gradients(
    model: Model, species: np.ndarray, descriptors: np.ndarray, with_gradients: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Energies of atoms and their derivatives with respect to the descriptors.

    Returns:
      (N,) float64 in eV, reference energies included, and (N, g) float64, dE/dG in eV (zeros
      unless with_gradients).
    """
    descriptors = np.asarray(descriptors, np.float64)
    energies = np.zeros(len(species))
    gradients = np.zeros(descriptors.shape)
    for s, network in enumerate(model.networks):
        atoms = np.flatnonzero(np.asarray(species) == s)
        values, slopes = _run(network, _inputs(model, s, descriptors[atoms]), with_gradients)
        energies[atoms] = values + model.offsets[s]
        if with_gradients:
            std = 1.0 if model.scale_std is None else model.scale_std[s]
            gradients[atoms] = slopes / std
    return energies, gradients


def last_hidden_layer(model: Model, species: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
    """What the last layers see: the atoms as the networks describe them.

    Args:
      species: (N,) integers, position in model.species.
      descriptors: (N, g), as calculated (not standardised).
    Returns:
      (N, width) float64, width that of the widest network; narrower ones are filled up with zeros.
    """
    found = np.zeros((len(species), max(n.weights[-1].shape[0] for n in model.networks)))
    for s, network in enumerate(model.networks):
        atoms = np.flatnonzero(np.asarray(species) == s)
        x = _inputs(model, s, np.asarray(descriptors[atoms], np.float64))
        layers = zip(network.weights, network.biases, network.activations, strict=True)
        for weights, biases, name in list(layers)[:-1]:
            x = ACTIVATIONS[name].layer(
                x, weights.astype(np.float64), biases.astype(np.float64), np
            )
        found[atoms, : x.shape[1]] = x
    return found


def stored_forces(record: DescriptorRecord, gradients: np.ndarray) -> np.ndarray:
    """Forces from the derivatives of the descriptors that a record holds.

    F_k = -sum_i,c (dE_i/dG_i[c]) (dG_i[c]/dx_k), in float64.

    Args:
      record: one frame with stored derivatives.
      gradients: (n, g), dE/dG in eV.
    Returns:
      (n, 3) float64, eV/angstrom.
    Raises:
      TrainingError: the record has no derivatives.
      StorageError: its derivatives do not fit its atoms.
    """
    derivatives = record.sparse_derivatives()
    if derivatives is None:
        raise TrainingError(
            f"frame {record.name}: no derivatives of the descriptors stored; compute and pack them "
            "with include_derivatives = True, or use data that hold positions"
        )
    derivatives.check(record.n_atoms, record.g_size)
    slopes = np.asarray(gradients, np.float64).ravel()[derivatives.rows]
    flat = np.bincount(derivatives.cols, slopes * derivatives.values, 3 * record.n_atoms)
    return -flat.reshape(-1, 3)


def _inputs(model: Model, s: int, descriptors: np.ndarray) -> np.ndarray:
    """(N, g) float64 descriptors of one species -> (N, g) inputs of its network."""
    if model.scale_mean is None:
        return descriptors
    return (descriptors - model.scale_mean[s]) / model.scale_std[s]


def _run(
    network: SpeciesNetwork, inputs: np.ndarray, with_gradients: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    trace, x = [], inputs
    for weights, biases, name in zip(
        network.weights, network.biases, network.activations, strict=True
    ):
        activation = ACTIVATIONS[name]
        weights = weights.astype(np.float64)
        argument = activation.argument(x, weights, biases.astype(np.float64), np)
        y = activation.function(argument, np)
        trace.append((activation, weights, x, argument, y))
        x = y
    if not with_gradients:
        return x[:, 0], None
    slopes = np.ones_like(x)
    for activation, weights, inputs, argument, y in reversed(trace):
        slopes = slopes * activation.derivative(argument, y, np)
        if activation.centres:  # argument = -|x - w|^2
            slopes = 2 * (slopes @ weights.T - slopes.sum(1, keepdims=True) * inputs)
        else:
            slopes = slopes @ weights.T
    return x[:, 0], slopes
