"""The .example format: one frame as a JSON object.

Keys that are read:

    atoms                  [[index, symbol, [x, y, z], [fx, fy, fz]], ...]; forces optional
    energy                 [value, unit]; null says that the frame has none
    lattice_vectors        rows a1, a2, a3; missing or zero rows are aperiodic directions
    unit_of_length         angstrom or bohr, for positions, vectors and forces
    atomic_position_unit   cartesian or crystal (legacy name: atomic_coordinates)
    per_atom_energy        [e1, e2, ...], in the unit of the energy; optional

and, optional, of this package: `pbc` [bool, bool, bool] (otherwise the non-zero vectors are
periodic), `virial` [[3 rows of 3], unit] with virial = -dE/dstrain, `group`, `weight`. Everything
else is informative and not read; `stress` is among it because the files that have it say neither
its sign nor its unit.

The name of a frame is the name of its file without ".example". (PANNA cuts at the first dot, so
that names with dots overwrite each other.)
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from panna.errors import FrameError
from panna.files import atomic_write
from panna.frames.frame import SHORTEST_VECTOR, Frame
from panna.frames.units import ENERGY, LENGTH, factor

SUFFIX = ".example"
KEYS = frozenset(
    "key atoms energy lattice_vectors unit_of_length atomic_position_unit atomic_coordinates "
    "per_atom_energy pbc virial group weight".split()
)


class ExampleWarning(UserWarning):
    """A unit is missing in a .example file, and the default was taken."""


def read_example(path: str | Path) -> Frame:
    """Read one .example file.

    Returns:
      The frame in angstrom and eV, whatever the units of the file.
    Raises:
      FrameError: the file is missing or no JSON object, a required key is missing, or a value is
        malformed; the message names the file, the key and the atom.
    Warns:
      ExampleWarning: a unit is missing and eV or angstrom is assumed.
    """
    return read_example_and_facts(path)[0]


def read_example_and_facts(path: str | Path) -> tuple[Frame, dict[str, Any]]:
    """As `read_example`, with the informative entries of the file, such as `source`."""
    path = Path(path)
    try:
        content = _load(path)
        frame = _frame(content, key_of(path))
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from error
    return frame, {key: value for key, value in content.items() if key not in KEYS}


def write_example(
    frame: Frame, path: str | Path, *, extra: Mapping[str, Any] | None = None
) -> None:
    """Write one frame in eV and angstrom; reading it back gives the same frame to the last bit.

    Args:
      frame: its name becomes the informative entry `key`.
      path: should end in ".example"; written under a temporary name first.
      extra: informative entries, such as {"source": "run/OUTCAR"}.
    Raises:
      FrameError: an extra entry has the name of an entry of the format.
    """
    content = _content(frame)
    for key, value in (extra or {}).items():
        if key in content:
            raise FrameError(f"{path}: extra entry {key!r} is an entry of the .example format")
        content[key] = value
    text = json.dumps(content, allow_nan=False)
    with atomic_write(path) as stream:
        stream.write(text + "\n")


def key_of(path: Path) -> str:
    """Name of the frame in a file: that of the file without .example (further dots are kept)."""
    return path.name.removesuffix(SUFFIX)


# -- reading ---------------------------------------------------------------------------------------


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise FrameError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FrameError(f"not UTF-8 text (byte {error.start}); is it a .example file?") from error
    except RecursionError as error:
        raise FrameError("not a .example file: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise FrameError(
            f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    if not isinstance(content, dict):
        raise FrameError(f"expected a JSON object, found {_kind(content)}")
    return content


def _refuse_constant(constant: str) -> NoReturn:
    raise FrameError(f"contains {constant}; expected finite numbers only")


def _frame(content: dict[str, Any], name: str) -> Frame:
    length = _length(content)
    cell = _numbers(content.get("lattice_vectors") or np.zeros((3, 3)), (3, 3), "lattice_vectors")
    cell = cell * length
    species, rows, forces = _atoms(content)
    energy, energy_unit = _quantity(content, "energy")
    per_atom = content.get("per_atom_energy")
    frame = {
        "species": species,
        "positions": _positions(content, rows, cell, length),
        "cell": cell,
        "pbc": _pbc(content, cell),
        "energy": None if energy is None else _number(energy, "energy") * energy_unit,
        "forces": None if forces is None else forces * (energy_unit / length),
        "virial": _virial(content),
        "name": name,
        "group": _text(content.get("group", ""), "group"),
        "weight": _number(content.get("weight", 1.0), "weight"),
    }
    if per_atom is not None:
        atomic = _numbers(per_atom, (len(species),), "per_atom_energy")
        frame["per_atom_energy"] = atomic * energy_unit
    return Frame(**frame)


def _length(content: dict[str, Any]) -> float:
    unit = content.get("unit_of_length")
    if unit is None:
        # No file name in the text: Python shows a repeated warning once, not once a file.
        warnings.warn(
            "a .example file has no unit_of_length: read as angstrom", ExampleWarning, stacklevel=5
        )
        unit = "angstrom"
    return factor(LENGTH, unit, "unit_of_length")


def _atoms(content: dict[str, Any]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Symbols, coordinates as in the file (n, 3), forces as in the file (n, 3) or None."""
    atoms = content.get("atoms")
    if not isinstance(atoms, list):
        found = "no such key" if "atoms" not in content else _kind(atoms)
        raise FrameError(f"atoms: {found}; expected a list of [index, symbol, [x, y, z], [forces]]")
    if not atoms:
        raise FrameError("atoms: the list is empty; a frame needs at least one atom")
    for i, atom in enumerate(atoms, start=1):
        # A fifth entry is the charge that an early comment of PANNA announces.
        if not isinstance(atom, list) or not 3 <= len(atom) <= 5:
            raise FrameError(
                f"atoms, entry {i}: found {_short(atom)}, "
                "expected [index, symbol, [x, y, z]] with optional [fx, fy, fz]"
            )
        if not isinstance(atom[1], str):
            raise FrameError(f"atoms, entry {i}: symbol {_short(atom[1])} is not a string")
    rows = _per_atom(atoms, 2, "position")
    with_forces = [len(atom) > 3 and bool(atom[3]) for atom in atoms]
    if any(with_forces) and not all(with_forces):
        raise FrameError(
            f"atoms, entry {with_forces.index(False) + 1}: no forces, although other atoms have "
            "them; give forces for all atoms or for none"
        )
    forces = _per_atom(atoms, 3, "forces") if all(with_forces) else None
    return tuple(atom[1] for atom in atoms), rows, forces


