"""Statistics and files of evaluate, with numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import mbp
from model_cases import a_model, labelled_frames, write_examples

from panna.errors import StorageError
from panna.evaluation import plots, tables
from panna.evaluation.errors import Extrapolation, Predictions, References, Spread, Statistics
from panna.evaluation.networks import NamedNetwork
from panna.evaluation.predict import predict
from panna.evaluation.structures import Structure, StructureSet
from panna.storage.bin_file import write_bin
from panna.storage.frame_record import describe

NAN = np.nan
REFERENCES = References(
    names=["one", "two"],
    groups=np.array(["a", "b"], dtype=object),
    n_atoms=np.array([1, 2]),
    species=np.array([0, 0, 1]),
    energies=np.array([-10.0, -30.0]),
    forces=np.array([[1.0, 0, 0], [0, 2.0, 0], [NAN, NAN, NAN]]),
)
PREDICTIONS = Predictions(
    energies=np.array([-9.0, -34.0]),
    offsets=np.array([-10.0, -20.0]),
    forces=np.array([[1.5, 0, 0], [0, 2.0, -1.0], [7.0, 7.0, 7.0]]),
)


def test_errors_by_hand():
    s = Statistics.of(REFERENCES, PREDICTIONS, ("Si", "O"))
    assert s.per_atom == Spread(2, np.sqrt(2.5), 1.5, 2.0, -0.5)
    assert s.total == Spread(2, np.sqrt(8.5), 2.5, 4.0, -1.5)
    assert s.worst_energy == "two"
    assert s.forces.count == 6  # components without reference do not count
    assert s.forces.rmse == pytest.approx(np.sqrt(1.25 / 6))
    assert s.forces.mae == pytest.approx(0.25)
    assert s.forces.max == 1.0 and s.worst_force == "two"
    assert list(s.forces_of_species) == ["Si"]
    assert s.groups["a"][0].mae == 1.0 and s.groups["b"][1].max == 1.0
    json.dumps(s.to_dict(), allow_nan=False)


def test_atoms_outside_the_training_set_are_told():
    s = Statistics.of(REFERENCES, replace(PREDICTIONS, outside=np.array([0, 2])), ("Si", "O"))
    assert s.extrapolation == Extrapolation(atoms=2, of=3, structures=1, worst="two")
    assert s.extrapolation.text() == "2 of 3 (67 %), in 1 structure, most in two"
    assert s.to_dict()["outside_training_range"]["atoms"] == 2
    none = Statistics.of(REFERENCES, replace(PREDICTIONS, outside=np.zeros(2, int)), ("Si", "O"))
    assert none.extrapolation.text() == "0 of 3 (0 %)"
    assert (
        "outside_training_range"
        not in Statistics.of(REFERENCES, PREDICTIONS, ("Si", "O")).to_dict()
    )


def test_units_are_in_the_names():
    energy = Statistics.of(REFERENCES, PREDICTIONS, ("Si", "O")).to_dict()["energy"]
    assert energy["mae_meV_per_atom"] == 1500 and energy["mae_eV"] == 2.5


def test_no_references_no_errors():
    unknown = replace(REFERENCES, energies=np.full(2, NAN), forces=np.full((3, 3), NAN))
    s = Statistics.of(unknown, PREDICTIONS, ("Si", "O"))
    assert s.per_atom is None and s.forces is None and not s.forces_of_species
    assert s.to_dict()["energy"] is None


def test_files_have_totals_with_or_without_reference_energies(tmp_path):
    path = tables.energies_file(tmp_path, "100")
    assert path.name == "100.dat" and tables.forces_file(tmp_path, "").name == "forces.dat"
    tables.write_energies(path, REFERENCES, PREDICTIONS)
    assert path.read_text().splitlines()[1:] == [
        "one 1 -10.0000000000 -9.0000000000",
        "two 2 -30.0000000000 -34.0000000000",
    ]
    tables.write_energies(path, REFERENCES, PREDICTIONS, add_offset=False)
    assert path.read_text().splitlines()[2] == "two 2 -10.0000000000 -14.0000000000"


@pytest.mark.parametrize("count", [1, 7, 10_000])
def test_plots_of_few_and_of_many_points(tmp_path, count):
    rng = np.random.default_rng(0)
    references = References(
        names=["x"] * count,
        groups=np.array([""] * count, dtype=object),
        n_atoms=np.ones(count, int),
        species=np.zeros(count, int),
        energies=rng.normal(size=count),
        forces=rng.normal(size=(count, 3)),
    )
    predictions = Predictions(references.energies + 0.1, np.zeros(count), references.forces.copy())
    assert plots.plot_energies(tmp_path / "e.png", "t", references, predictions)
    assert plots.plot_forces(tmp_path / "f.png", "t", references, predictions, ("Si",))
    unknown = replace(references, energies=np.full(count, NAN))
    assert not plots.plot_energies(tmp_path / "none.png", "t", unknown, predictions)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.png", "f.png"]


def test_structures_keep_their_order_and_subsets_theirs(tmp_path):
    frames = labelled_frames(6)
    data = StructureSet.open(write_examples(tmp_path, frames), "examples", ("Si", "O", "H"))
    assert [s.name for s in data] == [frame.name for frame in frames]
    part = data.subset(3, seed=1)
    names = [s.name for s in part]
    assert len(part) == 3 and names == sorted(names)
    assert len(data.subset(100, seed=1)) == 6


def test_large_and_small_structures_are_batched_alike(monkeypatch):
    """Results do not depend on how many structures are computed at once."""
    model = a_model()
    structures = [
        Structure("x", frame.name, np.array([model.species.index(s) for s in frame.species]),
                  frame=frame)
        for frame in labelled_frames(5)
    ]  # fmt: skip
    network = NamedNetwork("", "x", model)
    results = []
    for atoms in (1, 30, 1000):
        monkeypatch.setattr("panna.evaluation.predict.BATCH_ATOMS", atoms)
        results.append(list(predict([network], structures, forces=True, threads=1)))
    for (_, [one]), (_, [two]), (_, [three]) in zip(*results, strict=True):
        assert one.energy == pytest.approx(two.energy, abs=1e-10)
        np.testing.assert_allclose(one.forces, three.forces, atol=1e-12)


def test_stored_data_of_other_networks_are_refused(tmp_path):
    frame = labelled_frames(1)[0]
    write_bin(tmp_path / "a.bin", describe(frame, mbp()))
    other = mbp(species=("H", "O", "Si"))
    network = NamedNetwork("", "net", a_model(other))
    with pytest.raises(StorageError, match="made for the species Si, O, H"):
        list(predict([network], StructureSet.open(tmp_path, "single_files", other.species)))
    smaller = NamedNetwork("", "net", a_model(mbp(angles=4)))
    with pytest.raises(StorageError, match="111 components found"):
        list(predict([smaller], StructureSet.open(tmp_path, "single_files", ("Si", "O", "H"))))
