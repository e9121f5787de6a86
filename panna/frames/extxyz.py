"""Extended XYZ frames, with the keys for energy, forces and stress made explicit.

ASE takes the second line apart; its own reader of frames moves the entries that it knows into a
calculator, turns `stress` into six components without looking at the other three, fills missing
columns with zeros and drops columns too many.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase.io.extxyz import key_val_str_to_dict

from panna.errors import FrameError
from panna.frames.extxyz_columns import DEFAULT, read_columns, symbols_of
from panna.frames.extxyz_stream import FrameText
from panna.frames.frame import Frame
from panna.frames.units import FOREIGN_ENERGY, FOREIGN_LENGTH, FOREIGN_STRESS, factor, force_factor

# Names (any case) that are tried when the user names none. A name of a later row is looked for only
# if the frame has none of the rows before.
WELL_KNOWN: dict[str, tuple[tuple[str, ...], ...]] = {
    "energy": (
        ("energy", "ref_energy", "dft_energy", "total_energy", "totenergy"),
        ("free_energy",),
    ),
    "forces": (("forces", "force", "ref_forces", "ref_force", "dft_forces", "dft_force"),),
    "stress": (("stress", "ref_stress", "dft_stress"),),
    "virial": (("virial", "ref_virial", "dft_virial", "ref_virials", "dft_virials"),),
}
AUTO = "auto"
NONE = "none"
STRESS_SIGNS = {"ase": -1.0, "pressure": 1.0}
STRUCTURE_KEYS = ("Lattice", "Properties", "pbc")
STRUCTURE_COLUMNS = ("species", "Z", "pos")
ASYMMETRY = 1e-3  # of the largest component; more than rounding, so not a stress
DISAGREEMENT = 1e-2  # of the largest component, between virial and -stress * volume


@dataclass(frozen=True)
class ExtxyzConvention:
    """What the entries of a file are called and which units they are in.

    Keys: a name, "auto" (one of WELL_KNOWN) or "none" (do not read).
    force_unit: energy/length; empty for energy_unit/length_unit.
    stress_sign: "ase" (negative under compression) or "pressure" (positive).
    """

    energy_key: str = AUTO
    forces_key: str = AUTO
    stress_key: str = AUTO
    virial_key: str = AUTO
    length_unit: str = "angstrom"
    energy_unit: str = "eV"
    force_unit: str = ""
    stress_unit: str = "eV/angstrom^3"
    stress_sign: str = "ase"

    def factors(self) -> dict[str, float]:
        """Values of the units in angstrom and eV.

        Raises:
          FrameError: a unit is unknown; the message lists the known ones.
        """
        length = factor(FOREIGN_LENGTH, self.length_unit, "length unit")
        energy = factor(FOREIGN_ENERGY, self.energy_unit, "energy unit")
        force = force_factor(self.force_unit) if self.force_unit else energy / length
        return {
            "length": length,
            "energy": energy,
            "forces": force,
            "stress": factor(FOREIGN_STRESS, self.stress_unit, "stress unit"),
            "virial": energy,
        }


@dataclass
class ExtxyzReader:
    """Turns the text of frames into frames.

    `chosen` maps energy, forces, stress and virial to the key in use: the first frame that has one
    decides, and a frame that would need another key is refused, so that one run never mixes keys.
    """

    convention: ExtxyzConvention = field(default_factory=ExtxyzConvention)
    energy_required: bool = True
    chosen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._factors = self.convention.factors()

    def frame(self, text: FrameText, name: str) -> Frame:
        """The frame in angstrom and eV, with lattice vectors only along periodic directions.

        Raises:
          FrameError: the text is no complete frame; a column or key is malformed, missing or
            ambiguous; a value is malformed, not finite or against the others.
        """
        if text.problem:
            raise FrameError(text.problem)
        info = _comment(text.lines[1])
        columns = read_columns(text, str(info.get("Properties", DEFAULT)))
        pbc = _pbc(info)
        cell = _cell(info) * self._factors["length"]
        with np.errstate(invalid="ignore"):  # Frame will name what is not finite
            volume = float(abs(np.linalg.det(cell)))
        return Frame(
            species=symbols_of(columns),
            positions=columns["pos"] * self._factors["length"],
            cell=np.where(pbc[:, None], cell, 0.0),
            pbc=pbc,
            energy=self._energy(info),
            forces=self._forces(columns),
            virial=self._virial(info, volume),
            name=name,
            group=str(info.get("group", info.get("config_type", ""))),
            weight=info.get("weight", info.get("config_weight", 1.0)),
            per_atom_energy=self._per_atom_energy(columns),
        )

    def _key(self, quantity: str, present: Collection[str]) -> str | None:
        """The key of a quantity in this frame, None if the frame has none.

        Raises:
          FrameError: several could be meant, frames before had another one, or the frame has no
            energy or forces under the name that the user gave. (Stress and virial may be absent:
            molecules and surfaces among crystals have none.)
        """
        wanted = getattr(self.convention, f"{quantity}_key")
        if wanted == NONE:
            return None
        if wanted != AUTO:
            key = wanted if wanted in present else None
            required = quantity == "forces" or (quantity == "energy" and self.energy_required)
            if key is None and required:
                raise FrameError(
                    f"no {quantity} under {wanted!r}; the frame has {_listed(present)}. Name the "
                    f"right one with --{quantity}-key, or read none with --{quantity}-key none"
                )
        else:
            key = _well_known(quantity, present)
        if key is not None and self.chosen.setdefault(quantity, key) != key:
            raise FrameError(
                f"has {quantity} under {key!r}, but frames before it under "
                f"{self.chosen[quantity]!r}; choose with --{quantity}-key"
            )
        return key

    def _energy(self, info: Mapping[str, Any]) -> float | None:
        key = self._key("energy", info)
        if key is None:
            if not self.energy_required or self.convention.energy_key == NONE:
                return None
            raise FrameError(
                f"no energy under a well-known key; the frame has {_listed(info)}. Name the right "
                "one with --energy-key, or accept frames without with --no-energy"
            )
        value = np.asarray(info[key])
        if value.dtype.kind not in "if" or value.size != 1:
            raise FrameError(f"{key} = {info[key]!r}: expected one number")
        return float(value.reshape(())) * self._factors["energy"]

    def _forces(self, columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
        key = self._key("forces", columns)
        if key is None:
            return None
        value = np.asarray(columns[key])
        if value.dtype.kind not in "if" or value.ndim != 2 or value.shape[1] != 3:
            raise FrameError(f"column {key!r}: expected three real columns, such as {key}:R:3")
        return value * self._factors["forces"]

    def _per_atom_energy(self, columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The column that panna_export writes."""
        if "per_atom_energy" not in columns:
            return None
        value = np.asarray(columns["per_atom_energy"])
        if value.dtype.kind not in "if" or value.ndim != 1:
            raise FrameError(
                "column 'per_atom_energy': expected one real column, per_atom_energy:R:1"
            )
        return value * self._factors["energy"]

    def _virial(self, info: Mapping[str, Any], volume: float) -> np.ndarray | None:
        """-dE/dstrain in eV from the virial or from the stress; checked if the frame has both."""
        virial_key = self._key("virial", info)
        stress_key = self._key("stress", info)
        virial = stress = None
        if virial_key is not None:
            virial = _symmetric(info[virial_key], virial_key) * self._factors["virial"]
        if stress_key is not None:
            if volume == 0.0:
                raise FrameError(
                    f"{stress_key}: a stress needs a cell with a volume; "
                    "leave it out with --stress-key none"
                )
            sign = STRESS_SIGNS[self.convention.stress_sign]
            stress = _symmetric(info[stress_key], stress_key)
            stress = sign * volume * self._factors["stress"] * stress
        if virial is not None and stress is not None:
            scale = max(np.abs(virial).max(), np.abs(stress).max())
            if np.abs(virial - stress).max() > DISAGREEMENT * scale:
                raise FrameError(
                    f"{virial_key} and {stress_key} disagree: trace {np.trace(virial):.6g} eV, but "
                    f"{np.trace(stress):.6g} eV from the stress. Check --stress-unit and "
                    "--stress-sign, or leave one out with --stress-key none or --virial-key none"
                )
        return stress if virial is None else virial


