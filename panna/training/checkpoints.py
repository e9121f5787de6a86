"""Checkpoints: one .npz file each, written atomically, readable without TensorFlow.

    <train_dir>/checkpoints/step_<N>.npz   a model and all that an exact restart needs
    <train_dir>/best.npz                   the model with the smallest validation loss

Every file holds the model under `model/` (the averaged weights if `average_decay` is set) and a
JSON text under `state`. Checkpoints have more arrays, under `training/`: the moments of the
optimiser, and the weights being trained if the model holds averaged ones.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from panna.errors import TrainingError
from panna.files import atomic_write, make_folder
from panna.network.parameters import Model

FOLDER = "checkpoints"
BEST = "best.npz"
_NAME = re.compile(r"step_(\d+)\.npz")


@dataclass
class Checkpoint:
    """A model, where the training stood, and the arrays of the optimiser.

    model: the model to use.
    state: plain values: step, epoch, batch, seed, best validation loss, fingerprint...
    arrays: named arrays of the training; empty in best.npz.
    """

    model: Model
    state: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def list_checkpoints(train_dir: str | Path) -> dict[int, Path]:
    """Steps and files of the checkpoints of a training directory, in order of steps."""
    folder = Path(train_dir) / FOLDER
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def checkpoint_path(train_dir: str | Path, step: int | str = -1) -> Path:
    """File of one checkpoint.

    Args:
      step: number of the training step, -1 for the last one there is, or "best".
    Raises:
      TrainingError: there is no such checkpoint.
    """
    if step == "best":
        path = Path(train_dir) / BEST
        if not path.is_file():
            raise TrainingError(
                f"{path}: no such file; it is written after the first validation. "
                "Give step_number = -1 for the last checkpoint"
            )
        return path
    found = list_checkpoints(train_dir)
    if not found:
        raise TrainingError(
            f"{Path(train_dir) / FOLDER}: no checkpoints; is train_dir right, and has the "
            "training run?"
        )
    if step == -1:
        step = max(found)
    if step not in found:
        raise TrainingError(
            f"{train_dir}: no checkpoint of step {step}; there are "
            f"{', '.join(map(str, found))}, and 'best' if validation data were given"
        )
    return found[step]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a checkpoint or best.npz.

    Raises:
      TrainingError: missing, damaged or not a checkpoint.
    """
    arrays = read_npz(path)
    try:
        return _from_arrays(arrays)
    except (TrainingError, ValueError) as error:
        raise TrainingError(f"{path}: {error}") from error


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint atomically; the folder is created."""
    make_folder(Path(path).parent)
    with atomic_write(path, "wb") as file:
        np.savez(file, **_to_arrays(checkpoint))


def checkpoint_to_bytes(checkpoint: Checkpoint) -> bytes:
    """As the content of a file, for another process."""
    content = io.BytesIO()
    np.savez(content, **_to_arrays(checkpoint))
    return content.getvalue()


def checkpoint_from_bytes(content: bytes) -> Checkpoint:
    """What `checkpoint_to_bytes` was given."""
    return _from_arrays(dict(np.load(io.BytesIO(content), allow_pickle=False)))


def save_step(train_dir: str | Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Writes the checkpoint of state["step"] and deletes all but the `keep` latest ones."""
    step = checkpoint.state["step"]
    path = Path(train_dir) / FOLDER / f"step_{step}.npz"
    write_checkpoint(path, checkpoint)
    older = [p for s, p in list_checkpoints(train_dir).items() if s <= step]
    for surplus in older[: max(0, len(older) - keep)]:
        surplus.unlink()
    return path


def set_aside(train_dir: str | Path, step: int) -> None:
    """Moves checkpoints later than a step to checkpoints/after_step_N, because a training goes
    back to that step and will write others."""
    later = [path for number, path in list_checkpoints(train_dir).items() if number > step]
    if not later:
        return
    folder = Path(train_dir) / FOLDER / f"after_step_{step}"
    make_folder(folder)
    for path in later:
        path.replace(folder / path.name)


def _to_arrays(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    arrays = checkpoint.model.to_arrays()
    arrays["state"] = np.array(json.dumps(checkpoint.state))
    return arrays | {f"training/{name}": value for name, value in checkpoint.arrays.items()}


def _from_arrays(arrays: dict[str, np.ndarray]) -> Checkpoint:
    """Raises TrainingError or ValueError where something is missing or wrong."""
    state = json.loads(str(arrays["state"])) if "state" in arrays else {}
    prefix = "training/"
    rest = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    return Checkpoint(Model.from_arrays(arrays), state, rest)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file.

    Raises:
      TrainingError: missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; expected a checkpoint") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path}: damaged or not a checkpoint ({error})") from error
