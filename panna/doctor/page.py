"""The report as one HTML page: no script, nothing from the network, readable in print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from html import escape
from typing import Any

from panna import __version__
from panna.doctor.findings import Level, Outcome
from panna.doctor.report import Report, Section
from panna.doctor.sections import Fact, Table
from panna.text import counted

MOST_FINDINGS = 20  # of one check
MOST_ROWS = 40  # of a table
MOST_FRAMES = 200
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


def page(report: Report) -> Iterator[str]:
    """The page in pieces."""
    folder = report.statistics.examples.folder
    title = escape(f"Data of {folder.resolve().name or folder}")
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        # The page cannot load anything, whatever names of files and groups hold.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
    )
    yield from _head(report, title)
    for section in report.sections:
        yield from _section(section)
    yield from _frames(report)
    yield from _thresholds(report)
    yield "</body>\n</html>\n"


def _head(report: Report, title: str) -> Iterator[str]:
    s = report.statistics
    yield f"<header>\n<h1>{title}</h1>\n"
    yield (
        f'<p class="quiet"><code>{escape(str(s.examples.folder))}</code>: '
        f"{counted(len(s), 'frame')} of {escape(', '.join(s.species))}. "
        f"panna_data_doctor {escape(__version__)}.</p>\n"
    )
    yield f"<p>Verdict: {_mark(report.level)} {_meaning(report)}</p>\n"
    yield "<table>\n<thead><tr><th>section</th><th>verdict</th><th>findings</th></tr></thead>\n"
    yield "<tbody>\n"
    for section in report.sections:
        untested = sum(bool(o.untested) for o in section.outcomes)
        note = f", {counted(untested, 'check')} not possible" if untested else ""
        found = counted(section.findings, "finding") if section.findings else "none"
        yield (
            f'<tr><td><a href="#{section.key}">{escape(section.title)}</a></td>'
            f"<td>{_mark(section.level)}</td><td>{found}{note}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n</header>\n"


def _meaning(report: Report) -> str:
    count = counted(len(report.frames), "suspicious frame")
    text = {
        "good": "nothing here speaks against training on these data.",
        "doubtful": "look at what is named below before training on these data.",
        "bad": "do not train on these data before what is named below is settled.",
    }[report.level.verdict]
    return f'{text} <a href="#frames">{count}</a>' if report.frames else text


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{section.key}">\n<h2>{escape(section.title)}</h2>\n'
    yield f'<p class="quiet">{escape(section.intro)}</p>\n'
    if section.facts:
        yield from _facts(section.facts)
    for table in section.tables:
        yield from _table(table)
    for plot in section.plots:
        yield f"<figure>\n{plot.svg}\n<figcaption>{escape(plot.caption)}</figcaption>\n</figure>\n"
    for outcome in sorted(section.outcomes, key=lambda o: -o.level):
        if outcome.findings:
            yield from _findings(outcome)
    yield f'<div class="end {section.level.verdict}">\n'
    for sentence in section.sentences():
        yield f"<p>{escape(sentence)}</p>\n"
    yield "</div>\n</section>\n"


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    yield "<table>\n<tbody>\n"
    for fact in facts:
        unit = f" {fact.unit}" if fact.unit and fact.value is not None else ""
        text = escape(_text(fact.value) + unit)
        yield f"<tr><td>{escape(fact.label)}</td><td>{text}</td></tr>\n"
    yield "</tbody>\n</table>\n"


def _table(table: Table) -> Iterator[str]:
    rows = table.rows[:MOST_ROWS]
    right = [
        any(row[c] is not None for row in rows) and not any(isinstance(row[c], str) for row in rows)
        for c in range(len(table.headers))
    ]
    classes = [' class="number"' if one else "" for one in right]
    yield f"<h3>{escape(table.title)}</h3>\n<table>\n<thead><tr>"
    for header, css in zip(table.headers, classes, strict=True):
        yield f"<th{css}>{escape(header)}</th>"
    yield "</tr></thead>\n<tbody>\n"
    for row in zip(*map(_column, zip(*rows, strict=True)), strict=True):
        cells = zip(row, classes, strict=True)
        yield "<tr>" + "".join(f"<td{css}>{escape(text)}</td>" for text, css in cells) + "</tr>\n"
    yield "</tbody>\n</table>\n"
    if len(table.rows) > MOST_ROWS:
        more = len(table.rows) - MOST_ROWS
        yield f'<p class="quiet">{more} more in the JSON file.</p>\n'


def _findings(outcome: Outcome) -> Iterator[str]:
    found = outcome.findings
    what = escape(f"{outcome.check.what} ({len(found)})")
    yield f"<h3>{what[0].upper()}{what[1:]}</h3>\n"
    yield "<table>\n<thead><tr><th>where</th><th>found</th><th>threshold</th></tr></thead>\n<tbody>"
    for finding in found[:MOST_FINDINGS]:
        yield (
            f'<tr><td class="name">{escape(finding.where)}</td><td>{escape(finding.text)}</td>'
            f"<td>{escape(finding.threshold)}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n"
    if len(found) > MOST_FINDINGS:
        yield f'<p class="quiet">{len(found) - MOST_FINDINGS} more in the JSON file.</p>\n'


def _frames(report: Report) -> Iterator[str]:
    yield '<section id="frames">\n<h2>Suspicious frames</h2>\n'
    if not report.frames:
        yield "<p>None.</p>\n</section>\n"
        return
    yield (
        f'<p class="quiet">{counted(len(report.frames), "frame")}, the worst first. What concerns '
        "files, compositions and runs is in the sections.</p>\n<table>\n"
        "<thead><tr><th>frame</th><th>found</th><th>threshold</th></tr></thead>\n<tbody>\n"
    )
    for name, findings in report.frames[:MOST_FRAMES]:
        for k, finding in enumerate(findings):
            shown = escape(name) if k == 0 else ""
            yield (
                f'<tr><td class="name">{shown}</td><td>{escape(finding.text)}</td>'
                f"<td>{escape(finding.threshold)}</td></tr>\n"
            )
    yield "</tbody>\n</table>\n"
    if len(report.frames) > MOST_FRAMES:
        more = len(report.frames) - MOST_FRAMES
        yield f'<p class="quiet">{more} more in the JSON file.</p>\n'
    yield "</section>\n"


def _thresholds(report: Report) -> Iterator[str]:
    yield '<section id="thresholds">\n<h2>Thresholds</h2>\n<table>\n<tbody>\n'
    for one in fields(report.thresholds):
        option = "--" + one.name.replace("_", "-")
        value = f"{getattr(report.thresholds, one.name):g} {one.metadata['unit']}".strip()
        yield (
            f"<tr><td><code>{option}</code></td><td>{escape(value)}</td>"
            f"<td>{escape(one.metadata['help'])}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n"
    yield (
        '<p class="quiet">A section is as good as its worst finding. A robust standard deviation '
        "is 1.4826 times the median of the absolute deviations from the median.</p>\n</section>\n"
    )


def _mark(level: Level) -> str:
    verdict = level.verdict
    return f'<span class="mark {verdict}">{MARKS[verdict]} {verdict}</span>'


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
