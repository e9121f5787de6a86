"""The work of gvect_calculator: a folder of examples becomes a folder of .bin files.

An existing .bin is trusted only if its trailer says that it comes from the same example (SHA-256)
with the same descriptor and the same options; the list of computed keys that PANNA keeps
(`gvect_already_computed.dat`) is written for other programs but never believed.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np

from panna.descriptors.parameters import DescriptorParameters
from panna.errors import PannaError, StorageError
from panna.files import atomic_write, sha256_of
from panna.frames.example_file import SUFFIX, ExampleWarning, key_of, read_example
from panna.frames.frame import Frame
from panna.listing import Listing, list_files
from panna.storage.bin_file import read_bin, write_bin
from panna.storage.bin_trailer import read_header
from panna.storage.frame_record import describe
from panna.storage.mpi_pool import MpiPool
from panna.storage.record import DescriptorRecord

COMPUTED_LIST = "gvect_already_computed.dat"
REMEDY = "choose another output_gvect_dir or delete the old files"
ALL_ZERO = (
    "all descriptors are zero: right for an isolated atom, otherwise the cutoffs are too short or "
    "the units of lengths wrong"
)


@dataclass(frozen=True)
class Calculation:
    """What to do with every example.

    parameters: the descriptor.
    output_dir: where the .bin files go.
    derivatives: "none", "dense" or "sparse".
    pbc: replaces the periodicity of every frame, unless None.
    per_atom_energy: store the per-atom energies of the examples.
    """

    parameters: DescriptorParameters
    output_dir: Path
    derivatives: str = "none"
    pbc: tuple[bool, bool, bool] | None = None
    per_atom_energy: bool = False

    def target(self, example: Path) -> Path:
        """The .bin file of an example: the same name with another extension."""
        return self.output_dir / (key_of(example) + ".bin")

    def there(self) -> Listing:
        """The .bin files of the output folder."""
        return list_files(self.output_dir, ".bin")

    def options(self) -> dict[str, Any]:
        """What a .bin file remembers of these options."""
        return {
            "derivatives": self.derivatives,
            "pbc": None if self.pbc is None else list(self.pbc),
            "per_atom_energy": self.per_atom_energy,
        }

    def read_frame(self, example: Path) -> Frame:
        """The frame of an example, with the periodicity to be used."""
        frame = read_example(example)
        if self.per_atom_energy and frame.per_atom_energy is None:
            raise StorageError(
                f"{example}: has no per_atom_energy; add it or set [MISC] per_atom_energy = False"
            )
        return frame if self.pbc is None else replace(frame, pbc=self.pbc)


@dataclass(frozen=True)
class Outcome:
    """What became of one example: atoms and bytes written, or why it failed, and warnings."""

    example: Path
    n_atoms: int = 0
    n_bytes: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worklist:
    """Examples to compute and examples whose .bin is up to date.

    stale: those of `todo` whose .bin is damaged or does not belong to them any more.
    strangers: .bin files of no example; whoever packs the folder packs them too.
    """

    todo: Listing
    done: Listing
    stale: Listing
    strangers: Listing


def sort_out(calculation: Calculation, examples: Listing) -> Worklist:
    """Finds out which examples are still to be computed; changes nothing.

    Raises:
      StorageError: a .bin was made with another descriptor or other options, or does not say.
    """
    there = calculation.there()
    done, stale = np.zeros((2, len(examples)), bool)
    for number, example in enumerate(examples):
        target = calculation.target(example)
        if there.holds(target.name):
            done[number] = _up_to_date(calculation, example, target)
            stale[number] = not done[number]
    strange = (not examples.holds(_example_name(target)) for target in there)
    return Worklist(
        todo=examples.select(~done),
        done=examples.select(done),
        stale=examples.select(stale),
        strangers=there.select(np.fromiter(strange, bool, len(there))),
    )


def discard_stale(calculation: Calculation, work: Worklist) -> None:
    """Deletes the .bin files that are to be replaced, so that none outlives a failure."""
    for example in work.stale:
        calculation.target(example).unlink(missing_ok=True)


def compute_one(calculation: Calculation, example: Path) -> Outcome:
    """Computes one example and writes its .bin; a failure becomes part of the outcome.

    Raises:
      FileError: the .bin cannot be written, which is no fault of the example.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ExampleWarning)
        try:
            record = _describe_example(calculation, example)
        except PannaError as error:
            return Outcome(example, error=_with_file(str(error), example))
    target = calculation.target(example)
    try:
        write_bin(target, record, sparse=calculation.derivatives == "sparse")
    except StorageError as error:
        return Outcome(example, error=_with_file(str(error), example))
    said = [str(w.message) for w in caught]
    if not record.descriptors.any():
        said.append(ALL_ZERO)
    return Outcome(example, record.n_atoms, target.stat().st_size, warnings=tuple(said))


