"""A learning curve as a picture: errors over the number of training frames, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from panna.curves.analysis import Mean, PowerLaw
from panna.curves.plan import words
from panna.curves.report import Quantity, by_mode, by_size
from panna.curves.results import Result
from panna.files import atomic_write

RESOLUTION = 200  # dots per inch
# Okabe and Ito, Color Universal Design (2008); shapes differ too, for prints without colour.
STYLES = {"energies": ("#0072B2", "o"), "energies_forces": ("#D55E00", "s")}
PEER_MARKERS = "^vD<>P*"
FLOOR = 0.2  # of the mean: the lower end of an interval in the picture, where it reaches 0

Reference = tuple[str, int, float]


def draw(
    path: Path,
    title: str,
    results: Sequence[Result],
    panels: Sequence[tuple[Quantity, Sequence[Reference]]],
) -> bool:
    """Draws one panel for each quantity that is known.

    Args:
      panels: quantities, each with points of others: label, frames, error.
    Returns:
      False if there is nothing to draw.
    """
    # Not pyplot: it would look for a screen and keep every figure in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(q, peers) for q, peers in panels if not all(map(math.isnan, q.of(results)))]
    if not panels:
        return False
    figure = Figure(figsize=(5.2 * len(panels), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (quantity, peers) in zip(row, panels, strict=True):
        for mode, of_mode in by_mode(results).items():
            _draw_mode(axes, mode, of_mode, quantity)
        _draw_peers(axes, peers)
        _finish(axes, quantity, [r.size for r in results] + [n for _, n, _ in peers])
    figure.suptitle(title, fontsize=11)
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=RESOLUTION)
    return True


def _draw_mode(axes, mode: str, results: Sequence[Result], quantity: Quantity) -> None:
    colour, marker = STYLES[mode]
    sizes = list(by_size(results))
    means = [Mean.of(quantity.of(some)) for some in by_size(results).values()]
    values = np.array([m.mean for m in means])
    half = np.nan_to_num([m.half_width for m in means])
    label, law = words(mode), PowerLaw.fit([r.size for r in results], quantity.of(results))
    if law is not None:
        label += f", $N^{{{-law.exponent:.2f}}}$"
        ends = [min(sizes), max(sizes)]
        axes.plot(ends, [law(n) for n in ends], color=colour, linewidth=1.0, zorder=2)
    axes.plot(
        [r.size for r in results], quantity.of(results),
        linestyle="", marker=marker, markersize=3, color=colour, alpha=0.35, markeredgewidth=0,
    )  # fmt: skip
    axes.errorbar(
        sizes, values, yerr=[np.minimum(half, (1 - FLOOR) * values), half],
        fmt=marker, color=colour, markersize=6, capsize=3, linewidth=1.2, label=label, zorder=3,
    )  # fmt: skip


def _draw_peers(axes, peers: Sequence[Reference]) -> None:
    for number, label in enumerate(dict.fromkeys(label for label, _, _ in peers)):
        points = sorted((n, error) for one, n, error in peers if one == label)
        axes.plot(
            *zip(*points, strict=True), color="0.25", linestyle="--", linewidth=1.0, markersize=6,
            marker=PEER_MARKERS[number % len(PEER_MARKERS)], markerfacecolor="white", label=label,
        )  # fmt: skip


def _finish(axes, quantity: Quantity, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    unit = quantity.unit.replace("angstrom", "Å")
    axes.set(
        xscale="log", yscale="log",
        xlabel="training frames $N$", ylabel=f"{quantity.title} ({unit})",
    )  # fmt: skip
    axes.set_xticks(sorted(set(sizes)), [str(n) for n in sorted(set(sizes))])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    if high / low < 1000:  # few powers of ten in sight: numbers between them, too
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="both", alpha=0.2)
    handles, labels = axes.get_legend_handles_labels()
    peers = len(labels) - len(axes.containers)  # matplotlib lists lines before error bars
    order = [*range(peers, len(labels)), *range(peers)]
    axes.legend([handles[k] for k in order], [labels[k] for k in order], frameon=False, fontsize=9)
