"""Steps on parts of a batch: together they have the sums and the gradient of the whole one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from test_step import RATE, a_step, batch  # noqa: F401, a fixture

from panna.training.cluster.shared_step import SHARED
from panna.training.step import Step
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

OF_FRAMES = ("name", "n_atoms", "energy", "weight", "virial")
OF_ATOMS = ("species", "descriptors", "forces")
KINDS = {
    Step: "on_the_fly",
    WholeStep: "stored",
    WholeStepOnTheFly: "on_the_fly",
}


def part(batch, first: int, last: int):  # noqa: F811
    """Some of the frames of the batch."""
    atoms = np.concatenate([[0], np.cumsum(batch["n_atoms"])])
    a, b = atoms[first], atoms[last]
    p, q = batch["first"][a], batch["first"][b]
    found = {name: batch[name][first:last] for name in (*OF_FRAMES, "blocks")}
    found |= {name: batch[name][a:b] for name in OF_ATOMS}
    return found | {
        "frame_of_atom": batch["frame_of_atom"][a:b] - first,
        "first": batch["first"][a : b + 1] - p,
        "index": batch["index"][p:q] - a,
        "vectors": batch["vectors"][p:q],
    }


def shared(kind, other: np.ndarray | None = None):
    """The step of one of two processes; other: what the second one has."""
    plain = a_step(KINDS[kind], stress_cost=2.0)
    add = (lambda values: values) if other is None else (lambda values: values + other)
    names = ("networks", "averaged", "std", "offsets", "objective", "derivatives", "optimiser")
    options = {name: getattr(plain, name) for name in (*names, "decay")}
    return SHARED[kind](SimpleNamespace(sum_in_graph=add), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_two_parts_are_the_whole(kind, batch):  # noqa: F811
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


def test_a_process_without_a_frame_takes_part(batch):  # noqa: F811
    whole = shared(Step)._own_gradient(batch).numpy()
    step = shared(Step, whole)
    sums, gradients = step.gradients({"records": np.arange(3)})
    expected_sums, expected = a_step(stress_cost=2.0).gradients(batch)
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-12)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_signal_to_the_other_process_is_agreed_on(batch):  # noqa: F811
    other = shared(Step)
    assert other.agreed(15) is None
    told = other._own_gradient(part(batch, 2, 3)).numpy()
    step = shared(Step, told)
    step.train(part(batch, 0, 2), RATE, 1)
    assert step.agreed(None) == 15


def test_numbers_that_are_not_finite_change_no_weight(batch):  # noqa: F811
    told = shared(Step)._own_gradient(part(batch, 2, 3)).numpy()
    told[0] = np.nan
    step = shared(Step, told)
    before = [tf.identity(v) for v in step.optimiser.variables]
    assert not step.train(part(batch, 0, 2), RATE, 1).finite
    for one, other in zip(before, step.optimiser.variables, strict=True):
        np.testing.assert_array_equal(one, other)
