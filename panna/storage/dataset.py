"""Batches for training from TFRecord files of descriptors.

Frames have different numbers of atoms; nothing is padded: a batch is a dictionary of arrays in
which the atoms of all its frames follow each other (see `BatchSource.load` for names and shapes).

The order of an epoch is a permutation of all frames that depends on (seed, epoch) alone, so a
training that stopped in the middle of an epoch continues with exactly the batches that were left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from panna.descriptors.parameters import from_dict
from panna.descriptors.scaling import Scaling
from panna.errors import StorageError
from panna.storage.batch_source import SOURCES, STORED, Batch, BatchSource
from panna.storage.record_index import RecordIndex
from panna.storage.resident import ResidentSource
from panna.storage.tfrecord import file_metadata, read_tfrecord, verify

NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class DataSummary:
    """What a list of TFRecord files holds, as far as their first records tell.

    index: of all records.
    descriptor, descriptor_hash: of all files; None and "" for files of PANNA v1 or v2.
    """

    index: RecordIndex
    g_size: int
    descriptor: dict[str, Any] | None
    descriptor_hash: str
    has_forces: bool
    has_derivatives: bool
    has_geometry: bool

    @property
    def files(self) -> tuple[Path, ...]:
        return self.index.files

    @property
    def n_frames(self) -> int:
        return len(self.index)

    @property
    def can_be_computed(self) -> bool:
        """Derivatives of the descriptors follow from what the files hold."""
        return self.has_geometry and self.descriptor is not None


@dataclass(frozen=True)
class Dataset:
    """Deterministic batches; made by `open_dataset`.

    index: of the records; source: where their content comes from.
    """

    index: RecordIndex
    source: BatchSource | ResidentSource
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    parallel_calls: int = 1
    prefetch: int = 2

    @property
    def n_frames(self) -> int:
        return len(self.index)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch; the last one may be smaller."""
        return -(-self.n_frames // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """(n_frames,) int64: numbers of the frames in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.n_frames)
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_frames)

    def bare(self, neighbours: bool = False) -> Dataset:
        """The same frames in the order of the files, without derivatives: for one look at all.

        Args:
          neighbours: with neighbour lists where that costs no more than reading.
        """
        return replace(self, source=self.source.bare(neighbours), shuffle=False)

    def names(self, frames: np.ndarray) -> list[bytes]:
        """Names of some frames, by their numbers in the order of the files."""
        return list(self.source.bare().load(frames)["name"])

    def with_derivatives(self, source: str) -> Dataset:
        """The same files, opened and checked already, with another source of derivatives.

        For data sets that are not in memory yet.
        """
        return replace(self, source=replace(self.source, source=source))

    def resident(self, report: Callable[[int], None] = lambda count: None) -> Dataset:
        """Reads everything into memory; `report` is told of every few frames."""
        return replace(self, source=ResidentSource.read(self.source, report))

    def standardised(self, scaling: Scaling | None, dtype: str) -> Dataset:
        """Batches with the inputs of the networks, of type `dtype`, in place of the descriptors.

        To be done once; what is in memory is changed in place.
        """
        return replace(self, source=self.source.standardised(scaling, dtype))

    def epoch_batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Iterates over the batches of an epoch, without the first `skip`.

        Threads of this process prepare the batches that follow; their order does not depend on the
        number of threads. (A tf.data pipeline that calls Python per batch costs more: 2 ms per
        batch, and the tracing of a graph in every epoch.)

        Args:
          epoch: number of the epoch, from 0; with the seed it fixes the order.
          skip: batches already used.
        Yields:
          Dictionaries of arrays, as BatchSource.load describes them.
        Raises:
          StorageError: a record that cannot be read or does not fit; names file and record.
        """
        order = self.order(epoch)

        def load(number: int) -> Batch:
            start = number * self.batch_size
            return self.source.load(order[start : start + self.batch_size])

        pool = ThreadPoolExecutor(self.parallel_calls, thread_name_prefix="panna-batches")
        waiting: deque[Future] = deque()
        try:
            for number in range(skip, self.n_batches):
                waiting.append(pool.submit(load, number))
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def inspect_files(files: list[str | Path]) -> DataSummary:
    """Looks at the framing of all files and at the first record of each.

    Raises:
      StorageError: unreadable files, or files with different descriptors.
    """
    return _summary(RecordIndex.of(files))


def open_dataset(
    files: list[str | Path] | DataSummary,
    n_species: int,
    g_size: int,
    source: str = "none",
    *,
    batch_size: int,
    seed: int = 0,
    shuffle: bool = True,
    forces: bool | None = None,
    virials: bool = False,
    exact: bool = False,
    threads: int = 0,
    group_weights: Mapping[str, float] = NO_WEIGHTS,
    parallel_calls: int = 1,
    prefetch: int = 2,
) -> Dataset:
    """Opens TFRecord files for training; every checksum is verified once.

    Args:
      files: TFRecord files of one descriptor, or what `inspect_files` has found in them.
      n_species, g_size: what the network expects.
      source: of derivatives, one of SOURCES.
      batch_size: frames in a batch.
      seed, shuffle: order of the frames in each epoch; without shuffle the order of the files.
      forces: reference forces belong to the batches; by default if there are derivatives.
      virials: reference virials, too.
      exact: descriptors in float64, see BatchSource.
      threads: of the core, 0 for all.
      group_weights: factors of the weights of frames by group.
      parallel_calls, prefetch: batches prepared at the same time and in advance.
    Raises:
      StorageError: unreadable or damaged files, different descriptors, wrong g_size, or no data for
        the source of derivatives.
    """
    if source not in SOURCES:
        raise StorageError(f"derivatives: {source} found, one of {', '.join(SOURCES)} expected")
    summary = files if isinstance(files, DataSummary) else inspect_files(files)
    for path in summary.files:
        verify(path)
    forces = source != "none" if forces is None else forces
    _check_contents(summary, n_species, g_size, source, forces)
    reader = BatchSource(
        index=summary.index,
        n_species=n_species,
        g_size=g_size,
        source=source,
        forces=forces,
        virials=virials,
        descriptor=from_dict(summary.descriptor) if summary.can_be_computed else None,
        exact=exact,
        threads=threads,
        group_weights=group_weights,
    )
    return Dataset(summary.index, reader, batch_size, seed, shuffle, parallel_calls, prefetch)


def _summary(index: RecordIndex) -> DataSummary:
    metadata = file_metadata(index.files[0])
    for path in index.files[1:]:
        other = file_metadata(path)
        if other.get("descriptor_hash", "") != metadata.get("descriptor_hash", ""):
            raise StorageError(
                f"{index.files[0]} and {path} hold different descriptors "
                f"({_hash_text(metadata)} and {_hash_text(other)}); train on one kind at a time"
            )
    first = next(read_tfrecord(index.files[0]))
    return DataSummary(
        index=index,
        g_size=first.g_size,
        descriptor=metadata.get("descriptor"),
        descriptor_hash=metadata.get("descriptor_hash", ""),
        has_forces=first.forces is not None,
        has_derivatives=first.derivatives is not None,
        has_geometry=first.positions is not None,
    )


def _hash_text(metadata: dict[str, Any]) -> str:
    return metadata.get("descriptor_hash") or "not stated, a file of PANNA v1 or v2"


def _check_contents(summary: DataSummary, n_species, g_size, source, forces) -> None:
    where = summary.files[0]
    if summary.g_size != g_size:
        raise StorageError(
            f"{where}: descriptors of {summary.g_size} components found, g_size = {g_size} "
            "expected; correct g_size or take the data made with this descriptor"
        )
    listed = (summary.descriptor or {}).get("species")
    if listed is not None and len(listed) != n_species:
        raise StorageError(
            f"{where}: descriptors of {len(listed)} species ({', '.join(listed)}) found, "
            f"{n_species} expected; atomic_sequence must list the species of the descriptor"
        )
    if forces and not summary.has_forces:
        raise StorageError(
            f"{where}: its first frame has no forces, and all frames need them; set forces_cost = "
            "0 or make the data from frames that have forces only"
        )
    if source in STORED and not (summary.has_derivatives or summary.can_be_computed):
        raise StorageError(
            f"{where}: no derivatives stored. Compute and pack with include_derivatives = True, or "
            "train with derivatives = on_the_fly"
        )
    if source == "on_the_fly" and not summary.can_be_computed:
        raise StorageError(
            f"{where}: no positions or descriptor parameters stored (a file of PANNA v1 or v2); "
            "train with derivatives = stored, or compute and pack the data with this version"
        )
