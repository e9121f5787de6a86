"""panna_lammps_parser: dumps of LAMMPS to .example files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.files import sha256_of
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.formats.lammps_dump import (
    POSITIONS,
    UNITS,
    Snapshot,
    WrongUnits,
    box,
    check_units,
    column_integers,
    column_values,
    order_by_id,
    positions,
    read_snapshot,
    skip_to_snapshot,
)
from panna.formats.lammps_log import ThermoLog, read_log
from panna.frames.text_lines import Lines, Unreadable, split_name
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame

DESCRIPTION = """\
Turn text dumps of LAMMPS (dump custom, also with .gz or .xz) into one .example file for each
snapshot, with energies from the log of the run (--log) or from a per-atom column (--atom-energy).

Columns: id; element, or type with --elements; x y z, xu yu zu, xs ys zs or xsu ysu zsu; fx fy fz
for forces. Boxes: orthogonal, triclinic, general triclinic. Periodic are the directions with
boundary pp. Atoms are put in the order of their id.
A snapshot that cannot be used is reported with its file, its number and the reason, and left out;
the exit code is then 2. Files are named <prefix><file>_<number of the snapshot>.example."""

EPILOG = """\
The log needs a table with Step and PotEng (thermo_style custom step pe, one line or YAML) at the
steps of the dump, with all digits: thermo_modify format float %.17g. A bare name is looked for in
the folder of each dump first. Dumps have six digits unless dump_modify format float %.17g tells
otherwise.
Forces of a dump contain what fixes such as langevin, addforce and setforce add: dump from a run of
fix nve or of the thermostats nvt and npt, or by rerun.
There is no virial: pressures in the log contain the kinetic part, which does not belong to it.
In folders, files named *.dump, *.lammpstrj, *.lammpsdump or dump.* are taken.
example:
  panna_lammps_parser -i md.dump -o examples --log log.lammps --units metal --elements Si O"""

FORCES = ("fx", "fy", "fz")
DEFAULT_DIGITS = 6  # of LAMMPS' %g
FEW_DIGITS = (
    "positions and forces have six digits or fewer, the default of LAMMPS; write dumps with "
    "dump_modify format float %.17g"
)
ALL_CARBON = (
    "every atom of the column element is C: that is also what LAMMPS writes without dump_modify "
    "element; --elements tells the elements of the types"
)


class LammpsDump(Reader):
    """One dump file."""

    program = "lammps_parser"
    title = "Dumps of LAMMPS to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "text dump of LAMMPS"
    endings = (".dump", ".lammpstrj", ".lammpsdump")  # the 100 of dump.100 stays

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """What a dump does not tell."""
        energies = parser.add_mutually_exclusive_group()
        energies.add_argument(
            "--log", type=Path, metavar="FILE", help="log of the run: PotEng of the same step"
        )
        energies.add_argument(
            "--atom-energy", metavar="COLUMN",
            help="column with energies of atoms, such as c_pe; their sum is the energy",
        )  # fmt: skip
        parser.add_argument(
            "--elements", nargs="+", metavar="EL", help="elements of the types 1, 2, ..."
        )
        parser.add_argument(
            "--units", metavar="STYLE",
            help=f"of the run: {', '.join(UNITS)}; needed unless the dump has ITEM: UNITS",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        if args.units is not None:
            check_units(args.units, "--units")
        if args.log is None and args.atom_energy is None and not args.no_energy:
            raise FrameError(
                "a dump tells no energy of the whole system: give the log of the run with --log, "
                "or a column of per-atom energies with --atom-energy"
            )
        self.logs: dict[Path, tuple[ThermoLog, dict[str, str]]] = {}
        self.origin: dict[tuple[Path, int], Path] = {}

    def wants(self, path: Path) -> bool:
        """By the name."""
        name, ending = split_name(path.name.lower(), (*self.endings, ".bin"))
        return ending in self.endings or (name.startswith("dump.") and not ending)

    def plan(self) -> list[tuple[str, str]]:
        """Units, elements, and where energies come from."""
        args = self.args
        source = f"PotEng in {args.log}" if args.log else f"sum of the column {args.atom_energy}"
        elements = " ".join(args.elements) if args.elements else "column element"
        return [
            ("units of LAMMPS", args.units or "ITEM: UNITS of the dump"),
            ("energies", source if args.log or args.atom_energy else "none"),
            ("elements", elements),
        ]

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """One snapshot at a time, in constant memory."""
        units = self.args.units
        number = 0
        log, facts = self._log(path)
        if log is not None and log.adding:
            styles = ", ".join(sorted(log.adding))
            yield Remark(f"the forces of the dump contain those of fix {styles}")
        with Lines.open(path) as lines:
            for line in lines:
                if not line.strip():
                    continue
                lines.put_back(line)
                number += 1
                where = f"snapshot {number} (line {lines.number + 1})"
                snapshot = Snapshot(lines.number + 1)
                try:
                    told = read_snapshot(lines, snapshot)
                    units = _agreed(told, self.args.units) if told else units
                    _check_log(log, units)
                    frame = self._frame(snapshot, units, path, log)
                except (Unreadable, WrongUnits):
                    raise
                except FrameError as error:
                    yield Unusable(where, str(error), lines.consumed())
                    skip_to_snapshot(lines)
                    continue
                yield from self._remarks(snapshot, number)
                known = {"timestep": snapshot.step, **facts}
                yield Configuration(frame, number, known, lines.consumed(), snapshot.line)

    def _log(self, path: Path) -> tuple[ThermoLog | None, dict[str, str]]:
        """The log that belongs to a dump, and what the examples tell about it."""
        given = self.args.log
        if given is None:
            return None, {}
        beside = path.parent / given.name
        place = beside if given == Path(given.name) and beside.exists() else given
        if not place.is_file():
            raise FrameError(f"--log {given}: no such file, neither here nor beside the dump")
        place = place.resolve()
        if place not in self.logs:
            facts = {"log": place.name, "log_sha256": sha256_of(place)}
            self.logs[place] = (read_log(place), facts)
        return self.logs[place]

    def _frame(
        self, snapshot: Snapshot, units: str | None, path: Path, log: ThermoLog | None
    ) -> Frame:
        import numpy as np

        from panna.frames.frame import Frame
        from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, factor

        if units is None:
            raise FrameError(
                "nothing in it tells the units of the run: give --units metal (angstrom and eV), "
                "real (angstrom and kcal/mol) or electron (bohr and hartree)"
            )
        length = factor(FOREIGN_LENGTH, UNITS[units][0], "length unit")
        energy_unit = factor(FOREIGN_ENERGY, UNITS[units][1], "energy unit")
        cell, origin, pbc = box(snapshot)
        order = order_by_id(snapshot)
        forces, energies = self._columns(snapshot, FORCES), None
        if self.args.atom_energy is not None:
            energies = column_values(snapshot, [self.args.atom_energy])[order, 0] * energy_unit
        energy = None if energies is None else float(energies.sum())
        if log is not None:
            energy = self._energy(log, snapshot, path) * energy_unit
        species = np.array(self._species(snapshot))[order]
        return Frame(
            species=tuple(species.tolist()),
            positions=positions(snapshot, cell, origin)[order] * length,
            cell=cell * length,
            pbc=pbc,
            energy=energy,
            forces=None if forces is None else forces[order] * (energy_unit / length),
            per_atom_energy=energies,
        )

    def _columns(self, snapshot: Snapshot, names: Sequence[str]) -> np.ndarray | None:
        """None where all of the columns are missing."""
        missing = [name for name in names if name not in snapshot.columns]
        return None if len(missing) == len(names) else column_values(snapshot, names)

    def _energy(self, log: ThermoLog, snapshot: Snapshot, path: Path) -> float:
        energy = log.energy(snapshot.step, snapshot.atoms)
        other = self.origin.setdefault((log.path, snapshot.step), path)
        if other != path:
            raise FrameError(
                f"step {snapshot.step} is in {other}, too: the log can belong to one of them only"
            )
        return energy

    def _species(self, snapshot: Snapshot) -> list[str]:
        from panna.frames.elements import element_of

        if self.args.elements:
            given = self.args.elements
            types = column_integers(snapshot, "type", "--elements needs them")
            wrong = next((t for t in types if not 1 <= t <= len(given)), None)
            if wrong is not None:
                raise FrameError(f"type {wrong} found; --elements has those of 1 to {len(given)}")
            return [given[t - 1] for t in types]
        if "element" not in snapshot.columns:
            raise FrameError("no column element; give the elements of the types with --elements")
        place = snapshot.columns.index("element")
        labels = [row[place] for row in snapshot.rows]
        symbols = {label: element_of(label) for label in set(labels)}
        unknown = next((label for label, symbol in symbols.items() if symbol is None), None)
        if unknown is not None:
            raise FrameError(f"{unknown!r} in the column element names no chemical element")
        return [symbols[label] for label in labels]

    def _remarks(self, snapshot: Snapshot, number: int) -> Iterator[Remark]:
        if number > 1:
            return
        names = {*FORCES, *(name for names in POSITIONS for name in names)}
        places = [k for k, name in enumerate(snapshot.columns) if name in names]
        if max(_digits(row[k]) for row in snapshot.rows for k in places) <= DEFAULT_DIGITS:
            yield Remark(FEW_DIGITS)
        if not self.args.elements:
            place = snapshot.columns.index("element")
            if {row[place] for row in snapshot.rows} == {"C"}:
                yield Remark(ALL_CARBON)


def _digits(word: str) -> int:
    """Significant digits of a number as it is written."""
    mantissa = word.lower().partition("e")[0]
    return len(re.sub(r"[^0-9]", "", mantissa).lstrip("0"))


def _agreed(told: str, given: str | None) -> str:
    if given is not None and given != told:
        raise WrongUnits(f"ITEM: UNITS of the dump is {told}, --units {given}: which is right?")
    return told


def _check_log(log: ThermoLog | None, units: str | None) -> None:
    if log is not None and None not in (log.units, units) and log.units != units:
        raise WrongUnits(f"the units of {log.path} are {log.units}, those of the dump {units}")


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_lammps_parser; returns the exit code."""
    return run_parser(LammpsDump, argv)


if __name__ == "__main__":
    sys.exit(main())
