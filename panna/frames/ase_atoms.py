"""Frames and ASE's Atoms, in both directions.

Both count in angstrom and eV. A frame has the virial -dE/dstrain in eV, ASE has the stress in
eV/angstrom^3, negative under compression: stress = -virial / volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

from panna.errors import FrameError
from panna.frames.frame import Frame

IN_DATA = "panna"  # key of the data of a row, under which a database has what `info` has
FREE_FIRST = ("free_energy", "energy")


def frame_of_structure(atoms: Atoms, **more: Any) -> Frame:
    """Species, positions, cell and periodic directions of the atoms, and more fields of a frame.

    Raises:
      FrameError: they are no frame.
    """
    return Frame(
        species=tuple(atoms.get_chemical_symbols()),
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
        **more,
    )


def energy_of(atoms: Atoms, names: tuple[str, ...] = FREE_FIRST) -> str | None:
    """The first of these energies that the calculator of the atoms holds; None if it has none."""
    results = _results(atoms)
    return next((name for name in names if results.get(name) is not None), None)


def frame_of_atoms(atoms: Atoms, energies: tuple[str, ...] = FREE_FIRST) -> Frame:
    """The frame of atoms with the results of their calculator.

    Forces and stress are as the calculator gave them: constraints of the atoms change nothing. A
    stress of atoms without a volume is not taken. Lattice vectors along aperiodic directions are
    not taken either. Group, weight and, where the calculator has nothing of the kind, virial and
    per_atom_energy may be among the entries of `atoms.info`.

    Args:
      energies: names of the calculator's properties, the first one that exists is taken.
    Raises:
      FrameError: the results belong to another geometry, or there is something that no frame has.
    """
    results = _results(atoms)
    name = energy_of(atoms, energies)
    return frame_of_structure(
        _with_periodic_vectors_only(atoms),
        energy=None if name is None else results[name],
        forces=results.get("forces"),
        virial=_virial(atoms, results.get("stress")),
        per_atom_energy=results.get("energies", atoms.info.get("per_atom_energy")),
        group=str(atoms.info.get("group", "")),
        weight=atoms.info.get("weight", 1.0),
    )


def atoms_of_frame(frame: Frame) -> Atoms:
    """Atoms with a calculator that holds energy, energies of the atoms, forces and stress.

    name, group and weight are entries of `info`, as is the virial of a frame without volume. The
    stress has six components: a virial that is not symmetric is made so.
    """
    atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
    results: dict[str, Any] = {
        "energy": frame.energy,
        "energies": frame.per_atom_energy,
        "forces": frame.forces,
    }
    atoms.info["name"] = frame.name
    if frame.group:
        atoms.info["group"] = frame.group
    if frame.weight != 1.0:
        atoms.info["weight"] = frame.weight
    if frame.virial is not None and frame.volume > 0:
        stress = -(frame.virial + frame.virial.T) / (2 * frame.volume)
        results["stress"] = full_3x3_to_voigt_6_stress(stress)
    elif frame.virial is not None:
        atoms.info["virial"] = frame.virial.copy()
    results = {name: value for name, value in results.items() if value is not None}
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _results(atoms: Atoms) -> Mapping[str, Any]:
    """What the calculator holds, which must be of this geometry."""
    calculator = atoms.calc
    results = getattr(calculator, "results", None) or {}
    known_for = getattr(calculator, "atoms", None)
    if results and known_for is not None and not _same_geometry(atoms, known_for):
        raise FrameError("its energy and forces belong to another geometry")
    return results


def _same_geometry(a: Atoms, b: Atoms) -> bool:
    return (
        np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.positions, b.positions)
        and np.array_equal(a.cell.array, b.cell.array)
    )


def _with_periodic_vectors_only(atoms: Atoms) -> Atoms:
    return Atoms(
        atoms.numbers,
        atoms.positions,
        cell=np.where(atoms.pbc[:, None], atoms.cell.array, 0.0),
        pbc=atoms.pbc,
    )


def _virial(atoms: Atoms, stress: Any) -> np.ndarray | None:
    if stress is None:
        return atoms.info.get("virial")
    stress = np.asarray(stress)
    if stress.shape == (6,):
        stress = voigt_6_to_full_3x3_stress(stress)
    if stress.shape != (3, 3):
        raise FrameError(f"stress of shape {stress.shape} found, 6 or 3 x 3 components expected")
    volume = abs(np.linalg.det(atoms.cell.array))
    return -volume * stress if volume > 0 else None
