"""Scripts and ini files of the examples."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def scripts_of(folder: Path, names: Sequence[str]) -> Iterator[dict[str, ModuleType]]:
    """The scripts of an example, by their names; forgotten afterwards, as others have the same."""
    sys.path.insert(0, str(folder))
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(folder))
    for name in names:
        sys.modules.pop(name, None)


def with_values(text: str, **values: str) -> str:
    """The text of an ini file; keys that it has get these values."""
    for key, value in values.items():
        text = re.sub(f"(?m)^{key} = .*", f"{key} = {value}", text)
    return text
