"""Forces and virials from dE/dG, and the way back of a loss's gradient, for training.

With s = dE/d(vector) of every pair of a neighbour list, s = J^T dE/dG with J = dG/d(vectors),
forces are F_c += s, F_j -= s for centre c and neighbour j, and the virial of a frame is
-sum s (x) vector. The gradient of a loss by s follows from those by F and the virial, and its
gradient by dE/dG is J times that: the step needs J in two products with vectors, which the sources
below calculate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from panna import core
from panna.descriptors import evaluate
from panna.descriptors.parameters import DescriptorParameters
from panna.frames.neighbours import NeighbourList

Batch = Mapping[str, Any]


class Derivatives(Protocol):
    """Products with the derivatives of the descriptors of a batch of N atoms and M pairs."""

    def slopes(self, batch: Batch, gradients: np.ndarray) -> np.ndarray:
        """(N, g) dE/dG in eV -> (M, 3) dE/d(vectors) in eV/angstrom."""

    def changes(self, batch: Batch, tangents: np.ndarray) -> np.ndarray:
        """(M, 3) changes of the vectors -> (N, g) changes of the descriptors."""


@dataclass(frozen=True)
class OnTheFly:
    """From positions, by the compiled core.

    mixed: three-body terms in single precision.
    threads: of the core, 0 for all.
    """

    descriptor: DescriptorParameters
    mixed: bool = False
    threads: int = 0

    def slopes(self, batch: Batch, gradients: np.ndarray) -> np.ndarray:
        return evaluate.vjp(
            self.descriptor, neighbours_of(batch), gradients, self.threads, self.mixed
        )

    def changes(self, batch: Batch, tangents: np.ndarray) -> np.ndarray:
        return evaluate.jvp(
            self.descriptor, neighbours_of(batch), tangents, self.threads, self.mixed
        )


@dataclass(frozen=True)
class Stored:
    """From the blocks of the batch, see storage.pair_derivatives.

    half: they are float16, otherwise float32; products are summed in float32.
    threads: of the core, 0 for all.
    """

    half: bool = False
    threads: int = 0

    def slopes(self, batch: Batch, gradients: np.ndarray) -> np.ndarray:
        return core.blocks_vjp(batch["blocks"], batch["first"], gradients, self.threads)

    def changes(self, batch: Batch, tangents: np.ndarray) -> np.ndarray:
        size = batch["descriptors"].shape[1]
        return core.blocks_jvp(batch["blocks"], batch["first"], tangents, size, self.threads)


def neighbours_of(batch: Batch) -> NeighbourList:
    """The neighbour list of a batch with positions."""
    return NeighbourList(batch["species"], batch["first"], batch["index"], batch["vectors"])


def forces_from(batch: Batch, slopes: np.ndarray) -> np.ndarray:
    """(N, 3) forces, eV/angstrom."""
    return core.forces(batch["first"], batch["index"], slopes)


def virials_from(batch: Batch, slopes: np.ndarray) -> np.ndarray:
    """(B, 3, 3) virials of the frames, eV."""
    return np.stack([-slopes[mine].T @ batch["vectors"][mine] for mine in _frames(batch)])


def slope_gradients(
    batch: Batch, forces: np.ndarray, virials: np.ndarray | None = None
) -> np.ndarray:
    """Gradient (M, 3) with respect to the slopes, from those by forces and virials."""
    gradient = -core.pair_tangents(batch["first"], batch["index"], forces)
    if virials is not None:
        for mine, virial in zip(_frames(batch), virials, strict=True):
            gradient[mine] -= batch["vectors"][mine] @ virial.T
    return gradient


def _frames(batch: Batch) -> list[slice]:
    """The pairs of each frame."""
    ends = batch["first"][np.cumsum(batch["n_atoms"])]
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
