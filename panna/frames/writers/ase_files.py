"""ASE's trajectory (.traj) and databases (.db, .json) of Atoms with their results."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from panna.errors import FileError, FrameError
from panna.files import atomic_write
from panna.frames.writers.base import QUANTITIES, FrameWriter, refuse_existing, symmetric

if TYPE_CHECKING:
    from panna.frames.frame import Frame

ENDINGS = (".traj", ".db", ".json")
MOST_IN_JSON = 1000  # ASE writes the whole file anew for every row


class AseWriter(FrameWriter):
    """A trajectory or a database, by the ending of the target."""

    title = "ASE"
    target = "a file: .traj, .db or .json"
    holds = frozenset(QUANTITIES)
    next_step = "ase gui {target}"

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        if self.path.suffix not in ENDINGS:
            raise FileError(
                f"{self.path}: the ending tells what it will be; one of {', '.join(ENDINGS)} "
                "expected"
            )
        refuse_existing(self.path)
        self._open = ExitStack()
        self._written = 0

    def __enter__(self) -> AseWriter:
        file = self._open.enter_context(atomic_write(self.path, "wb"))
        try:
            if self.path.suffix == ".traj":
                from ase.io.trajectory import TrajectoryWriter

                self._trajectory = self._open.enter_context(TrajectoryWriter(file))
            else:
                from ase.db import connect

                # An empty file is an empty database; appending keeps ASE from deleting it.
                database = connect(
                    Path(file.name), type=self.path.suffix[1:], append=True, use_lock_file=False
                )
                self._database = self._open.enter_context(database)
        except BaseException as error:
            self._open.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.__exit__(*exception)

    def plan(self) -> list[tuple[str, str]]:
        """Units, and where name, group and weight are."""
        where = "atoms.info" if self.path.suffix == ".traj" else "data['panna'] of the rows"
        return [
            ("units", "angstrom, eV, stress in eV/angstrom^3, negative under compression"),
            ("entries", f"name, group, weight, virial of frames without volume: in {where}"),
        ]

    def write(self, frame: Frame) -> bool:
        """One image or row."""
        from panna.frames.ase_atoms import IN_DATA, atoms_of_frame

        atoms = atoms_of_frame(frame)
        if self.path.suffix == ".traj":
            self._trajectory.write(atoms)
            return True
        if self.path.suffix == ".json" and self._written == MOST_IN_JSON:
            raise FrameError(f"more than {MOST_IN_JSON} frames: write a .db file instead")
        if frame.per_atom_energy is not None:
            # A database has no place for these among the results.
            atoms.info["per_atom_energy"] = frame.per_atom_energy
        self._database.write(atoms, data={IN_DATA: atoms.info})
        self._written += 1
        return True

    def lost(self, frame: Frame) -> list[str]:
        """Half of a virial that is not symmetric."""
        return [] if symmetric(frame) else ["antisymmetric part of the virial"]
