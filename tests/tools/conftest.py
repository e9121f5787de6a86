"""Files for the parsers."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def parser_data() -> Path:
    """Output of other programs, see its README.md."""
    return Path(__file__).parents[1] / "data" / "parsers"
