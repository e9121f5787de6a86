"""Keys of panna_train about the optimiser: method, learning rate, length of the run."""

from __future__ import annotations

from collections.abc import Iterable

from panna.config.reader import Config
from panna.config.schema import Key, Problem
from panna.config.values import (
    boolean,
    choice,
    fraction,
    non_negative_integer,
    non_negative_real,
    positive_integer,
    positive_real,
)

SECTION = "TRAINING_PARAMETERS"
optimiser = choice("adam", "adamw")
schedule = choice("constant", "exponential", "staircase", "cosine", "plateau")

OPTIMISER_KEYS = (
    Key("optimiser", optimiser, "adamw", aliases=("optimizer",), v1="adam",
        meaning="adam, or adamw: with weight_decay apart from the gradient"),
    Key("learning_rate", positive_real, 5e-3, v1=1e-3,
        meaning="of the optimiser, at the first step"),
    Key("schedule", schedule, None,
        meaning="of the learning rate: constant; exponential: to learning_rate_final over the run, "
                "or learning_rate * decay_factor ^ (step / decay_step); staircase: the same with "
                "the exponent rounded down; cosine: half a wave to learning_rate_final over the "
                "run; plateau: times decay_factor whenever the validation loss stays. Default: "
                "what the other keys say; if they say nothing, cosine, or with defaults = v1 "
                "constant"),
    Key("learning_rate_final", positive_real, None,
        meaning="learning rate at the last step; cosine: default learning_rate / 100; plateau: "
                "lowest one"),
    Key("learning_rate_constant", boolean, True,
        meaning="True: schedule = constant; False: schedule = exponential, or staircase with "
                "staircase_decay_type = True"),
    Key("learning_rate_decay_factor", positive_real, None,
        meaning="plateau: below 1, default 0.5"),
    Key("learning_rate_decay_step", positive_real, None, unit="steps",
        meaning="in which the rate falls by learning_rate_decay_factor"),
    Key("staircase_decay_type", boolean, False, meaning="the exponent is rounded down"),
    Key("warmup_steps", non_negative_integer, 0, unit="steps",
        meaning="the learning rate first rises linearly, times (step + 1) / warmup_steps"),
    Key("plateau_patience", positive_integer, 10, unit="epochs",
        meaning="without a better validation loss, until schedule = plateau lowers the rate"),
    Key("max_steps", positive_integer, None, meaning="steps in all, restarts included"),
    Key("max_epochs", positive_integer, None,
        meaning="passes over the training set in all, restarts included; or max_steps"),
    Key("steps_per_epoch", positive_integer, None,
        refused="an epoch is one pass over the training set; give max_steps = "
                "max_epochs * steps_per_epoch instead"),
    Key("early_stopping_patience", positive_integer, None, unit="epochs",
        meaning="the training ends after so many without a better validation loss"),
    Key("beta1", fraction, 0.9, meaning="of Adam"),
    Key("beta2", fraction, 0.999, meaning="of Adam"),
    Key("adam_eps", positive_real, 1e-8, meaning="of Adam"),
    Key("weight_decay", non_negative_real, None,
        meaning="of adamw: weights, not biases, shrink by learning_rate * weight_decay per step; "
                "default 0.1"),
    Key("lbfgs_steps", non_negative_integer, 0,
        meaning="steps of L-BFGS on the whole training set after the last step of the optimiser; "
                "they end earlier when the loss stays"),
    Key("lbfgs_memory", positive_integer, 20, meaning="former steps that L-BFGS uses"),
    Key("clip_value", non_negative_real, 0.0,
        meaning="every component of the gradient is cut to [-clip_value, clip_value]; 0: off"),
    Key("clip_norm", non_negative_real, 0.0,
        meaning="a longer gradient, of all networks together, is made that short; 0: off"),
)  # fmt: skip

# Keys of the decay, and the schedules that use them.
USED_BY = {
    "learning_rate_final": ("exponential", "cosine", "plateau"),
    "learning_rate_decay_factor": ("exponential", "staircase", "plateau"),
    "learning_rate_decay_step": ("exponential", "staircase"),
    "plateau_patience": ("plateau",),
}
DECAY = ("learning_rate_decay_factor", "learning_rate_decay_step")
OLD = ("learning_rate_constant", "staircase_decay_type")


