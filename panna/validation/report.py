"""All sections with their verdicts, and the JSON file of every number."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from panna import __version__
from panna.config.validate import THRESHOLDS
from panna.errors import PannaError
from panna.report.content import Table
from panna.report.level import Level
from panna.validation.section import Content, Judgement, NotPossible, Section
from panna.validation.subject import Subject

FORMAT = 1


@dataclass(frozen=True)
class Done:
    """A section and what it has found, or why it could not be done."""

    section: Section
    content: Content
    untested: str = ""

    @property
    def verdict(self) -> str:
        """good, doubtful, bad, not judged or not tested."""
        return "not tested" if self.untested else self.content.verdict

    @property
    def short(self) -> str:
        """What the verdict comes from."""
        worst = self.content.worst_first
        return self.untested or (worst[0].sentence if worst else "")

    def sentences(self) -> list[str]:
        """The verdict in words."""
        return [f"Not tested: {self.untested}."] if self.untested else self.content.sentences()


@dataclass(frozen=True)
class Report:
    """All of it."""

    subject: Subject
    done: Sequence[Done]

    @property
    def level(self) -> Level:
        """Of the worst section."""
        return max((one.content.level for one in self.done), default=Level.GOOD)

    @property
    def judged(self) -> bool:
        """Whether any section has judged anything."""
        return any(one.content.judged for one in self.done)

    @property
    def verdict(self) -> str:
        """good, doubtful, bad or not judged."""
        return self.level.verdict if self.judged else "not judged"

    def write_json(self, stream: IO[str]) -> None:
        """Every number of the page."""
        json.dump(self._content(), stream, indent=1, allow_nan=False)
        stream.write("\n")

    def _content(self) -> dict[str, Any]:
        config = self.subject.config
        thresholds = {
            key.name: {
                "good": config["THRESHOLDS"][key.name][0],
                "bad": config["THRESHOLDS"][key.name][1],
                "unit": key.unit,
                "meaning": key.meaning,
            }
            for key in THRESHOLDS.keys
        }
        return {
            "format": FORMAT,
            "panna_version": __version__,
            "potential": [str(folder) for folder in self.subject.folders],
            "test_dir": str(config["IO_INFORMATION"]["test_dir"]),
            "verdict": self.verdict,
            "thresholds": thresholds,
            "sections": {one.section.key: _section(one) for one in self.done},
        }


def look(subject: Subject, section: Section) -> Done:
    """Makes one section; one that fails costs none of the others."""
    try:
        return Done(section, section.make(subject))
    except NotPossible as reason:
        return Done(section, Content(), str(reason))
    except PannaError as error:
        return _failed(section, str(error), "Mend it and run again.")
    except Exception as error:
        # A bug, of PANNA or of a library: hours of the other sections must not be lost with it.
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".rstrip(".: ")
        return _failed(section, f"{reason}.", "This is a bug: report it, with the traceback.")


def _failed(section: Section, reason: str, advice: str) -> Done:
    failed = Judgement(Level.DOUBTFUL, f"This has failed: {reason}", advice)
    return Done(section, Content(judgements=[failed]))


def _section(one: Done) -> dict[str, Any]:
    content = one.content
    return {
        "title": one.section.title,
        "verdict": one.verdict,
        "text": one.sentences(),
        "numbers": {f.key: {"value": f.value, "unit": f.unit} for f in content.facts},
        "tables": {t.key: _rows(t) for t in content.tables},
        "judgements": [judgement.to_dict() for judgement in content.judgements],
        "data": content.data,
    }


def _rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.headers, row, strict=True)) for row in table.rows]
