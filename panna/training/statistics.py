"""One pass over the training set: what offsets, scaling and checks need to know about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panna.errors import TrainingError
from panna.network.ranges import Ranges


@dataclass(frozen=True)
class Statistics:
    """Sums over a data set, all float64.

    counts: (n_species,) atoms of each species.
    mean, variance: (n_species, g) of the descriptors of each species; 0 where it has no atoms.
    ranges: of the descriptors of each species.
    compositions: (F, n_species) atoms of each species in every frame.
    energies: (F,) eV.
    virials: frames that have one, if batches hold them.
    """

    counts: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    ranges: Ranges
    compositions: np.ndarray
    energies: np.ndarray
    virials: int = 0

    @property
    def n_frames(self) -> int:
        return len(self.energies)

    @property
    def n_atoms(self) -> int:
        return int(self.counts.sum())

    def text(self, species: Sequence[str]) -> str:
        """For people: 214 frames, 13251 atoms (Si 13251), -5.420 to -4.900 eV/atom."""
        counts = ", ".join(f"{s} {n:.0f}" for s, n in zip(species, self.counts, strict=True))
        per_atom = self.energies / self.compositions.sum(1)
        return (
            f"{self.n_frames} frames, {self.n_atoms} atoms ({counts}), {per_atom.min():.3f} to "
            f"{per_atom.max():.3f} eV/atom"
        )

    def residual(self, offsets: np.ndarray) -> float:
        """Root mean square over the frames of the energy per atom, offsets removed, in eV."""
        per_atom = (self.energies - self.compositions @ offsets) / self.compositions.sum(1)
        return float(np.sqrt(np.mean(per_atom**2)))

    def shared_with(self, other: Statistics) -> int:
        """Frames whose composition and energy a frame of the other set has, to the last bit."""
        others = {row.tobytes() for row in np.column_stack([other.compositions, other.energies])}
        mine = np.column_stack([self.compositions, self.energies])
        return sum(row.tobytes() in others for row in mine)

    def spread(self, offsets: np.ndarray) -> float:
        """Standard deviation over the frames of the energy per atom, offsets removed, in eV.

        A lower limit to the spread of the energies of atoms.
        """
        per_atom = (self.energies - self.compositions @ offsets) / self.compositions.sum(1)
        return float(np.std(per_atom))


def collect(
    batches: Iterable[Mapping[str, Any]],
    n_species: int,
    g_size: int,
    what: str = "training",
    watch: Callable[[Mapping[str, Any]], None] = lambda batch: None,
) -> Statistics:
    """Reads all batches once.

    Args:
      batches: dictionaries with n_atoms, energy, species, frame_of_atom, descriptors and name.
      what: what these data are for, for messages.
      watch: shown every batch, after its numbers were found to be finite.
    Raises:
      TrainingError: no frames at all, or energies or descriptors that are not finite.
    """
    counts = np.zeros(n_species)
    mean, squares = np.zeros((n_species, g_size)), np.zeros((n_species, g_size))
    ranges = Ranges.empty(n_species, g_size)
    compositions, energies, virials = [], [], 0
    for batch in batches:
        _check_finite(batch, what)
        watch(batch)
        species, descriptors = batch["species"], batch["descriptors"].astype(np.float64)
        for s in range(n_species):
            mine = descriptors[species == s]
            if len(mine):
                _merge(counts, mean, squares, s, mine)
                ranges.add(s, mine)
        composition = np.zeros((len(batch["energy"]), n_species))
        np.add.at(composition, (batch["frame_of_atom"], species), 1.0)
        compositions.append(composition)
        energies.append(batch["energy"])
        if "virial" in batch:
            virials += int(np.isfinite(batch["virial"][:, 0, 0]).sum())
    if not energies:
        raise TrainingError(f"the {what} set has no frames; check data_dir")
    variance = squares / np.maximum(counts, 1)[:, None]
    return Statistics(
        counts,
        mean,
        variance,
        ranges,
        np.concatenate(compositions),
        np.concatenate(energies),
        virials,
    )


def _merge(counts, mean, squares, s: int, new: np.ndarray) -> None:
    """Adds atoms to the running mean and sum of squares (Chan, Golub and LeVeque 1979)."""
    total = counts[s] + len(new)
    new_mean = new.mean(0)
    shift = new_mean - mean[s]
    squares[s] += ((new - new_mean) ** 2).sum(0) + shift**2 * (counts[s] * len(new) / total)
    mean[s] += shift * (len(new) / total)
    counts[s] = total


def _check_finite(batch: Mapping[str, np.ndarray], what: str) -> None:
    bad = ~np.isfinite(batch["energy"])
    broken = ~np.isfinite(batch["descriptors"]).all(1)
    if "forces" in batch:
        broken |= ~np.isfinite(batch["forces"]).all(1)
    bad[batch["frame_of_atom"][broken]] = True
    if bad.any():
        names = ", ".join(frame_names(batch["name"][bad])[:5])
        raise TrainingError(
            f"{what} data: energy, forces or descriptors of frames {names} are not finite "
            "numbers; remove these frames or compute them again"
        )


def frame_names(names: Iterable[Any]) -> list[str]:
    """Names of frames as text; nameless ones (data of the earliest PANNA) as '(no name)'."""
    texts = (n.decode(errors="replace") if isinstance(n, bytes) else str(n) for n in names)
    return [text or "(no name)" for text in texts]
