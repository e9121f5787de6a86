"""Error of the mean of a committee against the spread of its members, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.evaluation.committee import Committee
from panna.evaluation.errors import References
from panna.evaluation.plots import MANY, RESOLUTION
from panna.files import atomic_write

# Of the palette of Okabe and Ito, told apart by colour-blind people, too.
BLUE, VERMILLION = "#0072B2", "#D55E00"
BINS = 10
FEWEST = 5  # points in a bin


def spread_plot(directory: Path, label: str) -> Path:
    """Path of the plot."""
    return directory / (f"{label}_spread.png" if label else "spread.png")


@dataclass(frozen=True)
class Panel:
    """Spreads and absolute errors (P,) of one quantity, all above zero and finite."""

    what: str
    unit: str
    spread: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, what: str, unit: str, spread: np.ndarray, error: np.ndarray) -> Panel | None:
        """What can be shown of some numbers; None if there is nothing."""
        # Zero has no place on a logarithmic axis.
        shown = np.isfinite(error) & (error != 0) & (spread > 0)
        return cls(what, unit, spread[shown], np.abs(error[shown])) if shown.any() else None


def plot_spread(path: Path, title: str, references: References, committee: Committee) -> bool:
    """Draws absolute errors against spreads of structures and force components.

    Returns:
      False if there is nothing to draw.
    """
    return draw_spread(path, title, _panels(references, committee))


def draw_spread(path: Path, title: str, panels: Sequence[Panel]) -> bool:
    """Draws absolute errors against spreads, see `figure_of_spread`.

    Returns:
      False if there is nothing to draw.
    """
    if not panels:
        return False
    figure = figure_of_spread(panels)
    figure.suptitle(title, fontsize=11)
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=RESOLUTION)
    return True


def figure_of_spread(panels: Sequence[Panel]):
    """Absolute errors against spreads, both on logarithmic axes, as a figure of matplotlib.

    Points show single structures or components; the squares are root mean squares of as many
    points each, ordered by their spread. With a spread as large as the error they lie on the line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * len(panels), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        _draw(axes, panel.spread, panel.error)
        axes.set(
            title=panel.what,
            xlabel=f"standard deviation of the members ({panel.unit})",
            ylabel=f"|error of the mean| ({panel.unit})",
        )
    return figure


def _panels(r: References, committee: Committee) -> list[Panel]:
    """Only what can be shown."""
    mean = committee.mean
    spread, error = committee.energy_std / r.n_atoms, (mean.energies - r.energies) / r.n_atoms
    found = [Panel.of("energies", "meV/atom", 1e3 * spread, 1e3 * error)]
    if committee.force_std is not None and mean.forces is not None:
        errors = (mean.forces - r.forces).ravel()
        found.append(Panel.of("force components", "eV/Å", committee.force_std.ravel(), errors))
    return [panel for panel in found if panel is not None]


def _draw(axes, spread: np.ndarray, error: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(spread.min(), error.min()), max(spread.max(), error.max())
    # The smallest of many errors are near zero by chance; they would fill the diagram.
    low = max(low, min(1e-3 * high, np.quantile(spread, 0.01))) / 1.5
    limits = low, 1.5 * high
    if len(spread) > MANY:
        axes.hexbin(
            spread, np.maximum(error, low), gridsize=70, bins="log", mincnt=1, xscale="log",
            yscale="log", extent=(*np.log10(limits), *np.log10(limits)), cmap="Blues", linewidths=0,
        )  # fmt: skip
    else:
        axes.plot(spread, error, "o", color=BLUE, markersize=3.5, alpha=0.5, markeredgewidth=0)
    axes.plot(limits, limits, color="0.4", linewidth=0.8)
    order = np.argsort(spread, kind="stable")
    parts = [p for p in np.array_split(order, BINS) if len(p) >= FEWEST]
    if parts:
        x, y = ([np.sqrt(np.mean(values[p] ** 2)) for p in parts] for values in (spread, error))
        axes.plot(x, y, "s-", color=VERMILLION, markersize=5, label=f"RMS of {len(parts)} bins")
        axes.legend(frameon=False, loc="upper left")
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if limits[1] < 200 * limits[0] else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
