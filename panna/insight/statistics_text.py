"""Descriptors as plain text: columns separated by blanks, the first line names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from panna.descriptors.components import Component, to_degrees
from panna.insight.statistics import Statistics
from panna.storage.record import DescriptorRecord

WHAT = ("component", "kind", "neighbours", "r_angstrom", "theta_degrees", "eta", "zeta", "lambda")
NUMBERS = ("mean", "std", "min", "max", "state")
NOTHING = "-"


def symbol_of(species: Sequence[str], index: int) -> str:
    """Symbol of a species, or its number (from 0) where the symbols are not known."""
    return species[index] if index < len(species) else str(index)


def average_lines(
    statistics: Statistics, species: Sequence[str], components: Sequence[Component] | None
) -> Iterator[str]:
    """One line for each species and component, behind the line of titles.

    Args:
      species: symbols by index; empty if not known.
      components: what the components stand for; None if not known.
    """
    yield "# species atoms " + " ".join((*WHAT, *NUMBERS))
    for index, moments in sorted(statistics.by_species.items()):
        head = f"{symbol_of(species, index)} {moments.count}"
        table = zip(
            moments.mean, moments.std, moments.low, moments.high, moments.constant, strict=True
        )
        for number, (mean, std, low, high, constant) in enumerate(table):
            what = describe(number, None if components is None else components[number])
            values = " ".join(f"{value:.8e}" for value in (mean, std, low, high))
            yield f"{head} {what} {values} {'constant' if constant else 'varies'}"


def describe(number: int, component: Component | None) -> str:
    """The columns WHAT of a component; number: from 0."""
    if component is None:
        return f"{number + 1} " + " ".join([NOTHING] * (len(WHAT) - 1))
    theta = None if component.theta is None else to_degrees(component.theta)
    cells = (component.r_s, theta, component.eta, component.zeta, component.sign)
    texts = [NOTHING if value is None else f"{value:.8g}" for value in cells]
    return " ".join((str(number + 1), component.kind, "-".join(component.neighbours), *texts))


def atom_titles(size: int, components: Sequence[Component] | None) -> Iterator[str]:
    """What stands above the lines of atoms: what each column G1, G2, ... is."""
    yield "# columns: frame atom species G1 .. G" + str(size)
    yield "# " + " ".join(WHAT)
    for number in range(size):
        yield f"# {describe(number, None if components is None else components[number])}"


def atom_lines(record: DescriptorRecord, species: Sequence[str]) -> Iterator[str]:
    """One line for each atom, numbered from 1; nine digits give float32 back exactly."""
    name = "_".join(record.name.split()) or NOTHING
    for atom, (index, values) in enumerate(
        zip(record.species, record.descriptors, strict=True), start=1
    ):
        numbers = " ".join(f"{value:.9g}" for value in np.asarray(values, np.float64))
        yield f"{name} {atom} {symbol_of(species, int(index))} {numbers}"


def dead(
    statistics: Statistics, species: Sequence[str], components: Sequence[Component] | None
) -> dict[str, list[str]]:
    """Symbol of a species -> names of the components that never change; only where there are some.

    A single atom says nothing, and a value of 0 in all atoms is named as such.
    """
    found = {}
    for index, moments in sorted(statistics.by_species.items()):
        if moments.count < 2 or not moments.constant.any():
            continue
        names = []
        for number in np.flatnonzero(moments.constant):
            name = f"{number + 1}"
            if components is not None:
                name += f" ({components[number]})"
            names.append(f"{name} = {moments.mean[number]:.3g}")
        found[symbol_of(species, index)] = names
    return found
