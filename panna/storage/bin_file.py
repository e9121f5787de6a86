"""The .bin file: descriptors of one frame, version 0 of PANNA.

Little endian. Header of 14 bytes: uint32 version (0), uint16 flags, uint32 n_atoms, uint32 g_size.
Then float32 numbers:

    energy (1), species (n), G (n, g),
    derivatives, if flag 1: dense (n, g, n, 3); with flag 8 sparse: the count N, N values,
        N pairs (row, column), row = i * g + component, column = 3 * k + xyz,
    forces (n, 3), if flag 2; per-atom quantity (n), if flag 4.

Then the trailer of `bin_trailer`, which the published programs do not read. Files of before the
versions (no header, everything float32: n_atoms, g_size, energy, species, G, derivatives, forces)
are read too.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from panna import __version__
from panna.errors import StorageError
from panna.files import atomic_write
from panna.listing import Listing, files_in
from panna.storage.bin_trailer import MAGIC, TAIL, decode_trailer, encode_trailer
from panna.storage.record import FLOAT32_EXACT, DescriptorRecord, SparseDerivatives

HEADER = struct.Struct("<IHII")
DERIVATIVES, FORCES, PER_ATOM, SPARSE, LONG_RANGE = 1, 2, 4, 8, 16
RECOMPUTE = "delete the file and compute it again"


def write_bin(path: str | Path, record: DescriptorRecord, sparse: bool = False) -> None:
    """Writes a record as a version-0 .bin file with trailer, atomically.

    Forces are part of the version-0 content only together with derivatives, as PANNA has it; the
    trailer holds them always.

    Args:
      path: target; an existing file is replaced.
      record: the frame.
      sparse: store derivatives (if the record has them) in sparse form.
    Raises:
      StorageError: the sparse indices do not fit into float32.
    """
    flags, parts = 0, [[record.energy], record.species, record.descriptors]
    if record.derivatives is not None:
        flags |= DERIVATIVES | (SPARSE if sparse else 0)
        parts += _sparse_parts(record) if sparse else [record.dense_derivatives()]
        if record.forces is not None:
            flags |= FORCES
            parts.append(record.forces)
    if record.per_atom_quantity is not None:
        flags |= PER_ATOM
        parts.append(record.per_atom_quantity)
    content = [HEADER.pack(0, flags, record.n_atoms, record.g_size)]
    content += [np.ascontiguousarray(part, "<f4").tobytes() for part in parts]
    checksum = 0
    with atomic_write(path, "wb") as file:
        for block in content:
            checksum = zlib.crc32(block, checksum)
            file.write(block)
        file.write(_trailer_of(record, checksum))


def read_bin(path: str | Path) -> DescriptorRecord:
    """Reads a .bin file of PANNA v1 (with or without header) or of this program.

    Raises:
      StorageError: not a .bin file, cut short, damaged, or with contents not supported.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) < HEADER.size:
        raise StorageError(f"{path}: {len(data)} bytes is too short for a .bin file; {RECOMPUTE}")
    version, flags, n_atoms, g_size = HEADER.unpack_from(data)
    if version != 0:
        return _read_without_header(path, data)
    _check_flags(path, flags)
    header, arrays, end = _split_trailer(path, data)
    take = _Numbers(path, data[HEADER.size : end], n_atoms, g_size)
    energy = take(1)[0]
    species = _species(path, take(n_atoms))
    descriptors = take(n_atoms * g_size).reshape(n_atoms, g_size)
    derivatives = _read_derivatives(take, flags, n_atoms, g_size)
    forces = take(3 * n_atoms).reshape(n_atoms, 3).astype(float) if flags & FORCES else None
    per_atom = take(n_atoms) if flags & PER_ATOM else None
    take.finish()
    return DescriptorRecord(
        name=header.get("name", path.name.removesuffix(".bin")),
        species=species,
        energy=float(arrays.get("energy", energy)),
        descriptors=descriptors,
        positions=arrays.get("positions"),
        cell=arrays.get("cell"),
        pbc=arrays["pbc"].astype(bool) if "pbc" in arrays else None,
        forces=arrays.get("forces", forces),
        virial=arrays.get("virial"),
        weight=float(arrays.get("weight", 1.0)),
        group=header.get("group", ""),
        derivatives=derivatives,
        per_atom_quantity=per_atom,
        descriptor=header.get("descriptor"),
        descriptor_hash=header.get("descriptor_hash", ""),
        provenance=header.get("provenance", {}),
    )


def list_bins(folder: str | Path) -> Listing:
    """The *.bin files of a folder (not of the folders in it), sorted by name.

    Raises:
      FileError: no such folder, or no such file in it.
    """
    return files_in(folder, ".bin", "expected *.bin files, which gvect_calculator makes")


def exact_in_float32(count: int) -> int:
    """The smallest integer from count on that float32 represents."""
    while int(np.float32(count)) != count:
        count += 1
    return count


def _trailer_of(record: DescriptorRecord, checksum: int) -> bytes:
    arrays = {"energy": np.float64(record.energy), "weight": np.float64(record.weight)}
    for name in ("positions", "cell", "forces", "virial"):
        if getattr(record, name) is not None:
            arrays[name] = np.asarray(getattr(record, name), np.float64)
    if record.pbc is not None:
        arrays["pbc"] = np.asarray(record.pbc, np.int32)
    header = {
        "panna_version": __version__,
        "content_crc32": checksum,
        "name": record.name,
        "group": record.group,
        "descriptor": record.descriptor,
        "descriptor_hash": record.descriptor_hash,
        "provenance": record.provenance,
    }
    return encode_trailer(header, arrays)


