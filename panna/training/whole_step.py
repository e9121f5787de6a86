"""A step of training as one graph, for devices that the compiled core does not reach.

The same chain as in step.py, but the products with the derivatives of the descriptors are
TensorFlow's, too: between the batch and the new weights nothing leaves the device. All arrays of a
batch are padded to lengths that hardly ever change, so that XLA can compile the step once, as it
must on a TPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from panna.network.energy import atomic_energies, energies_and_slopes
from panna.network.forces import Stored
from panna.training.by_species import BySpecies, PairRows
from panna.training.step import Batch, Outcome, Step

Tensors = Mapping[str, tf.Tensor]


class WholeStep(Step):
    """As Step, with stored derivatives (`blocks`) in the batches; everything in one graph."""

    def _compile(self, xla: bool) -> None:
        weights = self.networks[0].weights[0]
        g, dtype = weights.shape[0], weights.dtype
        self.pair_rows = PairRows(exact=not xla)
        pairs = {} if self.derivatives is None else self._pair_specs(g)
        inputs = [tf.TensorSpec([None, g], dtype)] * len(self.networks)
        signature = [inputs, self._label_specs(), pairs]

        def graph(function, signature, **options):
            return tf.function(function, signature, autograph=False, **options)

        self._gradients = graph(self._whole_gradients, signature, jit_compile=xla)
        self._score_whole = graph(self._whole_score, signature, jit_compile=xla)
        size = tf.TensorSpec([], tf.float64)
        self._update = graph(self._update_graph, [*signature, size])
        self._graphs = [self._gradients, self._score_whole, self._update]

    def _pair_specs(self, g: int) -> dict[str, Any]:
        """What the graph is told of the pairs of atoms."""
        specs = {
            "centre": tf.TensorSpec([None], tf.int64),
            "neighbour": tf.TensorSpec([None], tf.int64),
            "blocks": tf.TensorSpec([None, 3, g], self._block_type),
        }
        if self._with_virials:
            specs["frame"] = tf.TensorSpec([None], tf.int64)
            specs["vectors"] = tf.TensorSpec([None, 3], tf.float64)
        return specs

    @property
    def _block_type(self) -> type[np.floating]:
        half = isinstance(self.derivatives, Stored) and self.derivatives.half
        return np.float16 if half else np.float32

    def validate(self, batch: Batch) -> Outcome:
        """Errors of a batch, with the averaged weights if there are any."""
        return Outcome(self._score_whole(*self._graph_inputs(batch)).numpy())

    # -- from batches to what the graph takes ------------------------------------------------------

    def _graph_inputs(self, batch: Batch):
        """Inputs of the networks, labels and pairs, atoms sorted by species."""
        layout = self.lengths.sort(batch["species"])

        def of_atoms(name: str, filling: float = 0) -> np.ndarray:
            return np.concatenate(layout.split(batch[name], filling))

        names = ["n_atoms", "energy", "weight", *["virial"] * self._with_virials]
        labels = {name: batch[name] for name in names}
        labels |= {"species": of_atoms("species"), "frame_of_atom": of_atoms("frame_of_atom", -1)}
        pairs = {}
        if self.derivatives is not None:
            labels["forces"] = of_atoms("forces")
            pairs = self._pairs(batch, layout)
        return layout.split(batch["descriptors"]), labels, pairs

    def _pairs(self, batch: Batch, layout: BySpecies) -> dict[str, np.ndarray]:
        """Padded with pairs of the first atom with itself, whose derivatives are 0."""
        place = layout.places()
        centre = np.repeat(np.arange(len(batch["species"])), np.diff(batch["first"]))
        pad = self.pair_rows.padding(len(centre))
        pairs = {
            "centre": pad(place[centre]),
            "neighbour": pad(place[batch["index"]]),
            "blocks": pad(np.concatenate(batch["blocks"]).astype(self._block_type, copy=False)),
        }
        if self._with_virials:
            pairs["frame"] = pad(batch["frame_of_atom"][centre])
            pairs["vectors"] = pad(batch["vectors"])
        return pairs

    # -- graphs ------------------------------------------------------------------------------------

    def _whole_gradients(self, inputs, labels: Tensors, pairs: Tensors):
        with tf.GradientTape() as tape:
            loss, sums = self._loss(self.networks, inputs, labels, pairs)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, self.optimiser.variables, unconnected_gradients=zero)
        return self._penalised(sums, gradients)

    def _whole_score(self, inputs, labels: Tensors, pairs: Tensors) -> tf.Tensor:
        return self._loss(self.evaluated, inputs, labels, pairs)[1]

    def _loss(self, networks, inputs, labels: Tensors, pairs: Tensors) -> tuple[Any, tf.Tensor]:
        """Loss of a batch and its sums."""
        if self.derivatives is None:
            energies = tf.concat(atomic_energies(networks, inputs), 0)
            return self.objective(self._energy_errors(labels, energies), None, labels)
        energies, slopes = energies_and_slopes(networks, inputs)
        slopes = tf.concat(self._per_descriptor(slopes), 0)
        forces, *virials = self._forces_and_virials(slopes, labels, pairs)
        return self.objective(
            self._energy_errors(labels, tf.concat(energies, 0)),
            forces - tf.cast(labels["forces"], tf.float64),
            labels,
            *[virial - labels["virial"] for virial in virials],
        )

    def _forces_and_virials(self, slopes: tf.Tensor, labels: Tensors, pairs) -> list[tf.Tensor]:
        """Forces (N, 3) from dE/dG (N, g), and virials (B, 3, 3) if they are trained."""
        of_pairs = tf.einsum(
            "pxg,pg->px", tf.cast(pairs["blocks"], slopes.dtype), tf.gather(slopes, pairs["centre"])
        )
        found = [_forces(of_pairs, pairs, tf.shape(slopes)[0])]
        if self._with_virials:
            found.append(_virials(of_pairs, pairs, tf.size(labels["energy"])))
        return found


def _forces(slopes: tf.Tensor, pairs: Tensors, n_atoms: tf.Tensor) -> tf.Tensor:
    """(N, 3) float64; F_c += s, F_j -= s for centre c and neighbour j, see network/forces.py."""
    slopes = tf.cast(slopes, tf.float64)
    add = tf.math.unsorted_segment_sum
    return add(slopes, pairs["centre"], n_atoms) - add(slopes, pairs["neighbour"], n_atoms)


def _virials(slopes: tf.Tensor, pairs: Tensors, n_frames: tf.Tensor) -> tf.Tensor:
    """(B, 3, 3) float64, -sum s (x) vector."""
    products = tf.cast(slopes, tf.float64)[:, :, None] * pairs["vectors"][:, None, :]
    return -tf.math.unsorted_segment_sum(products, pairs["frame"], n_frames)
