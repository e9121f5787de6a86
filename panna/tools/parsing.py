"""What all parsers share: command line, names, progress, and the report at the end.

A parser is a subclass of Reader, which turns one file into configurations, and a main that hands
it to `run_parser`.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from panna import __version__
from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts, say_notes
from panna.errors import FileError, FrameError, run_program
from panna.files import make_folder, sha256_of
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.frames.text_lines import split_name
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.frames.example_folder import ExampleFolder
    from panna.frames.survey import Survey


class Reader:
    """What one parser knows. `program` to `expected` are its words, the methods its work.

    endings: of the names of its files, in lower case; .gz or .xz may follow.
    """

    program = ""  # "qe_parser"
    title = ""  # "XML output of Quantum ESPRESSO to .example files"
    description = ""
    epilog = ""
    expected = ""  # "Quantum ESPRESSO .xml file"
    endings: tuple[str, ...] = ()

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add what only this parser understands."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises FrameError where an argument makes no sense."""
        self.args = args

    def wants(self, path: Path) -> bool:
        """Whether a file found in a folder is for this parser: by its ending."""
        return bool(split_name(path.name, self.endings)[1])

    def stem(self, path: Path) -> str:
        """What the names of its frames begin with."""
        return split_name(path.name, self.endings)[0]

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """The frames of a file, in its order.

        Raises:
          FrameError: nothing more can be read; what came before stays good.
        """
        raise NotImplementedError

    def plan(self) -> list[tuple[str, str]]:
        """(label, text) for the beginning: keys, units, choices."""
        return []

    def findings(self) -> list[tuple[str, str]]:
        """(label, text) for the end: what was found in the files."""
        return []

    def complaints(self) -> list[tuple[str, str]]:
        """(where, reason) for the end: what was asked for and never found."""
        return []


def run_parser(reader: type[Reader], argv: list[str] | None = None) -> int:
    """Run a parser; returns the exit code: 0, or 2 if anything was left out."""
    return run_program(lambda arguments: _run(reader, arguments), argv)


