"""What the sections about the crystal share: the crystal at rest with potential and reference, and
the comparison of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ase import Atoms

from panna.extras import missing, pip_install
from panna.report.content import Fact, Table
from panna.report.level import Level
from panna.validation.crystals.relax import NotAtRest, relaxed_crystal
from panna.validation.section import Content, Judgement, NotPossible
from panna.validation.subject import Subject

T = TypeVar("T")

NO_REFERENCE = Judgement(
    Level.NOTE,
    "No reference is known: give a potential or numbers in [REFERENCE] to judge these numbers.",
)


def of_crystal(
    subject: Subject,
    calculate: Callable[[Atoms], T],
    tell: Callable[[Subject, T, T | None], Content],
    *modules: str,
) -> Content:
    """What `tell` makes of what `calculate` finds with the potential and with the reference.

    Args:
      calculate: of the primitive cell at rest, with a calculator.
      modules: that it needs, beside spglib.
    Raises:
      NotPossible: there is no crystal, or a module is missing.
    """
    given = subject.crystal
    require("spglib", *modules)
    from panna.validation.crystals.cells import primitive_cell

    crystal = primitive_cell(given)

    def found_with(calculator) -> T:
        crystal.calc = calculator
        return calculate(relaxed_crystal(crystal))

    try:
        potential = found_with(subject.calculator())
    except NotAtRest as reason:
        return Content(judgements=[_not_at_rest(reason)])
    calculator = subject.reference_calculator()
    if calculator is None:
        return tell(subject, potential, None)
    try:
        return tell(subject, potential, found_with(calculator))
    except NotAtRest as reason:
        content = tell(subject, potential, None)
        text = f"The crystal could not be calculated with the reference: {reason}."
        note = Judgement(Level.DOUBTFUL, text, "Check [REFERENCE] and the structure in [CRYSTAL].")
        return replace(content, judgements=[*content.judgements, note])


def _not_at_rest(reason: NotAtRest) -> Judgement:
    return Judgement(
        Level.BAD,
        f"The potential does not hold this crystal: {reason}.",
        "Check the structure in [CRYSTAL]; add frames of this crystal, strained and with displaced "
        "atoms, to the training set.",
    )


def require(*modules: str) -> None:
    """To be called before they are imported.

    Raises:
      NotPossible: one is not installed.
    """
    if name := missing(*modules):
        raise NotPossible(f"{name} is not installed; {pip_install('validate')}")


@dataclass(frozen=True)
class Number:
    """A number of the potential beside others.

    reference: with the reference potential. known: of the ini file. None where there is none.
    scale: what a difference is divided by in place of the number compared with, which may be small.
    """

    key: str
    label: str
    unit: str
    value: float
    reference: float | None = None
    known: float | None = None
    scale: float | None = None

    @property
    def compared_with(self) -> float | None:
        """The reference, else what is known."""
        return self.known if self.reference is None else self.reference

    @property
    def deviation(self) -> float | None:
        """Percent, positive where the potential's number is larger; None without a reference."""
        other = self.compared_with
        if other is None:
            return None
        scale = abs(other) if self.scale is None else self.scale
        return 100 * (self.value - other) / scale if scale > 0 else None


def facts(those: Sequence[Number]) -> list[Fact]:
    """The potential's numbers."""
    return [Fact(one.key, one.label, one.value, one.unit) for one in those]


def comparison(subject: Subject, those: Sequence[Number]) -> list[Table]:
    """All numbers beside those they are compared with; empty without a reference."""
    if all(one.compared_with is None for one in those):
        return []
    columns = {
        subject.config["REFERENCE"]["name"]: [one.reference for one in those],
        "known": [one.known for one in those],
        "deviation (%)": [one.deviation for one in those],
    }
    columns = {key: values for key, values in columns.items() if set(values) != {None}}
    rows = [
        [one.label, one.unit, one.value, *rest]
        for one, rest in zip(those, zip(*columns.values(), strict=True), strict=True)
    ]
    return [
        Table("comparison", "Beside the reference", ["of", "unit", "potential", *columns], rows)
    ]


def judge_worst(
    subject: Subject, key: str, what: str, those: Sequence[Number], advice: str
) -> list[Judgement]:
    """Of the largest deviation; empty without a reference."""
    known = [(abs(one.deviation), one) for one in those if one.deviation is not None]
    if not known:
        return []
    deviation, worst = max(known, key=lambda pair: pair[0])
    name = f"{what}, worst {worst.label}" if len(known) > 1 else what
    return [subject.judge(key, deviation, f"{name}, deviation from the reference", advice)]
