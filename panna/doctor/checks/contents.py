"""Files that cannot be read or used."""

from __future__ import annotations

import numpy as np

from panna.doctor.findings import Finding, Found, check, of_frames
from panna.doctor.statistics import Statistics
from panna.doctor.thresholds import Thresholds
from panna.report.level import Level


@check(
    "contents", "unreadable files",
    good="all files can be read",
    advice="correct or remove these files: panna_gvect_calculator would stop at them",
)  # fmt: skip
def unreadable(s: Statistics, t: Thresholds) -> Found:
    return [Finding(name, reason, "readable", level=Level.BAD) for name, reason in s.unreadable]


@check(
    "contents", "frames without energy",
    good="all frames have an energy",
    advice="remove them: no training can use them",
)  # fmt: skip
def no_energy(s: Statistics, t: Thresholds) -> Found:
    frames = np.flatnonzero(np.isnan(s.rows["energy"]))
    return of_frames(s, frames, lambda _: "no energy", "an energy", level=Level.BAD)


@check(
    "contents", "files without a unit",
    good="all files name their units",
    advice="make sure that eV and angstrom are meant",
)  # fmt: skip
def unit_assumed(s: Statistics, t: Thresholds) -> Found:
    frames = np.flatnonzero(s.rows["unit_assumed"])
    return of_frames(s, frames, lambda _: "read as eV or angstrom", "a unit")
