"""The numbers that divide good from doubtful. The training warns by the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from panna.frames.criteria import CLOSE, FACTOR, FEW, LEAST_ENERGY_SPREAD


def _number(default: float, unit: str, text: str) -> Any:
    return field(default=default, metadata={"unit": unit, "help": text})


@dataclass(frozen=True)
class Thresholds:
    """Each is an option of the program; `help` and `unit` are in the metadata of the fields."""

    close: float = _number(
        CLOSE, "", "shortest distance, as a part of the sum of the covalent radii"
    )
    energy_factor: float = _number(
        FACTOR, "", "robust standard deviations from the median that make an energy an outlier"
    )
    force_factor: float = _number(FACTOR, "", "the same for the largest force of a frame")
    composition_factor: float = _number(
        10.0, "", "the same for the low energies of compositions, reference energies removed"
    )
    same_distance: float = _number(
        1e-6, "angstrom", "coordinates that differ by less are the same geometry"
    )
    same_energy: float = _number(
        LEAST_ENERGY_SPREAD, "eV/atom", "largest difference of energies of the same geometry"
    )
    net_force: float = _number(
        0.1, "eV/angstrom", "largest length of the sum of the forces, per atom"
    )
    step: float = _number(
        0.3, "angstrom", "frames of a run in which no atom moves farther test forces by energies"
    )
    slope: float = _number(
        0.1, "", "largest deviation from 1 of the energy lost over the work of the forces"
    )
    bad_share: float = _number(
        FEW, "", "what concerns a larger part of the frames is bad instead of doubtful"
    )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Value, unit and meaning of each."""
        return {
            f.name: {"value": getattr(self, f.name), "unit": f.metadata["unit"],
                     "meaning": f.metadata["help"]}
            for f in fields(self)
        }  # fmt: skip
