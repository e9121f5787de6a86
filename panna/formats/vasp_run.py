"""What OUTCAR and vasprun.xml have in common: settings of a run, and its ionic steps as frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from panna.errors import FrameError
from panna.formats.configuration import Configuration, Unusable, virial_of_stress
from panna.frames.elements import KNOWN, element_of
from panna.frames.text_lines import number

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame

ENERGIES = {
    "free": "free energy (TOTEN)",
    "sigma0": "energy extrapolated to zero smearing",
    "without_entropy": "energy without entropy",
}

SETTINGS = (
    "NELM", "EDIFF", "ICHARG", "ISIF", "PSTRESS", "ISPIN", "LNONCOLLINEAR", "ENCUT", "ENMAX",
    "GGA", "METAGGA", "LHFCALC", "IVDW", "LUSE_VDW", "ML_LMLFF", "ML_MODE",
)  # fmt: skip
VERSION = re.compile(r"\d+(?:\.\d+(?![\dA-Za-z]))*")  # "5.4.4" of "5.4.4.18Apr17-6-g9f103f2a35"
NO_FUNCTIONAL = ("", "--", "NONE", "F", "0")
FIXED_DENSITY = 10  # ICHARG from here on: the density of an earlier run is kept
# A loop that ended before NELM with a larger change was stopped from outside (STOPCAR).
LAST_CHANGE = 10  # times EDIFF
SMALL_CHANGE = 1e-6  # eV; never a reason to leave a step out, unless NELM is reached


@dataclass
class Run:
    """One run of VASP.

    version: "5.4.4"; empty when unknown.
    settings: of SETTINGS those that the file gives, as text.
    species: chemical symbols, one for each atom; empty before they are known.
    potentials: titles of the POTCAR files.
    """

    version: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    species: tuple[str, ...] = ()
    potentials: tuple[str, ...] = ()

    def number(self, name: str) -> float | None:
        """A setting; None where it is missing or no number."""
        return number(self.settings.get(name, ""))

    def switch(self, name: str) -> bool:
        """A logical setting; False where it is missing."""
        return self.settings.get(name, "").strip(" .").upper().startswith("T")

    def tells_convergence(self, step: IonicStep) -> bool:
        """Whether it can be checked."""
        return step.electronic_steps > 0 and self.number("EDIFF") is not None

    @property
    def learns_on_the_fly(self) -> bool:
        """Whether a machine-learned force field may have made some of the steps."""
        return self.switch("ML_LMLFF") or bool(self.settings.get("ML_MODE", "").strip())

    def facts(self, energy: str, moment: Sequence[float] = ()) -> dict[str, Any]:
        """Informative entries of an example.

        Args:
          energy: key of ENERGIES, what was taken.
          moment: the total magnetic moment in Bohr magnetons, one or three numbers, where known.
        """
        facts: dict[str, Any] = {
            "program": f"VASP {self.version}".strip(),
            "energy_taken": ENERGIES[energy],
            "functional": self._functional(),
        }
        for name, label in (("ENCUT", "encut_eV"), ("ENMAX", "encut_eV"), ("ISPIN", "ispin")):
            value = self.number(name)
            if value is not None:
                facts.setdefault(label, int(value) if name == "ISPIN" else value)
        if self.potentials:
            facts["potentials"] = list(self.potentials)
        if self.switch("LNONCOLLINEAR") or self.number("ISPIN") == 2:
            kind = "non-collinear" if self.switch("LNONCOLLINEAR") else "collinear"
            facts["magnetism"] = {"kind": kind}
            if moment:
                facts["magnetism"]["total_bohr_magneton"] = list(moment)
        return facts

    def _functional(self) -> str:
        chosen = [
            f"{name} = {value}"
            for name in ("GGA", "METAGGA", "LHFCALC", "LUSE_VDW", "IVDW")
            if (value := self.settings.get(name, "").strip(" .").upper()) not in NO_FUNCTIONAL
            and not value.startswith("FALSE")
        ]
        return ", ".join(chosen) or "that of the POTCAR files"


@dataclass
class IonicStep:
    """The results of one geometry, as far as the file gives them.

    energies: eV, by the keys of ENERGIES.
    positions: (n, 3), angstrom. cell: (3, 3), angstrom. forces: (n, 3), eV/angstrom.
    stress: (3, 3), kbar, in VASP's sign: positive under compression.
    electronic_steps: how many there were; 0 when unknown.
    change: of the energy in the last electronic step, eV; None when unknown.
    gave_up: VASP says itself that the electronic loop has not converged.
    moment: total magnetic moment in Bohr magnetons.
    """

    energies: dict[str, float] = field(default_factory=dict)
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    electronic_steps: int = 0
    change: float | None = None
    gave_up: bool = False
    moment: tuple[float, ...] = ()


UNCHECKED = "without electronic steps and EDIFF in the file, convergence could not be checked"
PREDICTION = "a prediction of VASP's machine-learned force field, not DFT"


def configuration(
    run: Run, step: IonicStep, number: int, energy: str, consumed: int
) -> Configuration | Unusable:
    """A step as a frame, or the reason why it cannot be one.

    Args:
      number: of the step in the file, from 1.
      energy: key of ENERGIES.
      consumed: bytes of the file that have been read.
    """
    try:
        check_convergence(run, step)
        frame = _frame(run, step, energy)
    except FrameError as error:
        return Unusable(f"step {number}", str(error), consumed)
    return Configuration(frame, number, run.facts(energy, step.moment), consumed)


def check_convergence(run: Run, step: IonicStep) -> None:
    """VASP 5 writes "EDIFF is reached" also where the loop ended at NELM; the numbers decide.

    Raises:
      FrameError: the electrons of this step are not self-consistent.
    """
    if (run.number("ICHARG") or 0) >= FIXED_DENSITY:
        raise FrameError(
            f"ICHARG = {run.settings['ICHARG']}: the charge density was kept fixed, so energy and "
            "forces are not self-consistent"
        )
    if step.electronic_steps == 0:
        return
    limit, threshold = run.number("NELM"), run.number("EDIFF")
    missed = step.gave_up or step.electronic_steps == 1
    if threshold is not None and step.change is not None:
        exhausted = limit is not None and step.electronic_steps >= limit
        stopped = max(LAST_CHANGE * threshold, SMALL_CHANGE)
        missed |= abs(step.change) > (threshold if exhausted else stopped)
    elif limit is not None:
        missed |= step.electronic_steps >= limit
    if missed:
        change = "unknown" if step.change is None else f"{abs(step.change):.1e} eV"
        raise FrameError(
            f"self-consistency was not reached: {step.electronic_steps} electronic step(s), "
            f"last change of the energy {change} "
            f"(NELM = {run.settings.get('NELM', 'unknown')}, "
            f"EDIFF = {run.settings.get('EDIFF', 'unknown')})"
        )


def _frame(run: Run, step: IonicStep, energy: str) -> Frame:
    from panna.frames.frame import Frame
    from panna.frames.units import FOREIGN_STRESS

    if step.positions is None or step.cell is None:
        raise FrameError(
            "its positions and lattice vectors are not in this file (a run with NWRITE = 0); "
            "vasprun.xml has them"
        )
    if energy not in step.energies:
        raise FrameError(f"no {ENERGIES[energy]}")
    virial = None
    # With ISIF = 1 only the trace is computed.
    if step.stress is not None and run.number("ISIF") != 1 and step.stress.any():
        virial = virial_of_stress(step.stress, step.cell, FOREIGN_STRESS["kbar"])
    return Frame(
        species=run.species,
        positions=step.positions,
        cell=step.cell,
        pbc=(True, True, True),
        energy=step.energies[energy],
        forces=step.forces,
        virial=virial,
    )


def element(label: str, title: str) -> str:
    """The element of a POTCAR, from the label that VASP gives it, or else from its title.

    Labels are wrong now and then ("X" for Xe, "r" for Zr). Titles: "PAW_PBE Ti_sv 26Sep2005".

    Raises:
      FrameError: neither names an element.
    """
    if label.strip() in KNOWN:
        return label.strip()
    words = title.split()
    found = element_of(words[1] if len(words) > 1 else title)
    if found is None:
        raise FrameError(f"label {label.strip()!r} and title {title.strip()!r} name no element")
    return found


def version_of(text: str) -> str:
    """The version without the name of the build; empty if there is none."""
    found = VERSION.match(text.strip())
    return found[0] if found else ""
