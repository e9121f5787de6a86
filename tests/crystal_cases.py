"""Crystals with potentials whose properties are known, in place of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from panna.config.reader import read_config
from panna.config.validate import VALIDATE
from panna.potential.compiled import open_potential
from panna.validation.subject import Subject

ROOT = Path(__file__).parents[1]
SILICON = ROOT / "examples" / "lammps" / "potential" / "member_1"


@dataclass(frozen=True)
class StandIn(Subject):
    """A subject with other calculators than networks."""

    calculators: dict[str, Any] = field(default_factory=dict)

    def calculator(self):
        return self.calculators["potential"]

    def reference_calculator(self):
        return self.calculators.get("reference")

    @property
    def crystal(self) -> Atoms:
        return self.calculators["crystal"]


class Scaled(EMT):
    """EMT with all energies larger by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def calculate(self, *args, **kwargs) -> None:
        super().calculate(*args, **kwargs)
        for name in ("energy", "free_energy", "energies", "forces", "stress"):
            if name in self.results:
                self.results[name] = self.results[name] * self.factor


class OfVolume(Calculator):
    """An energy per atom, eV, that depends on the volume per atom, angstrom^3, alone."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, energy) -> None:
        super().__init__()
        self.energy = energy

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        count = len(self.atoms)
        volume = self.atoms.get_volume() / count
        slope = (self.energy(volume + 1e-4) - self.energy(volume - 1e-4)) / 2e-4
        self.results = {
            "energy": float(count * self.energy(volume)),
            "forces": np.zeros((count, 3)),
            "stress": np.array([slope, slope, slope, 0, 0, 0]),
        }


def subject_of(
    folder: Path, settings: str = "", crystal: Atoms | None = None, potential=None, reference=None
) -> Subject:
    """What a section gets. Without a potential the silicon network of the examples.

    Args:
      settings: further sections of the ini file.
    """
    (folder / "test").mkdir(exist_ok=True)
    ini = folder / "validate.ini"
    ini.write_text(
        f"[IO_INFORMATION]\npotential = {SILICON}\ntest_dir = {folder}/test\n"
        f"report = {folder}/page.html\n{settings}\n"
    )
    config = read_config(ini, VALIDATE)
    network = [open_potential(SILICON)]
    if potential is None:
        return Subject(config, [SILICON], network, None)
    calculators = {
        "potential": potential,
        "reference": reference,
        "crystal": bulk("Cu") if crystal is None else crystal,
    }
    return StandIn(config, [SILICON], network, None, calculators=calculators)


def stillinger_weber():
    """Silicon of Stillinger and Weber, Phys. Rev. B 31, 5262 (1985)."""
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import stillinger_weber as form

    return Manybody(**form.StillingerWeber(form.Stillinger_Weber_PRB_31_5262_Si))


def levels(content) -> dict[str, str]:
    """Of the judgements by their thresholds, those without threshold by their first words."""
    return {
        one.key or " ".join(one.sentence.split()[:3]): one.level.name.lower()
        for one in content.judgements
    }


def values(content) -> dict[str, Any]:
    """Of the facts."""
    return {fact.key: fact.value for fact in content.facts}
