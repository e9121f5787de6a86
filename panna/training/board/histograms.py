"""Distributions over the training: weights and biases of each layer, energies of the atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from panna.network.parameters import Model


def weights(model: Model) -> list[Summary]:
    """Weights and biases of each species and layer, under the tags of PANNA v1."""
    found = []
    for s, (symbol, network) in enumerate(zip(model.species, model.networks, strict=True)):
        for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            found.append(histogram_pb(f"S{symbol}.{s}/W{layer}", w))
            found.append(histogram_pb(f"S{symbol}.{s}/b{layer}", b))
    return found


def atomic_energies(
    symbols: Sequence[str], species: np.ndarray, energies: np.ndarray
) -> list[Summary]:
    """Energies of the atoms of each species.

    Args:
      symbols: of all species.
      species: (N,) positions in symbols.
      energies: (N,) eV, without the reference energies.
    """
    return [
        histogram_pb(f"S{symbol}.{s}/atomic energies (eV)", energies[species == s])
        for s, symbol in enumerate(symbols)
        if np.any(species == s)
    ]
