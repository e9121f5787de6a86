"""Workers on many nodes: the ranks of an MPI run (mpiexec), through mpi4py.futures.

Rank 0 is the program; the others wait for work and get the next piece when they have finished one,
so that a large frame does not hold up the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from panna.errors import StorageError
from panna.extras import pip_install

# (number of ranks, own rank) in the environment that launchers set: MPICH and Intel MPI, Open MPI,
# Slurm's srun with PMIx.
LAUNCHERS = (
    ("PMI_SIZE", "PMI_RANK"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMIX_SIZE", "PMIX_RANK"),
)


@dataclass(frozen=True)
class MpiPool:
    """Rank 0's view of the others: an executor and how many workers it has."""

    executor: Executor
    workers: int


def launched() -> tuple[int, int]:
    """Number of ranks and own rank as the launcher says; (1, 0) without one."""
    for size, rank in LAUNCHERS:
        if size in os.environ and rank in os.environ:
            return int(os.environ[size]), int(os.environ[rank])
    return 1, 0


@contextmanager
def mpi_pool() -> Iterator[MpiPool | None]:
    """On rank 0 a pool of the other ranks. On those: works for rank 0, then yields None.

    To be used only where `launched` tells of more than one rank.

    Raises:
      StorageError: mpi4py is missing, or belongs to another MPI than the launcher.
    """
    size, _ = launched()
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor
    except ImportError as error:
        raise StorageError(
            f"started by mpiexec on {size} ranks, but mpi4py is not installed ({error}); "
            f"{pip_install('mpi')}, or start the program without mpiexec"
        ) from error
    found = MPI.COMM_WORLD.Get_size()
    if found != size:
        raise StorageError(
            f"started by mpiexec on {size} ranks, but mpi4py sees {found}: they belong to "
            f"different MPI libraries (mpi4py: {MPI.Get_library_version().splitlines()[0]}); use "
            "the mpiexec of that library"
        )
    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        yield None if executor is None else MpiPool(executor, size - 1)
