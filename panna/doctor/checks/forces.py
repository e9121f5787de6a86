"""Forces and stresses that are missing, or that no calculation gives."""

from __future__ import annotations

import numpy as np

from panna.doctor.findings import Finding, Found, NotTested, check, of_frames
from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.frames.criteria import LEAST_FORCE_SPREAD
from panna.frames.survey import HIGHEST_FORCE
from panna.report.level import Level
from panna.training.data_checks import outliers

HIGHEST_STRESS = 500.0  # GPa


@check(
    "forces", "frames without forces",
    good="all frames have forces",
    advice="energies alone train worse; see that the parser found the forces, or give them up "
    "for these frames knowingly",
)  # fmt: skip
def no_forces(s: Statistics, t: Thresholds) -> Found:
    none = np.isnan(s.rows["largest_force"]) & ~s.isolated
    if none.all():
        return [Finding("all frames", "no forces", "forces")]
    return of_frames(s, np.flatnonzero(none), lambda _: "no forces", "forces, as in other frames")


@check(
    "forces", "frames with forces far larger than the others",
    good="no forces are far larger than the others",
    advice="they rule the force loss; check unit and convergence of these calculations, remove "
    "the frames, or give them a small weight",
)  # fmt: skip
def force_outlier(s: Statistics, t: Thresholds) -> Found:
    frames = np.flatnonzero(np.isfinite(s.rows["largest_force"]))
    largest = s.rows["largest_force"][frames]
    if not len(frames):
        return NotTested("no frame has forces")
    median = np.median(largest)
    shifts = np.maximum(largest - median, 0.0)
    far, spread = outliers(shifts, LEAST_FORCE_SPREAD, largest, t.force_factor)
    return of_frames(
        s,
        frames[far],
        lambda f: f"{s.rows['largest_force'][f]:.4g} eV/angstrom",
        f"{median + t.force_factor * spread:.3g} eV/angstrom",
        s.rows["largest_force"],
    )


@check(
    "forces", "frames with forces beyond any calculation",
    good=f"all forces are below {HIGHEST_FORCE:g} eV/angstrom",
    advice="check the unit of forces",
)  # fmt: skip
def force_unit(s: Statistics, t: Thresholds) -> Found:
    return of_frames(
        s,
        np.flatnonzero(s.rows["largest_force"] > HIGHEST_FORCE),
        lambda f: f"{s.rows['largest_force'][f]:.4g} eV/angstrom",
        f"{HIGHEST_FORCE:g} eV/angstrom",
        s.rows["largest_force"],
        Level.BAD,
    )


@check(
    "forces", "frames whose forces do not add up to zero",
    good="the forces of every frame add up to zero",
    advice="fixed atoms, an external field or a missing contribution (dispersion, drift "
    "correction): if forces of fixed atoms were set to zero, do not train on forces of these "
    "frames",
    escalates=True,
)  # fmt: skip
def net_force(s: Statistics, t: Thresholds) -> Found:
    net = s.rows["net_force"]
    # The force on an isolated atom is its net force.
    frames = np.flatnonzero((net > t.net_force) & (s.rows["atoms"] > 1))
    return of_frames(
        s,
        frames[np.argsort(-net[frames], kind="stable")],
        lambda f: f"sum of forces / atoms {net[f]:.3g} eV/angstrom",
        f"{t.net_force:g} eV/angstrom",
        net,
    )


@check(
    "forces", "frames with forces that are exactly zero on all atoms",
    good="no forces are exactly zero on all atoms, unless symmetry makes them so",
    advice="their surroundings are not symmetric, so that these are no computed forces: compute "
    "them, or do not train on the forces of these frames",
    escalates=True,
)  # fmt: skip
def zero_forces(s: Statistics, t: Thresholds) -> Found:
    all_zero = (s.rows["largest_force"] == 0.0) & (s.rows["forceless_atoms"] > 0)
    return of_frames(s, np.flatnonzero(all_zero), lambda _: "all forces 0", "not exactly 0")


@check(
    "forces", "frames with forces that are exactly zero on some atoms",
    good="no atom has a force of exactly zero, unless symmetry makes it so",
    advice="these atoms were held fixed, it seems: their forces are unknown, not zero. Compute "
    "them, or do not train on the forces of these frames",
    escalates=True,
)  # fmt: skip
def fixed_atoms(s: Statistics, t: Thresholds) -> Found:
    zero = s.rows["forceless_atoms"]
    return of_frames(
        s,
        np.flatnonzero((zero > 0) & (s.rows["largest_force"] > 0)),
        lambda f: f"{zero[f]} of {s.rows['atoms'][f]} atoms",
        "none",
        zero,
    )


@check(
    "cells", "periodic frames without virial",
    good="all frames of three periodic directions have a virial",
    advice="they are left out of the virial loss; nothing to do unless you train on virials",
)  # fmt: skip
def no_virial(s: Statistics, t: Thresholds) -> Found:
    periodic = s.rows["dimensions"] == 3
    if not periodic.any():
        return NotTested("no frame has three periodic directions")
    frames = np.flatnonzero(periodic & ~s.rows["virial"])
    if not s.rows["virial"].any():
        return [Finding("all frames", "no virial", "a virial", level=Level.NOTE)]
    return of_frames(s, frames, lambda _: "no virial", "a virial", level=Level.NOTE)


@check(
    "cells", "frames with an enormous stress",
    good=f"no component of the stress is beyond {HIGHEST_STRESS:g} GPa",
    advice="if these cells are not strongly compressed, check the unit of the stress",
)  # fmt: skip
def stress_unit(s: Statistics, t: Thresholds) -> Found:
    if not s.rows["virial"].any():
        return NotTested("no frame has a virial")
    stress = s.rows["largest_stress"]
    frames = np.flatnonzero(stress > HIGHEST_STRESS)
    return of_frames(
        s,
        frames[np.argsort(-stress[frames], kind="stable")],
        lambda f: f"{stress[f]:.4g} GPa",
        f"{HIGHEST_STRESS:g} GPa",
        stress,
    )
