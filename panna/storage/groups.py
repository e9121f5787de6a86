"""Groups of frames ("Surface", "AIMD-NVT", ...) in TFRecord files, and weights for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from panna.storage.record_index import RecordIndex
from panna.storage.tfrecord import Parsed, parse

CHUNK = 256  # records that are decoded at a time


def count_groups(index: RecordIndex) -> Counter[str]:
    """Frames of each group; those without one count as ""."""
    found: Counter[str] = Counter()
    for start in range(0, len(index), CHUNK):
        records = np.arange(start, min(start + CHUNK, len(index)))
        feature = parse(index.read(records), index.where(start), ("group",))["group"]
        found.update(_names(feature))
    return found


def group_factors(feature: Parsed, weights: Mapping[str, float]) -> np.ndarray:
    """(B,) float32: weights of the groups of some records, 1 for groups without a weight."""
    return np.array([weights.get(name, 1.0) for name in _names(feature)], np.float32)


def _names(feature: Parsed) -> list[str]:
    rows = (feature.row(i) for i in range(len(feature.lengths)))
    return [row[0].decode(errors="replace") if len(row) else "" for row in rows]
