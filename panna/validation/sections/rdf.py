"""Radial distribution functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms

from panna.frames.neighbours import widths
from panna.report.content import Fact, Plot, Table, known, numbers
from panna.report.level import Level
from panna.validation.dynamics.given import read_trajectory
from panna.validation.dynamics.radial import (
    Radial,
    difference,
    expected_noise,
    radial_distribution,
    read_dump,
)
from panna.validation.dynamics.runs import (
    DUMP,
    MARGIN,
    Start,
    outside_percent,
    pairs,
    plan,
    reference_judgement,
    run_judgements,
    run_nvt,
    starting_structure,
)
from panna.validation.lammps.box import Box
from panna.validation.lammps.pair import Pair
from panna.validation.lammps.program import Log
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.subject import Subject

FARTHEST = 8.0  # angstrom
FRAMES = 500  # of a run
ADVICE = "Add frames of this temperature and density to the training set."


@dataclass(frozen=True)
class _Curves:
    """At a temperature: of the potential, and of the reference where there is one."""

    temperature: float
    mine: Radial | None
    reference: Radial | None
    outside: float | None


@section(
    "rdf",
    "Radial distribution functions",
    "Molecular dynamics with a thermostat. The difference is the area between the curves of "
    "potential and reference over that below the reference. Two runs differ although their "
    "potentials are the same: the noise is what the two halves of each run let expect, and the "
    "judgement is about the difference minus the noise.",
)
def rdf(subject: Subject) -> Content:
    """g(r) of every pair of species, beside the reference."""
    values = subject.config["MD"]
    temperatures = values["rdf_temperatures"]
    if not temperatures:
        raise NotPossible("no temperature is given; name some in the key rdf_temperatures of [MD]")
    start = starting_structure(subject)
    mine, reference = pairs(subject)
    farthest = _farthest(subject, start)
    recorded = _recorded(subject, start, farthest)
    found, judgements = [], []
    for number, temperature in enumerate(temperatures):
        what = f"At {temperature:g} K"
        log, one = _run(subject, start, mine, temperature, farthest)
        other = recorded if number == 0 else None
        if other is None and reference is not None:
            other_log, other = _run(subject, start, reference, temperature, farthest, True)
            judgements += reference_judgement(what, other_log)
        curves = _Curves(temperature, one, other, outside_percent(log))
        found.append(curves)
        judgements += _judgements(subject, curves)
        judgements += run_judgements(subject, what, log, temperature)
    facts = [
        Fact("structure", "starting from", start.origin),
        Fact("atoms", "atoms", len(start.atoms)),
        Fact("time", "time at each temperature", values["rdf_time"], "ps"),
        Fact("reference", "reference", _reference_words(subject, recorded, reference)),
    ]
    label = subject.config["REFERENCE"]["name"]
    return Content(
        facts,
        [_table(found)],
        _plots(found, label, bool(start.atoms.pbc.all())),
        judgements,
        _data(found, bool(start.atoms.pbc.all())),
    )


def _run(
    subject: Subject,
    start: Start,
    pair: Pair,
    temperature: float,
    farthest: float,
    reference: bool = False,
) -> tuple[Log, Radial | None]:
    one = plan(subject, "rdf", temperature, subject.config["MD"]["rdf_time"], reference)
    if reference:
        # Runs with the same random numbers go together for a while, and would look too much alike.
        one = replace(one, seed=one.seed + 1)
    log = run_nvt(subject, start, pair, one, FRAMES)
    if log.exploded:
        return log, None
    frames = read_dump(log.path.with_name(DUMP), Box.of(start.atoms, MARGIN), pair.elements)
    return log, radial_distribution(frames, subject.species, farthest)


# -- the reference ---------------------------------------------------------------------------------


def _trajectory(subject: Subject, start: Start) -> Iterator[Atoms]:
    """Frames of rdf_trajectory.

    Raises:
      ConfigError: it cannot be read, or does not fit.
    """
    wanted = bool(start.atoms.pbc.all())
    for number, atoms in enumerate(read_trajectory(subject.config, subject.species), 1):
        if bool(atoms.pbc.all()) != wanted:
            raise subject.config.error(
                "MD", "rdf_trajectory",
                f"periodic in all directions: {not wanted} found in frame {number}, {wanted} "
                f"expected as in {start.origin}",
            )  # fmt: skip
        yield atoms


def _recorded(subject: Subject, start: Start, farthest: float) -> Radial | None:
    if subject.config["MD"]["rdf_trajectory"] is None:
        return None
    return radial_distribution(_trajectory(subject, start), subject.species, farthest)


def _farthest(subject: Subject, start: Start) -> float:
    """Half the width of the narrower cell, but the cutoff at least: beyond it an atom meets its
    own images."""
    if not start.atoms.pbc.all():
        return FARTHEST
    cells = [start.atoms.cell.array]
    if subject.config["MD"]["rdf_trajectory"] is not None:
        cells.append(next(_trajectory(subject, start)).cell.array)
    half = min(float(widths(cell).min()) / 2 for cell in cells)
    return min(FARTHEST, max(subject.cutoff, half))


def _reference_words(subject: Subject, recorded: Radial | None, reference: Pair | None) -> str:
    config = subject.config
    words = []
    if recorded is not None:
        words.append(f"{config['MD']['rdf_trajectory']}, {recorded.frames} frames")
    if reference is not None:
        words.append(f"runs with {config['REFERENCE']['name']}")
    return "; ".join(words) or "none"


# -- verdicts --------------------------------------------------------------------------------------


def _compared(one: _Curves, pair: int) -> tuple[float, float] | None:
    """Difference and noise in percent; None where one of the curves is missing.

    The noise is inf where it is not known: of a single frame, or a pair that one half never has.
    """
    if one.mine is None or one.reference is None:
        return None
    apart = difference(one.mine.g[pair], one.reference.g[pair])
    if not np.isfinite(apart):
        return None
    noise = expected_noise(one.mine, one.reference, pair)
    return apart, noise if np.isfinite(noise) else np.inf


def _judgements(subject: Subject, one: _Curves) -> list[Judgement]:
    """The worst pair, and what cannot be told."""
    if one.mine is None:
        return []
    what = f"g(r) at {one.temperature:g} K"
    if one.reference is None:
        text = f"{what} has nothing to be compared with."
        advice = "Give rdf_trajectory in [MD] or a potential in [REFERENCE]."
        return [Judgement(Level.NOTE, text, advice)]
    bad = subject.config["THRESHOLDS"]["rdf_difference"][1]
    worst, found = None, []
    for number, pair in enumerate(one.mine.pairs):
        compared = _compared(one, number)
        if compared is None:
            continue
        apart, noise = compared
        name = "–".join(pair)
        # Noise that large is itself uncertain, but a difference of twice the noise is none.
        if noise > bad and not apart > 2 * noise:
            size = f"{noise:.3g} %" if np.isfinite(noise) else "not known"
            text = f"{what} of {name}: nothing can be told, the noise is {size}."
            found.append(Judgement(Level.NOTE, text, "Make rdf_time or rdf_trajectory longer."))
        elif worst is None or apart - noise > worst[0]:
            worst = (apart - noise, apart, noise, name)
    if worst is not None:
        _, apart, noise, name = worst
        text = f"{what} of {name}: difference {apart:.3g} % minus noise {noise:.3g} %"
        found.append(subject.judge("rdf_difference", max(0.0, apart - noise), text, ADVICE))
    return found


# -- what is shown ---------------------------------------------------------------------------------


def _table(found: list[_Curves]) -> Table:
    headers = ["temperature (K)", "pair", "first peak (Å)", "its height", "reference: peak (Å)",
               "reference: height", "difference (%)", "noise (%)"]  # fmt: skip
    rows = []
    for one in found:
        if one.mine is None:
            continue
        for number, pair in enumerate(one.mine.pairs):
            mine = one.mine.peak(number)
            reference = one.reference.peak(number) if one.reference else None
            if mine is None and reference is None:
                continue
            apart, noise = _compared(one, number) or (None, np.inf)
            rows.append(
                [one.temperature, "–".join(pair), *(mine or (None, None)),
                 *(reference or (None, None)), apart, known(noise)]
            )  # fmt: skip
    return Table("peaks", "First peaks, and differences", headers, rows)


def _plots(found: list[_Curves], label: str, periodic: bool) -> list[Plot]:
    from panna.report.svg import COLOURS, figure_of, svg

    plots = []
    for one in found:
        if one.mine is None:
            continue
        shown = [k for k in range(len(one.mine.pairs)) if one.mine.peak(k)]

        def draw(one=one, shown=shown):
            columns = min(3, len(shown))
            rows = -(-len(shown) // columns)
            figure = figure_of(7.2, 2.5 * rows + 0.2)
            panels = figure.subplots(rows, columns, squeeze=False).ravel()
            for axes, k in zip(panels, shown, strict=False):
                axes.plot(one.mine.r, one.mine.g[k], color=COLOURS[0], label="potential")
                if one.reference is not None:
                    axes.plot(one.reference.r, one.reference.g[k], color=COLOURS[1],
                              linestyle="--", label=label)  # fmt: skip
                axes.set(title="–".join(one.mine.pairs[k]), xlabel="distance (Å)",
                         ylabel="g(r)" if periodic else "density (1/Å)")  # fmt: skip
                axes.legend(fontsize=7)
            for axes in panels[len(shown) :]:
                axes.set_visible(False)
            return figure

        if shown:
            name = f"rdf-{one.temperature:g}".replace(".", "-")
            plots.append(Plot(svg(name, draw), f"Pairs at {one.temperature:g} K."))
    return plots


def _data(found: list[_Curves], periodic: bool) -> dict[str, Any]:
    unit = "g" if periodic else "density_per_angstrom"
    temperatures = []
    for one in found:
        entry: dict[str, Any] = {"temperature_K": one.temperature, "outside_percent": one.outside}
        for name, radial in (("potential", one.mine), ("reference", one.reference)):
            if radial is not None:
                entry[name] = {
                    "frames": radial.frames,
                    "r_angstrom": radial.r.tolist(),
                    unit: {
                        "-".join(pair): numbers(radial.g[k]) for k, pair in enumerate(radial.pairs)
                    },
                }
        temperatures.append(entry)
    return {"temperatures": temperatures}
