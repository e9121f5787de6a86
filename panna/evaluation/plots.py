"""Parity plots: predicted against reference, with the errors beside them, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from panna.evaluation.errors import Predictions, References, Spread
from panna.files import atomic_write

MANY = 3000  # points; more are drawn as density
RESOLUTION = 150  # dots per inch


def energies_plot(directory: Path, label: str) -> Path:
    """Path of the plot of energies."""
    return directory / (f"{label}_energies.png" if label else "energies.png")


def forces_plot(directory: Path, label: str) -> Path:
    """Path of the plot of forces."""
    return directory / (f"{label}_forces.png" if label else "forces.png")


def plot_energies(path: Path, title: str, references: References, predictions: Predictions) -> bool:
    """Draws energies per atom, reference energies of the atoms removed.

    With them, the composition of a structure would be all that one sees.

    Returns:
      False if there is nothing to draw.
    """
    offsets = predictions.offsets
    reference = (references.energies - offsets) / references.n_atoms
    predicted = (predictions.energies - offsets) / references.n_atoms
    spread = Spread.of(predicted - reference)
    if spread is None:
        return False
    text = f"RMSE {1e3 * spread.rmse:.2f}, MAE {1e3 * spread.mae:.2f}, max {1e3 * spread.max:.1f}"
    quantity = "energy − offsets" if np.any(offsets) else "energy"
    _draw(
        path,
        f"{title}\nenergies: {text} meV/atom",
        [("structures", reference, predicted)],
        (f"reference: {quantity} (eV/atom)", f"predicted: {quantity} (eV/atom)"),
        (1e3, "predicted − reference (meV/atom)"),
    )
    return True


def plot_forces(
    path: Path,
    title: str,
    references: References,
    predictions: Predictions,
    species: Sequence[str],
) -> bool:
    """Draws all components of the forces; one colour per species if the points are few.

    Returns:
      False if there is nothing to draw.
    """
    assert predictions.forces is not None
    spread = Spread.of(predictions.forces - references.forces)
    if spread is None:
        return False
    sets = []
    for number, symbol in enumerate(species):
        atoms = references.species == number
        sets.append((symbol, references.forces[atoms].ravel(), predictions.forces[atoms].ravel()))
    text = f"RMSE {spread.rmse:.4f}, MAE {spread.mae:.4f}, max {spread.max:.3f}"
    _draw(
        path,
        f"{title}\nforce components: {text} eV/Å",
        sets,
        ("reference force (eV/Å)", "predicted force (eV/Å)"),
        (1.0, "predicted − reference (eV/Å)"),
    )
    return True


def _draw(
    path: Path,
    title: str,
    sets: Sequence[tuple[str, np.ndarray, np.ndarray]],
    labels: tuple[str, str],
    error: tuple[float, str],
) -> None:
    """A parity plot on the left, a histogram of the errors on the right.

    Args:
      sets: name, reference values, predicted values; nan are left out.
      error: factor and label of the axis of errors.
    """
    # Not pyplot: it would look for a screen and keep every figure in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kept = [np.isfinite(x) & np.isfinite(y) for _, x, y in sets]
    sets = [(n, x[k], y[k]) for (n, x, y), k in zip(sets, kept, strict=True) if k.any()]
    x = np.concatenate([one for _, one, _ in sets])
    y = np.concatenate([one for _, _, one in sets])
    figure = Figure(figsize=(9.6, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    low, high = _limits(x, y)
    left.plot([low, high], [low, high], color="0.4", linewidth=0.8, zorder=3)
    if len(x) > MANY:
        image = left.hexbin(
            x, y, gridsize=120, bins="log", mincnt=1, extent=(low, high, low, high), linewidths=0
        )
        figure.colorbar(image, ax=left, label="points per hexagon", shrink=0.75)
    else:
        for name, one, other in sets:
            left.plot(one, other, "o", markersize=3.5, alpha=0.6, markeredgewidth=0, label=name)
        if len(sets) > 1:
            left.legend(frameon=False)
    left.set(xlim=(low, high), ylim=(low, high), xlabel=labels[0], ylabel=labels[1])
    left.set_aspect("equal")
    left.grid(alpha=0.25)
    factor, label = error
    _histogram(right, (y - x) * factor, label, len(x))
    figure.suptitle(title, fontsize=11)
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=RESOLUTION)


def _limits(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Equal limits of both axes, with a margin."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (high - low) or max(1e-3, 1e-3 * abs(high))
    return float(low - margin), float(high + margin)


def _histogram(axes, errors: np.ndarray, label: str, count: int) -> None:
    bins = int(np.clip(np.sqrt(count), 10, 100))
    reach = float(np.abs(errors).max()) or 1.0
    axes.hist(errors, bins=bins, range=(-reach, reach), color="tab:blue", alpha=0.8)
    if count > MANY:
        axes.set_yscale("log")
    axes.axvline(0.0, color="0.4", linewidth=0.8)
    axes.set(xlabel=label, ylabel="points")
    axes.grid(alpha=0.25)
