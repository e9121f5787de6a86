"""Energy over volume: volume at rest and bulk modulus."""

from __future__ import annotations

from functools import partial

from panna.report.content import Fact, Plot
from panna.report.level import Level
from panna.validation.crystals.comparison import NO_REFERENCE, Number, comparison, facts, of_crystal
from panna.validation.crystals.volume_curve import VolumeCurve, volume_curve
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

ADVICE = "Add cells of this crystal, compressed and expanded, with their energies and stresses."


@section(
    "equation_of_state",
    "Equation of state",
    "The crystal is relaxed, atoms and cell, with its symmetry; then its volume is changed. "
    "Atoms and the shape of the cell follow, as far as the symmetry lets them. Volume and bulk "
    "modulus are those of a Birch-Murnaghan fit to the inner half of the strains; "
    "how smooth the curve is, of a fit to all.",
)
def equation_of_state(subject: Subject) -> Content:
    """Volume, bulk modulus and the curve."""
    strain = subject.config["CRYSTAL"]["strain"]
    return of_crystal(subject, partial(volume_curve, strain=strain), _tell)


def _tell(subject: Subject, curve: VolumeCurve, reference: VolumeCurve | None) -> Content:
    known = subject.config["REFERENCE"]

    def number(key: str, label: str, unit: str) -> Number:
        other = None if reference is None else getattr(reference, key)
        return Number(key, label, unit, getattr(curve, key), other, known[key])

    volume = number("volume", "volume per atom", "Å³")
    modulus = number("bulk_modulus", "bulk modulus", "GPa")
    lengths = ", ".join(f"{x:.4f}" for x in curve.cell[:3])
    angles = ", ".join(f"{x:.4g}" for x in curve.cell[3:])
    return Content(
        [
            Fact("cell_lengths", "sides of the conventional cell", lengths, "Å"),
            Fact("cell_angles", "its angles", angles, "°"),
            Fact("energy", "energy at rest", curve.energy, "eV/atom"),
            *facts([volume, modulus]),
            Fact("roughness", "root mean square distance from the fit", curve.roughness, "%"),
        ],
        comparison(subject, [volume, modulus]),
        [_plot(subject, curve, reference)],
        _judgements(subject, curve, volume, modulus),
        _data(curve, reference),
    )


def _judgements(
    subject: Subject, curve: VolumeCurve, volume: Number, modulus: Number
) -> list[Judgement]:
    found = []
    for one, what in ((volume, "Volume at rest"), (modulus, "Bulk modulus")):
        if one.deviation is not None:
            text = f"{what}, deviation from the reference"
            found.append(subject.judge(one.key, abs(one.deviation), text, ADVICE))
    text = "Energies over volume, distance from a smooth curve"
    found.append(subject.judge("roughness", curve.roughness, text, ADVICE))
    if curve.bulk_modulus <= 0:
        found.append(Judgement(Level.BAD, "The bulk modulus is negative.", ADVICE))
    if curve.minima != 1:
        text = f"The energy has {curve.minima} minima over the volume; a crystal has one."
        found.append(Judgement(Level.DOUBTFUL, text, ADVICE))
    if volume.compared_with is None and modulus.compared_with is None:
        found.append(NO_REFERENCE)
    return found


def _plot(subject: Subject, curve: VolumeCurve, reference: VolumeCurve | None) -> Plot:
    from panna.report.svg import COLOURS, MARKERS, figure_of, svg

    curves = [("potential", curve, "-")]
    if reference is not None:
        curves.append((subject.config["REFERENCE"]["name"], reference, "--"))

    def draw():
        figure = figure_of(6.0, 3.6)
        axes = figure.subplots()
        for number, (label, one, line) in enumerate(curves):
            axes.plot(
                one.volumes,
                1e3 * (one.energies - one.energy),
                MARKERS[number] + line,
                color=COLOURS[number],
                markersize=3.5,
                fillstyle="none" if number else "full",
                label=label,
            )
        axes.set(xlabel="volume per atom (Å³)", ylabel="energy above rest (meV/atom)")
        axes.legend()
        return figure

    return Plot(svg("volume-curve", draw), "Energy over volume, each from its own minimum.")


def _data(curve: VolumeCurve, reference: VolumeCurve | None) -> dict:
    data = {"strains": curve.strains.tolist(), "potential": _lists(curve)}
    return data if reference is None else data | {"reference": _lists(reference)}


def _lists(curve: VolumeCurve) -> dict:
    return {
        "volumes_angstrom3_per_atom": curve.volumes.tolist(),
        "energies_eV_per_atom": curve.energies.tolist(),
        "minimum_eV_per_atom": curve.energy,
        "minima": curve.minima,
    }
