"""Potentials and the LAMMPS that the tests of molecular dynamics share."""

from __future__ import annotations

from pathlib import Path

import pytest
from descriptor_cases import DESCRIPTORS
from lammps_runs import require_lammps

from panna.descriptors.parameters import DescriptorParameters
from panna.network.initialise import initial_network
from panna.network.parameters import Model
from panna.potential.panna_in import write_potential


@pytest.fixture(autouse=True, scope="session")
def lammps():
    """Every test here runs LAMMPS."""
    require_lammps()


def random_potential(folder: Path, descriptor: DescriptorParameters, seed: int = 1) -> Path:
    """A potential with random networks; energies of atoms spread over some tenths of an eV."""
    networks = [
        initial_network(
            descriptor.size,
            (9, 5, 1),
            ("gaussian", "tanh", "linear"),
            (True,) * 3,
            seed=seed,
            symbol=symbol,
            spread=0.3,
        )
        for symbol in descriptor.species
    ]
    offsets = [-100.0 - 3.7 * k for k in range(len(networks))]
    model = Model(descriptor.species, descriptor.to_dict(), networks, offsets)
    write_potential(model, folder)
    return folder


@pytest.fixture(scope="session", params=["mBP", "mBP, like pairs twice, Rc_ang > Rc_rad", "BP"])
def any_potential(request, tmp_path_factory) -> Path:
    """Potentials of three species: Si, O, H."""
    return random_potential(tmp_path_factory.mktemp("potential"), DESCRIPTORS[request.param])


@pytest.fixture(scope="session")
def potential(tmp_path_factory) -> Path:
    """A potential of three species: Si, O, H."""
    return random_potential(tmp_path_factory.mktemp("potential"), DESCRIPTORS["mBP"])
