"""A random sample of the frames of a folder, the same one for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.errors import PannaError
from panna.frames.example_file import ExampleWarning, read_example
from panna.frames.frame import Frame
from panna.listing import Listing

MOST_ATOMS = 50_000  # of a sample; more would only sharpen the histograms


@dataclass(frozen=True)
class Unread:
    """A file that cannot be used."""

    path: Path
    reason: str


class Sample:
    """Frames of a folder in random order, until enough frames or atoms have been given.

    examples: the files.
    frames: how many at most.
    seed: of the order.
    """

    def __init__(self, examples: Listing, frames: int, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(examples))[:frames]
        self.available = len(examples)
        self.examples = examples.select(order)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Frame | Unread]:
        """The frames; stops after MOST_ATOMS atoms, the frame that exceeds them included."""
        atoms = 0
        for path in self.examples:
            if atoms >= MOST_ATOMS:
                return
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExampleWarning)
                    frame = read_example(path)
            except PannaError as error:
                yield Unread(path, str(error).removeprefix(f"{path}: "))
                continue
            atoms += frame.n_atoms
            yield frame

    def __str__(self) -> str:
        if len(self) == self.available:
            return f"all {self.available} frames" if self.available > 1 else "1 frame"
        return f"{len(self)} of {self.available} frames, drawn at random with seed {self.seed}"
