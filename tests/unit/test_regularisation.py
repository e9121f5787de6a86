"""Penalties on weights, limits to gradients, AdamW: against formulas written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from panna.network.initialise import initial_network
from panna.network.variables import NetworkVariables
from panna.training.adam import Adam, AdamOptions
from panna.training.adamw import AdamW
from panna.training.clipping import Clipping
from panna.training.metrics import SUMS, Errors
from panna.training.regularisation import Regularisation


@pytest.fixture
def networks():
    made = [
        initial_network(
            5, (4, 1), ("gaussian", "linear"), (False, True), seed=3, symbol=s, dtype="float64"
        )
        for s in ("Si", "O")
    ]
    return [NetworkVariables.create(network, tf.float64) for network in made]


def test_penalties_are_sums_over_all_layers_frozen_ones_too(networks):
    w = np.concatenate([v.numpy().ravel() for n in networks for v in n.weights])
    b = np.concatenate([v.numpy().ravel() for n in networks for v in n.biases])
    for key, expected in {
        "wscale_l1": np.abs(w).sum(),
        "wscale_l2": (w**2).sum(),
        "bscale_l1": np.abs(b).sum(),
        "bscale_l2": (b**2).sum(),
    }.items():
        assert float(Regularisation(**{key: 0.3})(networks)) == pytest.approx(0.3 * expected)


def test_the_penalty_belongs_to_the_loss_and_has_its_own_sum(networks):
    regularisation = Regularisation(wscale_l1=0.1, bscale_l2=0.2)
    before = np.zeros(len(SUMS))
    before[[SUMS.index("frames"), SUMS.index("loss"), SUMS.index("energy_loss")]] = 4.0, 8.0, 8.0
    variables = networks[0].all
    gradients = [tf.ones_like(v) for v in variables]
    sums, found = regularisation.added(networks, variables, tf.constant(before), gradients)
    penalty, errors = float(regularisation(networks)), Errors().plus(sums.numpy())
    assert errors.mean_loss == pytest.approx(2.0 + penalty)
    assert errors.mean_regularisation == pytest.approx(penalty)
    for variable, gradient in zip(variables, found, strict=True):
        value = variable.numpy()
        slope = 0.1 * np.sign(value) if value.ndim == 2 else 0.4 * value
        np.testing.assert_allclose(gradient, 1 + slope * variable.trainable, rtol=1e-12)
    assert errors.mean_energy_loss == 2.0
    assert np.isnan(Errors().plus(before).mean_regularisation)


def test_gradients_are_cut_component_by_component_or_made_shorter():
    gradients = [tf.constant([[3.0, -0.5]]), tf.constant([-4.0])]
    norm = tf.linalg.global_norm(gradients)
    cut = Clipping(value=1.0)(gradients, norm)
    np.testing.assert_array_equal(np.concatenate([g.numpy().ravel() for g in cut]), [1, -0.5, -1])
    shorter = Clipping(norm=1.0)(gradients, norm)
    assert float(tf.linalg.global_norm(shorter)) == pytest.approx(1.0, rel=1e-6)
    ratio = shorter[0].numpy() / gradients[0].numpy()
    np.testing.assert_allclose(ratio, 1 / np.sqrt(25.25), rtol=1e-6)
    for off in (Clipping(), Clipping(norm=5.03), Clipping(value=4.0)):
        for kept, gradient in zip(off(gradients, norm), gradients, strict=True):
            np.testing.assert_array_equal(kept, gradient)


def test_adamw_decays_weights_by_the_learning_rate_and_no_biases():
    rng = np.random.default_rng(0)
    shapes, options = ((3, 2), (2,)), AdamOptions()
    x = [rng.normal(size=shape) for shape in shapes]
    variables = [tf.Variable(a) for a in x]
    plain = [tf.Variable(a) for a in x]
    adamw, adam = AdamW(variables, options, 0.1), Adam(plain, options)

    @tf.function(jit_compile=True)
    def apply(gradients, size):
        adamw.apply(gradients, size)

    for t, rate in enumerate((0.01, 0.02, 0.005), start=1):
        gradients = [tf.constant(rng.normal(size=shape)) for shape in shapes]
        # Both moments see gradients alone, so that AdamW is Adam after a decay of the weights.
        for variable in plain:
            if variable.shape.rank == 2:
                variable.assign(variable * (1 - 0.1 * rate))
        adam.apply(gradients, tf.constant(adam.step_size(rate, t), tf.float64))
        apply(gradients, tf.constant(adamw.step_size(rate, t), tf.float64))
        for one, other in zip(variables, plain, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
    assert [v.shape for v in adamw.state[:-1]] == [v.shape for v in adam.state]
    assert adamw.state[-1].numpy() == 3
