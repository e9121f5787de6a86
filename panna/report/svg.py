"""Plots as SVG. Colours of Okabe and Ito, and shapes for prints without colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

# Okabe and Ito, Color Universal Design (2008), without yellow, which is too pale on paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "os^Dv<P"
OTHERS = "0.6"
RESOLUTION = 150  # dots per inch of images in an SVG
STYLE = {
    "svg.fonttype": "none",  # letters stay letters: they can be searched and are small
    "svg.hashsalt": "panna",
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def svg(name: str, draw: Callable) -> str | None:
    """What draw() -> figure or None has drawn; its ids begin with the name, as all plots share one
    page."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = draw()
        return None if figure is None else _text_of(figure, name)


def figure_of(width: float, height: float):
    """An empty figure; inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _text_of(figure, name: str) -> str:
    """Without XML head."""
    from matplotlib.legend import Legend

    for legend in figure.findobj(Legend):
        for label in legend.get_texts():
            label.set_parse_math(False)  # names of groups and files are no formulas
    stream = io.StringIO()
    figure.savefig(stream, format="svg", dpi=RESOLUTION, bbox_inches=None, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"(?s)<metadata>.*?</metadata>", "", text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', text)
    return text.replace("url(#", f"url(#{name}-")
