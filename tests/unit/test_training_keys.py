"""From the keys of [TRAINING_PARAMETERS] to losses, penalties, optimisers and schedules."""

from __future__ import annotations

import pytest
import tensorflow as tf
from training_cases import write_ini

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.training.adamw import AdamW
from panna.training.losses import Constants
from panna.training.objective import Objective
from panna.training.optimisers import OPTIMISERS, optimiser
from panna.training.regularisation import Regularisation
from panna.training.schedule import SCHEDULES, forces_cost, learning_rate, reduction_on_plateau


@pytest.fixture
def config(tmp_path):
    """Config of an ini file with these keys of [TRAINING_PARAMETERS], a validation set included."""

    def made(**keys):
        changes = {f"TRAINING_PARAMETERS__{key}": value for key, value in keys.items()}
        return read_config(write_ini(tmp_path / "t.ini", tmp_path, tmp_path, **changes), TRAIN)

    return made


def test_names_of_registries_are_those_of_the_ini_file():
    section = TRAIN.find("TRAINING_PARAMETERS")
    assert set(section.find("optimizer").choices) == set(OPTIMISERS)
    assert set(section.find("schedule").choices) == set(SCHEDULES)


def test_keys_of_losses_reach_the_objective(config):
    found = Objective.from_config(
        config(
            loss_function="exp_quad",
            floss_function="huber",
            forces_cost="0.3",
            energy_weight="n_atoms2",
            energy_reduction="sum",
            energy_prefactor="7",
            force_huber_delta="0.4",
        ),
        forces=True,
    )
    expected = Objective(
        "exp_quad",
        "huber",
        0.3,
        energy_weight="n_atoms2",
        energy_reduction="sum",
        energy_constants=Constants(prefactor=7.0),
        force_constants=Constants(delta=0.4),
    )
    for name in ("energy_loss", "force_loss", "forces_cost", "flavour", "energy_weight"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("energy_reduction", "force_reduction", "energy_constants", "force_constants"):
        assert getattr(found, name) == getattr(expected, name)


def test_the_flavour_of_panna_v1_halves_exponentials_and_squares(config):
    keys = dict(loss_function="exp_quad", wscale_l1="0.4", wscale_l2="0.4", bscale_l2="0.2")
    v1, v2 = (config(**keys, loss_flavour=flavour) for flavour in ("v1", "v2"))
    # Specification 4.4 and 4.5: 0.5 exp(2 sum d^2); l2 (sum w^2) / 2.
    assert Objective.from_config(v1, forces=True).energy_constants == Constants(
        factor=0.5, delta=0.01
    )
    assert Objective.from_config(v2, forces=True).energy_constants == Constants(
        factor=1.0, delta=0.01
    )
    assert Regularisation.from_config(v1) == Regularisation(0.4, 0.2, 0.0, 0.1)
    assert Regularisation.from_config(v2) == Regularisation(0.4, 0.4, 0.0, 0.2)
    assert Regularisation.from_config(config()) is None


def test_optimisers(config):
    variables = [tf.Variable([[1.0]])]
    keys = config(optimiser="AdamW", weight_decay="0", beta1="0.8")["TRAINING_PARAMETERS"]
    found = optimiser(variables, keys)
    assert isinstance(found, AdamW)
    assert (found.weight_decay, found.options.beta1) == (0.0, 0.8)
    default = optimiser(variables, config(optimiser="adamw")["TRAINING_PARAMETERS"])
    assert default.weight_decay == 0.1


def test_learning_rates_over_a_run(config):
    final = dict(learning_rate="0.1", learning_rate_final="0.001")
    decay = dict(learning_rate_decay_factor="0.5", learning_rate_decay_step="10")
    for keys, steps, values in (
        (dict(learning_rate="0.1"), (0, 100), (0.1, 0.1)),
        (final, (0, 50, 100), (0.1, 0.01, 0.001)),
        ({**final, "schedule": "cosine"}, (0, 50, 100), (0.1, 0.0505, 0.001)),
        (dict(learning_rate="0.1", schedule="cosine"), (0, 100), (0.1, 0.001)),
        ({**decay, "schedule": "exponential"}, (0, 5, 20), (0.01, 0.01 * 0.5**0.5, 0.0025)),
        ({**decay, "learning_rate_constant": "False"}, (0, 20), (0.01, 0.0025)),
        ({**decay, "schedule": "staircase"}, (9, 10, 25), (0.01, 0.005, 0.0025)),
        (dict(warmup_steps="4", **final), (0, 100), (0.025, 0.001)),
    ):
        rate = learning_rate(config(**keys), 101)
        assert [rate(step) for step in steps] == pytest.approx(values), keys
    plateau = reduction_on_plateau(config(schedule="plateau", **final))
    assert (plateau.factor, plateau.patience) == (0.5, 10)
    assert plateau.lowest == pytest.approx(0.01)
    assert reduction_on_plateau(config()) is None


def test_the_weight_of_forces_over_a_run(config):
    cost = forces_cost(config(forces_cost="10", forces_cost_final="0.1"), 101)
    assert [cost(step) for step in (0, 50, 100)] == pytest.approx([10, 1, 0.1])
    assert forces_cost(config(), 101) is None
