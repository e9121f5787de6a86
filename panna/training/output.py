"""What a training writes into its folder: checkpoints, models, metrics.csv, TensorBoard's files."""

from __future__ import annotations

from pathlib import Path

from panna.training.board.board import Board
from panna.training.checkpoints import Checkpoint, save_step, set_aside, write_checkpoint
from panna.training.metrics import MetricsTable
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
        self.row = table.add
        self.batch, self.epoch, self.close = board.batch, board.epoch, board.close

    def start(self, position: Position) -> None:
        """Continues the files at a position, or begins them."""
        set_aside(self.train_dir, position.step)
        self._table.start(position.epoch)
        self._board.start(position)

    def model(self, name: str, checkpoint: Checkpoint) -> None:
        """A model in a file of the folder."""
        write_checkpoint(self.train_dir / name, checkpoint)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """The checkpoint of a step."""
        save_step(self.train_dir, checkpoint, self._keep)


class NoOutput(Output):
    """Of a process that trains together with another one, which writes."""

    def __init__(self) -> None:
        self.row = self.batch = self.epoch = self.close = lambda *_, **__: None

    def start(self, position: Position) -> None: ...
    def model(self, name: str, checkpoint: Checkpoint) -> None: ...
    def checkpoint(self, checkpoint: Checkpoint) -> None: ...
