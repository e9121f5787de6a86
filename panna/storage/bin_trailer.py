"""What PANNA adds at the end of a version-0 .bin file: full precision, geometry, provenance.

The published reader takes float32 numbers by position and never looks at the end of the file, so a
.bin with a trailer is still a valid version-0 file. After the version-0 content:

    uint32   length J of the JSON text
    J bytes  JSON, UTF-8, padded with spaces to a multiple of 4
    arrays   raw little-endian, each at the offset that the JSON gives (from the end of the JSON)
    uint64   length of everything above
    8 bytes  PANNAMD1

The JSON has the keys format (1), panna_version, content_crc32 (of the version-0 content), name,
group, descriptor, descriptor_hash, provenance, units and arrays: a list of {name, dtype, shape,
offset}.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import StorageError

MAGIC = b"PANNAMD1"
TAIL = struct.Struct("<Q8s")
FORMAT = 1
UNITS = {"energy": "eV", "length": "angstrom", "forces": "eV/angstrom", "virial": "eV"}


def encode_trailer(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """The trailer as bytes; its length is a multiple of 4.

    Args:
      header: plain dictionary for the JSON part.
      arrays: name -> array; stored with their dtype, which must have 4 or 8 bytes.
    """
    described, raw, offset = [], [], 0
    for name, array in arrays.items():
        little = np.asarray(array, np.asarray(array).dtype.newbyteorder("<"), order="C")
        described.append(
            {"name": name, "dtype": little.dtype.str, "shape": list(little.shape), "offset": offset}
        )
        raw.append(little.tobytes())
        offset += little.nbytes
    document = {"format": FORMAT, **header, "units": UNITS, "arrays": described}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I", len(text)) + text + b"".join(raw)
    return body + TAIL.pack(len(body), MAGIC)


def decode_trailer(body: bytes, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON part and the arrays of a trailer (its bytes without the 16 of the tail).

    Raises:
      StorageError: unreadable JSON, unknown format, array outside the trailer.
    """
    try:
        (length,) = struct.unpack_from("<I", body)
        header = json.loads(body[4 : 4 + length])
        if header["format"] != FORMAT:
            raise StorageError(
                f"{path}: trailer of format {header['format']} found, {FORMAT} expected; "
                "the file comes from a later PANNA: use that one or recompute the file"
            )
        start, arrays = 4 + length, {}
        for entry in header["arrays"]:
            count = int(np.prod(entry["shape"], dtype=np.int64))
            array = np.frombuffer(body, entry["dtype"], count, start + entry["offset"])
            arrays[entry["name"]] = array.reshape(entry["shape"]).copy()
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path}: its trailer is damaged ({error}); delete the file and compute it again"
        ) from error
    return header, arrays


def read_header(path: Path) -> dict[str, Any] | None:
    """Only the JSON part of the trailer of a file, without reading the descriptors.

    Returns:
      The dictionary, or None if the file does not end in a trailer (PANNA v1, or cut short).
    Raises:
      StorageError: the trailer is damaged.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if size < TAIL.size:
            return None
        file.seek(size - TAIL.size)
        length, magic = TAIL.unpack(file.read(TAIL.size))
        if magic != MAGIC:
            return None
        if length > size - TAIL.size:
            raise StorageError(
                f"{path}: its trailer should have {length} bytes, the file has {size}; "
                "delete the file and compute it again"
            )
        file.seek(size - TAIL.size - length)
        body = file.read(length)
    return decode_trailer(body, path)[0]
