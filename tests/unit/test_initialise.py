"""First weights: reproducible, and of the right size for standardised inputs."""

from __future__ import annotations

import numpy as np
import pytest

from panna.network.activations import ACTIVATIONS
from panna.network.evaluate import atomic_energies
from panna.network.initialise import activation_moments, initial_network
from panna.network.parameters import Model

SIZES = (64, 32, 1)


def network(activation="gaussian", symbol="Si", **options):
    names = (activation, activation, "linear")
    options = {"seed": 0, **options}
    return initial_network(48, SIZES, names, (True,) * 3, symbol=symbol, **options)


def test_seed_and_symbol_fix_the_weights():
    same, again, seed, symbol = network(), network(), network(seed=1), network(symbol="C")
    for a, b, c, d in zip(same.weights, again.weights, seed.weights, symbol.weights, strict=True):
        assert np.array_equal(a, b) and not np.array_equal(a, c) and not np.array_equal(a, d)
    assert same.weights[0].dtype == np.float32
    assert network(dtype="float64").weights[0].dtype == np.float64


@pytest.mark.parametrize("activation", ["gaussian", "tanh", "relu"])
def test_energies_start_with_the_spread_of_the_targets(activation):
    inputs = np.random.default_rng(0).normal(size=(2000, 48))
    spreads, means = [], []
    for seed in range(20):
        model = Model(("Si",), None, [network(activation, seed=seed, spread=0.3)], np.zeros(1))
        energies = atomic_energies(model, np.zeros(2000, int), inputs)
        spreads.append(energies.std())
        means.append(energies.mean())
    # Random networks: within a factor of 1.5 on average.
    assert 0.2 < np.mean(spreads) < 0.45, np.mean(spreads)
    assert abs(np.mean(means)) < 0.2


@pytest.mark.parametrize("name", [n for n, a in ACTIVATIONS.items() if not a.centres])
def test_moments_are_those_of_a_sample(name):
    rng = np.random.default_rng(0)
    shifts, x = np.linspace(-0.999, 0.999, 1000), rng.normal(size=(1000, 1000))
    values = ACTIVATIONS[name].function(x + shifts[:, None], np)
    mean, variance = activation_moments(name)
    assert mean == pytest.approx(values.mean(), abs=0.005)
    assert variance == pytest.approx(values.var(axis=1).mean(), rel=0.02)
