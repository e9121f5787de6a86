"""Event files of TensorBoard, one folder for each run: train_dir/tensorboard/<run>.

train        the training set
validation   the validation set; same tags, so that both curves share a diagram
result       the model to use: hyperparameters, its errors, the projector
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary

from panna.errors import FileError

FOLDER = "tensorboard"
TRAIN, VALIDATION, RESULT = "train", "validation", "result"
RUNS = (TRAIN, VALIDATION, RESULT)


class EventFiles:
    """Opens the files at their first use: a training without validation has no empty run.

    All methods raise FileError if the files cannot be written.
    """

    def __init__(self, train_dir: str | Path) -> None:
        self.folder = Path(train_dir) / FOLDER
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def write(self, run: str, step: int, summaries: Iterable[Summary]) -> None:
        """Adds points to the diagrams of a run.

        All in one event: tf.summary.scalar and its like would run an operation for each.
        """
        event = Summary(value=[value for summary in summaries for value in summary.value])
        with self._writing():
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(str(self.folder / run))
            with self._writers[run].as_default(step=step):
                tf.summary.experimental.write_raw_pb(event.SerializeToString())

    def flush(self) -> None:
        """Everything so far becomes visible."""
        with self._writing():
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Ends the files."""
        with self._writing():
            for writer in self._writers.values():
                writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            # A full disk, most often; the first line names the operation, the file and the reason.
            reason = error.message.splitlines()[0].rpartition("}} ")[2]
            raise FileError(f"{self.folder}: cannot be written ({reason})") from error
