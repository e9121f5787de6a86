"""The report: sections with findings and a verdict for each, and the suspicious frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from panna import __version__
from panna.doctor.findings import Finding, Outcome, run_checks
from panna.doctor.sections import SECTIONS
from panna.doctor.statistics import FORCE_BINS, Statistics
from panna.doctor.thresholds import Thresholds
from panna.report.content import Fact, Plot, Table
from panna.report.level import Level

FORMAT = 1


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    key: str
    title: str
    intro: str
    facts: Sequence[Fact]
    tables: Sequence[Table] = field(default_factory=list)
    plots: Sequence[Plot] = field(default_factory=list)
    outcomes: Sequence[Outcome] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """Of the worst finding."""
        return max((o.level for o in self.outcomes), default=Level.GOOD)

    @property
    def findings(self) -> int:
        """How many, notes left out."""
        return sum(f.level > Level.NOTE for o in self.outcomes for f in o.findings)

    def sentences(self) -> list[str]:
        """What is found and what to do, the worst first."""
        worst = sorted((o for o in self.outcomes if o.findings), key=lambda o: -o.level)
        lines = [f"{_capital(o.check.what)} ({len(o.findings)}): {o.check.advice}." for o in worst]
        good = [o.check.good for o in self.outcomes if not o.findings and not o.untested]
        if good:
            lines.append(_capital("; ".join(good)) + ".")
        lines += [f"Not tested: {o.check.what}: {o.untested}." for o in self.outcomes if o.untested]
        if not lines:
            lines.append("Nothing is tested here.")
        return [f"{self.level.verdict.capitalize()}. {lines[0]}", *lines[1:]]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Report:
    """All of it. frames: numbers of the suspicious frames, with their findings, the worst first."""

    statistics: Statistics
    thresholds: Thresholds
    sections: Sequence[Section]
    frames: Sequence[tuple[str, Sequence[Finding]]]

    @property
    def level(self) -> Level:
        """Of the worst section."""
        return max(section.level for section in self.sections)

    def write_json(self, stream: IO[str]) -> None:
        """Every number of the page, and those of every frame."""
        json.dump(self._content(), stream, indent=1, allow_nan=False)
        stream.write("\n")

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "panna_version": __version__,
            "folder": str(self.statistics.examples.folder),
            "verdict": self.level.verdict,
            "thresholds": self.thresholds.to_dict(),
            "sections": {section.key: _section(section) for section in self.sections},
            "suspicious_frames": [
                {"name": name, "findings": [f.to_dict() for f in findings]}
                for name, findings in self.frames
            ],
            "histograms": _histograms(self.statistics),
            "frames": _frames(self.statistics),
        }


def make_report(statistics: Statistics, thresholds: Thresholds) -> Report:
    """Run all checks and draw all plots."""
    outcomes = run_checks(statistics, thresholds)
    sections = []
    for key, title, intro, describe, drawings in SECTIONS:
        facts, tables = describe(statistics)
        drawn = [(draw(statistics, thresholds), caption) for draw, caption in drawings]
        sections.append(
            Section(
                key, title, intro, facts, tables,
                [Plot(svg, caption) for svg, caption in drawn if svg is not None],
                [o for o in outcomes if o.check.section == key],
            )
        )  # fmt: skip
    return Report(statistics, thresholds, sections, _suspicious(statistics, outcomes))


def _suspicious(s: Statistics, outcomes: Sequence[Outcome]) -> list[tuple[str, list[Finding]]]:
    by_frame: dict[int, list[Finding]] = {}
    for outcome in outcomes:
        for finding in outcome.findings:
            if finding.frame is not None and finding.level > Level.NOTE:
                by_frame.setdefault(finding.frame, []).append(finding)
    worst = sorted(
        by_frame, key=lambda f: (-max(x.level for x in by_frame[f]), -len(by_frame[f]), f)
    )
    return [(s.name(frame), by_frame[frame]) for frame in worst]


# -- JSON ------------------------------------------------------------------------------------------


def _section(section: Section) -> dict[str, Any]:
    return {
        "verdict": section.level.verdict,
        "text": section.sentences(),
        "numbers": {f.key: {"value": f.value, "unit": f.unit} for f in section.facts},
        "tables": {
            t.key: [dict(zip(t.headers, row, strict=True)) for row in t.rows]
            for t in section.tables
        },
        "checks": {
            o.check.key: {
                "what": o.check.what,
                "level": o.level.name.lower(),
                "untested": o.untested or None,
                "findings": [f.to_dict() for f in o.findings],
            }
            for o in section.outcomes
        },
    }


def _histograms(s: Statistics) -> dict[str, Any]:
    distances = {}
    for pair in sorted(s.pairs.counts):
        r, density = s.pairs.density(pair)
        distances["-".join(pair)] = {
            "distance_angstrom": np.round(r, 6).tolist(),
            "density_per_angstrom3": density.tolist(),
        }
    return {
        "distances": distances,
        "forces": {
            "log10_edges_eV_per_angstrom": np.round(FORCE_BINS, 6).tolist(),
            "atoms": {symbol: counts.tolist() for symbol, counts in sorted(s.forces.items())},
        },
    }


COLUMNS = {
    "atoms": "atoms",
    "energy_eV": "energy",
    "volume_angstrom3": "volume",
    "largest_force_eV_per_angstrom": "largest_force",
    "net_force_per_atom_eV_per_angstrom": "net_force",
    "shortest_distance_angstrom": "distance",
    "shortest_distance_over_radii": "distance_ratio",
    "pressure_GPa": "pressure",
    "work_eV": "work",
    "energy_lost_eV": "lost",
}


def _frames(s: Statistics) -> dict[str, Any]:
    """One list for each quantity, in the order of the frames; null where it is not known."""
    return {
        "name": [s.name(frame) for frame in range(len(s))],
        "composition": [s.formulas[c] for c in s.rows["composition"]],
        "group": [s.groups[g] for g in s.rows["group"]],
        **{name: _list(s.rows[column]) for name, column in COLUMNS.items()},
        "energy_without_reference_eV_per_atom": _list(s.residuals),
    }


def _list(values: np.ndarray) -> list[Any]:
    if values.dtype.kind != "f":
        return values.tolist()
    return [value if np.isfinite(value) else None for value in values.tolist()]
