"""Ranges over many frames, and the signs that their units are wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.text import listed

HIGHEST_ENERGY = 1e5  # eV per atom, absolute
HIGHEST_FORCE = 1e3  # eV/angstrom
SHORTEST_DISTANCE = 0.3  # angstrom, less than half of a H2 bond
SEARCH_RADIUS = 3.0  # angstrom; longer than all bonds, so that wrong units of length are seen


@dataclass
class Range:
    """Smallest and largest value seen."""

    low: float = np.inf
    high: float = -np.inf

    def add(self, value: float) -> None:
        """Take one more value into account."""
        self.low = min(self.low, value)
        self.high = max(self.high, value)

    def __str__(self) -> str:
        if self.low > self.high:
            return "none"
        if self.low == self.high:
            return f"{self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass
class Survey:
    """What the frames have in common. Energies in eV, lengths in angstrom."""

    frames: int = 0
    atoms: Range = field(default_factory=Range)
    energy_per_atom: Range = field(default_factory=Range)
    largest_force: float = 0.0
    shortest_distance: float = SEARCH_RADIUS  # not looked for beyond it
    with_energy: int = 0
    with_forces: int = 0
    with_virial: int = 0
    zero_forces: int = 0
    weighted: int = 0
    species: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    periodicities: Counter[int] = field(default_factory=Counter)
    suspicious: Counter[str] = field(default_factory=Counter)
    first_suspicious: dict[str, str] = field(default_factory=dict)

    def add(self, frame: Frame) -> None:
        """Take one more frame into account.

        Raises:
          FrameError: two atoms coincide; then the frame is not counted.
        """
        vectors = neighbour_list(frame, tuple(set(frame.species)), SEARCH_RADIUS).vectors
        shortest = np.linalg.norm(vectors, axis=1).min(initial=SEARCH_RADIUS)
        self.shortest_distance = min(self.shortest_distance, float(shortest))
        if shortest < SHORTEST_DISTANCE:
            self._suspect(f"two atoms closer than {SHORTEST_DISTANCE} angstrom", frame)
        self.frames += 1
        self.atoms.add(frame.n_atoms)
        self.species.update(frame.species)
        self.groups[frame.group] += 1
        self.periodicities[int(frame.pbc.sum())] += 1
        self.weighted += frame.weight != 1.0
        self.with_virial += frame.virial is not None
        self._add_energy(frame)
        self._add_forces(frame)

    def _add_energy(self, frame: Frame) -> None:
        if frame.energy is None:
            return
        self.with_energy += 1
        per_atom = frame.energy / frame.n_atoms
        self.energy_per_atom.add(per_atom)
        if abs(per_atom) > HIGHEST_ENERGY:
            self._suspect(f"energy per atom beyond {HIGHEST_ENERGY:g} eV", frame)

    def _add_forces(self, frame: Frame) -> None:
        if frame.forces is None:
            return
        self.with_forces += 1
        largest = float(np.linalg.norm(frame.forces, axis=1).max())
        self.largest_force = max(self.largest_force, largest)
        self.zero_forces += largest == 0.0 and frame.n_atoms > 1
        if largest > HIGHEST_FORCE:
            self._suspect(f"a force beyond {HIGHEST_FORCE:g} eV/angstrom", frame)

    def _suspect(self, what: str, frame: Frame) -> None:
        self.suspicious[what] += 1
        self.first_suspicious.setdefault(what, frame.name)

    def rows(self) -> list[tuple[str, str]]:
        """(label, text) pairs for a report."""
        rows = [
            ("frames", str(self.frames)),
            ("atoms per frame", str(self.atoms)),
            ("species", ", ".join(f"{s} ({n} atoms)" for s, n in sorted(self.species.items()))),
            ("energy per atom", f"{self.energy_per_atom} eV"),
            ("shortest distance", self._distance()),
            ("largest force", f"{self.largest_force:g} eV/angstrom" if self.with_forces else "-"),
            ("with forces", str(self.with_forces)),
            ("with virial", str(self.with_virial)),
            ("periodic", ", ".join(f"{n} in {d}D" for d, n in sorted(self.periodicities.items()))),
        ]
        if self.with_energy < self.frames:
            rows.append(("without energy", str(self.frames - self.with_energy)))
        if self.weighted:
            rows.append(("with a weight", str(self.weighted)))
        groups = {group: n for group, n in self.groups.items() if group}
        if groups:
            named = [f"{group} ({n})" for group, n in sorted(groups.items())]
            rows.append(("groups", listed(named, 12)))
        return rows

    def _distance(self) -> str:
        above = "above " if self.shortest_distance == SEARCH_RADIUS else ""
        return f"{above}{self.shortest_distance:.3g} angstrom"

    def warnings(self) -> list[str]:
        """One line for each kind of sign that something is wrong."""
        lines = [
            f"{count} of {self.frames} frames have {what} (first: {self.first_suspicious[what]}): "
            "are the units right?"
            for what, count in self.suspicious.items()
        ]
        if self.shortest_distance == SEARCH_RADIUS and self.atoms.high > 1:
            lines.append(
                f"no two atoms of any frame are closer than {SEARCH_RADIUS:g} angstrom: is the "
                "unit of lengths right?"
            )
        if self.zero_forces:
            lines.append(
                f"{self.zero_forces} of {self.frames} frames have forces that are exactly zero on "
                "all atoms: if the calculation gave no forces, do not train on them"
            )
        return lines
