"""How examples are handed out to workers, be they processes or ranks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from descriptor_cases import mbp

from panna.storage import calculate
from panna.storage.calculate import Calculation, Outcome

WORKERS = 2
IN_ADVANCE = 4 * WORKERS
EXAMPLES = 50


class Examples(Sequence):
    """Remembers how many of them were asked for."""

    taken = 0

    def __len__(self):
        return EXAMPLES

    def __getitem__(self, number):
        if number >= EXAMPLES:
            raise IndexError
        self.taken = max(self.taken, number + 1)
        return Path(f"{number}.example")


@pytest.fixture
def pool():
    with ThreadPoolExecutor(WORKERS) as pool:
        yield pool


@pytest.fixture
def distribute(monkeypatch, tmp_path, pool):
    """Starts to hand out examples to threads that do `work` with each."""

    def call(work, examples):
        monkeypatch.setattr(calculate, "compute_one", lambda _, example: work(example))
        return calculate._distribute(Calculation(mbp(), tmp_path), examples, pool, WORKERS)

    return call


def test_one_slow_example_does_not_hold_the_others(distribute):
    others_done = threading.Event()
    alone = []

    def work(example):
        if example.stem == "0":
            alone.append(others_done.wait(timeout=20))
        return Outcome(example)

    order = []
    for outcome in distribute(work, Examples()):
        order.append(outcome.example.stem)
        if len(order) == EXAMPLES - 1:
            others_done.set()
    assert alone == [True]
    assert order[-1] == "0" and len(set(order)) == EXAMPLES


def test_few_examples_are_handed_out_in_advance(distribute):
    """The memory is that of these few, however many examples there are."""
    examples = Examples()
    for count, _ in enumerate(distribute(Outcome, examples)):
        assert examples.taken <= count + IN_ADVANCE
    assert examples.taken == EXAMPLES


def test_after_an_error_nothing_more_is_begun(distribute, pool):
    begun, failed = [], threading.Event()

    def work(example):
        begun.append(example)
        if example.stem == "0":
            raise OSError("the disk is full")
        failed.wait(timeout=20)
        return Outcome(example)

    with pytest.raises(OSError, match="the disk is full"):
        list(distribute(work, Examples()))
    failed.set()
    pool.shutdown()
    assert len(begun) < IN_ADVANCE
