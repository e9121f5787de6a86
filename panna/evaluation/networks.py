"""The networks to evaluate: checkpoints of a training, or one exported network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from panna.errors import TrainingError
from panna.network.parameters import Model
from panna.potential.panna_in import read_potential
from panna.potential.panna_networks import read_networks
from panna.training.checkpoints import (
    FOLDER,
    checkpoint_path,
    list_checkpoints,
    read_checkpoint,
)


@dataclass(frozen=True)
class NamedNetwork:
    """A network to evaluate.

    label: the beginning of the names of its files: a step, "best", or "" for an exported network.
    source: the file or folder that it was read from.
    model: the network.
    step, epoch: how long it was trained, None if that is not known.
    member: its name in a committee, "member_1"; empty if it is not of a committee.
    """

    label: str
    source: Path
    model: Model
    step: int | None = None
    epoch: float | None = None
    member: str = ""

    @property
    def title(self) -> str:
        """For people: "step 2000", "best (step 1800)", or the folder; the member before it."""
        if not self.label:
            return self.member or self.source.name
        if self.label.isdecimal():
            text = f"step {self.label}"
        else:
            text = self.label if self.step is None else f"{self.label} (step {self.step})"
        return f"{self.member}, {text}" if self.member else text


def from_checkpoints(
    train_dir: str | Path,
    steps: Sequence[int | str] | None = None,
    every: int = 1,
    only_last: bool = False,
) -> list[NamedNetwork]:
    """Networks of a training, in the order of steps (as given, if they are).

    Args:
      train_dir: folder of the training; the folder of checkpoints inside it will do.
      steps: numbers, -1 for the last, "best"; None for all.
      every: take every n-th of all.
      only_last: take the last of all.
    Raises:
      TrainingError: no such checkpoint, a damaged one, or checkpoints of different descriptors.
    """
    train_dir = _training_directory(Path(train_dir))
    if steps is None:
        checkpoint_path(train_dir, -1)  # explains where there is none
        found = list_checkpoints(train_dir)
        steps = list(found)[-1:] if only_last else list(found)[::every]
    networks: dict[str, NamedNetwork] = {}
    for step in steps:
        path = checkpoint_path(train_dir, step)
        label = "best" if step == "best" else path.stem.removeprefix("step_")
        if label not in networks:
            networks[label] = _of_checkpoint(label, path)
    result = list(networks.values())
    for other in result[1:]:
        check_same(result[0], other)
    return result


def from_members(
    folders: Sequence[Path],
    steps: Sequence[int | str] | None = None,
    every: int = 1,
    only_last: bool = False,
) -> list[NamedNetwork]:
    """Networks of the members of a committee, those of one step one after the other.

    Args:
      folders: of the members.
      steps, every, only_last: see `from_checkpoints`; "all" are those that all members have.
    Raises:
      TrainingError: also if a member lacks a checkpoint.
    """
    if steps is None:
        for folder in folders:
            checkpoint_path(folder, -1)  # explains where there is none
        common = sorted(set.intersection(*(set(list_checkpoints(folder)) for folder in folders)))
        if not common:
            raise TrainingError(
                f"{folders[0].parent}: there is no step of which all members have a checkpoint; "
                "give step_number = -1 for the last one of each member, or best"
            )
        steps = common[-1:] if only_last else common[::every]
    found: dict[tuple[str, str], NamedNetwork] = {}
    for step in steps:
        networks = [from_checkpoints(folder, [step])[0] for folder in folders]
        labels = {network.label for network in networks}
        # The last checkpoints of the members may be of different steps.
        label = labels.pop() if len(labels) == 1 else "last"
        for folder, network in zip(folders, networks, strict=True):
            member = folder.name
            found.setdefault((label, member), replace(network, label=label, member=member))
    result = list(found.values())
    for other in result[1:]:
        check_same(result[0], other)
    return result


def from_network_directory(directory: str | Path) -> NamedNetwork:
    """The network that extract_weights wrote with output_type = PANNA (of any version of PANNA).

    Raises:
      PotentialError: a file is missing, damaged, or does not fit the others.
    """
    return NamedNetwork("", Path(directory), read_networks(directory))


def from_potential(directory: str | Path, filename: str) -> NamedNetwork:
    """The network of a potential.

    Raises:
      PotentialError: a file is missing, damaged, or does not fit the others.
    """
    return NamedNetwork("", Path(directory), read_potential(directory, filename)[0])


def _of_checkpoint(label: str, path: Path) -> NamedNetwork:
    checkpoint = read_checkpoint(path)
    state = checkpoint.state
    return NamedNetwork(label, path, checkpoint.model, state.get("step"), state.get("epoch"))


def _training_directory(path: Path) -> Path:
    """The folder of the training; explains where it is one of the published PANNA."""
    # The folder of the checkpoints inside it will do, also under the name that PANNA v2 has for it.
    if path.name in (FOLDER, "_models") and list_checkpoints(path.parent):
        return path.parent
    if not path.is_dir():
        raise TrainingError(f"{path}: no such folder; expected the folder of a training")
    for pattern in ("model.ckpt-*.index", "epoch_*_step_*.index", "_models/epoch_*.index"):
        if not list_checkpoints(path) and any(path.glob(pattern)):
            raise TrainingError(
                f"{path}: holds TensorFlow checkpoints of PANNA v1 or v2, which cannot be read. "
                "Export them with that version (extract_weights, output_type = PANNA) and give "
                "networks_format = PANNA and networks_folder"
            )
    return path


def check_same(one: NamedNetwork, other: NamedNetwork) -> None:
    """Raises TrainingError if two networks have different species or descriptors."""
    a, b = one.model, other.model
    if (a.species, a.descriptor_hash, a.g_size) != (b.species, b.descriptor_hash, b.g_size):
        raise TrainingError(
            f"{one.source} and {other.source} have different species or descriptors; a train_dir "
            "holds one training. Evaluate them one at a time with step_number"
        )
