"""Warnings about training data: what spoils a training without stopping it, and what to do.

The frames are looked at in the one pass that collects the statistics (`collect`), and a few numbers
of each are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from panna.frames.criteria import (
    CLOSE,
    FACTOR,
    FEW,
    LEAST_ENERGY_SPREAD,
    LEAST_FORCE_SPREAD,
    NORMAL,
)
from panna.text import counted
from panna.training.scaling import constant_components
from panna.training.statistics import Statistics

SHOWN = 3

Names = Callable[[np.ndarray], list[str]]


class DataChecks:
    """Looks at every batch of the training set, in the order of the files.

    Args:
      species: symbols, in the order of the species numbers; others than those of elements have no
        radius, and their distances are not looked at.
    """

    def __init__(self, species: Sequence[str]) -> None:
        self.species = tuple(species)
        radii = np.array([covalent_radii[atomic_numbers.get(s, 0)] for s in self.species])
        radii[[s not in atomic_numbers for s in self.species]] = -np.inf
        self._limits = np.maximum(CLOSE * (radii[:, None] + radii[None, :]), 0.0)
        self._digests: list[np.ndarray] = []
        self._forces: list[np.ndarray] = []
        self._close: list[tuple[float, int, str]] = []  # ratio, frame, in words
        self._n_close = 0
        self._n_frames = 0

    def add(self, batch: Mapping[str, Any]) -> None:
        """Looks at a batch, see BatchSource.load; forces and vectors only if it has them."""
        self._digests.append(_digests(batch))
        if "forces" in batch:
            norms = np.linalg.norm(batch["forces"], axis=1)
            self._forces.append(np.maximum.reduceat(norms, _first_atoms(batch)))
        if "vectors" in batch:
            self._look_for_close_atoms(batch)
        self._n_frames += len(batch["energy"])

    def warnings(
        self,
        statistics: Statistics,
        offsets: np.ndarray,
        names: Names,
        validation: Statistics | None = None,
    ) -> list[str]:
        """What the user should know, one text each.

        Args:
          statistics: of the same training set.
          offsets: (n_species,) eV, reference energies.
          names: gives the names of frames by their numbers.
          validation: statistics of the validation set.
        """
        atoms = statistics.compositions.sum(1)
        per_atom = (statistics.energies - statistics.compositions @ offsets) / atoms
        found = [
            *_repeated(np.concatenate(self._digests), per_atom, names),
            *self._close_atoms(names),
            *_outlying_energies(per_atom, names),
            *_constant_components(statistics, self.species),
            *_absent_species(statistics, validation, self.species),
        ]
        if self._forces:
            found += _outlying_forces(np.concatenate(self._forces), names)
        return found

    def _look_for_close_atoms(self, batch: Mapping[str, Any]) -> None:
        vectors, species = batch["vectors"], batch["species"]
        squares = np.einsum("px,px->p", vectors, vectors)
        # Few pairs pass the largest of the limits; only these need the limit of their species.
        pairs = np.flatnonzero(squares < self._limits.max() ** 2)
        centres = np.searchsorted(batch["first"], pairs, side="right") - 1
        one, other = species[centres], species[batch["index"][pairs]]
        limits = self._limits[one, other]
        distances = np.sqrt(squares[pairs])
        close = distances < limits
        frames = batch["frame_of_atom"][centres]
        for frame in np.unique(frames[close]):
            mine = np.flatnonzero(close & (frames == frame))
            worst = mine[np.argmin(distances[mine] / limits[mine])]
            pair = "-".join(sorted(self.species[s] for s in (one[worst], other[worst])))
            self._n_close += 1
            self._close.append(
                (
                    float(distances[worst] / limits[worst]),
                    self._n_frames + int(frame),
                    f"{pair} {distances[worst]:.2f} angstrom",
                )
            )
        self._close = sorted(self._close)[:SHOWN]

    def _close_atoms(self, names: Names) -> list[str]:
        if not self._n_close:
            return []
        frames = np.array([frame for _, frame, _ in self._close])
        details = [text for _, _, text in self._close]
        return [
            f"{_have(self._n_close)} atoms closer than {CLOSE:.0%} of the sum of their covalent "
            f"radii: {_shown(frames, self._n_close, names, details)}. Check positions, cell and "
            "unit of length; keep such frames only if they are to teach the repulsion"
        ]


def _digests(batch: Mapping[str, Any]) -> np.ndarray:
    """(B, 2) uint64, equal for frames that agree, atom by atom, in:

    0: species and descriptors (float32), that is what a network sees;
    1: also energy and, where the batch has them, forces and the neighbours of the first atom.
       Without the latter two, frames that a rotation makes equal agree as well.
    """
    seen = [("species", np.int32), ("descriptors", np.float32)]
    rest = [("forces", np.float32)] if "forces" in batch else []
    atoms = np.append(0, np.cumsum(batch["n_atoms"]))
    arrays = {name: np.ascontiguousarray(batch[name], dtype) for name, dtype in seen + rest}
    digests = np.empty((len(batch["energy"]), 2), np.uint64)
    for frame, (begin, end) in enumerate(zip(atoms[:-1], atoms[1:], strict=True)):
        digest = hashlib.blake2b(digest_size=8)
        for name, _ in seen:
            digest.update(arrays[name][begin:end])
        digests[frame, 0] = int.from_bytes(digest.digest(), "little")
        digest.update(np.float64(batch["energy"][frame]).tobytes())
        for name, _ in rest:
            digest.update(arrays[name][begin:end])
        if "vectors" in batch:
            of_one_atom = slice(*batch["first"][begin : begin + 2])  # enough to see a rotation
            digest.update(np.ascontiguousarray(batch["vectors"][of_one_atom]))
        digests[frame, 1] = int.from_bytes(digest.digest(), "little")
    return digests


def _first_atoms(batch: Mapping[str, Any]) -> np.ndarray:
    return np.cumsum(batch["n_atoms"]) - batch["n_atoms"]


def _repeated(digests: np.ndarray, per_atom: np.ndarray, names: Names) -> list[str]:
    """Frames that are there twice, or that no network can tell from an earlier one."""
    found = []
    copies, of = _like_an_earlier_one(digests[:, 1])
    if len(copies):
        found.append(
            f"{counted(len(copies), 'frame')} with atoms, energy and descriptors of an earlier "
            f"one: {_shown(copies, len(copies), names, _as(of, names))}. They count twice, and if "
            "a random part of the frames serves for validation or test, such pairs make its "
            "errors too small. Remove them"
        )
    alike, of = _like_an_earlier_one(digests[:, 0])
    # Of two calculations of crystals that a rotation makes equal, the last digits differ.
    differ = np.abs(per_atom[alike] - per_atom[of]) > LEAST_ENERGY_SPREAD
    alike, of = alike[differ], of[differ]
    if len(alike):
        found.append(
            f"{counted(len(alike), 'frame')} with atoms and descriptors of an earlier one, but "
            f"another energy: {_shown(alike, len(alike), names, _as(of, names))}. No network can "
            "fit both; check these calculations, and whether the cutoff reaches all that differs"
        )
    return found


def _like_an_earlier_one(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the frames whose digest came before, and of the first frames that had it."""
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    earlier = first[group]
    again = np.flatnonzero(earlier != np.arange(len(digests)))
    return again, earlier[again]


