"""Energies of atoms and their derivatives with respect to the descriptors, in TensorFlow.

The atoms of each species are gathered, pass through their network, and the results are stitched
together again: no atom is computed twice and no species costs what it does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from panna.network.variables import NetworkVariables


@dataclass(frozen=True)
class Scaling:
    """Standardisation of descriptors, one row per species.

    Done in float64: descriptors with a large mean and a small spread would lose digits otherwise.

    mean, std: (n_species, g) float64.
    """

    mean: np.ndarray
    std: np.ndarray

    def apply(self, species: int, descriptors: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """(N, g) descriptors of one species -> (N, g) inputs of its network."""
        centred = tf.cast(descriptors, tf.float64) - self.mean[species]
        return tf.cast(centred / self.std[species], dtype)

    def pull_back(self, species: int, gradients: tf.Tensor) -> tf.Tensor:
        """Derivatives by the inputs -> derivatives by the descriptors."""
        return gradients / tf.constant(self.std[species], gradients.dtype)


def atomic_energies(
    networks: Sequence[NetworkVariables],
    scaling: Scaling | None,
    species: tf.Tensor,
    descriptors: tf.Tensor,
    with_gradients: bool = False,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Energies of atoms without reference energies.

    Args:
      networks: one per species; their type is the precision of the calculation.
      scaling: of the descriptors, None if they are used as they are.
      species: (N,) int32, position of the species in `networks`.
      descriptors: (N, g) float32 or float64.
      with_gradients: also dE/dG, differentiable again by the variables of the networks.
    Returns:
      (N,) energies in eV and (N, g) dE/dG in eV (None unless with_gradients).
    """
    dtype = networks[0].weights[0].dtype
    atoms = _atoms_of_species(species, len(networks))
    inputs = [
        _inputs(scaling, s, _take(descriptors, atoms[s]), dtype) for s in range(len(networks))
    ]
    if not with_gradients:
        return _join(atoms, [run(x) for run, x in zip(networks, inputs, strict=True)]), None
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        energies = [run(x) for run, x in zip(networks, inputs, strict=True)]
    gradients = tape.gradient(energies, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    if scaling is not None:
        gradients = [scaling.pull_back(s, g) for s, g in enumerate(gradients)]
    return _join(atoms, energies), _join(atoms, gradients)


def frame_energies(
    atomic: tf.Tensor, frame_of_atom: tf.Tensor, n_frames: tf.Tensor | int
) -> tf.Tensor:
    """(N,) energies of atoms -> (B,) energies of frames, summed in float64."""
    return tf.math.unsorted_segment_sum(tf.cast(atomic, tf.float64), frame_of_atom, n_frames)


def _atoms_of_species(species: tf.Tensor, n_species: int) -> list[tf.Tensor | None]:
    """Indices of the atoms of each species; None for "all of them", if there is only one."""
    if n_species == 1:
        return [None]
    return [tf.cast(tf.squeeze(tf.where(species == s), 1), tf.int32) for s in range(n_species)]


def _take(values: tf.Tensor, atoms: tf.Tensor | None) -> tf.Tensor:
    return values if atoms is None else tf.gather(values, atoms)


def _inputs(
    scaling: Scaling | None, species: int, descriptors: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    if scaling is None:
        return tf.cast(descriptors, dtype)
    return scaling.apply(species, descriptors, dtype)


def _join(atoms: list[tf.Tensor | None], parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if atoms[0] is None else tf.dynamic_stitch(atoms, parts)
