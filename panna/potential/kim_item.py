"""A potential as a portable model of the KIM API: the files round panna.in and its weights.

Formats: the KIM API's CMake functions for items, and kimspec.edn as openkim.org describes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from panna.errors import PotentialError
from panna.files import atomic_write
from panna.network.parameters import Model
from panna.potential.panna_in import descriptor_of
from panna.potential.published import PUBLISHED, published_readers

DRIVERS = {
    "panna": "PANNA_Core__MD_000000000000_000",
    "published": "PANNA__MD_805652781592_000",
}
FILES = ("CMakeLists.txt", "kimspec.edn", "LICENSE", "README.md")
CITATION = (
    "R. Lot, F. Pellegrini, Y. Shaidu, E. Kucukbenli, PANNA: Properties from Artificial Neural "
    "Network Architectures, Comput. Phys. Commun. 256, 107402 (2020)"
)

CMAKE = """\
cmake_minimum_required(VERSION 3.10)

list(APPEND CMAKE_PREFIX_PATH $ENV{{KIM_API_CMAKE_PREFIX_DIR}})
find_package(KIM-API-ITEMS 2.2 REQUIRED CONFIG)

kim_api_items_setup_before_project(ITEM_TYPE "portableModel")
project({name} LANGUAGES CXX)
kim_api_items_setup_after_project(ITEM_TYPE "portableModel")

add_kim_api_model_library(
  NAME ${{PROJECT_NAME}}
  DRIVER_NAME "{driver}"
  PARAMETER_FILES {files}
)
"""

README = """\
# {title}

{description}

| | |
|---|---|
| species | {species} |
| model driver | {driver} |
| descriptor | {descriptor}, {size} components |
| networks | {networks} |
| cutoff | {cutoff:g} angstrom |
| units of the files | eV, angstrom |

Install with `kim-api-collections-management install user {name}`.

Made with PANNA: {citation}.
"""

MIT = """\
MIT License

Copyright (c) {year} {holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def check_driver(model: Model, driver: str) -> None:
    """Raises PotentialError where the published driver cannot run a model; ours runs all."""
    if driver != "published":
        return
    (verdict,) = [v for v in published_readers(model, 0) if v.reader == PUBLISHED[0].name]
    if not verdict.reads:
        raise PotentialError(
            f"[KIM] kim_driver = published, but the {verdict.reader} cannot run this model: "
            f"{'; '.join(verdict.reasons)}. Use kim_driver = panna"
        )


def write_kim_item(
    model: Model, folder: Path, potential: Sequence[Path], metadata: Mapping[str, Any]
) -> list[Path]:
    """Writes what KIM needs beside a potential.

    Args:
      folder: holds the potential.
      potential: its files, panna.in first, then the weights in the order of the species.
      metadata: the keys of section [KIM].
    Returns:
      The files written.
    Raises:
      PotentialError: the file of the licence cannot be read.
    """
    driver = DRIVERS[metadata["kim_driver"]]
    if metadata["kim_driver"] == "published":  # takes weights by their places, and nothing else
        potential = [path for path in potential if not path.name.startswith("ranges_")]
    species, title = " ".join(model.species), _title(model, metadata)
    parameters = descriptor_of(model)
    one = model.networks[0]
    texts = {
        "CMakeLists.txt": CMAKE.format(
            name=metadata["item_name"],
            driver=driver,
            files=" ".join(f'"{path.name}"' for path in potential),
        ),
        "kimspec.edn": _kimspec(model, driver, metadata),
        "LICENSE": _licence(metadata),
        "README.md": README.format(
            name=metadata["item_name"],
            title=title,
            description=metadata["description"] or f"Neural-network potential for {species}.",
            species=species,
            driver=driver,
            descriptor=parameters.type,
            size=parameters.size,
            networks=":".join(map(str, (one.g_size, *one.sizes)))
            + ", "
            + ":".join(one.activations),
            cutoff=parameters.cutoff,
            citation=CITATION,
        ),
    }
    for name, text in texts.items():
        with atomic_write(folder / name, "w") as file:
            file.write(text)
    return [folder / name for name in texts]


def _title(model: Model, metadata: Mapping[str, Any]) -> str:
    return metadata["title"] or f"PANNA neural-network potential for {' '.join(model.species)}"


def _kimspec(model: Model, driver: str, metadata: Mapping[str, Any]) -> str:
    """An EDN map; strings and vectors of strings are written as in JSON."""
    entries: dict[str, Any] = {
        "extended-id": metadata["item_name"],
        "model-driver": driver,
        "kim-api-version": "2.3",
        "domain": "openkim.org",
        "title": _title(model, metadata),
        "description": metadata["description"],
        "species": sorted(model.species),
        "potential-type": "neural network",
        "developer": metadata["developers"],
        "contributor-id": metadata["contributor"],
        "maintainer-id": metadata["maintainer"] or metadata["contributor"],
        "content-origin": metadata["content_origin"],
        "doi": metadata["doi"],
        "publication-year": str(date.today().year),
        "source-citations": [CITATION],
    }
    lines = [
        f"{json.dumps(key)} {json.dumps(list(value) if isinstance(value, tuple) else value)}"
        for key, value in entries.items()
        if value not in (None, "", ())
    ]
    return "{" + "\n ".join(lines) + "}\n"


def _licence(metadata: Mapping[str, Any]) -> str:
    path = metadata["licence_file"]
    if path is None:
        holders = ", ".join(metadata["developers"]) or "the authors of this model"
        return MIT.format(year=date.today().year, holders=holders)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PotentialError(
            f"{path}: cannot be read ({error}); licence_file of section [KIM] must be a text file"
        ) from error
