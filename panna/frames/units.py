"""Units of the files that frames come from, and their value in angstrom and eV.

One table for the whole project, so that the same number in two files means the same thing.

bohr and rydberg are PANNA's own constants: 0.52917721067 angstrom rounded to float32, which changes
it by 4e-8 relative, and 13.6056980659 eV; hartree is twice the rydberg. The published descriptors
and the last bit of the published forces can only be reproduced with them. Against CODATA 2018
(0.529177210903 angstrom, 13.605693122994 eV) bohr differs by 4e-8 and rydberg by 4e-7 relative:
4e-7 of -2000 eV is 0.8 meV, the same for every frame of the same composition. Kilocalories and
kilojoules per mole, pascal and bar follow from CODATA 2018.
"""

from __future__ import annotations

from collections.abc import Mapping

from panna.errors import FrameError

BOHR = 0.529177188873291015625  # angstrom
RYDBERG = 13.6056980659  # eV
HARTREE = 2 * RYDBERG
EV_PER_ANGSTROM3_IN_GPA = 160.21766340  # 1.602176634e-19 J / 1e-30 m^3

LENGTH: dict[str, float] = {"angstrom": 1.0, "bohr": BOHR}

# The spellings of the .example format.
ENERGY: dict[str, float] = {
    **dict.fromkeys(("eV", "ev", "EV"), 1.0),
    **dict.fromkeys(("Ry", "Ryd", "ryd", "ry", "RY"), RYDBERG),
    **dict.fromkeys(("Ha", "ha", "HA"), HARTREE),
}

# What the parsers accept for foreign files, any case.
FOREIGN_LENGTH: dict[str, float] = {
    "angstrom": 1.0,
    "a": 1.0,
    "bohr": BOHR,
    "nm": 10.0,
}
FOREIGN_ENERGY: dict[str, float] = {
    "ev": 1.0,
    "mev": 1e-3,
    "ry": RYDBERG,
    "rydberg": RYDBERG,
    "ha": HARTREE,
    "hartree": HARTREE,
    "kcal/mol": 4184.0 / (1.602176634e-19 * 6.02214076e23),
    "kj/mol": 1000.0 / (1.602176634e-19 * 6.02214076e23),
}
FOREIGN_STRESS: dict[str, float] = {
    "ev/angstrom^3": 1.0,
    "ha/bohr^3": HARTREE / BOHR**3,
    "ry/bohr^3": RYDBERG / BOHR**3,
    "gpa": 1.0 / EV_PER_ANGSTROM3_IN_GPA,
    "kbar": 0.1 / EV_PER_ANGSTROM3_IN_GPA,
    "bar": 1e-4 / EV_PER_ANGSTROM3_IN_GPA,
}


def factor(table: Mapping[str, float], unit: str, what: str) -> float:
    """Value of one `unit` in the project's unit.

    Args:
      table: one of the tables of this module; foreign tables have lower-case names.
      unit: as the user or the file spells it.
      what: for the message, such as "length unit" or "data.example: energy unit".
    Raises:
      FrameError: the unit is not in the table.
    """
    spelling = str(unit).strip()
    for name in (spelling, spelling.lower()):
        if name in table:
            return table[name]
    raise FrameError(f"{what} {unit!r} is unknown; known are {', '.join(table)}")


def force_factor(unit: str) -> float:
    """Value of one `unit` of force, spelled energy/length, in eV/angstrom.

    Raises:
      FrameError: not an energy and a length joined by a slash, or one of them is unknown.
    """
    energy, slash, length = unit.strip().rpartition("/")
    if not slash:
        raise FrameError(
            f"force unit {unit!r}: expected an energy unit, a slash and a length unit, "
            "such as eV/angstrom, Ha/bohr or kcal/mol/angstrom"
        )
    return factor(FOREIGN_ENERGY, energy, f"force unit {unit!r}: energy unit") / factor(
        FOREIGN_LENGTH, length, f"force unit {unit!r}: length unit"
    )
