"""One network, from whatever file or folder holds it."""

from __future__ import annotations

from pathlib import Path

from panna.errors import TrainingError
from panna.evaluation.networks import (
    NamedNetwork,
    from_checkpoints,
    from_network_directory,
    from_potential,
)
from panna.members import list_members
from panna.potential.panna_networks import METADATA
from panna.text import listed
from panna.training.checkpoints import BEST, FOLDER, read_checkpoint

POTENTIAL = "panna.in"
EXPECTED = (
    f"expected a checkpoint (.npz), a train_dir, a folder with {METADATA}, or a potential (a "
    f"folder with {POTENTIAL}, or its text file under another name)"
)


def open_network(path: str | Path, step: int | str = -1) -> NamedNetwork:
    """Reads a checkpoint, an exported network, a potential, or a checkpoint of a train_dir.

    Args:
      step: of a train_dir: number of the step, -1 for the last one, or "best".
    Raises:
      TrainingError, PotentialError: nothing of this kind, a committee, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise TrainingError(f"{path}: no such file or folder; {EXPECTED}")
    if path.is_file():
        return _of_file(path)
    if (path / METADATA).is_file():
        return from_network_directory(path)
    if (path / POTENTIAL).is_file():
        return from_potential(path, POTENTIAL)
    if members := [member.name for member in list_members(path)]:
        raise TrainingError(
            f"{path}: a committee of {listed(members)}; name one of them, such as "
            f"{path / members[0]}"
        )
    if not _is_training(path):
        raise TrainingError(f"{path}: holds no network; {EXPECTED}")
    return from_checkpoints(path, [step])[0]


def _of_file(path: Path) -> NamedNetwork:
    if path.name == METADATA:
        return from_network_directory(path.parent)
    if path.suffix != ".npz":
        return from_potential(path.parent, path.name)
    checkpoint = read_checkpoint(path)
    state = checkpoint.state
    label = path.stem.removeprefix("step_")
    return NamedNetwork(label, path, checkpoint.model, state.get("step"), state.get("epoch"))


def _is_training(path: Path) -> bool:
    """Also of a published PANNA, about which `from_checkpoints` knows what to say."""
    folders = (FOLDER, "_models")
    if path.name in folders or any((path / name).is_dir() for name in folders):
        return True
    return (path / BEST).is_file() or any(path.glob("*.index"))
