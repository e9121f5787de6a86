"""docs/keys.md is what the schemas say, and they say something about every key."""

from pathlib import Path

import pytest

from panna.config.keys_page import PROGRAMS, page

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page() + "\n", "run the command that the page names"


@pytest.mark.parametrize("schema", PROGRAMS, ids=lambda s: s.program)
def test_every_key_has_a_meaning(schema):
    sections = [*schema.sections, *filter(None, [schema.species_section])]
    silent = [
        f"[{section.name}] {key.name}"
        for section in sections
        for key in section.keys
        if not (key.meaning or key.refused or key.obsolete)
    ]
    assert silent == []
