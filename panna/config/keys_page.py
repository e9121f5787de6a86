"""docs/keys.md, the reference of all keys, from the schemas:

python -m panna.config.keys_page >docs/keys.md
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from panna.config.evaluate import EVALUATE
from panna.config.extract import EXTRACT
from panna.config.gvect import GVECT
from panna.config.learning_curve import LEARNING_CURVE
from panna.config.schema import REQUIRED, SAME, Key, SameAs, Schema, Section
from panna.config.tfr import TFR
from panna.config.train import TRAIN
from panna.config.validate import VALIDATE
from panna.console import say

PROGRAMS = (GVECT, TFR, TRAIN, EVALUATE, EXTRACT, LEARNING_CURVE, VALIDATE)
HEAD = """\
# Keys of the ini files

Written by `python -m panna.config.keys_page >docs/keys.md`; do not edit.

Keys may be written in upper or lower case, names of sections not. Names in parentheses are other
names of the same key. Behind "v1:" stands the default where [TRAINING_PARAMETERS] says
defaults = v1. What PANNA v1 and v2 know beyond that is listed below each program, with the
reason why it does nothing here or is refused.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *(line for one in PROGRAMS for line in _program(one))])


def _program(schema: Schema) -> Iterator[str]:
    yield f"## {schema.program}\n"
    if schema.meaning:
        yield f"{schema.meaning[0].upper()}{schema.meaning[1:]}.\n"
    sections = [*schema.sections, *filter(None, [schema.species_section])]
    for section in sections:
        yield from _section(section)
    others = [(s, k) for s in sections for k in s.keys if k.refused or k.obsolete]
    if others:
        yield "### Keys without effect, and keys that are refused\n"
        yield "| section | key | |\n|---|---|---|"
        for section, key in others:
            verb = "refused" if key.refused else "without effect"
            reason = _cell(key.refused or key.obsolete)
            yield f"| {_cell(section.name)} | {key.name} | {verb}: {reason} |"
        yield ""


def _section(section: Section) -> Iterator[str]:
    keys = [key for key in section.keys if not (key.refused or key.obsolete)]
    if not keys:
        return
    meaning = f": {section.meaning}" if section.meaning else ""
    yield f"### [{section.name}]{meaning}\n"
    yield "| key | value | default | unit | meaning |\n|---|---|---|---|---|"
    for key in keys:
        name = " ".join([f"`{key.name}`", *(f"(`{other}`)" for other in key.aliases)])
        cells = [name, _value(key), _default(key), key.unit, key.meaning]
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
    yield ""


def _value(key: Key) -> str:
    expected = key.parse.expected
    return expected.removeprefix("an ").removeprefix("a ")


def _default(key: Key) -> str:
    text = _written(key, key.default)
    return text if key.v1 is SAME else f"{text}; v1: {_written(key, key.v1)}"


def _written(key: Key, value: Any) -> str:
    """A value as the ini file has it; None may have a word of its own, as in `auto or a number`."""
    if value is REQUIRED:
        return "**required**"
    if isinstance(value, SameAs):
        return f"that of `{value.key}`"
    if value is None:
        word = key.parse.expected.partition(" or ")[0]
        with suppress(ValueError):
            return word if key.parse(word) is None else ""
        return ""
    if value == () or value == "":
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str | PurePath) -> str:
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    say(page())
