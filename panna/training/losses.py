"""Loss functions of energies, forces and virials.

Of a frame with N atoms: S = d^2 with d = E_predicted - E_reference in eV, or the sum of the squared
differences of its 3 N force components in (eV/angstrom)^2, or of its 9 virial components in eV^2.
A loss divides S by a power of N, L = S / N^p, and gives it a shape:

    quad            L
    exp_quad        exp(c L)
    exp_tanh        exp(a tanh(L / a)), eq. 15 of Lot et al., CPC 256, 107402 (2020)
    quad_exp_tanh   S + exp(a tanh(L / a))
    huber           h(d / N), or the mean of h over force components (Huber, Ann. Math. Statist. 35,
                    73, 1964): r^2 / 2 for |r| < delta, delta (|r| - delta / 2) beyond

The loss of a batch is the mean or the sum over its frames, each times its weight. PANNA v1 put the
sum over the batch inside: shape(sum of L), with 0.5 exp(c L) for exp_quad.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from panna.errors import TrainingError


@dataclass(frozen=True)
class Constants:
    """prefactor: c of exp_quad; factor: before its exponential; cap: a of eq. 15; delta: of Huber's
    loss, eV/atom or eV/angstrom."""

    prefactor: float = 2.0
    factor: float = 1.0
    cap: float = 5.0
    delta: float = 0.01


DEFAULTS = Constants()


def quad(scaled, squares, constants):
    return scaled


def exp_quad(scaled, squares, constants):
    return constants.factor * tf.exp(constants.prefactor * scaled)


def exp_tanh(scaled, squares, constants):
    return tf.exp(constants.cap * tf.tanh(scaled / constants.cap))


def quad_exp_tanh(scaled, squares, constants):
    return squares + exp_tanh(scaled, squares, constants)


def huber(residuals: tf.Tensor, delta: float) -> tf.Tensor:
    """Huber's loss of each residual."""
    size = tf.abs(residuals)
    near = tf.minimum(size, tf.constant(delta, size.dtype))
    return near * (size - 0.5 * near)


# What losses and weights are divided by, under the names of energy_weight and force_weights.
DIVISORS: dict[str | None, Callable[[Any], Any]] = {
    None: tf.ones_like,
    "n_atoms": lambda n: n,
    "n_atoms2": lambda n: n**2,
    "3n_atoms": lambda n: 3.0 * n,
    "3n_atoms2": lambda n: 3.0 * n**2,
}


@dataclass(frozen=True)
class LossForm:
    """One loss function.

    shape: (L, S, constants) -> loss.
    per: name of the divisor, L = S / DIVISORS[per](N); per_v1: in PANNA v1, if different.
    robust: Huber's function takes the place of squares.
    """

    shape: Callable[[Any, Any, Constants], Any]
    per: str | None = None
    per_v1: str | None = None
    robust: bool = False


ENERGY_LOSSES = {
    f"{shape.__name__}{suffix}": LossForm(shape, per)
    for shape in (quad, exp_quad, exp_tanh, quad_exp_tanh)
    for suffix, per in (("", None), ("_atom", "n_atoms2"), ("_std_atom", "n_atoms"))
} | {"huber": LossForm(quad, robust=True)}

FORCE_LOSSES = {
    "quad": LossForm(quad),
    "quad_atom": LossForm(quad, "n_atoms", "n_atoms2"),
    "quad_percomp": LossForm(quad, "3n_atoms"),
    "exp_quad": LossForm(exp_quad),
    "exp_quad_atom": LossForm(exp_quad, "n_atoms", "n_atoms2"),
    "huber": LossForm(quad, "3n_atoms", robust=True),
}


@dataclass(frozen=True)
class Loss:
    """A loss function with its constants, weights and reduction, for a whole batch.

    form: the function.
    constants: its numbers.
    weight: name of a divisor of the loss of every frame, beside the weight of the frame.
    reduction: "mean" or "sum" over frames, or "inside": the sum of PANNA v1, within the shape.
    """

    form: LossForm
    constants: Constants = DEFAULTS
    weight: str | None = None
    reduction: str = "mean"

    def measure(self, residuals: tf.Tensor) -> tf.Tensor:
        """Squares of residuals, or Huber's function of them."""
        if self.form.robust:
            return huber(residuals, self.constants.delta)
        return residuals**2

    def __call__(self, squares: tf.Tensor, n_atoms: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """The loss of a batch, a scalar.

        Args:
          squares: (B,) sums of `measure` over each frame.
          n_atoms: (B,) atoms of the frames, in the type of the squares.
          weights: (B,) weights of the frames.
        """
        weights = tf.cast(weights, squares.dtype)
        if self.reduction == "inside":
            scaled = squares / DIVISORS[self.form.per_v1 or self.form.per](n_atoms)
            totals = tf.reduce_sum(weights * scaled), tf.reduce_sum(weights * squares)
            return self.form.shape(*totals, self.constants)
        scaled = squares / DIVISORS[self.form.per](n_atoms)
        losses = self.form.shape(scaled, squares, self.constants)
        losses = losses * weights / DIVISORS[self.weight](n_atoms)
        return tf.reduce_sum(losses) if self.reduction == "sum" else tf.reduce_mean(losses)


def find_form(registry: dict[str, LossForm], name: str, key: str) -> LossForm:
    """The loss function of a name.

    Args:
      key: the ini key, for the message.
    Raises:
      TrainingError: no such loss.
    """
    if name not in registry:
        raise TrainingError(f"{key} = {name}: no such loss; expected one of {', '.join(registry)}")
    return registry[name]
