"""Small OUTCAR and vasprun.xml files for tests, written in the layout of VASP 5.4.4 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

KBAR = 1602.1766340  # in one eV per cubic angstrom
VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))


@dataclass
class Step:
    """One ionic step; energies of the electronic steps, then what stands at the end."""

    positions: np.ndarray
    cell: np.ndarray
    forces: np.ndarray
    stress: np.ndarray | None
    electronic: Sequence[float]
    free: float
    entropy: float = -0.25

    @property
    def sigma0(self) -> float:
        """Energy for zero smearing."""
        return self.free - self.entropy / 2

    @property
    def without_entropy(self) -> float:
        """Energy without entropy."""
        return self.free - self.entropy


@dataclass
class Calculation:
    """A run; counts and titles of the types."""

    steps: list[Step]
    counts: Sequence[int] = (1, 2)
    titles: Sequence[str] = ("PAW_PBE Ti_sv 26Sep2005", "PBE_52 O")
    labels: Sequence[str] = ("Ti", "O")
    settings: dict[str, str] = field(default_factory=dict)
    version: str = "5.4.4.18Apr17-6-g9f103f2a35"
    moment: str = ""

    @property
    def all_settings(self) -> dict[str, str]:
        """Those of the run over common ones."""
        return {
            "NELM": "6", "EDIFF": "1e-05", "ISIF": "2", "ISPIN": "1", "ICHARG": "2",
            "ENCUT": "400.0", "GGA": "PE", "LNONCOLLINEAR": "F", **self.settings,
        }  # fmt: skip


def titania(steps: int = 2, seed: int = 0, **changes) -> Calculation:
    """TiO2 in a triclinic cell, with random numbers as VASP would round them.

    changes: other fields of the Calculation; steps_made replaces its steps.
    """
    random = np.random.default_rng(seed)
    made = []
    for number in range(steps):
        cell = np.array([[4.0, 0, 0], [-12.5, 15.0, 0], [0.3, -0.2, 5.0]])
        free = round(-50 + random.normal(), 8)
        made.append(
            Step(
                positions=(random.random((3, 3)) @ cell).round(5),
                cell=(cell + 0.01 * number * random.random((3, 3))).round(9),
                forces=random.normal(size=(3, 3)).round(6),
                stress=symmetric(100 * random.normal(size=(3, 3))).round(5),
                electronic=(free + 0.5, free + 1e-3, free + 1e-6, free),
                free=free,
            )
        )
    return replace(Calculation(changes.pop("steps_made", made)), **changes)


def symmetric(matrix: np.ndarray) -> np.ndarray:
    return (matrix + matrix.T) / 2


# -- OUTCAR ----------------------------------------------------------------------------------------

END = "\n General timing and accounting informations for this job:\n"


def outcar(run: Calculation) -> str:
    """The text of the OUTCAR."""
    return outcar_header(run) + "".join(outcar_step(run, k) for k in range(len(run.steps))) + END


def outcar_header(run: Calculation) -> str:
    """What stands before the first step."""
    lines = [f" vasp.{run.version} (build Jun 05 2020) complex", "  "]
    lines += [f" POTCAR:    {title}    " for title in run.titles]
    for label, title in zip(run.labels, run.titles, strict=True):
        lines += [f"   VRHFIN ={label}: s2p4    ", f"   TITEL  = {title}     "]
    lines += [
        f"   number of dos      NEDOS =    301   number of ions     NIONS ={sum(run.counts):7d}"
    ]
    lines += ["   ions per type =            " + "".join(f"{count:4d}" for count in run.counts)]
    for name, value in run.all_settings.items():
        end = ";   NELMIN=  2" if name == "NELM" else "    some words about it"
        lines.append(f"   {name:7}=    {value}{end}")
    lines += [
        "  volume of cell :  1.0000",
        "  direct lattice vectors        reciprocal lattice vectors",
    ]
    lines += [_lattice_row(row) for row in np.eye(3)]  # of the primitive cell: not to be taken
    return "\n".join(lines) + "\n"


def outcar_step(run: Calculation, index: int) -> str:
    """One ionic step."""
    return (
        outcar_electronic(run, index)
        + outcar_stress(run.steps[index])
        + outcar_geometry(run.steps[index])
        + outcar_energies(run.steps[index])
    )


def outcar_electronic(run: Calculation, index: int) -> str:
    """The electronic steps, and VASP 5's claim at the end."""
    step = run.steps[index]
    lines = []
    before = 0.0
    for number, energy in enumerate(step.electronic, start=1):
        lines += [
            f"{'-' * 39} Iteration {index + 1:6d}({number:4d})  {'-' * 39}",
            f" total energy-change (2. order) :{_fortran(energy - before)}  (-0.1000000E+00)",
            f" number of electron       8.0000000 magnetization {run.moment}",
            f"  free energy    TOTEN  = {energy:18.8f} eV",
            f"  energy without entropy = {energy:18.8f}  energy(sigma->0) = {energy:18.8f}",
        ]
        before = energy
    lines.append("------------------------ aborting loop because EDIFF is reached ------------")
    return "\n".join(lines) + "\n"


def outcar_stress(step: Step) -> str:
    """The stress, if there is any."""
    if step.stress is None:
        return ""
    row = "".join(f"{step.stress[place]:12.5f}" for place in VOIGT)
    return (
        "  FORCE on cell =-STRESS in cart. coord.  units (eV):\n"
        "  Direction    XX          YY          ZZ          XY          YZ          ZX\n"
        f"  in kB  {row}\n"
        "  external pressure =       54.82 kB  Pullay stress =        0.00 kB\n"
        "  Total+kin.  -150.778       6.702       2.096      -0.376       0.642      -0.610\n"
    )


