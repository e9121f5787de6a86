"""Spread of a committee beside its errors, of numbers with a known relation."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from validation_cases import (
    COMMITTEE,
    fact,
    judged,
    silicon,
    subject_of,
    without_plots,
    write_frames,
)

from panna.frames.example_file import read_example
from panna.potential.compiled import evaluate_frame, open_potential
from panna.report.level import Level
from panna.validation.section import NotPossible
from panna.validation.sections.committee import committee
from panna.validation.spread import frame_spreads, share_beyond

COUNT = 30


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """One test draws."""
    if request.function is not test_frames_of_largest_spread_are_named:
        without_plots(monkeypatch, sys.modules[committee.__module__])


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """The committee of the repository on frames that are moved more and more."""
    folder = tmp_path_factory.mktemp("committee")
    frames = {f"f{k:02}": silicon(seed=k, noise=0.01 + 0.01 * k) for k in range(COUNT)}
    return subject_of(folder, write_frames(folder / "test", frames), COMMITTEE)


def with_errors(subject, factor, random=None, forces=True, energies=True):
    """Errors are `factor` times the spread, times normal numbers if there is a generator."""
    test = subject.test

    def errors(std):
        return factor * std * (1.0 if random is None else random.normal(size=std.shape))

    return replace(
        subject,
        test=replace(
            test,
            energies=test.predicted_energies - errors(test.energies_std)
            if energies
            else np.full(len(test), np.nan),
            forces=test.predicted_forces - errors(test.forces_std)
            if forces
            else np.full(test.forces.shape, np.nan),
        ),
    )


def test_spreads_are_those_of_the_members(subject):
    """Against the members, evaluated one by one."""
    folder = subject.config["IO_INFORMATION"]["test_dir"]
    frame = read_example(folder / "f20.example")
    members = [evaluate_frame(open_potential(one), frame) for one in subject.folders]
    forces = np.array([one.forces for one in members])
    found = frame_spreads(subject.test, subject.species)[20]
    assert found.name == "f20" and found.n_atoms == 8
    deviations = np.sqrt(forces.var(0, ddof=1).sum(1))
    assert found.force_std_max == pytest.approx(deviations.max(), rel=1e-9)
    assert found.atom == deviations.argmax() and found.symbol == "Si"
    assert found.force_std == pytest.approx(np.sqrt(forces.var(0, ddof=1).mean()), rel=1e-9)
    energies = [one.energy for one in members]
    assert found.energy_std == pytest.approx(np.std(energies, ddof=1) / 8, rel=1e-9)


@pytest.mark.parametrize(
    "factor, level",
    [(1.0, Level.GOOD), (2.9, Level.DOUBTFUL), (8.0, Level.BAD), (0.3, Level.DOUBTFUL),
     (0.1, Level.BAD)],
)  # fmt: skip
def test_calibration_that_is_known(subject, factor, level):
    content = committee(with_errors(subject, factor))
    for key in ("energy", "force"):
        assert fact(content, f"{key}_calibration") == pytest.approx(factor)
        assert fact(content, f"{key}_rank") == pytest.approx(1.0)
        assert fact(content, f"{key}_beyond") == (100.0 if factor > 3 else 0.0)
    found = judged(content, "committee_calibration")
    assert [one.value for one in found] == pytest.approx([max(factor, 1 / factor)] * 2)
    assert {one.level for one in found} == {level}
    assert fact(content, "component_rank") == pytest.approx(1.0)
    if factor > 2:
        assert "too sure" in found[0].advice and f"by {factor:.2g}" in found[0].advice


def test_normal_errors_of_the_size_of_the_spread(subject):
    content = committee(with_errors(subject, 1.0, np.random.default_rng(2)))
    assert fact(content, "force_calibration") == pytest.approx(1.0, abs=0.15)
    assert 0.2 < fact(content, "component_rank") < 0.9
    assert all(one.level == Level.GOOD for one in judged(content, "committee_calibration"))


def test_frames_of_largest_spread_are_named(subject):
    content = committee(with_errors(subject, 1.0))
    spreads = np.linalg.norm(subject.test.forces_std, axis=1).reshape(COUNT, 8).max(1)
    expected = [f"f{k:02}" for k in np.argsort(-spreads)]
    (table,) = content.tables
    assert [row[0] for row in table.rows] == expected[:20]
    assert table.rows[0][2] == pytest.approx(spreads.max())
    assert any(expected[0] in one for one in content.sentences())
    assert len(content.data["frames"]) == COUNT
    assert "standard deviation of the members" in content.plots[0].svg
    json.dumps(content.data, allow_nan=False)


def test_a_spread_that_points_the_wrong_way(subject):
    """Calibrated as a whole, but the frames of small spread are those of large error."""
    test = subject.test
    order = np.argsort(test.energies_std)
    errors = np.empty(COUNT)
    errors[order] = test.energies_std[order][::-1]
    content = committee(
        replace(subject, test=replace(test, energies=test.predicted_energies - errors))
    )
    assert fact(content, "energy_rank") == pytest.approx(-1.0)
    assert fact(content, "energy_calibration") == pytest.approx(1.0)
    assert "does not tell which frames have wrong energies" in content.sentences()[0]
    assert content.level == Level.DOUBTFUL


def test_a_constant_shift_is_told(subject):
    shifted = replace(
        subject.test, energies=subject.test.predicted_energies - 2.0 * subject.test.n_atoms
    )
    content = committee(replace(subject, test=shifted))
    assert "about 2 eV/atom" in content.sentences()[0]
    assert content.level == Level.DOUBTFUL
    assert not judged(content, "committee_calibration")  # forces have no reference here


def test_without_references(subject):
    content = committee(with_errors(subject, 1.0, forces=False, energies=False))
    assert content.level == Level.DOUBTFUL and not content.plots
    assert "spreads only" in content.sentences()[0]
    assert fact(content, "energy_beyond") is None
    assert all(row[5] is None and row[7] is None for row in content.tables[0].rows)


def test_members_that_are_all_the_same(subject):
    test = subject.test
    none = replace(
        test,
        energies_std=0 * test.energies_std,
        forces_std=0 * test.forces_std,
        energies=test.predicted_energies - 0.1,
        forces=test.predicted_forces - 0.1,
    )
    content = committee(replace(subject, test=none))
    assert content.level == Level.BAD and "different seeds" in content.sentences()[0]
    assert fact(content, "force_calibration") is None
    json.dumps([one.to_dict() for one in content.judgements], allow_nan=False)


def test_a_single_network(tmp_path):
    folder = write_frames(tmp_path / "test", {"a": silicon()})
    with pytest.raises(NotPossible, match="member_1"):
        committee(subject_of(tmp_path, folder))


def test_share_beyond():
    assert share_beyond([1, 1, 1, 1], [2.9, -3.1, np.nan, 0]) == pytest.approx(100 / 3)
