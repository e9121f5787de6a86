"""panna_md17_parser: molecular data sets in .npz files (MD17, rMD17, sGDML) to .example files."""

from __future__ import annotations

import argparse
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.text import counted
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    import numpy as np

DESCRIPTION = """\
Turn molecular data sets in .npz files (MD17, revised MD17, data sets of sGDML) into one .example
file for each frame.

Arrays: R or coords (frames, atoms, 3), z or nuclear_charges (atoms) or (frames, atoms), E or
energies, F or forces, which may be missing. Units are those that the file tells (r_unit and e_unit
of sGDML), otherwise angstrom and kcal/mol, as in all files of MD17, unless others are given.
A frame that cannot be used is reported with its file, its number and the reason, and left out; the
exit code is then 2. Files are named <prefix><file>_<number of the frame>.example."""

EPILOG = """\
Frames of MD17 are steps of one trajectory. If they come in the order of time, training and
validation sets that are drawn at random hold nearly the same frames, and the errors mean nothing:
a warning tells when energies of consecutive frames are correlated (coefficient above 0.3 in at
least 100 frames). Split such a file by time, or take frames far apart with --every.
Frames are molecules without a cell, unless the file has the key lattice.
units: length angstrom, bohr, nm; energy eV, meV, Ry, Ha, kcal/mol, kJ/mol; force energy/length.
example: panna_md17_parser -i rmd17_ethanol.npz -o examples"""

NAMES = {
    "positions": ("R", "coords"),
    "numbers": ("z", "nuclear_charges"),
    "energies": ("E", "energies"),
    "forces": ("F", "forces"),
}
LENGTH_UNIT, ENERGY_UNIT = "angstrom", "kcal/mol"
# How files of sGDML spell units that units.py has under another name.
SPELLINGS = {
    "r_unit": {"ang": "angstrom", "å": "angstrom", "au": "bohr", "a.u.": "bohr"},
    "e_unit": {"au": "hartree", "a.u.": "hartree"},
}
MOST_ATOMS = 1_000_000  # of a frame; more is a damaged header and must not fill the memory
LARGEST_NOTE = 10_000  # bytes of an array that is only information
CORRELATED, FEWEST_FRAMES = 0.3, 100  # by chance: 0 with a standard deviation of 0.1 or less


