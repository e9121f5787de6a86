"""The step in one graph with derivatives of the descriptors from positions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from panna.network.graph_descriptors import GraphDescriptor
from panna.training.by_species import BySpecies
from panna.training.neighbour_tables import NeighbourTables
from panna.training.step import Batch
from panna.training.whole_step import Tensors, WholeStep


class WholeStepOnTheFly(WholeStep):
    """As WholeStep, with `vectors` in the batches; `derivatives` names the descriptor.

    Geometry, three-body terms and products are in the precision of the networks.
    """

    def _compile(self, xla: bool) -> None:
        self.descriptor = GraphDescriptor(self.derivatives.descriptor)
        self._dtype = self.networks[0].weights[0].dtype
        self.tables = NeighbourTables(
            self.derivatives.descriptor, self._dtype.as_numpy_dtype, exact=not xla
        )
        super()._compile(xla)

    def _pair_specs(self, g: int) -> dict[str, Any]:
        kinds = 2 * len(self.networks)
        return {
            "vectors": [tf.TensorSpec([None, None, 3], self._dtype)] * kinds,
            "neighbours": [tf.TensorSpec([None, None], tf.int32)] * kinds,
        }

    def _pairs(self, batch: Batch, layout: BySpecies) -> dict[str, Any]:
        table = self.tables.make(batch, layout)
        return {"vectors": table.vectors, "neighbours": table.neighbours}

    def _forces_and_virials(self, slopes: tf.Tensor, labels: Tensors, pairs) -> list[tf.Tensor]:
        of_pairs = self.descriptor.slopes(slopes, pairs["vectors"])
        of_pairs = tf.cast(tf.concat(of_pairs, 1), tf.float64)
        pulled = tf.math.unsorted_segment_sum(
            of_pairs, tf.concat(pairs["neighbours"], 1), tf.shape(slopes)[0]
        )
        found = [tf.reduce_sum(of_pairs, 1) - pulled]
        if self._with_virials:
            vectors = tf.cast(tf.concat(pairs["vectors"], 1), tf.float64)
            of_atoms = tf.matmul(of_pairs, vectors, transpose_a=True)
            n_frames = tf.size(labels["energy"])
            found.append(-tf.math.unsorted_segment_sum(of_atoms, labels["frame_of_atom"], n_frames))
        return found
