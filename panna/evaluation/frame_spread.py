"""What a committee of potentials says about single frames, in a few numbers for each.

Standard deviations are over the M >= 2 members, with the divisor M - 1. The deviation of the force
on an atom is the root of the sum over x, y, z of their variances; the largest one of a frame is
what active learning looks at most often (Zhang, Lin, Wang, Car and E, Phys. Rev. Materials 3,
023804 (2019), there with the divisor M).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.evaluation.committee import Calibration
from panna.evaluation.spread_plot import Panel
from panna.files import atomic_write
from panna.frames.frame import Frame
from panna.potential.compiled import Evaluation

SHIFT = 0.1  # eV/atom


@dataclass(frozen=True, slots=True)
class FrameSpread:
    """One frame. Errors are those of the mean; nan where the frame has no energy or no forces.

    energy: eV, mean. energy_std: eV/atom. energy_error: eV/atom, mean minus reference.
    force_std_max: eV/angstrom, the largest deviation of the force on an atom; atom, symbol: which,
      the first one has number 0.
    force_std: eV/angstrom, root mean square over components.
    force_error: eV/angstrom, root mean square over components. force_error_max: of a component.
    outside: atoms with components of the descriptor outside the range of the training set, by the
      member that has most of them; None if no member knows its range.
    """

    name: str
    n_atoms: int
    energy: float
    energy_std: float
    energy_error: float
    force_std_max: float
    atom: int
    symbol: str
    force_std: float
    force_error: float
    force_error_max: float
    outside: int | None

    @classmethod
    def of(cls, frame: Frame, members: Sequence[Evaluation]) -> FrameSpread:
        """Of the evaluations of M >= 2 members."""
        energies = np.array([member.energy for member in members])
        forces = np.stack([member.forces for member in members])
        energy, n = float(energies.mean()), frame.n_atoms
        variances = forces.var(0, ddof=1)
        of_atoms = np.sqrt(variances.sum(1))
        atom = int(np.argmax(of_atoms))
        error = np.full(1, math.nan) if frame.forces is None else forces.mean(0) - frame.forces
        outside = [int((m.outside > 0).sum()) for m in members if m.outside is not None]
        return cls(
            name=frame.name,
            n_atoms=n,
            energy=energy,
            energy_std=float(energies.std(ddof=1)) / n,
            energy_error=math.nan if frame.energy is None else (energy - frame.energy) / n,
            force_std_max=float(of_atoms[atom]),
            atom=atom,
            symbol=frame.species[atom],
            force_std=math.sqrt(variances.mean()),
            force_error=math.sqrt(np.mean(error**2)),
            force_error_max=float(np.abs(error).max()),
            outside=max(outside, default=None),
        )


ORDERS = {
    "force_max": "force_std_max",
    "force": "force_std",
    "energy": "energy_std",
}
UNITS = {"force_max": "eV/angstrom", "force": "eV/angstrom", "energy": "eV/atom"}


def by_spread(frames: Sequence[FrameSpread], order: str) -> list[FrameSpread]:
    """The least certain frames first, by one of ORDERS; equal ones by name."""
    return sorted(frames, key=lambda frame: (-getattr(frame, ORDERS[order]), frame.name))


def calibration(
    frames: Sequence[FrameSpread],
) -> tuple[Calibration | None, Calibration | None]:
    """Spreads beside errors, of energies (eV/atom) and forces (eV/angstrom).

    The ratio for forces is that of root mean squares over all components of all frames; the rank
    correlation, as that of the energies, is one of frames.
    """
    energies = Calibration.of(*_columns(frames, "energy_std", "energy_error"))
    spread, error = _columns(frames, "force_std", "force_error")
    weights = np.array([frame.n_atoms for frame in frames], float)
    known = np.isfinite(error)
    if not known.any():
        return energies, None
    spread, error, weights = spread[known], error[known], weights[known]
    of_frames = Calibration.of(spread, error)
    mean_spread, mean_error = (
        float(np.sqrt(np.average(values**2, weights=weights))) for values in (spread, error)
    )
    return energies, Calibration(len(spread), mean_spread, mean_error, of_frames.spearman)


def energy_shift(frames: Sequence[FrameSpread]) -> float | None:
    """A constant (eV/atom) that makes up nearly all errors of the energies; None if none does.

    Such energies were calculated in another way than those of the training set.
    """
    (errors,) = _columns(frames, "energy_error")
    errors = errors[np.isfinite(errors)]
    if len(errors) < 2:
        return None
    mean = float(errors.mean())
    return mean if abs(mean) > max(SHIFT, 10 * errors.std()) else None


def panels(frames: Sequence[FrameSpread]) -> list[Panel]:
    """Spread and error of each frame: meV/atom, and root mean squares of components in eV/Å."""
    energies = [1e3 * values for values in _columns(frames, "energy_std", "energy_error")]
    forces = _columns(frames, "force_std", "force_error")
    found = [
        Panel.of("energies", "meV/atom", *energies),
        Panel.of("forces, RMS of each frame", "eV/Å", *forces),
    ]
    return [panel for panel in found if panel is not None]


def _columns(frames: Sequence[FrameSpread], *names: str) -> list[np.ndarray]:
    return [np.array([getattr(frame, name) for frame in frames]) for name in names]


HEADER = (
    *("name", "n_atoms", "energy_mean_eV", "energy_std_eV_per_atom"),
    *("force_std_max_eV_per_angstrom", "atom", "species", "force_std_rms_eV_per_angstrom"),
    *("energy_error_eV_per_atom", "force_error_rms_eV_per_angstrom"),
    *("force_error_max_eV_per_angstrom", "atoms_outside"),
)


def write_spreads(path: Path, frames: Sequence[FrameSpread]) -> None:
    """The table, one line for each frame in the order given; empty cells where nothing is known."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for f in frames:
            numbers = (f.force_std, f.energy_error, f.force_error, f.force_error_max)
            writer.writerow(
                [
                    *(f.name, f.n_atoms, f"{f.energy:.8f}", _cell(f.energy_std)),
                    *(_cell(f.force_std_max), f.atom, f.symbol, *map(_cell, numbers)),
                    "" if f.outside is None else f.outside,
                ]
            )


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"
