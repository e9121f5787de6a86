"""Activations: TensorFlow and NumPy alike, slopes by finite differences, radial-basis layers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from panna.network.activations import ACTIVATIONS
from panna.network.initialise import initial_network
from panna.network.variables import NetworkVariables
from panna.training.adam import Adam, AdamOptions

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(7, 5)), RNG.normal(size=(5, 3)), RNG.normal(size=3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layers_of_both_libraries_agree_and_slopes_are_finite_differences(name):
    activation, h = ACTIVATIONS[name], 1e-6
    expected = activation.layer(X, W, B, np)
    found = activation.layer(*(tf.constant(a) for a in (X, W, B)), tf).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    argument = activation.argument(X, W, B, np)
    y = activation.function(argument, np)
    up, down = (activation.function(argument + s * h, np) for s in (1, -1))
    # Second order in h; relu's kink is further away than h.
    np.testing.assert_allclose(
        activation.derivative(argument, y, np), (up - down) / (2 * h), rtol=1e-6, atol=1e-8
    )


def test_a_radial_basis_layer_is_that_of_panna():
    """exp(-sum_i (x_i - W_ij)^2), whatever the bias."""
    expected = np.exp(-((X[:, :, None] - W[None]) ** 2).sum(1))
    for bias in (B, np.zeros(3)):
        np.testing.assert_allclose(ACTIVATIONS["rbf"].layer(X, W, bias, np), expected, rtol=1e-11)


def test_biases_of_radial_basis_layers_are_never_trained():
    network = initial_network(
        5, (4, 3, 1), ("tanh", "rbf", "linear"), (True,) * 3, seed=0, symbol="Si", dtype="float64"
    )
    variables = NetworkVariables.create(network, tf.float64)
    adam = Adam(variables.all, AdamOptions())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(variables(tf.constant(X)) ** 2)
    gradients = tape.gradient(
        loss, variables.all, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    adam.apply(gradients, tf.constant(0.1, tf.float64))
    for k, (weights, biases) in enumerate(zip(variables.weights, variables.biases, strict=True)):
        assert not np.array_equal(weights.numpy(), network.weights[k])
        assert np.array_equal(biases.numpy(), network.biases[k]) == (k == 1)
    assert not network.biases[1].any()


def test_radial_basis_layers_begin_awake():
    """Centres lie where the inputs are: in far corners exp(-d^2) would be 0, slopes as well."""
    x = RNG.normal(size=(200, 48))
    for seed in range(5):
        network = initial_network(
            48, (32, 16, 1), ("gaussian", "rbf", "linear"), (True,) * 3, seed=seed, symbol="Si",
            dtype="float64",
        )  # fmt: skip
        y = x
        for k in range(2):
            layer = ACTIVATIONS[network.activations[k]]
            y = layer.layer(y, network.weights[k], network.biases[k], np)
        assert np.median(y) > 1e-4
