"""Forces from dE/dG, with derivatives of the descriptors from the records or from the core.

F = -J^T g with J = dG/dx and g = dE/dG. A force loss needs the gradient with respect to g of a
function of F: it is -J times the gradient with respect to F. So the step needs J only in products
with vectors, and both sources give the same numbers:

    stored       J as sparse matrix elements that come with the batch,
    on_the_fly   the compiled core: one vjp for the forces, one jvp for their gradient.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from panna.descriptors import evaluate
from panna.descriptors.parameters import DescriptorParameters
from panna.frames.neighbours import NeighbourList


def stored_forces(
    gradients: tf.Tensor, rows: tf.Tensor, cols: tf.Tensor, values: tf.Tensor
) -> tf.Tensor:
    """Forces from sparse derivatives of the descriptors.

    Args:
      gradients: (N, g), dE/dG in eV.
      rows: (K,) int64, atom * g + component.
      cols: (K,) int64, 3 * atom + xyz of the atom that moves.
      values: (K,) dG/dx in 1/angstrom.
    Returns:
      (N, 3) eV/angstrom, in the type of the gradients.
    """
    shape = tf.shape(gradients, tf.int64)
    values = tf.cast(values, gradients.dtype)

    @tf.custom_gradient
    def forces(gradients):
        def backward(upstream):
            elements = tf.gather(tf.reshape(upstream, [-1]), cols) * values
            flat = tf.math.unsorted_segment_sum(elements, rows, shape[0] * shape[1])
            return -tf.reshape(flat, shape)

        elements = tf.gather(tf.reshape(gradients, [-1]), rows) * values
        flat = tf.math.unsorted_segment_sum(elements, cols, 3 * shape[0])
        return -tf.reshape(flat, [-1, 3]), backward

    return forces(gradients)


def core_forces(
    gradients: tf.Tensor,
    descriptor: DescriptorParameters,
    species: tf.Tensor,
    first: tf.Tensor,
    index: tf.Tensor,
    vectors: tf.Tensor,
    threads: int = 0,
) -> tf.Tensor:
    """Forces with the derivatives of the compiled core.

    Args:
      gradients: (N, g), dE/dG in eV.
      descriptor: parameters of the descriptor.
      species, first, index, vectors: the neighbour list of the batch, see NeighbourList.
      threads: of the core, 0 for all.
    Returns:
      (N, 3) eV/angstrom, in the type of the gradients.
    """
    dtype = gradients.dtype
    pairs = [species, first, index, vectors]

    def pull(gradients, *pairs):
        neighbours = NeighbourList(*pairs)
        slopes = evaluate.vjp(descriptor, neighbours, np.asarray(gradients, np.float64), threads)
        return evaluate.forces_from_pairs(neighbours, slopes).astype(dtype.as_numpy_dtype)

    def push(upstream, *pairs):
        neighbours = NeighbourList(*pairs)
        tangents = evaluate.pair_tangents(neighbours, np.asarray(upstream, np.float64))
        change = evaluate.jvp(descriptor, neighbours, tangents, threads)
        return (-change).astype(dtype.as_numpy_dtype)

    @tf.custom_gradient
    def forces(gradients):
        def backward(upstream):
            result = tf.numpy_function(push, [upstream, *pairs], dtype, stateful=False)
            return tf.ensure_shape(result, gradients.shape)

        result = tf.numpy_function(pull, [gradients, *pairs], dtype, stateful=False)
        return tf.ensure_shape(result, [None, 3]), backward

    return forces(gradients)


def core_descriptors(
    descriptor: DescriptorParameters,
    species: tf.Tensor,
    first: tf.Tensor,
    index: tf.Tensor,
    vectors: tf.Tensor,
    threads: int = 0,
) -> tf.Tensor:
    """Descriptors in float64 from the compiled core: (N, g). The records hold float32 ones."""

    def descriptors(*pairs):
        return evaluate.compute(descriptor, NeighbourList(*pairs), threads)

    result = tf.numpy_function(
        descriptors, [species, first, index, vectors], tf.float64, stateful=False
    )
    return tf.ensure_shape(result, [None, descriptor.size])
