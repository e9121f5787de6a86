"""The plots of the report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from textwrap import shorten

import numpy as np

from panna.doctor.checks.runs import steps_of_runs
from panna.doctor.runs import slope
from panna.doctor.statistics import FORCE_BINS, Statistics
from panna.doctor.thresholds import Thresholds
from panna.frames.radii import radii_sum
from panna.report.svg import COLOURS, MARKERS, OTHERS, figure_of, svg

MANY = 2000  # points; more are put into the SVG as an image
MOST_BARS = 25
MOST_PAIRS = 12


def _drawn(draw):
    """A function that draws on a figure, or returns None, as one that gives its SVG."""

    def drawn(statistics: Statistics, thresholds: Thresholds) -> str | None:
        name = draw.__name__.replace("_", "-")
        return svg(name, partial(draw, statistics, thresholds))

    drawn.__name__ = draw.__name__
    return drawn


def _logarithmic(axis) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


@_drawn
def composition_bars(s: Statistics, t: Thresholds):
    counts = Counter(s.rows["composition"].tolist())
    bars = [(s.formulas[c], n) for c, n in counts.most_common(MOST_BARS)]
    if len(counts) > MOST_BARS:
        others = len(counts) - MOST_BARS
        bars.append((f"{others} others", len(s) - sum(n for _, n in bars)))
    figure = figure_of(7.2, 0.8 + 0.22 * len(bars))
    axes = figure.subplots()
    places = np.arange(len(bars))
    axes.barh(places, [n for _, n in bars], color=COLOURS[0], height=0.7)
    for place, (_, n) in zip(places, bars, strict=True):
        axes.annotate(f" {n}", (n, place), va="center", fontsize=8)
    axes.set_yticks(places, [name for name, _ in bars])
    axes.set(xlabel="frames", ylim=(len(bars) - 0.4, -0.6))
    axes.margins(x=0.1)
    axes.grid(axis="y", visible=False)
    return figure


@_drawn
def composition_shifts(s: Statistics, t: Thresholds):
    shifts = s.shifts
    if shifts is None or shifts.untold:
        return None
    order = np.argsort(shifts.residuals, kind="stable")
    figure = figure_of(7.2, 3.0)
    axes = figure.subplots()
    places = np.arange(len(order))
    can = shifts.testable[order]
    for which, colour, marker, label in (
        (can, COLOURS[0], "o", "compositions"),
        (~can, COLOURS[1], "^", "that alone fix a reference energy"),
    ):
        if which.any():
            axes.plot(
                places[which], shifts.residuals[order][which], marker, color=colour, markersize=4,
                label=label,
            )  # fmt: skip
    limit = t.composition_factor * shifts.spread
    if np.abs(shifts.residuals).max() > 0.2 * limit:
        for sign in (-1, 1):
            axes.axhline(
                sign * limit, color="0.3", linestyle="--", linewidth=0.9,
                label="threshold" if sign == 1 else None,
            )  # fmt: skip
    axes.set(xlabel="compositions, in this order", ylabel="low energy − reference\n(eV/atom)")
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


@_drawn
def distances(s: Statistics, t: Thresholds):
    pairs = sorted(s.pairs.counts, key=lambda pair: s.pairs.shortest[pair][0] / radii_sum(pair))[
        :MOST_PAIRS
    ]
    if not pairs:
        return None
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = figure_of(2.6 * columns if columns > 1 else 4.8, 0.3 + 1.7 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes, pair in zip(grid.flat, pairs, strict=False):
        r, density = s.pairs.density(pair)
        axes.plot(r, density, color=COLOURS[0], linewidth=0.9)
        axes.fill_between(r, density, color=COLOURS[0], alpha=0.2, linewidth=0)
        axes.axvline(t.close * radii_sum(pair), color=COLOURS[1], linestyle="--", linewidth=1.2)
        axes.axvline(s.pairs.shortest[pair][0], color="0.2", linestyle=":", linewidth=1.2)
        axes.set_title("-".join(pair), fontsize=9)
        axes.set(xlim=(0, r[-1]), ylim=(0, None))
        axes.locator_params(axis="y", nbins=4)
    figure.supxlabel("distance (Å)", fontsize=9)
    figure.supylabel("neighbours per Å³", fontsize=9)
    return figure


@_drawn
def energy_histogram(s: Statistics, t: Thresholds):
    known = np.isfinite(s.residuals)
    if not known.any():
        return None
    figure = figure_of(7.2, 3.0)
    axes = figure.subplots()
    values = s.residuals[known]
    bins = np.linspace(*_span(values), 81)
    lots = _groups(s, known)
    axes.hist(
        [s.residuals[which] for _, which in lots], bins, stacked=True,
        color=[_colour(k, name) for k, (name, _) in enumerate(lots)],
        label=[name for name, _ in lots],
    )  # fmt: skip
    if _has_rare_bins(values, bins):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        _logarithmic(axes.yaxis)
    axes.set(xlabel="energy − reference energies (eV/atom)", ylabel="frames")
    _legend(axes, lots)
    return figure


@_drawn
def energy_of_volume(s: Statistics, t: Thresholds):
    known = np.isfinite(s.residuals) & np.isfinite(s.rows["volume"])
    if known.sum() < 2:
        return None
    figure = figure_of(7.2, 4.0)
    axes = figure.subplots()
    volumes = s.rows["volume"] / s.rows["atoms"]
    lots = _groups(s, known)
    for k, (name, which) in enumerate(lots):
        axes.plot(
            volumes[which], s.residuals[which], _marker(k, name), color=_colour(k, name),
            markersize=3.5, markeredgewidth=0.6 if _marker(k, name) == "x" else 0, alpha=0.7,
            label=name,
            rasterized=known.sum() > MANY,
        )  # fmt: skip
    if volumes[known].max() > 20 * volumes[known].min():
        axes.set_xscale("log")
        _logarithmic(axes.xaxis)
    axes.set(xlabel="volume per atom (Å³)", ylabel="energy − reference energies (eV/atom)")
    _legend(axes, lots)
    return figure


@_drawn
def force_histogram(s: Statistics, t: Thresholds):
    if not s.forces:
        return None
    figure = figure_of(7.2, 3.0)
    axes = figure.subplots()
    edges = 10.0**FORCE_BINS
    symbols = [symbol for symbol, _ in s.survey.species.most_common() if symbol in s.forces]
    for k, symbol in enumerate(symbols):
        counts = s.forces[symbol].astype(float)
        # What is exactly zero is told in words; the lowest bin would only show it again.
        counts[0] = 0.0
        colour = COLOURS[k] if k < len(COLOURS) else OTHERS
        style = ("-", "--", "-.", ":")[k % 4]
        axes.stairs(counts, edges, color=colour, linestyle=style, label=symbol, linewidth=1.3)
    used = np.flatnonzero(sum(s.forces[x] for x in symbols)[1:]) + 1
    if len(used):
        axes.set_xlim(edges[used[0]], edges[used[-1] + 1] * 1.2)
    axes.set(xscale="log", yscale="log", xlabel="force on an atom (eV/Å)", ylabel="atoms")
    axes.set_ylim(bottom=0.7)
    _logarithmic(axes.xaxis)
    _logarithmic(axes.yaxis)
    axes.legend(ncols=1 + len(symbols) // 8)
    return figure


@_drawn
def work_of_runs(s: Statistics, t: Thresholds):
    kinds = [(w, steps_of_runs(s, w)) for w in (False, True)]
    kinds = [(strained, frames) for strained, frames in kinds if len(frames)]
    if not kinds:
        return None
    figure = figure_of(3.6 * len(kinds) if len(kinds) > 1 else 4.4, 3.6)
    panels = np.atleast_1d(figure.subplots(1, len(kinds)))
    for axes, (strained, frames) in zip(panels, kinds, strict=True):
        work, lost = 1e3 * s.rows["work"][frames], 1e3 * s.rows["lost"][frames]
        reach = 1.05 * max(np.abs(work).max(), np.abs(lost).max())
        axes.plot([-reach, reach], [-reach, reach], color="0.3", linewidth=0.9, label="slope 1")
        axes.plot(
            work, lost, "o", color=COLOURS[0], markersize=3.5, markeredgewidth=0, alpha=0.6,
            rasterized=len(frames) > MANY, label=f"slope {slope(work, lost):.3f}",
        )  # fmt: skip
        axes.set(
            xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal",
            xlabel=f"work of forces{' and virial' if strained else ''} (meV)",
            ylabel="energy lost (meV)", title="changing cell" if strained else "same cell",
        )  # fmt: skip
        axes.legend(loc="upper left")
    return figure


@_drawn
def pressure_histogram(s: Statistics, t: Thresholds):
    pressures = s.rows["pressure"][np.isfinite(s.rows["pressure"])]
    if len(pressures) < 2:
        return None
    figure = figure_of(7.2, 2.4)
    axes = figure.subplots()
    bins = np.linspace(*_span(pressures), 81)
    axes.hist(pressures, bins, color=COLOURS[0])
    if _has_rare_bins(pressures, bins):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        _logarithmic(axes.yaxis)
    axes.set(xlabel="pressure (GPa)", ylabel="frames")
    return figure


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.02 * (high - low) or max(1e-3, 1e-6 * abs(high))
    return low - margin, high + margin


def _has_rare_bins(values: np.ndarray, bins: np.ndarray) -> bool:
    """Whether some bars would be too low to be seen."""
    counts = np.histogram(values, bins)[0]
    return bool(counts[counts > 0].min() < 0.02 * counts.max())


def _groups(s: Statistics, known: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Names and frames of the largest groups, or of compositions if there are no groups."""
    by_group = len(s.groups) > 1
    numbers = s.rows["group" if by_group else "composition"]
    groups = [shorten(group, 30, placeholder="...") for group in s.groups]
    names = [group or "no group" for group in groups] if by_group else s.formulas
    common = [k for k, _ in Counter(numbers[known].tolist()).most_common()]
    shown = common if len(common) <= len(COLOURS) else common[: len(COLOURS) - 1]
    lots = [(names[k], np.flatnonzero(known & (numbers == k))) for k in shown]
    if len(shown) < len(common):
        what = "groups" if by_group else "compositions"
        rest = known & ~np.isin(numbers, shown)
        lots.append((f"{len(common) - len(shown)} other {what}", np.flatnonzero(rest)))
        # Drawn first, that they do not hide the named ones.
        lots.insert(0, lots.pop())
    return lots


def _colour(k: int, name: str) -> str:
    return OTHERS if re.fullmatch(r"\d+ other (groups|compositions)", name) else COLOURS[k]


def _marker(k: int, name: str) -> str:
    return "x" if _colour(k, name) == OTHERS else MARKERS[k]


def _legend(axes, lots: Sequence[tuple[str, np.ndarray]]) -> None:
    if len(lots) > 1:
        axes.legend(markerscale=1.6, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