def chosen_schedule(config: Config) -> str:
    """The schedule that is asked for by its name, or by the keys of PANNA v1 and v2."""
    training = config[SECTION]
    if training["schedule"] is not None:
        return training["schedule"]
    if training["learning_rate_final"] is not None:
        return "exponential"
    if training["defaults"] != "v1" and not any(
        config.given(SECTION, key) for key in (*OLD, *DECAY)
    ):
        return "cosine"
    if training["learning_rate_constant"]:
        return "constant"
    return "staircase" if training["staircase_decay_type"] else "exponential"


def depends_on_length(config: Config) -> bool:
    """Whether the course of the training depends on the number of its last step."""
    training, kind = config[SECTION], chosen_schedule(config)
    to_final = kind == "exponential" and training["learning_rate_final"] is not None
    return to_final or kind == "cosine" or training["forces_cost_final"] is not None


def check_length(config: Config) -> Iterable[Problem]:
    """One of max_steps and max_epochs; validation data for what needs them."""
    training = config[SECTION]
    given = [key for key in ("max_steps", "max_epochs") if training[key] is not None]
    if len(given) != 1:
        found = "both are given" if given else "neither is given"
        yield Problem(SECTION, "max_epochs", f"expected max_epochs or max_steps; {found}")
    if config["VALIDATION_OPTIONS"]["data_dir"] is None:
        needs = "needs a validation set; give [VALIDATION_OPTIONS] data_dir"
        if training["early_stopping_patience"] is not None:
            yield Problem(SECTION, "early_stopping_patience", needs)
        if training["schedule"] == "plateau":
            yield Problem(SECTION, "schedule", needs)


def check_learning_rate(config: Config) -> Iterable[Problem]:
    """The keys of the decay fit the schedule."""
    training, kind = config[SECTION], chosen_schedule(config)
    final = training["learning_rate_final"]
    if training["schedule"] is not None:
        for key in OLD:
            if config.given(SECTION, key):
                yield Problem(SECTION, key, "schedule says the same; remove one")
    elif final is not None:
        for key in OLD:
            if config.given(SECTION, key):
                yield Problem(SECTION, key, "learning_rate_final fixes the decay; remove one")
    elif training["learning_rate_constant"] and training["staircase_decay_type"]:
        yield Problem(
            SECTION, "staircase_decay_type",
            "without effect; set learning_rate_constant = False or remove it",
        )  # fmt: skip
    for key, kinds in USED_BY.items():
        if kind not in kinds and config.given(SECTION, key):
            instead = "" if training["schedule"] else "; set learning_rate_constant = False"
            yield Problem(
                SECTION, key, f"without effect with a {kind} learning rate{instead} or remove it"
            )
    if kind == "exponential" and final is not None:
        for key in DECAY:
            if training[key] is not None:
                yield Problem(SECTION, key, "learning_rate_final fixes the decay; remove one")
    elif kind in ("exponential", "staircase"):
        wanted = f"schedule = {kind}" if training["schedule"] else "learning_rate_constant = False"
        for key in DECAY:
            if training[key] is None:
                yield Problem(SECTION, key, f"missing; {wanted} needs it")
    if kind == "plateau":
        factor = training["learning_rate_decay_factor"]
        if factor is not None and factor >= 1:
            yield Problem(SECTION, "learning_rate_decay_factor", "below 1 expected for a plateau")
        if final is not None and final > training["learning_rate"]:
            yield Problem(SECTION, "learning_rate_final", "above learning_rate")


def check_optimiser(config: Config) -> Iterable[Problem]:
    """Options of one optimiser are not given to another."""
    training = config[SECTION]
    if training["weight_decay"] is not None and training["optimiser"] != "adamw":
        yield Problem(SECTION, "weight_decay", "needs optimiser = adamw; or use wscale_l2")
    if training["clip_value"] and training["clip_norm"]:
        yield Problem(SECTION, "clip_norm", "clip_value is given, too; remove one")
