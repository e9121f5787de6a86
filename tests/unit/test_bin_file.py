"""The .bin format: what is written is read, by us and by a reader that knows version 0 only."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from storage_cases import G, N, a_record

from panna.errors import StorageError
from panna.storage.bin_file import exact_in_float32, read_bin, write_bin
from panna.storage.bin_trailer import read_header
from panna.storage.record import SparseDerivatives


@pytest.fixture
def path(tmp_path):
    return tmp_path / "frame.bin"


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_written_is_read_in_full_precision(path, sparse):
    record = a_record()
    write_bin(path, record, sparse)
    found = read_bin(path)
    assert isinstance(found.derivatives, SparseDerivatives if sparse else np.ndarray)
    assert np.array_equal(found.dense_derivatives(), record.derivatives)
    for name in (
        "name energy weight group descriptor descriptor_hash provenance species descriptors "
        "positions cell pbc forces virial per_atom_quantity"
    ).split():
        assert np.array_equal(getattr(found, name), getattr(record, name)), name


def test_a_record_without_extras_is_read_back(path):
    names = "positions cell pbc forces virial derivatives per_atom_quantity descriptor".split()
    write_bin(path, a_record(**dict.fromkeys(names)))
    found = read_bin(path)
    assert all(getattr(found, name) is None for name in names)
    assert found.weight == 0.3


@pytest.mark.parametrize("sparse", [False, True])
def test_a_version_0_reader_finds_everything_by_position(path, sparse):
    record = a_record()
    write_bin(path, record, sparse)
    data = path.read_bytes()
    version, flags, n, g = struct.unpack_from("<IHII", data)
    assert (version, flags, n, g) == (0, 0b1111 if sparse else 0b0111, N, G)
    assert (len(data) - 14) % 4 == 0
    numbers = np.frombuffer(data, "<f4", offset=14)
    assert numbers[0] == np.float32(record.energy)
    assert np.array_equal(numbers[1 : 1 + N], record.species)
    assert np.array_equal(numbers[1 + N : 1 + N + N * G], record.descriptors.ravel())
    at = 1 + N + N * G
    if sparse:
        count = int(numbers[at])
        values = numbers[at + 1 : at + 1 + count]
        pairs = numbers[at + 1 + count : at + 1 + 3 * count].reshape(count, 2).astype(int)
        matrix = np.zeros((N * G, 3 * N), np.float32)
        matrix[pairs[:, 0], pairs[:, 1]] = values
        at += 1 + 3 * count
    else:
        matrix = numbers[at : at + 3 * N * N * G]
        at += 3 * N * N * G
    assert np.array_equal(matrix.ravel(), record.derivatives.ravel())
    assert np.array_equal(numbers[at : at + 3 * N], record.forces.astype(np.float32).ravel())
    assert np.array_equal(numbers[at + 3 * N : at + 4 * N], record.per_atom_quantity)


def test_forces_without_derivatives_are_in_the_trailer_only(path):
    write_bin(path, a_record(derivatives=None))
    assert struct.unpack_from("<IH", path.read_bytes())[1] == 0b0100
    assert np.array_equal(read_bin(path).forces, a_record().forces)


def test_the_header_of_the_trailer_is_read_alone(path):
    write_bin(path, a_record())
    header = read_header(path)
    assert header["descriptor_hash"] == "0123456789abcdef"
    assert header["units"]["energy"] == "eV"


@pytest.mark.parametrize("derivatives, forces", [(False, False), (True, False), (True, True)])
def test_files_of_before_the_versions_are_read(tmp_path, derivatives, forces):
    record = a_record()
    parts = [[N, G, record.energy], record.species, record.descriptors.ravel()]
    parts += [record.derivatives.ravel()] if derivatives else []
    parts += [record.forces.ravel()] if forces else []
    path = tmp_path / "key_without_extension"
    path.write_bytes(np.concatenate(parts).astype("<f4").tobytes())
    found = read_bin(path)
    assert found.name == path.name and found.descriptor is None
    assert np.array_equal(found.descriptors, record.descriptors)
    assert (found.derivatives is not None) == derivatives
    if derivatives:
        assert np.array_equal(found.derivatives, record.derivatives)
    assert (found.forces is not None) == forces


@pytest.mark.parametrize("sparse", [False, True])
def test_a_file_cut_anywhere_is_refused_by_name(path, sparse):
    write_bin(path, a_record(), sparse)
    data = path.read_bytes()
    content = len(data) - 16 - struct.unpack_from("<Q", data, len(data) - 16)[0]
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        if length == content:
            continue  # exactly a file without trailer, as PANNA v1 writes it
        with pytest.raises(StorageError, match=r"frame\.bin"):
            read_bin(path)


def test_a_flipped_bit_is_noticed(path):
    write_bin(path, a_record())
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="checksum"):
        read_bin(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "too short"),
        (b"just some text that is not a descriptor", "not a .bin file"),
        (struct.pack("<IHII", 7, 0, 3, 5) + bytes(400), "version 0 expected"),
        (struct.pack("<IHII", 0, 16, 3, 5) + bytes(400), "electrostatic"),
        (struct.pack("<IHII", 0, 32, 3, 5) + bytes(400), "flags"),
        (struct.pack("<IHII", 0, 0, 3, 5) + bytes(4 * 19 + 3), "after the content"),
        (struct.pack("<IHII", 0, 0, 2**31, 2**31) + bytes(400), "cut short"),
    ],
)
def test_other_contents_are_refused(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(StorageError, match=reason):
        read_bin(path)


def test_a_missing_file_is_an_error_with_its_name(path):
    with pytest.raises(StorageError, match=r"frame\.bin"):
        read_bin(path)


def test_sparse_indices_outside_the_matrix_are_refused(path):
    wrong = SparseDerivatives(np.array([N * G]), np.array([0]), np.ones(1, np.float32))
    write_bin(path, a_record(derivatives=wrong), sparse=True)
    with pytest.raises(StorageError, match="row index"):
        read_bin(path)


@pytest.mark.parametrize(
    "count, exact", [(0, 0), (2**24, 2**24), (2**24 + 1, 2**24 + 2), (2**25 + 1, 2**25 + 4)]
)
def test_the_number_of_sparse_elements_is_one_that_float32_holds(count, exact):
    assert exact_in_float32(count) == exact


def test_sparse_rows_beyond_float32_are_refused(path):
    wide = a_record(
        descriptors=np.broadcast_to(np.float32(0), (N, 2**24)),
        derivatives=SparseDerivatives(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32)),
    )
    with pytest.raises(StorageError, match="on_the_fly"):
        write_bin(path, wide, sparse=True)


def test_arrays_of_wrong_shape_make_no_record():
    with pytest.raises(StorageError, match="forces"):
        replace(a_record(), forces=np.zeros((N + 1, 3)))
    with pytest.raises(StorageError, match="come together"):
        replace(a_record(), positions=None)
