"""Losses: values by hand, slopes by finite differences, names as in the ini file."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from panna.config import train_losses
from panna.errors import TrainingError
from panna.training.losses import (
    DIVISORS,
    ENERGY_LOSSES,
    FORCE_LOSSES,
    Constants,
    Loss,
    find_form,
    huber,
)
from panna.training.metrics import SUMS, Errors
from panna.training.objective import Objective

D = np.array([0.6, -1.2, 0.3])  # eV
N = np.array([2.0, 3.0, 1.0])
W = np.array([1.0, 0.5, 2.0])
FRAME = np.array([0, 0, 1, 1, 1, 2])
F = np.random.default_rng(0).normal(0.0, 0.4, (6, 3))
F2 = np.array([(F[b == FRAME] ** 2).sum() for b in range(3)])
BATCH = {
    "n_atoms": tf.constant(N.astype(int)),
    "weight": tf.constant(W, tf.float32),
    "frame_of_atom": tf.constant(FRAME),
}
C = Constants(prefactor=1.5, cap=3.0, delta=0.25)
V1 = Constants(prefactor=2.0, factor=0.5, cap=5.0)


def exp_tanh(x, a):
    return np.exp(a * np.tanh(x / a))


def huber_by_hand(r, delta):
    r = np.abs(r)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


def mean_of(values):
    return np.mean(W * values)


# Names and values of PANNA v2: a mean over frames.
ENERGIES_V2 = {
    "quad": mean_of(D**2),
    "quad_atom": mean_of(D**2 / N**2),
    "quad_std_atom": mean_of(D**2 / N),
    "exp_quad": mean_of(np.exp(1.5 * D**2)),
    "exp_quad_atom": mean_of(np.exp(1.5 * D**2 / N**2)),
    "exp_quad_std_atom": mean_of(np.exp(1.5 * D**2 / N)),
    "exp_tanh": mean_of(exp_tanh(D**2, 3)),
    "exp_tanh_atom": mean_of(exp_tanh(D**2 / N**2, 3)),
    "exp_tanh_std_atom": mean_of(exp_tanh(D**2 / N, 3)),
    "quad_exp_tanh": mean_of(D**2 + exp_tanh(D**2, 3)),
    "quad_exp_tanh_atom": mean_of(D**2 + exp_tanh(D**2 / N**2, 3)),
    "quad_exp_tanh_std_atom": mean_of(D**2 + exp_tanh(D**2 / N, 3)),
    "huber": mean_of(huber_by_hand(D / N, 0.25)),
}
FORCES_V2 = {
    "quad": mean_of(F2),
    "quad_atom": mean_of(F2 / N),
    "quad_percomp": mean_of(F2 / (3 * N)),
    "exp_quad": mean_of(np.exp(1.5 * F2)),
    "exp_quad_atom": mean_of(np.exp(1.5 * F2 / N)),
    "huber": mean_of([huber_by_hand(F[b == FRAME], 0.25).mean() for b in range(3)]),
}
# Of PANNA v1, specification 4.4: functions of sums over the batch, here with weights of frames.
S, SA, SS = (W * D**2).sum(), (W * D**2 / N**2).sum(), (W * D**2 / N).sum()
ENERGIES_V1 = {
    "quad": S,
    "quad_atom": SA,
    "quad_std_atom": SS,
    "exp_quad": 0.5 * np.exp(2 * S),
    "exp_quad_atom": 0.5 * np.exp(2 * SA),
    "exp_quad_std_atom": 0.5 * np.exp(2 * SS),
    "exp_tanh": exp_tanh(S, 5),
    "exp_tanh_atom": exp_tanh(SA, 5),
    "exp_tanh_std_atom": exp_tanh(SS, 5),
    "quad_exp_tanh": S + exp_tanh(S, 5),
    "quad_exp_tanh_atom": S + exp_tanh(SA, 5),
    "quad_exp_tanh_std_atom": S + exp_tanh(SS, 5),
    "huber": (W * huber_by_hand(D / N, 0.01)).sum(),
}
FORCES_V1 = {
    "quad": (W * F2).sum(),
    "quad_atom": (W * F2 / N**2).sum(),
    "quad_percomp": (W * F2 / (3 * N)).sum(),
    "exp_quad": 0.5 * np.exp(2 * (W * F2).sum()),
    "exp_quad_atom": 0.5 * np.exp(2 * (W * F2 / N**2).sum()),
    "huber": sum(w * huber_by_hand(F[b == FRAME], 0.01).mean() for b, w in enumerate(W)),
}


def losses(objective, energies=D, forces=F, **more):
    """Loss, energy loss and force loss of the batch."""
    loss, sums = objective(tf.constant(energies), tf.constant(forces), {**BATCH, **more})
    errors = Errors().plus(sums.numpy())
    return float(loss), errors.mean_energy_loss, errors.mean_force_loss


def test_every_loss_has_a_value_by_hand_and_a_name_in_the_ini_file():
    assert set(ENERGIES_V2) == set(ENERGY_LOSSES) == set(train_losses.energy_loss.choices)
    assert set(FORCES_V2) == set(FORCE_LOSSES) == set(train_losses.force_loss.choices)
    assert set(train_losses.force_weight.choices) == set(DIVISORS) - {None}


@pytest.mark.parametrize("flavour, constants", [("v2", C), ("v1", V1)])
def test_losses_of_both_versions_of_panna(flavour, constants):
    energies, forces = (ENERGIES_V1, FORCES_V1) if flavour == "v1" else (ENERGIES_V2, FORCES_V2)
    options = dict(flavour=flavour, energy_constants=constants, force_constants=constants)
    for name, expected in energies.items():
        found = losses(Objective(name, **options))[1]
        assert found == pytest.approx(expected, rel=1e-12), name
    for name, expected in forces.items():
        loss, energy, force = losses(Objective("quad", name, 0.7, **options))
        assert force == pytest.approx(expected, rel=1e-12), name
        assert loss == pytest.approx(energy + 0.7 * force, rel=1e-14)


@pytest.mark.parametrize("flavour", ["v1", "v2"])
@pytest.mark.parametrize("of", ["energies", "forces"])
def test_slopes_are_those_of_finite_differences(of, flavour):
    rng, h = np.random.default_rng(1), 1e-5
    x = D if of == "energies" else F
    direction = rng.normal(size=x.shape)
    for name in ENERGY_LOSSES if of == "energies" else FORCE_LOSSES:
        kind = {"energy_loss" if of == "energies" else "force_loss": name}
        options = dict(energy_constants=C, force_constants=C, forces_cost=1.0, flavour=flavour)
        objective = Objective(**{**options, **kind})

        def value(x, objective=objective):
            both = {"energies": tf.constant(D), "forces": tf.constant(F), of: x}
            return objective(both["energies"], both["forces"], BATCH)[0]

        variable = tf.Variable(x)
        with tf.GradientTape() as tape:
            total = value(tf.convert_to_tensor(variable))
        found = (tape.gradient(total, variable).numpy() * direction).sum()
        up, down = (value(tf.constant(x + s * h * direction)).numpy() for s in (1, -1))
        # Second order in h, relative to losses of up to exp(10).
        assert found == pytest.approx((up - down) / (2 * h), rel=1e-6), name


def test_a_frame_without_error_has_no_slope():
    for name in ENERGY_LOSSES:
        energies = tf.Variable(np.zeros(3))
        with tf.GradientTape() as tape:
            loss, _ = Objective(name)(energies, None, BATCH)
        np.testing.assert_array_equal(tape.gradient(loss, energies), np.zeros(3), err_msg=name)


def test_weights_and_reductions_of_panna_v2():
    def found(**options):
        return losses(Objective(forces_cost=1.0, **options))[1:]

    assert found(energy_reduction="sum")[0] == pytest.approx((W * D**2).sum())
    assert found(force_reduction="sum")[1] == pytest.approx((W * F2).sum())
    for weight, power in (("n_atoms", 1), ("n_atoms2", 2)):
        assert found(energy_weight=weight)[0] == pytest.approx(mean_of(D**2 / N**power))
        # The weight stands before the function, the power of _atom inside.
        expected = mean_of(np.exp(2 * D**2) / N**power)
        assert found(energy_loss="exp_quad", energy_weight=weight)[0] == pytest.approx(expected)
    for weight, divisor in {
        "n_atoms": N, "n_atoms2": N**2, "3n_atoms": 3 * N, "3n_atoms2": 3 * N**2,
    }.items():  # fmt: skip
        assert found(force_weights=weight)[1] == pytest.approx(mean_of(F2 / divisor))


def test_rescaled_errors_are_those_of_losses_and_not_of_metrics():
    """energy_rescale: as errors in another unit, so of forces and virials as well."""
    virials = np.random.default_rng(3).normal(size=(3, 3, 3))
    batch = {**BATCH, "virial": tf.zeros([3, 3, 3], tf.float64)}
    constants = dict(energy_constants=C, force_constants=C)
    for names in (("exp_quad_atom", "quad_atom"), ("huber", "huber")):
        rescaled = Objective(*names, 0.7, 0.3, rescale=2.0, **constants)
        plain = Objective(*names, 0.7, 0.3, **constants)
        errors = [tf.constant(D), tf.constant(F), batch, tf.constant(virials)]
        loss, sums = rescaled(*errors)
        doubled = [e if e is batch else 2 * e for e in errors]
        assert float(loss) == pytest.approx(float(plain(*doubled)[0]))
        found, expected = Errors().plus(sums.numpy()), Errors().plus(plain(*errors)[1].numpy())
        for name in ("energy_rmse", "energy_mae", "force_rmse", "force_mae", "virial_rmse"):
            assert getattr(found, name) == getattr(expected, name)


def test_the_force_weight_can_change_within_a_compiled_step():
    objective = Objective(forces_cost=1.0)

    @tf.function(jit_compile=True)
    def loss(energies, forces):
        return objective(energies, forces, BATCH)[0]

    first = float(loss(tf.constant(D), tf.constant(F)))
    objective.set_forces_cost(3.0)
    assert float(loss(tf.constant(D), tf.constant(F))) == pytest.approx(
        first + 2 * FORCES_V2["quad"]
    )


def test_virials_count_per_atom_and_only_where_there_are_any():
    virials = np.random.default_rng(2).normal(size=(3, 3, 3))
    virials[1] = np.nan
    reference = np.where(np.isnan(virials), np.nan, 1.0)
    objective = Objective(stress_cost=4.0)
    variable = tf.Variable(virials)
    with tf.GradientTape() as tape:
        batch = {**BATCH, "virial": tf.constant(reference)}
        loss, sums = objective(tf.constant(D), None, batch, variable)
    per_atom = virials[[0, 2]] / N[[0, 2], None, None]
    expected = (W[[0, 2]] * (per_atom**2).mean((1, 2))).sum() / 3
    errors = Errors().plus(sums.numpy())
    assert errors.mean_virial_loss == pytest.approx(expected)
    assert float(loss) == pytest.approx(ENERGIES_V2["quad"] + 4.0 * expected)
    assert errors.virial_rmse == pytest.approx(np.sqrt((per_atom**2).mean()))
    assert errors.virial_mae == pytest.approx(np.abs(per_atom).mean())
    slopes = tape.gradient(loss, variable).numpy()
    assert np.isfinite(slopes).all() and not slopes[1].any() and slopes[2].all()
    without = Errors().plus(objective(tf.constant(D), None, BATCH)[1].numpy())
    assert np.isnan(without.virial_rmse) and np.isnan(without.mean_virial_loss)


def test_huber_is_quadratic_near_zero_and_linear_beyond():
    residuals = np.array([-3.0, -0.5, -0.1, 0.0, 0.2, 0.5, 2.0])
    found = huber(tf.constant(residuals), 0.5).numpy()
    np.testing.assert_allclose(found, huber_by_hand(residuals, 0.5), rtol=1e-14)


def test_weights_multiply_the_losses_of_frames():
    loss = Loss(ENERGY_LOSSES["quad"])
    squares, atoms = tf.constant([1.0, 2.0, 6.0], tf.float64), tf.constant(N)
    weights = tf.constant([1.0, 0.5, 2.0])
    assert loss(squares, atoms, weights).numpy() == pytest.approx((1 + 1 + 12) / 3)


def test_an_unknown_loss_is_named_with_the_known_ones():
    with pytest.raises(TrainingError, match="loss_function = cubic: .*quad, quad_atom"):
        find_form(ENERGY_LOSSES, "cubic", "loss_function")


def test_sums_have_their_order():
    sums = Objective()(tf.constant(D), None, BATCH)[1].numpy()
    assert len(sums) == len(SUMS) and sums[SUMS.index("frames")] == 3
