"""panna_qe_output_parser: the text output of Quantum ESPRESSO's pw.x to .example files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable, virial_of_stress
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    from panna.formats.qe_output import Step
    from panna.frames.frame import Frame

DESCRIPTION = """\
Turn the text output of Quantum ESPRESSO's pw.x (versions 6 and 7, also with .gz or .xz) into one
.example file for each self-consistent calculation: scf, and every step of relax, vc-relax, md and
vc-md with its own geometry. Where the XML file of the run exists, panna_qe_parser gives more
digits: the text has 1e-8 Ry, 1e-8 Ry/bohr and, for the first step, 1e-7 alat.

Steps that did not converge, and runs that stopped early, are reported and left out; good steps
before them are kept, and the exit code is 2. Files are named <prefix><file>.example, with
_<number> behind when the calculation has steps."""

EPILOG = """\
In folders, files are read whose names end in .out, .txt, .log or .pwo and that have the line
"Program PWSCF" among their first 200; files that are named are read in any case.
The energy is that of the line "!    total energy", with exact exchange that of "!!". With smearing
it is the free energy, which the forces belong to.
Forces on coordinates that the input holds fixed are in the text as all others. (In the XML file of
the run they are 0.)
example: panna_qe_output_parser -i calculations -o examples"""


class QuantumEspressoText(Reader):
    """One output of pw.x; the science is in panna/formats/qe_output.py."""

    program = "qe_output_parser"
    title = "Text output of Quantum ESPRESSO to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "text output of pw.x"
    endings = (".out", ".txt", ".log", ".pwo")

    def wants(self, path: Path) -> bool:
        """By the name and the first lines."""
        from panna.formats.qe_output import is_output_of_pw

        return super().wants(path) and is_output_of_pw(path)

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """Steps in their order."""
        from panna.formats.qe_output import steps

        for step in steps(path):
            yield from map(Remark, step.notes)
            try:
                if step.flaw:
                    raise FrameError(step.flaw)
                frame = _frame(step)
            except FrameError as error:
                where = f"step {step.number or 1} (line {step.line})"
                yield Unusable(where, str(error), step.consumed)
                continue
            yield Configuration(frame, step.number, step.facts, step.consumed, step.line)


def _frame(step: Step) -> Frame:
    from panna.frames.frame import Frame
    from panna.frames.units import BOHR, FOREIGN_STRESS, RYDBERG

    virial = None
    if step.stress is not None:
        virial = virial_of_stress(step.stress, step.cell, FOREIGN_STRESS["ry/bohr^3"])
    return Frame(
        species=step.species,
        positions=step.positions,
        cell=step.cell,
        pbc=(True, True, True),
        energy=step.energy * RYDBERG,
        forces=None if step.forces is None else step.forces * (RYDBERG / BOHR),
        virial=virial,
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_qe_output_parser; returns the exit code."""
    return run_parser(QuantumEspressoText, argv)


if __name__ == "__main__":
    sys.exit(main())
