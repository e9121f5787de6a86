"""The files of energies and forces, as PANNA v1 names and formats them.

    <label>.dat          #filename n_atoms e_ref e_nn                              eV
    <label>_forces.dat   #filename atom_id fx_nn fy_nn fz_nn fx_ref fy_ref fz_ref  eV/angstrom

The label is the step of the checkpoint (or "best"); for an exported network the files are
energies.dat and forces.dat. One line per structure, or per atom (counted from 0); what is not known
is nan. For a committee these hold the mean, and beside them stand the standard deviations:

    <label>_std.dat         #filename n_atoms e_std                eV
    <label>_forces_std.dat  #filename atom_id fx_std fy_std fz_std eV/angstrom
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.evaluation.errors import Predictions, References
from panna.files import atomic_write

ENERGIES = "#filename n_atoms e_ref e_nn"
FORCES = "#filename atom_id fx_nn fy_nn fz_nn fx_ref fy_ref fz_ref"
ENERGIES_STD = "#filename n_atoms e_std"
FORCES_STD = "#filename atom_id fx_std fy_std fz_std"


def energies_file(directory: Path, label: str) -> Path:
    """Path of the file of energies."""
    return directory / (f"{label}.dat" if label else "energies.dat")


def forces_file(directory: Path, label: str) -> Path:
    """Path of the file of forces."""
    return directory / (f"{label}_forces.dat" if label else "forces.dat")


def std_file(path: Path) -> Path:
    """Path of the file of standard deviations beside a file of energies or forces."""
    return path.with_name(f"{path.stem}_std.dat")


def write_energies(
    path: Path, references: References, predictions: Predictions, add_offset: bool = True
) -> None:
    """Writes total energies.

    Args:
      add_offset: if False the reference energies of the atoms are taken from both energies.
    """
    offsets = 0.0 if add_offset else predictions.offsets
    reference, predicted = references.energies - offsets, predictions.energies - offsets
    with atomic_write(path) as file:
        file.write(ENERGIES + "\n")
        for name, n, e_ref, e_nn in zip(
            references.names, references.n_atoms, reference, predicted, strict=True
        ):
            file.write(f"{name} {n} {e_ref:.10f} {e_nn:.10f}\n")


def write_forces(path: Path, references: References, predictions: Predictions) -> None:
    """Writes the forces on all atoms."""
    assert predictions.forces is not None
    _write_atoms(path, FORCES, references, np.hstack([predictions.forces, references.forces]))


def write_energies_std(path: Path, references: References, spread: np.ndarray) -> None:
    """Writes standard deviations (F,) of total energies."""
    with atomic_write(path) as file:
        file.write(ENERGIES_STD + "\n")
        for name, n, std in zip(references.names, references.n_atoms, spread, strict=True):
            file.write(f"{name} {n} {std:.10f}\n")


def write_forces_std(path: Path, references: References, spread: np.ndarray) -> None:
    """Writes standard deviations (N, 3) of the forces on all atoms."""
    _write_atoms(path, FORCES_STD, references, spread)


def _write_atoms(path: Path, header: str, references: References, rows: np.ndarray) -> None:
    """One line for each atom; rows: (N, columns)."""
    starts = np.concatenate([[0], np.cumsum(references.n_atoms)])
    with atomic_write(path) as file:
        file.write(header + "\n")
        for name, start, stop in zip(references.names, starts[:-1], starts[1:], strict=True):
            for atom, row in enumerate(rows[start:stop].tolist()):
                numbers = " ".join(f"{value:.10f}" for value in row)
                file.write(f"{name} {atom} {numbers}\n")
