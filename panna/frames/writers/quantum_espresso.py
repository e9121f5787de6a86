"""Inputs of Quantum ESPRESSO's pw.x, one for each frame.

&namelists are a few lines or the user's; cell and atoms are cards in angstrom. pw.x is periodic in
all directions: aperiodic ones get vacuum and one k-point.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from panna.errors import FileError, FrameError
from panna.frames.writers.base import FileForEachFrame

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame

TEMPLATE = """\
&CONTROL
  calculation = 'scf'
/
&SYSTEM
/
&ELECTRONS
/
"""
VALUE = r"\s*=\s*('[^'\n]*'|\"[^\"\n]*\"|[^,!\s]+)[ \t]*,?"
# Other ways to give the cell, which would contradict ibrav = 0 and CELL_PARAMETERS.
OF_THE_CELL = (r"celldm\s*\(\s*\d\s*\)", "A", "B", "C", "cosAB", "cosAC", "cosBC", "space_group")


# Cards of a template that would change the calculation if they were left out.
CARDS_OF_PHYSICS = ("HUBBARD", "OCCUPATIONS", "ATOMIC_FORCES", "CONSTRAINTS", "ADDITIONAL_K_POINTS")


class QuantumEspressoWriter(FileForEachFrame):
    """<name>.in for pw.x."""

    title = "inputs of pw.x"
    suffix = ".in"
    next_step = 'cd {target}; for f in *.in; do pw.x -i "$f" > "${{f%.in}}.out"; done'

    @classmethod
    def add_arguments(cls, group: argparse._ArgumentGroup) -> None:
        """What a calculation needs beside the structure."""
        group.add_argument(
            "--pseudo",
            nargs="+",
            default=[],
            metavar="Si=FILE",
            help="a pseudopotential for each element",
        )
        group.add_argument(
            "--pseudo-dir", metavar="DIR", help="where they are (default: as pw.x looks for them)"
        )
        group.add_argument(
            "--ecutwfc", type=float, metavar="RY", help="kinetic energy cutoff, in Ry as pw.x wants"
        )
        group.add_argument(
            "--kspacing", metavar="K",
            help="largest distance of k-points in 1/angstrom, 2 pi included, or gamma; "
            "needed for periodic frames",
        )  # fmt: skip
        group.add_argument(
            "--template", type=Path, metavar="FILE",
            help="input of pw.x whose &namelists are used (not its cards)",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.pseudo = _pseudopotentials(args.pseudo)
        self.kspacing = _kspacing(args.kspacing)
        self.template = _template(args)
        numbered = re.search(r"(?m)^[^!\n]*?(\w+\s*\(\s*\d[^)\n]*\))\s*=", self.template)
        self.numbered = numbered[1] if numbered else ""

    def plan(self) -> list[tuple[str, str]]:
        """Namelists, pseudopotentials, k-points."""
        points = {None: "gamma only", 0.0: "gamma only"}.get(
            self.kspacing, f"at most {self.args.kspacing}/angstrom apart (2 pi included)"
        )
        return [
            ("namelists", str(self.args.template or "of this program: scf, forces, stress")),
            ("pseudopotentials", ", ".join(f"{a}: {b}" for a, b in self.pseudo.items())),
            ("k-points", points),
            ("aperiodic", f"{self.args.vacuum:g} angstrom of vacuum, one k-point"),
        ]

    def text(self, frame: Frame) -> str:
        """Namelists and cards."""
        from ase.data import atomic_masses, atomic_numbers

        from panna.frames.writers.box import boxed

        if frame.pbc.any() and self.kspacing is None:
            raise FrameError("periodic: give --kspacing, or --kspacing gamma for large cells")
        cell, positions = boxed(frame, self.args.vacuum)
        species = self._species(frame)
        lines = [self._namelists(frame, len(species)), "ATOMIC_SPECIES"]
        for symbol in species:
            mass = atomic_masses[atomic_numbers[symbol]]
            lines.append(f"{symbol} {mass:.6f} {self.pseudo[symbol]}")
        lines += ["", "CELL_PARAMETERS angstrom", *(_row(vector) for vector in cell)]
        lines += ["", "ATOMIC_POSITIONS angstrom"]
        for symbol, place in zip(frame.species, positions, strict=True):
            lines.append(f"{symbol:2} {_row(place)}")
        lines += ["", *_k_points(cell, frame.pbc, self.kspacing)]
        return "\n".join(lines) + "\n"

    def _species(self, frame: Frame) -> list[str]:
        """The elements of the frame in the order of --pseudo.

        Raises:
          FrameError: one has no pseudopotential, or the numbers of the elements would not be those
            that the template speaks of.
        """
        for symbol in frame.species:
            if symbol not in self.pseudo:
                raise FrameError(f"no pseudopotential for {symbol}; give --pseudo {symbol}=FILE")
        missing = [symbol for symbol in self.pseudo if symbol not in frame.species]
        if missing and self.numbered:
            raise FrameError(
                f"no {', '.join(missing)} in it, but {self.numbered} in the template counts "
                "elements in the order of --pseudo; export such frames with another template"
            )
        return [symbol for symbol in self.pseudo if symbol in frame.species]

    def _namelists(self, frame: Frame, n_species: int) -> str:
        """A prefix for each frame keeps runs in one folder from overwriting each other."""
        prefix = re.sub(r"[^\w-]", "_", frame.name, flags=re.ASCII)
        text = _set(self.template, "CONTROL", {"prefix": f"'{prefix}'"})
        numbers = {"ibrav": "0", "nat": str(frame.n_atoms), "ntyp": str(n_species)}
        return _set(text, "SYSTEM", numbers)


def _pseudopotentials(words: list[str]) -> dict[str, str]:
    from panna.frames.elements import KNOWN

    found: dict[str, str] = {}
    for word in words:
        symbol, equals, file = word.partition("=")
        if symbol not in KNOWN or not equals or not file or re.search(r"\s", file):
            raise FrameError(f"--pseudo {word}: expected element=file, such as Si=Si.upf")
        found[symbol] = file
    if not found:
        raise FrameError("--format qe needs --pseudo with a file for each element, as in Si=Si.upf")
    return found


def _kspacing(word: str | None) -> float | None:
    """0 for gamma."""
    if word is None or word == "gamma":
        return None if word is None else 0.0
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < 100:
        raise FrameError(f"--kspacing {word}: expected a positive number in 1/angstrom, or gamma")
    return value


def _template(args: argparse.Namespace) -> str:
    """The namelists with all that is the same for every frame."""
    if args.template is None:
        text = TEMPLATE
    else:
        text = _namelists_of(args.template)
        text = _unset(text, "SYSTEM", OF_THE_CELL)
    for key in ("tprnfor", "tstress"):
        if not re.search(rf"(?im)^[^!\n]*\b{key}\s*=", text):
            text = _set(text, "CONTROL", {key: ".true."})
    if args.pseudo_dir is not None:
        if "'" in args.pseudo_dir:
            raise FrameError(f"--pseudo-dir {args.pseudo_dir}: pw.x cannot read names with quotes")
        text = _set(text, "CONTROL", {"pseudo_dir": f"'{args.pseudo_dir}'"})
    if args.ecutwfc is not None:
        if not 0 < args.ecutwfc < 1e5:
            raise FrameError(f"--ecutwfc {args.ecutwfc:g}: expected a positive number of Ry")
        text = _set(text, "SYSTEM", {"ecutwfc": repr(args.ecutwfc)})
    elif not re.search(r"(?im)^[^!\n]*\becutwfc\s*=", text):
        raise FrameError("--format qe needs --ecutwfc, in Ry, or a --template that has it")
    return text


def _namelists_of(path: Path) -> str:
    """The namelists of an input as they stand there, without the cards.

    Raises:
      FileError: not readable, or &CONTROL or &SYSTEM is missing or has no end.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise FileError(f"{path}: cannot be read ({reason})") from error
    for card in CARDS_OF_PHYSICS:
        if re.search(rf"(?im)^[ \t]*{card}\b", text):
            raise FileError(
                f"{path}: card {card} found, which would be lost: only the namelists are used; "
                "take it out, and add it to the inputs afterwards"
            )
    blocks = re.findall(r"(?ms)^[ \t]*&\w+\b.*?^[ \t]*/[ \t]*(?:!.*?)?$", text)
    opened = re.findall(r"(?m)^[ \t]*&(\w+)", text)
    names = [re.match(r"\s*&(\w+)", block)[1].upper() for block in blocks]
    if [name.upper() for name in opened] != names:
        raise FileError(f"{path}: a namelist without its end, a / on a line of its own")
    for name in ("CONTROL", "SYSTEM", "ELECTRONS"):
        if names.count(name) != 1:
            raise FileError(f"{path}: {names.count(name)} times &{name} found, once expected")
    return "\n".join(blocks) + "\n"


