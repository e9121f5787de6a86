"""PANNA network directories: networks_metadata.json and one .npy file per matrix.

PANNA v1 has parallel lists over species and names the files in the JSON (old data number species
and count layers from 1); v2 has one entry per species and fixed file names. Both are read. Written
is v1's form, which v1 reads, with the descriptor in PANNA's names under `gvect_params` and complete
under `descriptor`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from panna import __version__
from panna.config.train import activation
from panna.descriptors.parameters import MBP, DescriptorParameters, from_dict
from panna.errors import DescriptorError, PotentialError, TrainingError
from panna.files import atomic_write
from panna.network.activations import ACTIVATIONS
from panna.network.parameters import Model, SpeciesNetwork
from panna.potential.panna_in import round_networks

METADATA = "networks_metadata.json"


def read_networks(directory: str | Path) -> Model:
    """Reads a network directory of PANNA v1, v2 or of this program.

    Returns:
      The model in float64. Its descriptor is None unless the directory was written by this
      program: PANNA v1 and v2 do not store all parameters.
    Raises:
      PotentialError: a file or key is missing, a shape does not fit, a number is not finite.
    """
    directory = Path(directory)
    path = directory / METADATA
    metadata = _read_metadata(path)
    read = _read_v2 if "networks" in metadata else _read_v1
    try:
        model = read(directory, path, metadata)
    except KeyError as error:
        raise PotentialError(
            f"{path}: key {error} is missing; expected a metadata file of PANNA v1 or v2"
        ) from error
    except (TypeError, ValueError) as error:
        raise PotentialError(
            f"{path}: its lists over species or layers do not fit together ({error})"
        ) from error
    except TrainingError as error:
        raise PotentialError(f"{path}: {error}") from error
    if not metadata.get("descriptor"):
        return model
    try:
        parameters = from_dict(metadata["descriptor"])
    except (DescriptorError, TypeError, ValueError) as error:
        raise PotentialError(f"{path}: descriptor: {error}") from error
    return replace(model, descriptor=parameters.to_dict(), descriptor_hash=parameters.hash)


def write_networks(model: Model, directory: str | Path) -> list[Path]:
    """Writes a model in the form of PANNA v1, a scaling of descriptors folded in.

    Reference energies stay apart, in full precision, in the JSON.

    Returns:
      The files written, the JSON first.
    Raises:
      PotentialError: a weight is not finite.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    rounded = round_networks(replace(model, offsets=np.zeros(len(model.species))))
    files, names = [], []
    for symbol, network in zip(model.species, rounded, strict=True):
        layers = []
        for k, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
            start = f"species_{symbol}_layer_{k}_"
            shape = "x".join(map(str, weights.shape))
            pair = [f"{start}weights_{shape}.npy", f"{start}biases_{len(biases)}.npy"]
            for name, array in zip(pair, (weights, biases), strict=True):
                _save(directory / name, array)
                files.append(directory / name)
            layers.append(pair)
        names.append(layers)
    path = directory / METADATA
    with atomic_write(path, "w") as text:
        json.dump(_metadata(model, names), text, indent=1)
        text.write("\n")
    return [path, *files]


def _metadata(model: Model, names: list[list[list[str]]]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "verison": "v0",  # as PANNA v1 spells it
        "version": "v0",
        "scaffold_type": "PANNA",
        "networks_type": ["a2ff"] * len(model.species),
        "networks_layers_size": [list(n.sizes) for n in model.networks],
        "networks_feature_size": [n.g_size for n in model.networks],
        "networks_layers_activation": [
            [ACTIVATIONS[name].number for name in n.activations] for n in model.networks
        ],
        "networks_layers_trainable": [[int(t) for t in n.trainable] for n in model.networks],
        "networks_species": list(model.species),
        "networks_offset": [float(offset) for offset in model.offsets],
        "networks_files": names,
        "panna_version": __version__,
    }
    if model.descriptor:
        parameters = from_dict(model.descriptor)
        metadata["gvect_params"] = _gvect_params(parameters)
        metadata["descriptor"] = parameters.to_dict()
        metadata["descriptor_hash"] = parameters.hash
    return metadata


