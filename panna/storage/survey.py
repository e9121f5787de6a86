"""A look at some of the examples before a calculation: how many atoms, how much disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import PannaError
from panna.storage.calculate import Calculation
from panna.storage.frame_record import describe

SAMPLE = 50  # frames looked at, spread evenly
TRAILER_BYTES = 1500  # typical length of the text in a .bin trailer


@dataclass(frozen=True)
class Survey:
    """What a sample of the examples tells about all of them.

    sampled: frames that were read; atoms_least, atoms_most: atoms in one of them.
    species: symbol -> atoms in the sample.
    atoms, bytes: estimates for all examples (bytes of .bin files as asked for).
    dense_bytes, sparse_bytes: estimates with derivatives in either form; 0 without derivatives.
    """

    sampled: int
    atoms_least: int
    atoms_most: int
    species: dict[str, int]
    atoms: int
    bytes: int
    dense_bytes: int = 0
    sparse_bytes: int = 0


def survey(calculation: Calculation, examples: Sequence[Path]) -> Survey | None:
    """Reads up to SAMPLE examples and computes one of them.

    Examples that cannot be read are left to the calculation, which reports them.

    Returns:
      The survey, or None if no example of the sample is readable.
    """
    step = max(1, len(examples) // SAMPLE)
    frames = []
    for example in examples[::step][:SAMPLE]:
        try:
            frames.append(calculation.read_frame(example))
        except PannaError:
            continue
    if not frames:
        return None
    g = calculation.parameters.size
    atoms = np.array([frame.n_atoms for frame in frames], float)
    scale = len(examples) / len(frames)
    plain = TRAILER_BYTES + 4 * (1 + atoms + atoms * g) + 72 * atoms
    dense = plain + 12 * g * atoms**2
    sparse = plain + 12 * atoms * _nonzeros_per_atom(calculation, frames)
    sizes = {"none": plain, "dense": dense, "sparse": sparse}
    with_derivatives = calculation.derivatives != "none"
    return Survey(
        sampled=len(frames),
        atoms_least=int(atoms.min()),
        atoms_most=int(atoms.max()),
        species=dict(Counter(symbol for frame in frames for symbol in frame.species)),
        atoms=round(scale * atoms.sum()),
        bytes=round(scale * sizes[calculation.derivatives].sum()),
        dense_bytes=round(scale * dense.sum()) if with_derivatives else 0,
        sparse_bytes=round(scale * sparse.sum()) if with_derivatives else 0,
    )


def _nonzeros_per_atom(calculation: Calculation, frames) -> float:
    """Non-zero elements of dG/dx per atom, from the first frame that can be computed."""
    if calculation.derivatives == "none":
        return 0.0
    for frame in frames:
        try:
            record = describe(frame, calculation.parameters, "sparse", threads=1)
        except PannaError:
            continue
        return len(record.derivatives.values) / frame.n_atoms
    return 0.0
