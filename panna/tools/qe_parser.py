"""panna_qe_parser: the XML output of Quantum ESPRESSO's pw.x to .example files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Remark, Unusable, virial_of_stress
from panna.frames.text_lines import numbers
from panna.tools.parsing import Reader, run_parser

if TYPE_CHECKING:
    import numpy as np

    from panna.formats.xml_stream import Element
    from panna.frames.frame import Frame

DESCRIPTION = """\
Turn the XML files of Quantum ESPRESSO's pw.x (versions 6 and 7: <prefix>.xml and
<prefix>.save/data-file-schema.xml, also with .gz or .xz) into one .example file for each
self-consistent calculation: every step of relax, vc-relax and md with its own geometry.

Calculations that did not converge are reported and left out; the exit code is then 2. Files are
named <prefix><file>.example, with _<number> behind when the calculation has steps."""

EPILOG = """\
The energy is etot, which with smearing is the free energy that the forces belong to.
The final block of a file is taken where it is a calculation of its own: after vc-relax, or when
there are no steps. (In md it holds the energy of the last step beside the positions of the next.)
pw.x writes 0 into the XML for the forces on coordinates that the input holds fixed. Such files give
energies without forces, unless --keep-fixed says that the zeros are wanted. The text output of the
run has them all: panna_qe_output_parser.
example: panna_qe_parser -i calculations -o examples"""

UNITS = "Hartree atomic units"
SAME_PLACE = 1e-8  # angstrom
NOT_NEEDED = ("ks_energies", "symmetry", "FFT", "timing_info")
WITH_ENERGY = ("scf", "relax", "vc-relax", "md", "vc-md")


@dataclass
class _Run:
    """What the parts of one file have told so far."""

    calculation: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    fixed: bool = False
    steps: int = 0
    last: Frame | None = None
    waiting: Configuration | None = None  # the last step: the final block may hold its stress

    def release(self) -> Iterator[Configuration]:
        """The step that waits, if there is one."""
        if self.waiting is not None:
            step, self.waiting = self.waiting, None
            yield step


class QuantumEspressoXml(Reader):
    """One file of pw.x."""

    program = "qe_parser"
    title = "XML of Quantum ESPRESSO to .example files"
    description = DESCRIPTION
    epilog = EPILOG
    expected = "XML file of pw.x"
    endings = (".xml",)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """What to do with fixed coordinates."""
        parser.add_argument(
            "--keep-fixed", action="store_true",
            help="keep forces though those on fixed coordinates are written as 0",
        )  # fmt: skip

    def wants(self, path: Path) -> bool:
        """Every XML file, but not the copy that pw.x leaves in <prefix>.save."""
        if not super().wants(path):
            return False
        folder = path.parent
        copied = folder.suffix == ".save" and folder.with_suffix(".xml").exists()
        return not (path.name.startswith("data-file") and copied)

    def read(self, path: Path) -> Iterator[Configuration | Unusable | Remark]:
        """Steps in their order, then the final block if it is a calculation of its own."""
        run = _Run()
        try:
            yield from self._parts(path, run)
        except FrameError:
            yield from run.release()
            raise
        yield from run.release()

    def _parts(self, path: Path, run: _Run) -> Iterator[Configuration | Unusable | Remark]:
        from panna.formats.xml_stream import local_name, parts

        for part, consumed in parts(path, "espresso", NOT_NEEDED):
            name = local_name(part)
            if name == "general_info":
                _general(part, run)
            elif name == "input":
                yield from _input(part, run, self.args.keep_fixed)
            elif name == "step":
                run.steps += 1
                yield from self._step(part, run, consumed)
            elif name == "output":
                yield from self._output(part, run, consumed)
            elif name in ("status", "exit_status") and (part.text or "0").strip() != "0":
                yield Remark(f"pw.x ended with exit status {part.text.strip()}: look at the output")

    def _step(self, part: Element, run: _Run, consumed: int) -> Iterator[Configuration | Unusable]:
        yield from run.release()
        try:
            _check_convergence(part)
            frame = self._frame(part, run)
        except FrameError as error:
            yield Unusable(f"step {run.steps}", str(error), consumed)
            return
        run.last = frame
        run.waiting = Configuration(frame, run.steps, run.facts, consumed)

    def _output(
        self, part: Element, run: _Run, consumed: int
    ) -> Iterator[Configuration | Unusable | Remark]:
        magnetism = _magnetism(part)
        facts = {**run.facts, **({"magnetism": magnetism} if magnetism else {})}
        number = run.steps + 1 if run.steps else None
        try:
            if run.calculation not in WITH_ENERGY:
                raise FrameError(
                    f"a calculation of type {run.calculation or 'unknown'}; only those of "
                    f"{', '.join(WITH_ENERGY)} have an energy to learn"
                )
            _check_convergence(part)
            frame = self._frame(part, run)
        except FrameError as error:
            yield Unusable("final block" if run.steps else "its only calculation", str(error))
            return
        stressed = frame.virial is not None
        if stressed and run.last is not None and run.last.virial is None:
            yield Remark(
                "pw.x writes no stress into the steps of its XML, only into the final block; the "
                "text output has all: panna_qe_output_parser"
            )
        if run.steps and (run.calculation.endswith("md") or _same_calculation(frame, run.last)):
            if stressed and run.waiting is not None and _same_geometry(frame, run.waiting.frame):
                whole = replace(run.waiting.frame, virial=frame.virial)
                run.waiting = replace(run.waiting, frame=whole)
            return
        yield from run.release()
        yield Configuration(frame, number, facts, consumed)

    def _frame(self, part: Element, run: _Run) -> Frame:
        import numpy as np

        from panna.frames.frame import Frame
        from panna.frames.units import BOHR, HARTREE

        structure = _child(part, "atomic_structure")
        energy = _child(_child(part, "total_energy"), "etot")
        cell = np.array([_numbers(_child(structure, f"cell/{a}"), 3) for a in ("a1", "a2", "a3")])
        labels, positions = _atoms(structure)
        forces = _optional(part, "forces", 3 * len(labels))
        if run.fixed and not self.args.keep_fixed:
            forces = None
        stress = _optional(part, "stress", 9)
        if stress is not None:
            stress = stress.reshape(3, 3)
        return Frame(
            species=labels,
            positions=positions * BOHR,
            cell=cell * BOHR,
            pbc=(True, True, True),
            energy=float(_numbers(energy, 1)[0]) * HARTREE,
            forces=None if forces is None else forces.reshape(-1, 3) * (HARTREE / BOHR),
            virial=None if stress is None else virial_of_stress(stress, cell, HARTREE),
        )


def _general(part: Element, run: _Run) -> None:
    units = part.getparent().get("Units")
    if units not in (None, UNITS):
        raise FrameError(f"its units are {units!r}, {UNITS!r} expected")
    creator, form = part.find("creator"), part.find("xml_format")
    if creator is not None:
        run.facts["program"] = f"{creator.get('NAME')} {creator.get('VERSION')}"
    if form is not None:
        run.facts["schema"] = f"{form.get('NAME')} {form.get('VERSION')}"


def _input(part: Element, run: _Run, keep_fixed: bool) -> Iterator[Remark]:
    run.calculation = (part.findtext("control_variables/calculation") or "").strip()
    run.facts["calculation"] = run.calculation
    free = part.findtext("free_positions") or ""
    run.fixed = "0" in free.split()
    if run.fixed:
        forces = "kept" if keep_fixed else "left out"
        yield Remark(
            f"pw.x writes 0 for forces on fixed coordinates: forces of such files are {forces}"
        )


def _check_convergence(part: Element) -> None:
    """Files before schema 19.03.04 do not tell."""
    for place in ("scf_conv", "convergence_info/scf_conv"):
        state = part.findtext(f"{place}/convergence_achieved")
        if state is not None and state.strip() != "true":
            error = (part.findtext(f"{place}/scf_error") or "unknown").strip()
            raise FrameError(f"self-consistency was not reached (estimated error {error} Ha)")


def _magnetism(output: Element) -> dict[str, object]:
    """What the file says about spins; empty for a calculation without."""
    found = output.find("magnetization")
    if found is None:
        return {}
    true = [name for name in ("lsda", "noncolin") if found.findtext(name, "").strip() == "true"]
    if not true:
        return {}
    moments = {name: found.findtext(name) for name in ("total", "absolute")}
    kind = "non-collinear" if "noncolin" in true else "collinear"
    return {"kind": kind} | {
        f"{name}_bohr_magneton": [float(word) for word in text.split()]
        for name, text in moments.items()
        if text
    }


def _same_calculation(final: Frame, last: Frame | None) -> bool:
    """The final block repeats the energy of the last step, sometimes with moved atoms."""
    return last is not None and final.energy == last.energy


def _same_geometry(one: Frame, other: Frame) -> bool:
    """To the digits of the file."""
    import numpy as np

    pairs = ((one.positions, other.positions), (one.cell, other.cell))
    return all(np.allclose(a, b, rtol=0, atol=SAME_PLACE) for a, b in pairs)


def _atoms(structure: Element) -> tuple[tuple[str, ...], np.ndarray]:
    """Elements, and positions in bohr."""
    import numpy as np

    from panna.frames.elements import named_element

    atoms = structure.findall("atomic_positions/atom")
    if not atoms:
        raise FrameError("no atomic_positions; other ways to give them are not known")
    announced = structure.get("nat")
    if announced is not None and announced.strip() != str(len(atoms)):
        raise FrameError(f"{len(atoms)} atoms found, nat = {announced} expected")
    labels = [named_element(a.get("name") or "", f"atom {a.get('index')}") for a in atoms]
    return tuple(labels), np.array([_numbers(atom, 3) for atom in atoms])


def _child(part: Element, path: str) -> Element:
    found = part.find(path)
    if found is None:
        raise FrameError(f"no {path.rpartition('/')[2]} in {part.tag}")
    return found


def _optional(part: Element, name: str, count: int) -> np.ndarray | None:
    """None where it is missing; all zeros of a stress mean that it was not computed."""
    found = part.find(name)
    if found is None:
        return None
    values = _numbers(found, count)
    return None if name == "stress" and not values.any() else values


def _numbers(element: Element, count: int) -> np.ndarray:
    import numpy as np

    return np.array(numbers((element.text or "").split(), element.tag, count))


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_qe_parser; returns the exit code."""
    return run_parser(QuantumEspressoXml, argv)


if __name__ == "__main__":
    sys.exit(main())
