"""Energies of atoms and their derivatives by the inputs of the networks, in TensorFlow.

The atoms of each species are gathered, pass through their network, and the results are stitched
together again: no atom is computed twice and no species costs what it does not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from panna.network.variables import NetworkVariables


def atomic_energies(
    networks: Sequence[NetworkVariables], species: tf.Tensor, inputs: tf.Tensor
) -> tf.Tensor:
    """Energies of atoms without reference energies.

    Args:
      networks: one per species; their type is the precision of the calculation.
      species: (N,) int32, position of the species in `networks`.
      inputs: (N, g) of the networks, in their type.
    Returns:
      (N,) eV.
    """
    atoms = _atoms_of_species(species, len(networks))
    return _join(atoms, [n(_take(inputs, a)) for n, a in zip(networks, atoms, strict=True)])


def energies_and_slopes(
    networks: Sequence[NetworkVariables], species: tf.Tensor, inputs: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Energies (N,) as above, and their derivatives with respect to the inputs, (N, g)."""
    atoms = _atoms_of_species(species, len(networks))
    parts = [_take(inputs, mine) for mine in atoms]
    with tf.GradientTape() as tape:
        tape.watch(parts)
        energies = [network(x) for network, x in zip(networks, parts, strict=True)]
    slopes = tape.gradient(energies, parts, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return _join(atoms, energies), _join(atoms, slopes)


def parameter_gradients(
    networks: Sequence[NetworkVariables],
    variables: Sequence[tf.Variable],
    species: tf.Tensor,
    inputs: tf.Tensor,
    energies_bar: tf.Tensor,
    slopes_bar: tf.Tensor,
) -> list[tf.Tensor]:
    """Gradient with respect to `variables` of a function of the energies and their slopes.

    Args:
      energies_bar: (N,) derivatives of the function with respect to the energies of the atoms.
      slopes_bar: (N, g) the same with respect to the slopes dE/d(inputs).
    """
    atoms = _atoms_of_species(species, len(networks))
    with tf.GradientTape() as tape:
        total = tf.zeros([], inputs.dtype)
        for network, mine in zip(networks, atoms, strict=True):
            # slopes_bar . dE/dx is the derivative of E along slopes_bar: forward mode, so that the
            # reverse pass goes through the network once.
            x = _take(inputs, mine)
            with tf.autodiff.ForwardAccumulator(x, _take(slopes_bar, mine)) as along:
                energies = network(x)
            total += tf.reduce_sum(energies * _take(energies_bar, mine))
            total += tf.reduce_sum(along.jvp(energies))
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(total, list(variables), unconnected_gradients=zero)


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


def _join(atoms: list[tf.Tensor | None], parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if atoms[0] is None else tf.dynamic_stitch(atoms, parts)
