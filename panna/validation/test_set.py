"""The frames of the test set, and what the potential says about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from panna import core
from panna.errors import FrameError, PannaError
from panna.frames.example_file import read_example
from panna.frames.frame import Frame
from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.listing import Listing
from panna.potential.compiled import Evaluation, evaluate_frame

VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx, yy, zz, yz, xz, xy


@dataclass(frozen=True)
class TestSet:
    """F frames with N atoms in all; nan where the reference does not know a number.

    names, groups: (F,) texts. compositions: (F,) formulas.
    n_atoms: (F,). species, frame: (N,) numbers of the potential's species and of the frame.
    energies, predicted_energies: (F,) eV.
    offsets: (F,) eV, the reference energies of the atoms in them.
    forces, predicted_forces: (N, 3) eV/angstrom.
    stresses, predicted_stresses: (F, 6) GPa, xx, yy, zz, yz, xz, xy, negative under compression.
    outside: (N,) components of the descriptor outside the range of the training set, the largest
      number of the members that know their range; None if none does.
    energies_std, forces_std: (F,), (N, 3) standard deviations of a committee, or None.
    unreadable: name of the file and reason.
    """

    __test__ = False  # not a test for pytest

    names: list[str]
    groups: np.ndarray
    compositions: np.ndarray
    n_atoms: np.ndarray
    species: np.ndarray
    frame: np.ndarray
    energies: np.ndarray
    predicted_energies: np.ndarray
    offsets: np.ndarray
    forces: np.ndarray
    predicted_forces: np.ndarray
    stresses: np.ndarray
    predicted_stresses: np.ndarray
    outside: np.ndarray | None
    energies_std: np.ndarray | None
    forces_std: np.ndarray | None
    first: Frame
    unreadable: Sequence[tuple[str, str]] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def first_atoms(self) -> np.ndarray:
        """(F,) number of the first atom of each frame."""
        return np.cumsum(self.n_atoms) - self.n_atoms

    @cached_property
    def energy_errors(self) -> np.ndarray:
        """(F,) eV/atom, predicted minus reference."""
        return (self.predicted_energies - self.energies) / self.n_atoms

    @cached_property
    def force_errors(self) -> np.ndarray:
        """(N, 3) eV/angstrom."""
        return self.predicted_forces - self.forces

    @cached_property
    def stress_errors(self) -> np.ndarray:
        """(F, 6) GPa."""
        return self.predicted_stresses - self.stresses


def predict(
    examples: Listing,
    potentials: Sequence[core.Potential],
    offsets: np.ndarray,
    advance: Callable[[], None],
) -> TestSet:
    """Reads all frames and evaluates the potential, or the mean of a committee, on them.

    Args:
      offsets: (n_species,) eV, reference energies.
      advance: called after every frame.
    Raises:
      FrameError: no frame could be read.
    """
    species, rows, unreadable = tuple(potentials[0].species), [], []
    first: Frame | None = None
    for path in examples:
        try:
            frame = read_example(path)
            found = [evaluate_frame(one, frame) for one in potentials]
        except PannaError as error:
            unreadable.append((path.name, str(error)))
        else:
            first = first or frame
            rows.append(_row(frame, found, species, offsets))
        advance()
    if first is None:
        raise FrameError(f"{examples.folder}: no frame could be used; {': '.join(unreadable[0])}")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    n_atoms = np.array(columns.pop("n_atoms"))
    of_atoms = ("species", "forces", "predicted_forces", "outside", "forces_std")
    joined = {
        name: np.concatenate(columns.pop(name)) if columns[name][0] is not None
        else columns.pop(name)[0]
        for name in of_atoms
    }  # fmt: skip
    std = columns.pop("energies_std")
    return TestSet(
        names=columns.pop("names"),
        groups=np.array(columns.pop("groups"), object),
        compositions=np.array(columns.pop("compositions"), object),
        n_atoms=n_atoms,
        frame=np.repeat(np.arange(len(n_atoms)), n_atoms),
        energies_std=None if std[0] is None else np.array(std),
        first=first,
        unreadable=unreadable,
        **joined,
        **{name: np.array(values) for name, values in columns.items()},
    )


def _row(frame: Frame, found: list[Evaluation], species: tuple[str, ...], offsets: np.ndarray):
    numbers = np.array([species.index(symbol) for symbol in frame.species])
    energies = np.array([one.energy for one in found])
    forces = np.array([one.forces for one in found])
    outside = [one.outside for one in found if one.outside is not None]
    several = len(found) > 1
    return {
        "names": frame.name,
        "groups": frame.group,
        "compositions": _formula(frame),
        "n_atoms": frame.n_atoms,
        "species": numbers,
        "energies": np.nan if frame.energy is None else frame.energy,
        "predicted_energies": energies.mean(),
        "offsets": offsets[numbers].sum(),
        "forces": np.full((frame.n_atoms, 3), np.nan) if frame.forces is None else frame.forces,
        "predicted_forces": forces.mean(0),
        "stresses": _stress(frame, frame.virial),
        "predicted_stresses": _stress(frame, np.mean([one.virial for one in found], 0)),
        "outside": np.max(outside, 0) if outside else None,
        "energies_std": energies.std(ddof=1) if several else None,
        "forces_std": forces.std(0, ddof=1) if several else None,
    }


def _formula(frame: Frame) -> str:
    symbols = sorted(set(frame.species))
    return "".join(f"{symbol}{frame.species.count(symbol)}" for symbol in symbols)


def _stress(frame: Frame, virial: np.ndarray | None) -> np.ndarray:
    """(6,) GPa."""
    if virial is None or not frame.pbc.all():
        return np.full(6, np.nan)
    stress = -(virial + virial.T) / 2 / frame.volume * EV_PER_ANGSTROM3_IN_GPA
    return stress[VOIGT]
