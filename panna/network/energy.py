"""Energies of atoms and their derivatives by the inputs of the networks, in TensorFlow.

Atoms come sorted by species: one array of inputs for each network, so that every shape is known
when XLA compiles these functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from panna.network.variables import NetworkVariables

Networks = Sequence[NetworkVariables]
Tensors = Sequence[tf.Tensor]
ZERO = tf.UnconnectedGradients.ZERO


def atomic_energies(networks: Networks, inputs: Tensors) -> list[tf.Tensor]:
    """Energies of atoms without reference energies.

    Args:
      networks: one per species; their type is the precision of the calculation.
      inputs: (N_s, g) of the atoms of each species, in that type.
    Returns:
      (N_s,) eV, for each species.
    """
    return [network(x) for network, x in zip(networks, inputs, strict=True)]


def energies_and_slopes(
    networks: Networks, inputs: Tensors
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Energies as above, and their derivatives by the inputs, (N_s, g) for each species."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        energies = atomic_energies(networks, inputs)
    return energies, tape.gradient(energies, list(inputs), unconnected_gradients=ZERO)


def parameter_gradients(
    networks: Networks,
    variables: Sequence[tf.Variable],
    inputs: Tensors,
    energies_bar: Tensors,
    slopes_bar: Tensors,
) -> list[tf.Tensor]:
    """Gradient with respect to `variables` of a function of the energies and their slopes.

    Args:
      energies_bar: (N_s,) derivatives of the function by the energies of the atoms.
      slopes_bar: (N_s, g) the same by the slopes dE/d(inputs).
    """
    with tf.GradientTape() as tape:
        energies, slopes = energies_and_slopes(networks, inputs)
        total = tf.zeros([], inputs[0].dtype)
        for found, bar in zip([*energies, *slopes], [*energies_bar, *slopes_bar], strict=True):
            total += tf.reduce_sum(found * bar)
    return tape.gradient(total, list(variables), unconnected_gradients=ZERO)


def frame_energies(
    atomic: tf.Tensor, frame_of_atom: tf.Tensor, n_frames: tf.Tensor | int
) -> tf.Tensor:
    """(N,) energies of atoms -> (B,) energies of frames, summed in float64.

    Atoms of frame -1 do not count.
    """
    return tf.math.unsorted_segment_sum(tf.cast(atomic, tf.float64), frame_of_atom, n_frames)
