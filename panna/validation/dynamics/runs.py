"""Molecular dynamics in LAMMPS: the atoms a run starts from, its script, and what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import kB

from panna.errors import FileError
from panna.frames.neighbours import widths
from panna.report.level import Level
from panna.validation.dynamics.given import read_structure
from panna.validation.lammps.box import Box, data_file
from panna.validation.lammps.pair import Pair, panna_pair, reference_pair
from panna.validation.lammps.program import Log, run
from panna.validation.section import Judgement, NotPossible
from panna.validation.subject import Subject

MARGIN = 30.0  # angstrom round a molecule or slab: room to move, and nothing evaporates at once
DATA, DUMP, ENERGIES = "structure.data", "trajectory.dump", "energies.dat"
DAMPING = 0.1  # ps, of the Langevin thermostat
PREPARATION = 0.2  # of the time of a run: equilibration, and cooling of a melt
MELTING = 0.4  # of the time of a run
REST = "minimize 0 1e-2 200 2000"  # eV, eV/angstrom, steps, evaluations; near rest is enough
HOTTEST = 3.0  # times the temperature wanted: atoms fly apart
BOND = 1.0  # eV that become heat when a molecule changes, and no atom flies apart
OUTSIDE = re.compile(r"pair_style panna: (\d+) of (\d+) atomic energies of this run")


@dataclass(frozen=True)
class Start:
    """The atoms that a run starts from.

    origin: in words.
    """

    atoms: Atoms
    origin: str


@dataclass(frozen=True)
class Plan:
    """A run: equilibration at a temperature, from a melt if melt_at is given, then the run.

    name: of its folder.
    label: in words.
    temperature, melt_at: K.
    time: ps. timestep: fs.
    """

    name: str
    label: str
    temperature: float
    time: float
    timestep: float
    seed: int
    melt_at: float | None = None

    @property
    def steps(self) -> int:
        """Of the run itself."""
        return self.steps_of(1.0)

    @property
    def stages(self) -> list[tuple[float, float, int]]:
        """Of the preparation with a thermostat: first and last temperature, and steps."""
        stages = [(self.temperature, self.temperature, self.steps_of(PREPARATION))]
        if self.melt_at:
            stages = [
                (self.melt_at, self.melt_at, self.steps_of(MELTING)),
                (self.melt_at, self.temperature, self.steps_of(PREPARATION)),
                *stages,
            ]
        return stages

    @property
    def all_steps(self) -> int:
        """With those of the preparation."""
        return self.steps + sum(steps for _, _, steps in self.stages)

    def steps_of(self, part: float) -> int:
        """How many steps a part of the time has."""
        return max(10, round(1e3 * part * self.time / self.timestep))


def starting_structure(subject: Subject) -> Start:
    """The structure file of the section MD, the crystal, or the first frame of the test set.

    Crystal and frame are repeated to the number of atoms of the section MD, a structure file only
    if that number is written in the ini file.

    Raises:
      ConfigError: the file cannot be read, or has species that the potential does not have.
      NotPossible: a single atom.
    """
    config = subject.config
    path = config["MD"]["structure"]
    least = config["MD"]["atoms"]
    if path is not None:
        atoms, origin = read_structure(config, subject.species), str(path)
        least = least if config.given("MD", "atoms") else 1
    elif config["CRYSTAL"]["structure"] is not None:
        atoms, origin = subject.crystal, "the crystal"
    else:
        frame = subject.test.first
        atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
        origin = f"test frame {frame.name}"
    atoms = repeated(atoms, least, 0.0 if path is not None else 2 * subject.cutoff)
    if len(atoms) < 2:
        raise NotPossible(
            "a single atom does not move; name a file with more in the key structure of [MD]"
        )
    return Start(atoms, origin)


def repeated(atoms: Atoms, least: int, width: float) -> Atoms:
    """Periodic directions repeated, the narrowest first, until there are enough atoms and each is
    `width` angstrom wide."""
    if not atoms.pbc.any():
        return atoms
    wide = np.where(atoms.pbc, widths(Box.of(atoms, MARGIN).cell), np.inf)
    times = np.ones(3, int)
    while len(atoms) * times.prod() < least or (times * wide).min() < width:
        times[np.argmin(times * wide)] += 1
    return atoms.repeat(tuple(times.tolist()))


def pairs(subject: Subject) -> tuple[Pair, Pair | None]:
    """The potential, and what the section REFERENCE names.

    Raises:
      ConfigError: LAMMPS refuses the reference.
      NotPossible: LAMMPS is not installed.
    """
    config = subject.config
    mine = panna_pair(subject.folders, subject.potential_file, subject.species)
    if subject.reference_calculator() is None:
        return mine, None
    return mine, reference_pair(config, subject.species)


def plan(
    subject: Subject, name: str, temperature: float, time: float, reference: bool = False
) -> Plan:
    """A run of the section MD.

    Args:
      name: of the kind of run.
      time: ps.
    """
    values = subject.config["MD"]
    above = values["melt_above"]
    melt = above is not None and temperature > above
    other = f" with {subject.config['REFERENCE']['name']}" if reference else ""
    return Plan(
        f"{name}_{temperature:g}K" + ("_reference" if reference else ""),
        f"{name.upper()} at {temperature:g} K{other}",
        temperature,
        time,
        values["timestep"],
        values["seed"] % 900_000_000 + 1,
        values["melt_at"] if melt else None,
    )


def run_folder(subject: Subject, name: str) -> Path:
    """An empty place for the files of a run.

    Raises:
      FileError: it cannot be made.
    """
    folder = subject.work_dir / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made, {error.strerror}") from error
    for file in (DATA, DUMP, ENERGIES):
        # Of an earlier validation: a run that fails must not seem to have written them.
        (folder / file).unlink(missing_ok=True)
    return folder


def system_lines(folder: Path, atoms: Atoms, pair: Pair, timestep: float) -> list[str]:
    """Writes the data file; the script as far as the potential.

    Args:
      timestep: fs.
    """
    box = Box.of(atoms, MARGIN)
    (folder / DATA).write_text(data_file(box, atoms.get_chemical_symbols(), pair.elements))
    return [
        "units metal",
        "atom_style atomic",
        f"boundary {box.boundary}",
        "box tilt large",
        f"read_data {DATA}",
        *pair.lines,
        "neighbor 1.0 bin",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {timestep / 1e3:.10g}",
        "thermo_style custom step temp pe etotal press",
        "thermo_modify flush yes",
    ]


def velocity_line(atoms: Atoms, temperature: float, seed: int) -> str:
    """Creates velocities; a whole molecule does not rotate."""
    rotation = "no" if atoms.pbc.any() else "yes"
    return f"velocity all create {temperature:.10g} {seed} mom yes rot {rotation} dist gaussian"


def preparation(start: Start, one: Plan) -> list[str]:
    """Atoms at rest, velocities, melting and cooling if wanted, and equilibration; leaves
    `fix move` (nve) and `fix heat` (langevin)."""
    warmest = max(one.temperature, one.melt_at or 0.0)
    first = one.melt_at or one.temperature
    lines = [
        f"thermo {max(1, one.steps // 20)}",
        # Displaced atoms, as of a hot frame, would become heat faster than the thermostat takes it
        # away, and look like atoms that fly apart.
        REST,
        "reset_timestep 0",
        # From rest, half of the energy given becomes potential energy of the vibrations.
        velocity_line(start.atoms, 2 * first, one.seed),
        "fix move all nve",
        *halt(start.atoms, warmest),
    ]
    for begin, end, steps in one.stages:
        lines += [
            f"fix heat all langevin {begin:.10g} {end:.10g} {DAMPING} {one.seed} zero yes",
            f"run {steps} post no",
        ]
    return [*lines, *halt(start.atoms, one.temperature)]


def halt(atoms: Atoms, temperature: float) -> list[str]:
    """Ends the run when it is much too hot, or not a number."""
    # Few atoms have large fluctuations: five standard deviations more, and the heat of a bond.
    fluctuation = 5 * np.sqrt(2 / (3 * len(atoms)))
    limit = temperature * (HOTTEST + fluctuation) + BOND / (1.5 * kB * len(atoms))
    return [
        f'variable hot equal "!(temp < {limit:.10g})"',
        "fix stop all halt 10 v_hot > 0.5 error soft",
    ]


def run_nve(subject: Subject, start: Start, pair: Pair, one: Plan) -> Log:
    """Equilibration, then constant energy; ENERGIES beside the log has columns ps, K, eV."""
    folder = run_folder(subject, one.name)
    every = max(1, one.steps // 1000)
    lines = [
        *system_lines(folder, start.atoms, pair, one.timestep),
        *preparation(start, one),
        "unfix heat",
        "reset_timestep 0",
        f'fix record all print {every} "$(step*dt:%.6f) $(temp:%.4f) $(etotal:%.12f)" '
        f"file {ENERGIES} screen no",
        f"run {one.steps} post no",
    ]
    return _run(subject, one, folder, lines)


def run_nvt(subject: Subject, start: Start, pair: Pair, one: Plan, frames: int) -> Log:
    """Equilibration, then constant temperature; DUMP beside the log has positions.

    Args:
      frames: to be written.
    """
    folder = run_folder(subject, one.name)
    lines = [
        *system_lines(folder, start.atoms, pair, one.timestep),
        *preparation(start, one),
        f"dump positions all custom {max(1, one.steps // frames)} {DUMP} type x y z",
        "dump_modify positions format float %.5f",
        f"run {one.steps} post no",
    ]
    return _run(subject, one, folder, lines)


def _run(subject: Subject, one: Plan, folder: Path, lines: Sequence[str]) -> Log:
    with subject.watch(one.all_steps, one.label) as advance:
        return run(folder, lines, subject.config["MD"]["processes"], advance)


def outside_percent(log: Log) -> float | None:
    """Percent of the atomic energies of the last run that come from environments outside the
    training set; None if the potential does not know its training set."""
    if "training set watched" not in log.text:
        return None
    found = OUTSIDE.search(log.text.rpartition("\nrun ")[2])
    return 100 * int(found[1]) / int(found[2]) if found else 0.0


def run_judgements(subject: Subject, what: str, log: Log, temperature: float) -> list[Judgement]:
    """What can be said about every run: atoms that flew apart, or environments not trained on.

    Args:
      what: the run, at the beginning of a sentence: "NVE at 300 K".
    """
    if log.exploded:
        text = f"{what}: the atoms flew apart or fell into each other ({log.exploded})."
        advice = (
            f"Add frames at {temperature:g} K and above, and frames with atoms at short distances, "
            "to the training set; try a shorter timestep, too."
        )
        return [Judgement(Level.BAD, text, advice)]
    share = outside_percent(log)
    if share is None:
        return []
    text = f"{what}, atomic energies from environments outside the training set"
    advice = f"Add frames at {temperature:g} K and above to the training set."
    return [subject.judge("md_extrapolation", share, text, advice)]


def reference_judgement(what: str, log: Log) -> list[Judgement]:
    """Of a reference whose atoms flew apart, else nothing."""
    if not log.exploded:
        return []
    text = f"{what}: the atoms flew apart with the reference, too ({log.exploded})."
    return [Judgement(Level.DOUBTFUL, text, "Check the structure, or shorten the timestep.")]
