"""The functions of a descriptor, with the distances and angles of data behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.insight.curves import Curves, Family, curves
from panna.insight.geometry import Geometry, Histogram
from panna.insight.picture import picture, shades, style

Labelled = list[tuple[str, Histogram]]

WIDTH, ROW = 13.0, 3.4  # inches
FILLED = 3  # histograms in one panel; more are drawn as lines only
TITLES = (
    ("radial functions", "distance $r_{ij}$ (Å)", "contribution of a neighbour"),
    ("angular functions", "angle $\\theta_{jik}$ (degrees)", "relative to the maximum"),
    ("angular-radial functions", "mean distance $(r_{ij}+r_{ik})/2$ (Å)", "relative to the centre"),
)


def histograms(geometry: Geometry, centre: str) -> tuple[Labelled, Labelled, Labelled]:
    """What is behind the curves for centres of one species.

    Returns:
      distances by neighbour, angles and mean distances by pair of neighbours; those that hold
      something.
    """
    species = geometry.distances.species
    pairs = [(one, other) for i, one in enumerate(species) for other in species[i:]]
    distances = [(f"{centre}–{s}", geometry.distances.of_pair(centre, s)) for s in species]
    angles = [
        (f"{one}–{centre}–{other}", geometry.angles.angles_of(centre, one, other))
        for one, other in pairs
    ]
    radii = [
        (f"{one}–{centre}–{other}", geometry.angles.radii_of(centre, one, other))
        for one, other in pairs
    ]
    return tuple([(n, h) for n, h in some if h.counts.any()] for some in (distances, angles, radii))


def draw_resolution(path: Path, title: str, parameters, geometry: Geometry | None = None) -> None:
    """Draws a row of three panels, or with data one row for each species of the centre.

    Args:
      path: .png, .pdf or .svg.
      parameters: MBP or BP.
      geometry: distances up to Rc_rad and angles within Rc_ang.
    """
    functions = curves(parameters)
    names = [None]
    if geometry is not None:
        counts = zip(geometry.distances.species, geometry.distances.centres, strict=True)
        names = [symbol for symbol, count in counts if count] or [None]
    with picture(path, WIDTH, ROW * len(names) + 0.6) as figure:
        grid = figure.subplots(len(names), 3, squeeze=False)
        for row, (name, panels) in enumerate(zip(names, grid, strict=True)):
            behind = ([], [], []) if name is None else histograms(geometry, name)
            _draw_row(panels, functions, behind, name, last=row == len(names) - 1)
        if geometry is not None:
            title += "; histograms of the data behind, all scaled to the same height"
        figure.suptitle(title, fontsize=11)


def _draw_row(panels, functions: Curves, behind, name: str | None, last: bool) -> None:
    families = (functions.radial, functions.angular, functions.mean_radius)
    factors = (1.0, 180 / np.pi, 1.0)
    for axes, family, factor, data, (title, x, y) in zip(
        panels, families, factors, behind, TITLES, strict=True
    ):
        _draw_data(axes, data, factor, family)
        _draw_family(axes, family, factor)
        axes.set(title=title if name is None else f"{title}, {name} at the centre", ylabel=y)
        axes.grid(alpha=0.2)
        if last:
            axes.set_xlabel(x)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize=7, ncols=1 if len(data) <= 6 else 2)
    panels[1].set_xticks(range(0, 181, 30))


def _draw_family(axes, family: Family, factor: float) -> None:
    x = family.x * factor
    highest = max(1.0, family.y.max())
    for y, colour in zip(family.y, shades(len(family.y)), strict=True):
        axes.plot(x, y, color=colour, linewidth=1.1, zorder=3)
    if np.ptp(family.cutoff) > 0:
        axes.plot(
            x, family.cutoff, color="black", linestyle=(0, (6, 2)), linewidth=1.0, zorder=4,
            label="cutoff function",
        )  # fmt: skip
    axes.set(xlim=(0, x[-1] if np.ptp(family.cutoff) else 180), ylim=(0, 1.05 * highest))


def _draw_data(axes, data: Labelled, factor: float, family: Family) -> None:
    """Histograms, each scaled to the height of the panel: shapes are compared, not counts."""
    highest = max(1.0, family.y.max())
    for number, (label, histogram) in enumerate(data):
        look = style(number)
        heights = histogram.counts * (highest / histogram.counts.max())
        edges = histogram.edges * factor
        if len(data) <= FILLED:
            axes.stairs(heights, edges, fill=True, color=look["color"], alpha=0.25, zorder=1)
        axes.stairs(
            heights, edges, color=look["color"], linestyle=look["linestyle"], linewidth=0.9,
            alpha=0.9, zorder=2, label=label,
        )  # fmt: skip
