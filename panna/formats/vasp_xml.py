"""vasprun.xml of VASP, one ionic step at a time."""

from __future__ import annotations

from collections.abc import Iterator
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
from panna.formats.xml_stream import local_name, parts
from panna.frames.text_lines import numbers

if TYPE_CHECKING:
    import numpy as np

    from panna.formats.xml_stream import Element

NOT_NEEDED = (
    "dos", "eigenvalues", "projected", "kpoints", "dynmat", "dielectricfunction", "primitive_cell",
    "time", "partial",
)  # fmt: skip
FIELDS = {"free": "e_fr_energy", "sigma0": "e_0_energy", "without_entropy": "e_wo_entrp"}

PRESSURE = "PSTRESS is set: pressure times volume, which VASP adds in vasprun.xml, was taken off"
SAME_TERM = 1e-5  # relative; volume and PSTRESS are printed with eight decimals


def vasprun_steps(path: Path, energy: str) -> Iterator[Configuration | Unusable | Remark]:
    """The ionic steps of a file, in its order.

    Args:
      energy: key of ENERGIES.
    Raises:
      FrameError: not XML of VASP, or cut off; the steps before that are good.
    """
    run = Run()
    number = predictions = 0
    for part, consumed in parts(path, "modeling", NOT_NEEDED):
        name = local_name(part)
        if name == "generator":
            run.version = version_of(part.findtext("i[@name='version']") or "")
        elif name in ("incar", "parameters"):
            run.settings.update(_settings(part))
        elif name == "atominfo":
            _atoms(part, run)
        elif name == "structure" and part.get("name") is None:
            # Machine-learned steps stand beside the calculations, not in one.
            predictions += 1
            yield Unusable(f"prediction {predictions}", PREDICTION, consumed)
        elif name == "calculation":
            number += 1
            yield from _calculation(part, run, number, energy, consumed)


def _calculation(
    part: Element, run: Run, number: int, energy: str, consumed: int
) -> Iterator[Configuration | Unusable | Remark]:
    if part.find("scstep") is None and run.learns_on_the_fly:
        yield Unusable(f"step {number}", PREDICTION, consumed)
        return
    try:
        step = _step(part, run)
    except FrameError as error:
        yield Unusable(f"step {number}", str(error), consumed)
        return
    if not run.tells_convergence(step):
        yield Remark(UNCHECKED)
    if run.number("PSTRESS"):
        yield Remark(PRESSURE)
    yield configuration(run, step, number, energy, consumed)


def _step(part: Element, run: Run) -> IonicStep:
    import numpy as np

    if not run.species:
        raise FrameError("no atominfo before it: the elements are not known")
    count = len(run.species)
    structure = _only(part, "structure")
    cell = _numbers(_only(structure, "crystal/varray[@name='basis']"), 3)
    fractions = _numbers(_only(structure, "varray[@name='positions']"), count)
    step = IonicStep(positions=fractions @ cell, cell=cell)
    for name, rows in (("forces", count), ("stress", 3)):
        if part.find(f"varray[@name='{name}']") is not None:
            setattr(step, name, _numbers(_only(part, f"varray[@name='{name}']"), rows))
    electronic = [_energies(found) for found in part.findall("scstep/energy")]
    step.electronic_steps = len(electronic)
    free = [found["free"] for found in electronic if "free" in found]
    if len(free) > 1:
        step.change = free[-1] - free[-2]
    step.energies = _final_energies(
        _energies(_only(part, "energy")),
        electronic[-1] if electronic else {},
        run.number("PSTRESS") or 0.0,
        float(abs(np.linalg.det(cell))),
    )
    return step


def _final_energies(
    final: dict[str, float], electronic: dict[str, float], pressure: float, volume: float
) -> dict[str, float]:
    """Energies of an ionic step, by the keys of ENERGIES.

    VASP 5 writes wrong fields into the block of the ionic step: e_wo_entrp is the energy for zero
    smearing and e_0_energy the entropy term. The blocks of the electronic steps are right, but
    lack what is added after them (dispersion corrections). So the free energy is that of the ionic
    step, and its distances from the others are those of the last electronic step.

    Args:
      final: of the block of the ionic step. electronic: of the last electronic step, may be empty.
      pressure: PSTRESS, kbar; pressure times volume is added to the final energy.
      volume: cubic angstrom.
    """
    from panna.frames.units import FOREIGN_STRESS

    if "free" not in final:
        raise FrameError(f"no {FIELDS['free']} in the energy of the step")
    free = final["free"]
    if pressure:
        work = pressure * FOREIGN_STRESS["kbar"] * volume
        added = free - electronic.get("free", float("nan"))
        if abs(added - work) <= SAME_TERM * abs(work) + 1e-7:
            free = electronic["free"]
        elif not abs(added) <= 1e-7:
            raise FrameError(
                f"with PSTRESS, {added:g} eV more than the last electronic step, {work:g} eV "
                "(pressure times volume) or 0 expected; convert the OUTCAR instead"
            )
    distances = {name: electronic[name] - electronic["free"] for name in electronic}
    return {"free": free} | {name: free + distances[name] for name in ENERGIES if name in distances}


def _energies(block: Element) -> dict[str, float]:
    found = {}
    for name, spelling in FIELDS.items():
        text = block.findtext(f"i[@name='{spelling}']")
        if text is not None:
            found[name] = numbers(text.split(), spelling, 1)[0]
    return found


def _settings(part: Element) -> dict[str, str]:
    """Each setting where it stands first: NELM is written again for response functions."""
    found: dict[str, str] = {}
    for entry in part.iter("i"):
        name = entry.get("name")
        if name in SETTINGS:
            found.setdefault(name, (entry.text or "").strip())
    return found


def _atoms(part: Element, run: Run) -> None:
    rows = {
        name: [
            [cell.text or "" for cell in row.findall("c")]
            for row in part.findall(f"array[@name='{name}']/set/rc")
        ]
        for name in ("atoms", "atomtypes")
    }
    try:
        types = [(element(row[1], row[4]), " ".join(row[4].split())) for row in rows["atomtypes"]]
        kinds = [int(row[1]) for row in rows["atoms"]]
    except (IndexError, ValueError) as error:
        raise FrameError("atominfo: rows with too few or wrong entries") from error
    if not kinds or min(kinds) < 1 or max(kinds) > len(types):
        raise FrameError(
            f"atominfo: atoms of types {sorted(set(kinds))} found, 1 to {len(types)} expected"
        )
    run.species = tuple(types[kind - 1][0] for kind in kinds)
    run.potentials = tuple(title for _, title in types)
    announced = (part.findtext("atoms") or "").strip()
    if announced and announced != str(len(kinds)):
        raise FrameError(f"atominfo: {len(kinds)} atoms found, {announced} expected")


def _only(part: Element, path: str) -> Element:
    found = part.findall(path)
    if len(found) != 1:
        what = path.rpartition("=")[2].strip("']") if "@" in path else path
        raise FrameError(f"{what}: {len(found)} found in {part.tag}, one expected")
    return found[0]


def _numbers(table: Element, rows: int) -> np.ndarray:
    """The table of a <varray>, (rows, 3)."""
    import numpy as np

    name = table.get("name")
    lines = [(line.text or "").split() for line in table.findall("v")]
    if len(lines) != rows:
        raise FrameError(f"{name}: {len(lines)} rows found, {rows} expected")
    return np.array([numbers(words, name, 3) for words in lines])
