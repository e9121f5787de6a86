"""From an ini file and a schema to typed values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panna.config.ini import read_ini
from panna.config.schema import REQUIRED, Key, SameAs, Schema, Section
from panna.errors import ConfigError
from panna.text import closest

SYMBOL = re.compile(r"[A-Z][a-z]?")


@dataclass(frozen=True)
class Config:
    """The values of an ini file: `config["SECTION"]["key"]`.

    path: the file, as it was given.
    schema: what it was read with.
    sections: section -> key as spelled in the schema -> value; every section and key of the schema
      is there, absent ones with their defaults.
    species_sections: chemical symbol -> key -> value, only for the sections that the file has;
      absent keys are None.
    notices: what the user should be told, one line each: keys that were accepted and have no
      effect. Programs print them.
    """

    path: Path
    schema: Schema
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    species_sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    _texts: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def __getitem__(self, section: str) -> dict[str, Any]:
        return self.sections[section]

    def __contains__(self, section: str) -> bool:
        return section in self.sections

    def given(self, section: str, key: str | None = None) -> bool:
        """Whether the file has the key (under any of its names), or the section."""
        keys = self._texts.get(section)
        return keys is not None and (key is None or key.lower() in keys)

    def where(self, section: str, key: str | None = None) -> str:
        """`file [SECTION] key = value`, the beginning of messages."""
        place = f"{self.path} [{section}]"
        if key is None:
            return place
        written = self._texts.get(section, {}).get(key.lower())
        return f"{place} {key}" if written is None else f"{place} {key} = {_one_line(written)}"

    def error(self, section: str, key: str | None, message: str) -> ConfigError:
        """An error about a key, or about a section when key is None; for the caller to raise."""
        return ConfigError(f"{self.where(section, key)}: {message}")


def read_config(path: str | os.PathLike[str], schema: Schema) -> Config:
    """Read the ini file of a program.

    Relative paths in values stay relative to the working directory, `~` is replaced by the home
    directory. Keys may be written in upper or lower case, section names only as in the schema.

    Args:
      path: the ini file.
      schema: what the program's file may contain.
    Returns:
      the values; `notices` holds what the user should be told.
    Raises:
      ConfigError: with one line for each defect found: the file cannot be read, a section or key is
        missing, unknown, given twice or not supported, or a value is wrong.
    """
    return _Reader(Path(path), schema).read()


class _Reader:
    """Reads one file; collects the problems, so that the user sees all of them at once."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.schema = schema
        self.config = Config(path, schema)
        self.problems: list[str] = []

    def read(self) -> Config:
        found = read_ini(self.config.path)
        others = []
        for name, content in found.items():
            section = self.schema.find(name)
            if section is not None:
                self._read_section(section, name, content)
            else:
                others.append(name)
        self._share_keys()
        for section in self.schema.sections:
            self._complete_section(section)
        for name in others:
            self._read_species(name, found[name])
        if not self.problems:
            # A check may rely on values that are there and have the right type.
            for check in self.schema.checks:
                for problem in check(self.config):
                    where = self.config.where(problem.section, problem.key)
                    lines = self.config.notices if problem.harmless else self.problems
                    lines.append(f"{where}: {problem.message}")
        if self.problems:
            raise ConfigError("\n".join(self.problems))
        return self.config

    def _read_section(
        self, section: Section, name: str, content: dict[str, tuple[str, str]]
    ) -> dict[str, Any]:
        values = self.config.sections.setdefault(name, {})
        texts = self.config._texts.setdefault(name, {})
        for written, value in content.values():
            where = f"{self.config.path} [{name}] {written} = {_one_line(value)}"
            key = section.find(written)
            if key is None:
                self.problems.append(f"{where}: {self._unknown_key(section, written)}")
                continue
            if key.name.lower() in texts:
                self.problems.append(
                    f"{where}: the key is given twice, also under another of its names "
                    f"({', '.join((key.name, *key.aliases))}); remove one"
                )
                continue
            texts[key.name.lower()] = value
            self._read_value(key, value, where, values)
        return values

    def _read_value(self, key: Key, text: str, where: str, values: dict[str, Any]) -> None:
        try:
            value = key.parse(text)
        except ValueError as error:
            self.problems.append(f"{where}: {key.refused or error}")
            values[key.name] = None
            return
        values[key.name] = value
        if key.refused and value != key.default:
            self.problems.append(f"{where}: {key.refused}")
        if key.obsolete:
            self.config.notices.append(f"{where}: no effect; {key.obsolete}")

    def _share_keys(self) -> None:
        """Give keys that may stand in two sections the same value in both."""
        config = self.config
        for section in self.schema.sections:
            for key in section.keys:
                if not key.also_in or not config.given(section.name, key.name):
                    continue
                if config.given(key.also_in, key.name):
                    # Both sections find it; one of them reports.
                    if section.name < key.also_in:
                        self.problems.append(
                            f"{config.where(section.name, key.name)}: also given in "
                            f"[{key.also_in}]; remove one"
                        )
                    continue
                value = config.sections[section.name].get(key.name)
                config.sections.setdefault(key.also_in, {})[key.name] = value

    def _complete_section(self, section: Section) -> None:
        """Fill in defaults, report what is missing."""
        path, name = self.config.path, section.name
        present = self.config.given(name)
        values = self.config.sections.setdefault(name, {})
        v1 = self._defaults_of_v1()
        defaults = {key.name: key.default_of(v1) for key in section.keys}
        needed = [key for key in section.keys if defaults[key.name] is REQUIRED]
        if not present and section.required:
            contents = f" with {', '.join(key.name for key in needed)}" if needed else ""
            self.problems.append(f"{path} [{name}]: the section is missing; add [{name}]{contents}")
        for key in section.keys:
            if key.name in values:
                continue
            default = defaults[key.name]
            if default is REQUIRED:
                values[key.name] = None
                if present:
                    meaning = f" ({key.meaning})" if key.meaning else ""
                    self.problems.append(
                        f"{path} [{name}] {key.name}: missing; expected {key.parse.expected}"
                        f"{meaning}"
                    )
            elif not isinstance(default, SameAs):
                values[key.name] = default
        for key in section.keys:
            default = defaults[key.name]
            if isinstance(default, SameAs) and key.name not in values:
                values[key.name] = values.get(default.key)
        # In the order of the schema, whatever the order of the file.
        self.config.sections[name] = {key.name: values[key.name] for key in section.keys}

    def _defaults_of_v1(self) -> bool:
        if self.schema.defaults_key is None:
            return False
        section, key = self.schema.defaults_key
        return self.config.sections.get(section, {}).get(key) == "v1"

    def _read_species(self, name: str, content: dict[str, tuple[str, str]]) -> None:
        """Read a section that is named after a species, or report it as unknown."""
        section, allowed = self.schema.species_section, self._species()
        if section is None:
            self._unknown_section(name)
        elif allowed is not None and name not in allowed:
            self._unknown_section(name, f" (the species are {', '.join(allowed)})")
        elif allowed is None and not SYMBOL.fullmatch(name):
            self._unknown_section(name)
        else:
            values = self._read_section(section, name, content)
            del self.config.sections[name]
            complete = {key.name: values.get(key.name) for key in section.keys}
            self.config.species_sections[name] = complete

    def _species(self) -> tuple[str, ...] | None:
        """The species that may have a section; None for any."""
        if self.schema.species_key is None:
            return None
        section, key = self.schema.species_key
        return self.config.sections.get(section, {}).get(key)

    def _unknown_section(self, name: str, detail: str = "") -> None:
        known = [*(section.name for section in self.schema.sections), *(self._species() or ())]
        close = closest(name, known)
        hint = f"Did you mean [{close}]?" if close else f"Sections: {', '.join(known)}"
        self.problems.append(f"{self.config.path} [{name}]: unknown section{detail}. {hint}")

    def _unknown_key(self, section: Section, written: str) -> str:
        for other in self._all_sections():
            if other is not section and other.find(written) is not None:
                return f"unknown key here; it belongs in [{other.name}]"
        names = (name for key in section.keys for name in (key.name, *key.aliases))
        if close := closest(written, names):
            return f"unknown key. Did you mean {close}?"
        known = ", ".join(key.name for key in section.keys)
        return f"unknown key. Keys of the section: {known}"

    def _all_sections(self) -> Iterator[Section]:
        yield from self.schema.sections
        if self.schema.species_section is not None:
            yield self.schema.species_section


def _one_line(value: str, longest: int = 80) -> str:
    line = " ".join(value.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."