def _as(frames: np.ndarray, names: Names) -> list[str]:
    return [f"as {name}" for name in names(frames[:SHOWN])]


def _outlying_energies(per_atom: np.ndarray, names: Names) -> list[str]:
    """per_atom: (F,) eV/atom, reference energies removed."""
    shifts = per_atom - np.median(per_atom)
    frames, spread = outliers(shifts, LEAST_ENERGY_SPREAD)
    if not len(frames):
        return []
    details = [f"{shifts[frame]:+.3g} eV/atom" for frame in frames]
    return [
        f"{_have(len(frames))} energies far from the others (more than {FACTOR:g} times "
        f"{spread:.2g} eV/atom from the median): {_shown(frames, len(frames), names, details)}. "
        "Check unit and convergence of these calculations; remove the frames, or give them a "
        "small weight"
    ]


def _outlying_forces(largest: np.ndarray, names: Names) -> list[str]:
    """largest: (F,) length of the largest force of each frame, eV/angstrom."""
    shifts = np.maximum(largest - np.median(largest), 0.0)
    frames, _ = outliers(shifts, LEAST_FORCE_SPREAD, largest)
    if not len(frames):
        return []
    details = [f"{largest[frame]:.3g} eV/angstrom" for frame in frames]
    return [
        f"{_have(len(frames))} forces far larger than the others (median of the largest ones "
        f"{np.median(largest):.2g} eV/angstrom): {_shown(frames, len(frames), names, details)}. "
        "They rule the force loss. Check unit and convergence of these calculations; remove the "
        "frames, or give them a small weight"
    ]


