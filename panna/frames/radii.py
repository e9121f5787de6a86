"""Covalent radii: what is a short distance for two species."""

from __future__ import annotations

from ase.data import atomic_numbers, covalent_radii


def radii_sum(pair: tuple[str, str]) -> float:
    """Sum of the covalent radii of two elements in angstrom.

    Cordero et al., Dalton Trans. 2832 (2008), as tabulated in ASE.
    """
    return float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair))