def compute_all(
    calculation: Calculation,
    examples: Sequence[Path],
    processes: int = 1,
    ranks: MpiPool | None = None,
) -> Iterator[Outcome]:
    """Computes examples, in worker processes if there are several; yields them as they finish.

    Args:
      calculation: what to do.
      examples: what to do it with.
      processes: number of worker processes; 1 works in this process.
      ranks: the workers of an MPI run, in place of processes of this machine.
    Raises:
      StorageError: a worker process died.
      FileError: a .bin cannot be written.
    """
    if ranks is not None:
        yield from _distribute(calculation, examples, ranks.executor, ranks.workers)
        return
    if processes == 1 or len(examples) < 2:
        for example in examples:
            yield compute_one(calculation, example)
        return
    processes = min(processes, len(examples))
    try:
        with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker) as pool:
            yield from _distribute(calculation, examples, pool, processes)
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process ended unexpectedly, most often for lack of memory; what is written "
            "is kept: start again with a smaller number_of_process"
        ) from error


def _distribute(
    calculation: Calculation, examples: Sequence[Path], pool: Executor, workers: int
) -> Iterator[Outcome]:
    """Keeps every worker busy with a few examples in advance: memory stays the same for any set."""
    waiting, running = iter(examples), set()
    try:
        while True:
            while len(running) < 4 * workers and (example := next(waiting, None)):
                running.add(pool.submit(compute_one, calculation, example))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        for future in running:
            future.cancel()  # after an error or an interruption


def write_computed_list(folder: Path, calculation: Calculation, work: Worklist) -> None:
    """Writes PANNA's list of the keys of examples that have a .bin, each followed by a comma."""
    with atomic_write(folder / COMPUTED_LIST) as file:
        for target in calculation.there():
            name = _example_name(target)
            if work.done.holds(name) or work.todo.holds(name):
                file.write(f"{target.name.removesuffix('.bin')},")


def _example_name(target: Path) -> str:
    return target.name.removesuffix(".bin") + SUFFIX


def _start_worker() -> None:
    """In a worker: Ctrl-C is the business of the parent, and the parent's end is the worker's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)


def _describe_example(calculation: Calculation, example: Path) -> DescriptorRecord:
    checksum = sha256_of(example)
    frame = calculation.read_frame(example)
    record = describe(frame, calculation.parameters, calculation.derivatives, threads=1)
    return replace(
        record,
        per_atom_quantity=frame.per_atom_energy if calculation.per_atom_energy else None,
        provenance={"file": example.name, "sha256": checksum, **calculation.options()},
    )


def _with_file(message: str, example: Path) -> str:
    """The message, with the file in front unless it names it already."""
    return message if str(example) in message else f"{example}: {message}"


def _up_to_date(calculation: Calculation, example: Path, target: Path) -> bool:
    """False if the .bin is damaged or its example has changed; error if it is of another kind."""
    try:
        header = read_header(target)
        if header is None:
            read_bin(target)
    except StorageError:
        return False
    if header is None:
        raise StorageError(
            f"{target}: does not say with which parameters it was made (a file of PANNA v1 or v2); "
            f"{REMEDY}"
        )
    _check_descriptor(calculation, target, header)
    found = header.get("provenance", {})
    for option, expected in calculation.options().items():
        if found.get(option) != expected:
            raise StorageError(
                f"{target}: made with {option} = {found.get(option)}, now {expected} is asked for; "
                f"{REMEDY}"
            )
    return found.get("sha256") == sha256_of(example)


def _check_descriptor(calculation: Calculation, target: Path, header: dict[str, Any]) -> None:
    parameters = calculation.parameters
    if header.get("descriptor_hash") == parameters.hash:
        return
    expected = json.loads(json.dumps(parameters.to_dict()))
    found = header.get("descriptor") or {}
    different = [key for key in expected | found if expected.get(key) != found.get(key)]
    key = different[0] if different else "hash"
    raise StorageError(
        f"{target}: made with another descriptor: {key} = {found.get(key)} found, "
        f"{expected.get(key)} expected"
        + (f" (and {len(different) - 1} more parameters differ)" if len(different) > 1 else "")
        + f"; {REMEDY}"
    )
