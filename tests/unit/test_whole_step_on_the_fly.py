"""The step in one graph, derivatives from positions: the numbers of the step with the core."""

from __future__ import annotations

import numpy as np
import pytest
from step_cases import RATE, a_step, check_finite_differences, part
from training_cases import ONE_SPECIES, records, write_data, write_ini

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.training.session import prepare
from panna.training.step import Step
from panna.training.whole_step import WholeStep
from panna.training.whole_step_on_the_fly import WholeStepOnTheFly

# Both in float64; sums of some hundred terms.
CLOSE = 1e-9


def whole(xla: bool) -> WholeStepOnTheFly:
    """The step with virials, too."""
    return a_step("on_the_fly", xla=xla, kind=WholeStepOnTheFly, stress_cost=2.0)


@pytest.fixture(scope="module")
def traced() -> WholeStepOnTheFly:
    """For several tests: making its graphs takes most of their time. The last one trains it."""
    return whole(xla=False)


def check_gradients(ours, batch):
    found, expected = ours.gradients(batch), a_step(stress_cost=2.0).gradients(batch)
    np.testing.assert_allclose(found[0], expected[0], rtol=CLOSE)
    for a, b in zip(found[1], expected[1], strict=True):
        assert np.abs(a - b).max() < CLOSE * np.abs(b).max()


def test_sums_and_gradients_are_those_of_the_core(traced, batch):
    check_gradients(traced, batch)
    check_gradients(traced, part(batch, 0, 2))


def test_xla_and_room_for_more_change_nothing(batch):
    ours = whole(xla=True)
    ours.lengths.expect(np.array([[20.0, 20.0], [30.0, 10.0]]), 2)
    check_gradients(ours, batch)


def test_smaller_batches_need_no_other_graph(batch):
    """XLA compiles for every shape of atoms and pairs."""
    ours = whole(xla=True)
    shapes = []
    for one in (batch, part(batch, 0, 2)):
        inputs, _, pairs = ours._graph_inputs(one)
        shapes.append([array.shape for array in [*inputs, *pairs["vectors"], *pairs["neighbours"]]])
    assert shapes[0] == shapes[1]


def test_gradients_are_those_of_finite_differences(traced, batch):
    check_finite_differences(traced, batch)


def test_trainings_stay_together(traced, batch):
    plain = a_step(stress_cost=2.0)
    for number in (1, 2):
        outcomes = [step.train(batch, RATE, number) for step in (traced, plain)]
        np.testing.assert_allclose(outcomes[0].sums, outcomes[1].sums, rtol=CLOSE)
        assert outcomes[0].gradient_norm == pytest.approx(outcomes[1].gradient_norm, rel=CLOSE)
    np.testing.assert_allclose(traced.validate(batch).sums, plain.validate(batch).sums, rtol=CLOSE)


@pytest.mark.parametrize(
    "gpu, source, kind",
    [
        (True, "on_the_fly", WholeStepOnTheFly),
        (True, "stored", WholeStep),
        (False, "on_the_fly", Step),
    ],
)
def test_the_device_and_the_source_choose_the_step(gpu, source, kind, tmp_path, monkeypatch):
    monkeypatch.setattr("panna.training.engine.on_gpu", lambda: gpu)
    data = write_data(tmp_path / "data", records(ONE_SPECIES, 4))
    ini = write_ini(tmp_path / "t.ini", data, TRAINING_PARAMETERS__derivatives=source)
    session = prepare(read_config(ini, TRAIN))
    assert type(session.loop.step) is kind
    if kind is WholeStepOnTheFly:
        assert not session.loop.step.tables.exact, (
            "compiled by XLA, its arrays must keep their size"
        )
