"""The networks as TensorFlow variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from panna.network.activations import ACTIVATIONS, Activation
from panna.network.parameters import SpeciesNetwork


@dataclass(frozen=True)
class NetworkVariables:
    """The network of one species during training.

    weights: one (in, out) variable per layer.
    biases: one (out,) variable per layer.
    activations, trainable: one per layer.
    """

    weights: tuple[tf.Variable, ...]
    biases: tuple[tf.Variable, ...]
    activations: tuple[str, ...]
    trainable: tuple[bool, ...]

    @classmethod
    def create(cls, network: SpeciesNetwork, dtype: tf.DType) -> NetworkVariables:
        """Variables with the values of a network."""

        def variables(arrays: Sequence[np.ndarray]) -> tuple[tf.Variable, ...]:
            return tuple(
                tf.Variable(array, trainable=bool(trainable), dtype=dtype)
                for array, trainable in zip(arrays, network.trainable, strict=True)
            )

        return cls(
            weights=variables(network.weights),
            biases=variables(network.biases),
            activations=tuple(network.activations),
            trainable=tuple(bool(t) for t in network.trainable),
        )

    @property
    def all(self) -> list[tf.Variable]:
        """Weights and biases, layer by layer."""
        return [v for pair in zip(self.weights, self.biases, strict=True) for v in pair]

    @property
    def layers(self) -> list[tuple[tf.Variable, tf.Variable, Activation]]:
        """Weights, biases and activation of each layer."""
        names = (ACTIVATIONS[name] for name in self.activations)
        return list(zip(self.weights, self.biases, names, strict=True))

    def network(self) -> SpeciesNetwork:
        """The present values as NumPy arrays."""
        return SpeciesNetwork(
            weights=[v.numpy() for v in self.weights],
            biases=[v.numpy() for v in self.biases],
            activations=list(self.activations),
            trainable=list(self.trainable),
        )

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """(N, g) standardised descriptors -> (N,) energies in eV."""
        x = inputs
        for weights, biases, activation in self.layers:
            x = activation.layer(x, weights, biases, tf)
        return tf.squeeze(x, 1)


def trainable_variables(networks: Sequence[NetworkVariables]) -> list[tf.Variable]:
    """What the optimiser changes, in a fixed order."""
    return [v for network in networks for v in network.all if v.trainable]


def all_variables(networks: Sequence[NetworkVariables]) -> list[tf.Variable]:
    """Trainable and frozen variables, in a fixed order."""
    return [v for network in networks for v in network.all]
