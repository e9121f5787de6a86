"""First values of weights and biases.

Written for standardised inputs (mean 0, variance 1 over the training set). Every hidden unit is to
see an argument of mean 0 and variance 1 too, plus a random shift:

    W ~ normal(0, 1 / (n_in * variance of the layer's inputs))
    b = -(mean of the inputs) sum_i W_ij + uniform(-1, 1)

where mean and variance of a hidden layer's inputs are those of its activation for arguments of the
standard normal distribution widened by the shift. Without the shift all Gaussian units would have
their top, where they do not learn, at the average environment.

The centres of radial-basis layers are drawn from the distribution of the layer's inputs; their
biases, which are not used, are 0.

The last layer is scaled such that the energies of the atoms start with mean 0 and the spread of
the targets, so that training starts neither flat nor far off.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from panna.network.activations import ACTIVATIONS
from panna.network.parameters import SpeciesNetwork

SHIFT = 1.0


def initial_network(
    g_size: int,
    sizes: Sequence[int],
    activations: Sequence[str],
    trainable: Sequence[bool],
    *,
    seed: int,
    symbol: str,
    spread: float = 1.0,
    dtype: str = "float32",
) -> SpeciesNetwork:
    """A network with random weights.

    Args:
      g_size: number of inputs.
      sizes: outputs of each layer, 1 for the last one.
      activations, trainable: one per layer.
      seed, symbol: together they fix the values; they do not depend on the other species.
      spread: wanted standard deviation of the energies of atoms, eV.
      dtype: "float32" or "float64".
    """
    rng = np.random.default_rng([seed, zlib.crc32(symbol.encode())])
    weights, biases = [], []
    width, mean, variance = g_size, 0.0, 1.0
    for layer, (size, name) in enumerate(zip(sizes, activations, strict=True)):
        last = layer == len(sizes) - 1
        centres = ACTIVATIONS[name].centres
        deviation = np.sqrt(variance) if centres else 1.0 / np.sqrt(width * variance)
        w = rng.normal(mean if centres else 0.0, deviation, (width, size))
        shift = np.zeros(size) if last else rng.uniform(-SHIFT, SHIFT, size)
        if last and not centres:
            w *= spread
        weights.append(w.astype(dtype))
        biases.append((np.zeros(size) if centres else shift - mean * w.sum(0)).astype(dtype))
        width, (mean, variance) = size, activation_moments(name)
    return SpeciesNetwork(weights, biases, list(activations), list(trainable))


def activation_moments(name: str) -> tuple[float, float]:
    """Mean and variance of an activation for arguments normal(0, 1) + uniform(-SHIFT, SHIFT).

    The variance is the one over atoms, at a given shift, averaged over the shifts.
    """
    points, gauss = np.polynomial.hermite_e.hermegauss(40)
    shifts, uniform = np.polynomial.legendre.leggauss(20)
    values = ACTIVATIONS[name].function(points[:, None] + SHIFT * shifts[None, :], np)
    gauss, uniform = gauss / gauss.sum(), uniform / uniform.sum()
    means = gauss @ values
    variances = gauss @ (values - means) ** 2
    return float(uniform @ means), float(uniform @ variances)
