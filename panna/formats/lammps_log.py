"""Potential energies from log files of LAMMPS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from panna.errors import FrameError
from panna.frames.text_lines import Lines
from panna.text import listed

TABLE_FOLLOWS = ("Per MPI rank memory allocation", "Memory usage per processor")
NORMALISED = re.compile(r"thermo_modify\s.*\bnorm\s+(yes|on|true)\b")
# Fixes that add to the forces which a dump shows, or overwrite them.
ADDING = re.compile(
    r"fix\s+\S+\s+\S+\s+((?:langevin|addforce|aveforce|setforce|freeze|efield|drag|indent|lineforce|"
    r"planeforce|spring|wall/|gld|dpd|brownian|smd|restrain|plumed|colvars|viscous|shake|rattle|gravity|"
    r"external|addtorque|ttm|electron/|ti/|python|propel|orient|qeq|oneway|heat|flow)\S*)"
)
UNITS = re.compile(r"units\s+(\S+)")
ENERGY_OF_A_FIX = re.compile(r"fix_modify\s+(\S+)\s+.*\benergy\s+(yes|on|true)\b")
SAME = 1e-9  # relative; repeated steps differ in the last digits, by the order of sums


@dataclass
class ThermoLog:
    """Thermodynamic output of all runs in a log.

    energies: PotEng of each step, in the units of the run.
    ambiguous: steps that occur with several energies.
    columns: titles of the last table.
    atoms: numbers of atoms of the runs, where they have ended.
    adding: styles of fixes that act on forces.
    units: style of units, None if the log does not tell.
    """

    path: Path
    energies: dict[int, float] = field(default_factory=dict)
    ambiguous: set[int] = field(default_factory=set)
    columns: list[str] = field(default_factory=list)
    atoms: set[int] = field(default_factory=set)
    adding: set[str] = field(default_factory=set)
    units: str | None = None

    def energy(self, step: int, atoms: int) -> float:
        """The energy of a step.

        Raises:
          FrameError: the log does not tell it, or not that of so many atoms.
        """
        if not self.energies:
            shown = f"; its columns are {listed(self.columns, 20)}" if self.columns else ""
            raise FrameError(f"{self.path}: no table with Step and PotEng in it{shown}")
        if step in self.ambiguous:
            raise FrameError(
                f"{self.path}: step {step} occurs with several energies; cut the log, or let "
                "every run count its steps on"
            )
        if step not in self.energies:
            raise FrameError(
                f"{self.path}: step {step} is not among its {len(self.energies)} steps "
                f"({min(self.energies)} to {max(self.energies)}); let dump and thermo write at "
                "the same steps"
            )
        if self.atoms and atoms not in self.atoms:
            runs = " or ".join(map(str, sorted(self.atoms)))
            raise FrameError(
                f"{atoms} atoms found; the energies in {self.path} are those of {runs} atoms"
            )
        return self.energies[step]

    def add(self, row: dict[str, str]) -> None:
        """Take one more row into account."""
        try:
            step, energy = int(row["Step"]), float(row["PotEng"])
        except ValueError:
            return
        before = self.energies.setdefault(step, energy)
        if abs(energy - before) > SAME * abs(before):
            self.ambiguous.add(step)


def read_log(path: Path) -> ThermoLog:
    """Read the tables of a log, in lines (thermo_modify line one) or as YAML (line yaml).

    Raises:
      FrameError: it cannot be read, or holds energies per atom or multi-line output.
    """
    log = ThermoLog(path)
    try:
        with Lines.open(path) as lines:
            for line in map(str.strip, lines):
                if line.startswith(TABLE_FOLLOWS):
                    for row in _table(lines, log):
                        log.add(row)
                elif NORMALISED.match(line):
                    raise FrameError(
                        f"{lines.where}: {line[:60]!r}: energies are per atom, those of "
                        "the whole system expected"
                    )
                elif found := ENERGY_OF_A_FIX.match(line):
                    raise FrameError(
                        f"{lines.where}: {line[:60]!r}: PotEng holds the energy of fix {found[1]}"
                    )
                elif found := UNITS.match(line):
                    log.units = found[1]
                elif found := ADDING.match(line):
                    log.adding.add(found[1])
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from error
    return log


def _table(lines: Lines, log: ThermoLog) -> Iterator[dict[str, str]]:
    """The rows with an energy, from the titles to the end of the run."""
    header: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("Loop time"):
            found = re.search(r"with (\d+) atoms", line)
            log.atoms |= {int(found[1])} if found else set()
            return
        if line.startswith(TABLE_FOLLOWS):
            lines.put_back(line)
            return
        if re.match(r"-+ Step +-?\d+", line):
            raise FrameError(
                f"{lines.where}: multi-line thermo output is not read; use thermo_style "
                "custom step pe, or convert it"
            )
        if line.startswith("keywords:"):
            log.columns = header = re.findall(r"'([^']*)'", line)
            continue
        words = line.strip("-[] ,").split(",") if line.startswith("- [") else line.split()
        if not header and "Step" in words:
            log.columns = header = words
        elif len(words) == len(header) and {"Step", "PotEng"} <= set(header):
            yield dict(zip(header, words, strict=True))
