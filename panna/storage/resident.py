"""A data set in memory: one array for each quantity, from which batches are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from panna.descriptors.scaling import Scaling, network_inputs
from panna.storage.batch_source import Batch, BatchSource, starts

CHUNK = 64  # records read at a time
LONG = 50  # rows: copying a piece for each frame is then faster than looking up each row
OF_FRAMES = ("name", "n_atoms", "energy", "weight", "virial")
OF_ATOMS = ("species", "forces", "descriptors", "neighbours")
OF_PAIRS = ("index", "vectors")


@dataclass(frozen=True)
class ResidentSource:
    """All that a BatchSource can read, read.

    arrays: all frames one behind the other: OF_FRAMES, OF_ATOMS (`neighbours`: how many each atom
      has), OF_PAIRS (`index` counts from the first atom of its frame).
    blocks: derivatives of each frame, empty without.
    atoms, pairs: (F + 1,) int64, where the rows of each frame begin.
    """

    arrays: dict[str, np.ndarray]
    blocks: tuple[np.ndarray, ...]
    atoms: np.ndarray
    pairs: np.ndarray

    @classmethod
    def read(
        cls, source: BatchSource, report: Callable[[int], None] = lambda count: None
    ) -> ResidentSource:
        """Reads all records; `report` is told after each few of them."""
        parts: dict[str, list[np.ndarray]] = {}
        blocks: list[np.ndarray] = []
        for start in range(0, len(source.index), CHUNK):
            records = np.arange(start, min(start + CHUNK, len(source.index)))
            batch = source.load(records)
            blocks += batch.pop("blocks", ())
            if "first" in batch:
                batch["neighbours"] = np.diff(batch["first"]).astype(np.int32)
                atoms = starts(batch["n_atoms"])
                begin = np.repeat(atoms[:-1], np.diff(batch["first"][atoms]))
                batch["index"] = (batch["index"] - begin).astype(np.int32)
            for name in batch.keys() & {*OF_FRAMES, *OF_ATOMS, *OF_PAIRS}:
                parts.setdefault(name, []).append(batch[name])
            report(len(records))
        # One after the other, so that little is there twice.
        arrays = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
        atoms = starts(arrays["n_atoms"])
        pairs = starts(arrays["neighbours"])[atoms] if "neighbours" in arrays else np.zeros(1, int)
        return cls(arrays, tuple(blocks), atoms, pairs)

    def load(self, records: np.ndarray) -> Batch:
        """The batch of some records, as BatchSource.load gives it."""
        batch = {name: self.arrays[name][records] for name in self._have(OF_FRAMES)}
        n_atoms = batch["n_atoms"]
        of_atoms = _cutter(self.atoms, records)
        for name in self._have(OF_ATOMS):
            batch[name] = of_atoms(self.arrays[name])
        batch["frame_of_atom"] = np.repeat(np.arange(len(records)), n_atoms)
        if "neighbours" in batch:
            batch["first"] = starts(batch.pop("neighbours"))
            of_pairs = _cutter(self.pairs, records)
            for name in self._have(OF_PAIRS):
                batch[name] = of_pairs(self.arrays[name])
            counts = self.pairs[records + 1] - self.pairs[records]
            batch["index"] = batch["index"] + np.repeat(starts(n_atoms)[:-1], counts)
        if self.blocks:
            batch["blocks"] = [self.blocks[record] for record in records]
        return batch

    def bare(self, neighbours: bool = False) -> ResidentSource:
        """The same without derivatives; neighbours only if asked for and part of this one."""
        if neighbours:
            return replace(self, blocks=())
        names = {*OF_FRAMES, *OF_ATOMS} - {"neighbours"}
        arrays = {name: array for name, array in self.arrays.items() if name in names}
        return ResidentSource(arrays, (), self.atoms, self.pairs)

    def standardised(self, scaling: Scaling | None, dtype: str) -> ResidentSource:
        """The same with the inputs of the networks in place of the descriptors.

        What is in memory is replaced: this one must not be used any more.
        """
        arrays = self.arrays
        arrays["descriptors"] = network_inputs(
            scaling, arrays["species"], arrays["descriptors"], dtype
        )
        return self

    def _have(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if name in self.arrays]


def _cutter(begin: np.ndarray, records: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Cuts the rows of some frames, one behind the other, out of an array."""
    first, last = begin[records], begin[records + 1]
    counts = last - first
    if counts.sum() > LONG * len(records):
        parts = [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        return lambda array: np.concatenate([array[part] for part in parts])
    rows = np.repeat(first - starts(counts)[:-1], counts) + np.arange(counts.sum())
    return lambda array: array[rows]
