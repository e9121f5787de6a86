"""Ini files, examples and a reader of version-0 files for the tests of the first two programs."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

# The parameters of the public reference data, P0 in tests/data/golden/README.md.
P0 = {
    "eta_rad": 16, "Rc_rad": 4.6, "Rs0_rad": 0.5, "RsN_rad": 16,
    "eta_ang": 16, "Rc_ang": 3.1, "Rs0_ang": 0.5, "RsN_ang": 4, "zeta": 50, "ThetasN": 8,
}  # fmt: skip
SMALL = {
    "eta_rad": 4, "Rc_rad": 3.0, "Rs0_rad": 0.5, "RsN_rad": 3,
    "eta_ang": 1, "Rc_ang": 3.0, "Rs0_ang": 0.5, "RsN_ang": 2, "zeta": 4, "ThetasN": 2,
}  # fmt: skip


def ini_text(sections: dict[str, dict[str, Any]]) -> str:
    """An ini file; keys whose value is None and sections that are None are left out."""
    lines = []
    for name, keys in sections.items():
        if keys is not None:
            lines.append(f"[{name}]")
            lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
    return "\n".join(lines) + "\n"


def gvect_ini(
    folder: Path, examples: Path | str | None = None, parameters=SMALL, name="gvect.ini", **changes
) -> Path:
    """Write an ini file of gvect_calculator into a folder.

    examples: input_json_dir, by default folder/examples; output goes to folder/bin.
    changes: keys of [SYMMETRY_FUNCTION], or whole sections by their name.
    """
    sections = {
        "IO_INFORMATION": {
            "input_json_dir": examples or folder / "examples",
            "output_gvect_dir": folder / "bin",
            "log_dir": folder / "logs",
        },
        "SYMMETRY_FUNCTION": {"type": "mBP", "species": "H, O"},
        "GVECT_PARAMETERS": dict(parameters),
    }
    return _write(folder / name, sections, "SYMMETRY_FUNCTION", changes)


def tfr_ini(folder: Path, name="tfr.ini", content=None, **changes) -> Path:
    """Write an ini file of tfr_packer: from folder/bin to folder/tfr."""
    sections = {
        "IO_INFORMATION": {"input_dir": folder / "bin", "output_dir": folder / "tfr"},
        "CONTENT_INFORMATION": content,
    }
    return _write(folder / name, sections, "IO_INFORMATION", changes)


def _write(path: Path, sections: dict, main: str, changes: dict[str, Any]) -> Path:
    for key, value in changes.items():
        if key.isupper():
            sections[key] = value
        else:
            sections[main][key] = value
    path.write_text(ini_text(sections))
    return path


def write_examples(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Water molecules with random shifts, one .example each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    water = np.array([[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    paths = []
    for i in range(count):
        positions = (water + rng.normal(scale=0.05, size=(3, 3))).tolist()
        forces = rng.normal(size=(3, 3)).tolist()
        content = {
            "unit_of_length": "angstrom",
            "atomic_position_unit": "cartesian",
            "energy": [-2078.0 - i / 7, "eV"],
            "atoms": [[k + 1, symbol, positions[k], forces[k]] for k, symbol in enumerate("OHH")],
        }
        paths.append(folder / f"water.{i:03d}.example")
        paths[-1].write_text(json.dumps(content))
    return paths


def edit_example(path: Path, **changes) -> None:
    """Change entries of an example; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def read_version_0(path: Path) -> dict[str, Any]:
    """What the published format says is in a .bin file; what follows it is ignored.

    Header: uint32 version, uint16 flags, uint32 atoms, uint32 components. Then float32: energy,
    species, G, derivatives (flag 1; sparse with flag 8), forces (flag 2), per-atom quantity (4).
    """
    data = path.read_bytes()
    version, flags, n, g = struct.unpack_from("<IHII", data)
    assert version == 0
    numbers = np.frombuffer(data, "<f4", offset=14)
    position = 0

    def take(*shape: int) -> np.ndarray:
        nonlocal position
        size = int(np.prod(shape))
        position += size
        return numbers[position - size : position].reshape(shape)

    found = {"flags": flags, "energy": take(1)[0], "species": take(n), "G": take(n, g)}
    if flags & 1 and flags & 8:
        count = int(take(1)[0])
        values, pairs = take(count), take(count, 2).astype(int)
        dense = np.zeros((n * g, 3 * n), np.float32)
        dense[pairs[:, 0], pairs[:, 1]] = values
        found["dG"] = dense.reshape(n, g, n, 3)
    elif flags & 1:
        found["dG"] = take(n, g, n, 3)
    if flags & 2:
        found["forces"] = take(n, 3)
    if flags & 4:
        found["per_atom"] = take(n)
    return found
