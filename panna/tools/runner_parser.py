"""panna_runner_parser: input.data files of RuNNer and n2p2 to .example files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.frames.text_lines import Lines, Unreadable, numbers, without_compression
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    from panna.frames.frame import Frame

DESCRIPTION = """\
Turn the data files of RuNNer and n2p2 (input.data, also with .gz or .xz) into one .example file
for each structure between begin and end.

Nothing in such a file tells its units, so they must be given: RuNNer has bohr and hartree always,
n2p2 whatever its user chose (often angstrom and eV; look for a comment in input.nn).
A structure that cannot be used is reported with its file, its number and the reason, and left out;
the exit code is then 2. Files are named <prefix><file>_<number of the structure>.example."""

EPILOG = """\
In folders, files whose names end with input.data are taken; others can be named one by one.
Read are: lattice (three rows, or none for a molecule), position, element and force of each atom,
energy. Not read are the charge and the last per-atom column before the forces; comment and total
charge are kept in the .example file as information.
units: length angstrom, bohr, nm; energy eV, meV, Ry, Ha, kcal/mol, kJ/mol; force energy/length.
example: panna_runner_parser -i input.data -o examples --length-unit bohr --energy-unit Ha"""

NO_UNITS = (
    "nothing in a data file of RuNNer or n2p2 tells its units: give --length-unit and "
    "--energy-unit. RuNNer has bohr and Ha; n2p2 has those of whoever made the file, such as "
    "angstrom and eV (look for a comment in input.nn beside it)"
)
ZEROS = (
    "forces that are 0 on all atoms, and an energy of 0 with them, are left out: mostly they stand "
    "for what was not computed; --keep-zeros takes them (perfect crystals have true zeros)"
)
COLUMNS = ("x", "y", "z", "element", "charge", "unused", "fx", "fy", "fz")


class RunnerData(Reader):
    """Structures one after another, each from begin to end."""

    program = "runner_parser"
    title = "Data of RuNNer and n2p2 to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "input.data file of RuNNer or n2p2"
    endings = (".data",)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Units, and what to do with placeholders."""
        parser.add_argument("--length-unit", metavar="UNIT", help="of the files; no default")
        parser.add_argument("--energy-unit", metavar="UNIT", help="of the files; no default")
        parser.add_argument(
            "--keep-zeros", action="store_true",
            help="take forces that are 0 on all atoms (and with them an energy of 0), which "
            "mostly means that they were not computed",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, factor

        super().__init__(args)
        if args.length_unit is None or args.energy_unit is None:
            raise FrameError(NO_UNITS)
        self.length = factor(FOREIGN_LENGTH, args.length_unit, "--length-unit")
        self.energy = factor(FOREIGN_ENERGY, args.energy_unit, "--energy-unit")

    def wants(self, path: Path) -> bool:
        """By the name: LAMMPS and n2p2 itself have other files that end with .data."""
        return without_compression(path.name.lower()).endswith("input.data")

    def plan(self) -> list[tuple[str, str]]:
        """Units."""
        length, energy = self.args.length_unit, self.args.energy_unit
        return [("units of the files", f"{length}, {energy}, {energy}/{length}")]

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """One structure at a time, in constant memory."""
        with Lines.open(path) as lines:
            number = 0
            for line in map(str.strip, lines):
                if not line or line.startswith("#"):
                    continue
                number += 1
                start = lines.number
                try:
                    words, atoms = _structure(line, lines)
                    frame = self._frame(words, atoms)
                except Unreadable:
                    raise
                except _Damaged as error:
                    yield Unusable(f"structure {number} (line {start})", str(error))
                    _skip_to_begin(lines)
                    continue
                except FrameError as error:
                    where = f"structure {number} (line {start})"
                    yield Unusable(where, str(error), lines.consumed())
                    continue
                if self._placeholder(frame):
                    yield Remark(ZEROS)
                    frame = replace(frame, forces=None, energy=frame.energy or None)
                facts = _information(words)
                yield Configuration(frame, number, facts, lines.consumed(), start)

    def _placeholder(self, frame: Frame) -> bool:
        kept = self.args.keep_zeros or frame.n_atoms == 1
        return not kept and not frame.forces.any()

    def _frame(self, words: dict[str, list[list[str]]], atoms: list[list[str]]) -> Frame:
        import numpy as np

        from panna.frames.frame import Frame

        if not atoms:
            raise FrameError("no atoms")
        lattice = words.get("lattice", [])
        if len(lattice) not in (0, 3):
            raise FrameError(f"{len(lattice)} lattice lines found, 3 or none expected")
        values = np.array(
            [numbers(atom[:3] + atom[6:], f"atom {k}") for k, atom in enumerate(atoms, 1)]
        )
        periodic = len(lattice) == 3
        cell = [numbers(row, "lattice", 3) for row in lattice] if periodic else np.zeros((3, 3))
        return Frame(
            species=tuple(atom[3] for atom in atoms),
            positions=values[:, :3] * self.length,
            cell=np.array(cell) * self.length,
            pbc=(periodic,) * 3,
            energy=_energy(words, self.energy),
            forces=values[:, 3:] * (self.energy / self.length),
        )


class _Damaged(FrameError):
    """The lines of a structure make no sense: go on at the next begin."""


def _structure(first: str, lines: Lines) -> tuple[dict[str, list[list[str]]], list[list[str]]]:
    """The words of each keyword's lines, and those of the atoms."""
    if first.split()[0] != "begin":
        raise _Damaged(f"begin expected, {first[:40]!r} found")
    words: dict[str, list[list[str]]] = {}
    atoms: list[list[str]] = []
    for line in map(str.strip, lines):
        keyword, *rest = line.split() or [""]
        if keyword == "end":
            return words, atoms
        if keyword == "begin":
            lines.put_back(line)
            raise _Damaged(f"line {lines.number + 1}: a second begin found, end expected")
        if keyword == "atom":
            if len(rest) != len(COLUMNS):
                raise _Damaged(
                    f"{lines.where}: {len(rest)} values behind atom, {len(COLUMNS)} "
                    f"expected ({' '.join(COLUMNS)})"
                )
            atoms.append(rest)
        elif keyword in ("comment", "lattice", "energy", "charge"):
            words.setdefault(keyword, []).append(rest)
        elif keyword and not keyword.startswith("#"):
            raise _Damaged(
                f"{lines.where}: {line[:40]!r} found; comment, lattice, atom, energy, "
                "charge or end expected"
            )
    raise _Damaged("the file ends before the structure does: no end")


def _skip_to_begin(lines: Lines) -> None:
    for line in lines:
        if line.split()[:1] == ["begin"]:
            lines.put_back(line)
            return


def _energy(words: dict[str, list[list[str]]], unit: float) -> float | None:
    given = words.get("energy", [])
    if not given:
        return None
    if len(given) > 1 or len(given[0]) != 1:
        found = " and ".join(" ".join(["energy", *row]) for row in given)
        raise FrameError(f"{found[:80]!r} found, one energy expected")
    return numbers(given[0], "energy")[0] * unit


def _information(words: dict[str, list[list[str]]]) -> dict[str, object]:
    """Comment and total charge, as they are in the file."""
    comment = " ".join(" ".join(row) for row in words.get("comment", []))
    charge = " ".join(words["charge"][0]) if "charge" in words else ""
    found = {"comment": comment[:500], "total_charge": charge[:40]}
    return {key: text for key, text in found.items() if text}


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_runner_parser; returns the exit code."""
    return run_parser(RunnerData, argv)


if __name__ == "__main__":
    sys.exit(main())
