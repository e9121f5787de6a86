"""The structures of an evaluation, from TFRecord files, .bin files or .example files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import FileError, FrameError, StorageError
from panna.frames.example_file import read_example
from panna.frames.example_folder import list_examples
from panna.frames.frame import Frame
from panna.frames.neighbours import species_indices
from panna.storage.bin_file import list_bins, read_bin
from panna.storage.record import DescriptorRecord
from panna.storage.record_index import RecordIndex, list_tfrecords
from panna.storage.require_tensorflow import import_tensorflow, require_tensorflow


@dataclass(frozen=True)
class Structure:
    """One structure and what is known about it.

    where: file (and record), for messages.
    name: its key, never empty and without blanks.
    species: (n,) int32, position in the species of the networks.
    energy: eV, None if unknown.
    forces: (n, 3) eV/angstrom, None if unknown.
    frame: atoms and cell, None if the data (of PANNA v1 and v2) do not have them.
    record: the descriptors as stored, None for .example files.
    group: label of its source, or "".
    """

    where: str
    name: str
    species: np.ndarray
    energy: float | None = None
    forces: np.ndarray | None = None
    frame: Frame | None = None
    record: DescriptorRecord | None = None
    group: str = ""

    @property
    def n_atoms(self) -> int:
        return len(self.species)

    @property
    def descriptor(self) -> dict[str, Any] | None:
        """Parameters that made the stored descriptors, None if unknown."""
        return self.record.descriptor if self.record is not None else None


@dataclass(frozen=True)
class StructureSet:
    """The structures of a folder, read one after the other.

    directory: the folder.
    form: TFR, single_files or examples.
    species: species of the networks.
    paths: the files, sorted by name.
    chosen: numbers of the structures to read, ascending.
    """

    directory: Path
    form: str
    species: tuple[str, ...]
    paths: tuple[Path, ...]
    chosen: np.ndarray = field(repr=False)

    @classmethod
    def open(cls, directory: str | Path, form: str, species: Sequence[str]) -> StructureSet:
        """All structures of a folder (not of the folders in it).

        Args:
          form: TFR (*.tfrecord), single_files (*.bin; files without extension if there is none) or
            examples (*.example).
        Raises:
          FileError: no such folder, or no such file in it.
        """
        directory = Path(directory)
        _check_directory(directory, form)
        if form == "TFR":
            paths = list_tfrecords(directory)
            total = len(RecordIndex.of(list(paths)))
        else:
            paths = _bin_files(directory) if form == "single_files" else list_examples(directory)
            total = len(paths)
        return cls(directory, form, tuple(species), tuple(paths), np.arange(total))

    def __len__(self) -> int:
        return len(self.chosen)

    def subset(self, count: int, seed: int) -> StructureSet:
        """`count` of the structures, chosen at random; all if there are not more."""
        if count >= len(self):
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(self.chosen, count, replace=False))
        return StructureSet(self.directory, self.form, self.species, self.paths, chosen)

    def __iter__(self) -> Iterator[Structure]:
        """Reads the structures.

        Raises:
          StorageError, FrameError: a file is damaged or does not fit the species.
        """
        if self.form == "TFR":
            yield from self._read_tfrecords()
            return
        for number in self.chosen:
            path = self.paths[number]
            if self.form == "examples":
                yield _of_frame(read_example(path), self.species, str(path))
            else:
                yield _of_record(read_bin(path), self.species, str(path), path.stem)

    def _read_tfrecords(self) -> Iterator[Structure]:
        require_tensorflow("example_format = TFR (not single_files or examples)")
        import_tensorflow()
        from panna.storage.tfrecord import read_tfrecord

        wanted, number = set(self.chosen.tolist()), 0
        for path in self.paths:
            for position, record in enumerate(read_tfrecord(path), 1):
                if number in wanted:
                    where = f"{path}, record {position}"
                    yield _of_record(record, self.species, where, f"{path.stem}#{position}")
                number += 1


def _check_directory(directory: Path, form: str) -> None:
    if not directory.is_dir():
        raise FileError(f"{directory}: no such folder; expected one with structures ({form})")
    extensions = {"TFR": ".tfrecord", "single_files": ".bin", "examples": ".example"}
    found = {path.suffix for path in directory.iterdir()}
    others = [other for other, ending in extensions.items() if ending in found and other != form]
    if extensions[form] not in found and others:
        raise FileError(
            f"{directory}: holds no *{extensions[form]} file ({form}), but "
            f"*{extensions[others[0]]} files (example_format = {others[0]})"
        )


def _bin_files(directory: Path) -> list[Path]:
    """The *.bin files of a folder, or else files as the earliest PANNA named them."""
    if not any(directory.glob("*.bin")):
        files = (path for path in directory.iterdir() if path.is_file() and not path.suffix)
        if nameless := sorted(path for path in files if not path.name.startswith(".")):
            return nameless
    return list_bins(directory)


def _of_frame(frame: Frame, species: tuple[str, ...], where: str) -> Structure:
    try:
        numbers = species_indices(frame, species)
    except FrameError as error:
        raise FrameError(f"{where}: {error}") from error
    return Structure(
        where=where,
        name=_name(frame.name, where),
        species=numbers,
        energy=frame.energy,
        forces=frame.forces,
        frame=frame,
        group=frame.group,
    )


def _of_record(
    record: DescriptorRecord, species: tuple[str, ...], where: str, nameless: str
) -> Structure:
    if len(record.species) and record.species.max() >= len(species):
        raise StorageError(
            f"{where}: species number {record.species.max()} found; the networks have "
            f"{len(species)}: {', '.join(species)} (numbered from 0). The data were made with "
            "other species"
        )
    theirs = tuple((record.descriptor or {}).get("species", species))
    if theirs != species:
        raise StorageError(
            f"{where}: made for the species {', '.join(theirs)}, the networks have "
            f"{', '.join(species)}; use data of the same descriptor, or example_format = examples"
        )
    frame = None
    if record.positions is not None:
        symbols = tuple(species[number] for number in record.species)
        frame = Frame(symbols, record.positions, record.cell, record.pbc, name=record.name)
    return Structure(
        where=where,
        name=_name(record.name, nameless),
        species=record.species,
        energy=record.energy,
        forces=record.forces,
        frame=frame,
        record=record,
        group=record.group,
    )


def _name(name: str, otherwise: str) -> str:
    # A blank would be taken for the end of the first column.
    return "_".join((name or otherwise).split())
