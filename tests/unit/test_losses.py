"""Losses: values by hand, slopes by finite differences, names as in the ini file."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from panna.config.train import energy_loss, force_loss
from panna.errors import TrainingError
from panna.training.losses import ENERGY_LOSSES, FORCE_LOSSES, batch_mean, find_loss

D = np.array([0.6, -1.2, 3.0])  # eV
F2 = np.array([0.5, 2.0, 12.0])  # (eV/angstrom)^2
N = np.array([2.0, 3.0, 6.0])

BY_HAND = {
    "quad": [0.36, 1.44, 9.0],
    "quad_atom": [0.09, 0.16, 0.25],
    "quad_std_atom": [0.18, 0.48, 1.5],
}
FORCES_BY_HAND = {
    "quad": [0.5, 2.0, 12.0],
    "quad_atom": [0.25, 2 / 3, 2.0],
    "quad_percomp": [0.25 / 3, 2 / 9, 2 / 3],
}


def test_every_loss_has_a_value_by_hand_and_a_name_in_the_ini_file():
    assert set(BY_HAND) == set(ENERGY_LOSSES) == set(energy_loss.choices)
    assert set(FORCES_BY_HAND) == set(FORCE_LOSSES) == set(force_loss.choices)


@pytest.mark.parametrize("name", BY_HAND)
def test_energy_losses(name):
    found = ENERGY_LOSSES[name](tf.constant(D), tf.constant(N)).numpy()
    np.testing.assert_allclose(found, BY_HAND[name], rtol=1e-14)


@pytest.mark.parametrize("name", FORCES_BY_HAND)
def test_force_losses(name):
    found = FORCE_LOSSES[name](tf.constant(F2), tf.constant(N)).numpy()
    np.testing.assert_allclose(found, FORCES_BY_HAND[name], rtol=1e-14)


@pytest.mark.parametrize(
    "registry, name, x",
    [(ENERGY_LOSSES, name, D) for name in BY_HAND]
    + [(FORCE_LOSSES, name, F2) for name in FORCES_BY_HAND],
)
def test_slopes_are_those_of_finite_differences(registry, name, x):
    loss, atoms = registry[name], tf.constant(N)
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(variable, atoms))
    slopes = tape.gradient(total, variable).numpy()
    h = 1e-5
    up, down = (loss(tf.constant(x + s * h), atoms).numpy() for s in (1, -1))
    # Losses are quadratic at most: only rounding remains, 1e-16 / h.
    np.testing.assert_allclose(slopes, (up - down) / (2 * h), rtol=1e-9)


def test_the_loss_of_a_batch_is_a_weighted_mean_over_its_frames():
    losses, weights = tf.constant([1.0, 2.0, 6.0], tf.float64), tf.constant([1.0, 0.5, 2.0])
    assert batch_mean(losses, weights).numpy() == pytest.approx((1 + 1 + 12) / 3)


def test_an_unknown_loss_is_named_with_the_known_ones():
    with pytest.raises(TrainingError, match="loss_function = cubic: .*quad, quad_atom"):
        find_loss(ENERGY_LOSSES, "cubic", "loss_function")
