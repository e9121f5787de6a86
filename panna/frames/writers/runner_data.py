"""input.data of RuNNer and n2p2.

RuNNer always counts in bohr and hartree; n2p2 takes what it is given. A frame is periodic in three
directions or in none; energy and forces are there in every frame.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from panna.errors import FrameError
from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, factor
from panna.frames.writers.base import OneFile

if TYPE_CHECKING:
    from panna.frames.frame import Frame


class RunnerWriter(OneFile):
    """One begin ... end block for each frame."""

    title = "input.data of RuNNer and n2p2"
    holds = frozenset(("energy", "forces", "per_atom_energy"))
    next_step = "nnp-scaling in a folder with {target} as input.data and an input.nn"

    @classmethod
    def add_arguments(cls, group: argparse._ArgumentGroup) -> None:
        """Units, and what to do without forces."""
        group.add_argument(
            "--length-unit", default="bohr", metavar="UNIT", help="default: bohr, as RuNNer wants"
        )
        group.add_argument(
            "--energy-unit", default="hartree", metavar="UNIT",
            help="default: hartree, as RuNNer wants",
        )  # fmt: skip
        group.add_argument(
            "--zero-forces", action="store_true",
            help="write zeros for forces that are missing (for training on energies only)",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.length = factor(FOREIGN_LENGTH, args.length_unit, "--length-unit")
        self.energy = factor(FOREIGN_ENERGY, args.energy_unit, "--energy-unit")

    def plan(self) -> list[tuple[str, str]]:
        """Units, and the columns that are free for use."""
        length, energy = self.args.length_unit, self.args.energy_unit
        return [
            ("units", f"{length}, {energy}, {energy}/{length}"),
            ("columns", "charge is 0; the unused one is the energy of the atom, 0 if unknown"),
        ]

    def lost(self, frame: Frame) -> list[str]:
        """Name, group and weight stand in the comment, which no program reads."""
        only_said = {name: f"{name} (in the comment line only)" for name in ("group", "weight")}
        zeros = ["that it has no forces (zeros written)"] if frame.forces is None else []
        return [only_said.get(name, name) for name in super().lost(frame)] + zeros

    def text(self, frame: Frame) -> str:
        """A block of the file."""
        import numpy as np

        self._check(frame)
        force = self.energy / self.length
        forces = np.zeros((frame.n_atoms, 3)) if frame.forces is None else frame.forces
        energies = frame.per_atom_energy
        energies = np.zeros(frame.n_atoms) if energies is None else energies
        lines = ["begin", f"comment {self._comment(frame)}"]
        if frame.pbc.all():
            lines += [f"lattice {_row(vector)}" for vector in frame.cell / self.length]
        for symbol, place, energy, vector in zip(
            frame.species,
            frame.positions / self.length,
            energies / self.energy,
            forces / force,
            strict=True,
        ):
            lines.append(f"atom {_row(place)} {symbol:2} 0.0 {energy:.16g} {_row(vector)}")
        lines += [f"energy {frame.energy / self.energy:.17g}", "charge 0.0", "end"]
        return "\n".join(lines) + "\n"

    def _check(self, frame: Frame) -> None:
        if frame.energy is None:
            raise FrameError("no energy, which every frame of this format must have")
        if frame.forces is None and not self.args.zero_forces:
            raise FrameError(
                "no forces, which every frame of this format must have; --zero-forces writes zeros"
            )
        directions = int(frame.pbc.sum())
        if directions in (1, 2):
            raise FrameError(
                f"periodic in {directions} of 3 directions; this format knows all or none"
            )

    def _comment(self, frame: Frame) -> str:
        words = [f"units {self.args.length_unit} {self.args.energy_unit}"]
        words += [f"name {frame.name}"] if frame.name else []
        words += [f"group {frame.group}"] if frame.group else []
        words += [f"weight {frame.weight:g}"] if frame.weight != 1.0 else []
        # A line break in a group must not begin a new line of the format.
        return " ".join(", ".join(words).split())


def _row(vector) -> str:
    return " ".join(f"{x:24.16e}" for x in vector)
