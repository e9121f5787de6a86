"""Conservation of energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from panna.report.content import Fact, Plot, Table
from panna.report.level import Level
from panna.validation.dynamics.conservation import Conservation, conservation, read_energies
from panna.validation.dynamics.runs import (
    ENERGIES,
    Start,
    outside_percent,
    pairs,
    plan,
    reference_judgement,
    run_judgements,
    run_nve,
    starting_structure,
)
from panna.validation.lammps.pair import Pair
from panna.validation.lammps.program import Log
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.subject import Subject

ADVICE = (
    "Try half the timestep; if the drift remains, add frames at this temperature to the training "
    "set."
)


@dataclass(frozen=True)
class _Run:
    """At a temperature, with the potential or with the reference."""

    label: str
    temperature: float
    log: Log
    found: Conservation | None
    outside: float | None


@section(
    "nve",
    "Conservation of energy",
    "Molecular dynamics without a thermostat, after equilibration with one. Forces that are the "
    "exact derivative of a smooth energy conserve it: the total energy fluctuates with the "
    "timestep, and does not drift. The drift is the slope of a line through the total energies, "
    "the fluctuation the standard deviation from that line.",
)
def nve(subject: Subject) -> Content:
    """Drift and fluctuation of the total energy at each temperature."""
    values = subject.config["MD"]
    temperatures = values["nve_temperatures"]
    if not temperatures:
        raise NotPossible("no temperature is given; name some in the key nve_temperatures of [MD]")
    start = starting_structure(subject)
    mine, reference = pairs(subject)
    runs, judgements = [], []
    for temperature in temperatures:
        what = f"NVE at {temperature:g} K"
        one = _run(subject, start, mine, temperature)
        runs.append(one)
        judgements += _drift(subject, what, one)
        judgements += run_judgements(subject, what, one.log, temperature)
        if reference is not None:
            other = _run(subject, start, reference, temperature, True)
            runs.append(other)
            judgements += reference_judgement(what, other.log)
    facts = [
        Fact("structure", "starting from", start.origin),
        Fact("atoms", "atoms", len(start.atoms)),
        Fact("timestep", "timestep", values["timestep"], "fs"),
        Fact("time", "time at constant energy", values["nve_time"], "ps"),
    ]
    return Content(facts, [_table(runs)], _plots(runs), judgements, _data(runs))


def _run(
    subject: Subject, start: Start, pair: Pair, temperature: float, reference: bool = False
) -> _Run:
    one = plan(subject, "nve", temperature, subject.config["MD"]["nve_time"], reference)
    log = run_nve(subject, start, pair, one)
    found = conservation(read_energies(log.path.with_name(ENERGIES)), len(start.atoms))
    label = subject.config["REFERENCE"]["name"] if reference else "potential"
    # Beyond an explosion the line through the energies means nothing.
    found = None if log.exploded else found
    return _Run(label, temperature, log, found, outside_percent(log))


def _drift(subject: Subject, what: str, one: _Run) -> list[Judgement]:
    if one.found is not None:
        text = f"{what}, drift of the total energy"
        return [subject.judge("nve_drift", abs(one.found.drift), text, ADVICE)]
    if one.log.exploded:
        return []
    text = f"{what}: too few steps for a drift, or energies that are not numbers."
    return [Judgement(Level.DOUBTFUL, text, "Make nve_time longer.")]


def _table(runs: list[_Run]) -> Table:
    headers = ["temperature (K)", "of", "drift (meV/atom/ps)", "fluctuation (meV/atom)",
               "mean temperature (K)", "outside the training set (%)", "ended"]  # fmt: skip
    rows = []
    for one in runs:
        found = one.found
        numbers = [found.drift, found.fluctuation, found.mean_temperature] if found else [None] * 3
        ended = one.log.exploded or "as planned"
        rows.append([one.temperature, one.label, *numbers, one.outside, ended])
    return Table("runs", "Runs", headers, rows)


def _plots(runs: list[_Run]) -> list[Plot]:
    from panna.report.svg import COLOURS, figure_of, svg

    shown = [one for one in runs if one.found]
    temperatures = sorted({one.temperature for one in shown})
    if not shown:
        return []

    def draw():
        figure = figure_of(7.2, 2.4 * len(temperatures) + 0.4)
        panels = figure.subplots(len(temperatures), 2, squeeze=False, sharex=True)
        for (left, right), temperature in zip(panels, temperatures, strict=True):
            here = [one for one in shown if one.temperature == temperature]
            for one, colour, line in zip(here, COLOURS, ("-", "--"), strict=False):
                found = one.found
                style = {"color": colour, "linestyle": line, "linewidth": 0.8}
                left.plot(found.time, found.energy, label=one.label, **style)
                right.plot(found.time, found.temperature, label=one.label, **style)
            left.set(ylabel="energy − first (meV/atom)", title=f"{temperature:g} K")
            right.set(ylabel="temperature (K)", title=f"{temperature:g} K")
            left.legend(fontsize=7)
        for axes in panels[-1]:
            axes.set_xlabel("time (ps)")
        return figure

    return [Plot(svg("nve", draw), "Total energy minus the first, and temperature.")]


def _data(runs: list[_Run]) -> dict[str, Any]:
    return {
        "runs": [
            {
                "temperature_K": one.temperature,
                "of": one.label,
                "folder": str(one.log.path.parent),
                "time_ps": one.found.time.tolist() if one.found else [],
                "energy_meV_per_atom": one.found.energy.tolist() if one.found else [],
                "instantaneous_temperature_K": one.found.temperature.tolist() if one.found else [],
            }
            for one in runs
        ]
    }
