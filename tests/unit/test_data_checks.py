"""Warnings about training data: each for what it is meant for, none for sound data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_cases import OFFSETS, TWO_SPECIES, records, write_data, write_ini

from panna import train
from panna.training.data_checks import SHOWN, DataChecks
from panna.training.statistics import collect

SPECIES = ("Si", "O")
FRAMES, ATOMS, COMPONENTS = 60, 4, 3


def sound_batch(frames: int = FRAMES, seed: int = 0) -> dict:
    """Frames of two Si and two O: every atom has its successor, 1.6 angstrom away, as neighbour."""
    random = np.random.default_rng(seed)
    atoms = frames * ATOMS
    vectors = random.normal(size=(atoms, 3))
    vectors *= 1.6 / np.linalg.norm(vectors, axis=1, keepdims=True)
    begin = np.repeat(np.arange(frames) * ATOMS, ATOMS)
    return {
        "name": np.array([f"f{k}".encode() for k in range(frames)], object),
        "n_atoms": np.full(frames, ATOMS),
        "energy": random.normal(size=frames) - 1000,
        "species": np.tile([0, 1, 0, 1], frames).astype(np.int32),
        "frame_of_atom": np.repeat(np.arange(frames), ATOMS),
        "descriptors": random.uniform(1, 2, size=(atoms, COMPONENTS)).astype(np.float32),
        "forces": random.normal(size=(atoms, 3)).astype(np.float32),
        "first": np.arange(atoms + 1),
        "index": begin + (np.arange(atoms) + 1) % ATOMS,
        "vectors": vectors,
    }


def copy_frame(batch: dict, source: int, target: int, *names: str) -> None:
    for name in names:
        rows = 1 if name == "energy" else ATOMS
        array = batch[name]
        array[target * rows : (target + 1) * rows] = array[source * rows : (source + 1) * rows]


def parts(batch: dict, size: int) -> list[dict]:
    """The batch in batches of `size` frames."""
    frames, result = len(batch["energy"]), []
    for start in range(0, frames, size):
        some = slice(start, start + size)
        atoms = slice(start * ATOMS, (start + size) * ATOMS)
        part = {k: batch[k][some] for k in ("name", "n_atoms", "energy")}
        part |= {k: batch[k][atoms] for k in ("species", "descriptors", "forces", "vectors")}
        n = len(part["species"])
        part["frame_of_atom"] = np.repeat(np.arange(n // ATOMS), ATOMS)
        part["first"] = np.arange(n + 1)
        part["index"] = batch["index"][atoms] - start * ATOMS
        result.append(part)
    return result


def warnings(batch: dict, species=SPECIES, size: int = 7, validation=None) -> list[str]:
    checks = DataChecks(species)
    statistics = collect(parts(batch, size), len(species), COMPONENTS, watch=checks.add)
    names = [name.decode() for name in batch["name"]]
    return checks.warnings(
        statistics, np.zeros(len(species)), lambda some: [names[k] for k in some], validation
    )


def the_one(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_sound_data_cause_no_warning():
    assert warnings(sound_batch()) == []


@pytest.mark.parametrize("size", [1, 7, FRAMES])
def test_copies_of_a_frame_are_named_with_their_original(size):
    batch = sound_batch()
    for target in (9, 20, 31, 42, 53):
        copy_frame(batch, 3, target, "energy", "descriptors", "forces", "vectors")
    text = the_one(warnings(batch, size=size))
    assert text.startswith("5 frames with atoms, energy and descriptors of an earlier one: ")
    assert "f9 (as f3), f20 (as f3), f31 (as f3) and 2 more." in text


def test_a_rotated_crystal_is_no_copy():
    batch = sound_batch()
    copy_frame(batch, 3, 9, "energy", "descriptors")
    assert warnings(batch) == []


def test_frames_that_differ_in_energy_only_are_named():
    batch = sound_batch()
    copy_frame(batch, 3, 9, "descriptors", "forces", "vectors")
    batch["energy"][9] = batch["energy"][3] + 0.1
    text = the_one(warnings(batch))
    assert "but another energy: f9 (as f3)" in text and "No network can fit both" in text


@pytest.mark.parametrize("size", [1, 7, FRAMES])
def test_close_atoms_are_named_worst_first(size):
    batch = sound_batch()
    # Covalent radii: Si 1.11, O 0.66; 60 % of their sum is 1.06.
    for frame, length in ((5, 1.0), (50, 0.4), (17, 0.7), (33, 0.9), (34, 1.07)):
        batch["vectors"][frame * ATOMS + 1] *= length / 1.6
    text = the_one(warnings(batch, size=size))
    assert text.startswith("4 frames have atoms closer than 60% of the sum of their covalent radii")
    assert (
        "f50 (O-Si 0.40 angstrom), f17 (O-Si 0.70 angstrom), f33 (O-Si 0.90 angstrom) and 1 more"
        in text
    )


def test_distances_of_unknown_species_are_not_judged():
    batch = sound_batch()
    batch["vectors"] *= 0.1
    assert warnings(batch, species=("A1", "A2")) == []


def test_outlying_energies_are_named_worst_first():
    batch = sound_batch()
    batch["energy"][[7, 40]] += (-300, 500)
    text = the_one(warnings(batch))
    assert text.startswith("2 frames have energies far from the others")
    assert 0 < text.index("f40 (+12") < text.index("f7 (-7")


def test_outlying_forces_are_named():
    batch = sound_batch()
    batch["forces"][12 * ATOMS + 2] = (0, 0, 120)
    text = the_one(warnings(batch))
    assert "1 frame has forces far larger" in text and "f12 (120 eV/angstrom)" in text


def test_many_frames_far_from_the_median_are_a_kind_of_their_own():
    batch = sound_batch()
    batch["energy"][: FRAMES // 5] += 500
    batch["forces"][: FRAMES // 5 * ATOMS] *= 100
    assert warnings(batch) == []


def test_a_median_deviation_of_zero_makes_no_outliers_of_small_differences():
    batch = sound_batch()
    batch["energy"][:] = -1000
    batch["energy"][0] += ATOMS * 0.019  # 20 times the least spread of 1 meV/atom is 20 meV/atom
    assert warnings(batch) == []
    batch["energy"][0] += ATOMS * 0.002
    assert "f0 (+0.021 eV/atom)" in the_one(warnings(batch))


def test_constant_and_dead_components_are_counted_per_species():
    batch = sound_batch()
    silicon = batch["species"] == 0
    batch["descriptors"][silicon, 1] = 0.7
    batch["descriptors"][silicon, 2] = 0.0
    text = the_one(warnings(batch))
    assert "the same for all atoms of a species: Si 2 of 3 (1 of them 0). They tell" in text
    batch["descriptors"][~silicon, 0] = 0.0
    assert ": Si 2 of 3 (1 of them 0), O 1 of 3 (all 0). " in the_one(warnings(batch))


def test_equal_environments_of_a_species_are_told():
    batch = sound_batch()
    batch["descriptors"][batch["species"] == 1] = (0.3, 1.1, 0.9)
    assert "all atoms of O have the same descriptor" in the_one(warnings(batch))


def test_species_without_atoms_are_named_also_if_validation_has_them():
    batch = sound_batch()
    text = the_one(warnings(batch, species=("Si", "O", "Fe")))
    assert "the descriptor has Fe, but the training set has no such atoms" in text
    other = sound_batch(seed=1)
    other["species"][0] = 2
    validation = collect(parts(other, 7), 3, COMPONENTS)
    found = warnings(batch, species=("Si", "O", "Fe"), validation=validation)
    assert len(found) == 2
    assert "the validation set has atoms of Fe, the training set has none" in found[1]


@pytest.mark.parametrize(("cache", "source"), [(True, "stored"), (False, "on_the_fly")])
def test_panna_train_shows_the_warnings_and_trains(cache, source, tmp_path, capsys):
    some = records(TWO_SPECIES, 30)
    some[7] = replace(some[1], name="again")
    # A frame whose atoms came closer after its descriptors were calculated.
    some[12] = replace(some[12], positions=some[12].positions * 0.3, pbc=np.zeros(3, bool))
    some[20] = replace(some[20], energy=some[20].energy + 1e4)
    data = write_data(tmp_path / "data", some)
    keys = {
        "TRAINING_PARAMETERS__derivatives": source,
        "TRAINING_PARAMETERS__max_epochs": "1",
        "PARALLELIZATION__dataset_cache": cache,
        "DATA_INFORMATION__atomic_sequence": ", ".join(OFFSETS),
        "DATA_INFORMATION__output_offset": ", ".join(map(str, OFFSETS.values())),
    }
    assert train.main(["-c", str(write_ini(tmp_path / "train.ini", data, **keys))]) == 0
    out = capsys.readouterr().out
    assert "warning: 1 frame with atoms, energy and descriptors of an earlier one: again (as" in out
    assert "warning: 1 frame has energies far from the others" in out and "frame20 (" in out
    assert "1 frame has atoms closer than 60% of the sum of their covalent radii: frame12 (" in out
    assert out.count("warning: ") <= SHOWN


def test_panna_train_says_nothing_about_sound_data(tmp_path, capsys):
    data = write_data(tmp_path / "data", records(TWO_SPECIES, 12))
    validation = write_data(tmp_path / "validation", records(TWO_SPECIES, 3, first=12))
    assert train.main(["-c", str(write_ini(tmp_path / "train.ini", data, validation))]) == 0
    assert "warning" not in capsys.readouterr().out
