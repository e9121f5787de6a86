"""What the sections tell: their words, numbers, tables and plots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from panna.doctor import plots
from panna.doctor.checks.energies import SMALLEST_LOT, energy_lots
from panna.doctor.checks.runs import steps_of_runs
from panna.doctor.runs import slope
from panna.doctor.statistics import U_PER_ANGSTROM3_IN_G_PER_CM3, Statistics
from panna.doctor.thresholds import Thresholds
from panna.frames.radii import radii_sum
from panna.report.content import Fact, Table

Described = tuple[list[Fact], list[Table]]


def _range(values: np.ndarray) -> list[float] | None:
    values = values[np.isfinite(values)]
    return [float(values.min()), float(values.max())] if len(values) else None


def _contents(s: Statistics) -> Described:
    rows, n = s.rows, len(s)
    dimensions = np.bincount(rows["dimensions"], minlength=4)
    facts = [
        Fact("files", "files", len(s.examples)),
        Fact("frames", "frames", n),
        Fact("unreadable", "unreadable files", len(s.unreadable)),
        Fact("atoms", "atoms", int(rows["atoms"].sum())),
        Fact("atoms_per_frame", "atoms per frame", [int(rows["atoms"].min()),
                                                    int(rows["atoms"].max())]),
        Fact("with_energy", "with energy", int(np.isfinite(rows["energy"]).sum())),
        Fact("with_forces", "with forces", int(np.isfinite(rows["largest_force"]).sum())),
        Fact("with_virial", "with virial", int(rows["virial"].sum())),
        Fact("periodic", "periodic directions",
             ", ".join(f"{d}: {k} frames" for d, k in enumerate(dimensions) if k)),
        Fact("weights", "weights", _range(rows["weight"])),
        Fact("sources", "source files", len(s.sources)),
    ]  # fmt: skip
    counts = s.survey.species
    species = Table(
        "species", "Species", ["species", "atoms", "frames"],
        [[x, counts[x], int(sum((s.composition_numbers[rows["composition"]])[:, k] > 0))]
         for k, x in enumerate(s.species)],
    )  # fmt: skip
    tables = [species]
    if len(s.groups) > 1 or s.groups[0]:
        groups = []
        for k, name in enumerate(s.groups):
            mine = rows["group"] == k
            groups.append(
                [
                    name or "(none)",
                    int(mine.sum()),
                    int(np.isfinite(rows["largest_force"][mine]).sum()),
                    int(rows["virial"][mine].sum()),
                ]
            )
        headers = ["group", "frames", "with forces", "with virial"]
        tables.append(Table("groups", "Groups", headers, sorted(groups, key=lambda g: -g[1])))
    return facts, tables


def _compositions(s: Statistics) -> Described:
    facts = [Fact("compositions", "compositions", len(s.compositions))]
    residuals: dict[int, float] = {}
    shifts, fitted = s.shifts, s.least_squares
    if shifts is not None and fitted is not None:
        residuals = dict(zip(s.shift_compositions.tolist(), shifts.residuals, strict=True))
        for symbol, one in zip(s.species, fitted.offsets, strict=True):
            label = f"reference energy of {symbol}, least squares"
            facts.append(Fact(f"least_squares_{symbol}", label, float(one), "eV"))
        if not shifts.untold:
            for symbol, one in zip(s.species, shifts.offsets, strict=True):
                label = f"reference energy of {symbol}, least absolute deviations"
                facts.append(Fact(f"least_deviations_{symbol}", label, float(one), "eV"))
            label = "robust standard deviation between compositions"
            facts.append(Fact("spread", label, shifts.spread, "eV/atom"))
        unfit = [
            s.formulas[c]
            for c, can in zip(s.shift_compositions, shifts.testable, strict=True)
            if not can
        ]
        if unfit and not shifts.untold:
            facts.append(Fact("untestable", "fit by construction, not testable", ", ".join(unfit)))
    rows = []
    numbers = np.bincount(s.rows["composition"], minlength=len(s.compositions))
    for c, mine in enumerate(s.lots):
        energies = s.per_atom[mine]
        row: list[Any] = [s.formulas[c], int(numbers[c])]
        if len(mine):
            row += [float(x) for x in (energies.mean(), energies.std(), *_range(energies))]
            row.append(float(residuals[c]) if c in residuals else None)
        else:
            row += [None] * 5
        rows.append(row)
    headers = [
        "composition", "frames", "mean (eV/atom)", "standard deviation (eV/atom)",
        "lowest (eV/atom)", "highest (eV/atom)", "low energy − reference (eV/atom)",
    ]  # fmt: skip
    rows.sort(key=lambda row: -row[1])
    return facts, [Table("compositions", "Energies per atom", headers, rows)]


def _duplicates(s: Statistics) -> Described:
    distinct = len(np.unique(s.rows["fingerprint"]))
    return [Fact("distinct", "distinct frames", distinct)], []


def _distances(s: Statistics) -> Described:
    rows = []
    for pair, (distance, frame) in sorted(s.pairs.shortest.items()):
        total = radii_sum(pair)
        rows.append(["-".join(pair), distance, total, distance / total, s.name(frame)])
    rows.sort(key=lambda row: row[3])
    headers = ["pair", "shortest (Å)", "sum of covalent radii (Å)", "ratio", "frame"]
    return [], [Table("pairs", "Shortest distances", headers, rows)] if rows else []


def _energies(s: Statistics) -> Described:
    facts = [Fact("energy_per_atom", "energy per atom", _range(s.per_atom), "eV")]
    if s.shifts is not None:
        label = "energy per atom without reference energies"
        known = s.residuals[np.isfinite(s.residuals)]
        facts.append(Fact("residual", label, _range(known), "eV"))
        facts.append(Fact("residual_std", "its standard deviation", float(known.std()), "eV"))
    compared = energy_lots(s)
    facts.append(
        Fact("compared", "frames compared with like ones", sum(len(f) for _, f, _ in compared))
    )
    return facts, []


def _forces(s: Statistics) -> Described:
    largest = s.rows["largest_force"]
    largest = largest[np.isfinite(largest)]
    if not len(largest):
        return [], []
    net = s.rows["net_force"][(s.rows["atoms"] > 1) & np.isfinite(s.rows["net_force"])]
    facts = [
        Fact("largest", "largest force of a frame", _range(largest), "eV/angstrom"),
        Fact("largest_median", "its median", float(np.median(largest)), "eV/angstrom"),
        Fact("net", "length of the sum of forces / atoms", _range(net), "eV/angstrom"),
        Fact(
            "forceless",
            "forces of exactly 0, not by symmetry",
            int(s.rows["forceless_atoms"].sum()),
        ),
    ]
    return facts, []


def _runs(s: Statistics) -> Described:
    facts = []
    for strained, what in ((False, "with the same cell"), (True, "with another cell")):
        frames = steps_of_runs(s, strained)
        key = "strained" if strained else "unstrained"
        facts.append(Fact(f"{key}_pairs", f"pairs of near frames {what}", len(frames)))
        if len(frames):
            value = slope(s.rows["work"][frames], s.rows["lost"][frames])
            facts.append(Fact(f"{key}_slope", "energy lost / work, all together", value))
    return facts, []


def _cells(s: Statistics) -> Described:
    rows = s.rows
    if not np.isfinite(rows["volume"]).any():
        return [Fact("periodic", "frames of three periodic directions", 0)], []
    density = U_PER_ANGSTROM3_IN_G_PER_CM3 * rows["mass"] / rows["volume"]
    facts = [
        Fact("volume", "volume per atom", _range(rows["volume"] / rows["atoms"]), "angstrom^3"),
        Fact("density", "density", _range(density), "g/cm^3"),
    ]
    if rows["virial"].any():
        facts += [
            Fact("pressure", "pressure", _range(rows["pressure"]), "GPa"),
            Fact("stress", "largest component of the stress", _range(rows["largest_stress"]),
                 "GPa"),
        ]  # fmt: skip
    return facts, []


Drawing = Callable[[Statistics, Thresholds], "str | None"]
SECTIONS: list[
    tuple[str, str, str, Callable[[Statistics], Described], list[tuple[Drawing, str]]]
] = [
    ("contents", "Contents", "What the folder holds.", _contents, []),
    (
        "compositions",
        "Compositions and reference energies",
        "Energies of different compositions can be compared only after a reference energy of each "
        "species is taken off. It is fitted twice: by least squares over the frames, as "
        "panna_train does it, and by least absolute deviations over the low energies of the "
        "compositions (a tenth of the frames, but at least one, lie below), which a wrong one "
        "moves little. A wrong pseudopotential or functional shifts a whole composition "
        "against the others. What bonds contribute stays in, so that only shifts beyond the "
        "usual differences of the data show; nothing can be told from one composition, from few, "
        "or about one that alone has a species.",
        _compositions,
        [
            (plots.composition_bars, "Frames of each composition."),
            (plots.composition_shifts,
             "Low energies of the compositions without the reference energies (least absolute "
             "deviations). Points far from the row of the others are suspicious."),
        ],
    ),
    (
        "duplicates",
        "Duplicates",
        "Frames that are identical, and frames with the same atoms, in the same order and places. "
        "Turned, shifted or renumbered copies are not found.",
        _duplicates,
        [],
    ),
    (
        "distances",
        "Distances",
        "Between atoms, periodic images included.",
        _distances,
        [(plots.distances,
          "Mean density of the second species around atoms of the first: g(r) times the number "
          "density. Dashed: the threshold; dotted: the shortest distance. Nothing should lie left "
          "of the dashed line.")],
    ),
    (
        "energies",
        "Energies",
        "A frame is compared with those of the same composition and group; where they are fewer "
        f"than {SMALLEST_LOT}, with those of the composition, or with all others of that "
        "kind by the energy without reference energies.",
        _energies,
        [
            (plots.energy_histogram, "Energies per atom, reference energies taken off."),
            (plots.energy_of_volume,
             "The same against the volume per atom. Points far off a curve are suspicious."),
        ],
    ),
    (
        "forces",
        "Forces",
        "Without fixed atoms and external fields forces add up to zero.",
        _forces,
        [(plots.force_histogram, "Lengths of the forces on atoms; both axes are logarithmic.")],
    ),
    (
        "runs",
        "Forces against energies",
        "From a frame of a run to the next near one the energy falls by the work of the forces, "
        "(F1 + F2)/2 · dx, and, if the cell changes, of the virial. The slope of the one over the "
        "other is 1 if signs and units are right and the forces belong to the energies.",
        _runs,
        [(plots.work_of_runs, "Energy lost against work. The points should lie on the line.")],
    ),
    (
        "cells",
        "Cells and stress",
        "Frames with three periodic directions. Vacuum counts as volume.",
        _cells,
        [(plots.pressure_histogram, "Pressures, positive when compressed.")],
    ),
]  # fmt: skip
