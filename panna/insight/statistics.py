"""Mean and spread of descriptors over many files, one file in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from panna.errors import StorageError
from panna.storage.record import DescriptorRecord
from panna.training.scaling import constant_components


@dataclass
class Moments:
    """Of the descriptors of one species: (G,) float64 each, and the number of atoms."""

    size: int
    count: int = 0
    mean: np.ndarray = field(init=False)
    squares: np.ndarray = field(init=False)  # sum of squared deviations from the mean
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.mean, self.squares = np.zeros((2, self.size))
        self.low, self.high = np.full(self.size, np.inf), np.full(self.size, -np.inf)

    def add(self, descriptors: np.ndarray) -> None:
        """Take the atoms of (N, G) into account; the update of Chan, Golub and LeVeque (1979)."""
        n = len(descriptors)
        if n == 0:
            return
        values = np.asarray(descriptors, np.float64)
        mean = values.mean(axis=0)
        shift, total = mean - self.mean, self.count + n
        self.squares += ((values - mean) ** 2).sum(axis=0) + shift**2 * (self.count * n / total)
        self.mean += shift * (n / total)
        self.count = total
        self.low = np.minimum(self.low, values.min(axis=0))
        self.high = np.maximum(self.high, values.max(axis=0))

    @property
    def std(self) -> np.ndarray:
        """(G,) standard deviation over the atoms (of the population: divided by N)."""
        return np.sqrt(self.squares / max(1, self.count))

    @property
    def constant(self) -> np.ndarray:
        """(G,) bool, components that are the same in all environments, by the trainer's rule."""
        return constant_components(self.mean, self.squares / max(1, self.count))


class Statistics:
    """Moments of every species, from records that were made with one descriptor.

    size: components; hash: of the descriptor, "" if the files do not say; both of the first record.
    """

    def __init__(self, n_species: int | None = None) -> None:
        self.n_species = n_species
        self.size = 0
        self.hash = ""
        self.files = 0
        self.descriptor: dict | None = None
        self.by_species: dict[int, Moments] = {}

    def check(self, record: DescriptorRecord) -> None:
        """Whether a record fits the first one.

        Raises:
          StorageError: another descriptor or size, an unknown species, numbers not finite.
        """
        if record.n_atoms == 0 or record.g_size == 0:
            raise StorageError("it holds no descriptors")
        if self.files and (record.g_size, record.descriptor_hash) != (self.size, self.hash):
            raise StorageError(
                f"another descriptor: {_named(record.g_size, record.descriptor_hash)} found, "
                f"{_named(self.size, self.hash)} expected, as in the first file"
            )
        if self.n_species is not None and record.species.max() >= self.n_species:
            raise StorageError(
                f"species {record.species.max()} found, the descriptor has {self.n_species} "
                "(from 0)"
            )
        if not np.isfinite(record.descriptors).all():
            atom, component = np.argwhere(~np.isfinite(record.descriptors))[0]
            value = record.descriptors[atom, component]
            raise StorageError(
                f"component {component + 1} of atom {atom + 1} is {value}; expected a finite number"
            )

    def add(self, record: DescriptorRecord) -> None:
        """Take one more file into account, which `check` has accepted."""
        if not self.files:
            self.size, self.hash = record.g_size, record.descriptor_hash
            self.descriptor = record.descriptor
        self.files += 1
        for species in np.unique(record.species):
            moments = self.by_species.setdefault(int(species), Moments(self.size))
            moments.add(record.descriptors[record.species == species])


def _named(size: int, fingerprint: str) -> str:
    return f"{size} components ({fingerprint or 'no parameters in the file'})"
