"""Reads chosen records of TFRecord files and joins them into one batch of concatenated arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from panna import core
from panna.descriptors import evaluate
from panna.descriptors.parameters import DescriptorParameters
from panna.descriptors.scaling import Scaling, network_inputs
from panna.errors import StorageError
from panna.frames.frame import Frame
from panna.frames.neighbours import NeighbourList, concatenate, neighbour_list
from panna.storage.groups import group_factors
from panna.storage.pair_derivatives import PairDerivatives, from_sparse
from panna.storage.record import SparseDerivatives
from panna.storage.record_index import RecordIndex
from panna.storage.tfrecord import Parsed, decode_geometry, parse

STORED = ("stored", "stored_half")
SOURCES = ("none", *STORED, "on_the_fly")
Batch = dict[str, Any]


@dataclass(frozen=True)
class BatchSource:
    """What to read and in which form.

    index: the records.
    n_species, g_size: what the network expects; records are checked against them.
    source: "none"; "on_the_fly": neighbour lists; "stored": derivatives of the descriptors,
      calculated from the positions, or read where the records hold no positions; "stored_half":
      the same, rounded to float16.
    forces, virials: reference forces and virials belong to the batch.
    descriptor: of the records, None if they do not say.
    exact: descriptors in float64, calculated from the positions; records hold float32.
    threads: of the core, 0 for all.
    group_weights: factors of the weights of frames by group.
    scaling, dtype: descriptors become inputs of networks of that type; see `standardised`.
    """

    index: RecordIndex
    n_species: int
    g_size: int
    source: str = "none"
    forces: bool = False
    virials: bool = False
    descriptor: DescriptorParameters | None = None
    exact: bool = False
    threads: int = 0
    group_weights: Mapping[str, float] = field(default_factory=dict)
    scaling: Scaling | None = None
    dtype: str | None = None

    def bare(self, neighbours: bool = False) -> BatchSource:
        """The same without derivatives; neighbours only if asked for and part of this one."""
        kept = neighbours and self.source == "on_the_fly"
        return replace(self, source="on_the_fly" if kept else "none", exact=False)

    def standardised(self, scaling: Scaling | None, dtype: str) -> BatchSource:
        """The same with the inputs of the networks in place of the descriptors."""
        return replace(self, scaling=scaling, dtype=dtype)

    def load(self, records: np.ndarray) -> Batch:
        """The batch of some records (B frames, N atoms, M pairs in all).

        Returns:
          name (B,) bytes; n_atoms (B,) int64; energy (B,) float64, eV; weight (B,) float32;
          species (N,) int32; frame_of_atom (N,) int64; descriptors (N, g) float32, or float64 if
          `exact`; with forces: forces (N, 3) float32, eV/angstrom; with virials: virial (B, 3, 3)
          float64, eV, nan for frames without one;
          with derivatives: first (N + 1,) and index (M,) int64, the neighbour list of the batch,
          and vectors (M, 3) float64, angstrom, where the records hold positions;
          stored: blocks, a list of B arrays (M_frame, 3, g) float32, see PairDerivatives;
          stored_half: the same in float16.
        Raises:
          StorageError: a record does not fit the options; the message names file and record.
        """
        batch = self._read(records)
        if self.dtype is not None:
            batch["descriptors"] = network_inputs(
                self.scaling, batch["species"], batch["descriptors"], self.dtype
            )
        return batch

    def _read(self, records: np.ndarray) -> Batch:
        features = parse(self.index.read(records), self.index.where(records[0]))
        n_atoms = features["species"].lengths
        self._check_sizes(records, features, n_atoms)
        batch: Batch = {
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
        if self.virials:
            batch["virial"] = _virials(features["virial"])
        if self.source == "none":
            return batch
        if features["panna_geometry"].lengths.all():
            return batch | self._from_positions(records, features)
        if self.source == "on_the_fly":
            bare = records[int(np.argmin(features["panna_geometry"].lengths))]
            raise StorageError(
                f"{self.index.where(bare)}: no positions stored (a file of PANNA v1 or v2); "
                "derivatives = on_the_fly needs descriptors computed and packed by this version"
            )
        return batch | self._from_derivatives(records, features)

    def frame_bytes(self, records: np.ndarray) -> int:
        """Memory that some records need, measured."""
        arrays = self.load(records).values()
        return sum(
            sum(one.nbytes for one in array) if isinstance(array, list) else array.nbytes
            for array in arrays
        )

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

    def _from_positions(self, records, features) -> Batch:
        lists = [self._one_list(features, frame, int(r)) for frame, r in enumerate(records)]
        joined = concatenate(lists)
        batch = {"first": joined.first, "index": joined.index, "vectors": joined.vectors}
        if self.exact:
            batch["descriptors"] = evaluate.compute(self.descriptor, joined, self.threads)
        if self.source in STORED:
            batch["blocks"] = [
                self._stored(evaluate.blocks(self.descriptor, one, self.threads), int(record))
                for one, record in zip(lists, records, strict=True)
            ]
        return batch

    def _one_list(self, features, frame: int, record: int) -> NeighbourList:
        where = self.index.where(record)
        species = features["species"].row(frame)
        geometry = features["panna_geometry"].row(frame)[0]
        positions, cell, pbc = decode_geometry(geometry, len(species), where)
        symbols = tuple(self.descriptor.species[s] for s in species)
        made = Frame(species=symbols, positions=positions, cell=cell, pbc=pbc, name=where)
        return neighbour_list(made, self.descriptor.species, self.descriptor.cutoff)

    def _from_derivatives(self, records, features) -> Batch:
        starts = features["species"].splits
        frames = [
            self._one_frame(features, frame, int(record)) for frame, record in enumerate(records)
        ]
        return {
            "first": join_starts([one.first for one in frames]),
            "index": np.concatenate(
                [one.index + start for one, start in zip(frames, starts, strict=False)]
            ),
            "blocks": [
                self._stored(one.blocks, int(record))
                for one, record in zip(frames, records, strict=True)
            ],
        }

    def _stored(self, blocks: np.ndarray, record: int) -> np.ndarray:
        """Derivatives in the precision of the source."""
        if self.source == "stored":
            return blocks
        half = core.to_half(blocks)
        if not np.isfinite(half).all():
            raise StorageError(
                f"{self.index.where(record)}: a derivative of {np.abs(blocks).max():g} 1/angstrom "
                f"found, half precision ends at {np.finfo(np.float16).max:g}; train with "
                "derivatives = stored"
            )
        return half

    def _one_frame(self, features, frame: int, record: int) -> PairDerivatives:
        n = int(features["species"].lengths[frame])
        try:
            return from_sparse(self._one_sparse(features, frame, n, record), n, self.g_size)
        except StorageError as error:
            where = self.index.where(record)
            raise StorageError(
                str(error) if where in str(error) else f"{where}: {error}"
            ) from error

    def _one_sparse(self, features, frame: int, n: int, record: int) -> SparseDerivatives:
        if features["dgvect_size"].lengths[frame]:
            rows, cols = (
                features[name].row(frame).astype(np.int64)
                for name in ("dgvect_indices1", "dgvect_indices2")
            )
            values = features["dgvect_values"].row(frame)
            if not len(rows) == len(cols) == len(values):
                raise StorageError(f"{self.index.where(record)}: sparse derivatives are damaged")
            return SparseDerivatives(rows, cols, values)
        dense = features["dgvects"].row(frame)
        if len(dense) != 3 * n * n * self.g_size:
            raise StorageError(
                f"{self.index.where(record)}: no derivatives stored ({len(dense)} numbers found, "
                f"{3 * n * n * self.g_size} expected). Compute and pack with include_derivatives "
                "= True, or train with derivatives = on_the_fly"
            )
        return SparseDerivatives.from_dense(dense.reshape(n, self.g_size, n, 3))


def join_starts(firsts: list[np.ndarray]) -> np.ndarray:
    """The `first` of several neighbour lists, one behind the other."""
    ends = starts([one[-1] for one in firsts])
    moved = [one[1:] + end for one, end in zip(firsts, ends, strict=False)]
    return np.concatenate([np.zeros(1, np.int64), *moved])


def starts(lengths: np.ndarray | list[int]) -> np.ndarray:
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


def _virials(feature: Parsed) -> np.ndarray:
    virials = np.full((len(feature.lengths), 9), np.nan)
    virials[feature.lengths == 9] = feature.values.reshape(-1, 9)
    return virials.reshape(-1, 3, 3)


def _weights(feature: Parsed) -> np.ndarray:
    weights = np.ones(len(feature.lengths), np.float32)
    weights[feature.lengths > 0] = feature.values
    return weights
