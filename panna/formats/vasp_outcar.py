"""OUTCAR of VASP, read line by line, one ionic step at a time."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable
from panna.formats.vasp_run import (
    ENERGIES,
    PREDICTION,
    SETTINGS,
    UNCHECKED,
    IonicStep,
    Run,
    configuration,
    element,
    version_of,
)
from panna.frames.text_lines import Lines, Unreadable, number, numbers

if TYPE_CHECKING:
    import numpy as np

LONGEST_LINE = 4096  # bytes; what matters has less than 200
HEADER_LINES = 200  # the version stands in the first ones

NUMBER = r"\s*(\S+)"
PROGRAM = re.compile(r"^\s*vasp\.(\d\S*)")
SETTING = re.compile(rf"^\s*({'|'.join(SETTINGS)})\s*=\s*([^\s;]+)")
COUNTS = re.compile(r"^\s*ions per type =(.*)")
COUNT_WIDTH = 4  # columns of each, with nothing between them from 1000 atoms on
ATOMS = re.compile(r"number of ions\s+NIONS =\s*(\d+)")
TITLE = re.compile(r"^\s*TITEL\s*=\s*(.+)")
POTCAR = re.compile(r"^\s*POTCAR:\s*(.+)")  # each type once, in order, then some again
LABEL = re.compile(r"^\s*VRHFIN\s*=\s*([A-Za-z]+)")

STEP_BEGINS = re.compile(r"- Iteration|FORCE on cell|TOTAL-FORCE|General timing")
# Lines of interest in an ionic step.
MARK = re.compile(
    r"- Iteration|TOTAL-FORCE|direct lattice vectors|in kB|free  energy|energy  without entropy"
    r"|energy-change|EDIFF was not|number of electron|FORCE on cell|General timing"
)
PREDICTED = re.compile(r"ML FORCE on cell|TOTAL-FORCE.*\(ML\)|ML TOTEN|ML energy")
FREE = re.compile(rf"^\s*free  energy\s+(ML )?TOTEN\s*={NUMBER} eV")
OTHERS = re.compile(
    r"^\s*(ML )?energy  without entropy="
    rf"{NUMBER}.*energy\(sigma->0\)\s*={NUMBER}"
)
CHANGE = re.compile(r"energy-change \(2\. order\)\s*:\s*([-+.\dEe]+)")
MOMENT = re.compile(r"magnetization\s+(\S.*)")
# Columns may touch, but each number has its fixed count of decimals.
LATTICE_NUMBER = re.compile(r"-?\d+\.\d{9}")
STRESS_NUMBER = re.compile(r"-?\d+\.\d{5}")


def outcar_steps(path: Path, energy: str) -> Iterator[Configuration | Unusable | Remark]:
    """The ionic steps of a file, in its order.

    Args:
      energy: key of ENERGIES.
    Raises:
      FrameError: not an OUTCAR, or cut off; the steps before that are good.
    """
    with _CompleteLines.open(path, "replace", LONGEST_LINE) as lines:
        run = _header(lines)
        yield from _Steps(run, energy, lines).read()


class _CompleteLines(Lines):
    """What is too long to matter comes as an empty line.

    A last line without end is not given: a number in it may be cut off.
    """

    def read(self) -> str:
        line = rest = self.piece()
        while rest and not rest.endswith("\n"):
            rest = self.piece()
        return line if line is rest else rest and "\n"


# -- what stands before the first step -------------------------------------------------------------


def _header(lines: Lines) -> Run:
    """Everything up to the first line of a step, which stays to be read."""
    run = Run()
    titles: list[str] = []
    labels: list[str] = []
    listing: list[str] = []
    counts, announced = "", 0
    for text in lines:
        if not run.version:
            if found := PROGRAM.match(text):
                run.version = version_of(found[1])
            elif lines.number >= HEADER_LINES:
                break
            continue
        if found := SETTING.match(text):
            # The first is from INCAR, with all its digits; EDIFF is rounded to one later.
            value = found[2].strip("\x00")
            if found[1] not in ("NELM", "EDIFF") or number(value) is not None:
                run.settings.setdefault(found[1], value)
        elif found := TITLE.match(text):
            titles.append(found[1].strip())
        elif found := POTCAR.match(text):
            listing.append(found[1].strip())
        elif found := LABEL.match(text):
            labels.append(found[1])
        elif found := ATOMS.search(text):
            announced = int(found[1])
        elif found := COUNTS.match(text):
            counts = found[1]
        elif STEP_BEGINS.search(text):
            lines.put_back(text)
            break
    if not run.version:
        raise FrameError("no line that names the version of VASP (vasp.5.4.4 ...): not an OUTCAR")
    _species(run, titles or listing, labels, counts, announced)
    return run


def _species(run: Run, titles: list[str], labels: list[str], counts: str, announced: int) -> None:
    numbers = _counts(counts, announced)
    if not numbers or len(numbers) > len(titles):
        raise FrameError(
            f"the elements are not clear: {len(numbers)} counts in 'ions per type', "
            f"{len(titles)} titles of potentials (TITEL, POTCAR)"
        )
    if sum(numbers) != announced:
        raise FrameError(f"'ions per type' sums to {sum(numbers)}, NIONS = {announced} expected")
    if len(labels) != len(titles):
        labels = [""] * len(titles)
    run.potentials = tuple(titles[: len(numbers)])
    run.species = tuple(
        name
        for label, title, count in zip(labels, titles, numbers, strict=False)
        for name in [element(label, title)] * count
    )


def _counts(text: str, announced: int) -> list[int]:
    """The numbers of atoms of each type; those of four digits touch their neighbours."""
    words = text.split()
    if not all(word.isdecimal() for word in words):
        raise FrameError(f"ions per type: {text.strip()!r} found, numbers expected")
    numbers = [int(word) for word in words]
    if sum(numbers) != announced:
        padded = text.rstrip()
        padded = " " * (-len(padded) % COUNT_WIDTH) + padded
        columns = [padded[k : k + COUNT_WIDTH] for k in range(0, len(padded), COUNT_WIDTH)]
        numbers = [int(column) for column in columns if column.strip().isdecimal()]
    return numbers


# -- steps -----------------------------------------------------------------------------------------


class _Steps:
    """The state of reading: the step that is being collected, and how many are done.

    A step ends where the next one begins, because its parts come in another order in old versions.
    On-the-fly learning writes the prediction for each geometry; where the electronic steps for the
    same geometry follow, the prediction counts for nothing.
    """

    def __init__(self, run: Run, energy: str, lines: Lines) -> None:
        self.run = run
        self.energy = energy
        self.lines = lines
        self.done = 0
        self._begin()

    def _begin(self, predicted: bool = False) -> None:
        self.step = IonicStep()
        self.predicted = predicted
        self.settled = False  # the last line of a prediction has come
        self.problem = ""

    def read(self) -> Iterator[Configuration | Unusable | Remark]:
        """All steps, then FrameError if the file is cut off."""
        try:
            closed, reason = (yield from self._whole_steps()), ""
        except Unreadable as error:
            closed, reason = False, str(error)
        if closed:
            return
        if self._complete():
            yield from self._finished()
        raise FrameError(
            reason
            or f"it ends at {self.lines.where}, without the closing lines of VASP: the run was "
            "stopped, or the file is cut off"
        )

    def _whole_steps(self) -> Generator[Configuration | Unusable | Remark, None, bool]:
        """Steps that another one, or the end of the run, follows; whether the run has ended."""
        for text in self.lines:
            if not MARK.search(text):
                continue
            if "General timing" in text:
                yield from self._finished()
                return True
            if PREDICTED.search(text):
                if not self.predicted or (self.settled and not OTHERS.match(text)):
                    yield from self._finished()
                    self._begin(predicted=True)
            elif "- Iteration" in text and (self.predicted or self._has_results()):
                if not self.predicted:
                    yield from self._finished()
                self._begin()
            try:
                self._take(text)
            except FrameError as error:
                self.problem = self.problem or str(error)
                if isinstance(error, Unreadable):
                    raise
        return False

    def _has_results(self) -> bool:
        return bool(self.step.energies) or self.step.forces is not None or bool(self.problem)

    def _complete(self) -> bool:
        whole = len(self.step.energies) == len(ENERGIES) and self.step.forces is not None
        return self.settled if self.predicted else whole and not self.problem

    def _finished(self) -> Iterator[Configuration | Unusable | Remark]:
        begun = self._has_results() or self.step.electronic_steps > 0 or self.predicted
        if not begun:
            return
        self.done += 1
        consumed = self.lines.consumed()
        if self.predicted or self.problem:
            reason = PREDICTION if self.predicted else self.problem
            yield Unusable(f"step {self.done}", reason, consumed)
        else:
            if not self.run.tells_convergence(self.step):
                yield Remark(UNCHECKED)
            yield configuration(self.run, self.step, self.done, self.energy, consumed)

    def _take(self, text: str) -> None:
        """Add one line, and the table below it, to the step."""
        step = self.step
        if self.predicted:
            self.settled |= OTHERS.match(text) is not None
        elif "- Iteration" in text:
            step.electronic_steps += 1
        elif found := CHANGE.search(text):
            step.change = number(found[1])
        elif "EDIFF was not" in text:
            step.gave_up = True
        elif "number of electron" in text:
            step.moment = _moment(text)
        elif "direct lattice vectors" in text:
            step.cell = self._lattice()
        elif "TOTAL-FORCE" in text:
            step.positions, step.forces = self._positions_and_forces()
        elif text.split()[:2] == ["in", "kB"]:
            step.stress = _stress(text)
        elif found := FREE.match(text):
            step.energies["free"] = _energy(found[2])
        elif found := OTHERS.match(text):
            step.energies["without_entropy"] = _energy(found[2])
            step.energies["sigma0"] = _energy(found[3])

    def _lattice(self) -> np.ndarray:
        import numpy as np

        rows = [LATTICE_NUMBER.findall(next(self.lines, ""))[:3] for _ in range(3)]
        if any(len(row) != 3 for row in rows):
            raise FrameError(f"direct lattice vectors: three rows of three expected, {rows} found")
        return np.array(rows, dtype=float)

    def _positions_and_forces(self) -> tuple[np.ndarray, np.ndarray]:
        """The six first columns; runs with dispersion have more."""
        import numpy as np

        next(self.lines, "")
        count = len(self.run.species)
        table = np.empty((count, 6))
        for row in range(count):
            words = next(self.lines, "").split()[:6]
            values = [number(word) for word in words]
            if len(values) != 6 or None in values:
                found = " ".join(words) or "nothing"
                raise FrameError(
                    f"positions and forces: {found!r} found in row {row + 1} of {count}, six "
                    "numbers expected"
                )
            table[row] = values
        if not next(self.lines, "").startswith(" ---"):
            raise FrameError(f"positions and forces: more than {count} rows")
        return table[:, :3], table[:, 3:]


def _stress(text: str) -> np.ndarray:
    """VASP's order: xx yy zz xy yz zx."""
    import numpy as np

    values = STRESS_NUMBER.findall(text)
    if len(values) != 6:
        raise FrameError(f"stress in kB: {len(values)} numbers found, six expected")
    xx, yy, zz, xy, yz, zx = map(float, values)
    return np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])


def _energy(text: str) -> float:
    return numbers([text], "energy")[0]


def _moment(text: str) -> tuple[float, ...]:
    found = MOMENT.search(text)
    values = [number(word) for word in found[1].split()] if found else []
    return tuple(value for value in values if value is not None)
