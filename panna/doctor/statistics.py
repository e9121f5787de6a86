"""One pass over the examples: a few numbers of every frame, and sums over all of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from panna.doctor.pairs import PairDistances
from panna.doctor.reference import Shifts, composition_shifts
from panna.doctor.runs import step_between
from panna.doctor.same_geometry import PROJECTIONS, project, same_geometries
from panna.errors import FrameError
from panna.frames.example_file import ExampleWarning, key_of, read_example, read_example_and_facts
from panna.frames.frame import Frame
from panna.frames.survey import Survey
from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.listing import Listing
from panna.training.reference_energies import ReferenceEnergies, fit_reference_energies

# Missing numbers are nan, missing labels -1.
ROW = np.dtype(
    [
        ("file", np.int64),  # number in the listing
        ("atoms", np.int32),
        ("composition", np.int32),
        ("group", np.int32),
        ("source", np.int32),
        ("source_frame", np.int64),
        ("dimensions", np.int8),  # periodic directions
        ("weight", np.float64),
        ("energy", np.float64),  # eV
        ("volume", np.float64),  # angstrom^3, of three periodic directions
        ("mass", np.float64),  # u
        ("largest_force", np.float64),  # eV/angstrom
        ("net_force", np.float64),  # eV/angstrom, length of the sum over the atoms / atoms
        ("forceless_atoms", np.int32),  # exactly zero, and not by symmetry
        ("virial", np.bool_),
        ("pressure", np.float64),  # GPa, positive when compressed
        ("largest_stress", np.float64),  # GPa, largest component, absolute
        ("distance", np.float64),  # angstrom, shortest compared with the covalent radii
        ("distance_ratio", np.float64),
        ("distance_pair", np.int32),
        ("fingerprint", np.uint64),
        ("kind", np.uint64),  # see same_geometry.project
        ("sums", np.float64, (PROJECTIONS,)),
        ("work", np.float64),  # eV, from the frame before; see runs.Step
        ("lost", np.float64),  # eV
        ("strained", np.bool_),
        ("unit_assumed", np.bool_),
    ]
)
# Lower sums of directions (see pairs.Surroundings) come from the rounding of coordinates.
SYMMETRIC = 1e-3
LOW = 0.1  # see Statistics.low_energies
U_PER_ANGSTROM3_IN_G_PER_CM3 = 1.66053906660
# Bins of log10 of the force in eV/angstrom; what is beyond is counted in the outermost ones.
FORCE_BINS = np.linspace(-5.0, 4.0, 181)


class Labels:
    """Numbers for words, in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def number(self, label: Any) -> int:
        """The number of a label; a new one if it is new."""
        return self._numbers.setdefault(label, len(self._numbers))

    def all(self) -> list[Any]:
        """The labels by their numbers."""
        return list(self._numbers)


