"""TFRecord files: what is written is read, PANNA's features are there, damage is noticed."""

import numpy as np
import pytest
import tensorflow as tf
from storage_cases import G, N, a_record

from panna.errors import FileError, StorageError
from panna.storage.record_index import RecordIndex, list_tfrecords
from panna.storage.tfrecord import file_metadata, read_tfrecord, verify, write_tfrecord


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train-1-1.tfrecord"


def features_of(path):
    for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        yield tf.train.Example.FromString(serialized).features.feature


def test_a_full_disk_is_an_error_of_the_file(path, monkeypatch):
    def full(self, record):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", full)
    with pytest.raises(FileError, match=r"train-1-1\.tfrecord: cannot be written \(No space left"):
        write_tfrecord(path, [a_record()])
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_written_is_read(path, sparse):
    record = a_record()
    assert write_tfrecord(path, [record, record], sparse) == 2
    for found in read_tfrecord(path):
        assert found.energy == record.energy  # float64
        assert np.array_equal(found.positions, record.positions)  # float64
        assert np.array_equal(found.cell, record.cell)
        assert np.array_equal(found.pbc, record.pbc)
        for name in ("forces", "virial", "per_atom_quantity", "descriptors", "weight"):
            expected = np.asarray(getattr(record, name), np.float32)
            assert np.array_equal(np.asarray(getattr(found, name), np.float32), expected), name
        assert np.array_equal(found.dense_derivatives(), record.derivatives)
        assert np.array_equal(found.species, record.species)
        assert (found.name, found.descriptor_hash) == (record.name, record.descriptor_hash)
        assert found.descriptor == record.descriptor


def test_a_record_without_extras_is_read_back(path):
    names = "positions cell pbc forces virial derivatives per_atom_quantity".split()
    write_tfrecord(path, [a_record(**dict.fromkeys(names))])
    found = next(read_tfrecord(path))
    assert all(getattr(found, name) is None for name in names)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_features_of_panna_are_there_with_their_kinds_and_lengths(path, sparse):
    record = a_record()
    write_tfrecord(path, [record], sparse)
    (features,) = features_of(path)
    found = {
        name: (feature.WhichOneof("kind"), len(getattr(feature, feature.WhichOneof("kind")).value))
        for name, feature in features.items()
    }
    count = int(np.count_nonzero(record.derivatives))
    expected = {
        "gvects": ("float_list", N * G),
        "species": ("int64_list", N),
        "energy": ("float_list", 1),
        "name": ("bytes_list", 1),
        "forces": ("float_list", 3 * N),
        "per_atom_quantity": ("float_list", N),
    }
    if sparse:
        expected["dgvect_size"] = ("int64_list", 1)
        for name in ("dgvect_values", "dgvect_indices1", "dgvect_indices2"):
            expected[name] = ("float_list", count)
    else:
        expected["dgvects"] = ("float_list", N * G * N * 3)
    assert {name: found[name] for name in expected} == expected
    assert ("dgvects" in found) != sparse


def test_only_the_first_record_carries_the_metadata(path):
    write_tfrecord(path, [a_record()] * 3)
    assert ["panna_metadata" in f for f in features_of(path)] == [True, False, False]
    metadata = file_metadata(path)
    assert metadata["descriptor_hash"] == "0123456789abcdef"
    assert metadata["species"] == ["H", "O"]
    assert metadata["units"]["energy"] == "eV"


def test_files_of_panna_have_no_metadata(golden):
    assert file_metadata(golden / "h2o" / "tfr_data-2-3.tfrecord") == {}


def test_different_descriptors_do_not_go_into_one_file(path):
    other = a_record(name="other", descriptor_hash="f" * 16)
    with pytest.raises(StorageError, match=r"frame.300K and other .* different descriptors"):
        write_tfrecord(path, [a_record(), other])
    assert not path.exists() and not list(path.parent.iterdir())


def test_nothing_to_write_is_an_error(path):
    with pytest.raises(StorageError, match="no frame"):
        write_tfrecord(path, [])


@pytest.mark.parametrize("reader", [lambda p: list(read_tfrecord(p)), verify])
def test_a_file_cut_short_is_refused_by_name(path, reader):
    write_tfrecord(path, [a_record()] * 2)
    data = path.read_bytes()
    for length in (len(data) - 1, len(data) // 2 + 7, 5):
        path.write_bytes(data[:length])
        with pytest.raises(StorageError, match=r"train-1-1\.tfrecord"):
            reader(path)
        with pytest.raises(StorageError, match=r"train-1-1\.tfrecord"):
            RecordIndex.of([path])


@pytest.mark.parametrize("reader", [lambda p: list(read_tfrecord(p)), verify])
def test_a_flipped_bit_is_noticed(path, reader):
    write_tfrecord(path, [a_record()])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(StorageError, match="damaged"):
        reader(path)


def test_records_of_other_programs_are_refused(path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"not an example at all")
    with pytest.raises(StorageError, match=r"train-1-1\.tfrecord, record 1"):
        list(read_tfrecord(path))


def test_a_record_whose_lengths_do_not_fit_is_refused(path):
    features = {
        "species": tf.train.Feature(int64_list=tf.train.Int64List(value=[0, 1])),
        "gvects": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0, 2.0, 3.0])),
        "energy": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(StorageError, match="do not make a frame"):
        list(read_tfrecord(path))


def test_empty_missing_and_misplaced_files_are_errors(path, tmp_path):
    with pytest.raises(StorageError, match="no such file"):
        file_metadata(path)
    path.touch()
    for reader in (file_metadata, lambda p: list(read_tfrecord(p)), lambda p: RecordIndex.of([p])):
        with pytest.raises(StorageError, match="empty"):
            reader(path)
    path.rename(tmp_path / "data.bin")
    with pytest.raises(FileError, match=r"no \*\.tfrecord file"):
        list_tfrecords(tmp_path)
    with pytest.raises(FileError, match="no such folder"):
        list_tfrecords(tmp_path / "absent")


def test_the_index_reads_any_record_of_several_files_in_any_order(tmp_path):
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.tfrecord")
        write_tfrecord(paths[-1], [a_record(name=f"{i}{k}") for k in range(i + 1)])
    index = RecordIndex.of(paths)
    expected = [s for p in paths for s in tf.data.TFRecordDataset(str(p)).as_numpy_iterator()]
    order = [5, 0, 3, 3, 1]
    assert len(index) == 6
    assert index.read(order) == [expected[i] for i in order]
    assert index.where(4) == f"{paths[2]}, record 2"
