"""Records of descriptors that several tests share."""

from __future__ import annotations

import numpy as np

from panna.storage.record import DescriptorRecord

N, G = 3, 5


def a_record(**changes) -> DescriptorRecord:
    """A record with everything that a record can have, of N atoms with G components."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(N, G, N, 3)).astype(np.float32)
    dense[rng.random(dense.shape) < 0.5] = 0
    values = dict(
        name="frame.300K",
        species=np.array([0, 1, 1], np.int32),
        energy=-2041.123456789012,
        descriptors=rng.random((N, G)).astype(np.float32),
        positions=rng.random((N, 3)),
        cell=np.diag([3.0, 4.0, 0.0]),
        pbc=np.array([True, True, False]),
        forces=rng.random((N, 3)),
        virial=rng.random((3, 3)),
        weight=0.3,
        group="surface",
        derivatives=dense,
        per_atom_quantity=np.arange(N, dtype=np.float32),
        descriptor={"type": "mBP", "species": ["H", "O"]},
        descriptor_hash="0123456789abcdef",
        provenance={"file": "frame.300K.example", "sha256": "ab"},
    )
    return DescriptorRecord(**{**values, **changes})
