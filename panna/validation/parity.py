"""Parity plots, and distributions of errors, coloured by kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panna.report.content import Plot
from panna.report.svg import COLOURS, MARKERS, OTHERS, figure_of, svg

MANY = 2000  # points; more are put into the SVG as an image
MOST_KINDS = len(COLOURS)


def parity_plot(
    name: str,
    reference: np.ndarray,
    predicted: np.ndarray,
    kinds: np.ndarray,
    quantity: str,
    unit: str,
    caption: str,
) -> Plot | None:
    """Predicted against reference, and the histogram of the differences.

    Args:
      name: of the plot, for its ids in the page.
      reference, predicted: (n,); pairs with nan are left out.
      kinds: (n,) texts, one colour and marker for each; those with the fewest points share one.
    Returns:
      None if there is nothing to draw.
    """
    known = np.isfinite(reference) & np.isfinite(predicted)
    if not known.any():
        return None
    x, y, kinds = reference[known], predicted[known], kinds[known].astype(str)

    def draw():
        figure = figure_of(7.2, 3.3)
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
        low, high = min(x.min(), y.min()), max(x.max(), y.max())
        left.plot([low, high], [low, high], color="0.3", linewidth=0.8, zorder=0)
        for label, which, colour, marker in _layers(kinds):
            left.plot(
                x[which], y[which], marker, color=colour, markersize=3, alpha=0.6,
                markeredgewidth=0, label=label, rasterized=len(x) > MANY, linestyle="none",
            )  # fmt: skip
        left.set(xlabel=f"reference {quantity} ({unit})", ylabel=f"predicted {quantity} ({unit})")
        if len(np.unique(kinds)) > 1:
            left.legend(fontsize=7, markerscale=1.5)
        difference = y - x
        right.hist(difference, bins=min(60, max(10, len(x) // 10)), color=COLOURS[0], log=True)
        right.set(xlabel=f"predicted − reference ({unit})", ylabel="how many")
        right.axvline(0, color="0.3", linewidth=0.8)
        return figure

    return Plot(svg(name, draw), caption)


def _layers(kinds: np.ndarray) -> list[tuple[str, np.ndarray, str, str]]:
    """Label, which points, colour and marker; those with most points are drawn first."""
    names, counts = np.unique(kinds, return_counts=True)
    order: Sequence[str] = names[np.argsort(-counts, kind="stable")].tolist()
    if len(order) > MOST_KINDS:
        shown = order[: MOST_KINDS - 1]
        rest = ~np.isin(kinds, shown)
        layers = [(f"{len(order) - len(shown)} others", rest, OTHERS, ".")]
        order = list(shown)
    else:
        layers = []
    styles = zip(order, COLOURS, MARKERS, strict=False)
    named = [(name or "(none)", kinds == name, colour, mark) for name, colour, mark in styles]
    return [*named, *layers]