def _sparse_parts(record: DescriptorRecord) -> list:
    """Count, values and index pairs; zeros are appended until the count is exact in float32."""
    record.check_float32_indices()
    sparse = record.sparse_derivatives()
    count = len(sparse.values)
    padding = exact_in_float32(count) - count
    indices = np.zeros((count + padding, 2), np.float32)
    indices[:count, 0], indices[:count, 1] = sparse.rows, sparse.cols
    return [[count + padding], np.pad(sparse.values, (0, padding)), indices]


def _check_flags(path: Path, flags: int) -> None:
    if flags & LONG_RANGE:
        raise StorageError(
            f"{path}: contains electrostatic kernels (flag 16), which are not supported; "
            "compute the descriptors without [LONG_RANGE]"
        )
    if flags & ~(DERIVATIVES | FORCES | PER_ATOM | SPARSE):
        raise StorageError(f"{path}: flags {flags:#x} are unknown; is it a .bin file of PANNA?")


def _split_trailer(path: Path, data: bytes) -> tuple[dict, dict, int]:
    """JSON and arrays of the trailer (empty if there is none), and where the trailer begins."""
    length, magic = TAIL.unpack_from(data, len(data) - TAIL.size) if len(data) >= 30 else (0, b"")
    if magic != MAGIC:
        return {}, {}, len(data)
    start = len(data) - TAIL.size - length
    if start < HEADER.size:
        raise StorageError(f"{path}: its trailer is longer than the file; {RECOMPUTE}")
    header, arrays = decode_trailer(data[start : -TAIL.size], path)
    if zlib.crc32(data[:start]) != header.get("content_crc32"):
        raise StorageError(f"{path}: damaged: its content does not fit its checksum; {RECOMPUTE}")
    return header, arrays, start


class _Numbers:
    """Takes float32 numbers one block after the other and notices when they run out."""

    def __init__(self, path: Path, data: bytes, n_atoms: int, g_size: int) -> None:
        self.path, self.position = path, 0
        self.what = f"{n_atoms} atoms, {g_size} components"
        self.values = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
        self.odd_bytes = len(data) % 4

    def __call__(self, count: int) -> np.ndarray:
        end = self.position + count
        if end > len(self.values):
            raise StorageError(
                f"{self.path}: cut short: {len(self.values)} numbers found, at least {end} "
                f"expected ({self.what}); {RECOMPUTE}"
            )
        taken = self.values[self.position : end].astype(np.float32)
        self.position = end
        return taken

    def finish(self) -> None:
        """Raises StorageError if bytes are left over: a trailer that lost its end, or rubbish."""
        if self.position != len(self.values) or self.odd_bytes:
            left = 4 * (len(self.values) - self.position) + self.odd_bytes
            raise StorageError(
                f"{self.path}: {left} bytes after the content ({self.what}), but no complete "
                f"trailer: the file is cut short or damaged; {RECOMPUTE}"
            )


def _species(path: Path, numbers: np.ndarray) -> np.ndarray:
    species = numbers.astype(np.int32)
    if not np.array_equal(species, numbers) or (species < 0).any():
        raise StorageError(f"{path}: species indices are not whole numbers; {RECOMPUTE}")
    return species


def _read_derivatives(take, flags, n_atoms, g_size):
    if not flags & DERIVATIVES:
        return None
    if not flags & SPARSE:
        return take(n_atoms * g_size * n_atoms * 3).reshape(n_atoms, g_size, n_atoms, 3)
    count = int(take(1)[0])
    values = take(count)
    pairs = take(2 * count).reshape(count, 2).astype(np.int64)
    sparse = SparseDerivatives(pairs[:, 0].copy(), pairs[:, 1].copy(), values)
    sparse.check(n_atoms, g_size)
    return sparse


def _read_without_header(path: Path, data: bytes) -> DescriptorRecord:
    """A file of before the versions: its length tells whether derivatives and forces follow."""
    wrong = StorageError(
        f"{path}: not a .bin file of PANNA (version 0 expected, and the length fits no file of "
        f"before the versions); {RECOMPUTE}"
    )
    numbers = np.frombuffer(data, "<f4") if len(data) % 4 == 0 else np.zeros(0, "<f4")
    if len(numbers) < 5 or not np.array_equal(numbers[:2], np.rint(numbers[:2])):
        raise wrong
    if not (1 <= numbers[0] < FLOAT32_EXACT and 1 <= numbers[1] < FLOAT32_EXACT):
        raise wrong
    n, g = int(numbers[0]), int(numbers[1])
    plain = 3 + n + n * g
    with_derivatives = plain + 3 * n * n * g
    if len(numbers) not in (plain, with_derivatives, with_derivatives + 3 * n):
        raise wrong
    take = _Numbers(path, data, n, g)
    take(2)
    energy = take(1)[0]
    species = _species(path, take(n))
    descriptors = take(n * g).reshape(n, g)
    derivatives = forces = None
    if len(numbers) > plain:
        derivatives = take(3 * n * n * g).reshape(n, g, n, 3)
    if len(numbers) > with_derivatives:
        forces = take(3 * n).reshape(n, 3).astype(float)
    return DescriptorRecord(
        name=path.name.removesuffix(".bin"),
        species=species,
        energy=float(energy),
        descriptors=descriptors,
        derivatives=derivatives,
        forces=forces,
    )