def outliers(
    shifts: np.ndarray,
    least: float,
    values: np.ndarray | None = None,
    factor: float = FACTOR,
) -> tuple[np.ndarray, float]:
    """Numbers of the outliers, the worst first, and the robust standard deviation.

    Args:
      shifts: (F,) from the median.
      least: lower limit of the standard deviation.
      values: whose deviation is meant, if not that of the shifts.
      factor: robust standard deviations that make an outlier.
    """
    values = shifts if values is None else values
    mad = np.median(np.abs(values - np.median(values)))
    spread = max(NORMAL * float(mad), least)
    size = np.abs(shifts)
    order = np.argsort(-size, kind="stable")
    frames = order[size[order] > factor * spread]
    return (frames if len(frames) <= FEW * len(shifts) else frames[:0]), spread


def _constant_components(statistics: Statistics, species: Sequence[str]) -> list[str]:
    found, parts = [], []
    for s, symbol in enumerate(species):
        if statistics.counts[s] < 2:
            continue
        mean = statistics.mean[s]
        constant = constant_components(mean, statistics.variance[s])
        if constant.all():
            found.append(
                f"all atoms of {symbol} have the same descriptor: its network learns one number "
                "only. Add frames in which the atoms are displaced"
            )
        elif constant.any():
            dead = int((constant & (mean == 0)).sum())
            what = "all 0" if dead == constant.sum() else f"{dead} of them 0"
            parts.append(f"{symbol} {constant.sum()} of {len(mean)} ({what})")
    if parts:
        found.append(
            "components of the descriptor that are the same for all atoms of a species: "
            f"{', '.join(parts)}. They tell nothing and cost time; normal for pairs of species "
            "that do not meet (small molecules). Otherwise check the cutoffs and the first centres"
        )
    return found


def _absent_species(
    statistics: Statistics, validation: Statistics | None, species: Sequence[str]
) -> list[str]:
    def of(which: np.ndarray) -> str:
        return ", ".join(s for s, one in zip(species, which, strict=True) if one)

    absent = statistics.counts == 0
    found = []
    if absent.any():
        found.append(
            f"the descriptor has {of(absent)}, but the training set has no such atoms: the "
            "potential must not be used for them. Add frames, or leave them out of the species"
        )
    if validation is not None and (unknown := absent & (validation.counts > 0)).any():
        found.append(
            f"the validation set has atoms of {of(unknown)}, the training set has none: errors of "
            "validation mean nothing. Divide the frames anew, so that both have all species"
        )
    return found


def _have(number: int) -> str:
    return "1 frame has" if number == 1 else f"{number} frames have"


def _shown(frames: np.ndarray, number: int, names: Names, details: Sequence[str]) -> str:
    """a (...), b (...), c (...) and 5 more."""
    some = zip(names(frames[:SHOWN]), details, strict=False)
    more = f" and {number - SHOWN} more" if number > SHOWN else ""
    return ", ".join(f"{name} ({detail})" for name, detail in some) + more
