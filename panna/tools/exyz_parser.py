"""panna_exyz_parser: extended XYZ files to .example files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Unusable
from panna.frames.extxyz_stream import LONGEST_LINE, frame_texts
from panna.frames.text_lines import Lines
from panna.tools.parsing import Reader, run_parser

QUANTITIES = ("energy", "forces", "stress", "virial")

DESCRIPTION = """\
Turn extended XYZ files (.xyz, .extxyz, also with .xz or .gz) into one .example file per frame.

A frame that cannot be used is reported with its file, its number and the reason, and left out; the
exit code is then 2. Files are named <prefix><file>_<frame number>.example."""

EPILOG = """\
keys: a name, "auto" (well-known names such as energy, REF_energy, dft_energy; an error if there are
several; free_energy only where there is no other) or "none" (do not read). With smearing, forces
are derivatives of the free energy: --energy-key free_energy if a file has both. Forces are columns,
the others entries of the comment line. With a name given, a frame without that energy or those
forces is left out.
stress and virial: nine numbers; under a key of another name also six, xx yy zz yz xz xy.
virial = -dE/dstrain.
units: length angstrom, bohr, nm; energy eV, meV, Ry, Ha, kcal/mol, kJ/mol; force energy/length;
stress eV/angstrom^3, Ha/bohr^3, Ry/bohr^3, GPa, kbar, bar.
example: panna_exyz_parser -i train.xyz.xz -o examples"""


class ExtxyzFiles(Reader):
    """Extended XYZ; the science is in panna/frames/extxyz.py."""

    program = "exyz_parser"
    title = "Extended XYZ to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = ".xyz or .extxyz file, compressed or not"
    endings = (".xyz", ".extxyz")

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Keys and units."""
        for quantity in QUANTITIES:
            parser.add_argument(
                f"--{quantity}-key", default="auto", metavar="KEY", help="default: auto"
            )
        units = {"length": "angstrom", "energy": "eV", "force": "", "stress": "eV/angstrom^3"}
        for quantity, default in units.items():
            parser.add_argument(
                f"--{quantity}-unit", default=default, metavar="UNIT",
                help=f"default: {default or 'energy unit / length unit'}",
            )  # fmt: skip
        parser.add_argument(
            "--stress-sign", choices=("ase", "pressure"), default="ase",
            help="ase: negative under compression (default); pressure: positive",
        )  # fmt: skip

    def __init__(self, args: argparse.Namespace) -> None:
        from panna.frames.extxyz import ExtxyzConvention, ExtxyzReader

        super().__init__(args)
        convention = ExtxyzConvention(
            **{name: getattr(args, name) for name in ExtxyzConvention.__dataclass_fields__}
        )
        self.frames = ExtxyzReader(convention, energy_required=not args.no_energy)

    def read(self, path: Path) -> Iterator[Configuration | Unusable]:
        """One frame at a time, in constant memory."""
        with Lines.open(path, longest=LONGEST_LINE) as lines:
            for text in frame_texts(lines):
                try:
                    frame = self.frames.frame(text, "")
                except FrameError as error:
                    where = f"frame {text.number} (line {text.line})"
                    yield Unusable(where, str(error), lines.consumed())
                    continue
                yield Configuration(frame, text.number, {}, lines.consumed(), text.line)

    def plan(self) -> list[tuple[str, str]]:
        """Keys and units."""
        args = self.args
        force_unit = args.force_unit or f"{args.energy_unit}/{args.length_unit}"
        return [
            ("keys", ", ".join(f"{key}: {getattr(args, key + '_key')}" for key in QUANTITIES)),
            (
                "units",
                f"{args.length_unit}, {args.energy_unit}, {force_unit}, "
                f"stress {args.stress_unit} ({args.stress_sign} sign)",
            ),
        ]

    def findings(self) -> list[tuple[str, str]]:
        """The keys that the frames have."""
        used = ", ".join(f"{what}: {key}" for what, key in self.frames.chosen.items())
        return [("keys used", used or "none")]

    def complaints(self) -> list[tuple[str, str]]:
        """Keys of the command line that no frame has."""
        wanted = {quantity: getattr(self.args, f"{quantity}_key") for quantity in QUANTITIES}
        return [
            (f"--{quantity}-key {key}", "no frame has this key")
            for quantity, key in wanted.items()
            if key not in ("auto", "none") and quantity not in self.frames.chosen
        ]


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_exyz_parser; returns the exit code."""
    return run_parser(ExtxyzFiles, argv)


if __name__ == "__main__":
    sys.exit(main())
