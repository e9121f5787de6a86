"""The commands of LAMMPS that name a potential."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panna.config.reader import Config
from panna.members import list_members

# Several pair_coeff in one value: `1 1 0.1 3.0, 1 2 0.2 3.0`.
NEXT_COEFF = re.compile(r",\s+(?=[*\d])")
QUOTED = re.compile(r"[^\w*./+:-]")


@dataclass(frozen=True)
class Pair:
    """pair_style, and one or more pair_coeff.

    elements: symbol of each atom type.
    """

    style: str
    coefficients: Sequence[str]
    elements: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """For an input script."""
        return [f"pair_style {self.style}", *(f"pair_coeff {one}" for one in self.coefficients)]


def panna_pair(folders: Sequence[Path], filename: str, species: Sequence[str]) -> Pair:
    """A potential of PANNA, or the mean of several."""
    words = [word for folder in folders for word in (_quoted(str(folder.absolute())), filename)]
    return Pair("panna", [" ".join(["* *", *words, *species])], tuple(species))


def reference_pair(config: Config, species: tuple[str, ...]) -> Pair | None:
    """What the section REFERENCE names; None if it names no potential.

    Atom type t is the t-th species of the potential that is validated, unless pair_coeff ends with
    these species in another order.

    Raises:
      ConfigError: a quotation mark without its partner.
    """
    reference = config["REFERENCE"]
    if reference["potential"] is not None:
        folder = reference["potential"]
        return panna_pair(list_members(folder) or [folder], "panna.in", species)
    if reference["pair_style"] is None:
        return None
    beside = config.path.parent
    coefficients, elements = [], species
    for text in NEXT_COEFF.split(reference["pair_coeff"]):
        words = _words(config, "pair_coeff", text)
        tail = tuple(words[-len(species) :])
        if set(tail) == set(species):
            elements = tail
        coefficients.append(" ".join(_with_files(words, set(species), beside)))
    style = _with_files(_words(config, "pair_style", reference["pair_style"]), set(), beside)
    return Pair(" ".join(style), coefficients, elements)


def _words(config: Config, key: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise config.error("REFERENCE", key, f"words and numbers expected ({error})") from error


def _with_files(words: list[str], symbols: set[str], beside: Path) -> list[str]:
    """The same words, names of files and folders with their whole path."""
    found, in_folder = [], False
    for number, word in enumerate(words):
        path = Path(word).expanduser()
        places = [path] if path.is_absolute() else [Path.cwd() / path, beside.absolute() / path]
        # The first word names the style or a type; the word behind a folder is a file in it.
        looked_for = number > 0 and word not in symbols and not in_folder
        place = next((p for p in places if looked_for and p.exists()), None)
        in_folder = place is not None and place.is_dir()
        found.append(_quoted(word if place is None else str(place)))
    return found


def _quoted(word: str) -> str:
    """As one word for LAMMPS."""
    return f'"{word}"' if QUOTED.search(word) else word
