"""The data of a training: found, checked against the configuration, and opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from panna.config.reader import Config
from panna.descriptors.scaling import Scaling
from panna.errors import FileError
from panna.storage.dataset import Dataset, DataSummary, inspect_files, open_dataset
from panna.storage.groups import count_groups
from panna.storage.record_index import list_tfrecords
from panna.text import readable_bytes
from panna.training.memory import available_bytes

Reading = Callable[[int], AbstractContextManager[Callable[[int], None]]]

SHARE = 0.5  # of the free memory that cached data may take
SAMPLE = 8  # frames whose size in memory is measured


@contextmanager
def no_report(total: int) -> Iterator[Callable[[int], None]]:
    """Reading without a word."""
    yield lambda count: None


@dataclass(frozen=True)
class TrainingData:
    """train, validation: batches; the latter is None if there is none.

    summary: of the training files.
    species: in the order of the indices.
    source: of derivatives, one of batch_source.SOURCES; derivatives: why.
    cache: why the data are kept in memory or not.
    """

    train: Dataset
    validation: Dataset | None
    summary: DataSummary
    species: tuple[str, ...]
    source: str
    derivatives: str
    cache: str

    def standardised(self, scaling: Scaling | None, dtype: str) -> TrainingData:
        """With the inputs of the networks in place of the descriptors."""
        validation = self.validation
        return replace(
            self,
            train=self.train.standardised(scaling, dtype),
            validation=None if validation is None else validation.standardised(scaling, dtype),
        )

    def with_seed(self, seed: int) -> TrainingData:
        """The same data, in memory, too, in another order of the training frames."""
        return replace(self, train=replace(self.train, seed=seed))


def open_training_data(
    config: Config,
    source: str | None = None,
    reading: Reading = no_report,
    sharers: int = 1,
    keep: bool = True,
) -> TrainingData:
    """Opens the data that a configuration names.

    Args:
      config: read with the TRAIN schema.
      source: of derivatives, of the run that continues; None to follow the configuration.
      reading: shows the progress of reading everything into memory.
      sharers: processes that read the data on this machine.
      keep: in memory, if there is room; False where only other processes calculate.
    Raises:
      ConfigError: a key does not fit the data.
      StorageError: no data, damaged data, or data without what the training needs.
    """
    summary = _subset(config, inspect_files(tfrecords_of(config, "IO_INFORMATION")))
    species = _species(config, summary)
    _check_g_size(config, summary)
    other = None
    if config["VALIDATION_OPTIONS"]["data_dir"] is not None:
        other = inspect_files(tfrecords_of(config, "VALIDATION_OPTIONS"))
        check_same_descriptor(config, "VALIDATION_OPTIONS", "data_dir", summary, other)
    chosen, reason = _choose_source(config, summary, source)

    _check_groups(config, config["TRAINING_PARAMETERS"]["group_weights"] or {}, summary)

    used = "stored_half" if chosen == "auto" else chosen
    datasets = [_open(config, summary, species, used, validation=False)]
    if other is not None:
        datasets.append(_open(config, other, species, used, validation=True))
    sizes = _Sizes(sum(map(_measured_bytes, datasets)), available_bytes() / sharers)
    if chosen == "auto":
        reason = f"stored in half precision, computed once: {sizes}"
        if not sizes.fit:
            used, reason = "on_the_fly", f"on_the_fly: stored ones would take {sizes}"
            datasets = [dataset.with_derivatives(used) for dataset in datasets]
            sizes = _Sizes(sum(map(_measured_bytes, datasets)), sizes.free)
    cache, cache_reason = _choose_cache(config, sizes)
    if not keep:
        cache, cache_reason = False, "kept by the workers"
    if cache:
        with reading(sum(dataset.n_frames for dataset in datasets)) as advance:
            datasets = [dataset.resident(advance) for dataset in datasets]
    train, validation = (*datasets, None)[:2]
    return TrainingData(train, validation, summary, species, used, reason, cache_reason)


def tfrecords_of(config: Config, section: str, key: str = "data_dir") -> list[Path]:
    """The TFRecord files of the folder that a key names.

    Raises:
      ConfigError: no such folder, or no such file in it.
    """
    try:
        return list_tfrecords(config[section][key])
    except FileError as error:
        raise config.error(section, key, str(error)) from error


def _subset(config: Config, summary: DataSummary) -> DataSummary:
    """The frames of the training set that the configuration asks for."""
    io = config["IO_INFORMATION"]
    size = io["subset_size"]
    if size is None:
        return summary
    if size > summary.n_frames:
        raise config.error(
            "IO_INFORMATION", "subset_size", f"{io['data_dir']} has {summary.n_frames} frames"
        )
    return replace(summary, index=summary.index.subset(size, io["subset_seed"]))


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
    """The source of derivatives, or "auto" where memory decides, and the reason in words.

    The products with stored derivatives take a fifth of the time of those from positions, and a
    hundred times the memory.
    """
    training = config["TRAINING_PARAMETERS"]
    if training["forces_cost"] == 0:
        return "none", "none: forces_cost = 0, energies only"
    wanted = any(training[key] for key in ("forces_cost", "forces_cost_final", "stress_cost"))
    if not wanted and not (summary.has_forces and _have_derivatives(summary)):
        return "none", "none: the data are without forces or positions, energies only"
    if not summary.has_forces:
        raise config.error(
            "TRAINING_PARAMETERS", "forces_cost",
            f"the first frame of {summary.files[0]} has no forces, and all frames need them; set "
            "forces_cost = 0 or make the data from frames that have forces only",
        )  # fmt: skip
    if config["TRAINING_PARAMETERS"]["stress_cost"] and not summary.can_be_computed:
        raise config.error(
            "TRAINING_PARAMETERS", "stress_cost",
            f"virials need positions, and {summary.files[0]} holds none (a file of PANNA v1 or v2);"
            " set stress_cost = 0 or compute and pack the data again",
        )  # fmt: skip
    wanted = config["TRAINING_PARAMETERS"]["derivatives"]
    if config["PARALLELIZATION"]["device"] == "tpu":
        if wanted in ("on_the_fly", "stored_half"):
            raise config.error(
                "TRAINING_PARAMETERS", "derivatives",
                "a TPU takes those stored in single precision; set derivatives = stored or auto",
            )  # fmt: skip
        return "stored", "stored: a TPU takes no others"
    if before is not None and wanted in ("auto", before):
        return before, f"{before}, as before"
    if wanted != "auto":
        return wanted, f"{wanted}, as asked for"
    if not _have_derivatives(summary):
        raise config.error(
            "TRAINING_PARAMETERS", "derivatives",
            f"{summary.files[0]} holds neither positions nor derivatives (a file of PANNA v1 or "
            "v2); set forces_cost = 0 or compute and pack the data again",
        )  # fmt: skip
    if not summary.can_be_computed:
        return "stored", "stored: the files hold derivatives, but no positions"
    if config["TRAINING_PARAMETERS"]["precision"] == "float64":
        return "on_the_fly", "on_the_fly: stored ones have less digits than precision = float64"
    if config["PARALLELIZATION"]["dataset_cache"] is False:
        return "on_the_fly", "on_the_fly: the data are not kept in memory"
    return "auto", ""


def _have_derivatives(summary: DataSummary) -> bool:
    return summary.can_be_computed or summary.has_derivatives


def check_same_descriptor(
    config: Config, section: str, key: str, train: DataSummary, other: DataSummary
) -> None:
    """Refuses data, named by a key, whose descriptor is not that of the training data."""
    if train.g_size != other.g_size or train.descriptor_hash != other.descriptor_hash:
        raise config.error(
            section, key,
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
        virials=training["stress_cost"] > 0,
        exact=source == "on_the_fly" and training["precision"] == "float64",
        threads=pipeline["intra_op_parallelism_threads"],
        group_weights=training["group_weights"] or {},
        shuffle=not validation and config["IO_INFORMATION"]["dataset_shuffle"],
        parallel_calls=pipeline["num_parallel_calls"],
        prefetch=pipeline["prefetch_buffer_size_multiplier"],
    )


@dataclass(frozen=True)
class _Sizes:
    """Bytes that the data would take in memory, and that are free."""

    needed: float
    free: float

    @property
    def fit(self) -> bool:
        return self.needed < SHARE * self.free

    def __str__(self) -> str:
        return f"{readable_bytes(self.needed)} of {readable_bytes(self.free)} free memory"


def _choose_cache(config: Config, sizes: _Sizes) -> tuple[bool, str]:
    """Whether to keep the data in memory, and the reason with the measured sizes."""
    wanted = config["PARALLELIZATION"]["dataset_cache"]
    if wanted is not None:
        what = "kept in memory" if wanted else "read in every epoch"
        return wanted, f"{what}, as asked for ({sizes})"
    if sizes.fit:
        return True, f"kept in memory ({sizes})"
    return False, f"read in every epoch (in memory they would take {sizes})"


def _measured_bytes(dataset: Dataset) -> float:
    """Estimated from a few frames spread over the set; larger ones cost more per byte of file."""
    chosen = np.unique(np.linspace(0, dataset.n_frames - 1, SAMPLE).astype(int))
    lengths = dataset.index.lengths
    measured = dataset.source.frame_bytes(chosen)
    return measured * float(lengths.sum()) / float(lengths[chosen].sum())


def _check_groups(config: Config, weights: Mapping[str, float], summary: DataSummary) -> None:
    """Every weight belongs to a group of the training set."""
    if not weights:
        return
    found = count_groups(summary.index)
    unknown = [name for name in weights if name not in found]
    if not unknown:
        return
    groups = [f"{name} ({n})" for name, n in sorted(found.items()) if name]
    there = f"its groups are {', '.join(groups)}" if groups else "its frames have no groups"
    raise config.error(
        "TRAINING_PARAMETERS", "group_weights",
        f"no frame of the training set belongs to {', '.join(unknown)}; {there}",
    )  # fmt: skip
