"""panna_cp2k_parser: output and trajectories of CP2K to .example files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable, virial_of_stress
from panna.frames.text_lines import without_compression
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    import numpy as np

    from panna.formats.cp2k_output import Evaluation, Header
    from panna.formats.cp2k_trajectory import Step
    from panna.frames.frame import Frame

ENDINGS = (".out", ".txt", ".log")
PERIODIC = ("NONE", "X", "Y", "Z", "XY", "XZ", "YZ", "XYZ")

DESCRIPTION = """\
Turn what CP2K (Quickstep) writes into .example files. Run types ENERGY, ENERGY_FORCE, GEO_OPT,
CELL_OPT and MD; all files also with .gz or .xz.

The output gives one example for each energy that has its geometry in it: the only one of single
calculations, and the first of the others. The steps of GEO_OPT, CELL_OPT and MD are read from
PROJECT-pos-1.xyz, where that is beside the output, with PROJECT-frc-1.xyz, PROJECT-1.cell and
PROJECT-1.stress: name either the output or the -pos file, or the folder; no step is taken twice.
A step that did not converge, or that no output of the project has, is reported and left out; the
exit code is then 2. Files are named <prefix><file>.example, with _<number> behind for steps."""

EPILOG = """\
In folders, files are read that are named *-pos-1.xyz, and those named .out, .txt or .log that are
outputs of CP2K and have no such file beside them.
A step of a trajectory is found in the output by its energy. Forces are those of the -frc file, else
of the output (PRINT FORCES). Its cell is that of the .cell file, else that of the output, if it is
constant, where vectors have three decimals: --cell gives all digits.
Stress comes from the output (PRINT STRESS_TENSOR), without dynamics also from the .stress file; in
dynamics that file contains the motion of the atoms, which does not belong to the virial.
Forces on fixed atoms are written as 0 by CP2K: forces of frames with such atoms are left out,
unless --keep-fixed. (Atoms with only some components fixed are not noticed.)
example: panna_cp2k_parser -i calculations -o examples"""

FIXED = (
    "forces that are exactly 0 on some atoms, as CP2K writes them for fixed atoms: forces of such "
    "frames are left out; --keep-fixed takes them"
)
FEW_DIGITS = (
    "the vectors of the cell have three decimals in the output; --cell gives them with all digits, "
    "and &MOTION &PRINT &CELL lets CP2K write them"
)
MOVING_STRESS = (
    "the .stress file of a dynamics contains the motion of the atoms and is not read; let CP2K "
    "print the stress in the output (&FORCE_EVAL &PRINT &STRESS_TENSOR)"
)
UNKNOWN_PERIODICITY = (
    "nothing tells in which directions it is periodic (CP2K before 2022 does not): give --periodic "
    "XYZ, NONE or others"
)


class CP2K(Reader):
    """Outputs and trajectories; the science is in panna/formats/cp2k_*.py."""

    program = "cp2k_parser"
    title = "Output of CP2K to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "output or -pos-1.xyz file of CP2K"

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """What the files may not tell."""
        parser.add_argument(
            "--cell", nargs=9, type=float, metavar="X",
            help="vectors a, b, c in angstrom, where no .cell file tells them",
        )  # fmt: skip
        parser.add_argument(
            "--periodic", choices=PERIODIC, help="directions, where no output tells them"
        )
        parser.add_argument(
            "--unchecked", action="store_true",
            help="take steps of trajectories of which no output tells whether they converged",
        )  # fmt: skip
        parser.add_argument(
            "--keep-fixed", action="store_true", help="take forces that are 0 on some atoms"
        )

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.taken: dict[Path, Path] = {}

    def wants(self, path: Path) -> bool:
        """Trajectories, and outputs without one."""
        if _project_of(path) is not None:
            return True
        if not without_compression(path.name).lower().endswith(ENDINGS):
            return False
        header = _header(path)
        return header is not None and _trajectory_of(path, header) is None

    def stem(self, path: Path) -> str:
        """The project of a trajectory, the name of an output without its ending."""
        project = _project_of(path)
        name = Path(without_compression(path.name))
        return project or (name.stem if name.suffix.lower() in ENDINGS else name.name)

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """The steps of the trajectory that belongs to the file, or those of the file."""
        header = None if _project_of(path) is not None else _header(path)
        if _project_of(path) is None and (
            header is None or (trajectory := _trajectory_of(path, header)) is None
        ):
            frames = _of_output(path, self._given_cell())
        else:
            trajectory = path if header is None else trajectory
            self._claim(trajectory, path)
            frames = _of_trajectory(trajectory, self._given_cell(), self.args.unchecked)
        size = path.stat().st_size
        for item in frames:
            yield from map(Remark, item.notes)
            if item.where:
                yield from self._converted(item, min(item.consumed, size))

    def _converted(
        self, item: _Found, consumed: int
    ) -> Iterator[Configuration | Unusable | Remark]:
        try:
            if item.flaw:
                raise FrameError(item.flaw)
            frame, fixed = self._frame(item)
        except FrameError as error:
            yield Unusable(item.where, str(error), consumed)
            return
        if fixed:
            yield Remark(FIXED)
        yield Configuration(frame, item.number, item.facts, consumed, item.source.line)

    def _given_cell(self) -> np.ndarray | None:
        import numpy as np

        return None if self.args.cell is None else np.reshape(self.args.cell, (3, 3))

    def _claim(self, trajectory: Path, path: Path) -> None:
        other = self.taken.setdefault(trajectory.resolve(), path)
        if other != path:
            raise FrameError(f"its steps, those of {trajectory.name}, were read with {other}")

    def _frame(self, item: _Found) -> tuple[Frame, bool]:
        """The frame, and whether forces were left out because of fixed atoms."""
        from panna.formats.cp2k_cell import periodicity
        from panna.frames.frame import Frame

        source, header = item.source, item.source.header
        pbc = header.pbc if header is not None else None
        if pbc is None:
            if self.args.periodic is None:
                raise FrameError(UNKNOWN_PERIODICITY)
            pbc = periodicity(self.args.periodic)
        elif self.args.periodic and periodicity(self.args.periodic) != pbc:
            raise FrameError(f"--periodic {self.args.periodic} is not what the output tells")
        forces = source.forces
        if forces is not None and not self.args.keep_fixed:
            zero = ~forces.any(axis=1)
            forces = None if zero.any() and not zero.all() else forces
        virial = None
        if source.stress is not None:
            virial = virial_of_stress(source.stress, source.cell, 1.0)
        frame = Frame(
            species=source.species,
            positions=source.positions,
            cell=source.cell,
            pbc=pbc,
            energy=source.energy,
            forces=forces,
            virial=virial,
        )
        return frame, forces is None and source.forces is not None


# -- what the files give ---------------------------------------------------------------------------


@dataclass
class _Found:
    """A frame on its way; without `where`, only notes about the file."""

    where: str = ""
    number: int | None = None
    source: Evaluation | Step | None = None
    flaw: str = ""
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] | None = None
    consumed: int = 0


def _of_output(path: Path, given: np.ndarray | None) -> Iterator[_Found]:
    """Every calculation whose geometry is printed.

    Raises:
      FrameError: at the end: why others are missing.
    """
    from panna.formats.cp2k_output import SINGLE, evaluations

    number = blind = 0
    trouble = ""
    waiting: _Found | None = None
    try:
        for evaluation in evaluations(path):
            if evaluation.positions is None and not evaluation.flaw:
                blind += 1
                continue
            number += 1
            if waiting is not None:
                yield waiting
            waiting = _evaluated(evaluation, number, given)
    except FrameError as error:
        trouble = str(error)
    if waiting is not None:
        run_type = waiting.source.header.run_type
        if number == 1 and run_type in SINGLE:
            waiting.number = None
        yield waiting
    if blind:
        missing = (
            f"{blind} more calculations have no geometry in the output: it is in "
            "PROJECT-pos-1.xyz, expected beside it"
        )
        trouble = f"{trouble}; {missing}" if trouble else missing
    if trouble:
        raise FrameError(trouble)


def _evaluated(evaluation: Evaluation, number: int, given: np.ndarray | None) -> _Found:
    from panna.formats.cp2k_cell import with_all_digits

    flaw, notes = evaluation.flaw, ()
    if not flaw:
        try:
            evaluation.cell = with_all_digits(given, evaluation.cell)
            if evaluation.cell is None:
                flaw = "no cell before it (CELL|)"
            elif given is None and not evaluation.cell_known:
                notes = (FEW_DIGITS,)
        except FrameError as error:
            flaw = str(error)
    facts = evaluation.header.facts()
    where = f"calculation {number} (line {evaluation.line})"
    return _Found(where, number, evaluation, flaw, notes, facts, evaluation.consumed)


def _of_trajectory(path: Path, given: np.ndarray | None, unchecked: bool) -> Iterator[_Found]:
    """Every step of a -pos file, before them the first of an optimisation, which is not in it."""
    from panna.formats.cp2k_cell import with_all_digits
    from panna.formats.cp2k_trajectory import Outputs, Trajectory, companions

    beside = companions(path)
    outputs = Outputs(_outputs_of(path))
    cell, initial = None, outputs.initial
    if initial is not None and outputs.constant_cell:
        cell = initial.cell
    cell = with_all_digits(given, cell)
    trajectory = Trajectory(path, outputs, **beside, cell=cell, unchecked=unchecked)
    notes = [f"{name.name}: {reason}" for name, reason in outputs.endings]
    if given is None and trajectory.cells is None and initial and not initial.cell_known:
        notes.append(FEW_DIGITS)
    yield _Found(notes=tuple(notes))
    number = 0
    if initial is not None and initial.positions is not None and outputs.missing_in(path):
        number += 1
        first = _evaluated(initial, number, given)
        first.where = f"the first calculation of the output (line {initial.line})"
        first.consumed = 0
        yield first
    for step in trajectory.steps():
        number += 1
        where = f"step {'?' if step.number is None else step.number} (line {step.line})"
        facts = step.header.facts() if step.header is not None else {}
        facts |= {"step": step.number}
        unread = step.dynamics and step.stress is None and trajectory.stresses is not None
        notes = (MOVING_STRESS,) if unread else ()
        yield _Found(where, number, step, step.flaw, notes, facts, step.consumed)


# -- files -----------------------------------------------------------------------------------------


def _project_of(path: Path) -> str | None:
    """The project of a -pos file; None for other names."""
    from panna.formats.cp2k_trajectory import POSITIONS

    found = POSITIONS.match(path.name)
    return found[1] if found else None


def _header(path: Path) -> Header | None:
    """None for what is no output of CP2K, or cannot be read: that is told when it is read."""
    from panna.formats.cp2k_output import header_of

    try:
        return header_of(path)
    except FrameError:
        return None


def _trajectory_of(path: Path, header: Header) -> Path | None:
    """The -pos file beside an output."""
    from panna.formats.cp2k_output import MOVING

    if header.run_type not in MOVING:
        return None
    found = sorted(p for p in path.parent.iterdir() if _project_of(p) == header.project)
    return next((p for p in found if p.stat().st_size), None)


def _outputs_of(trajectory: Path) -> list[Path]:
    """The outputs of its project in the folder of a trajectory, in the order of their beginning."""
    project = _project_of(trajectory)
    found = []
    for path in sorted(trajectory.parent.iterdir()):
        if path.is_file() and without_compression(path.name).lower().endswith(ENDINGS):
            header = _header(path)
            if header is not None and header.project == project:
                found.append((header.started, path))
    return [path for _, path in sorted(found)]


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_cp2k_parser; returns the exit code."""
    return run_parser(CP2K, argv)


if __name__ == "__main__":
    sys.exit(main())
