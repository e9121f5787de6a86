"""TFRecord files of descriptors: PANNA's features, and ours in full precision.

One tf.train.Example per frame with n atoms and g components, nothing padded. PANNA's features:
gvects (n g), species (n), energy (1, eV, reference energies not removed), name, dgvects
(n g n 3) or dgvect_size, dgvect_values, dgvect_indices1, dgvect_indices2 (float32 indices),
forces (3 n), per_atom_quantity (n).

Ours: panna_energy (float64), panna_geometry (float64: positions 3 n, cell 9, pbc 3 as 0 or 1),
virial (9), weight (1), group; forces also without derivatives. The first record of each file
carries panna_metadata: JSON with the descriptor's parameters and hash, valid for the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from panna import __version__
from panna.errors import FileError, StorageError
from panna.files import atomic_write
from panna.storage.bin_trailer import UNITS
from panna.storage.record import DescriptorRecord, SparseDerivatives
from panna.storage.record_index import RecordIndex

METADATA_FORMAT = 1
FLOATS = (
    "gvects", "energy", "dgvects", "dgvect_values", "dgvect_indices1", "dgvect_indices2",
    "forces", "per_atom_quantity", "virial", "weight",
)  # fmt: skip
INTEGERS = ("species", "dgvect_size")
TEXTS = ("name", "group", "panna_energy", "panna_geometry", "panna_metadata")
FEATURES = {
    name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
    for dtype, names in ((tf.float32, FLOATS), (tf.int64, INTEGERS), (tf.string, TEXTS))
    for name in names
}


class Parsed:
    """A feature of several records: values of all records one after the other, and their limits."""

    def __init__(self, ragged: tf.RaggedTensor) -> None:
        self.values = ragged.values.numpy()
        self.splits = ragged.row_splits.numpy()
        self.lengths = np.diff(self.splits)

    def row(self, record: int) -> np.ndarray:
        return self.values[self.splits[record] : self.splits[record + 1]]


def parse(
    serialized: list[bytes], where: str, names: Iterable[str] = tuple(FEATURES)
) -> dict[str, Parsed]:
    """Decodes features of serialized records; those that a record lacks have length 0 there.

    Raises:
      StorageError: a record is no Example, or a feature has the wrong kind.
    """
    try:
        with tf.device("/CPU:0"):
            ragged = tf.io.parse_example(
                tf.constant(serialized, tf.string), {name: FEATURES[name] for name in names}
            )
    except tf.errors.OpError as error:
        raise StorageError(f"{where}: not a record of descriptors ({error.message})") from error
    return {name: Parsed(feature) for name, feature in ragged.items()}


def write_tfrecord(
    path: str | Path, records: Iterable[DescriptorRecord], sparse: bool = False
) -> int:
    """Writes records to one file, atomically; the first one carries the metadata of the file.

    Args:
      path: target, replaced if it exists.
      records: all with the same descriptor.
      sparse: form of the derivatives of the records that have them.
    Returns:
      The number of records.
    Raises:
      StorageError: records with different descriptors, or none at all.
      FileError: it cannot be written.
    """
    first = None
    count = 0
    with _writing(path) as writer:
        for record in records:
            if first is None:
                first = record
            elif record.descriptor_hash != first.descriptor_hash:
                raise StorageError(
                    f"{path}: frames {first.name} and {record.name} have different descriptors "
                    f"({first.descriptor_hash} and {record.descriptor_hash}); "
                    "pack data of one descriptor only"
                )
            example = _example(record, sparse, count == 0)
            # Otherwise the order of the features, and with it every byte, changes from run to run.
            writer.write(example.SerializeToString(deterministic=True))
            count += 1
        if first is None:
            raise StorageError(f"{path}: no frame to write")
    return count


def read_tfrecord(path: str | Path) -> Iterator[DescriptorRecord]:
    """The records of a file, one after the other, checksums verified.

    Raises:
      StorageError: cut short, damaged, or not a file of descriptors.
    """
    RecordIndex.of([path])  # TensorFlow takes a last header of a few bytes for the end of the file
    metadata: dict[str, Any] = {}
    for number, serialized in enumerate(_serialized(path), 1):
        where = f"{path}, record {number}"
        features = {name: value.row(0) for name, value in parse([serialized], where).items()}
        if number == 1:
            metadata = decode_metadata(features["panna_metadata"], path)
        yield _record(features, metadata, where)


def file_metadata(path: str | Path) -> dict[str, Any]:
    """Metadata of a file: descriptor, descriptor_hash, panna_version, species, units.

    Returns:
      The dictionary; empty for a file of PANNA v1 or v2, which does not say.
    Raises:
      StorageError: the first record cannot be read.
    """
    for serialized in _serialized(path):
        return decode_metadata(parse([serialized], str(path))["panna_metadata"].row(0), path)
    raise StorageError(f"{path}: the file is empty; pack it again with tfr_packer")


def verify(path: str | Path) -> int:
    """Checks the checksums of all records of a file and returns their number.

    Raises:
      StorageError: cut short or damaged.
    """
    RecordIndex.of([path])
    with tf.device("/CPU:0"), _reading(path):
        data = tf.data.TFRecordDataset(str(path), buffer_size=2**20)
        return int(data.reduce(np.int64(0), lambda count, _: count + 1))


def decode_metadata(values: np.ndarray, path: str | Path) -> dict[str, Any]:
    """The dictionary of a panna_metadata feature; empty if the feature is absent.

    Raises:
      StorageError: unreadable or of a later format.
    """
    if not len(values):
        return {}
    try:
        metadata = json.loads(values[0])
        found = metadata["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: metadata of the file are damaged ({error})") from error
    if found != METADATA_FORMAT:
        raise StorageError(
            f"{path}: metadata of format {found} found, {METADATA_FORMAT} expected; "
            "the file comes from a later PANNA"
        )
    return metadata


def decode_geometry(values: bytes, n_atoms: int, where: str):
    """Positions (n, 3), cell (3, 3) in angstrom and pbc (3,) of a panna_geometry feature."""
    numbers = np.frombuffer(values, "<f8")
    if len(numbers) != 3 * n_atoms + 12:
        raise StorageError(
            f"{where}: geometry has {len(numbers)} numbers, {3 * n_atoms + 12} expected for "
            f"{n_atoms} atoms; pack the file again"
        )
    positions, cell, pbc = np.split(numbers.astype(float), [3 * n_atoms, 3 * n_atoms + 9])
    return positions.reshape(n_atoms, 3), cell.reshape(3, 3), pbc != 0


def _serialized(path: str | Path) -> Iterator[bytes]:
    if not Path(path).is_file():
        raise StorageError(f"{path}: no such file")
    with tf.device("/CPU:0"), _reading(path):
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Turns TensorFlow's reading errors into a StorageError that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
        raise StorageError(
            f"{path}: cut short or damaged ({reason}); pack it again with tfr_packer"
        ) from error


@contextmanager
def _writing(path: str | Path) -> Iterator[tf.io.TFRecordWriter]:
    """A writer of a file that appears when it is complete; its errors name the file."""
    try:
        with atomic_write(path, "wb") as file, tf.io.TFRecordWriter(file.name) as writer:
            yield writer
    except tf.errors.OpError as error:
        raise FileError(f"{path}: cannot be written ({error.message})") from error


def _floats(array) -> tf.train.Feature:
    """Feature from an array; its protobuf message is the raw bytes after a tag and a length."""
    data = np.ascontiguousarray(array, "<f4").tobytes()
    length, varint = len(data), bytearray()
    while length >= 128:
        varint.append(length & 127 | 128)
        length >>= 7
    varint.append(length)
    packed = tf.train.FloatList.FromString(b"\x0a" + bytes(varint) + data)
    return tf.train.Feature(float_list=packed)


def _integers(array) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=np.asarray(array).tolist()))


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _example(record: DescriptorRecord, sparse: bool, with_metadata: bool) -> tf.train.Example:
    features = {
        "gvects": _floats(record.descriptors.ravel()),
        "species": _integers(record.species),
        "energy": _floats([record.energy]),
        "name": _bytes(record.name.encode()),
        "panna_energy": _bytes(np.array(record.energy, "<f8").tobytes()),
        "weight": _floats([record.weight]),
    }
    if record.group:
        features["group"] = _bytes(record.group.encode())
    if record.positions is not None:
        geometry = [record.positions.ravel(), record.cell.ravel(), record.pbc.ravel()]
        features["panna_geometry"] = _bytes(np.concatenate(geometry).astype("<f8").tobytes())
    for name in ("forces", "virial", "per_atom_quantity"):
        if getattr(record, name) is not None:
            features[name] = _floats(getattr(record, name).ravel())
    if record.derivatives is not None and sparse:
        record.check_float32_indices()
        derivatives = record.sparse_derivatives()
        features["dgvect_size"] = _integers([len(derivatives.values)])
        features["dgvect_values"] = _floats(derivatives.values)
        features["dgvect_indices1"] = _floats(derivatives.rows)
        features["dgvect_indices2"] = _floats(derivatives.cols)
    elif record.derivatives is not None:
        features["dgvects"] = _floats(record.dense_derivatives().ravel())
    if with_metadata:
        features["panna_metadata"] = _bytes(json.dumps(_metadata(record)).encode())
    return tf.train.Example(features=tf.train.Features(feature=features))


def _metadata(record: DescriptorRecord) -> dict[str, Any]:
    return {
        "format": METADATA_FORMAT,
        "panna_version": __version__,
        "descriptor": record.descriptor,
        "descriptor_hash": record.descriptor_hash,
        "species": list((record.descriptor or {}).get("species", [])),
        "units": UNITS,
    }


def _record(
    features: dict[str, np.ndarray], metadata: dict[str, Any], where: str
) -> DescriptorRecord:
    species = features["species"].astype(np.int32)
    n = len(species)
    if not n or len(features["gvects"]) % n or not len(features["energy"]):
        raise StorageError(
            f"{where}: {n} species, {len(features['gvects'])} descriptor components and "
            f"{len(features['energy'])} energies do not make a frame"
        )
    energy = features["energy"][0]
    if len(features["panna_energy"]):
        energy = np.frombuffer(features["panna_energy"][0], "<f8")[0]
    positions = cell = pbc = None
    if len(features["panna_geometry"]):
        positions, cell, pbc = decode_geometry(features["panna_geometry"][0], n, where)
    g = len(features["gvects"]) // n
    try:
        return DescriptorRecord(
            name=features["name"][0].decode() if len(features["name"]) else "",
            species=species,
            energy=float(energy),
            descriptors=features["gvects"].reshape(n, g),
            positions=positions,
            cell=cell,
            pbc=pbc,
            forces=_optional(features["forces"], (n, 3), float),
            virial=_optional(features["virial"], (3, 3), float),
            weight=float(features["weight"][0]) if len(features["weight"]) else 1.0,
            group=features["group"][0].decode() if len(features["group"]) else "",
            derivatives=_derivatives(features, n, g),
            per_atom_quantity=_optional(features["per_atom_quantity"], (n,), np.float32),
            descriptor=metadata.get("descriptor"),
            descriptor_hash=metadata.get("descriptor_hash", ""),
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise StorageError(f"{where}: lengths of its features do not fit ({error})") from error


def _optional(values: np.ndarray, shape: tuple[int, ...], dtype) -> np.ndarray | None:
    return values.reshape(shape).astype(dtype) if len(values) else None


def _derivatives(features: dict[str, np.ndarray], n: int, g: int):
    if len(features["dgvect_size"]):
        rows = features["dgvect_indices1"].astype(np.int64)
        cols = features["dgvect_indices2"].astype(np.int64)
        return SparseDerivatives(rows, cols, features["dgvect_values"])
    return _optional(features["dgvects"], (n, g, n, 3), np.float32)
