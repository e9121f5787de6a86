"""The potential that simulations are compared with."""

from __future__ import annotations

from ase.calculators.calculator import Calculator

from panna.config.reader import Config
from panna.potential.calculator import PANNA


def reference_calculator(config: Config, species: tuple[str, ...]) -> Calculator | None:
    """The potential of the section REFERENCE in ASE; None if there is none.

    Raises:
      PotentialError: it cannot be read.
    """
    folder = config["REFERENCE"]["potential"]
    return None if folder is None else PANNA(folder)
