"""One training step: gradients of the whole loss, Adam, averages, values that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from training_cases import TWO_SPECIES, labelled_frame

from panna.descriptors import evaluate
from panna.frames.neighbours import concatenate, neighbour_list
from panna.network.energy import Scaling
from panna.network.initialise import initial_network
from panna.network.variables import NetworkVariables, all_variables, trainable_variables
from panna.storage.frame_record import atom_derivatives
from panna.training.adam import Adam, AdamOptions
from panna.training.metrics import SUMS, Errors
from panna.training.objective import Objective
from panna.training.regularisation import Regularisation
from panna.training.step import Derivatives, Step

G = TWO_SPECIES.size
OFFSETS = np.array([-107.3, -432.1])
RATE = 1e-3


@pytest.fixture(scope="module")
def batch():
    """Three frames with everything that either source of derivatives needs, all in float64."""
    frames = [labelled_frame(TWO_SPECIES, i) for i in range(3)]
    neighbours = concatenate(
        [neighbour_list(f, TWO_SPECIES.species, TWO_SPECIES.cutoff) for f in frames]
    )
    rows, cols, values = [], [], []
    for centre, atoms, block in atom_derivatives(TWO_SPECIES, neighbours, 1):
        component, atom, axis = np.indices(block.shape)
        rows.append((centre * G + component).ravel())
        cols.append((3 * atoms[atom] + axis).ravel())
        values.append(block.ravel())
    n_atoms = np.array([frame.n_atoms for frame in frames])
    arrays = {
        "n_atoms": n_atoms,
        "energy": np.array([frame.energy for frame in frames]),
        "weight": np.array([1.0, 0.5, 2.0], np.float32),
        "species": np.asarray(neighbours.species, np.int32),
        "frame_of_atom": np.repeat(np.arange(3), n_atoms),
        "descriptors": evaluate.compute(TWO_SPECIES, neighbours, 1),
        "forces": np.concatenate([frame.forces for frame in frames]),
        "rows": np.concatenate(rows),
        "cols": np.concatenate(cols),
        "values": np.concatenate(values),
        "first": np.asarray(neighbours.first, np.int64),
        "index": np.asarray(neighbours.index, np.int64),
        "vectors": np.asarray(neighbours.vectors, np.float64),
    }
    return {name: tf.constant(array) for name, array in arrays.items()}


def a_step(batch, source="on_the_fly", trainable=(True, True, True), averaged=False, **objective):
    """A step with fresh networks, always the same ones."""
    descriptors = batch["descriptors"].numpy()
    mean, std = descriptors.mean(0), descriptors.std(0) + 0.1
    scaling = Scaling(np.tile(mean, (2, 1)), np.tile(std, (2, 1)))
    networks = [
        initial_network(
            G, (6, 4, 1), ("gaussian", "tanh", "linear"), trainable,
            seed=1, symbol=symbol, spread=0.3, dtype="float64",
        )
        for symbol in TWO_SPECIES.species
    ]  # fmt: skip
    variables = [NetworkVariables.create(network, tf.float64) for network in networks]
    means = [NetworkVariables.create(network, tf.float64) for network in networks]
    options = dict(energy_loss="quad_std_atom", force_loss="quad_atom", forces_cost=0.7)
    return Step(
        variables,
        means if averaged else None,
        scaling,
        OFFSETS,
        Objective(**{**options, **objective}),
        Derivatives(source, TWO_SPECIES, threads=1),
        Adam(trainable_variables(variables), AdamOptions()),
        0.9,
        {name: tf.TensorSpec([None, *a.shape[1:]], a.dtype) for name, a in batch.items()},
    )


def loss_and_gradients(step, batch):
    with tf.GradientTape() as tape:
        loss, _ = step._loss(step.networks, batch)
    return float(loss), [g.numpy() for g in tape.gradient(loss, step.optimiser.variables)]


def test_both_sources_of_derivatives_give_the_same_gradients(batch):
    stored, flying = (
        loss_and_gradients(a_step(batch, source), batch) for source in ("stored", "on_the_fly")
    )
    assert stored[0] == pytest.approx(flying[0], rel=1e-12)
    for one, other in zip(stored[1], flying[1], strict=True):
        worst = np.abs(one - other).max() / np.abs(other).max()
        assert worst < 1e-9, f"relative difference {worst:.1e}"  # rounding of float64 sums


@pytest.mark.parametrize("source", ["on_the_fly", "none"])
def test_gradients_are_those_of_finite_differences(source, batch):
    step = a_step(batch, source)
    _, gradients = loss_and_gradients(step, batch)
    rng, h = np.random.default_rng(0), 1e-5
    for variable, gradient in zip(step.optimiser.variables, gradients, strict=True):
        start, direction = variable.numpy(), rng.normal(size=variable.shape)
        losses = []
        for shift in (h, -h):
            variable.assign(start + shift * direction)
            losses.append(Errors().plus(step.validate(batch).sums).mean_loss)
        variable.assign(start)
        expected = (losses[0] - losses[1]) / (2 * h)
        found = (gradient * direction).sum()
        # Second order in h, relative to the slopes of the whole network.
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_gradients_of_a_batch_are_those_of_a_step_with_its_penalty(batch):
    step = a_step(batch)
    step.regularisation = Regularisation(wscale_l1=0.1, bscale_l2=0.3)
    sums, gradients = step.gradients(batch)
    _, without = loss_and_gradients(step, batch)
    for variable, found, plain in zip(step.optimiser.variables, gradients, without, strict=True):
        value = variable.numpy()
        penalty = 0.1 * np.sign(value) if value.ndim == 2 else 0.6 * value
        np.testing.assert_allclose(found, plain + penalty, rtol=1e-9, atol=1e-12)
    penalty = float(step.regularisation(step.networks))
    assert Errors().plus(sums).mean_regularisation == pytest.approx(penalty)
    assert np.isnan(Errors().plus(step.validate(batch).sums).mean_regularisation)


def test_sums_are_those_of_the_metrics(batch):
    step = a_step(batch)
    outcome = step.validate(batch)
    errors = Errors().plus(outcome.sums)
    difference, forces = (x.numpy() for x in step._differences(step.networks, batch))
    atoms, weights = batch["n_atoms"].numpy(), batch["weight"].numpy()
    squares = np.add.reduceat((forces**2).sum(1), [0, *np.cumsum(atoms)[:-1]])
    assert len(outcome.sums) == len(SUMS) and errors.frames == 3
    assert errors.mean_energy_loss == pytest.approx((weights * difference**2 / atoms).mean())
    assert errors.mean_force_loss == pytest.approx((weights * squares / atoms).mean())
    assert errors.mean_loss == pytest.approx(errors.mean_energy_loss + 0.7 * errors.mean_force_loss)
    assert errors.energy_rmse == pytest.approx(np.sqrt(np.mean((difference / atoms) ** 2)))
    assert errors.energy_mae == pytest.approx(np.abs(difference / atoms).mean())
    assert errors.force_rmse == pytest.approx(np.sqrt((forces**2).mean()))
    assert errors.force_mae == pytest.approx(np.abs(forces).mean())


def test_reference_energies_cost_no_digits(batch):
    """The same difference with offsets of a million eV, to float64 rounding of the energies."""
    before = a_step(batch, "none")._differences
    step = a_step(batch, "none")
    step.offsets = OFFSETS + 1e6
    moved = {**batch, "energy": batch["energy"] + 1e6 * tf.cast(batch["n_atoms"], tf.float64)}
    expected = before(step.networks, batch)[0].numpy()
    np.testing.assert_allclose(
        step._differences(step.networks, moved)[0].numpy(), expected, atol=1e-8
    )


def test_the_first_steps_are_those_of_adam(batch):
    step = a_step(batch)
    options = AdamOptions()
    x = [v.numpy() for v in step.optimiser.variables]
    m, v = [np.zeros_like(a) for a in x], [np.zeros_like(a) for a in x]
    for t in (1, 2, 3):
        _, gradients = loss_and_gradients(step, batch)
        step.train(batch, RATE, t)
        for i, g in enumerate(gradients):
            m[i] = options.beta1 * m[i] + (1 - options.beta1) * g
            v[i] = options.beta2 * v[i] + (1 - options.beta2) * g**2
            # Kingma and Ba, arXiv 1412.6980, end of section 2
            size = RATE * np.sqrt(1 - options.beta2**t) / (1 - options.beta1**t)
            x[i] = x[i] - size * m[i] / (np.sqrt(v[i]) + options.eps)
            np.testing.assert_allclose(step.optimiser.variables[i].numpy(), x[i], rtol=1e-10)


def test_averages_follow_the_weights_and_are_the_ones_evaluated(batch):
    step = a_step(batch, averaged=True)
    expected = [v.numpy() for v in all_variables(step.networks)]
    for t in range(1, 5):
        step.train(batch, 0.01, t)
        now = [v.numpy() for v in all_variables(step.networks)]
        expected = [0.9 * a + 0.1 * b for a, b in zip(expected, now, strict=True)]
    for a, b in zip(expected, all_variables(step.evaluated), strict=True):
        np.testing.assert_allclose(b.numpy(), a, rtol=1e-12)
    plain = a_step(batch)
    for variable, value in zip(all_variables(plain.networks), expected, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(step.validate(batch).sums, plain.validate(batch).sums, rtol=1e-10)


def test_frozen_layers_stay(batch):
    step = a_step(batch, trainable=(False, True, False))
    before = [v.numpy() for v in all_variables(step.networks)]
    step.train(batch, 0.01, 1)
    for i, (old, new) in enumerate(zip(before, all_variables(step.networks), strict=True)):
        assert np.array_equal(old, new.numpy()) == (i % 6 not in (2, 3))


def test_weights_stay_when_a_value_is_not_finite(batch):
    step = a_step(batch, averaged=True)
    variables = [*all_variables(step.networks), *all_variables(step.averaged)]
    before = [v.numpy() for v in [*variables, *step.optimiser.state]]
    broken = {**batch, "energy": batch["energy"] * tf.constant([1.0, np.nan, 1.0], tf.float64)}
    assert not step.train(broken, RATE, 1).finite
    for old, new in zip(before, [*variables, *step.optimiser.state], strict=True):
        assert np.array_equal(old, new.numpy())
    assert step.train(batch, RATE, 1).finite
