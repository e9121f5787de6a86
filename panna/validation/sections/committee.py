"""Whether the spread of a committee tells how wrong it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panna.evaluation.committee import Calibration
from panna.evaluation.frame_spread import FrameSpread, by_spread, calibration, energy_shift, panels
from panna.evaluation.spread_plot import Panel, figure_of_spread
from panna.report.content import Fact, Plot, Table, known
from panna.report.level import Level
from panna.report.svg import svg
from panna.text import listed
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.spread import FAR, frame_spreads, share_beyond
from panna.validation.subject import Subject

WORST = 20  # frames
NAMED = 3  # frames, in a sentence
ROUNDING = 1e-6  # part of the largest
NO_GUIDE = 0.2  # rank correlation; below it the spread does not tell good from bad frames


@section(
    "committee",
    "Spread of the committee",
    "Members that were trained from different random numbers agree where they have learned from "
    "data, and differ where they guess. Spread is the standard deviation of the members, of "
    "energies per atom and of force components. Calibration is the root mean square of the error "
    "over that of the spread: above 1 the mean is more wrong than the spread tells. All members "
    "may be wrong in the same way, which no spread shows.",
)
def committee(subject: Subject) -> Content:
    """Spreads beside errors, and the frames of largest spread."""
    test = subject.test
    if test.energies_std is None or test.forces_std is None:
        raise NotPossible(
            "the potential is a single network; train several (members of panna_train) and give "
            "the folder with member_1, member_2 and so on"
        )
    frames = frame_spreads(test, subject.species)
    energies, forces = calibration(frames)
    components = Calibration.of(test.forces_std.ravel(), test.force_errors.ravel())
    ranked = by_spread(frames, "force_max")
    facts = [
        Fact("members", "members", len(subject.potentials)),
        *_facts("energy", "energies per atom", energies, "meV/atom", 1e3),
        _beyond("energy", [f.energy_std for f in frames], [f.energy_error for f in frames]),
        *_facts("force", "force components", forces, "eV/Å", 1.0),
        _beyond("force", [f.force_std for f in frames], [f.force_error for f in frames]),
    ]
    if components:
        label = "rank correlation of spread and error, single force components"
        facts.append(Fact("component_rank", label, components.spearman))
    return Content(
        facts,
        [_table(subject, ranked)],
        _plots(frames),
        _judgements(subject, frames, energies, forces, ranked),
        {"frames": [_row(frame) for frame in frames]},
    )


def _facts(key: str, what: str, found: Calibration | None, unit: str, factor: float) -> list[Fact]:
    if found is None:
        return []
    return [
        Fact(f"{key}_spread", f"root mean square spread of {what}", factor * found.spread, unit),
        Fact(f"{key}_error", f"root mean square error of {what}", factor * found.error, unit),
        Fact(f"{key}_calibration", f"calibration of {what}", found.ratio),
        Fact(f"{key}_rank", f"rank correlation of spread and error of frames, {what}",
             found.spearman),
    ]  # fmt: skip


def _beyond(key: str, spreads: Sequence[float], errors: Sequence[float]) -> Fact:
    what = "energy" if key == "energy" else "root mean square force"
    label = f"frames whose error exceeds {FAR:g} times the spread, {what}"
    return Fact(f"{key}_beyond", label, share_beyond(spreads, errors), "%")


def _table(subject: Subject, ranked: Sequence[FrameSpread]) -> Table:
    groups = dict(zip(subject.test.names, subject.test.groups.tolist(), strict=True))
    rows = [
        [f.name, groups[f.name] or "(none)", f.force_std_max, f"{f.symbol} {f.atom + 1}",
         f.force_std, known(f.force_error), 1e3 * f.energy_std, known(1e3 * f.energy_error)]
        for f in ranked[:WORST]
    ]  # fmt: skip
    headers = ["frame", "group", "largest spread of a force (eV/Å)", "atom", "spread (eV/Å)",
               "error (eV/Å)", "energy spread (meV/atom)", "energy error (meV/atom)"]  # fmt: skip
    return Table("largest", "Frames of largest spread: candidates to compute next", headers, rows)


def _plots(frames: Sequence[FrameSpread]) -> list[Plot]:
    shown = [_without_zeros(panel) for panel in panels(frames)]
    if not shown:
        return []
    caption = (
        "Error of the mean against the spread of the members, frame by frame. Squares are root "
        "mean squares of as many frames each; on the line the spread has the size of the error."
    )
    return [Plot(svg("spread", lambda: figure_of_spread(shown)), caption)]


def _without_zeros(panel: Panel) -> Panel:
    """Forces that symmetry makes zero, but for rounding, would fill the diagram."""
    real = (panel.spread > ROUNDING * panel.spread.max()) & (
        panel.error > ROUNDING * panel.error.max()
    )
    return (
        replace(panel, spread=panel.spread[real], error=panel.error[real]) if real.any() else panel
    )


def _judgements(
    subject: Subject,
    frames: Sequence[FrameSpread],
    energies: Calibration | None,
    forces: Calibration | None,
    ranked: Sequence[FrameSpread],
) -> list[Judgement]:
    found: list[Judgement] = []
    shift = energy_shift(frames)
    if shift is not None:
        text = (
            f"All energies differ from the reference by about {shift:.3g} eV/atom, which no spread "
            "can show; their calibration is not judged."
        )
        advice = "Calculate the test set as the training set was: same functional and settings."
        found.append(Judgement(Level.DOUBTFUL, text, advice))
        energies = None
    for what, one in (("energies", energies), ("forces", forces)):
        if one is not None:
            found.append(_calibration(subject, what, one))
            if one.spearman is not None and one.spearman < NO_GUIDE:
                found.append(
                    Judgement(
                        Level.DOUBTFUL,
                        f"The spread does not tell which frames have wrong {what} (rank "
                        f"correlation {one.spearman:.2f}).",
                        "Do not choose frames by this spread; test on frames of more kinds.",
                    )
                )
    if not found:
        text = "Neither energies nor forces of the test set are known: spreads only."
        found.append(Judgement(Level.DOUBTFUL, text, "Give test frames with reference values."))
    names = listed([frame.name for frame in ranked[:NAMED]], NAMED)
    found.append(Judgement(Level.NOTE, f"The members are least sure of {names}."))
    return found


def _calibration(subject: Subject, what: str, one: Calibration) -> Judgement:
    if not one.ratio:
        # Members without any spread, or a mean without any error.
        text = f"The {what} have a spread of {one.spread:.3g} and an error of {one.error:.3g}."
        advice = "Train the members from different seeds, and test on frames of ab initio results."
        return Judgement(Level.BAD, text, advice)
    text = f"Calibration of {what}, error over spread, is {one.ratio:.3g}; it or its inverse"
    advice = (
        f"Multiply spreads of {what} by {one.ratio:.2g} before you take them for errors."
        if one.ratio < 1
        else f"The members are too sure of their {what}: multiply spreads by {one.ratio:.2g} "
        "before you take them for errors; add the frames of largest error to the training set."
    )
    return subject.judge("committee_calibration", max(one.ratio, 1 / one.ratio), text, advice)


def _row(frame: FrameSpread) -> dict:
    return {
        "name": frame.name,
        "energy_std_eV_per_atom": frame.energy_std,
        "energy_error_eV_per_atom": known(frame.energy_error),
        "force_std_rms_eV_per_angstrom": frame.force_std,
        "force_error_rms_eV_per_angstrom": known(frame.force_error),
        "force_std_max_eV_per_angstrom": frame.force_std_max,
    }
