"""How often pictures are drawn, and of what."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from training_cases import ONE_SPECIES, records, write_data

from panna.storage.dataset import open_dataset
from panna.training.board import cadence, sample
from panna.training.board.cadence import SHARE, Cadence
from panna.training.board.sample import choose_sample

MODEL = SimpleNamespace(scale_mean=None)  # all that counts of it


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(cadence, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def times_due(clock: Clock, one: Cadence, epochs: int, epoch_time: float, cost: float) -> list[int]:
    """The epochs at whose end something that costs so much is due."""
    found = []
    for epoch in range(1, epochs + 1):
        clock.now += epoch_time
        if one.due(epoch, epoch == epochs):
            with one.measured():
                clock.now += cost
            found.append(epoch)
    return found


def test_long_trainings_are_looked_at_as_often_as_wanted(clock):
    found = times_due(clock, Cadence(95, 10, cost=0.5), 95, epoch_time=1000.0, cost=0.5)
    assert found == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    clock.now = 0.0
    assert times_due(clock, Cadence(3, 10, cost=0.5), 3, 1000.0, 0.5) == [1, 2, 3]


def test_short_trainings_are_not_held_up(clock):
    assert times_due(clock, Cadence(100, 10, cost=0.5), 100, epoch_time=0.1, cost=0.5) == [100]
    clock.now = 0.0
    found = times_due(clock, Cadence(200, 50, cost=0.05), 200, epoch_time=1.0, cost=0.6)
    # All but the last time, which is due in any case, stay within their share.
    assert 1 < len(found) < 50 and found[-1] == 200
    assert (len(found) - 1) * 0.6 <= SHARE * clock.now


def test_the_sample_is_bounded_and_fixed_by_the_seed(tmp_path, monkeypatch):
    # Frames of 14, 14 and 3 atoms in turn, or the like.
    files = write_data(tmp_path / "data", records(ONE_SPECIES, 30)).iterdir()
    data = open_dataset(list(files), 1, ONE_SPECIES.size, "on_the_fly", batch_size=4)
    whole = choose_sample("train", data, 0, MODEL)
    assert whole.n_frames == 30 and "vectors" in whole.batch
    monkeypatch.setattr(sample, "MOST_FRAMES", 9)
    assert choose_sample("train", data, 0, MODEL).n_frames == 9
    monkeypatch.setattr(sample, "MOST_ATOMS", 50)
    one, same, other = (choose_sample("train", data, seed, MODEL).batch for seed in (0, 0, 1))
    n_atoms = one["n_atoms"].sum()
    assert n_atoms == len(one["species"]) and 50 - whole.batch["n_atoms"].max() < n_atoms <= 50
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert list(one["name"]) != list(other["name"])
    monkeypatch.setattr(sample, "MOST_ATOMS", 1)
    assert choose_sample("train", data, 0, MODEL).n_frames == 1
