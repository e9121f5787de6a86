"""Energy of a crystal over its volume."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.validation.crystals.cells import conventional_cell, is_cubic
from panna.validation.crystals.relax import NotAtRest, at_rest, calculated, relax_shape

POINTS = 25
FITTED = 0.5  # of the strains: the third order of Birch and Murnaghan is not meant for all
FORCE = 1e-3  # eV/angstrom, of atoms; eV per atom, of the gradient by the shape of the cell


@dataclass(frozen=True)
class VolumeCurve:
    """Energies of P volumes, and the equation of state.

    strains: (P,) linear, cube roots of the volumes over that at rest, minus 1.
    volumes, energies: (P,) angstrom^3 and eV, per atom.
    volume, energy: at the minimum of the fit, per atom. bulk_modulus: GPa.
    misfit: (P,) eV, energy minus fit; the fit is that of Birch and Murnaghan, to the inner strains
      for the numbers above, to all strains here.
    cell: lengths, angstrom, and angles, degrees, of the conventional cell at rest.
    """

    strains: np.ndarray
    volumes: np.ndarray
    energies: np.ndarray
    volume: float
    energy: float
    bulk_modulus: float
    misfit: np.ndarray
    cell: tuple[float, ...]

    @property
    def roughness(self) -> float:
        """Percent: root mean square misfit over the depth of the curve."""
        return float(100 * np.sqrt(np.mean(self.misfit**2)) / np.ptp(self.energies))

    @property
    def minima(self) -> int:
        """How many volumes have less energy than both neighbours."""
        inner = self.energies[1:-1]
        return int(((inner < self.energies[:-2]) & (inner < self.energies[2:])).sum())


def volume_curve(crystal: Atoms, strain: float) -> VolumeCurve:
    """Atoms and the shape of the cell follow the volume as far as symmetry lets them.

    Were the sides of a crystal that is not cubic strained alike, the bulk modulus would be Voigt's,
    which is larger than -V dP/dV.

    Args:
      crystal: at rest, with its calculator.
      strain: the largest, linear.
    Raises:
      NotAtRest: atoms do not come to rest, or the curve has no minimum.
    """
    strains = np.linspace(-strain, strain, POINTS)
    cubic = is_cubic(crystal)
    volumes, energies = [], []
    for one in strains:
        atoms = crystal.copy()
        atoms.calc = crystal.calc
        atoms.set_cell(crystal.cell * (1 + one), scale_atoms=True)
        where = f"at a linear strain of {one:.3g}"
        if cubic:
            at_rest(atoms, FORCE, where, symmetric=True)
        else:
            relax_shape(atoms, FORCE, where)
        volumes.append(atoms.get_volume() / len(atoms))
        energies.append(calculated(atoms.get_potential_energy) / len(atoms))
    v, e = np.array(volumes), np.array(energies)
    if not np.ptp(e) > 0:
        raise NotAtRest("its energy does not depend on the volume")
    inner = np.abs(strains) <= FITTED * strain + 1e-9
    volume, energy, modulus, _ = _fit(v[inner], e[inner])
    return VolumeCurve(
        strains,
        v,
        e,
        volume,
        energy,
        modulus * EV_PER_ANGSTROM3_IN_GPA,
        e - _fit(v, e)[3](v),
        tuple(conventional_cell(crystal).cell.cellpar().tolist()),
    )


def _fit(volumes: np.ndarray, energies: np.ndarray):
    from ase.eos import EquationOfState

    fit = EquationOfState(volumes, energies, eos="birchmurnaghan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scipy, about uncertain parameters
            volume, energy, modulus = fit.fit(warn=False)
    except (RuntimeError, ValueError) as error:
        raise NotAtRest(f"no equation of state fits its energies over volume ({error})") from error
    if not volumes.min() < volume < volumes.max():
        raise NotAtRest("its energy has no minimum over the volume")
    return float(volume), float(energy), float(modulus), lambda v: fit.func(v, *fit.eos_parameters)
