"""What a run must have in common with the one that it continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from panna.config.reader import Config
from panna.config.train import TRAIN
from panna.config.train_optimiser import depends_on_length
from panna.errors import TrainingError
from panna.training.checkpoints import BEST, Checkpoint, read_checkpoint
from panna.training.metrics import Errors
from panna.training.networks import Architecture
from panna.training.state import Position
from panna.training.statistics import Statistics

TRAINING = "TRAINING_PARAMETERS"
# Keys that may change: how long, where derivatives come from (that is kept as it was), and how
# many other trainings run beside this one.
FREE = (
    *("max_steps", "max_epochs", "early_stopping_patience", "lbfgs_steps", "lbfgs_memory"),
    *("derivatives", "committee", "defaults"),
)
DATA = "data"
# What belongs to the weights: never changed in a training, whatever the restart mode.
FIXED = (
    *(" precision", " standardise", " architecture", " activations"),
    *(" atomic_sequence", " output_offset"),
)
# What decides about the order of the frames in an epoch.
ORDER = (DATA, " batch_size", " seed", " dataset_shuffle")


def settings(
    config: Config,
    species: tuple[str, ...],
    networks: tuple[Architecture, ...],
    statistics: Statistics,
) -> dict[str, Any]:
    """All that decides about the course of the training, by "[SECTION] key"; plain JSON values."""
    training = config[TRAINING]
    found: dict[str, Any] = {
        f"[{TRAINING}] {key}": value for key, value in training.items() if key not in FREE
    }
    if depends_on_length(config):
        for key in ("max_steps", "max_epochs"):
            found[f"[{TRAINING}] {key}"] = training[key]
    found["[IO_INFORMATION] dataset_shuffle"] = config["IO_INFORMATION"]["dataset_shuffle"]
    found["[DATA_INFORMATION] energy_rescale"] = config["DATA_INFORMATION"]["energy_rescale"]
    found["[DATA_INFORMATION] atomic_sequence"] = species
    found["[DATA_INFORMATION] output_offset"] = config["DATA_INFORMATION"]["output_offset"] or "fit"
    for symbol, one in zip(species, networks, strict=True):
        found[f"[{symbol}] architecture"] = one.sizes
        found[f"[{symbol}] activations"] = one.activations
        found[f"[{symbol}] trainable"] = one.trainable
        own = config.species_sections.get(symbol, {})
        if set(one.behavior) != {"new"}:
            found[f"[{symbol}] behavior"] = one.behavior
        for key in ("output_offset", "networks_metadata", "networks_from"):
            found[f"[{symbol}] {key}"] = _plain(own.get(key))
    found["[DEFAULT_NETWORK] networks_metadata"] = _plain(
        config["DEFAULT_NETWORK"]["networks_metadata"]
    )
    found[DATA] = _digest(statistics)
    return json.loads(json.dumps(found))


def check_remains(config: Config, now: dict[str, Any]) -> None:
    """Without checkpoints: raises TrainingError if there is a best model of another training.

    That of the same training is replaced: such a run was killed before its first checkpoint.
    """
    path = Path(config["IO_INFORMATION"]["train_dir"]) / BEST
    if path.exists() and read_checkpoint(path).state.get("settings") != now:
        raise TrainingError(
            f"{path}: belongs to a training with other settings, whose checkpoints are gone; move "
            "the folder away or choose another train_dir"
        )


def changed_settings(
    config: Config, checkpoint: Checkpoint, now: dict[str, Any], exact: bool
) -> list[str]:
    """Names of the settings that are others than those of the checkpoint.

    Args:
      exact: none may be.
    Raises:
      TrainingError: the run cannot continue with these settings; names the keys.
    """
    before = checkpoint.state.get("settings")
    if before is None:
        train_dir = config["IO_INFORMATION"]["train_dir"]
        raise TrainingError(
            f"{train_dir}: its checkpoints were not written by panna_train; choose another "
            "train_dir"
        )
    before = {key: _default(key) for key in now if key not in before} | before
    different = [key for key in before | now if before[key] != now.get(key)]
    refused = [key for key in different if exact or key.endswith(FIXED)]
    if refused:
        raise TrainingError(_refusal(config, refused, before, now, exact))
    return different


def common_checkpoint(found: Mapping[Path, Checkpoint | None]) -> Checkpoint | None:
    """One of several checkpoints, for what trainings that share their data have in common.

    Args:
      found: by the folder of the training.
    Raises:
      TrainingError: they do not have it in common.
    """
    known = [(folder, one) for folder, one in found.items() if one is not None]
    if not known:
        return None
    folder, first = known[0]
    for other_folder, other in known[1:]:
        if different := _difference(first, other):
            raise TrainingError(
                f"{folder} and {other_folder}: trained with different {different}; the members of "
                "a committee share their data. Continue them one by one, each with its folder as "
                "train_dir and its seed, or choose another train_dir"
            )
    return first


def apply_changes(position: Position, changed: Sequence[str]) -> bool:
    """Puts right what changed settings have made meaningless in a position.

    Returns:
      Whether the state of the optimiser must begin anew.
    """
    if not changed:
        return False
    position.forget_best()  # losses may be others
    position.rate_factor = 1.0
    if any(key.endswith(ORDER) for key in changed):
        position.batch, position.errors = 0, Errors()
    anew = any(key.endswith((" optimiser", " trainable")) for key in changed)
    if anew:
        position.first_moment = position.step
    return anew


def _refusal(
    config: Config, keys: Sequence[str], before: dict[str, Any], now: dict[str, Any], exact: bool
) -> str:
    lines = []
    for key in keys:
        if key == DATA:
            lines.append("the training data: other frames, energies or order")
        else:
            lines.append(f"{key} = {_text(now.get(key))} found, {_text(before.get(key))} expected")
    if any(key.endswith((" max_steps", " max_epochs")) for key in keys):
        lines.append(
            "the learning rate (cosine, the default, or learning_rate_final) or forces_cost_final "
            "reaches its last value in the last step: the whole schedule depends on the length"
        )
    advice = "Restore them to continue it, or choose another train_dir for a new training"
    if exact and not any(key.endswith(FIXED) for key in keys):
        advice += "; restart_mode = force_default continues with the new ones"
    return (
        f"{config.path}: the training in {config['IO_INFORMATION']['train_dir']} was begun with "
        "other settings:\n  " + "\n  ".join(lines) + "\n" + advice
    )


def _difference(one: Checkpoint, other: Checkpoint) -> str:
    """What trainings on the same data would have in common; empty if these have it."""
    if one.state.get("source") != other.state.get("source"):
        return "sources of derivatives"
    a, b = one.model, other.model
    if a.species != b.species or a.descriptor_hash != b.descriptor_hash:
        return "species or descriptors"
    if not np.array_equal(a.offsets, b.offsets):
        return "reference energies"
    for x, y in ((a.scale_mean, b.scale_mean), (a.scale_std, b.scale_std)):
        if (x is None) != (y is None) or (x is not None and not np.array_equal(x, y)):
            return "standardisations of the descriptors"
    return ""


def _default(name: str) -> Any:
    """Value of a setting in a checkpoint of a version that did not know the key."""
    section, _, key = name.removeprefix("[").partition("] ")
    found = TRAIN.find(section) or TRAIN.species_section
    known = found.find(key)
    return None if known is None else json.loads(json.dumps(known.default))


def _digest(statistics: Statistics) -> str:
    """Tells apart data sets by compositions and energies, in the order of the files."""
    digest = hashlib.sha256(np.ascontiguousarray(statistics.compositions).tobytes())
    digest.update(np.ascontiguousarray(statistics.energies).tobytes())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not given" if value is None else str(value)
