"""The data of a learning curve: the frames that are drawn from, and the test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panna.config.reader import Config
from panna.evaluation.structures import Structure, StructureSet
from panna.storage.dataset import DataSummary, inspect_files, open_dataset
from panna.training.data import check_same_descriptor, tfrecords_of
from panna.training.statistics import Statistics, collect

IO = "IO_INFORMATION"
BATCH = 64  # frames read at a time


@dataclass(frozen=True)
class CurveData:
    """What `open_curve_data` has found.

    n_frames: in the training folder.
    structures: of the test set, in memory.
    files: all that the results depend on.
    warnings: what the user should know.
    """

    n_frames: int
    structures: Sequence[Structure]
    files: tuple[Path, ...]
    warnings: list[str]


def open_curve_data(config: Config, template: Config) -> CurveData:
    """Opens and compares the data.

    Args:
      config: read with the LEARNING_CURVE schema.
      template: read with the TRAIN schema.
    Raises:
      ConfigError: a folder without data, other descriptors, or fewer frames than a size asks for.
      StorageError: damaged data.
    """
    train = inspect_files(tfrecords_of(template, IO))
    files = [*train.files]
    if template["VALIDATION_OPTIONS"]["data_dir"] is not None:
        files += tfrecords_of(template, "VALIDATION_OPTIONS")
    test = inspect_files(tfrecords_of(config, IO, "test_dir"))
    check_same_descriptor(config, IO, "test_dir", train, test)
    largest = max(config["LEARNING_CURVE"]["sizes"])
    if largest > train.n_frames:
        raise config.error(
            "LEARNING_CURVE", "sizes",
            f"{template[IO]['data_dir']} has {train.n_frames} frames; expected at most so many",
        )  # fmt: skip
    species = template["DATA_INFORMATION"]["atomic_sequence"]
    species = species or tuple((train.descriptor or {}).get("species", ()))
    if not species:
        raise template.error(
            "DATA_INFORMATION", "atomic_sequence",
            f"missing; {train.files[0]} does not name its species (a file of PANNA v1 or v2)",
        )  # fmt: skip
    structures = list(StructureSet.open(config[IO]["test_dir"], "TFR", species))
    shared = _statistics(test, species).shared_with(_statistics(train, species))
    warnings = []
    if shared:
        warnings.append(
            f"{shared} frames of the test set have composition and energy of a training frame: if "
            "they are the same, the errors come out too small"
        )
    return CurveData(train.n_frames, structures, (*files, *test.files), warnings)


def _statistics(summary: DataSummary, species: Sequence[str]) -> Statistics:
    n, g = len(species), summary.g_size
    data = open_dataset(summary, n, g, batch_size=BATCH, shuffle=False)
    return collect(data.epoch_batches(0), n, g)
