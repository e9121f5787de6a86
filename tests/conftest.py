"""Shared by all tests: few threads, and the folders of reference data."""

import importlib.util
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pytest

TESTS = Path(__file__).parent
GOLDEN = TESTS / "data" / "golden"
SHARED = TESTS.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Public reference data of the original project, see tests/data/golden/README.md."""
    return GOLDEN


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The larger data sets, beside a developer's checkout only."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared data sets in {SHARED}, which a plain clone does not have")
    return SHARED


@pytest.fixture
def without_package(monkeypatch):
    """A function that hides a package, as if it were not installed."""
    found = importlib.util.find_spec

    def hide(hidden: str) -> None:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name == hidden else found(name, *rest),
        )

    return hide
