"""panna_vasp_parser: OUTCAR and vasprun.xml of VASP to .example files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.formats.configuration import Configuration, Remark, Unusable
from panna.formats.vasp_run import ENERGIES
from panna.frames.text_lines import beginning, without_compression
from panna.tools.parsing import Reader, run_parser

DESCRIPTION = """\
Turn vasprun.xml and OUTCAR of VASP (versions 5 and 6, also with .gz or .xz) into one .example file
for each ionic step, with its own geometry, energy, forces and stress.

Steps whose electrons did not converge, and steps that VASP's own machine-learned force field has
predicted, are reported and left out; the exit code is then 2. Files are named
<prefix><file>_<step>.example."""

EPILOG = """\
energies: "free" is TOTEN (e_fr_energy): forces and stress are its derivatives, so it is the one to
learn from. "sigma0" is extrapolated to zero smearing (energy(sigma->0) in OUTCAR),
"without_entropy" lacks the entropy of the smearing. VASP 5 writes the energy for zero smearing
under the name e_wo_entrp at the end of each step of vasprun.xml: what PANNA v1 took from there is
sigma0 here. Without smearing all three are the same.
folders are searched for vasprun*.xml, OUTCAR* and *OUTCAR. Where both belong to one run (OUTCAR and
vasprun.xml, OUTCAR.2 and vasprun.2.xml), vasprun.xml is taken: it has more digits, and every step.
forces on fixed atoms (selective dynamics) are those of the calculation, and kept.
example: panna_vasp_parser -i calculations -o examples"""

XML_NAME = re.compile(r"(^|[._-])vasprun.*\.xml")
OUTCAR_NAME = re.compile(r"^OUTCAR|OUTCAR$")
IN_A_NAME = re.compile(r"OUTCAR|vasprun|\.xml")
SEPARATORS = "._-"
SNIFFED = 512  # bytes


class Vasp(Reader):
    """One file of VASP; what it is, is told by its content."""

    program = "vasp_parser"
    title = "VASP to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "vasprun.xml or OUTCAR of VASP"
    endings = (".xml",)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Which energy."""
        parser.add_argument(
            "--energy", choices=tuple(ENERGIES), default="free",
            help="free: that of the forces, TOTEN (default); see below",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.runs: dict[Path, dict[str, Path]] = {}
        self.passed_over: set[tuple[Path, str]] = set()

    def wants(self, path: Path) -> bool:
        """By the name; no OUTCAR where there is the vasprun.xml of the same run."""
        name = without_compression(path.name)
        if XML_NAME.search(name):
            return True
        if not OUTCAR_NAME.search(name):
            return False
        label = _run_label(name)
        if label in self._xml_runs(path.parent):
            self.passed_over.add((path.parent, label))
            return False
        return True

    def _xml_runs(self, folder: Path) -> dict[str, Path]:
        """The vasprun.xml files of a folder that are not empty, by what names their run."""
        if folder not in self.runs:
            self.runs[folder] = {
                _run_label(without_compression(path.name)): path
                for path in folder.iterdir()
                if XML_NAME.search(without_compression(path.name)) and path.stat().st_size
            }
        return self.runs[folder]

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """Every ionic step."""
        from panna.formats.vasp_outcar import outcar_steps
        from panna.formats.vasp_xml import vasprun_steps

        if beginning(path, SNIFFED).lstrip().startswith(b"<"):
            label = _run_label(without_compression(path.name))
            if (path.parent, label) in self.passed_over:
                yield Remark("the OUTCAR of the same run, beside it, was not read")
            yield from vasprun_steps(path, self.args.energy)
        else:
            yield from outcar_steps(path, self.args.energy)

    def plan(self) -> list[tuple[str, str]]:
        """The energy."""
        return [("energy", f"{ENERGIES[self.args.energy]} (--energy {self.args.energy})")]


def _run_label(name: str) -> str:
    """What the names of the files of one run share: h2o of OUTCAR.h2o and of vasprun.h2o.xml."""
    return IN_A_NAME.sub("", name).strip(SEPARATORS)


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_vasp_parser; returns the exit code."""
    return run_parser(Vasp, argv)


if __name__ == "__main__":
    sys.exit(main())
