"""Loss functions of energies and forces.

Each one returns one number per frame; the loss of a batch is the mean over its frames, each times
its weight. d = E_predicted - E_reference of a frame in eV; f2 = sum over the 3 N force components
of squared differences in (eV/angstrom)^2; N = number of atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from panna.errors import TrainingError

Loss = Callable[[Any, Any], Any]
ENERGY_LOSSES: dict[str, Loss] = {}
FORCE_LOSSES: dict[str, Loss] = {}


def register(registry: dict[str, Loss], name: str) -> Callable[[Loss], Loss]:
    """Make a loss known under its ini name."""

    def decorate(function: Loss) -> Loss:
        registry[name] = function
        return function

    return decorate


@register(ENERGY_LOSSES, "quad")
def energy_quad(difference, n_atoms):
    """d^2, eV^2"""
    return difference**2


@register(ENERGY_LOSSES, "quad_atom")
def energy_quad_atom(difference, n_atoms):
    """(d / N)^2, eV^2"""
    return (difference / n_atoms) ** 2


@register(ENERGY_LOSSES, "quad_std_atom")
def energy_quad_std_atom(difference, n_atoms):
    """d^2 / N, eV^2"""
    return difference**2 / n_atoms


@register(FORCE_LOSSES, "quad")
def forces_quad(squares, n_atoms):
    """f2, (eV/angstrom)^2"""
    return squares


@register(FORCE_LOSSES, "quad_atom")
def forces_quad_atom(squares, n_atoms):
    """f2 / N, (eV/angstrom)^2"""
    return squares / n_atoms


@register(FORCE_LOSSES, "quad_percomp")
def forces_quad_percomp(squares, n_atoms):
    """f2 / (3 N), (eV/angstrom)^2"""
    return squares / (3.0 * n_atoms)


def find_loss(registry: dict[str, Loss], name: str, key: str) -> Loss:
    """The loss of a name.

    Args:
      key: the ini key, for the message.
    Raises:
      TrainingError: no such loss.
    """
    if name not in registry:
        raise TrainingError(f"{key} = {name}: no such loss; expected one of {', '.join(registry)}")
    return registry[name]


def batch_mean(losses: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean over the frames of a batch, each frame times its weight."""
    return tf.reduce_mean(losses * tf.cast(weights, losses.dtype))
