"""Energies of frames and compositions that do not fit the others."""

from __future__ import annotations

import numpy as np

from panna.doctor.findings import Finding, Found, NotTested, check, of_frames
from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.frames.criteria import FEW, LEAST_ENERGY_SPREAD, NORMAL
from panna.frames.survey import HIGHEST_ENERGY
from panna.report.level import Level
from panna.text import counted
from panna.training.data_checks import outliers

SMALLEST_LOT = 20  # frames; of fewer, none can be an outlier (see FEW)
LEAST_GAP = 1.0  # eV/atom between the two parts of a composition; phases differ by less
TAIL = 3.0  # outliers deviate more than by so many times the range of 95 % of the frames


@check(
    "compositions", "compositions with shifted energies",
    good="no composition is shifted against the others",
    advice="their calculations seem to differ from the others in pseudopotential, functional or "
    "reference: compare the inputs, and remove or repeat those that differ",
)  # fmt: skip
def shifted_composition(s: Statistics, t: Thresholds) -> Found:
    shifts = s.shifts
    if shifts is None:
        return NotTested("no frame has an energy")
    if shifts.untold:
        return NotTested(shifts.untold)
    limit = t.composition_factor * shifts.spread
    far = np.flatnonzero((np.abs(shifts.residuals) > limit) & shifts.testable)
    return [
        Finding(
            s.formulas[s.shift_compositions[c]],
            f"{shifts.residuals[c]:+.4g} eV/atom in {counted(_frames_of(s, c), 'frame')}",
            f"{limit:.3g} eV/atom",
            float(shifts.residuals[c]),
            level=Level.BAD,
        )
        for c in far[np.argsort(-np.abs(shifts.residuals[far]), kind="stable")]
    ]


def _frames_of(s: Statistics, c: int) -> int:
    return len(s.lots[s.shift_compositions[c]])


@check(
    "compositions", "compositions whose energies fall into two parts",
    good="the energies of no composition fall into two distant parts",
    advice="if the two parts are not of different phases, they are of different calculations: "
    "compare the inputs of a frame of each",
)  # fmt: skip
def split_composition(s: Statistics, t: Thresholds) -> Found:
    found = []
    for c, mine in enumerate(s.lots):
        if len(mine) < SMALLEST_LOT:
            continue
        order = mine[np.argsort(s.per_atom[mine], kind="stable")]
        energies = s.per_atom[order]
        fewest = max(2, int(np.ceil(FEW * len(mine))))
        gaps = np.diff(energies)
        gaps[: fewest - 1] = gaps[len(gaps) - fewest + 1 :] = 0.0
        k = int(np.argmax(gaps))
        low, high = order[: k + 1], order[k + 1 :]
        spread = max(_spread(s.per_atom[low]), _spread(s.per_atom[high]), LEAST_ENERGY_SPREAD)
        if gaps[k] > max(LEAST_GAP, t.energy_factor * spread):
            found.append(
                Finding(
                    s.formulas[c],
                    f"{gaps[k]:.4g} eV/atom between {s.name(low[-1])} (with {len(low) - 1} below) "
                    f"and {s.name(high[0])} (with {len(high) - 1} above)",
                    f"{max(LEAST_GAP, t.energy_factor * spread):.3g} eV/atom",
                    float(gaps[k]),
                )
            )
    return found


def _spread(values: np.ndarray) -> float:
    return NORMAL * float(np.median(np.abs(values - np.median(values))))


@check(
    "energies", "frames with energies far from the others",
    good="no energy is far from those of like frames",
    advice="check unit and convergence of these calculations; remove the frames, or give them a "
    "small weight",
)  # fmt: skip
def energy_outlier(s: Statistics, t: Thresholds) -> Found:
    found = []
    for label, frames, values in energy_lots(s):
        shifts = values - np.median(values)
        far, spread = outliers(shifts, LEAST_ENERGY_SPREAD, factor=t.energy_factor)
        # Strained cells and displaced atoms give long tails, whose ends are no errors.
        tail = TAIL * float(np.quantile(np.abs(shifts), 1.0 - FEW, method="lower"))
        limit = max(t.energy_factor * spread, tail)
        found += [
            Finding(
                s.name(frames[k]),
                f"{shifts[k]:+.4g} eV/atom from the median of {label}",
                f"{limit:.3g} eV/atom",
                float(shifts[k]),
                int(frames[k]),
            )
            for k in far
            if abs(shifts[k]) > limit
        ]
    return sorted(found, key=lambda one: -abs(one.value or 0.0))


def energy_lots(s: Statistics) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Frames to be compared with each other: what they are, their numbers and eV/atom.

    Frames of one composition and group; where these are few, of one composition; where these are
    few, too, all that remain, by their energies without reference energies.
    """
    lots, rest = [], []
    for c, mine in enumerate(s.lots):
        mine = mine[~s.isolated[mine]]
        groups = s.rows["group"][mine]
        others = []
        for group in np.unique(groups):
            part = mine[groups == group]
            if len(part) >= SMALLEST_LOT:
                name = f" {s.groups[group]}" if s.groups[group] else ""
                lots.append((s.formulas[c] + name, part, s.per_atom[part]))
            else:
                others.append(part)
        left = np.concatenate([mine[:0], *others])
        if len(left) >= SMALLEST_LOT:
            lots.append((s.formulas[c], left, s.per_atom[left]))
        else:
            rest.append(left)
    left = np.concatenate([np.zeros(0, np.int64), *rest])
    if len(left) >= SMALLEST_LOT:
        lots.append(("rarer compositions", left, s.residuals[left]))
    return lots


@check(
    "energies", "energies beyond any total energy",
    good=f"all energies are below {HIGHEST_ENERGY:g} eV per atom",
    advice="check the unit of energies",
)  # fmt: skip
def energy_unit(s: Statistics, t: Thresholds) -> Found:
    size = np.abs(s.per_atom)
    return of_frames(
        s,
        np.flatnonzero(size > HIGHEST_ENERGY),
        lambda f: f"{s.per_atom[f]:.4g} eV/atom",
        f"{HIGHEST_ENERGY:g} eV/atom",
        s.per_atom,
        Level.BAD,
    )