def _per_atom(atoms: list[Any], column: int, what: str) -> np.ndarray:
    try:
        rows = np.array([atom[column] for atom in atoms], dtype=np.float64)
        if rows.shape == (len(atoms), 3):
            return rows
    except (TypeError, ValueError, OverflowError):
        pass  # the loop below finds the atom and says what is wrong with it
    for i, atom in enumerate(atoms, start=1):
        _numbers(atom[column], (3,), f"atoms, entry {i}: {what}")
    raise FrameError(f"atoms: the {what} entries are not three numbers each")


def _positions(
    content: dict[str, Any], rows: np.ndarray, cell: np.ndarray, length: float
) -> np.ndarray:
    unit = content.get("atomic_position_unit", content.get("atomic_coordinates"))
    if unit == "cartesian":
        return rows * length
    if unit != "crystal":
        found = "no such key" if unit is None else repr(unit)
        raise FrameError(f"atomic_position_unit: {found}; expected cartesian or crystal")
    missing = np.linalg.norm(cell, axis=1) < SHORTEST_VECTOR
    for axis in np.flatnonzero(missing & (rows != 0).any(axis=0)):
        raise FrameError(
            f"atomic_position_unit is crystal, but lattice vector a{axis + 1} is missing or zero"
        )
    return rows @ cell


def _quantity(content: dict[str, Any], key: str) -> tuple[Any, float]:
    """Value of [value, unit] and its unit in eV."""
    if key not in content:
        raise FrameError(f'{key}: no such key; expected "{key}": [value, "eV" | "Ry" | "Ha"]')
    entry = content[key]
    if entry is None:
        return None, 1.0
    if not isinstance(entry, list) or len(entry) not in (1, 2):
        raise FrameError(f"{key}: found {_short(entry)}, expected [value, unit]")
    if len(entry) == 1:
        warnings.warn(
            f"a .example file has no unit of {key}: read as eV", ExampleWarning, stacklevel=6
        )
        return entry[0], 1.0
    return entry[0], factor(ENERGY, entry[1], f"{key}: unit")


def _virial(content: dict[str, Any]) -> np.ndarray | None:
    if content.get("virial") is None:
        return None
    value, unit = _quantity(content, "virial")
    return _numbers(value, (3, 3), "virial") * unit


def _pbc(content: dict[str, Any], cell: np.ndarray) -> np.ndarray:
    if "pbc" not in content:
        return np.linalg.norm(cell, axis=1) >= SHORTEST_VECTOR
    pbc = content["pbc"]
    if not (isinstance(pbc, list) and len(pbc) == 3 and all(isinstance(p, bool) for p in pbc)):
        raise FrameError(f"pbc: found {_short(pbc)}, expected three of true, false")
    return np.array(pbc)


def _text(value: Any, what: str) -> str:
    """JSON may hold halves of characters, which no file of text can."""
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FrameError(f"{what}: {_short(value)} cannot be written as UTF-8") from error
    return text


def _number(value: Any, what: str) -> float:
    """A number, or a number in quotes, as some parsers write energies."""
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass  # reported below
    raise FrameError(f"{what}: found {_short(value)}, expected a number")


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.shape != shape:
        expected = " x ".join(str(size) for size in shape)
        raise FrameError(f"{what}: found {_short(value)}, expected {expected} numbers")
    return array


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# -- writing ---------------------------------------------------------------------------------------


def _content(frame: Frame) -> dict[str, Any]:
    rows = frame.positions.tolist()
    forces = [] if frame.forces is None else [[force] for force in frame.forces.tolist()]
    content: dict[str, Any] = {
        "key": frame.name,
        "unit_of_length": "angstrom",
        "atomic_position_unit": "cartesian",
        "lattice_vectors": frame.cell.tolist(),
        "pbc": frame.pbc.tolist(),
        "energy": None if frame.energy is None else [frame.energy, "eV"],
        "atoms": [
            [i + 1, symbol, rows[i], *(forces[i] if forces else [])]
            for i, symbol in enumerate(frame.species)
        ],
    }
    if frame.virial is not None:
        content["virial"] = [frame.virial.tolist(), "eV"]
    if frame.per_atom_energy is not None:
        content["per_atom_energy"] = frame.per_atom_energy.tolist()
    if frame.group:
        content["group"] = frame.group
    if frame.weight != 1.0:
        content["weight"] = frame.weight
    return content
