"""A profile of some steps for TensorBoard, written to train_dir/tensorboard/plugins/profile."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from panna.training.board.event_files import FOLDER


class Profile:
    """Profiles the steps from `first` to `last`; they count from 1, in the whole training."""

    def __init__(self, train_dir: Path, first: int, last: int) -> None:
        self.folder, self.first, self.last = Path(train_dir) / FOLDER, first, last
        self._running = False

    def before(self, step: int) -> None:
        """A step is about to begin."""
        if self.first <= step <= self.last and not self._running:
            tf.profiler.experimental.start(str(self.folder))
            self._running = True

    def after(self, step: int) -> None:
        """A step has ended."""
        if step >= self.last:
            self.close()

    def close(self) -> None:
        """Writes the profile, if it is being made."""
        if self._running:
            tf.profiler.experimental.stop()
            self._running = False
