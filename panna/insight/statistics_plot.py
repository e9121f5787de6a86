"""Mean, standard deviation and range of every component, one panel for each species."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from panna.descriptors.components import Component
from panna.insight.picture import COLOURS, picture
from panna.insight.statistics import Statistics
from panna.insight.statistics_text import symbol_of

WIDTH, ROW = 12.0, 2.8  # inches
SMALLEST = 1e-6  # drawn; components of atoms near the cutoff become as small as one likes


def blocks(components: Sequence[Component]) -> list[tuple[str, int, int]]:
    """Runs of components with the same neighbours: name, first and last + 1, from 0."""
    found, start = [], 0
    for neighbours, run in groupby(components, key=lambda one: one.neighbours):
        end = start + sum(1 for _ in run)
        found.append(("–".join(neighbours), start, end))
        start = end
    return found


def draw_statistics(
    path: Path,
    title: str,
    statistics: Statistics,
    species: Sequence[str],
    components: Sequence[Component] | None,
) -> None:
    """Draws the picture; arguments as of `statistics_text.average_lines`."""
    found = sorted(statistics.by_species.items())
    with picture(path, WIDTH, ROW * len(found) + 0.8) as figure:
        rows = figure.subplots(len(found), 1, squeeze=False, sharex=True)[:, 0]
        for row, (axes, (index, moments)) in enumerate(zip(rows, found, strict=True)):
            _draw(axes, moments)
            axes.set_title(f"{symbol_of(species, index)}, {moments.count} atoms", loc="left")
            if components is not None:
                _mark_blocks(axes, blocks(components))
            if row == 0:
                axes.legend(fontsize=7, ncols=4, loc="lower right", bbox_to_anchor=(1, 1))
        rows[-1].set_xlabel("component")
        figure.suptitle(title, fontsize=11)


def _draw(axes, moments) -> None:
    number = np.arange(1, len(moments.mean) + 1)
    low, high = (np.maximum(values, SMALLEST) for values in (moments.low, moments.high))
    mean, std = np.maximum(moments.mean, SMALLEST), moments.std
    axes.vlines(number, low, high, color="0.75", linewidth=1.0, label="smallest to largest")
    axes.plot(number, mean, "o", markersize=3, color=COLOURS[0], label="mean")
    shown = std > SMALLEST
    axes.plot(
        number[shown], std[shown], "x", markersize=4, color=COLOURS[1], label="standard deviation"
    )
    still = moments.constant
    if still.any():
        axes.plot(
            number[still], mean[still], "s", markersize=6, color="black", fillstyle="none",
            label="constant",
        )  # fmt: skip
    top = max(float(high.max()), 10 * SMALLEST)
    axes.set(
        yscale="log", xlim=(0, len(number) + 1), ylim=(0.5 * SMALLEST, 3 * top),
        ylabel=f"G ({SMALLEST:g} and below at the bottom)" if low.min() <= SMALLEST else "G",
    )  # fmt: skip
    axes.grid(alpha=0.2)


def _mark_blocks(axes, found: Iterator[tuple[str, int, int]]) -> None:
    """A line between neighbours of different species, and their names."""
    for name, start, end in found:
        if start:
            axes.axvline(start + 0.5, color="0.5", linewidth=0.7)
        axes.text(
            0.5 * (start + end + 1), 1.0, name, ha="center", va="top", fontsize=7,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
