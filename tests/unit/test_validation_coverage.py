"""Coverage of a test set by a training set, of sets whose answer is known."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from validation_cases import (
    MEMBER,
    fact,
    judged,
    silica,
    silicon,
    subject_of,
    without_plots,
    write_frames,
    write_silica,
)

from panna.potential.panna_in import read_potential, write_potential
from panna.report.level import Level
from panna.validation import coverage as science
from panna.validation import distances, frames
from panna.validation.coverage import Cover, Sample
from panna.validation.section import NotPossible
from panna.validation.sections.coverage import coverage

SEEDS = range(1, 17)


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """One test draws."""
    if request.function is not test_compressed_cells_are_uncovered_and_named:
        without_plots(monkeypatch, sys.modules[coverage.__module__])


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coverage") / "train"
    return write_frames(folder, {f"train_{seed}": silicon(seed=seed) for seed in SEEDS}, "warm")


def run(tmp_path, test_dir, training_dir, **keys):
    return coverage(subject_of(tmp_path, test_dir, training_dir=training_dir, **keys))


def without_ranges(folder):
    """The potential of silicon as an older version has written it."""
    model, _ = read_potential(MEMBER)
    return write_potential(replace(model, ranges=None), folder)[0].parent


# -- the section -----------------------------------------------------------------------------------


def test_the_training_set_covers_itself(tmp_path, training):
    content = run(tmp_path, training, training)
    assert fact(content, "uncovered") == 0
    assert judged(content, "uncovered")[0].level == Level.GOOD
    assert fact(content, "twins") == len(SEEDS)
    assert max(content.data["ratio_quantiles_0_to_100_percent"]) == 0
    assert any("may be in the training set" in one for one in content.sentences())


def test_new_frames_of_the_same_kind_are_covered_and_no_twins(tmp_path, training):
    test = {f"test_{seed}": silicon(seed=seed) for seed in range(20, 24)}
    content = run(tmp_path, write_frames(tmp_path / "test", test), training)
    assert fact(content, "uncovered") == 0 and fact(content, "twins") == 0
    assert 0 < np.median(content.data["ratio_quantiles_0_to_100_percent"]) < 1.5


def test_compressed_cells_are_uncovered_and_named(tmp_path, training):
    folder = tmp_path / "test"
    write_frames(folder, {f"normal_{k}": silicon(seed=30 + k) for k in range(3)}, "warm")
    write_frames(folder, {"squeezed": silicon(0.85, seed=40)}, "pressure")
    content = run(tmp_path, folder, training)
    assert fact(content, "uncovered") == pytest.approx(25.0)
    (one,) = judged(content, "uncovered")
    assert one.level == Level.BAD
    assert "group pressure" in one.advice and "squeezed" in one.advice
    assert "warm" not in one.advice and "normal" not in one.advice
    tables = {table.key: table for table in content.tables}
    name, group, atoms, uncovered = tables["frames"].rows[0][:4]
    assert (name, group, atoms, uncovered) == ("squeezed", "pressure", 8, 8)
    rows = {row[0]: row[2] for row in tables["groups"].rows}
    assert rows == {"pressure": 100.0, "warm": 0.0}
    assert len(content.plots) == 2 and all("<svg" in plot.svg for plot in content.plots)
    json.dumps(content.data, allow_nan=False)


def test_a_species_that_the_training_set_lacks(tmp_path):
    training = {f"t{k}": silica("SiO2", k) for k in range(6)}
    test = {"dry": silica("SiO2", 2), "wet": silica("SiO2H", 3)}
    subject = subject_of(
        tmp_path,
        write_frames(tmp_path / "test", test),
        write_silica(tmp_path / "potential"),
        training_dir=write_frames(tmp_path / "train", training),
    )
    content = coverage(subject)
    species = {row[0]: row for row in content.tables[0].rows}
    assert species["H"][1] == 0 and species["H"][-1] == 100.0
    assert species["O"][1] == 12 and species["Si"][1] == 6
    assert species["Si"][2] == 6
    (one,) = judged(content, "uncovered")
    assert one.level == Level.BAD and "wet" in one.advice and "dry" not in one.advice
    json.dumps(content.data, allow_nan=False)
    assert not judged(content, "outside")  # this potential knows no ranges


def test_forces_of_covered_and_uncovered_atoms(tmp_path, training):
    """References that differ from the prediction by 0.1 in one frame, by 0.5 in the new one."""
    folder = tmp_path / "test"
    write_frames(folder, {"a": silicon(seed=30), "b": silicon(0.85, seed=40)})
    subject = subject_of(tmp_path, folder, training_dir=training)
    test = subject.test
    shift = np.where(test.frame == 0, 0.1, 0.5)[:, None]
    subject = replace(subject, test=replace(test, forces=test.predicted_forces - shift))
    content = coverage(subject)
    assert fact(content, "covered_rmse") == pytest.approx(0.1)
    assert fact(content, "uncovered_rmse") == pytest.approx(0.5)
    assert fact(content, "rank") > 0.5


def test_ranges_alone(tmp_path):
    """Without a training folder the ranges of the potential count atoms outside."""
    folder = write_frames(tmp_path / "test", {"far": silicon(0.7)})
    content = coverage(subject_of(tmp_path, folder))
    (one,) = judged(content, "outside")
    assert one.level == Level.BAD and one.value == 100.0
    assert "far" in one.advice
    assert not judged(content, "uncovered") and not content.plots


def test_neither_folder_nor_ranges(tmp_path):
    folder = write_frames(tmp_path / "test", {"a": silicon()})
    with pytest.raises(NotPossible, match="training_dir"):
        coverage(subject_of(tmp_path, folder, without_ranges(tmp_path / "potential")))


@pytest.fixture
def unusable(tmp_path):
    """Training sets that cannot be used, and what is said about them."""
    (tmp_path / "empty").mkdir()
    return {
        tmp_path / "nowhere": "no such folder",
        tmp_path / "empty": "expected *.example files",
        write_frames(tmp_path / "one", {"a": silicon()}): "need two",
    }


def test_training_sets_that_cannot_be_used_without_ranges(tmp_path, training, unusable):
    potential = without_ranges(tmp_path / "potential")
    for folder, message in unusable.items():
        with pytest.raises(NotPossible, match=re.escape(message)):
            run(tmp_path, training, folder, potential=potential)


def test_ranges_are_judged_beside_a_training_set_that_cannot_be_used(tmp_path, unusable):
    test = write_frames(tmp_path / "test", {"far": silicon(0.7)})
    for folder, message in unusable.items():
        content = run(tmp_path, test, folder)
        (one,) = judged(content, "outside")
        assert one.level == Level.BAD and one.value == 100.0
        (other,) = (found for found in content.judgements if found is not one)
        assert other.level == Level.DOUBTFUL and message in other.sentence
        assert not judged(content, "uncovered")


def test_a_member_that_knows_no_ranges_is_left_out(tmp_path):
    """The others say which atoms are outside, wherever that member stands."""
    test = write_frames(tmp_path / "test", {"a": silicon(0.7), "b": silicon()})
    counts = []
    for number in (1, 2):
        committee = tmp_path / f"without_{number}"
        for k in (1, 2):
            shutil.copytree(MEMBER, committee / f"member_{k}")
        without_ranges(committee / f"member_{number}")
        counts.append(subject_of(tmp_path, test, committee).test.outside)
    alone = subject_of(tmp_path, test).test.outside
    assert alone.any()
    assert (np.array(counts) == alone).all()


def test_damaged_training_files_are_named_and_left_out(tmp_path, training):
    folder = tmp_path / "train"
    shutil.copytree(training, folder)
    (folder / "broken.example").write_text("{")
    atoms = silicon()
    atoms.symbols[0] = "Ge"
    write_frames(folder, {"alien": atoms})
    content = run(tmp_path, training, folder)
    assert fact(content, "training_frames") == len(SEEDS)
    assert fact(content, "uncovered") == 0
    text = " ".join(content.sentences())
    assert "2 files of the training set could not be used" in text and content.level > Level.NOTE


def test_a_test_set_that_changes_meanwhile(tmp_path, training):
    folder = write_frames(tmp_path / "test", {"a": silicon(), "b": silicon(seed=2)})
    subject = subject_of(tmp_path, folder, without_ranges(tmp_path / "old"), training_dir=training)
    (folder / "b.example").unlink()
    with pytest.raises(NotPossible, match="have changed"):
        coverage(subject)


def test_unreadable_test_files_do_not_shift_the_frames(tmp_path, training):
    folder = tmp_path / "test"
    write_frames(folder, {"a": silicon(seed=30), "z": silicon(0.85, seed=40)})
    (folder / "m.example").write_text("{")
    content = run(tmp_path, folder, training)
    tables = {table.key: table for table in content.tables}
    assert [row[0] for row in tables["frames"].rows] == ["z"]


def test_a_rare_kind_that_the_sample_misses_is_found_again(tmp_path, training, monkeypatch):
    """Distances are to a sample first, then, for atoms without a neighbour in it, to all."""
    folder = tmp_path / "train"
    shutil.copytree(training, folder)
    squeezed = silicon(0.85, seed=40)
    test = write_frames(tmp_path / "test", {"squeezed": squeezed})
    files = frames.training_files(subject_of(tmp_path, test, training_dir=folder))
    write_frames(folder, {files[len(files) - 1].stem: squeezed})
    monkeypatch.setattr(distances, "MOST_FRAMES", len(files) - 1)
    content = run(tmp_path, test, folder)
    assert fact(content, "again") > 0 and fact(content, "uncovered") == 0
    assert fact(content, "chosen") == "at random"
    monkeypatch.setattr(distances, "MOST_AGAIN", 0)
    assert fact(run(tmp_path, test, folder), "uncovered") == 100.0


def test_all_atoms_that_the_sample_misses_are_looked_for_again(tmp_path, monkeypatch):
    """However many they are: test frames that are training frames, most not in the sample."""
    folder = tmp_path / "train"
    names = [f"t{k:02}" for k in range(14)]
    write_frames(folder, {name: silicon(0.85, seed=k, repeat=3) for k, name in enumerate(names)})
    files = frames.training_files(subject_of(tmp_path, folder, training_dir=folder))
    test = tmp_path / "test"
    shutil.copytree(folder, test)
    for number in range(2):
        (test / files[number].name).unlink()
        write_frames(folder, {files[number].stem: silicon(seed=number)})
    monkeypatch.setattr(distances, "MOST_FRAMES", 2)
    monkeypatch.setattr(distances, "BLOCK", 1000)
    content = run(tmp_path, test, folder)
    assert fact(content, "uncovered") == 0
    assert fact(content, "again") == 14
    write_frames(test, {"new": silicon(0.7, repeat=3)})
    assert fact(run(tmp_path, test, folder), "uncovered") == pytest.approx(100 / 13)


# -- distances -------------------------------------------------------------------------------------


def sample_of(points, frame_of):
    sample = Sample(np.random.default_rng(3))
    for number in np.unique(frame_of):
        sample.add(points[frame_of == number], int(number))
    return sample


def test_distances_are_those_of_brute_force():
    random = np.random.default_rng(5)
    points = random.normal(size=(300, 12)) * np.geomspace(1, 0.1, 12) + 3
    frame_of = np.repeat(np.arange(10), 30)
    points[60:90] = points[60]  # a crystal: all atoms of a frame are the same
    cover = Cover.of(sample_of(points, frame_of))
    test = random.normal(size=(40, 12)) + 3
    scaled = points / points.std(0)
    expected = cdist(test / points.std(0), scaled).min(1)
    found = cover.distances(cover.coordinates(test))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    near = expected < science.FACTOR * cover.limit
    assert near.any() and not near.all()
    found = cover.distances_to(points, cover.coordinates(test))
    np.testing.assert_allclose(found, np.where(near, expected, np.inf), rtol=1e-9)
    apart = cdist(scaled, scaled)
    apart[frame_of[:, None] == frame_of] = np.inf
    np.testing.assert_allclose(np.sort(cover.own), np.sort(apart.min(1)), rtol=1e-9)
    assert cover.limit == pytest.approx(np.quantile(apart.min(1), 0.99))


def test_what_the_training_set_does_not_vary_is_seen():
    """A projection on the principal components of the training set would not."""
    random = np.random.default_rng(5)
    points = np.column_stack([random.normal(size=(200, 3)), np.full(200, 0.2)])
    cover = Cover.of(sample_of(points, np.repeat(np.arange(10), 20)))
    test = points[:1] + np.array([0, 0, 0, 0.1])
    assert cover.ratios(cover.distances(cover.coordinates(test)))[0] > science.FACTOR


def test_a_sample_is_fair(monkeypatch):
    monkeypatch.setattr(science, "MOST_ATOMS", 500)
    sample = Sample(np.random.default_rng(1))
    for number in range(100):
        sample.add(np.full((50, 1), float(number)), number)
    atoms, frame_of = sample.atoms()
    assert sample.seen == 5000 and len(atoms) == 500
    assert (atoms[:, 0] == frame_of).all()
    # 5 of each frame are expected, and 250 of the first half to within 5 standard deviations.
    assert abs((frame_of < 50).sum() - 250) < 55
    assert len(np.unique(frame_of)) > 90
    assert not Cover.of(sample).complete


def test_all_atoms_of_one_frame():
    cover = Cover.of(sample_of(np.random.default_rng(1).normal(size=(20, 3)), np.zeros(20)))
    assert cover.limit == 0
    assert cover.ratios(np.array([0.0, 0.1])).tolist() == [0.0, np.inf]
