"""What someone should know before waiting for a calculation of descriptors.

A look at some of the examples tells how many atoms there are and how much disk they will need.
"""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import PannaError
from panna.frames.example_file import ExampleWarning
from panna.frames.frame import Frame
from panna.storage.calculate import Calculation, Worklist
from panna.storage.frame_record import describe
from panna.text import counted, readable_bytes

SAMPLE = 50  # frames looked at, spread evenly
TRAILER_BYTES = 1500  # typical length of the text in a .bin trailer
WORTHWHILE = 0.8  # sparse derivatives are recommended below this part of the dense size


@dataclass(frozen=True)
class Forecast:
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


def forecast(calculation: Calculation, examples: Sequence[Path]) -> Forecast | None:
    """Reads up to SAMPLE examples and computes one of them.

    Examples that cannot be read are left to the calculation, which reports them.

    Returns:
      The forecast, or None if no example of the sample is readable.
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
    return Forecast(
        sampled=len(frames),
        atoms_least=int(atoms.min()),
        atoms_most=int(atoms.max()),
        species=dict(Counter(symbol for frame in frames for symbol in frame.species)),
        atoms=round(scale * atoms.sum()),
        bytes=round(scale * sizes[calculation.derivatives].sum()),
        dense_bytes=round(scale * dense.sum()) if with_derivatives else 0,
        sparse_bytes=round(scale * sparse.sum()) if with_derivatives else 0,
    )


def advice(calculation: Calculation, work: Worklist, expected: Forecast | None) -> list[str]:
    """Lines about the files that are there, the species, the disk and the derivatives.

    Args:
      calculation: its output_dir must exist.
      work: what is to be done.
      expected: of the examples to be computed; None if none of them is readable.
    """
    lines = _strangers(calculation, work)
    if not work.todo:
        return lines
    if expected is None:
        return [*lines, "none of the examples looked at can be used"]
    unknown = sorted(set(expected.species) - set(calculation.parameters.species))
    if unknown:
        lines.append(
            f"examples with {', '.join(unknown)} will be left out; add it to [SYMMETRY_FUNCTION] "
            "species to use them"
        )
    free = shutil.disk_usage(calculation.output_dir).free
    if expected.bytes > free:
        lines.append(
            f"only {readable_bytes(free)} are free on the disk of {calculation.output_dir}"
        )
    saving = expected.sparse_bytes < WORTHWHILE * expected.dense_bytes
    if calculation.derivatives == "dense" and saving:
        lines.append(
            f"sparse_derivatives = True would need about {readable_bytes(expected.sparse_bytes)}"
        )
    if calculation.derivatives != "none":
        lines.append(
            "forces can also be trained without stored derivatives (include_derivatives = False "
            "here, derivatives = on_the_fly in train.ini)"
        )
    return lines


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


def _strangers(calculation: Calculation, work: Worklist) -> list[str]:
    if not work.strangers:
        return []
    files = counted(len(work.strangers), ".bin file")
    return [
        f"{calculation.output_dir} has {files} of other examples (first: "
        f"{work.strangers[0].name}); tfr_packer will pack them too"
    ]
