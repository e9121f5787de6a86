"""panna_ani_parser: HDF5 files of the ANI data sets to .example files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.extras import require
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.text import listed
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    import h5py
    import numpy as np


DESCRIPTION = """\
Turn HDF5 files of the ANI data sets into one .example file for each conformation.

ANI-1: groups, in groups, with coordinates, species, energies and sometimes forces and smiles.
ANI-1x, ANI-1ccx: one group for each formula with coordinates, atomic_numbers and, for each level of
theory, <level>.energy and sometimes <level>.forces; --level says which level is wanted.
Units are hartree and angstrom. Conformations are molecules without a cell; the path of the HDF5
group becomes the group of the example.

A conformation that cannot be used is reported with its file, molecule and number and the reason,
and left out; the exit code is then 2. Files are named <prefix><file>_<number>.example; the number
counts all conformations of the file, in the order of the names of its molecules."""

EPILOG = """\
Not a number (NaN) stands for "not computed" in ANI-1x: conformations without an energy at the
level are passed over and counted, those without forces are taken with their energy.
The dataset "forces" of ANI-1 holds gradients, dE/dr, in spite of its name; <level>.forces of ANI-1x
holds forces. Where energies and forces of neighbouring conformations contradict each other, a
warning tells, and --forces-sign mends it.
coordinatesHE and energiesHE (high energies) of ANI-1 are not read.
example: panna_ani_parser -i ani1x-release.h5 -o examples --level wb97x_dz"""

BLOCK = 256  # conformations in memory at a time
MOST_ATOMS = 100_000  # of a conformation; more is a damaged file and must not fill the memory
NEAREST = 100  # pairs of conformations that tell about the sign of forces
CONTRADICTION = -0.5  # correlation of energy differences with the work of the forces
SIGNS = ("auto", "force", "gradient")


class _Choice(FrameError):
    """What concerns all molecules of a file."""


@dataclass(frozen=True)
class _Molecule:
    """The datasets of one group, of consistent shapes.

    sign: what the numbers in `forces` are multiplied by.
    """

    name: str
    species: tuple[str, ...]
    coordinates: h5py.Dataset
    energies: h5py.Dataset | None
    forces: h5py.Dataset | None
    sign: float
    facts: dict[str, str]


class AniHdf5(Reader):
    """One HDF5 file."""

    program = "ani_parser"
    title = "ANI data sets to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "HDF5 file (.h5, .hdf5) of the ANI data sets"
    endings = (".h5", ".hdf5")

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Level of theory and sign."""
        parser.add_argument(
            "--level", metavar="NAME",
            help="take <level>.energy and <level>.forces; needed where there are several",
        )  # fmt: skip
        parser.add_argument(
            "--forces-sign", choices=SIGNS, default="auto",
            help='what the file holds: forces, or gradients, which are multiplied by -1; default '
            '(auto): gradient for a dataset named "forces", force for <level>.forces',
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.level = args.level.removesuffix(".energy") if args.level else None
        self.without_energy = 0
        self.levels: set[str] = set()

    def wants(self, path: Path) -> bool:
        """By the name; none that is compressed."""
        return path.suffix.lower() in self.endings

    def plan(self) -> list[tuple[str, str]]:
        """Level and sign."""
        return [
            ("level of theory", self.level or "the only one of the file"),
            ("forces are", self.args.forces_sign),
            ("units of the files", "angstrom, hartree, hartree/angstrom"),
        ]

    def findings(self) -> list[tuple[str, str]]:
        """Levels that were read, and what had none."""
        rows = [("energies from", ", ".join(sorted(self.levels)) or "none")]
        if self.without_energy:
            rows.append(("passed over", f"{self.without_energy} without an energy at this level"))
        return rows

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """All conformations of a molecule, then the next; a block of them is in memory."""
        require("h5py", "tools", "reading HDF5 files")
        import h5py

        try:
            with h5py.File(path, "r") as file:
                groups = _molecule_groups(file)
                total = sum(_count(group) for group in groups)
                number = 0
                for group in groups:
                    yield from self._molecule(group, number, path.stat().st_size / max(total, 1))
                    number += _count(group)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            # What h5py raises where the file is truncated, damaged or nothing of the kind.
            reason = str(error).strip("'\"")
            raise FrameError(f"not a readable HDF5 file: {reason}") from error

    def _molecule(
        self, group: h5py.Group, before: int, bytes_each: float
    ) -> Iterator[Configuration | Unusable | Remark]:
        name = group.name.strip("/")
        consumed = int(bytes_each * (before + _count(group)))
        try:
            molecule = self._checked(group)
        except _Choice:
            raise
        except FrameError as error:
            yield Unusable(f"molecule {name}", str(error), consumed)
            return
        for start in range(0, _count(group), BLOCK):
            block = slice(start, start + BLOCK)
            coordinates = _numbers(molecule.coordinates, block)
            energies = None if molecule.energies is None else _numbers(molecule.energies, block)
            forces = None if molecule.forces is None else _numbers(molecule.forces, block)
            if forces is not None:
                forces *= molecule.sign
            if start == 0 and energies is not None and forces is not None:
                yield from _contradiction(coordinates, energies.reshape(-1), forces)
            for k in range(len(coordinates)):
                number = before + start + k + 1
                energy = None if energies is None else float(energies[k].item())
                force = None if forces is None else forces[k]
                yield from self._conformation(
                    molecule, number, coordinates[k], energy, force, int(bytes_each * number)
                )

    def _conformation(
        self,
        molecule: _Molecule,
        number: int,
        coordinates: np.ndarray,
        energy: float | None,
        forces: np.ndarray | None,
        consumed: int,
    ) -> Iterator[Configuration | Unusable]:
        import numpy as np

        from panna.frames.frame import Frame
        from panna.frames.units import HARTREE

        if molecule.energies is not None and "." in molecule.energies.name.rpartition("/")[2]:
            # ANI-1x: NaN where a level was not computed for a conformation.
            energy = None if np.isnan(energy) else energy
            forces = None if forces is not None and np.isnan(forces).all() else forces
        if energy is None and not self.args.no_energy:
            self.without_energy += 1
            return
        try:
            frame = Frame(
                species=molecule.species,
                positions=coordinates,
                cell=np.zeros((3, 3)),
                pbc=(False,) * 3,
                energy=None if energy is None else energy * HARTREE,
                forces=None if forces is None else forces * HARTREE,
                group=molecule.name,
            )
        except FrameError as error:
            yield Unusable(f"{molecule.name}, conformation {number}", str(error), consumed)
            return
        yield Configuration(frame, number, molecule.facts, consumed)

    def _checked(self, group: h5py.Group) -> _Molecule:
        """Raises FrameError where something is missing or shapes do not fit."""
        coordinates = _dataset(group, "coordinates")
        species = _species(group)
        frames, atoms = coordinates.shape[0], len(species)
        _check(coordinates, [(frames, atoms, 3)])
        energy_key, forces_key = self._keys(group)
        energies = forces = None
        if energy_key is not None:
            energies = _check(_dataset(group, energy_key), [(frames,), (frames, 1)])
            self.levels.add(energy_key)
        if forces_key is not None and forces_key in group:
            forces = _check(_dataset(group, forces_key), [(frames, atoms, 3)])
        gradient = self.args.forces_sign == "gradient"
        if self.args.forces_sign == "auto":
            gradient = forces_key == "forces"
        sign = -1.0 if gradient else 1.0
        name = group.name.strip("/")
        return _Molecule(name, species, coordinates, energies, forces, sign, _facts(group))

    def _keys(self, group: h5py.Group) -> tuple[str | None, str | None]:
        """Of energies and of forces."""
        levels = sorted(
            key.removesuffix(".energy") for key in map(str, group) if key.endswith(".energy")
        )
        if "energies" in group and self.level in (None, "energies"):
            return "energies", "forces"
        if self.level in levels:
            return f"{self.level}.energy", f"{self.level}.forces"
        found = listed([*levels, *(["energies"] if "energies" in group else [])], 12)
        if self.level is None and len(levels) == 1:
            return f"{levels[0]}.energy", f"{levels[0]}.forces"
        if self.level is None and levels:
            raise _Choice(f"several levels of theory, choose one with --level: {found}")
        if self.level is None and self.args.no_energy:
            return None, "forces"
        if self.level is None:
            raise FrameError("no energies in it; accept molecules without them by --no-energy")
        raise FrameError(f"no energies of level {self.level}; there are {found or 'none'}")


# -- parts of a file -------------------------------------------------------------------------------


def _molecule_groups(file: h5py.File) -> list[h5py.Group]:
    """The groups that hold coordinates, in the order of their names; links are not followed."""
    import h5py

    names: list[str] = []
    file.visititems(
        lambda name, item: (
            names.append(name) if isinstance(item, h5py.Group) and "coordinates" in item else None
        )
    )
    if not all(isinstance(name, str) for name in names):
        raise FrameError("the name of a group in it is not UTF-8 text")
    return [file[name] for name in names]


def _count(group: h5py.Group) -> int:
    """Number of conformations; 0 where the coordinates are no array."""
    shape = getattr(group.get("coordinates"), "shape", ())
    return shape[0] if shape else 0


def _dataset(group: h5py.Group, key: str) -> h5py.Dataset:
    """A dataset whose numbers are in this very file."""
    import h5py

    found = group.get(key)
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise FrameError(f"{key}: no array")
    elsewhere = not isinstance(group.get(key, getlink=True), h5py.HardLink)
    if elsewhere or found.external or found.is_virtual:
        raise FrameError(f"{key}: its numbers are in another file, which is not read")
    return found


def _check(dataset: h5py.Dataset, shapes: list[tuple[int, ...]]) -> h5py.Dataset:
    key = dataset.name.rpartition("/")[2]
    if dataset.shape not in shapes:
        expected = " or ".join(map(str, shapes))
        raise FrameError(f"{key}: shape {dataset.shape} found, {expected} expected")
    if dataset.dtype.kind != "f":
        raise FrameError(f"{key}: {dataset.dtype} found, floating-point numbers expected")
    return dataset


def _numbers(dataset: h5py.Dataset, block: slice) -> np.ndarray:
    import numpy as np

    return dataset[block].astype(np.float64)


def _species(group: h5py.Group) -> tuple[str, ...]:
    """Chemical symbols, from `species` or `atomic_numbers`."""
    from panna.frames.elements import symbols_of_numbers

    key = next((key for key in ("species", "atomic_numbers") if key in group), None)
    if key is None:
        raise FrameError("neither species nor atomic_numbers in it")
    dataset = _dataset(group, key)
    if dataset.ndim != 1 or not 0 < dataset.shape[0] <= MOST_ATOMS:
        raise FrameError(f"{key}: shape {dataset.shape} found, (atoms,) expected")
    values = dataset[()]
    if values.dtype.kind not in "iu":
        return tuple(_text(value).strip() for value in values)
    try:
        return symbols_of_numbers(values)
    except FrameError as error:
        raise FrameError(f"{key}: {error}") from error


def _facts(group: h5py.Group) -> dict[str, str]:
    """What the group tells about the molecule."""
    facts = {}
    for key, name in (("smiles", "smiles"), ("lot", "level_of_theory")):
        dataset = group.get(key)
        if getattr(dataset, "ndim", None) == 1 and dataset.size < 1000:
            facts[name] = "".join(map(_text, _dataset(group, key)[()]))
    return facts


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _contradiction(
    coordinates: np.ndarray, energies: np.ndarray, forces: np.ndarray
) -> Iterator[Remark]:
    """A remark if energies rise where the forces push, judged by pairs of near conformations."""
    import numpy as np

    usable = np.isfinite(energies) & np.isfinite(forces).all((1, 2))
    flat, energies, forces = (
        a[usable].reshape(usable.sum(), -1) for a in (coordinates, energies, forces)
    )
    if len(flat) < 10:
        return
    squares = (flat**2).sum(1)
    distances = squares[:, None] + squares - 2 * flat @ flat.T
    first, second = np.triu_indices(len(flat), 1)
    nearest = np.argsort(distances[first, second])[:NEAREST]
    i, j = first[nearest], second[nearest]
    work = ((forces[i] + forces[j]) / 2 * (flat[j] - flat[i])).sum(1)
    gained = (energies[i] - energies[j])[:, 0]
    if work.any() and gained.any():
        agreement = (work @ gained) / np.sqrt((work @ work) * (gained @ gained))
        if agreement < CONTRADICTION:
            yield Remark(
                "energies rise where the forces push: these are gradients, or forces, other than "
                "assumed; see --forces-sign"
            )


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_ani_parser; returns the exit code."""
    return run_parser(AniHdf5, argv)


if __name__ == "__main__":
    sys.exit(main())
