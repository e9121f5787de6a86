"""Descriptors and their derivatives for neighbour lists, through the compiled core.

All functions take a batch: the neighbour list of one frame or of several, concatenated. They
release the GIL and use `threads` threads (0: all that OpenMP offers). `mixed`: pairs of neighbours
in single precision, sums in double; a third less time, relative errors of about 1e-6.
"""

from __future__ import annotations

import numpy as np

from panna import core
from panna.descriptors.parameters import DescriptorParameters
from panna.errors import DescriptorError
from panna.frames.neighbours import NeighbourList


def compute(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> np.ndarray:
    """Descriptors G.

    Args:
      parameters: kind and parameters of the descriptor.
      neighbours: N atoms, M pairs; vectors in angstrom.
    Returns:
      (N, size) float64, dimensionless.
    Raises:
      DescriptorError: the neighbour list is inconsistent or has unknown species.
    """
    return _call(core.compute, parameters, neighbours, threads)


def vjp(
    parameters: DescriptorParameters,
    neighbours: NeighbourList,
    g_bar: np.ndarray,
    threads: int = 0,
    mixed: bool = False,
) -> np.ndarray:
    """Gradient of sum(g_bar * G) with respect to the neighbour vectors.

    With g_bar = dE/dG this is the gradient of the energy; no Jacobian is formed.

    Args:
      g_bar: (N, size).
    Returns:
      (M, 3) float64, in units of g_bar per angstrom.
    """
    return _call(core.vjp, parameters, neighbours, threads, g_bar, mixed=mixed)


def jvp(
    parameters: DescriptorParameters,
    neighbours: NeighbourList,
    tangents: np.ndarray,
    threads: int = 0,
    mixed: bool = False,
) -> np.ndarray:
    """Change of G when the neighbour vectors change by `tangents` (M, 3): (N, size) float64."""
    return _call(core.jvp, parameters, neighbours, threads, tangents, mixed=mixed)


def jacobian(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> np.ndarray:
    """dG(centre)/d(vector) of every pair: (M, size, 3) float64, 1/angstrom."""
    return _call(core.jacobian, parameters, neighbours, threads)


def blocks(
    parameters: DescriptorParameters, neighbours: NeighbourList, threads: int = 0
) -> np.ndarray:
    """The Jacobian in single precision, components last: (M, 3, size) float32, 1/angstrom."""
    return _call(core.blocks, parameters, neighbours, threads)


def forces_from_pairs(neighbours: NeighbourList, gradient: np.ndarray) -> np.ndarray:
    """Forces F_k = -dE/dx_k, (N, 3), from the gradient (M, 3) with respect to the vectors."""
    return core.forces(neighbours.first, neighbours.index, gradient)


def virial_from_pairs(neighbours: NeighbourList, gradient: np.ndarray) -> np.ndarray:
    """Virial -dE/dstrain, (3, 3): element [a, b] = -sum over the pairs of gradient_a vector_b.

    Args:
      gradient: (M, 3), of the energy with respect to the vectors, in eV/angstrom.
    """
    return -np.einsum("pa,pb->ab", gradient, neighbours.vectors)


def _call(function, parameters, neighbours, threads, *arrays, mixed=False):
    try:
        return function(
            parameters.core_mixed if mixed else parameters.core,
            neighbours.species,
            neighbours.first,
            neighbours.index,
            neighbours.vectors,
            *arrays,
            threads=threads,
        )
    except core.CoreError as error:
        raise DescriptorError(str(error)) from error
