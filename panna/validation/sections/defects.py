"""Vacancy and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ase import Atoms

from panna.config.validate import miller_indices
from panna.frames.units import EV_PER_ANGSTROM3_IN_GPA
from panna.report.content import Fact, Table
from panna.report.level import Level
from panna.text import listed
from panna.validation.crystals.comparison import (
    NO_REFERENCE,
    Number,
    comparison,
    judge_worst,
    of_crystal,
)
from panna.validation.crystals.defect_energies import (
    MOST_SITES,
    Relaxed,
    Vacancies,
    surface,
    vacancies,
)
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

JOULE_PER_M2 = EV_PER_ANGSTROM3_IN_GPA / 10  # 1 eV/angstrom^2
VACANCY_ADVICE = "Add cells of this crystal with vacancies to the training set."
SURFACE_ADVICE = "Add slabs of this crystal with free surfaces to the training set."


@dataclass(frozen=True)
class Defects:
    """What one potential says."""

    vacancies: Vacancies
    surfaces: Sequence[Relaxed]

    @property
    def all(self) -> list[tuple[str, Relaxed]]:
        """With names."""
        return [(f"vacancy of {one.name}", one) for one in self.vacancies.sites] + [
            (f"surface {one.name}", one) for one in self.surfaces
        ]


@section(
    "defects",
    "Vacancy and surfaces",
    "One atom is taken out of a supercell of the relaxed crystal, the others are shaken by 0.05 Å "
    "and relaxed. Of a compound, the energy is the mean over a formula unit whose atoms are taken "
    "out far from each other to make more crystal (Schottky), which needs no chemical potentials. "
    "Surfaces are cut through the widest gap between planes of atoms and relaxed within the "
    "symmetry of the cut, so they do not reconstruct; where the two sides of a slab differ, the "
    "energy is their mean. Miller indices belong to the conventional cell.",
)
def defects(subject: Subject) -> Content:
    """Formation energies, relaxed and not."""
    settings = subject.config["CRYSTAL"]
    indices = [miller_indices(text) for text in settings["surfaces"]]
    return of_crystal(
        subject, partial(_defects, indices=indices, length=settings["defect_length"]), _tell
    )


def _defects(crystal: Atoms, indices: Sequence[tuple[int, int, int]], length: float) -> Defects:
    surfaces = [surface(crystal, one, length) for one in indices]
    return Defects(vacancies(crystal, length), surfaces)


def _tell(subject: Subject, found: Defects, reference: Defects | None) -> Content:
    vacancy, surfaces = _vacancy(found, reference), _surfaces(found, reference)
    relaxed = [one for one in (*vacancy, *surfaces) if not one.key.endswith("unrelaxed")]
    return Content(
        _facts(found),
        [
            *comparison(subject, [*vacancy, *surfaces]),
            Table(
                "runs",
                "Relaxations",
                ["of", "atoms", "steps", "force left (eV/Å)", "atoms outside the training set"],
                [
                    [name, one.atoms, one.rest.steps, one.rest.force, one.outside]
                    for name, one in found.all
                ],
            ),
        ],
        judgements=_judgements(subject, found, reference, relaxed),
    )


def _facts(found: Defects) -> list[Fact]:
    facts = []
    if found.vacancies.energy is not None:
        facts = [
            Fact("vacancy", "vacancy", found.vacancies.energy, "eV"),
            Fact("vacancy_unrelaxed", "vacancy, unrelaxed", found.vacancies.unrelaxed, "eV"),
        ]
    for one in found.surfaces:
        key, label = f"surface_{one.name.strip('()')}", f"surface {one.name}"
        facts += [
            Fact(key, label, one.energy * JOULE_PER_M2, "J/m²"),
            Fact(f"{key}_eV", label, one.energy, "eV/Å²"),
            Fact(f"{key}_unrelaxed", f"{label}, unrelaxed", one.unrelaxed * JOULE_PER_M2, "J/m²"),
        ]
    return facts


def _vacancy(found: Defects, reference: Defects | None) -> list[Number]:
    mine = found.vacancies
    if mine.energy is None or mine.unrelaxed is None:
        return []
    other = None if reference is None else reference.vacancies
    return [
        Number("vacancy", "vacancy", "eV", mine.energy, other and other.energy),
        Number("vacancy_unrelaxed", "vacancy, unrelaxed", "eV", mine.unrelaxed,
               other and other.unrelaxed),
    ]  # fmt: skip


def _surfaces(found: Defects, reference: Defects | None) -> list[Number]:
    numbers = []
    others: Sequence[Relaxed | None] = (
        [None] * len(found.surfaces) if reference is None else reference.surfaces
    )
    for one, other in zip(found.surfaces, others, strict=True):
        for kind in ("energy", "unrelaxed"):
            label = f"surface {one.name}" + (", unrelaxed" if kind == "unrelaxed" else "")
            numbers.append(
                Number(
                    f"surface_{one.name.strip('()')}_{kind}",
                    label,
                    "J/m²",
                    getattr(one, kind) * JOULE_PER_M2,
                    None if other is None else getattr(other, kind) * JOULE_PER_M2,
                )
            )
    return numbers


def _judgements(
    subject: Subject, found: Defects, reference: Defects | None, relaxed: Sequence[Number]
) -> list[Judgement]:
    vacancy = [one for one in relaxed if one.key == "vacancy"]
    surfaces = [one for one in relaxed if one.key != "vacancy"]
    judgements = [
        *judge_worst(subject, "vacancy", "Vacancy", vacancy, VACANCY_ADVICE),
        *judge_worst(subject, "surface", "Surfaces", surfaces, SURFACE_ADVICE),
    ]
    if wrong := [one.label for one in relaxed if not one.value > 0]:
        text = f"It costs no energy to make: {listed(wrong)}; the crystal would fall apart."
        judgements.append(Judgement(Level.BAD, text, f"{VACANCY_ADVICE} {SURFACE_ADVICE}"))
    elif relaxed:
        judgements.append(Judgement(Level.GOOD, "All formation energies are positive."))
    if moving := [name for name, one in found.all if not one.rest.reached]:
        text = f"The atoms have not come to rest: {listed(moving)}."
        advice = "Look at the force left: the energy may be uncertain, or without minimum nearby."
        judgements.append(Judgement(Level.DOUBTFUL, text, advice))
    if reference is None and relaxed:
        judgements.append(NO_REFERENCE)
    elif reference and (moving := [n for n, one in reference.all if not one.rest.reached]):
        text = f"With the reference, the atoms have not come to rest: {listed(moving)}."
        judgements.append(Judgement(Level.NOTE, text))
    if found.vacancies.energy is None:
        text = f"Vacancies were left out: the crystal has more than {MOST_SITES} kinds of atoms."
        judgements.append(Judgement(Level.NOTE, text))
    return judgements
