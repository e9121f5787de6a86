"""One step of training, and one of validation, as compiled TensorFlow functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from panna.descriptors.parameters import DescriptorParameters
from panna.network.energy import Scaling, atomic_energies, frame_energies
from panna.network.forces import core_descriptors, core_forces, stored_forces
from panna.network.variables import NetworkVariables
from panna.training.adam import Adam
from panna.training.clipping import Clipping
from panna.training.objective import Objective
from panna.training.regularisation import Regularisation

Batch = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Derivatives:
    """Where the derivatives of the descriptors come from.

    source: "none" (energies only), "stored" or "on_the_fly".
    descriptor: for "on_the_fly".
    threads: of the core, 0 for all.
    """

    source: str = "none"
    descriptor: DescriptorParameters | None = None
    threads: int = 0


@dataclass(frozen=True)
class Outcome:
    """sums: one number for each of metrics.SUMS; gradient_norm: of all weights together."""

    sums: np.ndarray
    gradient_norm: float = 0.0

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.sums).all() and np.isfinite(self.gradient_norm))


class Step:
    """The compiled functions for one set of networks.

    All sizes but that of the descriptors are open in the signature: batches of any number of
    frames and atoms run through the same graph.

    Args:
      networks: what is trained.
      averaged: running averages of the networks' variables, None if there are none.
      scaling: of the descriptors, None for none.
      offsets: (n_species,) float64, eV, subtracted from the energies in float64.
      objective: what is minimised.
      derivatives: their source.
      optimiser: Adam on the trainable variables of `networks`.
      decay: of the averages.
      signature: names, shapes and types of a batch (`Dataset.signature`).
      regularisation: of the weights, None for none; part of the loss of training only.
      clipping: of the gradient.
    """

    def __init__(
        self,
        networks: Sequence[NetworkVariables],
        averaged: Sequence[NetworkVariables] | None,
        scaling: Scaling | None,
        offsets: np.ndarray,
        objective: Objective,
        derivatives: Derivatives,
        optimiser: Adam,
        decay: float,
        signature: Mapping[str, tf.TensorSpec],
        regularisation: Regularisation | None = None,
        clipping: Clipping | None = None,
    ) -> None:
        self.networks, self.averaged, self.decay = list(networks), averaged, decay
        self.scaling, self.offsets = scaling, np.asarray(offsets, np.float64)
        self.objective, self.derivatives, self.optimiser = objective, derivatives, optimiser
        self.regularisation, self.clipping = regularisation, clipping or Clipping()
        spec = {name: s for name, s in signature.items() if s.dtype != tf.string}
        self._used = tuple(spec)
        size = tf.TensorSpec([], tf.float64)
        # Without autograph, which would take longer than the tracing itself.
        compiled = partial(tf.function, autograph=False)
        self._train = compiled(self._train_graph, input_signature=[spec, size])
        self._validate = compiled(self._validate_graph, input_signature=[spec])
        self._gradients = compiled(self._gradient_graph, input_signature=[spec])

    def train(self, batch: Batch, learning_rate: float, step: int) -> Outcome:
        """Changes the weights once. `step` counts from 1.

        If loss or gradients are not finite the weights stay as they were.
        """
        size = self.optimiser.step_size(learning_rate, step)
        sums, norm = self._train(self._tensors(batch), tf.constant(size, tf.float64))
        return Outcome(sums.numpy(), float(norm))

    def validate(self, batch: Batch) -> Outcome:
        """Errors of a batch, with the averaged weights if there are any."""
        return Outcome(self._validate(self._tensors(batch)).numpy())

    def gradients(self, batch: Batch) -> tuple[np.ndarray, list[np.ndarray]]:
        """Sums of a batch and the gradient of its loss by each variable of the optimiser."""
        sums, _, gradients = self._gradients(self._tensors(batch))
        return sums.numpy(), [gradient.numpy() for gradient in gradients]

    @property
    def evaluated(self) -> list[NetworkVariables]:
        """The networks to use: the averaged ones if there are any."""
        return list(self.averaged) if self.averaged is not None else self.networks

    def _tensors(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {name: tf.convert_to_tensor(batch[name]) for name in self._used}

    def _gradient_graph(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Sums, loss and gradients."""
        with tf.GradientTape() as tape:
            loss, sums = self._loss(self.networks, batch)
            if self.regularisation is not None:
                loss, sums = self.regularisation.added(self.networks, loss, sums)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, self.optimiser.variables, unconnected_gradients=zero)
        return sums, loss, gradients

    def _train_graph(self, batch: Batch, step_size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        sums, loss, gradients = self._gradient_graph(batch)
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(tf.cast(loss, norm.dtype))

        def update() -> tf.Tensor:
            self.optimiser.apply(self.clipping(gradients, norm), step_size)
            self._average()
            return finite

        tf.cond(finite, update, lambda: finite)
        return sums, norm

    def _validate_graph(self, batch: Batch) -> tf.Tensor:
        return self._loss(self.evaluated, batch)[1]

    def _average(self) -> None:
        if self.averaged is None:
            return
        for average, network in zip(self.averaged, self.networks, strict=True):
            for mean, value in zip(average.all, network.all, strict=True):
                mean.assign_add((value - mean) * (1.0 - self.decay))

    def _loss(
        self, networks: Sequence[NetworkVariables], batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss of the batch, float64, and the sums for the metrics."""
        return self.objective(*self._differences(networks, batch), batch)

    def _differences(
        self, networks: Sequence[NetworkVariables], batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Predicted minus reference: (B,) energies, float64, and (N, 3) forces or None."""
        source = self.derivatives.source
        atomic, gradients = atomic_energies(
            networks, self.scaling, batch["species"], self._descriptors(batch), source != "none"
        )
        frame, n_frames = batch["frame_of_atom"], tf.size(batch["energy"])
        offsets = tf.gather(tf.constant(self.offsets), batch["species"])
        reference = batch["energy"] - frame_energies(offsets, frame, n_frames)
        difference = frame_energies(atomic, frame, n_frames) - reference
        if source == "none":
            return difference, None
        if source == "stored":
            forces = stored_forces(gradients, batch["rows"], batch["cols"], batch["values"])
        else:
            derivatives = self.derivatives
            forces = core_forces(
                gradients, derivatives.descriptor, *_neighbours(batch), threads=derivatives.threads
            )
        return difference, forces - tf.cast(batch["forces"], forces.dtype)

    def _descriptors(self, batch: Batch) -> tf.Tensor:
        """Those of the records; in float64 those of the core, where it is at work anyway."""
        double = self.networks[0].weights[0].dtype == tf.float64
        if self.derivatives.source != "on_the_fly" or not double:
            return batch["descriptors"]
        derivatives = self.derivatives
        return core_descriptors(
            derivatives.descriptor, *_neighbours(batch), threads=derivatives.threads
        )


def _neighbours(batch: Batch) -> tuple[tf.Tensor, ...]:
    """The fields of a NeighbourList, in their order."""
    return tuple(batch[name] for name in ("species", "first", "index", "vectors"))
