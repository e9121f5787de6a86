"""Potentials and the LAMMPS that the tests of molecular dynamics share."""

from __future__ import annotations

from pathlib import Path

import pytest
from descriptor_cases import DESCRIPTORS
from lammps_runs import require_lammps
from model_cases import random_potential


@pytest.fixture(autouse=True, scope="session")
def lammps():
    """Every test here runs LAMMPS."""
    require_lammps()


@pytest.fixture(scope="session", params=["mBP", "mBP, like pairs twice, Rc_ang > Rc_rad", "BP"])
def any_potential(request, tmp_path_factory) -> Path:
    """Potentials of three species: Si, O, H."""
    return random_potential(tmp_path_factory.mktemp("potential"), DESCRIPTORS[request.param])


@pytest.fixture(scope="session")
def potential(tmp_path_factory) -> Path:
    """A potential of three species: Si, O, H."""
    return random_potential(tmp_path_factory.mktemp("potential"), DESCRIPTORS["mBP"])
