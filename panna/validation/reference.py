"""The potential that simulations are compared with."""

from __future__ import annotations

from ase.calculators.calculator import Calculator

from panna.config.reader import Config
from panna.potential.calculator import PANNA
from panna.validation.lammps.calculator import LammpsPair, StyleError
from panna.validation.lammps.pair import reference_pair


def reference_calculator(config: Config, species: tuple[str, ...]) -> Calculator | None:
    """The potential of the section REFERENCE in ASE; None if there is none.

    Raises:
      PotentialError: a potential of PANNA cannot be read.
      ConfigError: it lacks a species, or LAMMPS refuses pair_style or pair_coeff.
      NotPossible: it needs LAMMPS, which is not installed.
    """
    folder = config["REFERENCE"]["potential"]
    if folder is not None:
        found = PANNA(folder)
        known = found.potentials[0].species
        if missing := [symbol for symbol in species if symbol not in known]:
            raise config.error(
                "REFERENCE", "potential",
                f"species {', '.join(known)} found; {', '.join(missing)} expected, too",
            )  # fmt: skip
        return found
    pair = reference_pair(config, species)
    if pair is None:
        return None
    calculator = LammpsPair(pair)
    try:
        calculator.check()
    except StyleError as error:
        key = error.command.split()[0]
        raise config.error("REFERENCE", key, f"LAMMPS says: {error.reason}") from error
    return calculator
