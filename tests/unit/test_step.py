"""One training step: gradients of the whole loss, Adam, averages, values that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from step_cases import OFFSETS, RATE, SCALING, a_step, check_finite_differences
from training_cases import TWO_SPECIES

from panna.descriptors import evaluate
from panna.network.evaluate import energies_and_gradients
from panna.network.forces import OnTheFly, neighbours_of
from panna.network.parameters import Model
from panna.network.variables import all_variables
from panna.training.adam import AdamOptions
from panna.training.clipping import Clipping
from panna.training.metrics import SUMS, Errors
from panna.training.regularisation import Regularisation


@pytest.mark.parametrize("stress_cost", [0.0, 2.0])
def test_both_sources_of_derivatives_give_the_same_gradients(stress_cost, batch):
    stored, flying = (
        a_step(source, stress_cost=stress_cost).gradients(batch)
        for source in ("stored", "on_the_fly")
    )
    np.testing.assert_allclose(stored[0], flying[0], rtol=1e-6)
    for one, other in zip(stored[1], flying[1], strict=True):
        worst = np.abs(one - other).max() / np.abs(other).max()
        assert worst < 1e-5, f"relative difference {worst:.1e}"  # float32 of the stored elements


@pytest.mark.parametrize("source", ["on_the_fly", "none"])
def test_xla_gives_the_same_for_batches_of_any_size(source, batch):
    """Padded arrays, too: there is room for more atoms than the batch has."""
    step, plain = (a_step(source, xla=xla, stress_cost=1.0) for xla in (True, False))
    step.lengths.expect(np.array([[20.0, 20.0], [30.0, 10.0]]), 2)
    for number in (1, 2):
        outcomes = [one.train(batch, RATE, number) for one in (step, plain)]
        np.testing.assert_allclose(outcomes[0].sums, outcomes[1].sums, rtol=1e-9)
        assert outcomes[0].gradient_norm == pytest.approx(outcomes[1].gradient_norm, rel=1e-9)
    np.testing.assert_allclose(step.validate(batch).sums, plain.validate(batch).sums, rtol=1e-9)


def test_mixed_precision_changes_gradients_by_single_rounding(batch):
    exact, mixed = a_step(), a_step()
    mixed.derivatives = OnTheFly(TWO_SPECIES, mixed=True, threads=1)
    pairs = [step.gradients(batch)[1] for step in (exact, mixed)]
    changed = 0.0
    for one, other in zip(*pairs, strict=True):
        worst = np.abs(one - other).max() / np.abs(one).max()
        changed = max(changed, worst)
        assert worst < 1e-4, f"relative difference {worst:.1e}"
    assert changed > 1e-12, "full precision was used"


@pytest.mark.parametrize(
    "source, stress_cost", [("on_the_fly", 0.0), ("on_the_fly", 2.0), ("none", 0.0)]
)
def test_gradients_are_those_of_finite_differences(source, stress_cost, batch):
    step = a_step(source, stress_cost=stress_cost)
    check_finite_differences(step, batch)


def predictions(batch):
    """Differences of energies, forces and virials from the networks in NumPy."""
    step = a_step()
    g = batch["descriptors"] * SCALING.std[batch["species"]] + SCALING.mean[batch["species"]]
    networks = [network.network() for network in step.networks]
    model = Model(TWO_SPECIES.species, None, networks, OFFSETS, SCALING.mean, SCALING.std)
    energies, slopes = energies_and_gradients(model, batch["species"], g)
    frames = np.bincount(batch["frame_of_atom"], energies)
    neighbours = neighbours_of(batch)
    pairs = evaluate.vjp(TWO_SPECIES, neighbours, slopes)
    forces = evaluate.forces_from_pairs(neighbours, pairs)
    frame = np.repeat(batch["frame_of_atom"], np.diff(batch["first"]))
    virials = np.zeros((3, 3, 3))
    np.add.at(virials, frame, -pairs[:, :, None] * batch["vectors"][:, None, :])
    return frames - batch["energy"], forces - batch["forces"], virials - batch["virial"]


@pytest.mark.parametrize("source", ["on_the_fly", "none"])
def test_a_penalty_belongs_to_the_gradients_and_sums_of_training_only(source, batch):
    step, plain = a_step(source), a_step(source)
    step.regularisation = Regularisation(wscale_l1=0.1, bscale_l2=0.3)
    step._compile(xla=False)
    sums, gradients = step.gradients(batch)
    _, without = plain.gradients(batch)
    for variable, found, expected in zip(step.optimiser.variables, gradients, without, strict=True):
        value = variable.numpy()
        penalty = 0.1 * np.sign(value) if value.ndim == 2 else 0.6 * value
        np.testing.assert_allclose(found, expected + penalty, rtol=1e-9, atol=1e-12)
    penalty = float(step.regularisation(step.networks))
    assert Errors().plus(sums).mean_regularisation == pytest.approx(penalty)
    outcome = step.train(batch, RATE, 1)
    np.testing.assert_allclose(outcome.sums, sums, rtol=1e-12)
    assert np.isnan(Errors().plus(step.validate(batch).sums).mean_regularisation)


def test_clipped_gradients_are_those_that_the_optimiser_gets(batch):
    """Adam forgets the length of a constant gradient, but not its moments."""
    plain, clipped = a_step(), a_step()
    clipped.clipping = Clipping(norm=1e-3)
    clipped._compile(xla=False)
    norm = plain.train(batch, RATE, 1).gradient_norm
    assert clipped.train(batch, RATE, 1).gradient_norm == norm > 1e-3
    moments = [tf.linalg.global_norm(step.optimiser.first) for step in (plain, clipped)]
    assert float(moments[1] / moments[0]) == pytest.approx(1e-3 / norm)


def test_sums_are_those_of_the_metrics(batch):
    outcome = a_step(stress_cost=2.0).validate(batch)
    errors = Errors().plus(outcome.sums)
    difference, forces, virials = predictions(batch)
    atoms, weights = batch["n_atoms"], batch["weight"]
    squares = np.add.reduceat((forces**2).sum(1), [0, *np.cumsum(atoms)[:-1]])
    assert len(outcome.sums) == len(SUMS) and errors.frames == 3
    assert errors.mean_energy_loss == pytest.approx((weights * difference**2 / atoms).mean())
    assert errors.mean_force_loss == pytest.approx((weights * squares / atoms).mean())
    known = virials[[0, 2]] / atoms[[0, 2], None, None]
    expected = (weights[[0, 2]] * (known**2).mean((1, 2))).sum() / 3
    assert errors.mean_virial_loss == pytest.approx(expected)
    assert errors.virial_rmse == pytest.approx(np.sqrt((known**2).mean()))
    parts = errors.mean_energy_loss, 0.7 * errors.mean_force_loss, 2.0 * errors.mean_virial_loss
    assert errors.mean_loss == pytest.approx(sum(parts))
    assert errors.energy_rmse == pytest.approx(np.sqrt(np.mean((difference / atoms) ** 2)))
    assert errors.energy_mae == pytest.approx(np.abs(difference / atoms).mean())
    assert errors.force_rmse == pytest.approx(np.sqrt((forces**2).mean()))
    assert errors.force_mae == pytest.approx(np.abs(forces).mean())


def test_reference_energies_cost_no_digits(batch):
    """The same errors with offsets of a million eV, to float64 rounding of the energies."""
    expected = a_step("none").validate(batch).sums
    step = a_step("none")
    step.offsets = OFFSETS + 1e6
    moved = {**batch, "energy": batch["energy"] + 1e6 * batch["n_atoms"]}
    np.testing.assert_allclose(step.validate(moved).sums, expected, rtol=1e-7)


def test_the_first_steps_are_those_of_adam(batch):
    step = a_step()
    options = AdamOptions()
    x = [v.numpy() for v in step.optimiser.variables]
    m, v = [np.zeros_like(a) for a in x], [np.zeros_like(a) for a in x]
    for t in (1, 2, 3):
        _, gradients = step.gradients(batch)
        step.train(batch, RATE, t)
        for i, g in enumerate(gradients):
            m[i] = options.beta1 * m[i] + (1 - options.beta1) * g
            v[i] = options.beta2 * v[i] + (1 - options.beta2) * g**2
            # Kingma and Ba, arXiv 1412.6980, end of section 2
            size = RATE * np.sqrt(1 - options.beta2**t) / (1 - options.beta1**t)
            x[i] = x[i] - size * m[i] / (np.sqrt(v[i]) + options.eps)
            np.testing.assert_allclose(step.optimiser.variables[i].numpy(), x[i], rtol=1e-10)


def test_averages_follow_the_weights_and_are_the_ones_evaluated(batch):
    step = a_step(averaged=True)
    expected = [v.numpy() for v in all_variables(step.networks)]
    for t in range(1, 5):
        step.train(batch, 0.01, t)
        now = [v.numpy() for v in all_variables(step.networks)]
        expected = [0.9 * a + 0.1 * b for a, b in zip(expected, now, strict=True)]
    for a, b in zip(expected, all_variables(step.evaluated), strict=True):
        np.testing.assert_allclose(b.numpy(), a, rtol=1e-12)
    plain = a_step()
    for variable, value in zip(all_variables(plain.networks), expected, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(step.validate(batch).sums, plain.validate(batch).sums, rtol=1e-10)


def test_frozen_layers_stay(batch):
    step = a_step(trainable=(False, True, False))
    before = [v.numpy() for v in all_variables(step.networks)]
    step.train(batch, 0.01, 1)
    for i, (old, new) in enumerate(zip(before, all_variables(step.networks), strict=True)):
        assert np.array_equal(old, new.numpy()) == (i % 6 not in (2, 3))


def test_weights_stay_when_a_value_is_not_finite(batch):
    step = a_step(averaged=True)
    variables = [*all_variables(step.networks), *all_variables(step.averaged)]
    before = [v.numpy() for v in [*variables, *step.optimiser.state]]
    broken = {**batch, "energy": batch["energy"] * [1.0, np.nan, 1.0]}
    assert not step.train(broken, RATE, 1).finite
    for old, new in zip(before, [*variables, *step.optimiser.state], strict=True):
        assert np.array_equal(old, new.numpy())
    assert step.train(batch, RATE, 1).finite
