"""Errors on the test set: parity plots, by species and group, and the worst frames."""

from __future__ import annotations

import numpy as np

from panna.evaluation.errors import Spread
from panna.report.content import Fact, Plot, Table, known, numbers
from panna.report.level import Level
from panna.report.svg import COLOURS, figure_of, svg
from panna.validation.parity import parity_plot
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject
from panna.validation.test_set import TestSet

WORST = 20  # frames
WEAK = 0.5  # of the root mean square force; smaller forces have no angle worth telling
FEWEST = 3  # frames of a group that is judged
NO_FORCE = 1e-3  # eV/angstrom; forces up to this are zero by symmetry, or relaxed away
MORE = "Add frames of this kind to the training set, or train longer or with a larger network."


@section(
    "errors",
    "Errors on the test set",
    "Predicted minus reference: RMSE is the root of the mean square, MAE the mean of the absolute "
    "values. Energies count per atom, forces and stresses by components. Angles are those between "
    "predicted and reference forces, of forces longer than half their root mean square.",
)
def errors(subject: Subject) -> Content:
    """Of energies, forces, angles of forces, and stresses."""
    test = subject.test
    energy, force = Spread.of(test.energy_errors), Spread.of(test.force_errors)
    stress = Spread.of(test.stress_errors)
    angles = force_angles(test)
    scale, groups = _rms(test.forces), _groups(test)
    facts = [
        *_facts("energy", "energy", energy, "meV/atom", 1e3),
        *_facts("force", "force component", force, "eV/Å"),
    ]
    if force:
        facts.append(Fact("force_scale", "root mean square of the reference", scale, "eV/Å"))
        strong = angles[np.isfinite(angles)]
        if len(strong):
            facts.append(
                Fact("angle", "median angle between forces", float(np.median(strong)), "°")
            )
    facts += _facts("stress", "component of the stress", stress, "GPa")
    tables = [
        Table("species", "Forces by species",
              ["species", "atoms", "RMSE (eV/Å)", "MAE (eV/Å)", "largest (eV/Å)"],
              _species_rows(subject)),
        Table("groups", "By group",
              ["group", "frames", "energy RMSE (meV/atom)", "energy MAE (meV/atom)",
               "force RMSE (eV/Å)", "force MAE (eV/Å)", "stress RMSE (GPa)"],
              _group_rows(groups)),
        Table("worst", f"The {WORST} worst frames",
              ["frame", "group", "energy error (meV/atom)", "largest force error (eV/Å)"],
              _worst_rows(test)),
    ]  # fmt: skip
    return Content(
        facts,
        [table for table in tables if len(table.rows) > (table.key == "groups")],
        _plots(subject, angles),
        _judgements(subject, energy, force, stress, scale, groups),
        _data(test, angles),
    )


def force_angles(test: TestSet) -> np.ndarray:
    """(N,) degrees between predicted and reference force; nan where the reference is weak."""
    a, b = test.forces, test.predicted_forces
    lengths = np.linalg.norm(a, axis=1)
    both = lengths * np.linalg.norm(b, axis=1)
    strong = (lengths > WEAK * _rms(a) * np.sqrt(3)) & (both > 0)
    angles = np.full(len(a), np.nan)
    cosines = (a[strong] * b[strong]).sum(1) / both[strong]
    angles[strong] = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return angles


