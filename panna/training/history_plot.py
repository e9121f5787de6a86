"""Curves of trainings over epochs or steps, one panel for each quantity, as PNG, PDF or SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.files import atomic_write
from panna.training.history import TRAIN, VALIDATION, History

RESOLUTION = 200  # dots per inch
# Okabe and Ito, Color Universal Design (2008), without yellow, which vanishes on paper. Markers
# tell apart what colours do not; 7 colours and 8 markers make 56 different pairs.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^v<>P"
MARKS = 8  # markers on each curve
LINES = {TRAIN: "--", VALIDATION: "-"}
NAMES = {TRAIN: "training set", VALIDATION: "validation set"}
# What makes a file differ from one run of the program to the next.
CONSTANT = {".png": {}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


@dataclass(frozen=True)
class Quantity:
    """A panel. column: without train_ and validation_; factor: from the unit of the table."""

    column: str
    title: str
    factor: float = 1.0


def quantities(error: str) -> dict[str, Quantity]:
    """What can be shown, by name; error: RMSE or MAE."""
    e = error.lower()
    return {
        "loss": Quantity("loss", "loss"),
        "energy_loss": Quantity("energy_loss", "loss of energies"),
        "force_loss": Quantity("force_loss", "loss of forces"),
        "energy": Quantity(f"energy_{e}_eV_per_atom", f"energy {error} (meV/atom)", 1e3),
        "forces": Quantity(f"force_{e}_eV_per_angstrom", f"force {error} (eV/Å)"),
        "virial": Quantity(f"virial_{e}_eV_per_atom", f"virial {error} (meV/atom)", 1e3),
        "learning_rate": Quantity("learning_rate", "learning rate"),
    }


DEFAULT = ("loss", "energy", "forces", "virial", "learning_rate")


@dataclass(frozen=True)
class Curve:
    """x: epochs or steps; y: in the unit of the panel; data: TRAIN, VALIDATION, "" for neither."""

    label: str
    data: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Panel:
    title: str
    curves: tuple[Curve, ...]


def panels(
    histories: Sequence[History], names: Sequence[str], error: str = "RMSE", x: str = "epoch"
) -> list[Panel]:
    """What a picture of trainings shows; quantities that no training has are left out.

    Only positive numbers have a place on a logarithmic axis.

    Args:
      names: of `quantities`.
      x: "epoch" or "step".
    """
    known = quantities(error)
    found = [
        Panel(known[name].title, tuple(_curves(histories, known[name], x)))
        for name in dict.fromkeys(names)
    ]
    return [panel for panel in found if panel.curves]


def _curves(histories: Sequence[History], quantity: Quantity, x: str) -> Iterator[Curve]:
    for history in histories:
        if quantity.column == "learning_rate":
            columns = {"": history.columns["learning_rate"]}
        else:
            columns = {data: history.of(data, quantity.column) for data in LINES}
        for data, values in columns.items():
            shown = np.isfinite(values) & (values > 0)
            if shown.any():
                places = history.columns[x][shown]
                yield Curve(history.label, data, places, quantity.factor * values[shown])


def draw(path: Path, shown: Sequence[Panel], x: str = "epoch", log_x: bool = False) -> None:
    """Draws panels; the ending of the path is one of CONSTANT."""
    import matplotlib

    figure = figure_of_panels(shown, x, log_x)
    ending = path.suffix.lower()
    with matplotlib.rc_context({"svg.hashsalt": "panna"}), atomic_write(path, "wb") as file:
        figure.savefig(file, format=ending[1:], dpi=RESOLUTION, metadata=CONSTANT[ending])


def figure_of_panels(shown: Sequence[Panel], x: str = "epoch", log_x: bool = False):
    """Panels as a figure of matplotlib."""
    # Not pyplot: it would look for a screen and keep every figure in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(c.label for panel in shown for c in panel.curves))
    width = min(2, len(shown))
    height = -(-len(shown) // width)
    figure = Figure(figsize=(5.2 * width, 3.3 * height + 0.35), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(height, width, squeeze=False, sharex=True).ravel()
    for axes, panel in zip(grid, shown, strict=False):
        for curve in panel.curves:
            _draw_curve(axes, curve, labels.index(curve.label))
        axes.set(title=panel.title, yscale="log", xscale="log" if log_x else "linear")
        _ticks(axes, np.concatenate([curve.y for curve in panel.curves]))
        axes.set_xlabel(x)
        axes.tick_params(labelbottom=True)
        axes.grid(alpha=0.25)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    _legend(figure, labels, {c.data for panel in shown for c in panel.curves} - {""})
    return figure


def _draw_curve(axes, curve: Curve, number: int) -> None:
    axes.plot(
        curve.x, curve.y,
        linestyle=LINES.get(curve.data, "-"),
        linewidth=0.9 if curve.data == TRAIN else 1.4,
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)], markersize=4,
        markerfacecolor="white" if curve.data == TRAIN else COLOURS[number % len(COLOURS)],
        # The markers of different curves do not hide one another.
        markevery=(0 if len(curve.x) < 2 * MARKS else 2 * number % (len(curve.x) // MARKS),
                   max(1, len(curve.x) // MARKS)),
    )  # fmt: skip


def _ticks(axes, values: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = values.min(), values.max()
    if high < 1.1 * low:  # otherwise there would be no tick at all
        axes.set_ylim(0.5 * low, 2 * high)
    wide = high > 100 * low
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure, labels: Sequence[str], data: set[str]) -> None:
    """Below all panels: a marker for each training, a line for each set of frames."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[k % len(COLOURS)], marker=MARKERS[k % len(MARKERS)],
               markersize=5, label=label)
        for k, label in enumerate(labels)
    ] + [
        Line2D([], [], color="0.2", linestyle=style, label=NAMES[name])
        for name, style in LINES.items()
        if name in data
    ]  # fmt: skip
    longest = max(len(handle.get_label()) for handle in handles)
    figure.legend(
        handles=handles, loc="outside lower center", frameon=False, fontsize=9,
        ncols=max(1, min(len(handles), 100 // (longest + 10))),
    )  # fmt: skip
