"""Takes back what a run has written after the point from which it continues.

Without this, a restart after a crash would draw some steps twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event

from panna.errors import FileError
from panna.files import atomic_write
from panna.training.board.event_files import FOLDER, RUNS
from panna.training.board.scalars import BATCH_PREFIX

FRAME = 16  # bytes round a record: its length and two checksums


def rewind(train_dir: str | Path, step: int, epoch_step: int) -> None:
    """Removes later events from the event files of a training; others stay byte by byte.

    As in metrics.csv, what belongs to an epoch stays only if the epoch was complete.

    Args:
      step: finished steps, of which the summaries of single batches stay.
      epoch_step: the last step of the last complete epoch.
    Raises:
      FileError: a file cannot be written.
    """
    for run in RUNS:
        for path in sorted((Path(train_dir) / FOLDER / run).glob("events.out.tfevents.*")):
            _rewind_file(path, step, epoch_step)


def _rewind_file(path: Path, step: int, epoch_step: int) -> None:
    kept = []
    for record in _records(path):
        event = Event.FromString(record)
        if event.WhichOneof("what") == "file_version" or _stays(event, step, epoch_step):
            kept.append(record)
    if len(kept) <= 1:  # nothing but the version
        path.unlink()
    elif sum(len(record) + FRAME for record in kept) < path.stat().st_size:
        try:
            with atomic_write(path, "wb") as file, tf.io.TFRecordWriter(file.name) as writer:
                for record in kept:
                    writer.write(record)
        except tf.errors.OpError as error:
            raise FileError(f"{path}: cannot be written ({error.message})") from error


def _stays(event: Event, step: int, epoch_step: int) -> bool:
    # Step 0 has the hyperparameters, which every start writes again.
    batch = any(value.tag.startswith(BATCH_PREFIX) for value in event.summary.value)
    return 0 < event.step <= (step if batch else epoch_step)


def _records(path: Path) -> Iterator[bytes]:
    """All complete records; a crash may have left half of one at the end."""
    records = iter(tf.data.TFRecordDataset(str(path)))
    while True:
        try:
            yield next(records).numpy()
        except (StopIteration, tf.errors.DataLossError):
            return
