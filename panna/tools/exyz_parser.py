"""panna_exyz_parser: extended XYZ files to .example files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.console import LeftOut, Progress, say, say_facts, say_notes
from panna.errors import FrameError, run_program
from panna.files import make_folder
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.frames.example_folder import ExampleFolder
    from panna.frames.extxyz import ExtxyzReader
    from panna.frames.extxyz_stream import FrameText
    from panna.frames.survey import Survey

QUANTITIES = ("energy", "forces", "stress", "virial")

DESCRIPTION = """\
Turn extended XYZ files (.xyz, .extxyz, also with .xz or .gz) into one .example file per frame.

A frame that cannot be used is reported with its file, its number and the reason, and left out; the
exit code is then 2. Files are named <prefix><file>_<frame number>.example."""

EPILOG = """\
keys: a name, "auto" (well-known names such as energy, REF_energy, dft_energy; an error if there are
several) or "none" (do not read). Forces are columns, the others entries of the comment line. With
a name given, a frame without that energy or those forces is left out.
stress and virial: nine numbers; under a key of another name also six, xx yy zz yz xz xy.
virial = -dE/dstrain.
units: length angstrom, bohr, nm; energy eV, meV, Ry, Ha, kcal/mol, kJ/mol; force energy/length;
stress eV/angstrom^3, Ha/bohr^3, Ry/bohr^3, GPa, kbar, bar.
example: panna_exyz_parser -i train.xyz.xz -o examples"""


@dataclass
class Conversion:
    """One run: what it works with, and what has happened to the frames so far."""

    reader: ExtxyzReader
    folder: ExampleFolder
    survey: Survey
    add_hash: bool = False
    limit: int | None = None
    written: int = 0
    present: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    def file(self, path: Path, stem: str, progress: Progress) -> None:
        """Convert the frames of a file; their names begin with the stem."""
        from panna.frames.extxyz_stream import frame_texts, open_extxyz

        done = 0
        number = 0
        try:
            with open_extxyz(path) as (stream, position):
                for text in islice(frame_texts(stream), self.limit):
                    number = text.number
                    self._frame(path, text, f"{stem}_{number:06d}")
                    progress.advance(position() - done, f"{path.name}, frame {number}")
                    done = position()
        except FrameError as error:
            self.left_out.add(str(path), f"the rest of the file: {error}")
        else:
            if number == 0:
                self.left_out.add(str(path), "the file is empty")
        progress.advance(path.stat().st_size - done)

    def _frame(self, path: Path, text: FrameText, name: str) -> None:
        from panna.frames.example_folder import with_hash

        try:
            frame = self.reader.frame(text, name)
            if self.add_hash:
                frame = with_hash(frame)
            present = self.folder.holds(frame)
            self.survey.add(frame)
        except FrameError as error:
            reason = str(error).removeprefix(f"frame {name!r}: ")
            self.left_out.add(f"{path}, frame {text.number} (line {text.line})", reason)
            return
        if present:
            self.present += 1
        else:
            self.folder.write(frame, {"source": path.name, "source_frame": text.number})
            self.written += 1


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_exyz_parser; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="panna_exyz_parser",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-i", "--input", "--indir", nargs="+", required=True, metavar="PATH", type=Path,
        help="files, or folders of which all .xyz and .extxyz files are taken",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--outdir", "--output", required=True, metavar="DIR", type=Path,
        help="folder for the .example files, made if missing",
    )  # fmt: skip
    parser.add_argument("--prefix", default="", help="put before every name")
    parser.add_argument(
        "--addhash", action="store_true", help="add the sha256 of the content to every name"
    )
    parser.add_argument(
        "--limit", type=_positive, metavar="N", help="only the first N frames of each file"
    )
    parser.add_argument(
        "--no-energy", action="store_true", help="accept frames without energy (not for training)"
    )
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
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.frames.example_folder import ExampleFolder
    from panna.frames.extxyz import ExtxyzConvention, ExtxyzReader
    from panna.frames.survey import Survey

    convention = ExtxyzConvention(
        **{name: getattr(args, name) for name in ExtxyzConvention.__dataclass_fields__}
    )
    reader = ExtxyzReader(convention, energy_required=not args.no_energy)
    sources = _sources(args.input, args.prefix)
    folder = ExampleFolder(args.outdir)
    make_folder(args.outdir)
    _say_plan(args, sources, folder.count())
    conversion = Conversion(reader, folder, Survey(), args.addhash, args.limit)
    size = sum(path.stat().st_size for path in sources.values())
    with Progress(size, "reading", "bytes") as progress:
        for stem, path in sources.items():
            conversion.file(path, stem, progress)
    _say_result(args, conversion)
    return 2 if conversion.left_out.count or not conversion.survey.frames else 0


# -- input ------------------------------------------------------------------------------


def _sources(paths: Sequence[Path], prefix: str) -> dict[str, Path]:
    """The files to read, by the name that their frames begin with.

    Raises:
      FrameError: nothing to read, or two files would give the same names.
    """
    from panna.frames.extxyz_stream import is_extxyz, stem_of

    sources: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise FrameError(f"{path}: no such file or folder")
        found = [path]
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.is_file() and is_extxyz(file))
            if not found:
                raise FrameError(
                    f"{path}: holds no .xyz or .extxyz file, compressed or not "
                    "(folders inside it are not searched)"
                )
        for file in found:
            stem = re.sub(r"[^\w-]", "_", prefix + stem_of(file), flags=re.ASCII)
            other = sources.setdefault(stem, file)
            if other != file:
                raise FrameError(
                    f"{other} and {file} would both give {stem}_000001.example; "
                    "convert them one at a time, with different --prefix"
                )
    return sources


# -- report ----------------------------------------------------------------------------------------


def _say_plan(args: argparse.Namespace, sources: dict[str, Path], before: int) -> None:
    names = [str(path) for path in sources.values()]
    force_unit = args.force_unit or f"{args.energy_unit}/{args.length_unit}"
    rows = [
        ("from", f"{counted(len(names), 'file')}: {listed(names)}"),
        ("to", str(args.outdir)),
        ("keys", ", ".join(f"{key}: {getattr(args, key + '_key')}" for key in QUANTITIES)),
        (
            "units",
            f"{args.length_unit}, {args.energy_unit}, {force_unit}, "
            f"stress {args.stress_unit} ({args.stress_sign} sign)",
        ),
    ]
    say("Extended XYZ to .example files (written in angstrom and eV)")
    say_facts(rows)
    if before:
        there = counted(before, ".example file")
        say_notes([f"{args.outdir} holds {there} already, kept as they are"])


def _say_result(args: argparse.Namespace, conversion: Conversion) -> None:
    survey, chosen = conversion.survey, conversion.reader.chosen
    say()
    say(f"{counted(conversion.written, 'file')} written to {args.outdir}")
    if conversion.present:
        say(f"{counted(conversion.present, 'file')} there already, with the same content")
    if survey.frames:
        used = ", ".join(f"{what}: {key}" for what, key in chosen.items())
        say_facts([*survey.rows(), ("keys used", used or "none")])
    for quantity in QUANTITIES:
        wanted = getattr(args, f"{quantity}_key")
        if survey.frames and wanted not in ("auto", "none") and quantity not in chosen:
            conversion.left_out.add(f"--{quantity}-key {wanted}", "no frame has this key")
    for warning in survey.warnings():
        say(f"warning: {warning}")
    conversion.left_out.say_reasons(str(conversion.left_out.count))
    if survey.frames:
        species = ", ".join(sorted(survey.species))
        say()
        say("Next: panna_gvect_calculator --config gvect.ini, where gvect.ini has")
        say(f"  [IO_INFORMATION]     input_json_dir = {args.outdir}")
        say(f"  [SYMMETRY_FUNCTION]  species = {species}")


if __name__ == "__main__":
    sys.exit(main())
