"""A look at some of the examples before a calculation: how many atoms, how much disk."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import PannaError
from panna.frames.example_file import ExampleWarning
from panna.frames.frame import Frame
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

    def rows(self) -> list[tuple[str, str]]:
        """(label, text) pairs for a report."""
        species = ", ".join(f"{symbol} ({n} atoms)" for symbol, n in sorted(self.species.items()))
        each = f"{self.atoms_least}"
        if self.atoms_most > self.atoms_least:
            each += f" to {self.atoms_most}"
        return [
            ("atoms", f"{each} in an example, about {self.atoms} in all"),
            ("species", f"{species} in {self.sampled} of the examples"),
        ]


def survey(calculation: Calculation, examples: Sequence[Path]) -> Survey | None:
    """Reads up to SAMPLE examples and computes one of them.

    Examples that cannot be read are left to the calculation, which reports them.

    Returns:
      The survey, or None if no example of the sample is readable.
    """
    frames = _sample(calculation, examples)
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


def readable_bytes(count: float) -> str:
    """A number of bytes for people: 950 bytes, 4.2 MB, 1.3 TB."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if count < 999.5:
            break
        count, unit = count / 1000, larger
    return f"{count:.3g} {unit}"


def _sample(calculation: Calculation, examples: Sequence[Path]) -> list[Frame]:
    """Up to SAMPLE readable frames, spread evenly over the examples."""
    chosen = np.unique(np.linspace(0, len(examples) - 1, SAMPLE).astype(int))
    frames = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExampleWarning)  # the calculation collects them
        for number in chosen:
            try:
                frames.append(calculation.read_frame(examples[number]))
            except PannaError:
                continue
    return frames


def _nonzeros_per_atom(calculation: Calculation, frames: Sequence[Frame]) -> float:
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