def _run(reader_type: type[Reader], argv: list[str] | None) -> int:
    args = _arguments(reader_type, argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.frames.example_folder import ExampleFolder
    from panna.frames.survey import Survey

    reader = reader_type(args)
    sources = _sources(reader, args)
    folder = ExampleFolder(args.outdir)
    make_folder(args.outdir)
    _say_plan(args, reader, sources, folder.count())
    conversion = _Conversion(args, reader, folder, Survey())
    with Progress(sum(s.size for s in sources), "reading", "bytes") as progress:
        for source in sources:
            conversion.file(source, progress)
    _say_result(args, conversion)
    return 2 if conversion.left_out.count or not conversion.survey.frames else 0


# -- work ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """A file. shown: its path below the folder that the user named, for the examples."""

    path: Path
    stem: str
    shown: str
    size: int


@dataclass
class _Conversion:
    """One run: what it works with, and what has happened to the frames so far."""

    args: argparse.Namespace
    reader: Reader
    folder: ExampleFolder
    survey: Survey
    written: int = 0
    present: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    remarks: dict[str, dict[str, None]] = field(default_factory=dict)

    def file(self, source: _Source, progress: Progress) -> None:
        """Convert the frames of a file."""
        done = found = 0
        try:
            if source.size == 0:
                raise FrameError("the file is empty")
            facts = {"source": source.shown, "source_sha256": sha256_of(source.path)}
            facts["parser"] = f"panna_{self.reader.program} {__version__}"
            for item in self._selected(source):
                found += 1
                if isinstance(item, Unusable):
                    self.left_out.add(f"{source.path}, {item.where}", item.reason)
                else:
                    self._write(source, item, facts)
                progress.advance(item.consumed - done, f"{source.path.name}, {found}")
                done = item.consumed
        except (FrameError, FileError) as error:
            reason = str(error).removeprefix(f"{source.path}: ")
            rest = "the rest of the file: " if found else ""
            self.left_out.add(str(source.path), rest + reason)
        else:
            if found == 0:
                expected = f"a {self.reader.expected} expected"
                self.left_out.add(str(source.path), f"no configuration in it; {expected}")
        progress.advance(source.size - done)

    def _selected(self, source: _Source) -> Iterator[Configuration | Unusable]:
        """Every k-th of the first frames; remarks are kept for the end."""
        position = taken = 0
        for item in self.reader.read(source.path):
            if isinstance(item, Remark):
                self.remarks.setdefault(item.text, {})[str(source.path)] = None
                continue
            position += 1
            if (position - 1) % self.args.every:
                continue
            yield item
            taken += 1
            if taken == self.args.limit:
                return

    def _write(self, source: _Source, item: Configuration, facts: dict[str, str]) -> None:
        from panna.frames.example_folder import with_hash

        number = "" if item.number is None else f"_{item.number:06d}"
        try:
            frame = item.frame.named(source.stem + number)
            if self.args.addhash:
                frame = with_hash(frame)
            if frame.energy is None and not self.args.no_energy:
                raise FrameError("no energy; accept frames without one with --no-energy")
            present = self.folder.holds(frame)
            self.survey.add(frame)
        except FrameError as error:
            where = "" if item.number is None else f", frame {item.number}"
            where += "" if item.line is None else f" (line {item.line})"
            reason = re.sub(r"^frame '[^']*': ", "", str(error))
            self.left_out.add(f"{source.path}{where}", reason)
            return
        if present:
            self.present += 1
            return
        place = {"source_frame": item.number, "source_line": item.line}
        known = {key: value for key, value in place.items() if value is not None}
        self.folder.write(frame, {**facts, **known, **item.facts})
        self.written += 1


# -- input -----------------------------------------------------------------------------------------


def _arguments(reader: type[Reader], argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser(f"panna_{reader.program}", reader.description, reader.epilog)
    parser.add_argument(
        "-i", "--input", "--indir", nargs="+", required=True, metavar="PATH", type=Path,
        help=f"files, or folders that are searched for every {reader.expected}",
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
        "--every", type=_positive, default=1, metavar="K", help="only frames 1, 1 + K, 1 + 2 K, ..."
    )
    parser.add_argument(
        "--limit", type=_positive, metavar="N", help="only the first N frames of each file"
    )
    parser.add_argument(
        "--no-energy", action="store_true", help="accept frames without energy (not for training)"
    )
    reader.add_arguments(parser)
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _sources(reader: Reader, args: argparse.Namespace) -> list[_Source]:
    """The files to read.

    Raises:
      FrameError: nothing to read, or two files would give the same names.
    """
    sources: dict[str, _Source] = {}
    seen: set[Path] = set()
    for given in args.input:
        if not given.exists():
            raise FrameError(f"{given}: no such file or folder")
        found = [given]
        if given.is_dir():
            found = [path for path in _files_below(given) if reader.wants(path)]
            if not found:
                raise FrameError(f"{given}: holds no {reader.expected}, nor do the folders in it")
        for path in found:
            if path.resolve() in seen:  # named twice, or alone and with its folder
                continue
            seen.add(path.resolve())
            source = _source(reader, given, path, args.prefix)
            other = sources.setdefault(source.stem, source)
            if other is not source:
                raise FrameError(
                    f"{other.path} and {path} would both give {source.stem}_000001.example; "
                    "name the folder above them, or convert them one at a time with different "
                    "--prefix"
                )
    return list(sources.values())


def _source(reader: Reader, given: Path, path: Path, prefix: str) -> _Source:
    shown = path.relative_to(given) if given.is_dir() else Path(path.name)
    name = "_".join([*shown.parent.parts, reader.stem(path)])
    stem = re.sub(r"[^\w-]", "_", prefix + name, flags=re.ASCII)
    return _Source(path, stem, str(shown), path.stat().st_size)


def _files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder and of the folders in it, in the order of their names."""
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(files))


# -- report ----------------------------------------------------------------------------------------


def _say_plan(
    args: argparse.Namespace, reader: Reader, sources: Sequence[_Source], before: int
) -> None:
    say(f"{reader.title} (written in angstrom and eV)")
    names = [str(source.path) for source in sources]
    say_facts(
        [
            ("from", f"{counted(len(names), 'file')}: {listed(names)}"),
            ("to", str(args.outdir)),
            *reader.plan(),
        ]
    )
    if before:
        there = counted(before, ".example file")
        say_notes([f"{args.outdir} holds {there} already, kept as they are"])


def _say_result(args: argparse.Namespace, conversion: _Conversion) -> None:
    survey, reader = conversion.survey, conversion.reader
    say()
    say(f"{counted(conversion.written, 'file')} written to {args.outdir}")
    if conversion.present:
        say(f"{counted(conversion.present, 'file')} there already, with the same content")
    if survey.frames:
        say_facts([*survey.rows(), *reader.findings()])
        for where, reason in reader.complaints():
            conversion.left_out.add(where, reason)
    for warning in survey.warnings():
        say(f"warning: {warning}")
    for text, files in conversion.remarks.items():
        say(f"warning: {text} ({counted(len(files), 'file')}, first: {next(iter(files))})")
    conversion.left_out.say_reasons(str(conversion.left_out.count))
    if survey.frames:
        species = ", ".join(sorted(survey.species))
        say()
        say("Next: panna_gvect_calculator --config gvect.ini, where gvect.ini has")
        say(f"  [IO_INFORMATION]     input_json_dir = {args.outdir}")
        say(f"  [SYMMETRY_FUNCTION]  species = {species}")
