"""A learning curve as tables for the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from panna.console import table
from panna.curves.analysis import Mean, PowerLaw
from panna.curves.plan import words
from panna.curves.results import Result


@dataclass(frozen=True)
class Quantity:
    """An error to show: its title, its unit, its column in the table of results."""

    title: str
    unit: str
    column: str

    def of(self, results: Sequence[Result]) -> list[float]:
        return [getattr(result, self.column) for result in results]


def quantities(energy: str) -> list[Quantity]:
    """E RMSE, E MAE, F RMSE, F MAE; energy: per_atom or total."""
    unit, name = ("meV/atom", "meV_per_atom") if energy == "per_atom" else ("meV", "meV")
    return [
        Quantity("E RMSE", unit, f"energy_rmse_{name}"),
        Quantity("E MAE", unit, f"energy_mae_{name}"),
        Quantity("F RMSE", "eV/angstrom", "force_rmse_eV_per_angstrom"),
        Quantity("F MAE", "eV/angstrom", "force_mae_eV_per_angstrom"),
    ]


TIMES = [
    Quantity("training", "s", "training_seconds"),
    Quantity("1000 predictions", "s", "prediction_seconds_per_1000_frames"),
]


def by_mode(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each mode, in the order of the modes."""
    return {m: [r for r in results if r.mode == m] for m in dict.fromkeys(r.mode for r in results)}


def by_size(results: Sequence[Result]) -> dict[int, list[Result]]:
    """The results of each size, in ascending order."""
    return {n: [r for r in results if r.size == n] for n in sorted({r.size for r in results})}


def summary(results: Sequence[Result], energy: str) -> str:
    """Mean and interval of every error, mean of the times; one line for each mode and size."""
    shown = [q for q in quantities(energy) if not all(map(math.isnan, q.of(results)))]
    rows = []
    for mode, of_mode in by_mode(results).items():
        for size, some in by_size(of_mode).items():
            means = [_mean(Mean.of(q.of(some))) for q in shown]
            times = [f"{Mean.of(q.of(some)).mean:.2g}" for q in TIMES]
            rows.append([words(mode), size, len(some), *means, *times])
    headers = ["trained on", "frames", "seeds", *(f"{q.title} {q.unit}" for q in shown + TIMES)]
    return table(headers, rows)


def power_laws(results: Sequence[Result], energy: str) -> str:
    """The fitted power laws; empty if there is none."""
    rows = []
    for mode, of_mode in by_mode(results).items():
        for q in quantities(energy):
            law = PowerLaw.fit([r.size for r in of_mode], q.of(of_mode))
            if law is not None:
                exponent = _mean(Mean(law.exponent, law.half_width))
                rows.append([words(mode), q.title, f"{law.factor:.3g} {q.unit}", exponent])
    return table(["trained on", "error = a N^-b", "a", "b"], rows) if rows else ""


def line(result: Result, energy: str) -> str:
    """One finished training."""
    parts = [
        f"{q.title} {q.of([result])[0]:.3g} {q.unit}"
        for q in quantities(energy)
        if not math.isnan(q.of([result])[0])
    ]
    return f"{result.point}: " + ", ".join([*parts, f"{result.training_seconds:.0f} s"])


def _mean(mean: Mean) -> str:
    """5.12 +- 0.31: the interval with two digits, the mean with as many."""
    if math.isnan(mean.half_width) or mean.half_width == 0:
        return f"{mean.mean:.3g}"
    digits = max(0, 1 - math.floor(math.log10(mean.half_width)))
    return f"{mean.mean:.{digits}f} ± {mean.half_width:.{digits}f}"
