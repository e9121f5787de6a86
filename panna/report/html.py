"""Pieces of an HTML page: no script, nothing from the network, readable in print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from panna.report.content import Fact, Plot, Table
from panna.report.level import Level

MOST_ROWS = 40  # of a table
MARKS = {"good": "✓", "doubtful": "?", "bad": "✗"}

CSS = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
section { border-top: 2px solid #ccc; padding-top: 1.2rem; margin-top: 2rem; }
p { margin: .4rem 0; } .quiet { color: #555; }
code, .name { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .4rem 0; font-size: .9rem; }
th, td { text-align: left; padding: .15rem .9rem .15rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid #888; } tbody tr + tr td { border-top: 1px solid #eee; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .8rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption { font-size: .88rem; color: #444; max-width: 46rem; }
.mark { display: inline-block; border: 2px solid; border-radius: .3rem; padding: 0 .5rem;
  font-weight: 600; font-size: .9rem; white-space: nowrap; }
.good { color: #00593f; } .doubtful { color: #7a4b00; background: #fff6e0; }
.bad { color: #8c2000; background: #fde9e1; }
.end { border-left: 5px solid; padding: .4rem .9rem; margin-top: 1rem; }
.end p { color: #1a1a1a; }
a { color: #005a8c; }
@media print { body { font-size: 10pt; max-width: none; padding: 0; } a { color: inherit; }
  figure, tr, .end { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .mark, .end { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def page(title: str, body: Iterator[str]) -> Iterator[str]:
    """A page in pieces. title: text; body: HTML."""
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        # The page cannot load anything, whatever names of files and groups hold.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
    )
    yield from body
    yield "</body>\n</html>\n"


def facts(those: Sequence[Fact]) -> Iterator[str]:
    """Labels and values."""
    yield "<table>\n<tbody>\n"
    for fact in those:
        unit = f" {fact.unit}" if fact.unit and fact.value is not None else ""
        text = escape(_text(fact.value) + unit)
        yield f"<tr><td>{escape(fact.label)}</td><td>{text}</td></tr>\n"
    yield "</tbody>\n</table>\n"


def table(one: Table) -> Iterator[str]:
    """Its first rows."""
    rows = one.rows[:MOST_ROWS]
    right = [
        any(row[c] is not None for row in rows) and not any(isinstance(row[c], str) for row in rows)
        for c in range(len(one.headers))
    ]
    classes = [' class="number"' if number else "" for number in right]
    yield f"<h3>{escape(one.title)}</h3>\n<table>\n<thead><tr>"
    for header, css in zip(one.headers, classes, strict=True):
        yield f"<th{css}>{escape(header)}</th>"
    yield "</tr></thead>\n<tbody>\n"
    for row in zip(*map(_column, zip(*rows, strict=True)), strict=True):
        cells = zip(row, classes, strict=True)
        yield "<tr>" + "".join(f"<td{css}>{escape(text)}</td>" for text, css in cells) + "</tr>\n"
    yield "</tbody>\n</table>\n"
    if len(one.rows) > MOST_ROWS:
        more = len(one.rows) - MOST_ROWS
        yield f'<p class="quiet">{more} more in the JSON file.</p>\n'


def plots(those: Sequence[Plot]) -> Iterator[str]:
    """Figures with their captions."""
    for plot in those:
        yield f"<figure>\n{plot.svg}\n<figcaption>{escape(plot.caption)}</figcaption>\n</figure>\n"


def verdict(word: str, sentences: Sequence[str]) -> Iterator[str]:
    """The end of a section; word: good, doubtful, bad, or any other where nothing is judged."""
    yield f'<div class="end {word if word in MARKS else "quiet"}">\n'
    for sentence in sentences:
        yield f"<p>{escape(sentence)}</p>\n"
    yield "</div>\n"


def mark(level: Level) -> str:
    """The verdict with a sign, for those who see no colours."""
    word = level.verdict
    return f'<span class="mark {word}">{MARKS[word]} {word}</span>'


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        low, high = value
        return _text(low) if low == high else f"{_text(low)} to {_text(high)}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _column(values: Sequence[Any]) -> list[str]:
    """Numbers with the same digits behind the point, unless that would need too many."""
    numbers = [abs(x) for x in values if isinstance(x, float)]
    if not numbers or not 1e-3 <= max(numbers) < 1e6:
        return [_text(x) for x in values]
    return [f"{x:.4f}" if isinstance(x, float) else _text(x) for x in values]