def outcar_geometry(step: Step) -> str:
    """Lattice vectors, positions, forces."""
    lines = [" VOLUME and BASIS-vectors are now :", "  volume of cell :      131.68"]
    lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
    lines += [_lattice_row(row) for row in step.cell]
    lines += [
        " POSITION                                       TOTAL-FORCE (eV/Angst)",
        " " + "-" * 83,
    ]
    lines += [
        "".join(f"{x:13.5f}" for x in position) + "   " + "".join(f"{x:14.6f}" for x in force)
        for position, force in zip(step.positions, step.forces, strict=True)
    ]
    return "\n".join([*lines, " " + "-" * 83, "    total drift:      0.000     0.000", ""])


def outcar_energies(step: Step) -> str:
    """The energies of the ionic step."""
    return (
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"
        f"  free  energy   TOTEN  = {step.free:18.8f} eV\n\n"
        f"  energy  without entropy={step.without_entropy:17.8f}  "
        f"energy(sigma->0) ={step.sigma0:17.8f}\n"
        "% ion-electron   TOTEN  =       -1.000000  see above\n"
    )


def outcar_prediction(step: Step) -> str:
    """What on-the-fly learning writes for a geometry."""
    stress = outcar_stress(step).replace("  FORCE on cell", "  ML FORCE on cell")
    energies = (
        outcar_energies(step).replace("free  energy ", "free  energy ML").replace("ML  ", "ML ")
    )
    energies = energies.replace("  energy  without", "  ML energy  without")
    geometry = outcar_geometry(step).replace(" POSITION ", "  POSITION ")
    return stress + geometry.replace("(eV/Angst)", "(eV/Angst) (ML)") + energies


def _lattice_row(row: np.ndarray) -> str:
    return "  " + "".join(f"{x:13.9f}" for x in row) + "   " + "".join(f"{x:13.9f}" for x in row)


def _fortran(value: float) -> str:
    """0.1234567E-03, as Fortran writes it."""
    mantissa, exponent = f"{value:.6E}".split("E")
    return f"{float(mantissa) / 10:10.7f}E{int(exponent) + 1:+03d}"


# -- vasprun.xml -----------------------------------------------------------------------------------


def vasprun(run: Calculation) -> str:
    """The text of vasprun.xml."""
    body = "".join(vasprun_step(run, step) for step in run.steps)
    return vasprun_header(run) + body + "</modeling>\n"


def vasprun_header(run: Calculation) -> str:
    """What stands before the first step."""
    given = dict(run.all_settings)
    limit = given.pop("NELM")
    entries = "".join(f'<i name="{name}"> {value} </i>\n' for name, value in given.items())
    atoms = "".join(
        f"<rc><c>{label}</c><c>{kind:4d}</c></rc>\n"
        for kind, (label, count) in enumerate(zip(run.labels, run.counts, strict=True), start=1)
        for _ in range(count)
    )
    types = "".join(
        f"<rc><c>{count:4d}</c><c>{label}</c><c>16.0</c><c>6.0</c><c>  {title}  </c></rc>\n"
        for count, label, title in zip(run.counts, run.labels, run.titles, strict=True)
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp </i>
<i name="version" type="string">{run.version}  </i></generator>
<incar>
<i name="SYSTEM">oxide</i></incar>
<parameters>
<separator name="electronic convergence"><i type="int" name="NELM"> {limit}</i></separator>
{entries}<separator name="response functions"><i type="int" name="NELM">     1</i></separator>
</parameters>
<atominfo>
<atoms>{sum(run.counts):8d} </atoms>
<array name="atoms"><set>
{atoms}</set></array>
<array name="atomtypes"><set>
{types}</set></array>
</atominfo>
<structure name="initialpos"></structure>
"""


def vasprun_step(run: Calculation, step: Step) -> str:
    """One ionic step, with the mistaken names of the last energies in version 5."""
    last = (
        (step.sigma0, step.entropy)
        if run.version.startswith("5")
        else (step.without_entropy, step.sigma0)
    )
    electronic = "".join(
        f"<scstep>{_energies(e, e - step.entropy, e - step.entropy / 2)}</scstep>\n"
        for e in step.electronic
    )
    crystal = np.linalg.solve(step.cell.T, step.positions.T).T
    stress = "" if step.stress is None else _varray("stress", step.stress)
    return f"""<calculation>
{electronic}<structure>
<crystal>{_varray("basis", step.cell)}{_varray("rec_basis", step.cell)}</crystal>
{_varray("positions", crystal)}</structure>
{_varray("forces", step.forces)}{stress}{_energies(step.free, *last)}
<dos><i name="efermi">1.0</i></dos>
</calculation>
"""


def _energies(free: float, without_entropy: float, sigma0: float) -> str:
    return (
        f'<energy><i name="e_fr_energy">{free:16.8f} </i>'
        f'<i name="e_wo_entrp">{without_entropy:16.8f} </i>'
        f'<i name="e_0_energy">{sigma0:16.8f} </i></energy>'
    )


def _varray(name: str, rows: np.ndarray) -> str:
    lines = "\n".join("<v>" + " ".join(f"{x:20.12f}" for x in row) + " </v>" for row in rows)
    return f'<varray name="{name}">\n{lines}\n</varray>\n'
