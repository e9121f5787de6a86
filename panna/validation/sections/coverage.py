"""Whether the training set has environments like those of the test set."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from panna.potential.panna_in import read_potential
from panna.report.content import Fact, Plot, Table
from panna.report.level import Level
from panna.report.svg import COLOURS, MARKERS, OTHERS, figure_of, svg
from panna.text import counted, listed
from panna.validation.coverage import FACTOR
from panna.validation.distances import Measured, measure
from panna.validation.frames import training_files
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.subject import Subject

WORST = 20  # frames
NAMED = 3  # groups or frames, in advice
MOST_KINDS = 6  # curves of a plot
POINTS = 2000  # of a species and set, in a plot


@section(
    "coverage",
    "Coverage by the training set",
    "A network knows only environments like those it was trained on. The distance of an atom is "
    "that of its descriptor from the nearest one of an atom of its species in the training set, "
    "each component divided by its standard deviation there. The limit of a species is what 99 % "
    "of its training atoms keep to the nearest one of another frame; an atom farther than three "
    "times the limit is uncovered. Outside is an atom with at least one component beyond all "
    "values that the potential has seen in training.",
)
def coverage(subject: Subject) -> Content:
    """Distances to the nearest training atoms, and components outside their ranges."""
    outside = subject.test.outside
    measured, judgements = None, []
    try:
        measured = _measured(subject)
    except NotPossible as reason:
        if outside is None:
            raise
        text = f"Distances from the training set are not known: {reason}."
        judgements.append(Judgement(Level.DOUBTFUL, text))
    if measured is None and outside is None:
        raise NotPossible(
            "neither a training set is given nor does the potential know the ranges of its "
            "descriptors; give [IO_INFORMATION] training_dir, or write the potential with "
            "panna_extract_weights of this version"
        )
    return Content(
        _facts(subject, measured, outside),
        _tables(subject, measured, outside),
        [] if measured is None else [_ratio_plot(subject, measured), *_planes(subject, measured)],
        judgements + _judgements(subject, measured, outside),
        {} if measured is None else _data(subject, measured),
    )


def _measured(subject: Subject) -> Measured | None:
    """None if no training set is given; raises NotPossible if it cannot be used."""
    files = training_files(subject)
    if files is None:
        return None
    return measure(subject, files, read_potential(subject.folders[0], subject.potential_file)[1])


def _share(which: np.ndarray) -> float:
    """Per cent."""
    return float(100 * which.mean())


def _facts(subject: Subject, measured: Measured | None, outside: np.ndarray | None) -> list[Fact]:
    facts = []
    if measured is not None:
        sample = measured.frames + len(measured.unreadable)
        facts.append(Fact("training_files", "files of the training set", measured.files))
        facts.append(Fact("training_frames", "frames used of it", measured.frames))
        if sample < measured.files:
            facts.append(Fact("chosen", "how they were chosen", "at random"))
        if measured.again:
            label = "frames looked through again for neighbours of uncovered atoms"
            facts.append(Fact("again", label, measured.again))
        facts.append(Fact("uncovered", "uncovered test atoms", _share(measured.uncovered), "%"))
        twins = int(_twins(subject, measured).sum())
        facts.append(
            Fact("twins", "test frames with all their environments in the training set", twins)
        )
    if outside is not None:
        facts.append(Fact("outside", "test atoms outside the ranges", _share(outside > 0), "%"))
    return [*facts, *_error_facts(subject, measured, outside)]


def _error_facts(
    subject: Subject, measured: Measured | None, outside: np.ndarray | None
) -> list[Fact]:
    """Whether the forces of atoms far from the training set are worse."""
    squares = (subject.test.force_errors**2).mean(1)
    known = np.isfinite(squares)
    if not known.any():
        return []

    def rmse(which: np.ndarray) -> float | None:
        mine = squares[which & known]
        return float(np.sqrt(mine.mean())) if len(mine) else None

    facts = []
    if measured is not None:
        far = measured.uncovered
        facts += [
            Fact("covered_rmse", "force RMSE of covered atoms", rmse(~far), "eV/Å"),
            Fact("uncovered_rmse", "force RMSE of uncovered atoms", rmse(far), "eV/Å"),
        ]
        both = known & np.isfinite(measured.ratios)
        if both.sum() > 2 and np.ptp(measured.ratios[both]) > 0 and np.ptp(squares[both]) > 0:
            rank = float(spearmanr(measured.ratios[both], squares[both]).statistic)
            facts.append(Fact("rank", "rank correlation of distance and force error", rank))
    if outside is not None:
        facts += [
            Fact(
                "inside_rmse", "force RMSE of atoms inside the ranges", rmse(outside == 0), "eV/Å"
            ),
            Fact("outside_rmse", "force RMSE of atoms outside", rmse(outside > 0), "eV/Å"),
        ]
    return facts


def _twins(subject: Subject, measured: Measured) -> np.ndarray:
    """(F,) bool, test frames of which each atom has its like in the training set."""
    new = np.bincount(subject.test.frame, measured.ratios > 0, len(subject.test))
    return new == 0


def _tables(subject: Subject, measured: Measured | None, outside: np.ndarray | None) -> list[Table]:
    tables = []
    if measured is not None:
        tables.append(
            Table("species", "Species",
                  ["species", "atoms in training", "frames", "atoms compared with",
                   "median distance within training", "limit", "test atoms", "uncovered (%)"],
                  _species_rows(subject, measured))
        )  # fmt: skip
    groups = _group_rows(subject, measured, outside)
    if len(groups) > 1:
        tables.append(
            Table("groups", "By group", ["group", "atoms", "uncovered (%)", "outside (%)"], groups)
        )
    rows = _frame_rows(subject, measured, outside)
    if rows:
        tables.append(
            Table("frames", "Frames with the most uncovered atoms",
                  ["frame", "group", "atoms", "uncovered", "largest distance / limit", "outside"],
                  rows)
        )  # fmt: skip
    return tables


def _species_rows(subject: Subject, measured: Measured) -> list[list]:
    rows = []
    for s, cover in measured.covers.items():
        mine = subject.test.species == s
        atoms = int(mine.sum())
        share = _share(measured.uncovered[mine]) if atoms else None
        if cover is None:
            rows.append([subject.species[s], 0, 0, 0, None, None, atoms, share])
            continue
        median = float(np.median(cover.own)) if len(cover.own) else None
        rows.append([subject.species[s], cover.atoms, cover.frames, cover.tree.n, median,
                     cover.limit, atoms, share])  # fmt: skip
    return rows


def _group_rows(subject: Subject, measured: Measured | None, outside: np.ndarray | None):
    test, rows = subject.test, []
    of_atoms = test.groups[test.frame]
    for name in sorted(set(test.groups.tolist())):
        mine = of_atoms == name
        far = None if measured is None else _share(measured.uncovered[mine])
        out = None if outside is None else _share(outside[mine] > 0)
        rows.append([name or "(none)", int(mine.sum()), far, out])
    rows.sort(key=lambda row: -((row[2] or 0) + (row[3] or 0)))
    return rows


def _frame_rows(
    subject: Subject, measured: Measured | None, outside: np.ndarray | None
) -> list[list]:
    """The worst first: by uncovered atoms, then by atoms outside, then by the largest distance."""
    test = subject.test
    count = len(test)
    far, largest, out = np.zeros(count), np.zeros(count), np.zeros(count)
    if measured is not None:
        far = np.bincount(test.frame, measured.uncovered, count)
        np.maximum.at(largest, test.frame, measured.ratios)
    if outside is not None:
        out = np.bincount(test.frame, outside > 0, count)
    order = np.lexsort((-largest, -out / test.n_atoms, -far / test.n_atoms))[:WORST]
    return [
        [test.names[k], str(test.groups[k]) or "(none)", int(test.n_atoms[k]),
         None if measured is None else int(far[k]),
         None if measured is None or not np.isfinite(largest[k]) else float(largest[k]),
         None if outside is None else int(out[k])]
        for k in order if far[k] or out[k]
    ]  # fmt: skip


def _ratio_plot(subject: Subject, measured: Measured) -> Plot:
    test = subject.test
    groups, species = test.groups[test.frame].astype(str), np.array(subject.species)[test.species]
    kinds, what = (groups, "group") if len(np.unique(groups)) > 1 else (species, "species")
    shown = np.clip(np.nan_to_num(measured.ratios, posinf=1e3), 1e-2, 1e3)

    def draw():
        figure = figure_of(7.2, 3.2)
        axes = figure.subplots()
        for number, name in enumerate(_largest_kinds(kinds)):
            x = np.sort(shown[kinds == name])
            # The share of atoms that are at least as far.
            axes.plot(
                x, 100 * np.arange(len(x), 0, -1) / len(x), color=COLOURS[number],
                marker=MARKERS[number], markersize=4, markevery=max(1, len(x) // 8),
                linewidth=1.2, label=name or "(none)",
            )  # fmt: skip
        axes.axvline(1, color="0.3", linewidth=0.8)
        axes.axvline(FACTOR, color="0.3", linewidth=0.8, linestyle="--", label="uncovered beyond")
        axes.set(
            xscale="log", yscale="log", xlabel="distance to the nearest training atom / limit",
            ylabel="test atoms at least as far (%)",
        )  # fmt: skip
        axes.legend(fontsize=7)
        return figure

    caption = f"How far test atoms are from the training set, by {what}."
    if len(np.unique(kinds)) > MOST_KINDS:
        caption += f" The {MOST_KINDS} with most atoms."
    return Plot(svg("ratios", draw), caption)


def _largest_kinds(kinds: np.ndarray) -> list[str]:
    names, counts = np.unique(kinds, return_counts=True)
    return names[np.argsort(-counts, kind="stable")][:MOST_KINDS].tolist()


def _some(which: np.ndarray) -> np.ndarray:
    """At most POINTS of these numbers."""
    random = np.random.default_rng(1)
    return which if len(which) <= POINTS else np.sort(random.permutation(which)[:POINTS])


def _planes(subject: Subject, measured: Measured) -> list[Plot]:
    """The first two principal axes, a panel for each species."""
    panels = [
        (s, cover)
        for s, cover in measured.covers.items()
        if cover is not None and (subject.test.species == s).any() and len(cover.scale) > 1
    ]
    if not panels:
        return []

    def draw():
        width = min(2, len(panels))
        height = -(-len(panels) // width)
        figure = figure_of(3.7 * width, 3.3 * height)
        grid = figure.subplots(height, width, squeeze=False).ravel()
        for axes, (s, cover) in zip(grid, panels, strict=False):
            background = cover.tree.data[_some(np.arange(cover.tree.n)), :2]
            axes.plot(*background.T, ".", color=OTHERS, markersize=3, label="training",
                      rasterized=True)  # fmt: skip
            for far, label, number in ((False, "test, covered", 0), (True, "test, uncovered", 1)):
                mine = _some(
                    np.flatnonzero((subject.test.species == s) & (measured.uncovered == far))
                )
                if len(mine):
                    axes.plot(
                        *measured.planes[mine].T, MARKERS[number], color=COLOURS[number],
                        markersize=3, alpha=0.6, markeredgewidth=0, label=label, rasterized=True,
                    )  # fmt: skip
            axes.set(title=subject.species[s], xlabel="first principal component",
                     ylabel="second principal component")  # fmt: skip
            axes.legend(fontsize=7, markerscale=1.5)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        return figure

    caption = (
        "Descriptors of the training set and of the test set, along the two directions in which "
        "the training set varies most. Atoms that are uncovered by other directions may lie "
        "amid the training atoms here."
    )
    return [Plot(svg("planes", draw), caption)]


def _judgements(
    subject: Subject, measured: Measured | None, outside: np.ndarray | None
) -> list[Judgement]:
    found = []
    if measured is not None:
        text = f"Test atoms farther than {FACTOR:g} times the limit from all training atoms"
        far = measured.uncovered
        found.append(subject.judge("uncovered", _share(far), text, _advice(subject, far)))
        found += _notes(subject, measured)
    if outside is not None:
        text = "Test atoms with a component of the descriptor outside the range of training"
        out = outside > 0
        found.append(subject.judge("outside", _share(out), text, _advice(subject, out)))
    return found


def _advice(subject: Subject, which: np.ndarray) -> str:
    """Names the groups, or the frames, with the largest share of such atoms."""
    test = subject.test
    count = np.bincount(test.frame, which, len(test))
    if not count.any():
        return ""
    names = np.unique(test.groups.astype(str))
    of_groups = {name: count[test.groups == name].sum() for name in names.tolist()}
    shares = {g: n / test.n_atoms[test.groups == g].sum() for g, n in of_groups.items() if n}
    groups = sorted(shares, key=lambda name: -shares[name])
    frames = np.argsort(-count / test.n_atoms, kind="stable")
    frames = [test.names[k] for k in frames[:NAMED] if count[k]]
    like = f"like {listed(frames, NAMED)}"
    if len(names) > 1:
        those = [name or "(none)" for name in groups]
        like = f"of {'group' if len(those) == 1 else 'the groups'} {listed(those, NAMED)}, {like}"
    return f"Add frames {like} to the training set, but not these themselves."


def _notes(subject: Subject, measured: Measured) -> list[Judgement]:
    found = []
    twins = np.flatnonzero(_twins(subject, measured))
    if len(twins):
        those = listed([subject.test.names[k] for k in twins], NAMED)
        found.append(
            Judgement(
                Level.NOTE,
                f"{counted(len(twins), 'test frame')} ({those}) may be in the training set, too, "
                "or are copies turned in space: all environments have their like. If so, take them "
                "out of the test set: the errors on it look smaller than they are.",
            )
        )
    if measured.unreadable:
        name, reason = measured.unreadable[0]
        count = counted(len(measured.unreadable), "file")
        text = f"{count} of the training set could not be used, the first: {name}: {reason}."
        found.append(Judgement(Level.DOUBTFUL, text, "Mend or remove them."))
    return found


def _data(subject: Subject, measured: Measured) -> dict:
    finite = measured.ratios[np.isfinite(measured.ratios)]
    quantiles = np.quantile(finite, np.linspace(0, 1, 101)).tolist() if len(finite) else []
    data: dict = {"ratio_quantiles_0_to_100_percent": quantiles, "planes": {}}
    for s, cover in measured.covers.items():
        if cover is None:
            continue
        mine = _some(np.flatnonzero(subject.test.species == s))
        data["planes"][subject.species[s]] = {
            "training": cover.tree.data[_some(np.arange(cover.tree.n)), :2].tolist(),
            "test": measured.planes[mine].tolist(),
            "test_ratio": [None if not np.isfinite(x) else x for x in measured.ratios[mine]],
        }
    return data
