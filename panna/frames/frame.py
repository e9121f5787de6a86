"""One configuration of atoms."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from panna.errors import FrameError
from panna.frames.elements import KNOWN

SHORTEST_VECTOR = 1e-6  # angstrom; a shorter lattice vector means "none", as in PANNA
FARTHEST = 1e5  # angstrom, a hundredth of a millimetre; beyond it the units are wrong
FLATTEST_CELL = 1e-6  # volume over the product of the lengths; below it vectors are dependent


@dataclass(frozen=True, eq=False)
class Frame:
    """One configuration of atoms. The arrays are copied and made read-only.

    species: chemical symbols, one for each of the n atoms.
    positions: (n, 3) float64, angstrom. Atoms may lie outside the cell.
    cell: (3, 3) float64, angstrom, rows a1, a2, a3. Rows along aperiodic directions may be zero.
    pbc: (3,) bool, periodic along a1, a2, a3.
    energy: eV, total energy of the frame, or None when it is not known.
    forces: (n, 3) float64, eV/angstrom, or None.
    virial: (3, 3) float64, eV, -dE/dstrain = sum of r (x) F, or None. The stress in the sign of
      ASE (negative under compression) is -virial / volume.
    per_atom_energy: (n,) float64, eV, or None.
    name: key of the frame, the stem of the files made from it.
    group: label of the source ("Surface", "AIMD-NVT", ...).
    weight: relative weight in the training loss.

    Raises:
      FrameError: wrong shapes, numbers that are not finite, unknown chemical elements, no atoms,
        a periodic direction without a lattice vector, linearly dependent periodic vectors,
        positions or lattice vectors beyond FARTHEST.
    """

    species: tuple[str, ...]
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float | None = None
    forces: np.ndarray | None = None
    virial: np.ndarray | None = None
    name: str = ""
    group: str = ""
    weight: float = 1.0
    per_atom_energy: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "species", tuple(self.species))
        n = len(self.species)
        if n == 0:
            raise self._error("no atoms")
        self._check_species()
        self._store("positions", (n, 3))
        self._store("cell", (3, 3))
        self._check_extent()
        self._store("forces", (n, 3))
        self._store("virial", (3, 3))
        self._store("per_atom_energy", (n,))
        self._store_pbc()
        self._store_number("energy")
        self._store_number("weight")
        if self.weight is None or self.weight < 0:
            raise self._error(f"weight {self.weight}; expected a number that is not negative")
        self._check_cell()

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.species)

    @property
    def volume(self) -> float:
        """Volume of the cell in cubic angstrom; 0 if a lattice vector is missing."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the physics: species, geometry, energy, forces, virial; not of the name.

        Two frames have the same one only if they agree to the last bit.
        """
        digest = hashlib.sha256(" ".join(self.species).encode())
        for value in (self.positions, self.cell, self.pbc, self.energy, self.forces, self.virial):
            array = np.zeros(0) if value is None else np.asarray(value, dtype="<f8")
            digest.update(f"|{array.shape}|".encode() + array.tobytes())
        return digest.hexdigest()

    def named(self, name: str) -> Frame:
        """The same frame under another name; nothing is copied or checked again."""
        other = copy.copy(self)
        object.__setattr__(other, "name", name)
        return other

    def _error(self, message: str) -> FrameError:
        return FrameError(f"frame {self.name!r}: {message}" if self.name else message)

    def _check_species(self) -> None:
        for atom, symbol in enumerate(self.species, start=1):
            if symbol not in KNOWN:
                raise self._error(
                    f"atom {atom}: {symbol!r} is not the symbol of a chemical element "
                    "(expected H, He, Li, ...)"
                )

    def _store(self, field: str, shape: tuple[int, ...]) -> None:
        value = getattr(self, field)
        if value is None and field not in ("positions", "cell"):
            return
        object.__setattr__(self, field, self._array(field, value, shape))

    def _array(self, field: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as cause:
            raise self._error(f"{field}: expected {shape} numbers ({cause})") from cause
        if array.shape != shape:
            raise self._error(f"{field}: found shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0]
            row = "row" if field in ("cell", "virial") else "atom"
            place = f"{row} {where[0] + 1}" + (f", {'xyz'[where[1]]}" if len(where) > 1 else "")
            raise self._error(
                f"{field}: {place} is {array[tuple(where)]}; expected a finite number"
            )
        array.setflags(write=False)
        return array

    def _check_extent(self) -> None:
        for field, row in (("positions", "atom"), ("cell", "row")):
            far = np.argwhere(np.abs(getattr(self, field)) > FARTHEST)
            if len(far):
                i, x = far[0]
                raise self._error(
                    f"{field}: {row} {i + 1}, {'xyz'[x]} is {getattr(self, field)[i, x]:g} "
                    f"angstrom; expected less than {FARTHEST:g}, check the units"
                )

    def _store_pbc(self) -> None:
        pbc = np.array(self.pbc)
        if pbc.shape != (3,) or not (pbc.dtype == bool or np.isin(pbc, (0, 1)).all()):
            raise self._error(f"pbc: found {self.pbc!r}, expected three booleans")
        pbc = pbc.astype(bool)
        pbc.setflags(write=False)
        object.__setattr__(self, "pbc", pbc)

    def _store_number(self, field: str) -> None:
        value = getattr(self, field)
        if value is None:
            return
        try:
            number = float(value)
        except (TypeError, ValueError) as cause:
            raise self._error(f"{field}: found {value!r}, expected a number") from cause
        if not np.isfinite(number):
            raise self._error(f"{field} is {number}; expected a finite number")
        object.__setattr__(self, field, number)

    def _check_cell(self) -> None:
        lengths = np.linalg.norm(self.cell, axis=1)
        for axis in np.flatnonzero(self.pbc & (lengths < SHORTEST_VECTOR)):
            raise self._error(
                f"periodic along a{axis + 1}, but that lattice vector is missing or zero; "
                "give the lattice or declare the direction aperiodic"
            )
        periodic = self.cell[self.pbc] / lengths[self.pbc, None]
        if len(periodic) and np.linalg.det(periodic @ periodic.T) < FLATTEST_CELL**2:
            raise self._error(
                f"the periodic lattice vectors are linearly dependent: {self.cell.tolist()}"
            )
