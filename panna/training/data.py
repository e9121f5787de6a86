"""The data of a training: found, checked against the configuration, and opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from panna.config.reader import Config
from panna.errors import FileError
from panna.storage.dataset import Dataset, DataSummary, inspect_files, open_dataset
from panna.storage.groups import count_groups
from panna.storage.record_index import list_tfrecords
from panna.text import readable_bytes
from panna.training.memory import available_bytes

SHARE = 0.5  # of the free memory that cached data may take
SAMPLE = 8  # frames whose size in memory is measured


@dataclass(frozen=True)
class TrainingData:
    """train, validation: batches; the latter is None if there is none.

    summary: of the training files.
    species: in the order of the indices.
    derivatives: why this source of derivatives; cache: why the data are kept in memory or not.
    """

    train: Dataset
    validation: Dataset | None
    summary: DataSummary
    species: tuple[str, ...]
    derivatives: str
    cache: str

    @property
    def source(self) -> str:
        """Of derivatives: "none", "stored" or "on_the_fly"."""
        return self.train.source.source


def open_training_data(config: Config, source: str | None = None) -> TrainingData:
    """Opens the data that a configuration names.

    Args:
      config: read with the TRAIN schema.
      source: of derivatives, of the run that continues; None to follow the configuration.
    Raises:
      ConfigError: a key does not fit the data.
      StorageError: no data, damaged data, or data without what the training needs.
    """
    summary = inspect_files(_files(config, "IO_INFORMATION"))
    species = _species(config, summary)
    _check_g_size(config, summary)
    chosen, reason = _choose_source(config, summary, source)
    train = _open(config, summary, species, chosen, validation=False)
    validation = None
    if config["VALIDATION_OPTIONS"]["data_dir"] is not None:
        other = inspect_files(_files(config, "VALIDATION_OPTIONS"))
        _check_same_descriptor(config, summary, other)
        validation = _open(config, other, species, chosen, validation=True)
    weights = config["TRAINING_PARAMETERS"]["group_weights"]
    if weights:
        _check_groups(config, weights, train)
        train = _weighted(train, weights)
        validation = _weighted(validation, weights) if validation else None
    cache, cache_reason = _choose_cache(config, [train, validation])
    if cache:
        train = _cached(train)
        validation = _cached(validation) if validation else None
    return TrainingData(train, validation, summary, species, reason, cache_reason)


def _files(config: Config, section: str) -> list[Path]:
    try:
        return list_tfrecords(config[section]["data_dir"])
    except FileError as error:
        raise config.error(section, "data_dir", str(error)) from error


def _species(config: Config, summary: DataSummary) -> tuple[str, ...]:
    """Symbols in the order of the descriptor."""
    given = config["DATA_INFORMATION"]["atomic_sequence"]
    listed = tuple((summary.descriptor or {}).get("species", ()))
    if given is None and not listed:
        raise config.error(
            "DATA_INFORMATION", "atomic_sequence",
            f"missing; {summary.files[0]} does not name its species (a file of PANNA v1 or v2)",
        )  # fmt: skip
    if given is not None and listed and given != listed:
        raise config.error(
            "DATA_INFORMATION", "atomic_sequence",
            f"the descriptors in {summary.files[0]} are of {', '.join(listed)}, in this order; "
            "expected the same",
        )  # fmt: skip
    species = given or listed
    for symbol in config.species_sections:
        if symbol not in species:
            raise config.error(symbol, None, f"unknown species; the data have {', '.join(species)}")
    return species


def _check_g_size(config: Config, summary: DataSummary) -> None:
    for section in ("DEFAULT_NETWORK", *config.species_sections):
        values = config.species_sections.get(section) or config[section]
        if values["g_size"] not in (None, summary.g_size):
            raise config.error(
                section, "g_size",
                f"the descriptors in {summary.files[0]} have {summary.g_size} components; correct "
                "or remove g_size, or take the data made with the other descriptor",
            )  # fmt: skip


def _choose_source(config: Config, summary: DataSummary, before: str | None) -> tuple[str, str]:
    """The source of derivatives and the reason, in words.

    With positions in the files `auto` takes on_the_fly, whatever memory there is: the core needs a
    quarter of the time that TensorFlow needs for the products with stored derivatives, and a
    hundredth of the memory.
    """
    if config["TRAINING_PARAMETERS"]["forces_cost"] == 0:
        return "none", "none: forces_cost = 0, energies only"
    if not summary.has_forces:
        raise config.error(
            "TRAINING_PARAMETERS", "forces_cost",
            f"the first frame of {summary.files[0]} has no forces, and all frames need them; set "
            "forces_cost = 0 or make the data from frames that have forces only",
        )  # fmt: skip
    wanted = config["TRAINING_PARAMETERS"]["derivatives"]
    if before is not None and wanted in ("auto", before):
        return before, f"{before}, as before"
    if wanted != "auto":
        return wanted, f"{wanted}, as asked for"
    if summary.has_geometry and summary.descriptor:
        reason = "on_the_fly: the files hold positions"
        if summary.has_derivatives:
            size = readable_bytes(summary.stored_bytes)
            reason += f", which take less time and memory than the stored derivatives ({size})"
        return "on_the_fly", reason
    if summary.has_derivatives:
        return "stored", "stored: the files hold derivatives, but no positions"
    raise config.error(
        "TRAINING_PARAMETERS", "derivatives",
        f"{summary.files[0]} holds neither positions nor derivatives (a file of PANNA v1 or v2); "
        "set forces_cost = 0 or compute and pack the data again",
    )  # fmt: skip


def _check_same_descriptor(config: Config, train: DataSummary, other: DataSummary) -> None:
    if train.g_size != other.g_size or train.descriptor_hash != other.descriptor_hash:
        raise config.error(
            "VALIDATION_OPTIONS", "data_dir",
            f"descriptors of {other.g_size} components, hash {other.descriptor_hash or 'unknown'}, "
            f"found; the training data have {train.g_size} and "
            f"{train.descriptor_hash or 'unknown'}. Compute both with the same gvect ini file",
        )  # fmt: skip


def _open(
    config: Config,
    summary: DataSummary,
    species: tuple[str, ...],
    source: str,
    validation: bool,
) -> Dataset:
    pipeline, training = config["PARALLELIZATION"], config["TRAINING_PARAMETERS"]
    size = config["VALIDATION_OPTIONS"]["batch_size"] if validation else None
    return open_dataset(
        summary,
        len(species),
        summary.g_size,
        source,
        batch_size=size or training["batch_size"],
        seed=training["seed"],
        shuffle=not validation and config["IO_INFORMATION"]["dataset_shuffle"],
        parallel_calls=pipeline["num_parallel_calls"],
        prefetch=pipeline["prefetch_buffer_size_multiplier"],
    )


def _choose_cache(config: Config, datasets: list[Dataset | None]) -> tuple[bool, str]:
    """Whether to keep the data in memory, and the reason with the measured sizes."""
    needed = sum(_measured_bytes(dataset) for dataset in datasets if dataset is not None)
    free = available_bytes()
    sizes = f"{readable_bytes(needed)} of {readable_bytes(free)} free memory"
    wanted = config["PARALLELIZATION"]["dataset_cache"]
    if wanted is not None:
        what = "kept in memory" if wanted else "read in every epoch"
        return wanted, f"{what}, as asked for ({sizes})"
    if needed < SHARE * free:
        return True, f"kept in memory ({sizes})"
    return False, f"read in every epoch (in memory they would take {sizes})"


def _measured_bytes(dataset: Dataset) -> float:
    """Estimated from a few frames spread over the set; larger ones cost more per byte of file."""
    chosen = np.unique(np.linspace(0, dataset.n_frames - 1, SAMPLE).astype(int))
    lengths = dataset.source.index.lengths
    measured = dataset.source.frame_bytes(chosen)
    return measured * float(lengths.sum()) / float(lengths[chosen].sum())


def _check_groups(config: Config, weights: Mapping[str, float], train: Dataset) -> None:
    """Every weight belongs to a group of the training set."""
    found = count_groups(train.source.index)
    unknown = [name for name in weights if name not in found]
    if not unknown:
        return
    groups = [f"{name} ({n})" for name, n in sorted(found.items()) if name]
    there = f"its groups are {', '.join(groups)}" if groups else "its frames have no groups"
    raise config.error(
        "TRAINING_PARAMETERS", "group_weights",
        f"no frame of the training set belongs to {', '.join(unknown)}; {there}",
    )  # fmt: skip


def _weighted(dataset: Dataset, weights: Mapping[str, float]) -> Dataset:
    return replace(dataset, source=replace(dataset.source, group_weights=weights))


def _cached(dataset: Dataset) -> Dataset:
    return replace(dataset, source=replace(dataset.source, cache=True))
