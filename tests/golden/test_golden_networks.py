"""Networks and descriptors written by PANNA v1: energies and forces as published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from panna.network.evaluate import atomic_energies, energies_and_gradients, stored_forces
from panna.potential.panna_networks import read_networks

NETWORKS = Path(__file__).parents[1] / "data" / "golden" / "networks"
EXPECTED = json.loads((NETWORKS / "expected.json").read_text())
PUBLISHED = EXPECTED["published_in_tests"]

# eV: the same float32 data evaluated in float64 by an independent program.
SAME_DATA = 1e-10
# eV/angstrom, likewise; sums over 4600 products of float32 numbers.
SAME_FORCES = 1e-9


def records(name: str):
    pytest.importorskip("tensorflow")
    from panna.storage.tfrecord import read_tfrecord

    (path,) = (NETWORKS / name / "train_data").glob("*.tfrecord")
    return list(read_tfrecord(path))


@pytest.mark.parametrize("name", ["test_1", "test_2"])
def test_energies_of_exported_networks(name):
    model = read_networks(NETWORKS / name / "saved_networks")
    found = records(name)
    assert len(found) == len(EXPECTED[name])
    for record, expected in zip(found, EXPECTED[name], strict=True):
        assert record.species.tolist() == expected["species"]
        assert record.energy == pytest.approx(expected["energy_ref_float32"], abs=1e-9)
        offsets = model.offsets[record.species]
        assert offsets.sum() == pytest.approx(expected["offset_sum"], abs=1e-9)
        energies = atomic_energies(model, record.species, record.descriptors) - offsets
        worst = np.abs(energies - expected["atomic_energies"]).max()
        # Offsets up to 2042 eV are added and taken away again: 5e-13 each.
        assert worst < SAME_DATA, f"atomic energies differ by {worst:.1e} eV"
        assert energies.sum() == pytest.approx(expected["energy_nn_without_offset"], abs=1e-9)


def test_published_energies_of_the_first_network():
    model = read_networks(NETWORKS / "test_1" / "saved_networks")
    for record, energy in zip(
        records("test_1"), PUBLISHED["test_1_energies_without_offset"], strict=True
    ):
        found = atomic_energies(model, record.species, record.descriptors)
        assert found.sum() - model.offsets[record.species].sum() == pytest.approx(energy, rel=1e-7)


def test_published_energies_of_the_second_network():
    model = read_networks(NETWORKS / "test_2" / "saved_networks")
    published = PUBLISHED["test_2_energies_without_offset_atol_1e-3"]
    for record, energy in zip(records("test_2"), published, strict=True):
        found = atomic_energies(model, record.species, record.descriptors)
        # The tolerance of the published test itself.
        assert found.sum() - model.offsets[record.species].sum() == pytest.approx(energy, abs=1e-3)


def test_forces_from_stored_derivatives():
    model = read_networks(NETWORKS / "test_2" / "saved_networks")
    for record, expected in zip(records("test_2"), EXPECTED["test_2"], strict=True):
        _, gradients = energies_and_gradients(model, record.species, record.descriptors)
        forces = stored_forces(record, gradients)
        worst = np.abs(forces - expected["forces_nn"]).max()
        assert worst < SAME_FORCES, f"forces differ by {worst:.1e} eV/angstrom"
