"""Pictures that are the same file for the same data: .png, .pdf or .svg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panna.errors import FileError
from panna.files import atomic_write

# Metadata without dates and versions, by format.
FORMATS = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    ".svg": {"Date": None, "Creator": None},
}
RESOLUTION = 200  # dots per inch
# Okabe and Ito, Color Universal Design (2008), without yellow, which vanishes on paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":", "-.")
SEQUENCE = "cividis"  # brightness rises evenly; looks alike to colour-blind people
DARKEST, BRIGHTEST = 0.0, 0.85  # of the sequence; the end would be too bright on paper


def check_picture(path: Path) -> None:
    """Raises FileError if the name of a picture has another ending, or its folder is missing."""
    if path.suffix.lower() not in FORMATS:
        raise FileError(
            f"{path}: a picture ends in {', '.join(FORMATS)}; expected one of these endings"
        )
    check_target(path)


def check_target(path: Path) -> None:
    """Raises FileError at once if a file cannot come to be here, and not after all the work."""
    if not path.parent.is_dir():
        raise FileError(f"{path}: there is no folder {path.parent}; create it")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; expected the name of a file")


def style(number: int) -> dict[str, str]:
    """Colour and dashes of the lines of one panel, all different up to 28."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
    }


def shades(count: int) -> list:
    """Colours of ordered curves, dark to bright."""
    from matplotlib import colormaps

    span = BRIGHTEST - DARKEST
    return [colormaps[SEQUENCE](DARKEST + span * k / max(1, count - 1)) for k in range(count)]


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator:
    """A figure of this size in inches, saved at the end of the `with` block.

    Yields:
      matplotlib.figure.Figure.
    Raises:
      FileError: the file cannot be written.
    """
    # Not pyplot: it would look for a screen and keep every figure in memory.
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Names of parts of an SVG are random without a salt.
    with matplotlib.rc_context({"svg.hashsalt": "panna", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        kind = path.suffix.lower()
        with atomic_write(path, "wb") as file:
            figure.savefig(file, format=kind[1:], dpi=RESOLUTION, metadata=FORMATS[kind])
