"""Parity plots as images: predicted against reference values of the sample."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.util.tensor_util import make_tensor_proto

from panna.training.board.prediction import Prediction

ENERGIES, FORCES = "Parity/1. Energies", "Parity/2. Forces"
WIDTH, HEIGHT, RESOLUTION = 480, 440, 100  # pixels, pixels per inch
# Okabe and Ito, Color Universal Design (2008): told apart with all kinds of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
Points = tuple[str, np.ndarray, np.ndarray]


def parity(symbols: Sequence[str], prediction: Prediction, what: str) -> list[Summary]:
    """Energies per atom, and components of forces by species if there are any.

    Args:
      symbols: of all species.
      what: which frames these are, for the titles.
    """
    energies = [("", prediction.reference_energies, prediction.energies)]
    quantity = "energy − reference energies"
    found = [_image(ENERGIES, _draw(energies, what, quantity, "eV/atom", "meV/atom"))]
    if prediction.forces is not None:
        forces = []
        for s, symbol in enumerate(symbols):
            atoms = prediction.species == s
            x, y = prediction.reference_forces[atoms], prediction.forces[atoms]
            if len(x):
                forces.append((symbol, x.ravel(), y.ravel()))
        found.append(_image(FORCES, _draw(forces, what, "force component", "eV/Å", "meV/Å")))
    return found


def _draw(sets: Sequence[Points], what: str, quantity: str, unit: str, error_unit: str) -> bytes:
    """A plot as PNG; the title has the root mean square error, in thousandths of the unit."""
    # Not pyplot: it would look for a screen and keep every figure in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x = np.concatenate([one for _, one, _ in sets])
    y = np.concatenate([one for _, _, one in sets])
    rmse = 1e3 * float(np.sqrt(np.mean((y - x) ** 2)))
    figure = Figure(figsize=(WIDTH / RESOLUTION, HEIGHT / RESOLUTION), dpi=RESOLUTION)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.18, 0.13, 0.78, 0.74))
    low, high = _limits(x, y)
    axes.plot([low, high], [low, high], color="0.5", linewidth=0.8)
    size = 4.0 if len(x) <= 1000 else 2.0
    for number, (name, one, other) in enumerate(sets):
        axes.plot(
            *(one, other, "o"),
            color=PALETTE[number % len(PALETTE)],
            markersize=size,
            markeredgewidth=0,
            label=name,
            zorder=2 + 1 / len(one),  # rare species above frequent ones
        )
    if len(sets) > 1:
        axes.legend(frameon=False, markerscale=2.0)
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.set_xlabel(f"reference: {quantity} ({unit})")
    axes.set_ylabel(f"predicted: {quantity} ({unit})")
    axes.set_title(f"{what}\nRMSE {rmse:.4g} {error_unit}", fontsize=11)
    axes.grid(alpha=0.25)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _limits(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Equal limits of both axes, with a margin."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (high - low) or max(1e-3, 1e-3 * abs(high))
    return float(low - margin), float(high + margin)


def _image(tag: str, png: bytes) -> Summary:
    # TensorBoard's own image_pb would encode true colour again, five times as large.
    image = [str(WIDTH).encode(), str(HEIGHT).encode(), png]
    return Summary(
        value=[
            Summary.Value(
                tag=tag,
                metadata=create_summary_metadata(display_name=None, description=None),
                tensor=make_tensor_proto(image),
            )
        ]
    )
