"""How the text behind a key of an ini file becomes a value.

A `Kind` is the type of a key: what it expects, in words, and the function that converts. It raises
ValueError with "expected ..." and the reader adds where.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from panna.text import closest

INTEGER = re.compile(r"[+-]?[0-9]+")
REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LARGEST_INTEGER = 2**63 - 1
TRUE = ("1", "yes", "true", "on")
FALSE = ("0", "no", "false", "off")


@dataclass(frozen=True)
class Kind:
    """The type of a value.

    expected: in words, with its article: "an integer".
    convert: text without surrounding blanks -> value; raises ValueError, whose message, if any,
      replaces "expected <expected>".
    empty: whether an empty value (`prefix =`) is allowed.
    choices: what may be written, where that is a fixed set.
    """

    expected: str
    convert: Callable[[str], Any]
    empty: bool = False
    choices: tuple[str, ...] = ()

    def __call__(self, text: str) -> Any:
        """The value of a text.

        Raises:
          ValueError: the text does not fit; the message begins with "expected".
        """
        text = text.strip()
        if not text and not self.empty:
            raise ValueError(f"expected {self.expected}, found nothing")
        return self.convert(text)


def _number(
    expected: str,
    pattern: re.Pattern[str],
    convert: Callable[[str], Any],
    accepts: Callable[[Any], bool],
) -> Kind:
    def checked(text: str) -> Any:
        # Not int() or float() alone: they also take 1_000, nan and digits of other scripts.
        if pattern.fullmatch(text) and len(text) < 400:
            value = convert(text)
            if math.isfinite(value) and abs(value) <= 1e300 and accepts(value):
                return value
        raise ValueError(f"expected {expected}")

    return Kind(expected, checked)


def _integer(expected: str, accepts: Callable[[int], bool]) -> Kind:
    return _number(expected, INTEGER, int, lambda n: abs(n) <= LARGEST_INTEGER and accepts(n))


def _real(expected: str, accepts: Callable[[float], bool]) -> Kind:
    return _number(expected, REAL, float, accepts)


def _to_boolean(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError("expected a boolean (True or False; also yes, no, on, off, 1, 0)")


def _to_text(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError("expected a text on one line, without control characters")
    return text


def _to_path(text: str) -> Path:
    try:
        return Path(os.path.expanduser(_to_text(text)))
    except RuntimeError as error:  # ~name of a user that does not exist
        raise ValueError(f"expected a path ({error})") from error


boolean = Kind("a boolean (True or False)", _to_boolean, choices=("True", "False"))
integer = _integer("an integer", lambda n: True)
port_number = _integer("a port, an integer from 1 to 65535", lambda n: 0 < n < 65536)
positive_integer = _integer("an integer above 0", lambda n: n > 0)
non_negative_integer = _integer("an integer of 0 or more", lambda n: n >= 0)
real = _real("a number", lambda x: True)
positive_real = _real("a number above 0", lambda x: x > 0)
non_negative_real = _real("a number of 0 or more", lambda x: x >= 0)
fraction = _real("a number from 0 to below 1", lambda x: 0 <= x < 1)
text = Kind("a text", _to_text)
optional_text = Kind("a text, may be empty", _to_text, empty=True)
path = Kind("a path", _to_path)


def list_of(of: Kind, separator: str, separator_name: str, count: int | None = None) -> Kind:
    """A list of values of one kind, given with a separator; blanks round the values are ignored.

    The value is a tuple. `count` fixes how many values there are.
    """
    number = f"{count} values" if count is not None else "a list of values"
    expected = f"{number} separated by {separator_name}, each {of.expected}"

    def convert(content: str) -> tuple[Any, ...]:
        items = [item.strip() for item in content.split(separator)]
        if len(items) > 1 and not items[-1]:
            items.pop()  # `Si, C,` has two values
        values = []
        for number, item in enumerate(items, start=1):
            try:
                values.append(of(item))
            except ValueError as error:
                raise ValueError(f"value {number}, {item!r}: {error}") from error
        if count is not None and len(values) != count:
            raise ValueError(f"expected {expected}, found {len(values)}")
        return tuple(values)

    return Kind(expected, convert, choices=of.choices)


def comma_list(of: Kind, count: int | None = None) -> Kind:
    """A list `a, b, c` -> tuple."""
    return list_of(of, ",", "commas", count)


def colon_list(of: Kind, count: int | None = None) -> Kind:
    """A list of one value per layer, `64:32:1` -> tuple."""
    return list_of(of, ":", "colons", count)


def different(of: Kind) -> Kind:
    """A list whose values must all differ."""

    def convert(content: str) -> tuple[Any, ...]:
        values = of(content)
        repeated = sorted({str(value) for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"expected different values, {', '.join(repeated)} is repeated")
        return values

    return Kind(f"{of.expected}, all different", convert, choices=of.choices)


def either(word: str, value: Any, kind: Kind) -> Kind:
    """A fixed word, which gives `value`, or else a value of the kind."""
    expected = f"{word} or {kind.expected}"

    def convert(content: str) -> Any:
        if content.lower() == word.lower():
            return value
        try:
            return kind(content)
        except ValueError as error:
            detail = str(error).replace(f"expected {kind.expected}", "").strip(" ,:")
            raise ValueError(f"expected {expected}" + (f" ({detail})" if detail else "")) from error

    return Kind(expected, convert)


# The number of a step; -1 is the last one.
checkpoint_step = either("best", "best", either("last", -1, either("-1", -1, non_negative_integer)))


def choice(
    *names: str,
    synonyms: Mapping[str, str] = MappingProxyType({}),
    refused: Mapping[str, str] = MappingProxyType({}),
    values: Mapping[str, Any] | None = None,
) -> Kind:
    """One of some names, upper or lower case.

    Args:
      names: what may be written; the value is the name as given here.
      synonyms: other spelling -> name.
      refused: known name that does not work -> reason and what to do instead.
      values: name -> value, where the value is not the name.
    """
    spellings = {name.lower(): name for name in names}
    spellings |= {other.lower(): name for other, name in synonyms.items()}
    reasons = {name.lower(): reason for name, reason in refused.items()}
    expected = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

    def convert(content: str) -> Any:
        written = content.lower()
        if written in spellings:
            name = spellings[written]
            return name if values is None else values[name]
        if written in reasons:
            raise ValueError(f"{reasons[written]} (expected {expected})")
        close = closest(written, spellings)
        hint = f". Did you mean {spellings[close]}?" if close else ""
        raise ValueError(f"expected {expected}{hint}")

    return Kind(expected, convert, choices=names)
