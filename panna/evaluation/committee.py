"""Committees: the mean of the members' predictions, and what their spread says about its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from panna.console import table
from panna.evaluation.errors import Predictions, References
from panna.evaluation.networks import NamedNetwork

SHOWN = 5  # structures with the largest spread


@dataclass(frozen=True)
class Committee:
    """What M >= 2 members say about F structures with N atoms.

    network: stands for the mean where label, title and species are wanted.
    members: names.
    mean: of the predictions.
    energy_std: (F,) float64, eV, standard deviation of the members, with the divisor M - 1.
    force_std: (N, 3) float64, eV/angstrom, of every component; None without forces.
    """

    network: NamedNetwork
    members: tuple[str, ...]
    mean: Predictions
    energy_std: np.ndarray
    force_std: np.ndarray | None

    @classmethod
    def of(cls, networks: Sequence[NamedNetwork], predictions: Sequence[Predictions]) -> Committee:
        """The committee of some networks of one label."""
        energies = np.stack([p.energies for p in predictions])
        forces = None
        if predictions[0].forces is not None:
            forces = np.stack([p.forces for p in predictions])
        return cls(
            network=_mean_of(networks),
            members=tuple(network.member for network in networks),
            mean=Predictions(
                energies.mean(0),
                np.mean([p.offsets for p in predictions], axis=0),
                None if forces is None else forces.mean(0),
                predictions[0].outside,  # members share their training set
            ),
            energy_std=energies.std(0, ddof=1),
            force_std=None if forces is None else forces.std(0, ddof=1),
        )


def committees(
    networks: Sequence[NamedNetwork], predictions: Sequence[Predictions]
) -> list[Committee]:
    """The committees among some networks, one for each label."""
    found = []
    for label in dict.fromkeys(network.label for network in networks):
        mine = [k for k, n in enumerate(networks) if n.label == label and n.member]
        if len(mine) > 1:
            found.append(Committee.of([networks[k] for k in mine], [predictions[k] for k in mine]))
    return found


def _mean_of(networks: Sequence[NamedNetwork]) -> NamedNetwork:
    first, name = networks[0], f"mean of {len(networks)} members"
    above = (first.source, *first.source.parents)
    folder = next(path.parent for path in above if path.name == first.member)
    return NamedNetwork(first.label, folder, first.model, member=name)


@dataclass(frozen=True)
class Calibration:
    """Spreads beside errors, of `count` numbers with a known reference.

    spread, error: root mean squares.
    spearman: rank correlation of spread and absolute error, None if one of them is constant.
    """

    count: int
    spread: float
    error: float
    spearman: float | None

    @classmethod
    def of(cls, spreads: np.ndarray, errors: np.ndarray) -> Calibration | None:
        """Of all numbers whose errors are not nan; None if there is none."""
        known = np.isfinite(errors)
        s, e = spreads[known], np.abs(errors[known])
        if not len(s):
            return None
        ranks = np.stack([rankdata(s), rankdata(e)])
        varied = bool((np.ptp(ranks, axis=1) > 0).all())
        return cls(
            count=len(s),
            spread=float(np.sqrt(np.mean(s * s))),
            error=float(np.sqrt(np.mean(e * e))),
            spearman=float(np.corrcoef(ranks)[0, 1]) if varied else None,
        )

    @property
    def ratio(self) -> float | None:
        """Error / spread: 1 if the spread has the size of the error, above 1 if it is too small."""
        return self.error / self.spread if self.spread else None

    def to_dict(self, unit: str, factor: float = 1.0) -> dict[str, Any]:
        """For JSON."""
        return {
            "count": self.count,
            f"spread_rms_{unit}": factor * self.spread,
            f"error_rms_{unit}": factor * self.error,
            "error_over_spread": self.ratio,
            "spearman": self.spearman,
        }


@dataclass(frozen=True)
class MemberSpread:
    """The spread of a committee.

    energies: of energies per atom, eV/atom; forces: of components, eV/angstrom.
    energy_std: (F,) eV/atom; force_std: (F,) eV/angstrom, root mean squares over the components of
      the structures, None without forces.
    names: (F,) of the structures.
    """

    energies: Calibration | None
    forces: Calibration | None
    energy_std: np.ndarray
    force_std: np.ndarray | None
    names: list[str]

    @classmethod
    def of(cls, references: References, committee: Committee) -> MemberSpread:
        """Of a committee on structures."""
        r, mean = references, committee.mean
        energy_std = committee.energy_std / r.n_atoms
        forces = force_std = None
        if committee.force_std is not None and mean.forces is not None:
            forces = Calibration.of(committee.force_std, mean.forces - r.forces)
            frame = np.repeat(np.arange(len(r.n_atoms)), r.n_atoms)
            squares = np.bincount(frame, (committee.force_std**2).sum(1), len(r.n_atoms))
            force_std = np.sqrt(squares / (3 * r.n_atoms))
        return cls(
            energies=Calibration.of(energy_std, (mean.energies - r.energies) / r.n_atoms),
            forces=forces,
            energy_std=energy_std,
            force_std=force_std,
            names=r.names,
        )

    def largest(self) -> np.ndarray:
        """Numbers of the structures of which the members are least sure, by forces if there are."""
        by = self.energy_std if self.force_std is None else self.force_std
        return np.argsort(-by, kind="stable")[:SHOWN]

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the unit in every name."""
        return {
            "energy": self.energies and self.energies.to_dict("meV_per_atom", 1e3),
            "forces": self.forces and self.forces.to_dict("eV_per_angstrom"),
            "largest": [
                {
                    "structure": self.names[k],
                    "energy_std_meV_per_atom": 1e3 * float(self.energy_std[k]),
                    "force_std_eV_per_angstrom": (
                        None if self.force_std is None else float(self.force_std[k])
                    ),
                }
                for k in self.largest()
            ],
        }


def spread_table(committees: Sequence[Committee], spreads: Sequence[MemberSpread]) -> str:
    """One line for each committee: E in meV/atom, F in eV/angstrom, root mean squares."""
    rows = []
    for committee, spread in zip(committees, spreads, strict=True):
        title = committee.network.title
        rows.append([title, *_cells(spread.energies, 1e3, 2), *_cells(spread.forces, 1, 4)])
    of_one = ("spread", "error", "error/spread", "Spearman")
    headers = ["committee", *(f"E {name}" for name in of_one), *(f"F {name}" for name in of_one)]
    if all(spread.forces is None for spread in spreads):
        headers, rows = headers[:5], [row[:5] for row in rows]
    return table(headers, rows)


def largest_table(spread: MemberSpread) -> str:
    """The structures with the largest spread: E in meV/atom, F in eV/angstrom."""
    rows = []
    for k in spread.largest():
        row = [spread.names[k], f"{1e3 * spread.energy_std[k]:.2f}"]
        rows.append(row if spread.force_std is None else [*row, f"{spread.force_std[k]:.4f}"])
    headers = ["structure", "E spread", "F spread"]
    return table(headers[:2] if spread.force_std is None else headers, rows)


def _cells(found: Calibration | None, factor: float, digits: int) -> list[str | None]:
    if found is None:
        return [None] * 4
    ratio = None if found.ratio is None else f"{found.ratio:.2f}"
    rank = None if found.spearman is None else f"{found.spearman:.2f}"
    sizes = [f"{factor * value:.{digits}f}" for value in (found.spread, found.error)]
    return [*sizes, ratio, rank]
