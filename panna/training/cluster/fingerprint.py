"""What all processes of a training must have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import panna
from panna.config.reader import Config
from panna.training.data import TrainingData

# These may be others on every machine; the data are compared by their content.
OWN = ("IO_INFORMATION", "PARALLELIZATION", "CLUSTER", "VALIDATION_OPTIONS")
REMEDY = {
    "version": "install the same version of PANNA everywhere",
    "code": "the files of the package differ; install the same everywhere",
    "settings": "the sections on training and networks differ; use the same ini file everywhere",
    "training data": "data_dir must hold the same files everywhere",
    "validation data": "[VALIDATION_OPTIONS] data_dir must hold the same files everywhere",
}


def fingerprint(config: Config, data: TrainingData) -> dict[str, str]:
    """One short text for each of REMEDY."""
    settings = {name: values for name, values in config.sections.items() if name not in OWN}
    text = json.dumps([settings, config.species_sections], sort_keys=True, default=str)
    validation = "none" if data.validation is None else data.validation.index.digest()
    return {
        "version": panna.__version__,
        "code": _code(),
        "settings": hashlib.sha256(text.encode()).hexdigest()[:16],
        "training data": data.train.index.digest(),
        "validation data": validation,
    }


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What differs and what to do; empty if nothing does."""
    for what, remedy in REMEDY.items():
        if expected.get(what) != found.get(what):
            return (
                f"another {what} than on the chief: {found.get(what)} found, {expected.get(what)} "
                f"expected; {remedy}"
            )
    return ""


def _code() -> str:
    folder = Path(panna.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
