"""What an ini file may contain: keys, sections, and the schema of one program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from panna.config.values import Kind

if TYPE_CHECKING:
    from panna.config.reader import Config


class Missing(Enum):
    """Marks a key that has no default, or none of its own in PANNA v1."""

    REQUIRED = "required"
    SAME = "same"


REQUIRED = Missing.REQUIRED
SAME = Missing.SAME
NO_ELECTROSTATICS = "long-range electrostatics is not supported yet; remove the key"


@dataclass(frozen=True)
class SameAs:
    """A default that is the value of another key of the section."""

    key: str


@dataclass(frozen=True)
class Key:
    """One key of a section.

    name: as written in the documentation; upper and lower case are the same in files.
    parse: the kind of value.
    default: value of an absent key (already converted), SameAs, or REQUIRED. In a section that is
      optional and absent, a required key has the value None.
    unit: physical unit of the value.
    meaning: one line for the documentation.
    aliases: other names of the key, from PANNA v1 or v2.
    refused: for a known key that does not work: the reason and what to do instead. A value equal
      to the default is accepted, any other is an error.
    obsolete: for a known key that is accepted and changes nothing: the reason. Giving it makes a
      notice.
    also_in: section in which the same key may be given instead.
    v1: default where the file asks for the defaults of PANNA v1, if that is another one.
    """

    name: str
    parse: Kind
    default: Any = REQUIRED
    unit: str = ""
    meaning: str = ""
    aliases: tuple[str, ...] = ()
    refused: str = ""
    obsolete: str = ""
    also_in: str = ""
    v1: Any = SAME

    def default_of(self, v1: bool) -> Any:
        """The default of this version, or of PANNA v1."""
        return self.v1 if v1 and self.v1 is not SAME else self.default

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be written, where that is a fixed set."""
        return self.parse.choices


@dataclass(frozen=True)
class Section:
    """A section and its keys; `required` if the file must have it even when no key is required."""

    name: str
    keys: tuple[Key, ...]
    required: bool = False
    meaning: str = ""

    def find(self, name: str) -> Key | None:
        """The key with a name or alias, upper and lower case alike; None if there is none."""
        wanted = name.lower()
        for key in self.keys:
            if wanted in (other.lower() for other in (key.name, *key.aliases)):
                return key
        return None


@dataclass(frozen=True)
class Problem:
    """What a check found: where, and the message. Without a key it is about the section.

    harmless: the user is told, and the file is used all the same.
    """

    section: str
    key: str | None
    message: str
    harmless: bool = False


Check = Callable[["Config"], Iterable[Problem]]


@dataclass(frozen=True)
class Schema:
    """All that the ini file of one program may contain.

    program: name of the command.
    sections: the sections with fixed names.
    species_section: the keys of sections named after a chemical symbol, if there are such.
    species_key: section and key with the comma list of species; only these may have a section.
      Without it, or where the key is absent, any name that looks like a chemical symbol may.
    checks: what can only be seen from several keys; each is called with a complete Config.
    defaults_key: section and key that says "v1" if the defaults of PANNA v1 are wanted.
    """

    program: str
    sections: tuple[Section, ...]
    species_section: Section | None = None
    species_key: tuple[str, str] | None = None
    checks: tuple[Check, ...] = ()
    meaning: str = ""
    defaults_key: tuple[str, str] | None = None

    def find(self, name: str) -> Section | None:
        """The section of that name, exactly; None if there is none."""
        for section in self.sections:
            if section.name == name:
                return section
        return None