class MolecularNpz(Reader):
    """One .npz file."""

    program = "md17_parser"
    title = "Molecular data sets (MD17, rMD17, sGDML) to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = ".npz file of MD17, rMD17 or sGDML"
    endings = (".npz",)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Units."""
        for quantity, default in (("length", LENGTH_UNIT), ("energy", ENERGY_UNIT)):
            parser.add_argument(
                f"--{quantity}-unit", metavar="UNIT",
                help=f"default: what the file tells, otherwise {default}",
            )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, factor

        super().__init__(args)
        factor(FOREIGN_LENGTH, args.length_unit or LENGTH_UNIT, "--length-unit")
        factor(FOREIGN_ENERGY, args.energy_unit or ENERGY_UNIT, "--energy-unit")
        self.used: dict[str, int] = {}

    def wants(self, path: Path) -> bool:
        """By the name; none that is compressed once more."""
        return path.suffix.lower() in self.endings

    def plan(self) -> list[tuple[str, str]]:
        """Units."""
        args = self.args
        length = args.length_unit or f"as the file tells, otherwise {LENGTH_UNIT}"
        energy = args.energy_unit or f"as the file tells, otherwise {ENERGY_UNIT}"
        return [("units of length", length), ("units of energy", energy)]

    def findings(self) -> list[tuple[str, str]]:
        """Units of the files."""
        return [("units used", f"{units} ({counted(n, 'file')})") for units, n in self.used.items()]

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """One frame at a time, in memory that does not grow with their number but for energies."""
        size = path.stat().st_size
        try:
            with ExitStack() as opened:
                archive = opened.enter_context(zipfile.ZipFile(path))
                arrays = _arrays(archive, opened)
                yield from self._frames(arrays, size)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise FrameError(f"not a complete .npz file: {error}") from error
        except RuntimeError as error:  # an encrypted member
            raise FrameError(f"cannot be read: {error}") from error

    def _frames(
        self, arrays: Mapping[str, _Array], size: int
    ) -> Iterator[Configuration | Unusable | Remark]:
        import numpy as np

        from panna.frames.elements import symbols_of_numbers
        from panna.frames.frame import Frame

        length, energy_unit, remarks = self._units(arrays)
        yield from remarks
        data = _Data.of(arrays, self.args.no_energy)
        cell = _cell(arrays, length)
        energies = None if data.energies is None else data.energies.all().reshape(-1)
        if energies is not None and data.numbers.ndim == 1:
            yield from _correlation(energies[:: self.args.every][: self.args.limit])
        facts = {key: arrays[key].text() for key in ("name", "theory") if key in arrays}
        numbers = data.numbers.all() if data.numbers.ndim == 1 else None
        for k in range(data.count):
            positions = data.positions.next_row()
            forces = None if data.forces is None else data.forces.next_row()
            charges = data.numbers.next_row() if numbers is None else numbers
            consumed = size * (k + 1) // data.count
            try:
                frame = Frame(
                    species=symbols_of_numbers(charges),
                    positions=positions.astype(np.float64) * length,
                    cell=np.zeros((3, 3)) if cell is None else cell,
                    pbc=(cell is not None,) * 3,
                    energy=None if energies is None else float(energies[k]) * energy_unit,
                    forces=None if forces is None else forces.astype(float) * energy_unit / length,
                )
            except FrameError as error:
                yield Unusable(f"frame {k + 1}", str(error), consumed)
                continue
            yield Configuration(frame, k + 1, facts, consumed)

    def _units(self, arrays: Mapping[str, _Array]) -> tuple[float, float, list[Remark]]:
        """Lengths in angstrom, energies in eV, and where option and file differ."""
        from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, factor

        names, factors, remarks = [], [], []
        for key, table, option, default in (
            ("r_unit", FOREIGN_LENGTH, self.args.length_unit, LENGTH_UNIT),
            ("e_unit", FOREIGN_ENERGY, self.args.energy_unit, ENERGY_UNIT),
        ):
            told = arrays[key].text().strip() if key in arrays else ""
            known = SPELLINGS[key].get(told.lower(), told)
            name = option or known or default
            if option and told and known.lower() != option.lower():
                remarks.append(Remark(f"{key} of the file is {told!r}, {option} is used as told"))
            names.append(name)
            factors.append(factor(table, name, key))
        units = ", ".join(names)
        self.used[units] = self.used.get(units, 0) + 1
        return factors[0], factors[1], remarks


@dataclass
class _Data:
    """The arrays of a file. count: number of frames."""

    positions: _Array
    numbers: _Array
    energies: _Array | None
    forces: _Array | None
    count: int

    @classmethod
    def of(cls, arrays: Mapping[str, _Array], without_energy: bool) -> _Data:
        """Raises FrameError where keys are missing or shapes do not fit."""
        found = {what: _named(arrays, names) for what, names in NAMES.items()}
        positions, numbers = found["positions"], found["numbers"]
        energies, forces = found["energies"], found["forces"]
        for what, array in (("positions", positions), ("numbers", numbers)):
            if array is None:
                keys = ", ".join(sorted(arrays)) or "none"
                raise FrameError(f"no {' or '.join(NAMES[what])} in it; its keys are {keys}")
        if energies is None and not without_energy:
            raise FrameError("no E or energies in it; accept frames without them by --no-energy")
        shape = positions.shape
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or shape[1] > MOST_ATOMS:
            raise FrameError(f"{positions.key}: shape {shape} found, (frames, atoms, 3) expected")
        frames, atoms, _ = shape
        _check_shape(numbers, [(atoms,), (frames, atoms)], "iu")
        _check_shape(positions, [shape], "f")
        if energies is not None:
            _check_shape(energies, [(frames,), (frames, 1)], "f")
        if forces is not None:
            _check_shape(forces, [shape], "f")
        return cls(positions, numbers, energies, forces, frames)


class _Array:
    """A .npy member of an archive, read from its beginning to its end, never unpickled.

    In C order one row at a time is in memory; in Fortran order, where the numbers of a frame are
    spread over the whole file, all of them are.
    """

    def __init__(self, key: str, data: IO[bytes], size: int) -> None:
        """Raises FrameError where the header is damaged or promises what is not there."""
        from numpy.lib import format as npy

        self.key = key
        self._data = data
        try:
            version = npy.read_magic(data)
            read_header: Any = {
                (1, 0): npy.read_array_header_1_0,
                (2, 0): npy.read_array_header_2_0,
            }
            if version not in read_header:
                raise FrameError(f"{key}: version {version} of the .npy format is not known")
            self.shape, self._fortran, self.dtype = read_header[version](data)
        except ValueError as error:
            raise FrameError(f"{key}: {str(error).splitlines()[0]}") from error
        self.ndim = len(self.shape)
        if self.dtype.hasobject:
            raise FrameError(
                f"{key} holds Python objects, which are never read from a file: loading them "
                "runs whatever the file says; save it as plain numbers or text"
            )
        self._fortran = self._fortran and self.ndim > 1
        self._rows: Iterator[np.ndarray] | None = None
        rest = size - data.tell()
        if rest != prod(self.shape) * self.dtype.itemsize:
            raise FrameError(
                f"{key}: {rest} bytes found, {prod(self.shape) * self.dtype.itemsize} expected "
                f"for the shape {self.shape}"
            )

    def next_row(self) -> np.ndarray:
        """array[k] for k = 0, 1, 2, ..."""
        if not self._fortran:
            return self._take(self.shape[1:])
        if self._rows is None:
            self._rows = iter(self.all())
        return next(self._rows)

    def all(self) -> np.ndarray:
        """The whole array."""
        return self._take(self.shape[::-1]).T if self._fortran else self._take(self.shape)

    def text(self) -> str:
        """An array of one string, str or bytes."""
        if (
            prod(self.shape) != 1
            or self.dtype.kind not in "US"
            or self.dtype.itemsize > LARGEST_NOTE
        ):
            raise FrameError(f"{self.key}: {self.dtype} of shape {self.shape} found, text expected")
        value = self._take(()).item()
        return value if isinstance(value, str) else value.decode("utf-8", "replace")

    def _take(self, shape: tuple[int, ...]) -> np.ndarray:
        import numpy as np

        wanted = prod(shape) * self.dtype.itemsize
        content = self._data.read(wanted)
        if len(content) != wanted:
            raise FrameError(f"{self.key}: the file ends inside it")
        return np.frombuffer(content, self.dtype).reshape(shape)


def _arrays(archive: zipfile.ZipFile, opened: ExitStack) -> dict[str, _Array]:
    """The members that this program reads, by key; others are not touched."""
    wanted = {key for names in NAMES.values() for key in names}
    wanted |= {"r_unit", "e_unit", "name", "theory", "lattice"}
    arrays = {}
    for member in archive.infolist():
        key = member.filename.removesuffix(".npy")
        if key in wanted:
            if key in arrays:
                raise FrameError(f"the key {key} is there twice")
            _check_sum(archive, member)
            arrays[key] = _Array(key, opened.enter_context(archive.open(member)), member.file_size)
    return arrays


def _check_sum(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read a member to its end, where its sum is compared: no frame of a damaged one is taken."""
    with archive.open(member) as data:
        while data.read(1 << 20):
            pass


