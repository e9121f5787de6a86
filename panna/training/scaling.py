"""Standardisation of the descriptors, per species and component."""

from __future__ import annotations

import numpy as np

FLOOR = 1e-2
ROUNDING = 1e-7  # of float32: relative standard deviation of a component that never changes


def constant_components(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Which components are the same in all environments of a species; bool, shape of the mean."""
    return np.sqrt(np.asarray(variance, np.float64)) <= ROUNDING * np.abs(mean)


def standardisation(
    counts: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and divisor of every component.

    The divisor is the standard deviation over the training set, but at least FLOOR times the
    largest one of the species: a component that hardly varies in the training set (the tail of
    a radial function, an angle that does not occur) would otherwise grow to hundreds as soon as an
    atom leaves the training set, and the network would answer with noise. A species whose
    descriptors do not vary at all is divided by 1.

    Args:
      counts: (n_species,) atoms.
      mean, variance: (n_species, g).
    Returns:
      mean, std: (n_species, g) float64.
    """
    std = np.sqrt(np.asarray(variance, np.float64))
    largest = std.max(axis=1, keepdims=True)
    std = np.maximum(std, FLOOR * largest)
    # Equal environments differ by rounding of float32 only.
    magnitude = np.abs(mean).max(axis=1, keepdims=True)
    flat = (largest <= 1e-6 * magnitude) | (np.asarray(counts)[:, None] < 2)
    return np.asarray(mean, np.float64), np.where(flat, 1.0, std)