def _unset(text: str, namelist: str, keys: tuple[str, ...]) -> str:
    """Take keys, given as regular expressions, out of a namelist."""
    block = re.search(rf"(?ims)^[ \t]*&{namelist}\b.*?^[ \t]*/", text)
    inside = block[0]
    for key in keys:
        inside = re.sub(rf"(?im)^([^!\n]*?)(?<![\w%]){key}{VALUE}", r"\1", inside)
    return text[: block.start()] + inside + text[block.end() :]


def _set(text: str, namelist: str, values: dict[str, str]) -> str:
    """Give keys of a namelist these values, in place of those it has."""
    text = _unset(text, namelist, tuple(values))
    lines = "".join(f"\n  {key} = {value}" for key, value in values.items())
    return re.sub(rf"(?im)^([ \t]*&{namelist}\b)", lambda found: found[0] + lines, text, count=1)


def _k_points(cell: np.ndarray, pbc: np.ndarray, spacing: float | None) -> list[str]:
    import numpy as np

    if not spacing or not pbc.any():
        return ["K_POINTS gamma"]
    reciprocal = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    # A hair less, so that rounding does not make 5 of 4.
    counts = np.maximum(np.ceil(reciprocal / spacing - 1e-9), 1).astype(int)
    counts = np.where(pbc, counts, 1)
    return ["K_POINTS automatic", " ".join(map(str, counts)) + " 0 0 0"]


def _row(vector: np.ndarray) -> str:
    # Without exponents, which pw.x does not expect in ATOMIC_POSITIONS.
    return " ".join(f"{x:21.15f}" for x in vector)