def _rms(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else np.nan


def _facts(key: str, what: str, spread: Spread | None, unit: str, factor: float = 1.0):
    if spread is None:
        return [Fact(f"{key}_count", f"known: {what}", 0)]
    return [
        Fact(f"{key}_{name}", f"{label} of the {what}", getattr(spread, name) * factor, unit)
        for name, label in (("rmse", "RMSE"), ("mae", "MAE"), ("max", "largest error"),
                            ("bias", "mean error"))
    ]  # fmt: skip


def _species_rows(subject: Subject) -> list[list]:
    rows = []
    for number, symbol in enumerate(subject.species):
        mine = subject.test.species == number
        if spread := Spread.of(subject.test.force_errors[mine]):
            rows.append([symbol, int(mine.sum()), spread.rmse, spread.mae, spread.max])
    return rows


Group = tuple[str, int, list[Spread | None]]


def _groups(test: TestSet) -> list[Group]:
    """Name, number of frames, and the errors of energies, forces and stresses of each group."""
    found = []
    for name in sorted(set(test.groups.tolist())):
        frames = test.groups == name
        atoms = frames[test.frame]
        spreads = [
            Spread.of(test.energy_errors[frames]),
            Spread.of(test.force_errors[atoms]),
            Spread.of(test.stress_errors[frames]),
        ]
        found.append((name or "(none)", int(frames.sum()), spreads))
    return found


def _group_rows(groups: list[Group]) -> list[list]:
    rows = []
    for name, count, (energy, force, stress) in groups:
        row: list = [name, count]
        row += [1e3 * energy.rmse, 1e3 * energy.mae] if energy else [None, None]
        row += [force.rmse, force.mae] if force else [None, None]
        rows.append([*row, stress.rmse if stress else None])
    return rows


def _worst_rows(test: TestSet) -> list[list]:
    """By the energy and the largest force, each in units of its RMSE."""
    energy = np.abs(test.energy_errors)
    force = np.maximum.reduceat(np.linalg.norm(test.force_errors, axis=1), test.first_atoms)
    scaled = [values / (_rms(values) or 1.0) for values in (energy, force)]
    worst = np.argsort(-np.nanmax([*scaled, np.zeros(len(test))], axis=0), kind="stable")[:WORST]
    return [
        [test.names[k], str(test.groups[k]) or "(none)", known(1e3 * test.energy_errors[k]),
         known(force[k])]
        for k in worst
    ]  # fmt: skip


def _plots(subject: Subject, angles: np.ndarray) -> list[Plot]:
    test = subject.test
    symbols = np.array(subject.species, object)[test.species]
    shift = test.offsets
    plots = [
        parity_plot(
            "energies",
            (test.energies - shift) / test.n_atoms,
            (test.predicted_energies - shift) / test.n_atoms,
            test.groups,
            "energy",
            "eV/atom",
            "Energies per atom without the reference energies, by group.",
        ),
        parity_plot(
            "forces",
            test.forces.ravel(),
            test.predicted_forces.ravel(),
            np.repeat(symbols, 3),
            "force",
            "eV/Å",
            "Components of the forces, by species.",
        ),
        _force_groups(test),
        _angle_plot(test, angles),
        parity_plot(
            "stresses",
            test.stresses.ravel(),
            test.predicted_stresses.ravel(),
            np.repeat(test.groups, 6),
            "stress",
            "GPa",
            "Components of the stress, negative under compression, by group.",
        ),
    ]
    return [plot for plot in plots if plot is not None]


def _force_groups(test: TestSet) -> Plot | None:
    """None if there is one group only: the plot by species shows the same."""
    if len(set(test.groups.tolist())) == 1:
        return None
    return parity_plot(
        "forces-groups",
        test.forces.ravel(),
        test.predicted_forces.ravel(),
        np.repeat(test.groups[test.frame], 3),
        "force",
        "eV/Å",
        "Components of the forces, by group.",
    )


def _angle_plot(test: TestSet, angles: np.ndarray) -> Plot | None:
    strong = np.isfinite(angles)
    if not strong.any():
        return None

    def draw():
        figure = figure_of(7.2, 2.6)
        axes = figure.subplots()
        axes.hist(angles[strong], bins=90, color=COLOURS[0], log=True)
        axes.set(xlabel="angle between predicted and reference force (°)", ylabel="atoms", xlim=0)
        return figure

    return Plot(svg("angles", draw), "Directions of the forces.")


def _judgements(
    subject: Subject, energy, force, stress, scale: float, groups: list[Group]
) -> list[Judgement]:
    test, judge, found = subject.test, subject.judge, []
    if not (energy or force or stress):
        text = "Neither energies nor forces of the test set are known."
        return [Judgement(Level.BAD, text, "Give test frames with reference values.")]
    if energy:
        found.append(judge("energy_rmse", 1e3 * energy.rmse, "RMSE of the energies", MORE))
    if force and scale > NO_FORCE:
        share = 100 * force.rmse / scale
        found.append(judge("force_rmse", share, "RMSE of the forces, of their own size", MORE))
    elif force:
        text = (
            f"The reference forces are zero, or nearly so (root mean square {scale:.2g} eV/Å); "
            f"their RMSE, {force.rmse:.2g} eV/Å, is not judged."
        )
        found.append(Judgement(Level.NOTE, text))
        force = None
    if stress:
        advice = "Train on stresses (stress_cost), with frames of strained cells."
        found.append(judge("stress_rmse", stress.rmse, "RMSE of the stresses", advice))
    groups = [one for one in groups if one[1] >= FEWEST]
    for number, what, total in ((0, "energies", energy), (1, "forces", force)):
        mine = [(s[number].rmse, name) for name, _, s in groups if s[number]]
        if total and total.rmse > 0 and len(mine) > 1:
            rmse, name = max(mine)
            text = f"Worst group by {what}, {name}: its RMSE over that of all"
            found.append(judge("group_factor", rmse / total.rmse, text, MORE))
    if energy and energy.count >= 20 and energy.rmse > 0:
        worst = int(np.nanargmax(np.abs(test.energy_errors)))
        text = f"Largest error of an energy ({test.names[worst]}) over the RMSE"
        advice = (
            "Look at this frame: it is wrong, or of a kind that the training set lacks; then "
            "compute more of its kind."
        )
        found.append(judge("outlier", energy.max / energy.rmse, text, advice))
    return found


def _data(test: TestSet, angles: np.ndarray) -> dict:
    return {
        "frames": [
            {
                "name": name,
                "group": str(group),
                "energy_eV": reference,
                "predicted_energy_eV": predicted,
            }
            for name, group, reference, predicted in zip(
                test.names,
                test.groups,
                numbers(test.energies),
                numbers(test.predicted_energies),
                strict=True,
            )
        ],
        "angle_histogram": np.histogram(angles[np.isfinite(angles)], 90, (0, 180))[0].tolist(),
    }
