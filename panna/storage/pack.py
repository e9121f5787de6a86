"""The work of tfr_packer: a folder of .bin files becomes TFRecord files.

The plan (which frames, in which order, into which file) depends on names, options and seed alone.
It is kept beside the output, so that an interrupted run continues and data packed in another way
are never mixed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import StorageError
from panna.files import atomic_write, make_folder
from panna.listing import Listing
from panna.storage.bin_file import list_bins, read_bin
from panna.storage.bin_trailer import read_header
from panna.storage.record import DescriptorRecord

PLAN_FILE = "tfr_packer_plan.json"
SUBSETS = ("train", "validation", "test")


@dataclass(frozen=True)
class Packing:
    """How to pack.

    derivatives: "none", "dense" or "sparse": form in the output; the input must have them.
    validation_fraction, test_fraction: parts of all frames, chosen by the seed; if one is above
      zero the output goes to sub-directories train, validation and test.
    n_species: checked against the frames if given.
    """

    input_dir: Path
    output_dir: Path
    elements_per_file: int = 1000
    prefix: str = ""
    derivatives: str = "none"
    per_atom_quantity: bool = False
    shuffle: bool = False
    seed: int = 0
    validation_fraction: float = 0.0
    test_fraction: float = 0.0
    n_species: int | None = None

    def __post_init__(self) -> None:
        if self.elements_per_file < 1:
            raise StorageError(
                f"elements_per_file = {self.elements_per_file} found, at least 1 expected"
            )
        fractions = (self.validation_fraction, self.test_fraction)
        if min(fractions) < 0 or sum(fractions) >= 1:
            raise StorageError(
                f"validation_fraction = {fractions[0]} and test_fraction = {fractions[1]} found; "
                "expected numbers from 0 whose sum is below 1"
            )

    @property
    def split(self) -> bool:
        return self.validation_fraction > 0 or self.test_fraction > 0


@dataclass(frozen=True)
class Target:
    """One output file, the frames that it holds, and a digest of both names and contents."""

    path: Path
    frames: Listing
    digest: str


@dataclass(frozen=True)
class Plan:
    """All output files.

    descriptor: of all frames; None if the .bin files do not say (PANNA v1 or v2).
    no_forces: the frames that say that they have no forces.
    """

    packing: Packing
    targets: tuple[Target, ...]
    descriptor: dict[str, Any] | None
    no_forces: Listing

    @property
    def n_frames(self) -> int:
        return sum(len(target.frames) for target in self.targets)

    def to_do(self) -> list[Target]:
        """Targets that do not exist yet."""
        return [target for target in self.targets if not _complete(target.path)]


def make_plan(packing: Packing) -> Plan:
    """Distributes the frames of input_dir over output files.

    Raises:
      FileError: no .bin file.
      StorageError: files of different descriptors, damaged files.
    """
    frames = list_bins(packing.input_dir)
    contents, no_forces, first = _survey(frames)
    descriptor_hash = "" if first is None else first["descriptor_hash"]
    targets = []
    for folder, members in _subsets(packing, len(frames)):
        n_files = -(-len(members) // packing.elements_per_file)
        for i in range(n_files):
            chosen = members[i * packing.elements_per_file : (i + 1) * packing.elements_per_file]
            name = f"{packing.prefix}-{i + 1}-{n_files}" if packing.prefix else f"{i + 1}-{n_files}"
            path = packing.output_dir / folder / f"{name}.tfrecord"
            stamps = (f"{frames[m].name} {descriptor_hash} {contents[m]}" for m in chosen)
            targets.append(Target(path, frames.select(chosen), _digest(packing, stamps)))
    return Plan(packing, tuple(targets), (first or {}).get("descriptor"), no_forces)


def adopt(plan: Plan) -> None:
    """Compares the plan with what is in output_dir already and writes it there; makes the folder.

    Raises:
      StorageError: TFRecord files that this plan would not have written.
    """
    packing = plan.packing
    remedy = "choose another output_dir, or delete the old files to pack again"
    expected = {_relative(plan, target): target.digest for target in plan.targets}
    earlier = _read_plan(packing.output_dir)
    folders = {"", *SUBSETS}
    present = {
        str(path.relative_to(packing.output_dir))
        for folder in folders
        for path in (packing.output_dir / folder).glob("*.tfrecord")
        if _complete(path)
    }
    for name in sorted(present):
        if name not in expected:
            raise StorageError(
                f"{packing.output_dir / name}: exists but does not belong to these data and "
                f"options (files wanted: {_example_names(expected)}); {remedy}"
            )
        if earlier.get(name) != expected[name]:
            found = "other frames or options" if name in earlier else "no record of its origin"
            raise StorageError(f"{packing.output_dir / name}: exists, with {found}; {remedy}")
    make_folder(packing.output_dir)
    with atomic_write(packing.output_dir / PLAN_FILE) as file:
        json.dump({"format": 1, "files": expected}, file, indent=1)


def records_of(target: Target, packing: Packing) -> Iterator[DescriptorRecord]:
    """The records of a target in the form asked for.

    Raises:
      StorageError: a frame lacks what is to be packed, or has a species beyond n_species.
    """
    for path in target.frames:
        yield _selected(read_bin(path), path, packing)


def _survey(frames: Listing) -> tuple[np.ndarray, Listing, dict[str, Any] | None]:
    """(N,) int64 that stands for the contents of each frame; those without forces; first header."""
    contents, no_forces = np.zeros(len(frames), np.int64), np.zeros(len(frames), bool)
    first = None
    for number, path in enumerate(frames):
        header = read_header(path)
        found = "" if header is None else header["descriptor_hash"]
        if first is None:
            first = (path, found, header)
        elif found != first[1]:
            if "" in (found, first[1]):
                read_bin(path if found == "" else first[0])  # says so if it is cut short
            raise StorageError(
                f"{first[0]} and {path} have different descriptors "
                f"({first[1] or 'not stated'} and {found or 'not stated'}); "
                "pack data of one descriptor only: recompute the ones that do not fit"
            )
        if header is not None and all(array["name"] != "forces" for array in header["arrays"]):
            no_forces[number] = True
        contents[number] = path.stat().st_size if header is None else header["content_crc32"]
    return contents, frames.select(no_forces), first[2]


def _subsets(packing: Packing, n_frames: int) -> list[tuple[str, np.ndarray]]:
    """(folder, numbers of its frames) of each non-empty subset."""
    shuffled = np.random.default_rng(packing.seed).permutation(n_frames)
    if not packing.split:
        return [("", shuffled if packing.shuffle else np.arange(n_frames))]
    n_test = round(packing.test_fraction * n_frames)
    n_validation = round(packing.validation_fraction * n_frames)
    n_train = n_frames - n_validation - n_test
    parts = np.split(shuffled, [n_train, n_train + n_validation])
    for name, fraction, part in zip(
        SUBSETS, (1.0, packing.validation_fraction, packing.test_fraction), parts, strict=True
    ):
        if fraction > 0 and not len(part):
            raise StorageError(
                f"{packing.input_dir}: {n_frames} frames are too few for the fractions asked for: "
                f"no frame is left for {name}"
            )
    ordered = parts if packing.shuffle else [np.sort(part) for part in parts]
    return [(name, part) for name, part in zip(SUBSETS, ordered, strict=True) if len(part)]


def _digest(packing: Packing, stamps: Iterable[str]) -> str:
    digest = hashlib.sha256(f"{packing.derivatives}\n{packing.per_atom_quantity}".encode())
    for stamp in stamps:
        digest.update(f"\n{stamp}".encode())
    return digest.hexdigest()[:32]


def _relative(plan: Plan, target: Target) -> str:
    return str(target.path.relative_to(plan.packing.output_dir))


def _read_plan(directory: Path) -> dict[str, str]:
    try:
        return json.loads((directory / PLAN_FILE).read_text())["files"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{directory / PLAN_FILE}: damaged ({error}); delete it with the TFRecord files "
            "beside it, or choose another output_dir"
        ) from error


def _complete(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _example_names(expected: dict[str, str]) -> str:
    names = list(expected)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _selected(record: DescriptorRecord, path: Path, packing: Packing) -> DescriptorRecord:
    """The record without what is not asked for."""
    if packing.derivatives != "none" and record.derivatives is None:
        raise StorageError(
            f"{path}: has no derivatives, but include_derivatives = True; compute the descriptors "
            "with include_derivatives = True or pack without"
        )
    if packing.per_atom_quantity and record.per_atom_quantity is None:
        raise StorageError(
            f"{path}: has no per-atom quantity, but include_per_atom_quantity = True; compute the "
            "descriptors with [MISC] per_atom_energy = True or pack without"
        )
    if packing.n_species is not None and record.species.max() >= packing.n_species:
        raise StorageError(
            f"{path}: species {record.species.max()} found, but n_species = {packing.n_species} "
            "(they count from 0); correct or remove n_species"
        )
    return replace(
        record,
        derivatives=None if packing.derivatives == "none" else record.derivatives,
        per_atom_quantity=record.per_atom_quantity if packing.per_atom_quantity else None,
    )
