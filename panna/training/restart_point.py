"""From which checkpoint a training continues: the restart modes of PANNA v2.

    default                  the last checkpoint, if there is one; settings must be the same
    force_default            the last checkpoint, if there is one; settings may be others
    continue_from_last_ckpt  the last checkpoint, which must exist; settings may be others
    specific_ckpt            that of restart_file, restart_step or restart_epoch; likewise
    metadata                 a new training that begins with networks_metadata
    none                     a new training

No mode replaces checkpoints: a new training needs a folder without any.
"""

from __future__ import annotations

from pathlib import Path

from panna.config.reader import Config
from panna.errors import TrainingError
from panna.training.checkpoints import Checkpoint, list_checkpoints, read_checkpoint

IO = "IO_INFORMATION"
EXACT = "default"
NEW = ("metadata", "none")


def exact(config: Config) -> bool:
    """Whether a training may continue only with the settings that it was begun with."""
    return config[IO]["restart_mode"] == EXACT


def starting_point(config: Config) -> Checkpoint | None:
    """Where to continue; None for a new training.

    Raises:
      ConfigError: restart_mode asks for a checkpoint that there is not, or for none where there
        are some.
      TrainingError: the checkpoint is damaged.
    """
    train_dir, mode = config[IO]["train_dir"], config[IO]["restart_mode"]
    found = list_checkpoints(train_dir)
    if mode == "specific_ckpt":
        return read_checkpoint(_chosen(config, found))
    if mode in NEW and found:
        raise config.error(
            IO, "restart_mode",
            f"{train_dir} has checkpoints, which are never replaced; choose another train_dir, or "
            "restart_mode = default to continue",
        )  # fmt: skip
    if not found:
        if mode == "continue_from_last_ckpt":
            raise config.error(IO, "restart_mode", f"there is no checkpoint in {train_dir}")
        return None
    try:
        return read_checkpoint(found[max(found)])
    except TrainingError as error:
        raise TrainingError(f"{error}; delete it to continue from the one before") from error


def _chosen(config: Config, found: dict[int, Path]) -> Path:
    """The file that restart_file, restart_step or restart_epoch asks for."""
    io = config[IO]
    if io["restart_file"] is not None:
        path = io["restart_file"]
        if found and path.resolve() not in [one.resolve() for one in found.values()]:
            raise config.error(
                IO, "restart_file",
                f"a checkpoint of another training, and {io['train_dir']} has its own; choose "
                "another train_dir, or restart_mode = default to continue the training there",
            )  # fmt: skip
        return path
    if io["restart_step"]:
        if io["restart_step"] not in found:
            raise config.error(IO, "restart_step", _there_are(config, found))
        return found[io["restart_step"]]
    for path in found.values():
        position = read_checkpoint(path).state.get("position", {})
        if position.get("epoch") == io["restart_epoch"] and position.get("batch") == 0:
            return path
    raise config.error(
        IO, "restart_epoch", "no checkpoint at the end of this epoch; " + _there_are(config, found)
    )


def _there_are(config: Config, found: dict[int, Path]) -> str:
    steps = ", ".join(map(str, found)) or "no step at all"
    return f"{config[IO]['train_dir']} has checkpoints of {steps}"
