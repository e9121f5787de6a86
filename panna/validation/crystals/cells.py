"""Cells of a crystal: primitive, conventional, repeated until they are wide enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from panna.frames.neighbours import widths
from panna.validation.crystals.relax import SYMMETRY, NotAtRest

NO_SYMMETRY = "no symmetry is found; two of its atoms may coincide"

FIRST_CUBIC = 195  # space group


def primitive_cell(crystal: Atoms) -> Atoms:
    """The smallest cell, in the standard orientation of spglib: of cubic crystals, the axes of the
    cube are x, y and z."""
    return _standard(crystal, to_primitive=True)


def conventional_cell(crystal: Atoms) -> Atoms:
    """The cell that Miller indices refer to, with the calculator of the crystal."""
    return _standard(crystal, to_primitive=False)


def symmetry(crystal: Atoms):
    """spglib's data set: number of the space group, equivalent atoms, rotations."""
    import spglib

    return _asked(spglib.get_symmetry_dataset, crystal)


def is_cubic(crystal: Atoms) -> bool:
    """Whether the symmetry leaves the shape of the cell no freedom."""
    return symmetry(crystal).number >= FIRST_CUBIC


def repeats(crystal: Atoms, length: float) -> tuple[int, int, int]:
    """How many cells make all widths at least this length, angstrom."""
    # 1e-6: a width that is exactly the length is enough.
    a, b, c = np.ceil(length / widths(crystal.cell.array) - 1e-6).clip(1).astype(int).tolist()
    return a, b, c


def _standard(crystal: Atoms, *, to_primitive: bool) -> Atoms:
    import spglib

    cell, scaled, numbers = _asked(spglib.standardize_cell, crystal, to_primitive=to_primitive)
    return Atoms(numbers, scaled_positions=scaled, cell=cell, pbc=True, calculator=crystal.calc)


def _asked(question: Callable, crystal: Atoms, **options: bool):
    """The answer of spglib.

    Raises:
      NotAtRest: there is none, as where atoms coincide; otherwise the identity is always found.
    """
    cell = crystal.cell.array, crystal.get_scaled_positions(), crystal.numbers
    try:
        answer = question(cell, symprec=SYMMETRY, **options)
    except Exception as error:  # of spglib 2.7 and later; earlier ones answer None
        raise NotAtRest(f"{NO_SYMMETRY} ({error})") from error
    if answer is None:
        raise NotAtRest(NO_SYMMETRY)
    return answer