def _named(arrays: Mapping[str, _Array], names: tuple[str, ...]) -> _Array | None:
    found = [arrays[name] for name in names if name in arrays]
    if len(found) > 1:
        raise FrameError(f"both {names[0]} and {names[1]} are in it; which of them is meant?")
    return found[0] if found else None


def _check_shape(array: _Array, shapes: list[tuple[int, ...]], kinds: str) -> None:
    if array.shape not in shapes:
        expected = " or ".join(map(str, shapes))
        raise FrameError(f"{array.key}: shape {array.shape} found, {expected} expected")
    if array.dtype.kind not in kinds:
        expected = "whole" if kinds == "iu" else "floating-point"
        raise FrameError(f"{array.key}: {array.dtype} found, {expected} numbers expected")


def _cell(arrays: Mapping[str, _Array], length: float) -> np.ndarray | None:
    """The same for all frames; None if there is none."""
    import numpy as np

    if "lattice" not in arrays:
        return None
    _check_shape(arrays["lattice"], [(3, 3)], "f")
    lattice = arrays["lattice"].all()
    if not np.array_equal(lattice, lattice.T):
        raise FrameError(
            "lattice is not symmetric: the file does not tell whether its rows or its columns "
            "are the lattice vectors; convert it to extended XYZ, which does"
        )
    return lattice.astype(np.float64) * length if lattice.any() else None


def _correlation(energies: np.ndarray) -> Iterator[Remark]:
    """A remark if consecutive frames are neighbours in time (or the file is sorted by energy)."""
    import numpy as np

    if len(energies) < FEWEST_FRAMES or not np.isfinite(energies).all() or not np.ptp(energies):
        return
    away = energies.astype(np.float64) - energies.mean(dtype=np.float64)
    found = (away[1:] @ away[:-1]) / (away @ away)
    if found > CORRELATED:
        yield Remark(
            "energies of consecutive frames are correlated (coefficient above "
            f"{CORRELATED}): they are steps of one trajectory, and a random split into training "
            "and validation sets leaks; split by time, or take frames far apart with --every"
        )


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_md17_parser; returns the exit code."""
    return run_parser(MolecularNpz, argv)


if __name__ == "__main__":
    sys.exit(main())