class Collector:
    """Looks at the examples of a folder, one after the other, in the order of their names.

    Args:
      examples: all of them.
      step: angstrom, see runs.step_between.
    """

    def __init__(self, examples: Listing, step: float) -> None:
        self.examples = examples
        self.step = step
        self._rows = np.zeros(len(examples), ROW)
        self._count = 0
        self._survey = Survey()
        self._pairs = PairDistances()
        self._forces: dict[str, np.ndarray] = {}
        self._labels = {name: Labels() for name in ("composition", "group", "source", "close_pair")}
        self._unreadable: list[tuple[str, str]] = []
        self._before: tuple[Any, int, Frame] | None = None

    def add(self, number: int) -> None:
        """Look at an example; what cannot be read is remembered with the reason."""
        path = self.examples[number]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ExampleWarning)
                frame, facts = read_example_and_facts(path)
            row = self._rows[self._count]
            surroundings = self._pairs.add(frame, self._count)
            self._survey.add(frame)
        except FrameError as error:
            reason = str(error).removeprefix(f"{path}: ")
            reason = reason.removeprefix(f"frame {key_of(path)!r}: ")
            self._unreadable.append((path.name, reason))
            return
        row["file"] = number
        row["unit_assumed"] = any(issubclass(w.category, ExampleWarning) for w in caught)
        row["distance"], row["distance_ratio"] = surroundings.distance, surroundings.ratio
        pair = surroundings.pair
        row["distance_pair"] = -1 if pair is None else self._labels["close_pair"].number(pair)
        self._describe(row, frame)
        self._add_forces(row, frame, surroundings.asymmetry)
        self._add_run(row, frame, facts)
        self._count += 1

    def finish(self) -> Statistics:
        """What was found.

        Raises:
          FrameError: no frame could be read.
        """
        if not self._count:
            name, reason = self._unreadable[0]
            raise FrameError(
                f"{self.examples.folder}: none of {len(self.examples)} .example files can be read; "
                f"the first: {name}: {reason}"
            )
        return Statistics(
            examples=self.examples,
            rows=self._rows[: self._count],
            survey=self._survey,
            pairs=self._pairs,
            forces=self._forces,
            unreadable=self._unreadable,
            **{f"{name}s": labels.all() for name, labels in self._labels.items()},
        )

    def _describe(self, row: np.void, frame: Frame) -> None:
        composition = tuple(sorted(Counter(frame.species).items()))
        row["atoms"] = frame.n_atoms
        row["composition"] = self._labels["composition"].number(composition)
        row["group"] = self._labels["group"].number(frame.group)
        row["dimensions"] = frame.pbc.sum()
        row["weight"] = frame.weight
        row["energy"] = np.nan if frame.energy is None else frame.energy
        row["volume"] = frame.volume if frame.pbc.all() else np.nan
        row["mass"] = sum(atomic_masses[atomic_numbers[s]] * n for s, n in composition)
        row["fingerprint"] = int(frame.fingerprint[:16], 16)
        row["kind"], row["sums"] = project(frame)
        row["virial"] = frame.virial is not None
        row["pressure"] = row["largest_stress"] = np.nan
        if frame.virial is not None and frame.pbc.all():
            stress = -frame.virial / frame.volume * EV_PER_ANGSTROM3_IN_GPA
            row["pressure"] = -np.trace(stress) / 3
            row["largest_stress"] = np.abs(stress).max()

    def _add_forces(self, row: np.void, frame: Frame, asymmetry: np.ndarray) -> None:
        row["largest_force"] = row["net_force"] = np.nan
        row["forceless_atoms"] = 0
        if frame.forces is None:
            return
        norms = np.linalg.norm(frame.forces, axis=1)
        row["largest_force"] = norms.max()
        row["net_force"] = np.linalg.norm(frame.forces.sum(0)) / frame.n_atoms
        row["forceless_atoms"] = np.count_nonzero(~frame.forces.any(1) & (asymmetry > SYMMETRIC))
        logarithms = np.log10(np.maximum(norms, 1e-300)).clip(FORCE_BINS[0], FORCE_BINS[-1])
        species = np.array(frame.species)
        for symbol in set(frame.species):
            counts = np.histogram(logarithms[species == symbol], FORCE_BINS)[0]
            self._forces[symbol] = self._forces.get(symbol, 0) + counts

    def _add_run(self, row: np.void, frame: Frame, facts: Mapping[str, Any]) -> None:
        row["work"] = row["lost"] = np.nan
        row["source"] = row["source_frame"] = -1
        row["strained"] = False
        source, number = facts.get("source"), facts.get("source_frame")
        if not isinstance(source, str):
            return
        row["source"] = self._labels["source"].number(source)
        if not isinstance(number, int) or not 0 <= number < 2**62:
            return
        row["source_frame"] = number
        if self._before is not None:
            of, before, other = self._before
            step = step_between(other, frame, self.step)
            if of == source and before < number and step is not None:
                row["work"], row["lost"] = step.work, step.lost
                row["strained"] = step.strained
        self._before = source, number, frame


