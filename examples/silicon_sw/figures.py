"""Figures 5 to 8 of the paper for all networks that have been trained, beside the reference.

python figures.py [OUTPUT.png]      after run.sh; without a name results/figures.png
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from table import read_reports

from panna.console import say
from panna.report.svg import COLOURS, STYLE, figure_of

REFERENCE = {"color": "black", "linestyle": "--", "linewidth": 1, "label": "Stillinger-Weber"}


def errors(axes, names: list[str], forces: bool) -> None:
    """Figure 5 as distributions: how many errors on the test set are larger than x."""
    for name, colour in zip(names, COLOURS, strict=False):
        # The tables of panna_evaluate: of frames, and of atoms
        (path,) = Path("results", name, "test").glob("*_forces.dat" if forces else "*[0-9].dat")
        if forces:
            values = np.loadtxt(path, usecols=range(2, 8))
            found = np.abs(values[:, :3] - values[:, 3:]).ravel()
        else:
            atoms, reference, predicted = np.loadtxt(path, usecols=(1, 2, 3)).T
            found = 1e3 * np.abs(predicted - reference) / atoms
        found = np.sort(found)
        shares = np.linspace(100, 0, len(found), endpoint=False)
        axes.plot(found, shares, color=colour, label=name)
    axes.set(yscale="log", ylabel="test set with larger errors (%)")
    axes.set(xlabel="force component (eV/Å)" if forces else "energy (meV/atom)")
    axes.set(title=f"5  errors of {'forces' if forces else 'energies'}")


def curves(reports: dict[str, dict]) -> Iterator[tuple[dict, dict[str, dict]]]:
    """Sections of each report, and how to draw potential and reference.

    The reference is the same in all reports: only that of the first one is drawn.
    """
    for k, (name, report) in enumerate(reports.items()):
        styles = {"potential": {"color": COLOURS[k], "linewidth": 1, "label": name}}
        yield report["sections"], styles | ({} if k else {"reference": REFERENCE})


def conservation(axes, reports: dict[str, dict], temperature: float) -> None:
    """Figure 6."""
    for sections, styles in curves(reports):
        for run in sections["nve"]["data"]["runs"]:
            of = "potential" if run["of"] == "potential" else "reference"
            # A run whose atoms flew apart has no curve.
            if run["temperature_K"] == temperature and of in styles and run["time_ps"]:
                style = styles[of] | {"linestyle": "-", "linewidth": 0.7}
                behind = {"color": "0.6", "zorder": 1} if of == "reference" else {}
                axes.plot(run["time_ps"], run["energy_meV_per_atom"], **style | behind)
    axes.set(xlabel="time (ps)", ylabel="total energy (meV/atom)")
    axes.set(title=f"6  constant energy, {temperature:g} K")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
    axes.legend(fontsize=7, ncols=2)


def radial(axes, reports: dict[str, dict], temperature: float) -> None:
    """Figure 7."""
    for sections, styles in curves(reports):
        for one in sections["rdf"]["data"]["temperatures"]:
            for of, style in styles.items():
                # A run whose atoms flew apart has no curve.
                if one["temperature_K"] == temperature and of in one:
                    (g,) = one[of]["g"].values()
                    axes.plot(one[of]["r_angstrom"], np.array(g, float), **style)
    axes.set(xlabel="r (Å)", ylabel="g(r)", title=f"7  pairs at {temperature:g} K")


def volumes(axes, reports: dict[str, dict]) -> None:
    """Figure 8: each from its own minimum."""
    for sections, styles in curves(reports):
        for of, style in styles.items():
            one = sections["equation_of_state"]["data"][of]
            above = np.array(one["energies_eV_per_atom"]) - one["minimum_eV_per_atom"]
            axes.plot(one["volumes_angstrom3_per_atom"], 1e3 * above, **style)
    axes.set(xlabel="volume (Å³/atom)", ylabel="energy (meV/atom)", title="8  E(V)")


def constants(axes, reports: dict[str, dict]) -> None:
    """Table 3: deviations of the elastic constants from the reference."""
    width = 0.8 / len(reports)
    for k, (name, report) in enumerate(reports.items()):
        rows = {
            row["of"]: row["deviation (%)"]
            for section, wanted in (
                ("elastic", ("C11", "C12", "C44")),
                ("equation_of_state", ("bulk modulus",)),
            )
            for row in report["sections"][section]["tables"]["comparison"]
            if row["of"] in wanted
        }
        places = np.arange(len(rows)) + (k + 0.5) * width - 0.4
        axes.bar(places, list(rows.values()), width, color=COLOURS[k], label=name)
        axes.set_xticks(range(len(rows)), ["B" if of.startswith("b") else of for of in rows])
    axes.axhspan(-1, 1, color="0.9", zorder=0)
    axes.set(ylabel="off Stillinger-Weber (%)", title="table 3")


def draw(reports: dict[str, dict]):
    sections = reports[next(iter(reports))]["sections"]
    nve = sorted({run["temperature_K"] for run in sections["nve"]["data"]["runs"]})
    rdf = [one["temperature_K"] for one in sections["rdf"]["data"]["temperatures"]]
    panels = [
        partial(errors, names=list(reports), forces=False),
        partial(errors, names=list(reports), forces=True),
        *(partial(conservation, reports=reports, temperature=t) for t in nve),
        *(partial(radial, reports=reports, temperature=t) for t in rdf),
        partial(volumes, reports=reports),
        partial(constants, reports=reports),
    ]
    lines = -(-len(panels) // 2)
    figure = figure_of(7.6, 2.4 * lines)
    places = figure.subplots(lines, 2, squeeze=False).ravel()
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(places, panels, strict=False):
        panel(axes)
        if axes.get_legend() is None:
            axes.legend(fontsize=7)
    return figure


def main() -> int:
    output = sys.argv[1] if len(sys.argv) > 1 else "results/figures.png"
    if not (reports := read_reports()):
        say("figures.py: no results yet; run run.sh first")
        return 2
    with matplotlib.rc_context(STYLE):
        draw(reports).savefig(output, dpi=120)
    say(f"Figures 5 to 8 of {', '.join(reports)} written to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
