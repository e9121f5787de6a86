"""The compiled core: descriptors, networks and potentials in C++ (headers in `include/`).

The same headers are compiled into the LAMMPS pair style and the KIM driver, so that a potential
gives the same numbers everywhere.
"""

from pathlib import Path

from panna.core._core import (
    BP,
    MBP,
    CoreError,
    Potential,
    compute,
    isa,
    isas,
    jacobian,
    jvp,
    set_isa,
    vjp,
)

__all__ = [
    "BP",
    "MBP",
    "CoreError",
    "Potential",
    "compute",
    "include_directory",
    "isa",
    "isas",
    "jacobian",
    "jvp",
    "set_isa",
    "vjp",
]


def include_directory() -> Path:
    """Folder of the C++ headers, for building the core into other programs."""
    return Path(__file__).parent / "include"
