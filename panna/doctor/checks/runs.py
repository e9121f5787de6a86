"""Forces and virials that contradict the energies."""

from __future__ import annotations

import numpy as np

from panna.doctor.findings import Finding, Found, NotTested, check
from panna.doctor.runs import FEWEST, LEAST_WORK, slope
from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.report.level import Level
from panna.text import counted, listed

FAR_SLOPE = 0.5  # from 1: no error of a calculation, but of a sign or unit
SHOWN = 3


@check(
    "runs", "runs whose energies do not follow the forces",
    good="energies fall by the work of the forces",
    advice="a slope near -1 is a wrong sign of the forces, another number a wrong unit (51.4: "
    "hartree/bohr, 25.7: Ry/bohr, 0.043: kcal/mol), an energy that belongs to another frame, or "
    "one without the electronic entropy",
)  # fmt: skip
def force_slope(s: Statistics, t: Thresholds) -> Found:
    return _slopes(s, t, strained=False)


@check(
    "runs", "runs whose energies do not follow forces and virials",
    good="energies fall by the work of forces and virials where the cell changes",
    advice="virial = -dE/dstrain: check sign, unit and order of the components of the stress; "
    "a small basis set makes a difference, too (Pulay stress)",
)  # fmt: skip
def virial_slope(s: Statistics, t: Thresholds) -> Found:
    return _slopes(s, t, strained=True)


def steps_of_runs(s: Statistics, strained: bool) -> np.ndarray:
    """Numbers of the frames whose step from the one before can be tested."""
    # Either may be too small by a wrong unit.
    larger = np.maximum(np.abs(s.rows["work"]), np.abs(s.rows["lost"]))
    told = (larger > LEAST_WORK) & (s.rows["work"] != 0.0)
    return np.flatnonzero(told & (s.rows["strained"] == strained))


def _slopes(s: Statistics, t: Thresholds, strained: bool) -> Found:
    frames = steps_of_runs(s, strained)
    if len(frames) < FEWEST:
        return NotTested(
            f"{counted(len(frames), 'pair')} of near frames of a run"
            f"{' with different cells' if strained else ''}, {FEWEST} needed (frames of one source "
            f"that differ by at most {t.step:g} angstrom, with energies"
            f"{', forces and virials' if strained else ' and forces'})"
        )
    found = []
    for source, part in _by_source(s, frames):
        value = slope(s.rows["work"][part], s.rows["lost"][part])
        off = abs(value - 1.0)
        if off > t.slope:
            level = Level.BAD if off > FAR_SLOPE else Level.DOUBTFUL
            text = f"slope {value:.4g} from {len(part)} pairs of frames"
            found.append(Finding(source, text, f"1 ± {t.slope:g}", value, level=level))
    return sorted(found, key=lambda one: -abs((one.value or 0.0) - 1.0))


def _by_source(s: Statistics, frames: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The frames by their source; sources with few of them together."""
    parts, few = [], []
    sources = s.rows["source"][frames]
    for source in np.unique(sources):
        part = frames[sources == source]
        (parts if len(part) >= FEWEST else few).append((s.sources[source], part))
    if few:
        together = np.concatenate([part for _, part in few])
        names = listed([name for name, _ in few], SHOWN)
        if len(together) >= FEWEST:
            parts.append((names, together))
    return parts
