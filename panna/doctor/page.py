"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from html import escape

from panna import __version__
from panna.doctor.findings import Outcome
from panna.doctor.report import Report, Section
from panna.report import html
from panna.text import counted

MOST_FINDINGS = 20  # of one check
MOST_FRAMES = 200


def page(report: Report) -> Iterator[str]:
    """The page in pieces."""
    folder = report.statistics.examples.folder
    title = f"Data of {folder.resolve().name or folder}"
    return html.page(title, _body(report, title))


def _body(report: Report, title: str) -> Iterator[str]:
    yield from _head(report, title)
    for section in report.sections:
        yield from _section(section)
    yield from _frames(report)
    yield from _thresholds(report)


def _head(report: Report, title: str) -> Iterator[str]:
    s = report.statistics
    yield f"<header>\n<h1>{escape(title)}</h1>\n"
    yield (
        f'<p class="quiet"><code>{escape(str(s.examples.folder))}</code>: '
        f"{counted(len(s), 'frame')} of {escape(', '.join(s.species))}. "
        f"panna_data_doctor {escape(__version__)}.</p>\n"
    )
    yield f"<p>Verdict: {html.mark(report.level)} {_meaning(report)}</p>\n"
    yield "<table>\n<thead><tr><th>section</th><th>verdict</th><th>findings</th></tr></thead>\n"
    yield "<tbody>\n"
    for section in report.sections:
        untested = sum(bool(o.untested) for o in section.outcomes)
        note = f", {counted(untested, 'check')} not possible" if untested else ""
        found = counted(section.findings, "finding") if section.findings else "none"
        yield (
            f'<tr><td><a href="#{section.key}">{escape(section.title)}</a></td>'
            f"<td>{html.mark(section.level)}</td><td>{found}{note}</td></tr>\n"
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
        yield from html.facts(section.facts)
    for table in section.tables:
        yield from html.table(table)
    yield from html.plots(section.plots)
    for outcome in sorted(section.outcomes, key=lambda o: -o.level):
        if outcome.findings:
            yield from _findings(outcome)
    yield from html.verdict(section.level.verdict, section.sentences())
    yield "</section>\n"


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
