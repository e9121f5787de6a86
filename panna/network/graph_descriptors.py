"""Descriptors and products with their derivatives as TensorFlow operations.

For devices that the compiled core does not reach. The formulas are those of descriptors/reference.
The layout is made for XLA: no list of pairs of neighbours, but dense arrays over all combinations
of the neighbours of an atom, and sums where a list would need scattered additions.

Vectors come as 2 n arrays (N, K, 3), n the number of species: for each species the neighbours that
take part in angular terms ("near"), then for each species the other ones ("far"). Vectors of length
0 fill the rows up; they count as no neighbour. All arrays have the type of the calculation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from panna.descriptors.parameters import BP, DescriptorParameters
from panna.network.graph_pairs import BPTerms, Legs, MBPTerms, PairBlock, cutoff_function

Tensors = Sequence[tf.Tensor]

PAIRS_AT_ONCE = 1 << 22  # pairs of neighbours in memory at the same time


class GraphDescriptor:
    """The descriptor with some parameters, on whatever TensorFlow computes on."""

    def __init__(
        self, parameters: DescriptorParameters, pairs_at_once: int = PAIRS_AT_ONCE
    ) -> None:
        self.parameters, self.pairs_at_once = parameters, pairs_at_once
        self.n_species = len(parameters.species)
        self._eta, self._r_s = np.asarray(parameters.eta_rad), np.asarray(parameters.rs_rad)
        bp = isinstance(parameters, BP)
        if bp:
            count = len(self._eta)
            self._eta = np.repeat(self._eta, len(self._r_s))
            self._r_s = np.tile(self._r_s, count)
        self._terms = BPTerms(parameters) if bp else MBPTerms(parameters)
        self._species_pairs = [
            (a, b) for a in range(self.n_species) for b in range(a, self.n_species)
        ]

    def values(self, vectors: Tensors) -> tf.Tensor:
        """Descriptors (N, g). Their gradient by the vectors is `slopes`."""

        @tf.custom_gradient
        def function(*vectors):
            return self._by_atoms(self._values, vectors)[0], lambda g: self.slopes(g, vectors)

        return function(*vectors)

    def slopes(self, gradients: tf.Tensor, vectors: Tensors) -> list[tf.Tensor]:
        """(N, g) dE/dG -> dE/d(vectors), in their form, exactly 0 where there is no neighbour.

        Linear in the gradients; its own gradient by them is `changes`. It has none by the vectors.
        """

        @tf.custom_gradient
        def function(gradients):
            found = self._by_atoms(self._slopes, [gradients, *vectors], len(vectors))
            return found, lambda *tangents: self.changes(tangents, vectors)

        return list(function(gradients))

    def changes(self, tangents: Tensors, vectors: Tensors) -> tf.Tensor:
        """Changes of the vectors, in their form -> (N, g) changes of the descriptors."""
        return self._by_atoms(self._changes, [*tangents, *vectors])[0]

    # -- of some atoms -----------------------------------------------------------------------------

    def _values(self, *vectors: tf.Tensor) -> list[tf.Tensor]:
        legs = self._legs(vectors)
        parts = []
        for s in range(self.n_species):
            parts.append(
                sum(tf.reduce_sum(self._radial(one.r)[0], 1) for one in legs[s :: self.n_species])
            )
        for a, b in self._species_pairs:
            parts.append(self._block(legs, a, b).values())
        return [tf.concat(parts, 1)]

    def _slopes(self, gradients: tf.Tensor, *vectors: tf.Tensor) -> list[tf.Tensor]:
        legs = self._legs(vectors)
        sizes = [len(self._eta)] * self.n_species + [self._terms.size] * len(self._species_pairs)
        blocks = tf.split(gradients, sizes, 1)
        found = []
        for i, one in enumerate(legs):
            block = blocks[i % self.n_species]
            by_r = tf.reduce_sum(self._radial(one.r)[1] * block[:, None, :], 2)
            found.append(by_r[:, :, None] * one.u)
        for (a, b), block in zip(self._species_pairs, blocks[self.n_species :], strict=True):
            by_j, by_k = self._block(legs, a, b).slopes(block)
            found[a] += by_j
            if by_k is not None:
                found[b] += by_k
        return found

    def _changes(self, *tangents_and_vectors: tf.Tensor) -> list[tf.Tensor]:
        half = len(tangents_and_vectors) // 2
        tangents, legs = tangents_and_vectors[:half], self._legs(tangents_and_vectors[half:])
        moves = [tf.reduce_sum(t * one.u, 2) for t, one in zip(tangents, legs, strict=True)]
        changed = [
            tf.reduce_sum(self._radial(one.r)[1] * move[:, :, None], 1)
            for one, move in zip(legs, moves, strict=True)
        ]
        parts = [sum(changed[s :: self.n_species]) for s in range(self.n_species)]
        for a, b in self._species_pairs:
            parts.append(
                self._block(legs, a, b).changes(tangents[a], tangents[b], moves[a], moves[b])
            )
        return [tf.concat(parts, 1)]

    def _legs(self, vectors: Tensors) -> list[Legs]:
        return [Legs.of(one, 2 * self.parameters.cutoff) for one in vectors]

    def _block(self, legs: list[Legs], a: int, b: int) -> PairBlock:
        return PairBlock(self._terms, legs[a], legs[b], alike=a == b)

    def _radial(self, r: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, K, m) radial terms of the neighbours, and their derivatives by the distance."""
        f, df = cutoff_function(r[:, :, None], self.parameters.rc_rad)
        eta, r_s = (tf.constant(values, r.dtype) for values in (self._eta, self._r_s))
        distance = r[:, :, None] - r_s
        gauss = tf.exp(-eta * distance * distance)
        return gauss * f, gauss * (df - 2.0 * eta * distance * f)

    def _by_atoms(self, function: Callable, arrays: Tensors, outputs: int = 1) -> list[tf.Tensor]:
        """function(*arrays), a list, for so many atoms at a time that memory is bounded."""
        arrays = [tf.convert_to_tensor(one) for one in arrays]
        near = sum(tf.shape(one)[1] for one in arrays[-2 * self.n_species :][: self.n_species])
        n_atoms = tf.shape(arrays[0])[0]
        some = tf.clip_by_value(self.pairs_at_once // tf.maximum(near * near, 1), 1, n_atoms)
        blocks = -(-n_atoms // some)

        def split(array: tf.Tensor) -> tf.Tensor:
            missing = [[0, blocks * some - n_atoms], *[[0, 0]] * (len(array.shape) - 1)]
            shape = tf.concat([[blocks, some], tf.shape(array)[1:]], 0)
            made = tf.reshape(tf.pad(array, missing), shape)
            return tf.ensure_shape(made, [None, None, *array.shape[1:]])

        def join(array: tf.Tensor) -> tf.Tensor:
            shape = tf.concat([[blocks * some], tf.shape(array)[2:]], 0)
            return tf.reshape(array, shape)[:n_atoms]

        signature = tf.TensorSpec(None, arrays[0].dtype)
        found = tf.map_fn(
            lambda some_atoms: function(*some_atoms),
            [split(one) for one in arrays],
            fn_output_signature=[signature] * outputs,
        )
        return [join(one) for one in found]
