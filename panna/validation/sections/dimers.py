"""Energy and force between two atoms alone, at all distances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from panna.errors import PannaError
from panna.frames.example_file import read_example
from panna.frames.frame import Frame
from panna.frames.neighbours import neighbour_list
from panna.listing import Listing
from panna.report.content import Fact, Plot, Table, numbers
from panna.report.level import Level
from panna.report.svg import COLOURS, figure_of, svg
from panna.validation.dimers import UNREACHABLE, Dimer, Fall, distances_of, fall_inwards, scan
from panna.validation.frames import frames_of_test, training_files
from panna.validation.section import Content, Judgement, NotPossible, section
from panna.validation.subject import Subject

MOST_FRAMES = 5_000  # of the training set, that are looked at for short distances
COMPARED = 5.0  # eV; a reference above it does not matter
# Of the shortest distance in the data. Two atoms alone may be closer than those in a crystal (Cu:
# 2.22 and 2.56 angstrom); a minimum further inside is one that the data know nothing of.
NEAR_DATA = 0.85

Pair = tuple[str, str]


@dataclass(frozen=True)
class Points:
    """Frames of two atoms alone: (n,) angstrom, eV (with the energy of the atoms), eV/angstrom."""

    distances: list[float]
    energies: list[float]
    forces: list[float]


@section(
    "dimers",
    "Pairs of atoms",
    "Two atoms with nothing around them. Potentials that were trained on crystals and liquids only "
    "are commonly wrong here at the bond length, since two atoms alone are not in their training "
    "set; that does not matter in a crystal. What matters in any simulation is that atoms which "
    "come too close are pushed apart: otherwise they fall into one another in a hot run. So the "
    "energy is judged from the shortest distance in the data (or from the bond length, if that is "
    f"shorter) inwards, until it is {UNREACHABLE:g} eV higher, where no atom comes. The bond "
    "length is that of the reference; without one, the deepest minimum of the potential that is "
    f"not more than {100 * (1 - NEAR_DATA):.0f} % shorter than the data: a well further inside "
    "is a fault. Energies are those without the energy of the two atoms at the cutoff.",
)
def dimers(subject: Subject) -> Content:
    """Curves of all pairs of species, beside the reference."""
    settings = subject.config["DIMERS"]
    calculator, reference = subject.calculator(), subject.reference_calculator()
    training, notes = _training(subject)
    shortest, frames = _shortest(subject, training)
    found, references = [], []
    for pair in combinations_with_replacement(subject.species, 2):
        distances = distances_of(pair, subject.cutoff, settings["shortest"], settings["points"])
        found.append(scan(calculator, pair, distances, subject.cutoff))
        try:
            references.append(reference and scan(reference, pair, distances, subject.cutoff))
        except PannaError as error:
            references.append(None)
            notes.append(_no_reference(pair, distances, error))
    falls = [_fall(one, other, shortest) for one, other in zip(found, references, strict=True)]
    points = _test_dimers(subject)
    name = subject.config["REFERENCE"]["name"]
    facts = [
        Fact("pairs", "pairs of species", len(found)),
        Fact("searched", "frames searched for the shortest distances", frames),
        Fact("test_dimers", "test frames of two atoms alone",
             sum(len(one.distances) for one in points.values())),
    ]  # fmt: skip
    return Content(
        facts,
        [Table("pairs", "Pairs", HEADERS, _rows(found, references, falls, shortest))],
        [_plot(found, references, falls, shortest, points, name)],
        [*_judgements(subject, found, falls), *notes],
        {
            "pairs": [
                _data(one, other, fall, points.get(_ordered(one.pair)))
                for one, other, fall in zip(found, references, falls, strict=True)
            ]
        },
    )


def _fall(one: Dimer, reference: Dimer | None, shortest: dict[Pair, float]) -> Fall:
    """From the shortest distance in the data, or the bond length, whichever is shorter.

    The bond length is that of the reference if there is one: a spurious well is no bond.
    """
    bond = _bond(one, None, shortest) if reference is None else reference.bond()
    starts = [x for x in (bond, shortest.get(_ordered(one.pair))) if x is not None]
    return fall_inwards(one, min(starts, default=float(one.distances[-1])))


def _bond(one: Dimer, reference: Dimer | None, shortest: dict[Pair, float]) -> float | None:
    """Of the potential, angstrom. Only near the data, if no reference tells bonds from faults."""
    near = shortest.get(_ordered(one.pair))
    return one.bond(NEAR_DATA * near if reference is None and near is not None else 0.0)


def _no_reference(pair: Pair, distances: np.ndarray, error: PannaError) -> Judgement:
    text = (
        f"The reference of {'-'.join(pair)} cannot be calculated from {distances[0]:.2f} Å on: "
        f"{str(error).rstrip('.')}."
    )
    return Judgement(Level.NOTE, text, "Make shortest in [DIMERS] larger, or check [REFERENCE].")


def _ordered(pair: Pair) -> Pair:
    first, second = sorted(pair)
    return first, second


def _training(subject: Subject) -> tuple[Listing | None, list[Judgement]]:
    """Files of the training set; if it cannot be used, the test set has to do."""
    try:
        return training_files(subject), []
    except NotPossible as reason:
        text = f"Only the test set was searched for short distances: {str(reason).rstrip('.')}."
        return None, [Judgement(Level.NOTE, text, "Correct training_dir in [IO_INFORMATION].")]


def _shortest(subject: Subject, training: Listing | None) -> tuple[dict[Pair, float], int]:
    """Angstrom by pair of species, of those within the cutoff; and the number of frames."""
    found: dict[Pair, float] = {}
    count = 0
    for frame in _all_frames(subject, training):
        near = neighbour_list(frame, subject.species, subject.cutoff)
        count += 1
        if not near.n_pairs:
            continue
        n = len(subject.species)
        code = near.species[near.centre] * n + near.species[near.index]
        least = np.full(n * n, np.inf)
        np.minimum.at(least, code, np.linalg.norm(near.vectors, axis=1))
        for k in np.flatnonzero(np.isfinite(least)):
            pair = _ordered((subject.species[k // n], subject.species[k % n]))
            found[pair] = min(found.get(pair, np.inf), float(least[k]))
    return found, count


def _all_frames(subject: Subject, files: Listing | None) -> Iterable[Frame]:
    yield from frames_of_test(subject)
    for path in [] if files is None else files.select(np.arange(min(len(files), MOST_FRAMES))):
        try:
            frame = read_example(path)
        except PannaError:
            continue  # the section on coverage names it
        if set(frame.species) <= set(subject.species):
            yield frame


def _test_dimers(subject: Subject) -> dict[Pair, Points]:
    """The frames in which two atoms see nothing but one another."""
    found: dict[Pair, Points] = {}
    if not (subject.test.n_atoms == 2).any():
        return found
    for frame in frames_of_test(subject):
        if frame.n_atoms != 2 or frame.energy is None:
            continue
        near = neighbour_list(frame, subject.species, subject.cutoff)
        # A cell of two atoms has images.
        if near.n_pairs != 2 or near.index[0] == near.centre[0]:
            continue
        mine = found.setdefault(_ordered(frame.species), Points([], [], []))
        distance = float(np.linalg.norm(near.vectors[0]))
        mine.distances.append(distance)
        mine.energies.append(frame.energy)
        force = np.nan
        if frame.forces is not None:
            # The force on the neighbour, away from the centre.
            force = float(frame.forces[near.index[0]] @ near.vectors[0]) / distance
        mine.forces.append(force)
    return found


HEADERS = ("pair", "shortest in the data (Å)", "bond length (Å)", "energy there (eV)",
           "judged below (Å)", "fall (eV)", "begins at (Å)", "barrier before it (eV)",
           "force at the cutoff (eV/Å)", "RMS deviation from the reference (eV)")  # fmt: skip


def _rows(found, references, falls, shortest: dict[Pair, float]) -> list[list]:
    rows = []
    for one, reference, fall in zip(found, references, falls, strict=True):
        bond = _bond(one, reference, shortest)
        at_bond = None if bond is None else float(np.interp(bond, one.distances, one.energies))
        rows.append(
            ["-".join(one.pair), shortest.get(_ordered(one.pair)), bond, at_bond, fall.start,
             fall.depth, fall.top if fall.depth else None, fall.barrier if fall.depth else None,
             abs(float(one.forces[-1])), _deviation(one, reference)]
        )  # fmt: skip
    return rows


def _deviation(one: Dimer, reference: Dimer | None) -> float | None:
    """Of the energies where the reference is below COMPARED, root mean square."""
    if reference is None or not (low := reference.energies < COMPARED).any():
        return None
    return float(np.sqrt(np.mean((one.energies - reference.energies)[low] ** 2)))


def _judgements(subject: Subject, found: list[Dimer], falls: list[Fall]) -> list[Judgement]:
    deepest = int(np.argmax([fall.depth for fall in falls]))
    one, fall = "-".join(found[deepest].pair), falls[deepest]
    text = f"Energy of a pair below {fall.start:.2f} Å only rises"
    if fall.depth:
        text = (
            f"Fall of the energy of {one} from {fall.top:.2f} to {fall.bottom:.2f} Å, behind a "
            f"barrier of {fall.barrier:.2g} eV"
        )
    elif len(found) > 1:
        text = "Fall of the energy of any pair at short distance"
    bad = [
        "-".join(dimer.pair)
        for dimer, fall in zip(found, falls, strict=True)
        if fall.depth > subject.config["THRESHOLDS"]["dimer_fall"][0]
    ]
    advice = (
        f"Add frames with short distances of {', '.join(bad)} to the training set (compressed "
        "cells, hot liquids, pairs of atoms), or add a repulsive pair term in LAMMPS: pair_style "
        "hybrid/overlay with zbl."
    )
    forces = [abs(float(dimer.forces[-1])) for dimer in found]
    worst = int(np.argmax(forces))
    at_cutoff = f"Force between {'-'.join(found[worst].pair)} just within the cutoff"
    smooth = (
        "Energy will not be conserved when atoms cross the cutoff: look at the descriptor, whose "
        "functions must end smoothly there."
    )
    return [
        subject.judge("dimer_fall", fall.depth, text, advice),
        subject.judge("dimer_cutoff_force", forces[worst], at_cutoff, smooth),
    ]


def _plot(found, references, falls, shortest, points: dict[Pair, Points], name: str) -> Plot:
    def draw():
        figure = figure_of(7.2, 2.6 * len(found))
        grid = figure.subplots(len(found), 2, squeeze=False)
        for (left, right), one, reference, fall in zip(grid, found, references, falls, strict=True):
            test = points.get(_ordered(one.pair))
            r = one.distances
            left.plot(r, one.energies, color=COLOURS[0], label="potential")
            right.plot(r, one.forces, color=COLOURS[0])
            if one.forces_std is not None:
                band = one.forces - one.forces_std, one.forces + one.forces_std
                right.fill_between(r, *band, color=COLOURS[0], alpha=0.2, linewidth=0)
            if reference is not None:
                left.plot(r, reference.energies, "--", color=COLOURS[1], label=name)
                right.plot(r, reference.forces, "--", color=COLOURS[1])
            if test is not None:
                energies = np.array(test.energies) - one.alone
                left.plot(test.distances, energies, "s", color=COLOURS[2], markersize=4,
                          label="test frames")  # fmt: skip
                right.plot(test.distances, test.forces, "s", color=COLOURS[2], markersize=4)
            for axes, curves in ((left, "energies"), (right, "forces")):
                shown = [getattr(one, curves)]
                shown += [] if reference is None else [getattr(reference, curves)]
                axes.set_ylim(*_window(shown))
                axes.axhline(0, color="0.3", linewidth=0.6)
                axes.axvspan(r[0], fall.start, color="0.5", alpha=0.12, linewidth=0)
                known = shortest.get(_ordered(one.pair))
                if known is not None:
                    axes.axvline(known, color="0.3", linewidth=0.8, linestyle=":",
                                 label="shortest in the data")  # fmt: skip
                axes.set_xlabel("distance (Å)")
            left.set(ylabel="energy (eV)", title="–".join(one.pair))
            right.set(ylabel="force, positive: repulsive (eV/Å)")
            left.legend(fontsize=7)
        return figure

    caption = (
        "Energy and force of two atoms alone; grey: where the energy must rise towards shorter "
        "distances. Test frames are shown with the zero of the potential. A band is the spread "
        "of the members of a committee."
    )
    return Plot(svg("dimers", draw), caption)


def _window(curves: list[np.ndarray]) -> tuple[float, float]:
    """What is shown of curves that rise to thousands."""
    low = max(min(float(c.min()) for c in curves), -2 * UNREACHABLE)
    high = min(max(float(c.max()) for c in curves), UNREACHABLE)
    margin = 0.05 * max(high - low, 1e-3)
    return low - margin, high + margin


def _data(one: Dimer, reference: Dimer | None, fall: Fall, points: Points | None) -> dict:
    data = {
        "pair": list(one.pair),
        "distances_angstrom": one.distances.tolist(),
        "energies_eV": numbers(one.energies),
        "forces_eV_per_angstrom": numbers(one.forces),
        "energy_at_cutoff_eV": one.alone,
        "judged_below_angstrom": fall.start,
        "fall_eV": fall.depth,
    }
    if one.known is not None:
        data["within_ranges_of_training"] = one.known.tolist()
    if one.forces_std is not None:
        data["forces_std_eV_per_angstrom"] = numbers(one.forces_std)
    if reference is not None:
        data["reference_energies_eV"] = numbers(reference.energies)
        data["reference_forces_eV_per_angstrom"] = numbers(reference.forces)
    if points is not None:
        columns = points.distances, points.energies, numbers(np.array(points.forces))
        data["test_frames"] = [
            {"distance_angstrom": r, "energy_eV": e - one.alone, "force_eV_per_angstrom": f}
            for r, e, f in zip(*columns, strict=True)
        ]
    return data
