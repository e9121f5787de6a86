"""panna_gvect_writer: descriptors of .bin files as text, averages or every atom."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import LeftOut, Progress, say, say_facts
from panna.errors import FileError, StorageError, run_program
from panna.text import counted, listed

if TYPE_CHECKING:
    from panna.descriptors.components import Component
    from panna.insight.statistics import Statistics

DESCRIPTION = """\
Write what .bin files hold as plain text: for each species and component the mean, standard
deviation, smallest and largest value over all atoms, with what the component stands for; with
--per-atom one line for each atom instead. Components that never change are named: they tell a
network nothing.

A file that cannot be used is reported and left out; the exit code is then 2."""

EPILOG = """\
Columns are separated by blanks, the first line names them; "-" where a descriptor has no such
parameter. Files of PANNA v1 and v2 do not hold the parameters: name them with --config.
example: panna_gvect_writer -i bin -o average_g.dat --plot average_g.pdf"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_gvect_writer; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_gvect_writer", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", nargs="+", required=True, metavar="PATH", type=Path,
        help=".bin files, or folders of them",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="TEXT", type=Path, help="text file"
    )
    parser.add_argument(
        "--plot", metavar="PICTURE", type=Path, help="the averages as .png, .pdf or .svg"
    )
    parser.add_argument(
        "--per-atom", action="store_true", help="one line for each atom, not averages"
    )
    parser.add_argument(
        "-c", "--config", metavar="INI", type=Path,
        help="gvect.ini with the parameters, for files that do not hold them",
    )  # fmt: skip
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    from panna.insight.picture import check_picture, check_target

    check_target(args.output)
    if args.plot is not None:
        check_picture(args.plot)
    configured = _configured(args.config)
    files = _Files(args.input)
    say("Descriptors as text")
    say_facts(
        [
            ("from", f"{counted(len(files), 'file')}: {listed([str(p) for p in args.input])}"),
            ("to", f"{args.output}, {'every atom' if args.per_atom else 'averages'}"),
        ]
    )
    reading = _Reading(configured)
    with ExitStack() as held:
        text = None
        if args.per_atom:
            from panna.files import atomic_write

            text = held.enter_context(atomic_write(args.output))
        with Progress(len(files), "reading", "files") as progress:
            for path in files:
                reading.file(path, text)
                progress.advance()
        if not reading.statistics.files:
            raise StorageError("none of the files can be used; nothing is written")
    _finish(args, reading)
    return 2 if reading.left_out.count else 0


class _Files:
    """The files to read; names are made when asked for, a folder may hold a million."""

    def __init__(self, given: list[Path]) -> None:
        from panna.storage.bin_file import list_bins

        self.parts = []
        for path in given:
            if not path.exists():
                raise FileError(f"{path}: no such file or folder")
            self.parts.append(list_bins(path) if path.is_dir() else [path])

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Path]:
        for part in self.parts:
            yield from part


class _Reading:
    """What has been read so far.

    species, components: of the descriptor, known from the first file on; empty and None if neither
    the file nor a configuration tells.
    """

    def __init__(self, configured) -> None:
        from panna.insight.statistics import Statistics

        self.configured = configured
        self.statistics: Statistics = Statistics()
        self.left_out = LeftOut()
        self.parameters = configured
        self.species: tuple[str, ...] = ()
        self.components: list[Component] | None = None

    def file(self, path: Path, text) -> None:
        """Read a file and, if text is open, write its atoms."""
        from panna.storage.bin_file import read_bin

        try:
            record = read_bin(path)
            first = not self.statistics.files
            if first:
                self._learn(record)
            self.statistics.check(record)
        except StorageError as error:
            self.left_out.add(str(path), str(error).removeprefix(f"{path}: "))
            return
        self.statistics.add(record)
        if text is None:
            return
        from panna.insight.statistics_text import atom_lines, atom_titles

        if first:
            text.writelines(f"{line}\n" for line in atom_titles(record.g_size, self.components))
        text.writelines(f"{line}\n" for line in atom_lines(record, self.species))

    def _learn(self, record) -> None:
        """What the components are, from the first file that can be used."""
        from panna.descriptors.components import components
        from panna.descriptors.parameters import from_dict
        from panna.errors import DescriptorError

        parameters = self.configured
        if record.descriptor is not None:
            try:
                parameters = from_dict(record.descriptor)
            except (DescriptorError, TypeError, ValueError) as error:
                raise StorageError(f"its parameters are damaged ({error})") from error
            if self.configured is not None and self.configured.hash != parameters.hash:
                raise StorageError(
                    f"made with another descriptor ({parameters.hash}) than --config describes "
                    f"({self.configured.hash}); leave out --config, the file holds the parameters"
                )
        if parameters is None:
            return
        if parameters.size != record.g_size:
            raise StorageError(
                f"{record.g_size} components found, {parameters.size} expected from the parameters"
            )
        self.species, self.components = parameters.species, components(parameters)
        self.statistics.n_species = len(self.species)
        self.parameters = parameters


def _configured(path: Path | None):
    if path is None:
        return None
    from panna.config.gvect import GVECT
    from panna.config.reader import read_config
    from panna.descriptors.configured import parameters_from

    return parameters_from(read_config(path, GVECT))


def _finish(args: argparse.Namespace, reading: _Reading) -> None:
    from panna.insight.statistics_text import average_lines, dead, symbol_of

    statistics, known = reading.statistics, (reading.species, reading.components)
    if not args.per_atom:
        from panna.files import atomic_write

        with atomic_write(args.output) as file:
            file.writelines(f"{line}\n" for line in average_lines(statistics, *known))
    counts = [
        f"{symbol_of(reading.species, index)} {moments.count}"
        for index, moments in sorted(statistics.by_species.items())
    ]
    say()
    say_facts(
        [
            ("files", str(statistics.files)),
            ("components", str(statistics.size)),
            ("atoms", ", ".join(counts)),
        ]
    )
    if reading.components is None:
        say("note: the files do not say what their components are; name them with --config INI")
    for symbol, names in dead(statistics, *known).items():
        say(f"warning: {symbol}: {counted(len(names), 'component')} of {statistics.size} constant:")
        for name in names:
            say(f"  {name}")
    say(f"written: {args.output}")
    if args.plot is not None:
        from panna.insight.statistics_plot import draw_statistics

        title = f"{counted(statistics.files, 'file')} of {listed([str(p) for p in args.input], 2)}"
        draw_statistics(args.plot, title, statistics, *known)
        say(f"written: {args.plot}")
    reading.left_out.say_reasons(counted(reading.left_out.count, "file"))


if __name__ == "__main__":
    sys.exit(main())
