"""Speed in molecular dynamics."""

from __future__ import annotations

import os
import platform
import re
from statistics import median

from panna.errors import PotentialError
from panna.report.content import Fact, Table
from panna.report.level import Level
from panna.validation.dynamics.runs import (
    pairs,
    repeated,
    run_folder,
    run_judgements,
    starting_structure,
    system_lines,
    velocity_line,
)
from panna.validation.lammps.box import Box
from panna.validation.lammps.pair import Pair
from panna.validation.lammps.program import Log, run
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

ATOMS = 1000  # at least
STEPS = 100
RUNS = 3
WARM_UP = 10  # steps
TEMPERATURE = 300.0  # K
LOOP = re.compile(r"^Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", re.M)
ADVICE = (
    "A shorter cutoff, fewer components of the descriptor, smaller layers or the mixed precision "
    "of pair_style panna make it faster."
)


@section(
    "speed",
    "Speed",
    f"Molecular dynamics in LAMMPS with one process on this machine, {STEPS} steps: the median of "
    f"{RUNS} runs.",
)
def speed(subject: Subject) -> Content:
    """Microseconds per atom and step."""
    start = starting_structure(subject)
    atoms = repeated(_periodic(start.atoms, subject.cutoff), ATOMS, 0.0)
    mine, reference = pairs(subject)
    named = [("potential", mine)]
    if reference is not None:
        named.append((subject.config["REFERENCE"]["name"], reference))
    timestep = subject.config["MD"]["timestep"]
    rows, found, judgements = [], {}, []
    for label, pair in named:
        log = _run(subject, atoms, pair, "speed" if pair is mine else "speed_reference")
        if log.exploded and pair is mine:
            judgements += run_judgements(subject, f"At {TEMPERATURE:g} K", log, TEMPERATURE)
        times = [] if log.exploded else step_times(log)
        if len(times) < RUNS + 1:
            if not log.exploded:
                raise PotentialError(f"{log.path}: {RUNS + 1} loop times expected, "
                                     f"{len(times)} found")  # fmt: skip
            rows.append([label, None, None])
            continue
        seconds = median(times[1:])  # the first is the warming up
        found[label] = 1e6 * seconds / len(atoms)
        rows.append([label, found[label], 86400 / seconds * timestep / 1e6])
    facts = [
        Fact("machine", "processor", _processor()),
        Fact("cores", "cores, of which one is used", os.cpu_count()),
        Fact("structure", "atoms of", start.origin),
        Fact("atoms", "atoms", len(atoms)),
        Fact("timestep", "timestep", timestep, "fs"),
    ]
    headers = ["of", "µs per atom and step", "ns per day"]
    table = Table("speed", f"{len(atoms)} atoms", headers, rows)
    return Content(facts, [table], judgements=[*judgements, *_words(subject, rows, found)])


def step_times(log: Log) -> list[float]:
    """Seconds of a step, for each run of a log."""
    return [float(seconds) / int(steps) for seconds, steps, _ in LOOP.findall(log.text)]


def _periodic(atoms, cutoff: float):
    """Copies of a molecule or slab next to each other, farther than the cutoff."""
    box = Box.of(atoms, cutoff)
    filled = atoms.copy()
    filled.set_cell(box.cell)
    filled.set_positions(box.positions)
    filled.pbc = True
    return filled


def _run(subject: Subject, atoms, pair: Pair, name: str) -> Log:
    folder = run_folder(subject, name)
    values = subject.config["MD"]
    lines = [
        *system_lines(folder, atoms, pair, values["timestep"]),
        "thermo 0",
        velocity_line(atoms, TEMPERATURE, values["seed"] % 900_000_000 + 1),
        "fix move all nve",
        f"run {WARM_UP} post no",
        *[f"run {STEPS} post no"] * RUNS,
    ]
    return run(folder, lines)


def _words(subject: Subject, rows: list[list], found: dict[str, float]) -> list[Judgement]:
    labels = [row[0] for row in rows]
    if labels[0] not in found:
        return []
    time = found[labels[0]]
    words = [subject.judge("step_time", time, "Time for an atom and step", ADVICE)]
    text = f"{rows[0][2]:.3g} ns per day"
    if len(labels) > 1 and labels[1] in found:
        ratio = time / found[labels[1]]
        than = (
            f"{ratio:.3g} times as long as" if ratio >= 1 else f"{1 / ratio:.3g} times faster than"
        )
        text += f"; {than} {labels[1]}"
    return [*words, Judgement(Level.NOTE, f"{text}.")]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
