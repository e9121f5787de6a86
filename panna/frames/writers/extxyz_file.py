"""Extended XYZ that panna_exyz_parser reads back to the last bit.

Numbers are written with as many digits, at most 17, as give the same float64 again. Kept are
species, positions, lattice vectors, periodic directions, energy, forces, virial, the energies of
atoms, group, weight, and the name as an entry that the parser does not read: it names frames by
file and number. Of a virial that is not symmetric the symmetric part is written. Lattice vectors
along aperiodic directions are written; the parser sets them to zero.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from panna.frames.writers.base import QUANTITIES, OneFile, symmetric

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame


class ExtxyzWriter(OneFile):
    """One frame after the other."""

    title = "extended XYZ"
    holds = frozenset(QUANTITIES)
    next_step = "panna_exyz_parser -i {target} -o examples"

    def plan(self) -> list[tuple[str, str]]:
        """Keys and units."""
        return [
            ("units", "angstrom, eV, eV/angstrom; virial = -dE/dstrain in eV"),
            ("keys", "energy, forces, virial, per_atom_energy, group, weight, pbc, name"),
        ]

    def lost(self, frame: Frame) -> list[str]:
        """Half of a virial that is not symmetric."""
        return [] if symmetric(frame) else ["antisymmetric part of the virial"]

    def text(self, frame: Frame) -> str:
        """Number of atoms, comment line, one line per atom."""
        columns = [frame.positions]
        properties = "species:S:1:pos:R:3"
        if frame.forces is not None:
            columns.append(frame.forces)
            properties += ":forces:R:3"
        if frame.per_atom_energy is not None:
            columns.append(frame.per_atom_energy[:, None])
            properties += ":per_atom_energy:R:1"
        tables = [column.tolist() for column in columns]
        lines = [
            " ".join([symbol, *(repr(x) for row in rows for x in row)])
            for symbol, *rows in zip(frame.species, *tables, strict=True)
        ]
        return "\n".join([str(frame.n_atoms), _comment(frame, properties), *lines]) + "\n"


def _comment(frame: Frame, properties: str) -> str:
    entries = [
        f'Lattice="{_numbers(frame.cell)}"',
        f"Properties={properties}",
        f'pbc="{" ".join("T" if periodic else "F" for periodic in frame.pbc)}"',
    ]
    if frame.energy is not None:
        entries.append(f"energy={frame.energy!r}")
    if frame.virial is not None:
        entries.append(f'virial="{_numbers((frame.virial + frame.virial.T) / 2)}"')
    if frame.weight != 1.0:
        entries.append(f"weight={frame.weight!r}")
    for key, text in (("group", frame.group), ("name", frame.name)):
        if text:
            entries.append(f"{key}={quoted(text)}")
    return " ".join(entries)


def _numbers(values: np.ndarray) -> str:
    return " ".join(map(repr, values.ravel().tolist()))


def quoted(text: str) -> str:
    """A text as the value of an entry that ASE reads as this text.

    ASE takes "12", "T" and "1 2" for numbers and truth values, even in quotes. Such texts, and
    those with characters that do not belong into a line, are written as JSON, which ASE marks so.
    """
    from ase.io.extxyz import key_val_str_to_dict

    plain = _in_quotes(text)
    if text.isprintable() and not text.startswith("_JSON "):
        found = key_val_str_to_dict(f"key={plain}")["key"]
        if isinstance(found, str) and found == text:
            return plain
    return _in_quotes("_JSON " + json.dumps(text))


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
