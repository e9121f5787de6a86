"""The atoms of a batch sorted by species, in arrays whose lengths hardly ever change.

XLA compiles a graph anew for every shape it meets. Arrays are therefore longer than needed, padded
with zeros, and grow in steps only when a batch does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = 8  # lengths between a power of two and the next


class Lengths:
    """How many rows the arrays of each species have.

    exact: as many as there are atoms; else rounded up, and at least as many as ever before.
    """

    def __init__(self, n_species: int, exact: bool) -> None:
        self.exact = exact
        self._rows = np.zeros(n_species, np.int64)

    def expect(self, compositions: np.ndarray, batch_size: int) -> None:
        """Makes room for most batches of frames with so many atoms of each species, (F, n)."""
        mean, spread = compositions.mean(0), compositions.std(0)
        largest = batch_size * compositions.max(0)
        usual = mean * batch_size + 3 * spread * np.sqrt(batch_size)
        self._grow(np.minimum(largest, usual))

    def _grow(self, counts: np.ndarray) -> None:
        self._rows = np.maximum(self._rows, [rounded(int(np.ceil(c))) for c in counts])

    def sort(self, species: np.ndarray) -> BySpecies:
        """The layout for a batch with atoms of these species, (N,)."""
        counts = np.bincount(species, minlength=len(self._rows))
        if self.exact:
            rows = counts
        else:
            self._grow(counts)
            rows = self._rows
        order = None if len(counts) == 1 else np.argsort(species, kind="stable")
        return BySpecies(order, counts, rows)


@dataclass(frozen=True)
class BySpecies:
    """Where the atoms of a batch go.

    order: (N,) numbers of the atoms, sorted by species; None if there is one species only.
    counts, rows: atoms of each species, and rows of its array.
    """

    order: np.ndarray | None
    counts: np.ndarray
    rows: np.ndarray

    def split(self, values: np.ndarray, filling: float = 0) -> list[np.ndarray]:
        """(N, ...) -> an array (rows, ...) for each species, filled up at its end."""
        parts, start = [], 0
        for count, rows in zip(self.counts, self.rows, strict=True):
            stop = start + count
            mine = values if self.order is None else values[self.order[start:stop]]
            if rows > count:
                padded = np.full((rows, *values.shape[1:]), filling, values.dtype)
                padded[:count] = mine
                mine = padded
            parts.append(mine)
            start = stop
        return parts

    def join(self, parts: list[np.ndarray]) -> np.ndarray:
        """The opposite of `split`."""
        if self.order is None:
            return parts[0][: self.counts[0]]
        sorted_ = np.concatenate(
            [part[:count] for part, count in zip(parts, self.counts, strict=True)]
        )
        values = np.empty_like(sorted_)
        values[self.order] = sorted_
        return values

    def places(self) -> np.ndarray:
        """(N,) for each atom of the batch its row in all arrays, one behind the other."""
        starts = np.repeat(np.cumsum(self.rows) - self.rows, self.counts)
        within = np.arange(self.counts.sum()) - np.repeat(
            np.cumsum(self.counts) - self.counts, self.counts
        )
        if self.order is None:
            return starts + within
        places = np.empty(len(self.order), np.int64)
        places[self.order] = starts + within
        return places

    def pad(self, values: np.ndarray, filling: float = 0) -> np.ndarray:
        """(N, ...) in the order of the batch, with as many rows as all arrays together."""
        rows = int(self.rows.sum())
        if rows == len(values):
            return values
        padded = np.full((rows, *values.shape[1:]), filling, values.dtype)
        padded[: len(values)] = values
        return padded


class PairRows:
    """How many rows the arrays of pairs have.

    exact: as many as there are pairs; else rounded up, and at least as many as ever before.
    """

    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self._rows = 0

    def padding(self, count: int) -> Callable[[np.ndarray], np.ndarray]:
        """A function that fills arrays of so many rows up with zeros."""
        self._rows = count if self.exact else max(self._rows, rounded(count))
        missing = self._rows - count

        def pad(values: np.ndarray) -> np.ndarray:
            if not missing:
                return values
            return np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)])

        return pad


def rounded(count: int) -> int:
    """Up to a multiple of an eighth of the power of two below."""
    step = max(1, (1 << count.bit_length()) // (2 * STEPS))
    return -(-count // step) * step
