"""Phonons: band structure, stability."""

from __future__ import annotations

from functools import partial

import numpy as np

from panna.report.content import Fact, Plot
from panna.report.level import Level
from panna.validation.crystals.cells import primitive_cell
from panna.validation.crystals.comparison import NO_REFERENCE, of_crystal, require
from panna.validation.crystals.phonon_bands import Bands, Path, bands, path_of
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

ADVICE = "Add frames of this crystal with displaced atoms, as from molecular dynamics at 300 K."
UNSTABLE = (
    "If the crystal is stable, add frames of it with displaced atoms in cells that this wave fits "
    "into."
)


@section(
    "phonons",
    "Phonons",
    "Frequencies from the forces on displaced atoms in a supercell of the relaxed crystal, without "
    "long-range electrostatics. Imaginary frequencies are shown as negative: along them the energy "
    "falls, the crystal is not stable. They are looked for on the path and on a mesh; the acoustic "
    "modes close to Γ are left aside.",
)
def phonons(subject: Subject) -> Content:
    """Of the primitive cell along the standard path."""
    crystal = subject.crystal
    require("spglib", "phonopy")
    path = path_of(primitive_cell(crystal))
    length = subject.config["CRYSTAL"]["phonon_length"]
    calculate = partial(bands, path=path, length=length)
    return of_crystal(subject, calculate, partial(_tell, path))


def _tell(path: Path, subject: Subject, found: Bands, reference: Bands | None) -> Content:
    facts = [
        Fact("atoms", "atoms of the supercell", found.atoms),
        Fact("displacements", "displacements", found.displacements),
        Fact("highest", "largest frequency", found.highest, "THz"),
        Fact("lowest", "lowest frequency", found.lowest, "THz"),
        Fact("lowest_at", "its wave vector", _vector(found)),
    ]
    data = {
        "points_reciprocal_vectors": path.points.tolist(),
        "path_per_angstrom": path.x.tolist(),
        "labels": [{"path_per_angstrom": x, "label": name} for x, name in path.ticks],
        "frequencies_THz": found.frequencies.tolist(),
    }
    if reference is not None:
        facts += [
            Fact("reference_highest", "largest frequency of the reference", reference.highest,
                 "THz"),
            Fact("reference_lowest", "lowest frequency of the reference", reference.lowest, "THz"),
            Fact("rms", "RMS deviation from the reference", _rms(found, reference), "THz"),
        ]  # fmt: skip
        data["reference_frequencies_THz"] = reference.frequencies.tolist()
    return Content(
        facts,
        plots=[_plot(subject, path, found, reference)],
        judgements=_judgements(subject, found, reference),
        data=data,
    )


def _rms(found: Bands, reference: Bands) -> float:
    return float(np.sqrt(np.mean((found.frequencies - reference.frequencies) ** 2)))


def _vector(found: Bands) -> str:
    return "({})".format(" ".join(f"{x:.3g}" for x in found.lowest_at))


def _judgements(subject: Subject, found: Bands, reference: Bands | None) -> list[Judgement]:
    imaginary = max(0.0, -found.lowest)
    text = "Imaginary frequencies"
    if imaginary > 0:
        text += f", largest at the wave vector {_vector(found)}"
    judgements = [subject.judge("imaginary", imaginary, text, UNSTABLE)]
    if reference is None:
        return [*judgements, NO_REFERENCE]
    share = 100 * _rms(found, reference) / reference.highest
    text = "Phonons along the path, RMS deviation from the reference, of its largest frequency"
    judgements.append(subject.judge("phonon", share, text, ADVICE))
    if reference.lowest < -subject.config["THRESHOLDS"]["imaginary"][0]:
        text = f"The reference, too, has imaginary frequencies: {-reference.lowest:.3g} THz."
        judgements.append(Judgement(Level.NOTE, text))
    return judgements


def _plot(subject: Subject, path: Path, found: Bands, reference: Bands | None) -> Plot:
    from panna.report.svg import COLOURS, figure_of, svg

    drawn = [("potential", found, {"color": COLOURS[0], "linewidth": 1.2})]
    if reference is not None:
        style = {"color": COLOURS[1], "linewidth": 1.2, "linestyle": (0, (4, 2))}
        drawn.append((subject.config["REFERENCE"]["name"], reference, style))
    # Where the path jumps, two points have one place.
    jumps = np.flatnonzero(np.diff(path.x) == 0) + 1

    def draw():
        figure = figure_of(7.2, 3.8)
        axes = figure.subplots()
        for label, one, style in drawn:
            parts = zip(np.split(path.x, jumps), np.split(one.frequencies, jumps), strict=True)
            for number, (x, values) in enumerate(parts):
                lines = axes.plot(x, values, **style)
                if number == 0:
                    lines[0].set_label(label)
        axes.axhline(0, color="0.3", linewidth=0.6)
        places, names = zip(*path.ticks, strict=True)
        axes.set_xticks(places, names)
        axes.set(ylabel="frequency (THz)", xlim=(path.x[0], path.x[-1]))
        axes.grid(visible=False, axis="y")
        if len(drawn) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        return figure

    lines = "" if reference is None else "; lines: potential, dashed: reference"
    return Plot(
        svg("phonons", draw),
        f"Phonons between points of high symmetry{lines}. Negative: imaginary.",
    )
