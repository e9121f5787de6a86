"""Steps on parts of a batch: together they have the sums and the gradient of the whole one."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from step_cases import RATE, a_step, part

from panna.training.cluster.shared_step import SHARED
from panna.training.step import Step
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

KINDS = {
    Step: "on_the_fly",
    WholeStep: "stored",
    WholeStepOnTheFly: "on_the_fly",
}


def shared(kind, other: np.ndarray | None = None):
    """The step of one of two processes; other: what the second one has."""
    add = (lambda values: values) if other is None else (lambda values: values + other)
    engine = SimpleNamespace(sum_in_graph=add)
    return a_step(KINDS[kind], kind=partial(SHARED[kind], engine), stress_cost=2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_two_parts_are_the_whole(kind, batch):
    """Of two frames and of one."""
    second = shared(kind)._own_gradient(part(batch, 2, 3)).numpy()
    step, plain = shared(kind, second), a_step(KINDS[kind], stress_cost=2.0)
    sums, gradients = step.gradients(part(batch, 0, 2))
    expected_sums, expected = plain.gradients(batch)
    close = 1e-6 if kind is WholeStep else 1e-9  # stored derivatives are float32
    np.testing.assert_allclose(sums, expected_sums, rtol=close)
    for found, wanted in zip(gradients, expected, strict=True):
        worst = np.abs(found - wanted).max() / np.abs(wanted).max()
        assert worst < 10 * close
    outcomes = [step.train(part(batch, 0, 2), RATE, 1), plain.train(batch, RATE, 1)]
    assert outcomes[0].gradient_norm == pytest.approx(outcomes[1].gradient_norm, rel=1e-6)
    for one, other in zip(step.networks, plain.networks, strict=True):
        for a, b in zip(one.all, other.all, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-9)


def test_a_process_without_a_frame_takes_part(batch):
    whole = shared(Step)._own_gradient(batch).numpy()
    step = shared(Step, whole)
    sums, gradients = step.gradients({"records": np.arange(3)})
    expected_sums, expected = a_step(stress_cost=2.0).gradients(batch)
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-12)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_signal_to_the_other_process_is_agreed_on(batch):
    other = shared(Step)
    assert other.agreed(15) is None
    told = other._own_gradient(part(batch, 2, 3)).numpy()
    step = shared(Step, told)
    step.train(part(batch, 0, 2), RATE, 1)
    assert step.agreed(None) == 15


def test_numbers_that_are_not_finite_change_no_weight(batch):
    told = shared(Step)._own_gradient(part(batch, 2, 3)).numpy()
    told[0] = np.nan
    step = shared(Step, told)
    before = [tf.identity(v) for v in step.optimiser.variables]
    assert not step.train(part(batch, 0, 2), RATE, 1).finite
    for one, other in zip(before, step.optimiser.variables, strict=True):
        np.testing.assert_array_equal(one, other)
