"""Errors of networks: predicted minus reference, as numbers that people compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panna.evaluation.predict import Prediction
from panna.evaluation.structures import Structure
from panna.text import counted


@dataclass(frozen=True)
class References:
    """What is known about F structures with N atoms in all.

    names, groups: (F,) texts.
    n_atoms: (F,) int.
    species: (N,) int, all structures one after the other.
    energies: (F,) float64, eV; nan where unknown.
    forces: (N, 3) float64, eV/angstrom; nan where unknown.
    """

    names: list[str]
    groups: np.ndarray
    n_atoms: np.ndarray
    species: np.ndarray
    energies: np.ndarray
    forces: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """What one network says about the same structures.

    energies: (F,) float64, eV, reference energies included.
    offsets: (F,) float64, eV, the sum of the reference energies in them.
    forces: (N, 3) float64, eV/angstrom, or None.
    outside: (F,) atoms with components of the descriptor outside the range of the training set;
      None if the network does not know it.
    """

    energies: np.ndarray
    offsets: np.ndarray
    forces: np.ndarray | None
    outside: np.ndarray | None = None


def gather(
    results: Iterable[tuple[Structure, list[Prediction]]],
) -> tuple[References, list[Predictions]]:
    """Puts what `predict` yields into arrays; at least one structure."""
    structures: list[Structure] = []
    rows: list[list[Prediction]] = []
    unknown_forces = []
    for structure, predictions in results:
        # Only what is needed later: stored derivatives may be large.
        forces = structure.forces
        unknown_forces.append(np.full((structure.n_atoms, 3), np.nan) if forces is None else forces)
        structures.append(
            Structure(
                structure.where,
                structure.name,
                structure.species,
                energy=structure.energy,
                group=structure.group,
            )
        )
        rows.append(predictions)
    references = References(
        names=[s.name for s in structures],
        groups=np.array([s.group for s in structures], dtype=object),
        n_atoms=np.array([s.n_atoms for s in structures]),
        species=np.concatenate([s.species for s in structures]),
        energies=np.array([np.nan if s.energy is None else s.energy for s in structures]),
        forces=np.concatenate(unknown_forces),
    )
    return references, [_predictions(column) for column in zip(*rows, strict=True)]


def _predictions(column: Sequence[Prediction]) -> Predictions:
    with_forces, ranged = column[0].forces is not None, column[0].outside is not None
    return Predictions(
        energies=np.array([p.energy for p in column]),
        offsets=np.array([p.offset for p in column]),
        forces=np.concatenate([p.forces for p in column]) if with_forces else None,
        outside=np.array([p.outside for p in column]) if ranged else None,
    )


@dataclass(frozen=True)
class Spread:
    """Statistics of differences.

    count: how many numbers. bias: mean of predicted minus reference. max: largest absolute one.
    """

    count: int
    rmse: float
    mae: float
    max: float
    bias: float

    @classmethod
    def of(cls, differences: np.ndarray) -> Spread | None:
        """Of all numbers that are not nan; None if there is none."""
        d = differences[np.isfinite(differences)]
        if not len(d):
            return None
        absolute = np.abs(d)
        return cls(
            count=len(d),
            rmse=float(np.sqrt(np.mean(d * d))),
            mae=float(absolute.mean()),
            max=float(absolute.max()),
            bias=float(d.mean()),
        )

    def to_dict(self, unit: str = "", factor: float = 1.0) -> dict[str, float]:
        """For JSON: numbers times factor; the unit becomes the end of their names."""
        ending = f"_{unit}" if unit else ""
        return {
            f"{name}{ending}": getattr(self, name) * factor
            for name in ("rmse", "mae", "max", "bias")
        }


@dataclass(frozen=True)
class Extrapolation:
    """Atoms with components of the descriptor outside the range of the training set.

    atoms, structures: how many; of: atoms in all.
    worst: name of the structure with the most of them.
    """

    atoms: int
    of: int
    structures: int
    worst: str

    @classmethod
    def found(cls, outside: np.ndarray, references: References) -> Extrapolation:
        """outside: (F,) atoms of each structure."""
        worst = references.names[int(np.argmax(outside))] if outside.any() else ""
        total = int(references.n_atoms.sum())
        return cls(int(outside.sum()), total, int((outside > 0).sum()), worst)

    def text(self) -> str:
        """For people: 12 of 1560 (0.77 %), in 3 structures, most in frame_7."""
        text = f"{self.atoms} of {self.of} ({100 * self.atoms / self.of:.2g} %)"
        if not self.atoms:
            return text
        return f"{text}, in {counted(self.structures, 'structure')}, most in {self.worst}"


@dataclass(frozen=True)
class Statistics:
    """Errors of one network.

    per_atom: of energies per atom, eV/atom. total: of energies, eV. None without references.
    worst_energy: name of the structure with the largest error per atom.
    forces: of force components, eV/angstrom; None if unknown.
    worst_force: name of the structure with the largest error of a component.
    forces_of_species: symbol -> the same, for the species that occur.
    groups: label of the source -> (per_atom, forces), if the structures have several labels.
    extrapolation: None if the network does not know the range of its training set.
    """

    per_atom: Spread | None
    total: Spread | None
    worst_energy: str
    forces: Spread | None
    worst_force: str
    forces_of_species: dict[str, Spread]
    groups: dict[str, tuple[Spread | None, Spread | None]]
    extrapolation: Extrapolation | None = None

    @classmethod
    def of(
        cls, references: References, predictions: Predictions, species: Sequence[str]
    ) -> Statistics:
        """The errors of a network.

        Args:
          species: symbols of the species numbers.
        """
        r = references
        total = predictions.energies - r.energies
        per_atom = total / r.n_atoms
        differences = None if predictions.forces is None else predictions.forces - r.forces
        frame = np.repeat(np.arange(len(r.n_atoms)), r.n_atoms)
        by_species, groups = {}, {}
        for number, symbol in enumerate(species):
            spread = None if differences is None else Spread.of(differences[r.species == number])
            if spread is not None:
                by_species[symbol] = spread
        labels = sorted(set(r.groups.tolist()))
        for label in labels if len(labels) > 1 else ():
            mine = r.groups == label
            forces = None if differences is None else Spread.of(differences[mine[frame]])
            groups[label or "(none)"] = (Spread.of(per_atom[mine]), forces)
        worst_atom = None if differences is None else np.nan_to_num(np.abs(differences)).max(axis=1)
        return cls(
            per_atom=Spread.of(per_atom),
            total=Spread.of(total),
            worst_energy=r.names[int(np.argmax(np.nan_to_num(np.abs(per_atom))))],
            forces=None if differences is None else Spread.of(differences),
            worst_force="" if worst_atom is None else r.names[frame[int(np.argmax(worst_atom))]],
            forces_of_species=by_species,
            groups=groups,
            extrapolation=None
            if predictions.outside is None
            else Extrapolation.found(predictions.outside, r),
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the unit in every name."""
        result: dict[str, Any] = {"energy": None, "forces": None}
        if self.per_atom is not None and self.total is not None:
            result["energy"] = {
                "structures": self.per_atom.count,
                **self.per_atom.to_dict("meV_per_atom", 1e3),
                **self.total.to_dict("eV"),
                "worst_structure": self.worst_energy,
            }
        if self.forces is not None:
            result["forces"] = {
                "components": self.forces.count,
                **self.forces.to_dict("eV_per_angstrom"),
                "worst_structure": self.worst_force,
                "species": {
                    symbol: {"components": s.count, **s.to_dict("eV_per_angstrom")}
                    for symbol, s in self.forces_of_species.items()
                },
            }
        if self.groups:
            result["groups"] = {
                label: {
                    "energy": energy
                    and {"structures": energy.count, **energy.to_dict("meV_per_atom", 1e3)},
                    "forces": forces
                    and {"components": forces.count, **forces.to_dict("eV_per_angstrom")},
                }
                for label, (energy, forces) in self.groups.items()
            }
        if self.extrapolation is not None:
            result["outside_training_range"] = {
                "atoms": self.extrapolation.atoms,
                "structures": self.extrapolation.structures,
                "worst_structure": self.extrapolation.worst,
            }
        return result
