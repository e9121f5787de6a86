"""Subjects of panna_validate for tests: a potential of silicon in the repository, any test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from descriptor_cases import mbp
from model_cases import a_model

from panna.config.reader import read_config
from panna.config.validate import VALIDATE
from panna.frames.ase_atoms import frame_of_structure
from panna.frames.example_file import write_example
from panna.frames.example_folder import list_examples
from panna.frames.frame import Frame
from panna.potential.panna_in import write_potential
from panna.validation.subject import Subject, open_potentials
from panna.validation.test_set import predict

COMMITTEE = Path(__file__).parents[1] / "examples" / "lammps" / "potential"
MEMBER = COMMITTEE / "member_1"


@dataclass(frozen=True)
class Stand(Subject):
    """With calculators of its own."""

    own: Calculator | None = None
    other: Calculator | None = None

    def calculator(self):
        return self.own or super().calculator()

    def reference_calculator(self):
        return self.other


def silicon(scale: float = 1.0, seed: int = 1, noise: float = 0.05, repeat: int = 1) -> Atoms:
    """Diamond, 8 repeat^3 atoms, moved by random numbers; noise: angstrom."""
    atoms = bulk("Si", "diamond", 5.431 * scale, cubic=True) * ([repeat] * 3)
    atoms.positions += np.random.default_rng(seed).normal(0, noise, atoms.positions.shape)
    return atoms


def write_frames(folder: Path, frames: dict[str, Atoms], group: str = "", **labels) -> Path:
    """Files of these names; labels: of the frames, such as energy."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, atoms in frames.items():
        frame = replace(frame_of_structure(atoms, name=name, group=group), **labels)
        write_example(frame, folder / f"{name}.example")
    return folder


def write_labelled(folder: Path, frames: Sequence[Frame]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for frame in frames:
        write_example(frame, folder / f"{frame.name}.example")
    return folder


def subject_of(folder: Path, test_dir: Path, potential: Path = MEMBER, **keys) -> Stand:
    """folder: for the ini file; keys: own and other calculators, and of [IO_INFORMATION]."""
    calculators = {name: keys.pop(name) for name in ("own", "other") if name in keys}
    lines = ["[IO_INFORMATION]", f"potential = {potential}", f"test_dir = {test_dir}"]
    lines += [f"{key} = {value}" for key, value in keys.items()]
    ini = folder / "validate.ini"
    ini.write_text("\n".join(lines) + "\n")
    config = read_config(ini, VALIDATE)
    folders, potentials = open_potentials(config)
    offsets = np.zeros(len(potentials[0].species))
    test = predict(list_examples(test_dir), potentials, offsets, lambda: None)
    return Stand(config, folders, potentials, test, **calculators)


def write_silica(folder: Path) -> Path:
    """A potential of Si, O and H with random weights, which knows no ranges."""
    return write_potential(a_model(mbp()), folder)[0].parent


def silica(symbols: str, seed: int = 1) -> Atoms:
    """A molecule, or parts of one."""
    places = np.arange(len(Atoms(symbols)))[:, None] * [1.6, 0.3, 0.2]
    places = places + np.random.default_rng(seed).normal(0, 0.05, places.shape)
    return Atoms(symbols, places)


def judged(content, key: str) -> list:
    """The judgements by one threshold."""
    return [one for one in content.judgements if one.key == key]


def fact(content, key: str):
    return next(one.value for one in content.facts if one.key == key)


def without_plots(monkeypatch, *modules) -> None:
    """Plots take most of the time of a section."""
    for module in modules:
        monkeypatch.setattr(module, "svg", lambda name, draw: "<svg></svg>")
