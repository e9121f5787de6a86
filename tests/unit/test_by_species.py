"""Atoms sorted by species, and lengths of arrays that hardly change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panna.training.by_species import Lengths


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.booleans())
def test_join_is_the_opposite_of_split(species, exact):
    species = np.array(species)
    values = np.arange(2.0 * len(species)).reshape(-1, 2)
    layout = Lengths(3, exact).sort(species)
    parts = layout.split(values)
    np.testing.assert_array_equal(layout.join(parts), values)
    for s, part in enumerate(parts):
        count = (species == s).sum()
        assert len(part) >= count and (len(part) == count or not exact)
        np.testing.assert_array_equal(part[:count], values[species == s])
        assert not part[count:].any()
    padded = layout.pad(values, -1)
    assert len(padded) == sum(map(len, parts))
    np.testing.assert_array_equal(padded[: len(values)], values)
    assert (padded[len(values) :] == -1).all()


def test_lengths_change_rarely_and_waste_little():
    lengths, rng = Lengths(1, exact=False), np.random.default_rng(0)
    counts = rng.integers(900, 1100, 500)
    seen = [len(lengths.sort(np.zeros(n, int)).split(np.zeros(n))[0]) for n in counts]
    assert len(set(seen)) <= 3 and sorted(seen) == seen
    assert max(seen) <= 1.125 * counts.max()


@pytest.mark.parametrize("batch_size", [1, 16])
def test_room_is_made_for_most_batches_at_once(batch_size):
    rng = np.random.default_rng(1)
    compositions = rng.integers(1, 60, (300, 2)).astype(float)
    lengths = Lengths(2, exact=False)
    lengths.expect(compositions, batch_size)
    before = lengths.sort(np.zeros(0, int)).rows
    fits = [
        (compositions[rng.integers(0, 300, batch_size)].sum(0) <= before).all() for _ in range(200)
    ]
    assert np.mean(fits) > 0.95
    assert (before <= 1.2 * batch_size * compositions.max(0)).all()
