"""L-BFGS: finds the minimum of a narrow valley, in vectors made of variables."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from panna.network.variables import assign, flat
from panna.training.finishing import Finishing, minimise


def rosenbrock(x):
    """The valley of Rosenbrock, Comput. J. 3, 175 (1960), and its gradient; minimum at 1, 1."""
    value = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    slope = -400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0])
    return value, np.array([slope, 200 * (x[1] - x[0] ** 2)])


@pytest.mark.parametrize("unit", [1.0, 1e-12])
def test_the_minimum_of_a_valley_is_found_in_any_unit(unit):
    points = []

    def valley(x):
        return tuple(unit * value for value in rosenbrock(x))

    found = minimise(valley, np.array([-1.2, 1.0]), Finishing(100), lambda: points.append(1))
    np.testing.assert_allclose(found, [1, 1], atol=1e-4)
    assert 10 < len(points) < 60


def test_the_number_of_steps_is_limited():
    points = []
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), Finishing(5), lambda: points.append(1))
    assert len(points) == 5 and rosenbrock(found)[0] < rosenbrock([-1.2, 1.0])[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variables_and_vectors_hold_the_same_numbers(dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in ((3, 2), (2,), (2, 1))]
    variables = [tf.Variable(tf.zeros_like(a)) for a in arrays]
    assign(variables, flat(arrays))
    for variable, array in zip(variables, arrays, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)
