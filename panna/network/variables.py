"""The networks as TensorFlow variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
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
    def create(
        cls, network: SpeciesNetwork, dtype: tf.DType, like: NetworkVariables | None = None
    ) -> NetworkVariables:
        """Variables with the values of a network.

        Each layer is on one device; like: a network whose layers are on the same ones.
        """
        trainable = tuple(bool(t) for t in network.trainable)
        weights, biases = [], []
        for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            with nullcontext() if like is None else beside(like.weights[k]):
                weights.append(tf.Variable(w, trainable=trainable[k], dtype=dtype))
            with beside(weights[k]):
                biases.append(tf.Variable(b, trainable=trainable[k], dtype=dtype))
        return cls(tuple(weights), tuple(biases), tuple(network.activations), trainable)

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


def beside(variable: tf.Variable) -> AbstractContextManager:
    """Variables that are created inside are on the device, or parameter server, of another one."""
    return tf.distribute.get_strategy().extended.colocate_vars_with(variable)


def trainable_variables(networks: Sequence[NetworkVariables]) -> list[tf.Variable]:
    """What the optimiser changes, in a fixed order."""
    return [v for network in networks for v in network.all if v.trainable]


def all_variables(networks: Sequence[NetworkVariables]) -> list[tf.Variable]:
    """Trainable and frozen variables, in a fixed order."""
    return [v for network in networks for v in network.all]


def flat(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """All numbers of some arrays in one vector, float64."""
    return np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)


def assign(variables: Sequence[tf.Variable], point: np.ndarray) -> None:
    """Gives variables the values of a vector."""
    for variable, part in zip(variables, split_like(variables, point), strict=True):
        variable.assign(part)


def split_like(variables: Sequence[tf.Variable], vector: np.ndarray | tf.Tensor) -> list[tf.Tensor]:
    """A vector of as many numbers as variables have, as tensors of their shapes and types."""
    parts = tf.split(vector, [variable.shape.num_elements() for variable in variables])
    return [
        tf.cast(tf.reshape(part, variable.shape), variable.dtype)
        for part, variable in zip(parts, variables, strict=True)
    ]