@dataclass(frozen=True)
class Statistics:
    """F frames that could be read.

    examples: all files. rows: (F,) ROW. unreadable: name of the file and reason.
    compositions: each ((symbol, atoms), ...) in alphabetical order, by number; likewise groups,
    sources and close_pairs. forces: (180,) atoms in FORCE_BINS for each species.
    """

    examples: Listing
    rows: np.ndarray
    survey: Survey
    pairs: PairDistances
    forces: dict[str, np.ndarray]
    unreadable: list[tuple[str, str]]
    compositions: list[tuple[tuple[str, int], ...]]
    groups: list[str]
    sources: list[str]
    close_pairs: list[tuple[str, str]]
    _geometries: dict[float, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, frame: int) -> str:
        """Of the frame with this number."""
        return key_of(self.path(frame))

    def path(self, frame: int) -> Path:
        """The file of the frame with this number."""
        return self.examples[int(self.rows["file"][frame])]

    @property
    def species(self) -> tuple[str, ...]:
        """Symbols in alphabetical order."""
        return tuple(sorted(self.survey.species))

    @cached_property
    def formulas(self) -> list[str]:
        """Names of the compositions: Si64, H2O."""
        return [
            "".join(s + (str(n) if n > 1 else "") for s, n in composition)
            for composition in self.compositions
        ]

    @cached_property
    def isolated(self) -> np.ndarray:
        """(F,) bool, one atom without neighbours, images included."""
        return (self.rows["atoms"] == 1) & ~np.isfinite(self.rows["distance"])

    @cached_property
    def per_atom(self) -> np.ndarray:
        """(F,) energies in eV/atom."""
        return self.rows["energy"] / self.rows["atoms"]

    @cached_property
    def composition_numbers(self) -> np.ndarray:
        """(C, n_species) atoms."""
        return np.array(
            [[dict(one).get(s, 0) for s in self.species] for one in self.compositions], np.float64
        )

    @cached_property
    def lots(self) -> list[np.ndarray]:
        """For each composition the numbers of its frames with energy."""
        order = np.argsort(self.rows["composition"], kind="stable")
        bounds = np.searchsorted(
            self.rows["composition"][order], np.arange(len(self.compositions) + 1)
        )
        known = np.isfinite(self.rows["energy"])
        return [
            (mine := order[begin:end])[known[mine]]
            for begin, end in zip(bounds[:-1], bounds[1:], strict=True)
        ]

    @cached_property
    def low_energies(self) -> np.ndarray:
        """(C,) eV/atom, a tenth of a composition's frames, but at least one, lie below.

        Not the median, which strained cells raise, nor the lowest, which may be an outlier; nan
        without energies.
        """
        low = np.full(len(self.compositions), np.nan)
        for c, mine in enumerate(self.lots):
            if len(mine):
                below = min(max(int(LOW * len(mine)), 1), len(mine) - 1)
                low[c] = np.sort(self.per_atom[mine])[below]
        return low

    @cached_property
    def least_squares(self) -> ReferenceEnergies | None:
        """Reference energies as panna_train fits them; None without energies."""
        known = np.isfinite(self.rows["energy"])
        if not known.any():
            return None
        numbers = self.composition_numbers[self.rows["composition"][known]]
        return fit_reference_energies(numbers, self.rows["energy"][known], self.species)

    @cached_property
    def shifts(self) -> Shifts | None:
        """Of the compositions with energies, in the order of `shift_compositions`."""
        which = self.shift_compositions
        if not len(which):
            return None
        numbers = self.composition_numbers[which]
        return composition_shifts(numbers / numbers.sum(1)[:, None], self.low_energies[which])

    @cached_property
    def shift_compositions(self) -> np.ndarray:
        """Numbers of the compositions that have energies, isolated atoms left out.

        An isolated atom has a larger energy than a bound one by all of the binding energy.
        """
        return np.flatnonzero([len(mine) and not self.isolated[mine].all() for mine in self.lots])

    @cached_property
    def residuals(self) -> np.ndarray:
        """(F,) eV/atom, energies without the reference energies of `shifts`.

        nan without energy, and for isolated atoms, whose species may have none.
        """
        if self.shifts is None:
            return np.full(len(self), np.nan)
        numbers = self.composition_numbers[self.rows["composition"]]
        residuals = (self.rows["energy"] - numbers @ self.shifts.offsets) / self.rows["atoms"]
        return np.where(self.isolated, np.nan, residuals)

    def same_geometries(self, distance: float) -> np.ndarray:
        """(F,) for each frame the first one with the same geometry; reads some files again."""
        if distance in self._geometries:
            return self._geometries[distance]

        def read(frame: int) -> Frame:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExampleWarning)
                return read_example(self.path(frame))

        rows = self.rows
        first = same_geometries(rows["kind"], rows["sums"], rows["atoms"], distance, read)
        self._geometries[distance] = first
        return first
