"""Crystals and defects at rest: atoms, or atoms and cell, where energy is lowest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from ase import Atoms
from ase.filters import Filter

from panna.errors import PannaError

CELL_FORCE = 1e-4  # eV/angstrom, of atoms and of the gradient by the cell per atom
CELL_STEPS = 300
POSITION_STEPS = 300
SYMMETRY = 0.01  # angstrom, up to which atoms are taken to be equivalent
LARGEST_CHANGE = 2.0  # of the volume, either way; more is another structure, or none

T = TypeVar("T")


class NotAtRest(Exception):
    """Why atoms do not come to rest, without final stop."""


@dataclass(frozen=True)
class Rest:
    """How a relaxation has ended. force: the largest one left, eV/angstrom."""

    force: float
    steps: int
    reached: bool


def relaxed_crystal(crystal: Atoms) -> Atoms:
    """A copy with atoms and cell at rest that has kept its symmetry, so that a structure that is a
    saddle stays what it is and can be found unstable.

    Args:
      crystal: with a calculator that knows stress.
    Raises:
      NotAtRest: no rest within CELL_STEPS steps, or not as this crystal.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = _copy(crystal)
    volume = atoms.get_volume()

    def check() -> None:
        change = atoms.get_volume() / volume
        if not 1 / LARGEST_CHANGE < change < LARGEST_CHANGE:
            raise NotAtRest(f"its volume becomes {change:.3g} times that of the given crystal")

    _keep_symmetry(atoms)
    if not np.isfinite(calculated(atoms.get_potential_energy)):
        raise NotAtRest("energy or forces are not numbers")
    rest = _run(BFGS, FrechetCellFilter(atoms), CELL_FORCE, CELL_STEPS, check)
    atoms.set_constraint()
    if not rest.reached:
        raise NotAtRest(
            f"after {rest.steps} steps for atoms and cell a force of {rest.force:.2g} eV/Å is left"
        )
    return atoms


def relax_positions(
    atoms: Atoms, force: float, *, symmetric: bool = False, steps: int = POSITION_STEPS
) -> Rest:
    """Moves the atoms in the fixed cell.

    Args:
      force: eV/angstrom, below which they are at rest.
      symmetric: keep the symmetry.
    Raises:
      NotAtRest: energies or forces cannot be calculated any more.
    """
    from ase.optimize import LBFGS

    left = _largest_force(atoms)
    if left <= force:  # often so by symmetry, and the constraint below is slow
        return Rest(left, 0, True)
    if symmetric:
        _keep_symmetry(atoms)
    rest = _run(LBFGS, atoms, force, steps)
    atoms.set_constraint()
    return rest


def relax_shape(atoms: Atoms, force: float, where: str) -> None:
    """Moves atoms and cell at constant volume; the symmetry stays.

    Args:
      force: eV/angstrom, of atoms, and eV per atom, of the gradient by the shape, below which they
        are at rest.
      where: first words of the message.
    Raises:
      NotAtRest: they do not come to rest.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    _keep_symmetry(atoms)
    rest = _run(BFGS, FrechetCellFilter(atoms, constant_volume=True), force, CELL_STEPS)
    atoms.set_constraint()
    _check(rest, where)


def at_rest(atoms: Atoms, force: float, where: str, *, symmetric: bool = False) -> Atoms:
    """The atoms, moved as `relax_positions` does.

    Raises:
      NotAtRest: they do not come to rest.
    """
    _check(relax_positions(atoms, force, symmetric=symmetric), where)
    return atoms


def _check(rest: Rest, where: str) -> None:
    if not rest.reached:
        raise NotAtRest(
            f"{where}: after {rest.steps} steps a force of {rest.force:.2g} eV/Å is left"
        )


def _copy(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _keep_symmetry(atoms: Atoms) -> None:
    from ase.constraints import FixSymmetry

    atoms.set_constraint(FixSymmetry(atoms, symprec=SYMMETRY))


def _run(
    make: Callable,
    moved: Atoms | Filter,
    force: float,
    steps: int,
    check: Callable[[], None] = lambda: None,
) -> Rest:
    """check: called after each step; raises NotAtRest to end it."""

    def run() -> Rest:
        optimizer = make(moved, logfile=None)
        for _ in optimizer.irun(fmax=force, steps=steps):
            check()
        left = _largest_force(moved)
        return Rest(left, optimizer.get_number_of_steps(), left <= force)

    return calculated(run)


def _largest_force(moved: Atoms | Filter) -> float:
    left = float(np.linalg.norm(calculated(moved.get_forces), axis=1).max())
    if not np.isfinite(left):
        raise NotAtRest("energy or forces are not numbers")
    return left


def calculated(work: Callable[[], T]) -> T:
    """What work() returns.

    Raises:
      NotAtRest: atoms too close for the potential, or steps that lead nowhere.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ASE, about large steps
            return work()
    except NotImplementedError:  # a RuntimeError, but of the program
        raise
    except np.linalg.LinAlgError as error:
        raise NotAtRest("energy or forces are not numbers after some steps") from error
    except (PannaError, RuntimeError, ArithmeticError) as error:
        raise NotAtRest(str(error).rstrip(".")) from error
