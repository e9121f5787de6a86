"""Errors on test sets whose errors are known."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from validation_cases import judged, silicon, subject_of, without_plots, write_frames

from panna.evaluation.errors import Spread
from panna.report.level import Level
from panna.validation.sections.errors import errors

TINY = 1e-9  # eV/angstrom


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    without_plots(
        monkeypatch, sys.modules[errors.__module__], sys.modules["panna.validation.parity"]
    )


@pytest.fixture
def subject(tmp_path):
    """Six perfect crystals of a curve E(V), in two groups, without references."""
    folder = tmp_path / "test"
    for k, scale in enumerate(np.linspace(0.97, 1.03, 6)):
        write_frames(folder, {f"f{k}": silicon(scale, noise=0)}, "ab"[k % 2])
    return subject_of(tmp_path, folder)


def referred(subject, **references):
    return errors(replace(subject, test=replace(subject.test, **references)))


def tiny(shape):
    return TINY * np.random.default_rng(1).normal(size=shape)


def test_forces_that_are_zero_by_symmetry_are_not_judged(subject):
    test = subject.test
    energies = test.predicted_energies - 0.0004 * test.n_atoms
    content = referred(subject, energies=energies, forces=tiny(test.forces.shape))
    assert content.verdict == "good"
    assert judged(content, "energy_rmse")[0].level == Level.GOOD
    assert not judged(content, "force_rmse")
    assert "reference forces are zero" in content.sentences()[-1]


def test_forces_that_are_zero_are_known(subject):
    content = referred(subject, forces=np.zeros_like(subject.test.forces))
    assert content.verdict == "not judged"
    (one,) = content.judgements
    assert one.level == Level.NOTE and "reference forces are zero" in one.sentence


def test_forces_that_are_not_zero_are_judged(subject):
    forces = subject.test.predicted_forces + np.array([0.1, 0, 0])
    (one,) = judged(referred(subject, forces=forces), "force_rmse")
    assert one.level == Level.BAD and one.value == pytest.approx(100)


def test_no_references_at_all(subject):
    content = errors(subject)
    assert content.level == Level.BAD and "Neither energies nor forces" in content.sentences()[0]


def test_the_worst_frames_are_those_of_the_largest_force_error_of_an_atom(tmp_path):
    """Frames of different sizes; one without forces."""
    folder = tmp_path / "test"
    frames = {"a": silicon(), "b": silicon(repeat=2), "c": silicon(), "d": silicon(seed=2)}
    subject = subject_of(tmp_path, write_frames(folder, frames))
    test = subject.test
    shift = np.zeros(test.forces.shape)
    for frame, size in enumerate((0.2, 0.3, np.nan, 0.1)):
        last = np.flatnonzero(test.frame == frame)[-1]
        shift[last, 1] = size
        shift[test.frame == frame] += np.nan if np.isnan(size) else 0
    content = referred(subject, forces=test.predicted_forces - shift)
    (table,) = (table for table in content.tables if table.key == "worst")
    assert [row[0] for row in table.rows] == ["b", "a", "d", "c"]
    found = [row[3] for row in table.rows]
    assert found[:3] == pytest.approx([0.3, 0.2, 0.1]) and found[3] is None


def test_errors_are_calculated_once_however_many_frames_there_are(subject, monkeypatch):
    """What takes all atoms for each frame, or group, takes hours for large test sets."""
    test = replace(subject.test, forces=tiny(subject.test.forces.shape))
    assert test.force_errors is test.force_errors
    assert test.energy_errors is test.energy_errors
    assert test.stress_errors is test.stress_errors
    seen = []
    of = Spread.of
    monkeypatch.setattr(Spread, "of", lambda values: seen.append(len(values)) or of(values))
    errors(replace(subject, test=test))
    # Three of all, one for the species, three for each of two groups.
    assert len(seen) == 3 + 1 + 3 * 2
