"""Standardisation of descriptors: what the networks see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 100_000  # atoms that are in float64 at the same time


@dataclass(frozen=True)
class Scaling:
    """Inputs of the networks: (G - mean) / std, one row per species.

    mean, std: (n_species, g) float64.
    """

    mean: np.ndarray
    std: np.ndarray


def network_inputs(
    scaling: Scaling | None, species: np.ndarray, descriptors: np.ndarray, dtype: str
) -> np.ndarray:
    """(N, g) descriptors -> (N, g) inputs of the networks; as they are if there is no scaling.

    Calculated in float64: descriptors with a large mean and a small spread would lose digits.
    """
    if scaling is None:
        return descriptors.astype(dtype, copy=False)
    result = np.empty(descriptors.shape, dtype)
    for start in range(0, len(species), CHUNK):
        some = slice(start, start + CHUNK)
        kind = species[some]
        result[some] = (descriptors[some] - scaling.mean[kind]) / scaling.std[kind]
    return result
