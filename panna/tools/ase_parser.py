"""panna_ase_parser: whatever ASE can read to .example files."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.text import closest
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    from ase import Atoms

DESCRIPTION = """\
Turn files that ASE (the Atomic Simulation Environment) can read into one .example file per
configuration: output of ABINIT, CASTEP, FHI-aims, GPAW, NWChem, Gaussian, ORCA and others, and
ASE's own trajectories and databases. For Quantum ESPRESSO, VASP and extended XYZ take the parsers
of their own, which look closer.

What ASE's reader cannot make sense of is reported with the file's name and left out; the exit code
is then 2. Files are named <prefix><file>, with _<number> behind for kinds of files that can hold
several configurations."""

EPILOG = """\
Units are ASE's: angstrom, eV, eV/angstrom, and eV/angstrom^3 for a stress that is negative under
compression. Forces are taken as calculated, whatever constraints the file holds.
energy: free takes the free energy, which forces and stress belong to, and where a file has none its
energy; energy takes the one that ASE calls energy, with smearing often extrapolated to zero width.
A calculation that did not converge is found only if ASE's reader says so: most do not.
formats: ASE's names, see `ase info --formats`. (Of CP2K it reads no energies.) Formats that are
program code, a server or a folder are refused; nothing that is read is executed or unpickled.
example: panna_ase_parser --format nwchem-out --files '*.nwo' -i calculations -o examples"""

DATABASES = ("db", "json")
REFUSED = {
    "py": "a program, which would have to be executed",
    "bundletrajectory": "a folder; convert it to .traj with ASE",
    "cp2k-restart": "it holds no energies",  # and ASE's reader never ends where it is cut off
    "mysql": "a server; export to a .db file with `ase db`",
    "postgresql": "a server; export to a .db file with `ase db`",
}
ENERGIES = {"free": ("free_energy", "energy"), "energy": ("energy",)}
COMPRESSED = (".gz", ".bz2", ".xz")
LONGEST_REASON = 200  # characters of a message of ASE


class AseFiles(Reader):
    """One file of any kind that ASE reads."""

    program = "ase_parser"
    title = "Files that ASE reads to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "file that matches --files"

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Kind of the files and of the energy."""
        parser.add_argument(
            "--format", metavar="NAME",
            help="ASE's name of the format (default: each file's is found out by ASE)",
        )  # fmt: skip
        parser.add_argument(
            "--files", metavar="PATTERN",
            help="which files of a folder, such as '*.nwo' or '*/OUTPUT'; needed for folders",
        )  # fmt: skip
        parser.add_argument(
            "--periodic", choices=("read", "all"), default="read",
            help="read: as ASE's reader says (default); all: along all lattice vectors there are, "
            "for readers that do not say (plane waves of NWChem)",
        )  # fmt: skip
        parser.add_argument(
            "--energy", choices=tuple(ENERGIES), default="free",
            help="free: the one that forces belong to, if there is one (default); energy: ASE's",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.energies: Counter[str] = Counter()
        for path in args.input:
            if path.is_dir() and not args.files:
                raise FrameError(
                    f"{path} is a folder: say which of its files, as in --files '*.nwo'"
                )
        if args.format is not None:
            _check_format(args.format, f"--format {args.format}")

    def wants(self, path: Path) -> bool:
        """By --files."""
        return path.match(self.args.files)

    def stem(self, path: Path) -> str:
        """Without the ending, or the endings of a compressed file."""
        inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
        return inner.stem

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """One image of ASE after the other."""
        from ase import __version__
        from ase.io.formats import ioformats

        form = self.args.format or _detected(path)
        _check_before(path, form)
        images = _images(path, form)
        facts = {"ase_version": __version__, "ase_format": form}
        number = 0
        while True:
            found, said = _next(images, form)
            yield from (Remark(f"ASE's reader for {form}: {text}") for text in said)
            if found is END:
                break
            number += 1
            try:
                frame, energy = self._frame(found)
            except FrameError as error:
                yield Unusable(f"configuration {number}", str(error))
                continue
            if energy == "energy" and self.args.energy == "free":
                yield Remark("no free energy in the file: its energy is taken")
            if any(found.cell.lengths()) and not any(found.pbc):
                yield Remark(
                    "a cell without periodic directions: read as a molecule; if it is none, give "
                    "--periodic all"
                )
            told = facts | ({"ase_energy": energy} if energy else {})
            yield Configuration(frame, None if ioformats[form].single else number, told)
        if number == 0:
            raise FrameError(f"ASE finds no configuration in it, read as {form}")

    def _frame(self, atoms: Atoms) -> tuple[Any, str | None]:
        from ase import Atoms

        from panna.frames.ase_atoms import energy_of, frame_of_atoms

        if not isinstance(atoms, Atoms):
            raise FrameError("ASE finds no atoms in it")
        if self.args.periodic == "all":
            atoms.pbc = atoms.cell.lengths() > 0
        names = ENERGIES[self.args.energy]
        frame, energy = frame_of_atoms(atoms, names), energy_of(atoms, names)
        self.energies[energy or "none"] += 1
        return frame, energy

    def plan(self) -> list[tuple[str, str]]:
        """Format and units."""
        energy = "free energy, where there is none the energy"
        return [
            ("format", self.args.format or "as ASE finds out"),
            ("energy", energy if self.args.energy == "free" else "the one that ASE calls energy"),
            ("units", "ASE's: angstrom, eV, stress in eV/angstrom^3 (ase sign)"),
        ]

    def findings(self) -> list[tuple[str, str]]:
        """The energies that the files have."""
        found = ", ".join(f"{name} ({n})" for name, n in sorted(self.energies.items()))
        return [("energies taken", found)]


END = object()


def _images(path: Path, form: str) -> Iterator[Any]:
    """Atoms as ASE reads them, one after the other."""
    from ase.io.formats import iread

    # ASE takes names that begin with postgres for servers and what follows an @ for numbers.
    place = str(path.absolute())
    if form not in DATABASES:
        yield from iread(place, index=":", format=form, do_not_split_by_at_sign=True)
        return
    from ase.db import connect

    from panna.frames.ase_atoms import IN_DATA

    with connect(place, type=form, serial=True, use_lock_file=False) as database:
        for row in database.select():
            atoms = row.toatoms()
            atoms.info.update(row.data.get(IN_DATA, {}))
            yield atoms


def _next(images: Iterator[Any], form: str) -> tuple[Any, list[str]]:
    """The next image or END, and the warnings of ASE on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = next(images, END)
        except Exception as error:
            # ASE's readers raise whatever comes: assertions, keys, indices, missing packages.
            raise FrameError(f"ASE cannot read it as {form}: {_one_line(error)}") from error
    said = [w for w in caught if not issubclass(w.category, DeprecationWarning)]
    return found, [" ".join(str(w.message).split())[:LONGEST_REASON] for w in said]


def _detected(path: Path) -> str:
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        form = filetype(str(path.absolute()))
    except UnknownFileTypeError:
        form = ""
    except Exception as error:
        raise FrameError(f"ASE cannot find out what it is: {_one_line(error)}") from error
    if form not in ioformats:
        raise FrameError("ASE does not know what kind of file it is; name it with --format")
    _check_format(form, f"ASE takes it for {form}, which")
    return form


def _check_format(form: str, what: str) -> None:
    """Raises FrameError for a format that cannot, or must not, be read."""
    from ase.io.formats import ioformats

    if form in REFUSED:
        raise FrameError(f"{what} is refused: {REFUSED[form]}")
    if form not in ioformats:
        meant = closest(form, ioformats)
        hint = f"did you mean {meant}?" if meant else "see `ase info --formats`"
        raise FrameError(f"{what}: ASE knows no such format; {hint}")
    try:
        readable = ioformats[form].can_read
    except Exception as error:
        raise FrameError(f"{what} cannot be read here: {_one_line(error)}") from error
    if not readable:
        raise FrameError(f"{what} is a format that ASE writes but cannot read")


def _check_before(path: Path, form: str) -> None:
    """ASE would add its tables to a database of another program."""
    if form != "db":
        return
    import sqlite3
    from contextlib import closing

    tables = "select count(*) from sqlite_master where name in ('systems', 'information')"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(tables).fetchone()[0]
    except sqlite3.Error as error:
        raise FrameError(f"not a database of ASE: {_one_line(error)}") from error
    if found != 2:
        raise FrameError("a database, but not one of ASE")


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:LONGEST_REASON]
    kind = type(error).__name__
    return f"{text} ({kind})" if text else kind


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_ase_parser; returns the exit code."""
    return run_parser(AseFiles, argv)


if __name__ == "__main__":
    sys.exit(main())
