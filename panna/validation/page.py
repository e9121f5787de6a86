"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from panna import __version__
from panna.config.validate import THRESHOLDS
from panna.report import html
from panna.text import counted
from panna.validation.report import Done, Report


def page(report: Report) -> Iterator[str]:
    """The page in pieces."""
    potential = report.subject.config["IO_INFORMATION"]["potential"]
    title = f"Validation of {potential.resolve().name}"
    return html.page(title, _body(report, title))


def _body(report: Report, title: str) -> Iterator[str]:
    yield from _head(report, title)
    for one in report.done:
        yield from _section(one)
    yield from _thresholds(report)


MEANINGS = {
    "good": "nothing that was tested speaks against using this potential for what was tested.",
    "doubtful": "read below what is doubtful, and whether your work depends on it.",
    "not judged": "nothing was compared with anything; read below what the sections need.",
    "bad": "do not use this potential for what is bad below before it is mended.",
}


def _head(report: Report, title: str) -> Iterator[str]:
    subject = report.subject
    io = subject.config["IO_INFORMATION"]
    yield f"<header>\n<h1>{escape(title)}</h1>\n"
    members = f", a committee of {len(subject.folders)}" if len(subject.folders) > 1 else ""
    yield (
        f'<p class="quiet"><code>{escape(str(io["potential"]))}</code>: '
        f"species {escape(', '.join(subject.species))}, cutoff "
        f"{subject.cutoff:g} Å{members}; {counted(len(subject.test), 'test frame')} of "
        f"<code>{escape(str(io['test_dir']))}</code>. "
        f"panna_validate {escape(__version__)}.</p>\n"
    )
    mark = html.mark(report.level) if report.judged else f"{report.verdict}:"
    yield f"<p>Verdict: {mark} {MEANINGS[report.verdict]}</p>\n"
    yield "<table>\n<thead><tr><th>section</th><th>verdict</th><th>in short</th></tr></thead>\n"
    yield "<tbody>\n"
    for one in report.done:
        mark = html.mark(one.content.level) if one.content.judged else one.verdict
        yield (
            f'<tr><td><a href="#{one.section.key}">{escape(one.section.title)}</a></td>'
            f"<td>{mark}</td><td>{escape(one.short)}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n</header>\n"


def _section(one: Done) -> Iterator[str]:
    section, content = one.section, one.content
    yield f'<section id="{section.key}">\n<h2>{escape(section.title)}</h2>\n'
    yield f'<p class="quiet">{escape(section.intro)}</p>\n'
    if content.facts:
        yield from html.facts(content.facts)
    for table in content.tables:
        yield from html.table(table)
    yield from html.plots(content.plots)
    yield from html.verdict(one.verdict, one.sentences())
    yield "</section>\n"


def _thresholds(report: Report) -> Iterator[str]:
    values = report.subject.config["THRESHOLDS"]
    yield '<section id="thresholds">\n<h2>Thresholds</h2>\n<table>\n'
    yield "<thead><tr><th>key</th><th>good up to</th><th>bad beyond</th><th>of</th></tr></thead>\n"
    yield "<tbody>\n"
    for key in THRESHOLDS.keys:
        good, bad = values[key.name]
        yield (
            f"<tr><td><code>{key.name}</code></td><td>{good:g} {escape(key.unit)}</td>"
            f"<td>{bad:g} {escape(key.unit)}</td><td>{escape(key.meaning)}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n"
    yield (
        '<p class="quiet">A section is as good as its worst number, the report as its worst '
        "section. Other thresholds: section [THRESHOLDS] of the ini file.</p>\n</section>\n"
    )