def _well_known(quantity: str, present: Collection[str]) -> str | None:
    for names in WELL_KNOWN[quantity]:
        found = [key for key in present if key.lower() in names]
        if len(found) > 1:
            raise FrameError(
                f"several keys could be the {quantity}: {_listed(found)}; "
                f"choose with --{quantity}-key"
            )
        if found:
            return found[0]
    return None


def _symmetric(value: Any, key: str) -> np.ndarray:
    """(3, 3) from nine numbers, or from six in the order xx yy zz yz xz xy (ASE's Voigt order)."""
    array = np.asarray(value)
    if array.dtype.kind not in "if" or array.size not in (6, 9):
        raise FrameError(f"{key} = {value!r}: expected nine numbers, or xx yy zz yz xz xy")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise FrameError(f"{key} is not finite: {array.tolist()}")
    if array.size == 6:
        return array.reshape(6)[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    array = array.reshape(3, 3)
    if np.abs(array - array.T).max() > ASYMMETRY * np.abs(array).max():
        raise FrameError(f"{key} is not symmetric: {array.tolist()}")
    return (array + array.T) / 2


def _listed(keys: Collection[str]) -> str:
    names = [key for key in keys if key not in STRUCTURE_KEYS + STRUCTURE_COLUMNS]
    return ", ".join(names) if names else "no such entries"


# -- structure -------------------------------------------------------------------------------------


def _comment(line: str) -> dict[str, Any]:
    try:
        return key_val_str_to_dict(line)
    except (ValueError, TypeError, IndexError) as error:
        raise FrameError(f"comment line: {error}") from error


def _cell(info: Mapping[str, Any]) -> np.ndarray:
    """(3, 3), rows are vectors; zero without Lattice. ASE hands it over in Fortran order."""
    meant = [key for key in info if key.lower() in ("lattice", "cell")]
    if "Lattice" not in info and meant:
        raise FrameError(f"{meant[0]} found, the key Lattice expected (or none, for a molecule)")
    lattice = np.asarray(info.get("Lattice", np.zeros((3, 3))))
    if lattice.shape != (3, 3) or lattice.dtype.kind not in "if":
        raise FrameError(f"Lattice={info['Lattice']!r}: expected nine numbers")
    return lattice.T.astype(np.float64)


def _pbc(info: Mapping[str, Any]) -> np.ndarray:
    """(3,) bool; without pbc all directions of a Lattice are periodic."""
    flags = np.asarray(info.get("pbc", "Lattice" in info))
    if flags.shape not in ((), (3,)) or not all(flag in (0, 1) for flag in flags.ravel().tolist()):
        raise FrameError(f"pbc={info['pbc']!r}: expected three of T and F")
    return np.broadcast_to(flags, (3,)).astype(bool)
