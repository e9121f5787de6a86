"""The symbols of the chemical elements, in the order of their atomic numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from panna.errors import FrameError

_BY_NUMBER = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br
    Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho
    Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es
    Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

ELEMENTS: tuple[str, ...] = tuple(_BY_NUMBER.split())

KNOWN = frozenset(ELEMENTS)

LABEL = re.compile(r"([A-Za-z]{1,2})")


def element_of(label: str) -> str | None:
    """The element of an atom's label in other programs: Fe1, C_h, si, O-up; None if there is none.

    Two letters are an element if they can be one: Co1 is cobalt, Ca_sv calcium, but Cx carbon.
    """
    letters = LABEL.match(label.strip())
    if letters is None:
        return None
    name = letters[1].capitalize()
    return next((symbol for symbol in (name, name[0]) if symbol in KNOWN), None)


def named_element(label: str, where: str = "") -> str:
    """As element_of; raises FrameError where there is none. where: beginning of the message."""
    found = element_of(label)
    if found is None:
        place = f"{where}: " if where else ""
        raise FrameError(f"{place}{label!r} names no chemical element")
    return found


def symbols_of_numbers(numbers: Iterable[int]) -> tuple[str, ...]:
    """Chemical symbols of atomic numbers.

    Raises:
      FrameError: no element has the number; the message counts atoms from 1.
    """
    symbols = []
    for atom, number in enumerate(numbers, start=1):
        if not 1 <= number <= len(ELEMENTS):
            raise FrameError(f"atom {atom}: {number} is not the number of a chemical element")
        symbols.append(ELEMENTS[int(number) - 1])
    return tuple(symbols)
