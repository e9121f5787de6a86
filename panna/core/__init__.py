"""The compiled core: descriptors, networks and potentials in C++ (headers in `include/`).

The same headers are compiled into the LAMMPS pair style, so that a potential gives the same numbers
everywhere.
"""

from pathlib import Path

from panna.errors import FileError

try:
    from panna.core._core import (
        BP,
        MBP,
        CoreError,
        Potential,
        blocks,
        blocks_jvp,
        blocks_vjp,
        compute,
        forces,
        isa,
        isas,
        jacobian,
        jvp,
        pair_tangents,
        set_isa,
        to_half,
        vjp,
    )
except ModuleNotFoundError as error:
    raise FileError(
        f"{Path(__file__).parent}: the compiled core is missing; these are the sources, not the "
        "installed package. Install it (pip install -e .), or do not use python -m in the checkout"
    ) from error

__all__ = [
    "BP",
    "MBP",
    "CoreError",
    "Potential",
    "blocks",
    "blocks_jvp",
    "blocks_vjp",
    "compute",
    "forces",
    "isa",
    "isas",
    "jacobian",
    "jvp",
    "pair_tangents",
    "set_isa",
    "to_half",
    "vjp",
]
