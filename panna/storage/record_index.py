"""Where the records of TFRecord files lie, so that any of them can be read by its number.

A TFRecord file is a chain of records: uint64 length, uint32 checksum of the length, the data,
uint32 checksum of the data. Knowing the offsets, an epoch is a permutation of record numbers: a
perfect shuffle that needs no buffer and can be continued at any batch.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import StorageError
from panna.listing import files_in

LENGTH = struct.Struct("<Q")
BEFORE, AFTER = 12, 4  # bytes of framing before and after the data of a record


def list_tfrecords(folder: str | Path) -> list[Path]:
    """The *.tfrecord files of a folder (not of the folders in it), sorted by name.

    Raises:
      FileError: no such folder, or no such file in it.
    """
    hint = "expected *.tfrecord files, which tfr_packer makes"
    return list(files_in(folder, ".tfrecord", hint))


@dataclass(frozen=True)
class RecordIndex:
    """All records of a list of files, numbered in the order of files and of records in them.

    files: the files.
    file_of: (R,) int32, position in files.
    numbers: (R,) int64, position of the record in its file, from 0.
    offsets: (R,) int64, where the data of the record begin in their file.
    lengths: (R,) int64, bytes.
    """

    files: tuple[Path, ...]
    file_of: np.ndarray
    numbers: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets)

    @classmethod
    def of(cls, files: list[str | Path]) -> RecordIndex:
        """Scans the framing of files; their contents and checksums are not looked at.

        Raises:
          StorageError: no file, a file that cannot be read, has no record or is cut short.
        """
        if not files:
            raise StorageError("no TFRecord file given; expected at least one")
        paths = tuple(Path(file) for file in files)
        scanned = [_scan(path) for path in paths]
        file_of = np.repeat(np.arange(len(paths)), [len(offsets) for offsets, _ in scanned])
        offsets = np.concatenate([offsets for offsets, _ in scanned])
        lengths = np.concatenate([lengths for _, lengths in scanned])
        numbers = np.concatenate([np.arange(len(offsets)) for offsets, _ in scanned])
        return cls(paths, file_of.astype(np.int32), numbers, offsets, lengths)

    def subset(self, count: int, seed: int) -> RecordIndex:
        """`count` records, chosen at random, in the order of the files.

        The subsets of one seed are nested: a larger one holds all records of a smaller one.
        """
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
        return RecordIndex(
            self.files,
            self.file_of[chosen],
            self.numbers[chosen],
            self.offsets[chosen],
            self.lengths[chosen],
        )

    def digest(self) -> str:
        """Tells contents apart, by the checksums that the files hold; records are not read.

        Raises:
          StorageError: a file cannot be read.
        """
        digest = hashlib.sha256(self.lengths.astype("<i8").tobytes())
        for number, path in enumerate(self.files):
            mine = np.flatnonzero(self.file_of == number)
            try:
                with open(path, "rb", buffering=0) as file:
                    for end in self.offsets[mine] + self.lengths[mine]:
                        file.seek(end)
                        digest.update(_read_fully(file, AFTER))
            except OSError as error:
                raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
        return digest.hexdigest()[:16]

    def where(self, record: int) -> str:
        """A record as people call it: file and position in the file, from 1."""
        file = self.files[self.file_of[record]]
        return f"{file}, record {self.numbers[record] + 1}"

    def read(self, records: np.ndarray) -> list[bytes]:
        """The serialized data of some records, in the order given.

        Raises:
          StorageError: a file has become shorter since it was scanned, or is gone.
        """
        data: list[bytes] = [b""] * len(records)
        for number in np.unique(self.file_of[records]):
            path = self.files[number]
            try:
                with open(path, "rb", buffering=0) as file:
                    for place in np.flatnonzero(self.file_of[records] == number):
                        file.seek(self.offsets[records[place]])
                        data[place] = _read_fully(file, int(self.lengths[records[place]]))
            except OSError as error:
                raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
        for record, found in zip(records, data, strict=True):
            if len(found) != self.lengths[record]:
                raise StorageError(f"{self.where(record)}: the file became shorter while in use")
        return data


def _read_fully(file, length: int) -> bytes:
    """Up to length bytes; one call of read may return fewer than asked for."""
    pieces = []
    while length > 0 and (piece := file.read(length)):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _scan(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and lengths of the data of all records of a file."""
    offsets, lengths = [], []
    try:
        with open(path, "rb", buffering=0) as file:
            size = file.seek(0, 2)
            position = 0
            while position < size:
                file.seek(position)
                head = file.read(LENGTH.size)
                length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else size
                if position + BEFORE + length + AFTER > size:
                    raise StorageError(
                        f"{path}: cut short or no TFRecord file: record {len(offsets) + 1} does "
                        f"not end within its {size} bytes; pack it again with tfr_packer"
                    )
                offsets.append(position + BEFORE)
                lengths.append(length)
                position += BEFORE + length + AFTER
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    if not offsets:
        raise StorageError(f"{path}: the file is empty; pack it again with tfr_packer")
    return np.array(offsets, np.int64), np.array(lengths, np.int64)
