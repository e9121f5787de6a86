"""Energies of vacancies and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import ceil, gcd

import numpy as np
from ase import Atoms

from panna.potential.calculator import OUTSIDE
from panna.validation.crystals.cells import conventional_cell, repeats, symmetry
from panna.validation.crystals.relax import Rest, calculated, relax_positions

FORCE = 0.01  # eV/angstrom
RATTLE = 0.05  # angstrom: the atoms round a vacancy may leave the symmetry of the site
SEED = 1
VACUUM = 10.0  # angstrom, on each side: more than a cutoff between the two sides
SAME_PLANE = 0.1  # angstrom
MOST_SITES = 6


@dataclass(frozen=True)
class Relaxed:
    """A defect before and after its atoms have moved.

    unrelaxed, energy: eV/angstrom^2 for a surface; for a vacancy, eV by which the energy of the
      supercell changes with the atom taken out.
    outside: atoms whose descriptor is outside the range of the training set; None if unknown.
    """

    name: str
    atoms: int
    unrelaxed: float
    energy: float
    rest: Rest
    outside: int | None


@dataclass(frozen=True)
class Vacancies:
    """sites: one for each kind of atom. unrelaxed, energy: formation energy, eV for each vacancy;
    None if there are more than MOST_SITES kinds."""

    sites: Sequence[Relaxed]
    unrelaxed: float | None
    energy: float | None


def vacancies(crystal: Atoms, length: float) -> Vacancies:
    """One atom is taken out of a supercell and the others are relaxed.

    Of a compound, the mean over a formula unit, as if its atoms were all taken out, far from each
    other, to make more crystal (a Schottky defect): this needs no chemical potentials. Of several
    sites of a species, the one with the least energy counts. With n atoms of a species in a formula
    unit of N,

      E = (sum of n (E_vacancy - E_supercell) + E_formula_unit) / N

    which, with n = N = 1, is the usual formula.

    Args:
      crystal: at rest, with its calculator.
      length: least width of the supercell, angstrom.
    Raises:
      NotAtRest: energies cannot be calculated.
    """
    cell = conventional_cell(crystal)
    sites = np.unique(symmetry(cell).equivalent_atoms)
    if len(sites) > MOST_SITES:
        return Vacancies([], None, None)
    counts = repeats(cell, length)
    whole = cell.repeat(counts if len(cell) * np.prod(counts) > 1 else 2)
    whole.calc = crystal.calc
    energy = _energy(whole)
    found = [_vacancy(whole, int(site), energy) for site in sites]

    def mean(energies: Sequence[float]) -> float:
        best: dict[str, float] = {}
        for one, value in zip(found, energies, strict=True):
            best[one.name] = min(value, best.get(one.name, np.inf))
        return float(np.mean([best[symbol] for symbol in whole.symbols]) + energy / len(whole))

    return Vacancies(
        found, mean([one.unrelaxed for one in found]), mean([one.energy for one in found])
    )


def _vacancy(whole: Atoms, site: int, energy: float) -> Relaxed:
    atoms = whole.copy()
    del atoms[site]
    atoms.calc = whole.calc
    unrelaxed = _energy(atoms) - energy
    atoms.rattle(RATTLE, seed=SEED)
    rest = relax_positions(atoms, FORCE)
    relaxed = _energy(atoms) - energy
    return Relaxed(whole.symbols[site], len(atoms), unrelaxed, relaxed, rest, _outside(atoms))


def surface(crystal: Atoms, indices: tuple[int, int, int], length: float) -> Relaxed:
    """A slab, relaxed within the symmetry of the cut: surfaces do not reconstruct.

    The cut goes through the widest gap between planes of atoms.

    Args:
      crystal: at rest, with its calculator.
      indices: Miller's, of the conventional cell.
      length: least thickness, angstrom.
    Raises:
      NotAtRest: energies cannot be calculated.
    """
    slab = slab_of(conventional_cell(crystal), indices, length)
    slab.calc = crystal.calc
    per_atom = _energy(crystal) / len(crystal)
    area = 2 * float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))

    def energy() -> float:
        return (_energy(slab) - len(slab) * per_atom) / area

    unrelaxed = energy()
    rest = relax_positions(slab, FORCE, symmetric=True)
    name = "({})".format("".join(map(str, indices)))
    return Relaxed(name, len(slab), unrelaxed, energy(), rest, _outside(slab))


def slab_of(cell: Atoms, indices: tuple[int, int, int], length: float) -> Atoms:
    """A slab of the stoichiometry of the cell with vacuum on both sides, periodic.

    Args:
      cell: conventional.
    """
    from ase.build import surface as build_surface

    indices = np.array(indices) // reduce(gcd, indices)
    normal = indices @ cell.cell.reciprocal().array
    spacing = 1 / np.linalg.norm(normal)
    # Heights of the planes of atoms, in units of the spacing, from 0 to below 1.
    heights = np.sort(cell.get_scaled_positions() @ indices % 1)
    gaps = np.diff(np.append(heights, heights[0] + 1))
    # The first of those as wide as the widest.
    at = int(np.argmax(gaps > gaps.max() - SAME_PLANE / spacing))
    shifted = cell.copy()
    shifted.positions -= (heights[at] + gaps[at] / 2) * normal * spacing**2
    shifted.wrap()
    layers = ceil(length / spacing + gaps[at] - 1e-6)
    slab = build_surface(shifted, tuple(indices.tolist()), layers, VACUUM)
    slab.pbc = True
    return slab


def _energy(atoms: Atoms) -> float:
    return float(calculated(atoms.get_potential_energy))


def _outside(atoms: Atoms) -> int | None:
    """Of the calculation done last."""
    found = getattr(atoms.calc, "results", {}).get(OUTSIDE)
    return None if found is None else int(np.count_nonzero(found))
