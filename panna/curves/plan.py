"""Which trainings a learning curve consists of, and the ini file of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panna.config.ini import ini_text, read_ini
from panna.config.reader import Config
from panna.text import counted

IO, CURVE, TRAINING = "IO_INFORMATION", "LEARNING_CURVE", "TRAINING_PARAMETERS"
CHECKPOINTS = 20  # in a training, unless its ini file says how often
# Nothing of these has a meaning when energies alone are trained.
OF_FORCES = ("forces_cost_final", "stress_cost", "derivatives")


@dataclass(frozen=True, order=True)
class Point:
    """One training: what it sees, how many frames, and its seed."""

    mode: str
    size: int
    seed: int

    def __str__(self) -> str:
        return f"{words(self.mode)}, {counted(self.size, 'frame')}, seed {self.seed}"


def words(mode: str) -> str:
    """A mode for people: energies + forces."""
    return mode.replace("_", " + ")


@dataclass(frozen=True)
class Recipe:
    """How a point is trained.

    train_dir: its folder.
    steps: length of the training.
    text: its ini file.
    settings: 16 hexadecimal digits that change with everything that decides about the result.
    """

    point: Point
    train_dir: Path
    steps: int
    text: str
    settings: str

    @property
    def ini(self) -> Path:
        return self.train_dir / "train.ini"


def recipes(config: Config, template: Config, files: Sequence[Path]) -> list[Recipe]:
    """All trainings of a curve: seed by seed, so that early on there is a curve to look at.

    Args:
      config: read with the LEARNING_CURVE schema.
      template: read with the TRAIN schema.
      files: of the data; other ones under the same names make other settings.
    Raises:
      ConfigError: the template does not allow what is asked for.
    """
    _check(config, template)
    curve = config[CURVE]
    data = "".join(f"# {path.name} {path.stat().st_size}\n" for path in files)
    data += f"# step_number = {curve['step_number']}\n"
    return [
        _recipe(config, template, Point(mode, size, seed), data)
        for seed in range(curve["seeds"])
        for size in sorted(curve["sizes"])
        for mode in curve["modes"]
    ]


def _recipe(config: Config, template: Config, point: Point, data: str) -> Recipe:
    sections = {
        section: {key: value for key, (_, value) in keys.items()}
        for section, keys in read_ini(template.path).items()
    }
    training, io = sections[TRAINING], sections[IO]
    length, steps = _length(config, template, point.size)
    for key in ("max_steps", "max_epochs"):
        training.pop(key, None)
    training |= length | {"seed": str(point.seed)}
    if point.mode == "energies":
        training["forces_cost"] = "0"
        for key in OF_FORCES:
            training.pop(key, None)
    io |= {"subset_size": str(point.size), "subset_seed": str(point.seed)}
    del io["train_dir"]  # the folder may be moved
    settings = hashlib.sha256((ini_text(sections) + data).encode()).hexdigest()[:16]
    folder = config[IO]["output_dir"] / "runs" / f"{point.mode}_{point.size}_seed{point.seed}"
    io["train_dir"] = str(folder)
    # Otherwise small sets, whose epochs take a few steps, would do little else.
    io.setdefault("save_checkpoint_steps", str(max(1, steps // CHECKPOINTS)))
    io.setdefault("max_ckpt_to_keep", "1")
    return Recipe(point, folder, steps, ini_text(sections), settings)


def _length(config: Config, template: Config, size: int) -> tuple[dict[str, str], int]:
    """The key that fixes the length of a training, and its steps."""
    training, curve = template[TRAINING], config[CURVE]

    def steps_per_epoch(frames: int) -> int:
        return -(-frames // training["batch_size"])

    epochs = training["max_epochs"]
    if curve["length"] == "epochs":
        return {"max_epochs": str(epochs)}, epochs * steps_per_epoch(size)
    steps = training["max_steps"] or epochs * steps_per_epoch(max(curve["sizes"]))
    return {"max_steps": str(steps)}, steps


def _check(config: Config, template: Config) -> None:
    curve = config[CURVE]
    if curve["length"] == "epochs" and template[TRAINING]["max_epochs"] is None:
        raise config.error(
            CURVE, "length", f"{template.path} gives max_steps; expected max_epochs there"
        )
    if curve["step_number"] == "best" and template["VALIDATION_OPTIONS"]["data_dir"] is None:
        raise config.error(
            CURVE, "step_number",
            f"{template.path} has no [VALIDATION_OPTIONS] data_dir, so there is no best model; "
            "give one, or step_number = last",
        )  # fmt: skip
    if "energies_forces" in curve["modes"] and template[TRAINING]["forces_cost"] == 0:
        raise config.error(
            CURVE, "modes",
            f"energies_forces needs [{TRAINING}] forces_cost above 0 in {template.path}; give it, "
            "or modes = energies",
        )  # fmt: skip
    if template.given(IO, "subset_size"):
        raise template.error(
            IO, "subset_size", f"the sizes are given in {config.path}; remove the key"
        )
    test = config[IO]["test_dir"].resolve()
    for section in (IO, "VALIDATION_OPTIONS"):
        data_dir = template[section]["data_dir"]
        if data_dir is not None and data_dir.resolve() == test:
            raise config.error(
                IO, "test_dir",
                f"it is the [{section}] data_dir of {template.path}; give frames that no training "
                "sees",
            )  # fmt: skip
