"""What a training writes into its folder: checkpoints, models, metrics.csv, TensorBoard's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from panna.network.parameters import Model
from panna.training.board.board import Board
from panna.training.checkpoints import Checkpoint, save_step, set_aside, write_checkpoint
from panna.training.metrics import Errors, MetricsTable
from panna.training.state import Position


class Output:
    """The files of one training; all methods raise FileError if one cannot be written.

    Args:
      train_dir: the folder.
      table, board: for metrics.csv and for TensorBoard.
      keep: latest checkpoints that are kept.
    """

    def __init__(self, train_dir: Path, table: MetricsTable, board: Board, keep: int) -> None:
        self.train_dir, self._table, self._board, self._keep = train_dir, table, board, keep

    def start(self, position: Position) -> None:
        """Continues the files at a position, or begins them."""
        set_aside(self.train_dir, position.step)
        self._table.start(position.epoch)
        self._board.start(position)

    def batch(self, step: int, errors: Errors) -> None:
        """Losses and errors of one batch."""
        self._board.batch(step, errors)

    def row(
        self,
        epoch: float,
        step: int,
        learning_rate: float,
        train: Errors,
        validation: Errors | None,
    ) -> None:
        """A row of metrics.csv."""
        self._table.add(epoch, step, learning_rate, train, validation)

    def epoch(
        self,
        position: Position,
        learning_rate: float,
        train: Errors,
        validation: Errors | None,
        model: Callable[[], Model],
        last: bool,
        staleness: Sequence[int] = (),
    ) -> None:
        """Curves and diagrams; see Board.epoch."""
        self._board.epoch(position, learning_rate, train, validation, model, last, staleness)

    def model(self, name: str, checkpoint: Checkpoint) -> None:
        """A model in a file of the folder."""
        write_checkpoint(self.train_dir / name, checkpoint)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """The checkpoint of a step."""
        save_step(self.train_dir, checkpoint, self._keep)

    def close(self) -> None:
        """Ends the files."""
        self._board.close()


class NoOutput(Output):
    """Of a process that trains together with another one, which writes."""

    def __init__(self) -> None:
        pass

    def start(self, *_) -> None: ...
    def batch(self, *_) -> None: ...
    def row(self, *_) -> None: ...
    def epoch(self, *_, **__) -> None: ...
    def model(self, *_) -> None: ...
    def checkpoint(self, *_) -> None: ...
    def close(self) -> None: ...