def _gvect_params(p: DescriptorParameters) -> dict[str, Any]:
    """The parameters under the names of PANNA's ini files."""
    values: dict[str, Any] = {
        "gvect_type": p.type,
        "species": list(p.species),
        "eta_rad": list(p.eta_rad),
        "Rc_rad": p.rc_rad,
        "Rs_rad": list(p.rs_rad),
        "RsN_rad": len(p.rs_rad),
        "eta_ang": list(p.eta_ang),
        "Rc_ang": p.rc_ang,
        "zeta": list(p.zeta),
    }
    if isinstance(p, MBP):
        values |= {"Rs_ang": list(p.rs_ang), "RsN_ang": len(p.rs_ang)}
        values |= {"Thetas": list(p.thetas), "ThetasN": len(p.thetas), "eps": p.eps}
    return values


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PotentialError(
            f"{path}: no such file; expected the folder of an exported PANNA network "
            "(extract_weights with output_type = PANNA writes one)"
        ) from None
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise PotentialError(f"{path}: not JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise PotentialError(f"{path}: a JSON object expected")
    scaffold = metadata.get("scaffold_type", "PANNA")
    if scaffold != "PANNA":
        raise PotentialError(f"{path}: scaffold_type = {scaffold} found, PANNA expected")
    return metadata


def _read_v1(directory: Path, path: Path, metadata: dict[str, Any]) -> Model:
    species = tuple(metadata["networks_species"])
    networks = []
    for symbol, kind, inputs, sizes, numbers, trainable, files in zip(
        species,
        metadata["networks_type"],
        metadata["networks_feature_size"],
        metadata["networks_layers_size"],
        metadata["networks_layers_activation"],
        metadata["networks_layers_trainable"],
        metadata["networks_files"],
        strict=True,
    ):
        pairs = [(directory / weights, directory / biases) for weights, biases in files]
        network = _network(path, symbol, kind, inputs, sizes, numbers, pairs)
        networks.append(replace(network, trainable=[bool(flag) for flag in trainable]))
    return Model(species, None, networks, np.array(metadata["networks_offset"], np.float64))


def _read_v2(directory: Path, path: Path, metadata: dict[str, Any]) -> Model:
    species = tuple(metadata["networks_species"])
    networks, offsets = [], []
    for symbol, entry in zip(species, metadata["networks"], strict=True):
        if entry["name"] != symbol:
            raise PotentialError(
                f"{path}: networks_species has {symbol} where networks has {entry['name']}; "
                "the order must be the same"
            )
        pairs = [
            (directory / f"{symbol}_l{k}_w.npy", directory / f"{symbol}_l{k}_b.npy")
            for k in range(len(entry["layers"]))
        ]
        numbers = entry["activations"]
        network = _network(
            path, symbol, entry["type"], entry["feature_size"], entry["layers"], numbers, pairs
        )
        networks.append(network)
        offsets.append(entry["offset"])
    return Model(species, None, networks, np.array(offsets, np.float64))


def _network(
    path: Path,
    symbol: str,
    kind: str,
    inputs: int,
    sizes: list[int],
    numbers: list[int | str],
    pairs: list[tuple[Path, Path]],
) -> SpeciesNetwork:
    if kind not in ("a2ff", "a2aff"):
        raise PotentialError(f"{path}: network of {symbol} has type {kind}; a2ff or a2aff expected")
    try:
        activations = [activation(str(number)) for number in numbers]
    except ValueError as error:
        raise PotentialError(
            f"{path}: network of {symbol}: activations {numbers}: {error}"
        ) from error
    weights, biases = [], []
    for n_in, n_out, (w_file, b_file) in zip([inputs, *sizes[:-1]], sizes, pairs, strict=True):
        weights.append(_load(w_file, (n_in, n_out)))
        biases.append(_load(b_file, (n_out,)))
    return SpeciesNetwork(weights, biases, activations, [True] * len(sizes))


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise PotentialError(f"{path}: no such file; {METADATA} names it") from None
    except (OSError, ValueError, EOFError) as error:
        raise PotentialError(f"{path}: damaged or not a .npy file ({error})") from error
    if array.shape != shape:
        raise PotentialError(
            f"{path}: array of shape {array.shape} found, {shape} expected from {METADATA}"
        )
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise PotentialError(f"{path}: finite real numbers expected; the file is damaged")
    return array.astype(np.float64)


def _save(path: Path, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise PotentialError(
            f"{path}: not all weights are finite; the network cannot be exported, "
            "use another checkpoint"
        )
    with atomic_write(path, "wb") as file:
        np.save(file, array)
