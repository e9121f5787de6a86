"""The step in one graph: the numbers of the step with the core, also padded and compiled by XLA."""

from __future__ import annotations

import numpy as np
import pytest
from step_cases import RATE, a_step, check_finite_differences, halved, part

from panna.training.by_species import Lengths, PairRows
from panna.training.whole_step import WholeStep


def whole(xla: bool, source: str = "stored", **objective) -> WholeStep:
    """The WholeStep with the parts of a_step."""
    return a_step(source, averaged=True, xla=xla, kind=WholeStep, **objective)


# The core multiplies stored derivatives in single precision, TensorFlow in that of the networks.
SINGLE = 1e-6
CASES = [("stored", 0.0), ("stored", 2.0), ("stored_half", 2.0), ("none", 0.0)]


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("source, stress_cost", CASES)
def test_sums_and_gradients_are_those_of_the_core(source, stress_cost, xla, batch):
    ours, plain = (
        whole(xla, source, stress_cost=stress_cost),
        a_step(source, stress_cost=stress_cost),
    )
    # Room for more atoms and pairs than the batch has, as after a larger batch.
    ours.lengths.expect(np.array([[20.0, 20.0], [30.0, 10.0]]), 2)
    ours.pair_rows.padding(2 * len(batch["index"]))
    batch = halved(batch) if source == "stored_half" else batch
    found, expected = ours.gradients(batch), plain.gradients(batch)
    close = 1e-9 if source == "none" else SINGLE
    np.testing.assert_allclose(found[0], expected[0], rtol=close)
    for one, other in zip(found[1], expected[1], strict=True):
        assert np.abs(one - other).max() < 10 * close * np.abs(other).max()


@pytest.mark.parametrize("stress_cost", [0.0, 2.0])
def test_gradients_are_those_of_finite_differences(stress_cost, batch):
    step = whole(False, stress_cost=stress_cost)
    step.averaged = None
    check_finite_differences(step, batch)


@pytest.mark.parametrize("xla", [False, True])
def test_trainings_stay_together(xla, batch):
    ours, plain = whole(xla), a_step("stored", averaged=True)
    for number in range(1, 6):
        outcomes = [step.train(batch, RATE, number) for step in (ours, plain)]
        np.testing.assert_allclose(outcomes[0].sums, outcomes[1].sums, rtol=SINGLE)
    np.testing.assert_allclose(ours.validate(batch).sums, plain.validate(batch).sums, rtol=SINGLE)


def test_smaller_batches_need_no_other_graph(batch):
    """XLA compiles for every shape: a batch of two of the three frames has the same shapes."""
    ours = whole(xla=True)
    ours.train(batch, RATE, 1)
    fewer = part(batch, 0, 2)
    shapes = [
        [array.shape for array in [*inputs, *found.values()]]
        for inputs, _, found in (ours._graph_inputs(one) for one in (batch, fewer))
    ]
    assert shapes[0] == shapes[1]
    expected = a_step("stored").gradients(fewer)
    np.testing.assert_allclose(whole(xla=True).gradients(fewer)[0], expected[0], rtol=SINGLE)


def test_rows_of_atoms_and_pairs():
    layout = Lengths(3, exact=False).sort(np.array([2, 0, 2, 1, 0]))
    values = np.arange(10.0, 15.0)
    joined = np.concatenate(layout.split(values))
    assert np.array_equal(joined[layout.places()], values)
    rows = PairRows(exact=False)
    first = rows.padding(100)(np.ones((100, 3)))
    assert first.shape[0] >= 100 and first[100:].sum() == 0
    assert rows.padding(50)(np.ones((50, 3))).shape == first.shape
    assert PairRows(exact=True).padding(7)(np.ones(7)).shape == (7,)
