"""The lines of panna.in: sections of `key = value`, each with its line number for messages.

Blanks and tabs do not count, lines that start with # are comments and `key = value # text` is cut
at the #. Windows line ends, a byte order mark and a last line without an end are fine. Lines
`!key = value` are about the version of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from panna.errors import PotentialError
from panna.text import closest

MOST = 100_000  # centres, angles, layers; a larger count is a damaged file


@dataclass(frozen=True)
class Entry:
    """The value of a key, without blanks, and the line it stands in."""

    text: str
    line: int


@dataclass
class Section:
    """One section of the file; knows which of its keys somebody asked for."""

    path: Path
    name: str
    line: int
    entries: dict[str, Entry] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def error(self, key: str, message: str) -> PotentialError:
        """Error about a key: file, line, section, key and value, then the message."""
        entry = self.entries.get(key)
        if entry is None:
            return PotentialError(f"{self.path}, line {self.line}, [{self.name}] {key}: {message}")
        return PotentialError(
            f"{self.path}, line {entry.line}, [{self.name}] {key} = {entry.text}: {message}"
        )

    def text(self, key: str, expected: str = "a value") -> str:
        """The value of a required key.

        Raises:
          PotentialError: the key is missing or empty.
        """
        if key not in self.entries:
            raise PotentialError(
                f"{self.path}, line {self.line}, [{self.name}]: key {key} is missing; expected a "
                f"line {key} = {expected}{_suggestion(key, self.entries, 'there is')}"
            )
        self.used.add(key)
        if not self.entries[key].text:
            raise self.error(key, f"no value found, {expected} expected")
        return self.entries[key].text

    def words(self, key: str) -> list[str]:
        """A comma list, with or without brackets."""
        text = self.text(key, "a comma-separated list")
        if text.startswith("[") != text.endswith("]"):
            raise self.error(key, "a bracket is missing; expected [a,b,...]")
        return text.removeprefix("[").removesuffix("]").split(",")

    def numbers(self, key: str, count: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers; one number stands for all `count` of them."""
        numbers = tuple(self._number(key, word) for word in self.words(key))
        if count is not None and len(numbers) == 1:
            numbers *= count
        if count is not None and len(numbers) != count:
            raise self.error(key, f"{len(numbers)} numbers found, {count} expected")
        return numbers

    def number(self, key: str) -> float:
        """One finite number."""
        numbers = self.numbers(key)
        if len(numbers) != 1:
            raise self.error(
                key,
                f"{len(numbers)} numbers found, one expected; lists belong to files with the line "
                "!gversion = 1",
            )
        return numbers[0]

    def integers(self, key: str) -> list[int]:
        """A list of whole numbers."""
        numbers = self.numbers(key)
        if any(number != int(number) for number in numbers):
            raise self.error(key, "whole numbers expected")
        return [int(number) for number in numbers]

    def count(self, key: str) -> int:
        """One positive whole number."""
        number = self.number(key)
        if number != int(number) or not 1 <= number <= MOST:
            raise self.error(key, f"a whole number from 1 to {MOST} expected")
        return int(number)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of the choices, the first one if the key is absent."""
        if key not in self.entries:
            return choices[0]
        text = self.text(key)
        if text not in choices:
            raise self.error(key, f"{' or '.join(choices)} expected{_suggestion(text, choices)}")
        return text

    def ignore(self, *keys: str) -> None:
        """Keys that may be there and carry nothing to read."""
        self.used.update(keys)

    def finish(self, known: tuple[str, ...]) -> None:
        """Raises PotentialError if a key was not asked for: misspelt, or from another version."""
        for key in self.entries:
            if key not in self.used:
                raise self.error(
                    key,
                    f"unknown key{_suggestion(key, known)}; correct it, or use the version of "
                    "PANNA that wrote the file",
                )

    def _number(self, key: str, word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in word:
            raise self.error(key, f"{word!r} found, a number expected")
        return value


@dataclass
class PannaInText:
    """A whole file: its sections by name and its version lines."""

    path: Path
    sections: dict[str, Section]
    versions: dict[str, Entry]

    @property
    def gversion(self) -> int:
        """0 (single values, centres by steps) or 1 (lists)."""
        entry = self.versions.get("gversion", Entry("0", 0))
        if entry.text not in ("0", "1"):
            raise PotentialError(
                f"{self.path}, line {entry.line}, !gversion = {entry.text}: 0 or 1 expected"
            )
        return int(entry.text)

    def section(self, name: str, why: str) -> Section:
        """A required section.

        Raises:
          PotentialError: it is missing.
        """
        if name not in self.sections:
            raise PotentialError(
                f"{self.path}: section [{name}] is missing ({why}); found "
                f"{', '.join(f'[{s}]' for s in self.sections)}"
            )
        return self.sections[name]


def parse(path: str | Path) -> PannaInText:
    """Reads the lines of a panna.in.

    Raises:
      PotentialError: no such file, not text, a line that is no key, or something given twice.
    """
    path = Path(path)
    file = PannaInText(path, {}, {})
    section: Section | None = None
    for number, line in enumerate(_read(path).splitlines(), 1):
        text = "".join(line.split("#", 1)[0].split())
        if not text:
            continue
        where = f"{path}, line {number}: "
        if text.startswith("["):
            section = _open_section(file, text, number, where)
            continue
        key, equal, value = text.partition("=")
        if not equal or not key:
            raise PotentialError(
                f"{where}{line.strip()[:60]!r} found; expected [SECTION], key = value or # comment"
            )
        if key.startswith("!"):
            _add_version(file, key[1:], Entry(value, number), where)
        elif section is None:
            raise PotentialError(
                f"{where}key {key} comes before the first section; expected [GVECT_PARAMETERS]"
            )
        elif key in section.entries:
            raise PotentialError(
                f"{where}key {key} is given twice in [{section.name}] "
                f"(first in line {section.entries[key].line}); delete one of the lines"
            )
        else:
            section.entries[key] = Entry(value, number)
    if not file.sections:
        raise PotentialError(f"{path}: no [SECTION] found; expected a panna.in")
    return file


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise PotentialError(
            f"{path}: no such file; expected the panna.in of a potential (extract_weights with "
            "output_type = LAMMPS writes one)"
        ) from None
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise PotentialError(f"{path}: not a text file ({error.reason})") from error
    if "\0" in text:
        raise PotentialError(f"{path}: not a text file (a zero byte found)")
    return text


def _open_section(file: PannaInText, text: str, number: int, where: str) -> Section:
    if not text.endswith("]") or len(text) < 3:
        raise PotentialError(f"{where}section header {text} found, [NAME] expected")
    name = text[1:-1]
    if name in file.sections:
        raise PotentialError(
            f"{where}section [{name}] is given twice (first in line {file.sections[name].line}); "
            "join the two"
        )
    file.sections[name] = Section(file.path, name, number)
    return file.sections[name]


def _add_version(file: PannaInText, key: str, entry: Entry, where: str) -> None:
    if key != "gversion":
        raise PotentialError(
            f"{where}!{key} = {entry.text}: unknown version line; !gversion = 0 or 1 expected"
        )
    if key in file.versions:
        raise PotentialError(f"{where}!gversion is given twice; delete one of the lines")
    file.versions[key] = entry


def _suggestion(word: str, known, lead: str = "did you mean") -> str:
    close = closest(word, known, 0.75)
    end = "?" if lead.startswith("did") else ""
    return f"; {lead} {close}{end}" if close else ""
