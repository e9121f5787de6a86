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

from panna.descriptors.parameters import DescriptorParameters
from panna.errors import PannaError, StorageError
from panna.files import atomic_write, sha256_of
from panna.frames.example_file import ExampleWarning, key_of, read_example
from panna.frames.frame import Frame
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
    """What became of one example: atoms, or the reason of a failure, and warnings about it."""

    example: Path
    n_atoms: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worklist:
    """Examples to compute and examples whose .bin is up to date.

    stale: the .bin files of `todo` that are damaged or do not belong to their example any more.
    strangers: .bin files of no example; whoever packs the folder packs them too.
    """

    todo: tuple[Path, ...]
    done: tuple[Path, ...]
    stale: tuple[Path, ...]
    strangers: tuple[Path, ...]


def sort_out(calculation: Calculation, examples: Sequence[Path]) -> Worklist:
    """Finds out which examples are still to be computed; changes nothing.

    Raises:
      StorageError: a .bin was made with another descriptor or other options, or does not say.
    """
    todo, done, stale = [], [], []
    for example in examples:
        target = calculation.target(example)
        if not target.exists():
            todo.append(example)
        elif _up_to_date(calculation, example, target):
            done.append(example)
        else:
            todo.append(example)
            stale.append(target)
    expected = {calculation.target(example) for example in examples}
    strangers = sorted(set(calculation.output_dir.glob("*.bin")) - expected)
    return Worklist(tuple(todo), tuple(done), tuple(stale), tuple(strangers))


def discard_stale(work: Worklist) -> None:
    """Deletes the .bin files that are to be replaced, so that none outlives a failure."""
    for target in work.stale:
        target.unlink(missing_ok=True)


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
    try:
        write_bin(calculation.target(example), record, sparse=calculation.derivatives == "sparse")
    except StorageError as error:
        return Outcome(example, error=_with_file(str(error), example))
    said = [str(w.message) for w in caught]
    if not record.descriptors.any():
        said.append(ALL_ZERO)
    return Outcome(example, record.n_atoms, warnings=tuple(said))


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
    pool = ProcessPoolExecutor(
        min(processes, len(examples)), mp_context=get_context("spawn"), initializer=_start_worker
    )
    try:
        yield from _distribute(calculation, examples, pool, processes)
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process ended unexpectedly, most often for lack of memory; what is written "
            "is kept: start again with a smaller number_of_process"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _distribute(
    calculation: Calculation, examples: Sequence[Path], pool: Executor, workers: int
) -> Iterator[Outcome]:
    """Keeps every worker busy with a few examples in advance: memory stays the same for any set."""
    waiting, running = iter(examples), set()
    while True:
        while len(running) < 4 * workers and (example := next(waiting, None)):
            running.add(pool.submit(compute_one, calculation, example))
        if not running:
            return
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()


def write_computed_list(folder: Path, examples: Sequence[Path]) -> None:
    """Writes PANNA's list of computed keys, each followed by a comma."""
    with atomic_write(folder / COMPUTED_LIST) as file:
        file.write("".join(f"{key_of(example)}," for example in sorted(examples)))


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
