"""Networks that a training starts from: exported ones, those of other species, layers in files.

All of them are for descriptors as calculated. With standardised descriptors x = (G - mean) / std
the first layer is rewritten, so that the network is the same function of G:

    G @ W + b = x @ (std * W) + (b + mean @ W)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from panna.config.reader import Config
from panna.errors import PotentialError
from panna.network.parameters import Model, SpeciesNetwork
from panna.potential.panna_networks import read_networks
from panna.storage.dataset import DataSummary
from panna.training.networks import DEFAULT, Architecture, Base

Layer = tuple[np.ndarray, np.ndarray]


def read_bases(config: Config, species: Sequence[str], summary: DataSummary) -> dict[str, Base]:
    """The exported network that each species begins with, where there is one.

    Raises:
      ConfigError: the export cannot be read, lacks the species or is for other descriptors.
    """
    exports: dict[Path, Model] = {}
    bases = {}
    for symbol in species:
        own = config.species_sections.get(symbol, {})
        section = symbol if own.get("networks_metadata") else DEFAULT
        folder = own.get("networks_metadata") or config[DEFAULT]["networks_metadata"]
        if folder is None:
            if own.get("networks_from"):
                raise config.error(symbol, "networks_from", "needs networks_metadata")
            continue
        if folder not in exports:
            exports[folder] = _read(config, section, folder, summary)
        model, source = exports[folder], own.get("networks_from") or symbol
        if source not in model.species:
            if own.get("networks_from"):
                raise config.error(
                    symbol, "networks_from",
                    f"{folder} has networks of {', '.join(model.species)}",
                )  # fmt: skip
            if section == symbol:
                raise config.error(
                    symbol, "networks_metadata",
                    f"no network of {symbol}, but of {', '.join(model.species)}; choose one with "
                    "networks_from",
                )  # fmt: skip
            continue  # a species that the export does not know begins afresh
        s = model.species.index(source)
        # The reference energy of another species is of no use.
        offset = float(model.offsets[s]) if source == symbol else None
        bases[symbol] = Base(model.networks[s], offset, f"{source} of {folder}")
    return bases


def starting_networks(
    config: Config,
    species: Sequence[str],
    fresh: Sequence[SpeciesNetwork],
    architectures: Sequence[Architecture],
    bases: Mapping[str, Base],
    scale_mean: np.ndarray | None,
    scale_std: np.ndarray | None,
) -> list[SpeciesNetwork]:
    """Random networks with the layers that are kept or loaded put in.

    Args:
      fresh: random networks of all species; their type is kept.
      scale_mean, scale_std: (n_species, g) of the standardisation, None for none.
    Raises:
      ConfigError: a file is missing or a layer has another shape.
    """
    networks = []
    for s, (symbol, network, one) in enumerate(zip(species, fresh, architectures, strict=True)):
        weights, biases = list(network.weights), list(network.biases)
        for k, behavior in enumerate(one.behavior):
            if behavior == "new":
                continue
            shape = weights[k].shape
            w, b = _given_layer(config, symbol, k, behavior, shape, bases.get(symbol))
            if k == 0 and scale_mean is not None:
                w, b = scale_std[s][:, None] * w, b + scale_mean[s] @ w
            weights[k], biases[k] = w.astype(weights[k].dtype), b.astype(biases[k].dtype)
        networks.append(replace(network, weights=weights, biases=biases))
    return networks


def _read(config: Config, section: str, folder: Path, summary: DataSummary) -> Model:
    try:
        model = read_networks(folder)
    except PotentialError as error:
        raise config.error(section, "networks_metadata", str(error)) from error
    if model.g_size != summary.g_size:
        raise config.error(
            section, "networks_metadata",
            f"networks of {model.g_size} inputs; the descriptors in {summary.files[0]} have "
            f"{summary.g_size} components",
        )  # fmt: skip
    hashes = {model.descriptor_hash, summary.descriptor_hash}
    if len(hashes) == 2 and "" not in hashes:
        raise config.error(
            section, "networks_metadata",
            f"networks for descriptors of hash {model.descriptor_hash}; those in "
            f"{summary.files[0]} have {summary.descriptor_hash}. Compute the data with the "
            "parameters of the networks",
        )  # fmt: skip
    return model


def _given_layer(
    config: Config, symbol: str, k: int, behavior: str, shape: tuple[int, int], base: Base | None
) -> Layer:
    """Weights and biases of a layer in float64, for descriptors as calculated."""
    own = config.species_sections.get(symbol, {})
    files = [own.get(f"layer{k}_{array}_file") for array in "wb"]
    if behavior == "load" and any(files):
        return tuple(
            _array(config, symbol, f"layer{k}_{array}_file", path, expected)
            for array, path, expected in zip("wb", files, (shape, shape[1:]), strict=True)
        )
    section = symbol if own.get("behavior") else DEFAULT
    if base is None:
        raise config.error(
            symbol, "behavior",
            f"{behavior} for layer {k}, and there is no network of {symbol} to take it from; give "
            f"networks_metadata{f' or layer{k}_w_file' if behavior == 'load' else ''}",
        )  # fmt: skip
    found = base.network.weights[k].shape if k < len(base.network.sizes) else None
    if found != shape:
        has = "no such layer" if found is None else "x".join(map(str, found))
        raise config.error(
            section, "behavior",
            f"{behavior} for layer {k} of {'x'.join(map(str, shape))} weights; the network "
            f"{base.origin} has {has}",
        )  # fmt: skip
    return base.network.weights[k], base.network.biases[k]


def _array(
    config: Config, symbol: str, key: str, path: Path | None, shape: tuple[int, ...]
) -> np.ndarray:
    if path is None:
        raise config.error(symbol, key, "missing; a layer has both weights and biases")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise config.error(symbol, key, f"not a readable .npy file ({reason})") from error
    if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise config.error(
            symbol, key,
            f"{array.dtype} array of shape {array.shape} found; finite real numbers of shape "
            f"{shape} expected",
        )  # fmt: skip
    return array.astype(np.float64)
