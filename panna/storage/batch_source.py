"""Reads chosen records of TFRecord files and joins them into one batch of concatenated arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from panna.errors import StorageError
from panna.frames.frame import Frame
from panna.frames.neighbours import concatenate, neighbour_list
from panna.storage.groups import group_factors
from panna.storage.record import SparseDerivatives
from panna.storage.record_index import RecordIndex
from panna.storage.tfrecord import Parsed, decode_geometry, parse

SOURCES = ("none", "stored", "on_the_fly")
Batch = dict[str, np.ndarray]


@dataclass(frozen=True)
class BatchSource:
    """What to read and in which form.

    index: the records.
    n_species, g_size: what the network expects; records are checked against them.
    source: "none"; "stored": sparse dG/dx of the records; "on_the_fly": neighbour lists.
    forces: reference forces belong to the batch.
    species, cutoff: symbols of the descriptor and its range in angstrom, for "on_the_fly".
    cache: keep the parts of the batches, frame by frame, in memory once read.
    group_weights: factors of the weights of frames by group.
    """

    index: RecordIndex
    n_species: int
    g_size: int
    source: str = "none"
    forces: bool = False
    species: tuple[str, ...] = ()
    cutoff: float = 0.0
    cache: bool = False
    group_weights: Mapping[str, float] = field(default_factory=dict)
    _frames: dict[int, Batch] = field(default_factory=dict, init=False, repr=False)

    def load(self, records: np.ndarray) -> Batch:
        """The batch of some records (B frames, N atoms in all).

        Returns:
          name (B,) bytes; n_atoms (B,) int64; energy (B,) float64, eV; weight (B,) float32;
          species (N,) int32; frame_of_atom (N,) int64; descriptors (N, g) float32;
          with forces: forces (N, 3) float32, eV/angstrom;
          stored: rows (K,) int64 = atom * g + component, cols (K,) int64 = 3 * atom + xyz, values
          (K,) float32, atoms numbered through the batch;
          on_the_fly: first (N + 1,), index (M,) int64 and vectors (M, 3) float64, angstrom: the
          neighbour list of the batch.
        Raises:
          StorageError: a record does not fit the options; the message names file and record.
        """
        if not self.cache:
            return self._read(records)
        for record in records:
            if int(record) not in self._frames:
                self._frames[int(record)] = self._read(np.array([record]))
        return self._join([self._frames[int(record)] for record in records])

    def frame_bytes(self, records: np.ndarray) -> int:
        """Memory that the cache would need for some records, measured."""
        return sum(array.nbytes for array in self._read(records).values())

    def _read(self, records: np.ndarray) -> Batch:
        """The batch of some records, from the files."""
        features = parse(self.index.read(records), self.index.where(records[0]))
        n_atoms = features["species"].lengths
        self._check_sizes(records, features, n_atoms)
        batch = {
            "name": _names(features["name"]),
            "n_atoms": n_atoms,
            "energy": _energies(features),
            "weight": _weights(features["weight"])
            * group_factors(features["group"], self.group_weights),
            "species": features["species"].values.astype(np.int32),
            "frame_of_atom": np.repeat(np.arange(len(records)), n_atoms),
            "descriptors": features["gvects"].values.reshape(-1, self.g_size),
        }
        if self.forces:
            batch["forces"] = features["forces"].values.reshape(-1, 3)
        if self.source == "stored":
            batch |= self._stored_derivatives(records, features, n_atoms)
        if self.source == "on_the_fly":
            batch |= self._neighbour_list(records, features)
        return batch

    def _join(self, frames: list[Batch]) -> Batch:
        """One batch of batches of one frame each: indices are moved on by what comes before."""
        atoms = _starts([len(frame["species"]) for frame in frames])
        numbers = range(len(frames))
        shifts = {
            "frame_of_atom": numbers,
            "rows": atoms[:-1] * self.g_size,
            "cols": 3 * atoms[:-1],
            "index": atoms[:-1],
        }
        batch = {}
        for name in frames[0]:
            arrays = [frame[name] for frame in frames]
            if name in shifts:
                arrays = [a + shift for a, shift in zip(arrays, shifts[name], strict=True)]
            elif name == "first":
                pairs = _starts([frame[name][-1] for frame in frames])
                arrays = [a[1:] + shift for a, shift in zip(arrays, pairs, strict=False)]
                arrays.insert(0, np.zeros(1, np.int64))
            batch[name] = np.concatenate(arrays)
        return batch

    def _check_sizes(self, records: np.ndarray, features: dict[str, Parsed], n_atoms) -> None:
        """Every frame has atoms, an energy, descriptors of the right size and, if asked, forces."""
        expected = [("gvects", n_atoms * self.g_size, f"{self.g_size} components per atom")]
        expected.append(("energy", np.ones_like(n_atoms), "one energy"))
        if self.forces:
            expected.append(("forces", 3 * n_atoms, "forces on all atoms"))
        for name, lengths, meaning in expected:
            wrong = np.flatnonzero((features[name].lengths != lengths) | (n_atoms == 0))
            if len(wrong):
                found, atoms = features[name].lengths[wrong[0]], n_atoms[wrong[0]]
                remedy = "Check the descriptor and the options with which the data were made"
                if name == "forces" and found == 0:
                    remedy = "Leave such frames out of the data, or set forces_cost = 0"
                raise StorageError(
                    f"{self._frame_in_words(records[wrong[0]], features, wrong[0])}: {name} has "
                    f"{found} numbers for {atoms} atoms; {meaning} expected. {remedy}"
                )
        species = features["species"].values
        if species.min() < 0 or species.max() >= self.n_species:
            atom = int(np.argmax((species < 0) | (species >= self.n_species)))
            frame = int(np.searchsorted(features["species"].splits, atom, side="right")) - 1
            raise StorageError(
                f"{self.index.where(records[frame])}: species {species[atom]} found, 0 to "
                f"{self.n_species - 1} expected; atomic_sequence must list all species of the "
                "descriptor"
            )

    def _frame_in_words(self, record: int, features: dict[str, Parsed], frame: int) -> str:
        name = features["name"].row(frame)
        where = self.index.where(record)
        return f"{where} ({name[0].decode(errors='replace')})" if len(name) else where

    def _stored_derivatives(self, records, features, n_atoms) -> Batch:
        starts = features["species"].splits
        rows, cols, values = [], [], []
        for frame, record in enumerate(records):
            sparse = self._one_sparse(features, frame, int(n_atoms[frame]), record)
            rows.append(sparse.rows + starts[frame] * self.g_size)
            cols.append(sparse.cols + 3 * starts[frame])
            values.append(sparse.values)
        return {
            "rows": np.concatenate(rows),
            "cols": np.concatenate(cols),
            "values": np.concatenate(values),
        }

    def _one_sparse(self, features, frame: int, n: int, record: int) -> SparseDerivatives:
        if features["dgvect_size"].lengths[frame]:
            rows, cols = (
                features[name].row(frame).astype(np.int64)
                for name in ("dgvect_indices1", "dgvect_indices2")
            )
            values = features["dgvect_values"].row(frame)
            if not len(rows) == len(cols) == len(values):
                raise StorageError(f"{self.index.where(record)}: sparse derivatives are damaged")
            sparse = SparseDerivatives(rows, cols, values)
            sparse.check(n, self.g_size)
            return sparse
        dense = features["dgvects"].row(frame)
        if len(dense) != 3 * n * n * self.g_size:
            raise StorageError(
                f"{self.index.where(record)}: no derivatives stored ({len(dense)} numbers found, "
                f"{3 * n * n * self.g_size} expected). Compute and pack with include_derivatives "
                "= True, or train with derivatives = on_the_fly"
            )
        return SparseDerivatives.from_dense(dense.reshape(n, self.g_size, n, 3))

    def _neighbour_list(self, records, features) -> Batch:
        lists = [self._one_list(features, frame, int(r)) for frame, r in enumerate(records)]
        joined = concatenate(lists)
        return {"first": joined.first, "index": joined.index, "vectors": joined.vectors}

    def _one_list(self, features, frame: int, record: int):
        where = self.index.where(record)
        if not features["panna_geometry"].lengths[frame]:
            raise StorageError(
                f"{where}: no positions stored (a file of PANNA v1 or v2); derivatives = "
                "on_the_fly needs descriptors computed and packed by this version"
            )
        species = features["species"].row(frame)
        geometry = features["panna_geometry"].row(frame)[0]
        positions, cell, pbc = decode_geometry(geometry, len(species), where)
        symbols = tuple(self.species[s] for s in species)
        made = Frame(species=symbols, positions=positions, cell=cell, pbc=pbc, name=where)
        return neighbour_list(made, self.species, self.cutoff)


def _starts(lengths: list[int]) -> np.ndarray:
    """0 and the sums of the first 1, 2, ... lengths."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _names(feature: Parsed) -> np.ndarray:
    """(B,) names; empty where a record has none."""
    names = np.full(len(feature.lengths), b"", object)
    names[feature.lengths > 0] = feature.values
    return names


def _energies(features: dict[str, Parsed]) -> np.ndarray:
    """(B,) float64 energies in eV: ours in full precision, else the float32 of PANNA."""
    energies = features["energy"].values.astype(np.float64)
    full = features["panna_energy"]
    energies[full.lengths > 0] = np.frombuffer(b"".join(full.values), "<f8")
    return energies


def _weights(feature: Parsed) -> np.ndarray:
    weights = np.ones(len(feature.lengths), np.float32)
    weights[feature.lengths > 0] = feature.values
    return weights
