"""A trained model as plain NumPy arrays: networks, reference energies, scaling of descriptors.

The energy of an atom of species s with descriptor G is

    E = network_s((G - mean_s) / std_s) + offset_s        (eV)

This file knows no TensorFlow: evaluation, export and tools read models without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from panna.descriptors.scaling import Scaling
from panna.errors import TrainingError
from panna.network.activations import ACTIVATIONS
from panna.network.ranges import Ranges

FORMAT = 1


@dataclass
class SpeciesNetwork:
    """The network of one species, layer by layer.

    weights: list of (in, out) arrays, float32 or float64.
    biases: list of (out,) arrays of the same type.
    activations: canonical names, one per layer.
    trainable: one flag per layer.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activations: list[str]
    trainable: list[bool]

    def __post_init__(self) -> None:
        lengths = {len(self.weights), len(self.biases), len(self.activations), len(self.trainable)}
        if len(lengths) != 1 or not self.weights:
            raise TrainingError(
                f"network with {len(self.weights)} weight matrices, {len(self.biases)} bias "
                f"vectors, {len(self.activations)} activations and {len(self.trainable)} "
                "trainable flags; expected one of each per layer, and at least one layer"
            )
        width = self.weights[0].shape[0]
        for k, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weights.shape != (width, len(biases)):
                raise TrainingError(
                    f"network layer {k}: weights of shape {weights.shape} and {len(biases)} biases;"
                    f" expected shape ({width}, {len(biases)})"
                )
            width = len(biases)
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise TrainingError(
                    f"network: activation {name!r} found; expected one of {', '.join(ACTIVATIONS)}"
                )

    @property
    def g_size(self) -> int:
        """Number of inputs."""
        return self.weights[0].shape[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of outputs of each layer, the last one included."""
        return tuple(len(b) for b in self.biases)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases, frozen ones included."""
        return sum(w.size + b.size for w, b in zip(self.weights, self.biases, strict=True))


@dataclass
class Model:
    """Networks of all species and what is needed to use them.

    species: symbols, in the order of the species indices.
    descriptor: parameters of the descriptor (`to_dict` form), None if the data did not say.
    descriptor_hash: hash of these parameters, "" if unknown.
    networks: one SpeciesNetwork per species.
    offsets: (n,) float64, reference energies in eV.
    scale_mean, scale_std: (n, g) float64, or both None when descriptors are used as they are.
    ranges: of the descriptors in the training set, None if unknown.
    """

    species: tuple[str, ...]
    descriptor: dict[str, Any] | None
    networks: list[SpeciesNetwork]
    offsets: np.ndarray
    scale_mean: np.ndarray | None = None
    scale_std: np.ndarray | None = None
    descriptor_hash: str = ""
    ranges: Ranges | None = None

    def __post_init__(self) -> None:
        self.offsets = np.asarray(self.offsets, np.float64)
        n = len(self.species)
        if len(self.networks) != n or self.offsets.shape != (n,):
            raise TrainingError(
                f"model of {n} species ({', '.join(self.species)}) with {len(self.networks)} "
                f"networks and offsets of shape {self.offsets.shape}; expected {n} of each"
            )
        for symbol, network in zip(self.species, self.networks, strict=True):
            if network.g_size != self.g_size or network.sizes[-1] != 1:
                raise TrainingError(
                    f"network of {symbol}: {network.g_size} inputs and {network.sizes[-1]} outputs;"
                    f" expected {self.g_size} inputs, as the first species has, and one output"
                )
        for name in ("scale_mean", "scale_std"):
            scale = getattr(self, name)
            if scale is not None and scale.shape != (n, self.g_size):
                raise TrainingError(
                    f"model: {name} has shape {scale.shape}; ({n}, {self.g_size}) expected"
                )

    @property
    def g_size(self) -> int:
        """Number of components of a descriptor."""
        return self.networks[0].g_size

    @property
    def scaling(self) -> Scaling | None:
        """What standardises the descriptors; None if they are used as they are."""
        return None if self.scale_mean is None else Scaling(self.scale_mean, self.scale_std)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of all species."""
        return sum(network.n_parameters for network in self.networks)

    @property
    def precision(self) -> str:
        """float32 or float64, the type of the weights."""
        return str(self.networks[0].weights[0].dtype)

    def folded(self) -> Model:
        """The same model with the scaling of descriptors inside the first layers, in float64.

        (G - mean) / std @ W + b = G @ (W / std) + (b - (mean / std) @ W), so nothing is lost but
        rounding.

        Raises:
          TrainingError: a first layer is radial-basis, where |G - W| cannot absorb the scaling.
        """
        if self.scale_mean is None:
            return self
        networks = []
        for symbol, network, mean, std in zip(
            self.species, self.networks, self.scale_mean, self.scale_std, strict=True
        ):
            if ACTIVATIONS[network.activations[0]].centres:
                raise TrainingError(
                    f"network of {symbol}: its first layer is {network.activations[0]}, into which "
                    "the scaling of descriptors cannot be folded; train with standardise = False"
                )
            weights = [w.astype(np.float64) for w in network.weights]
            biases = [b.astype(np.float64) for b in network.biases]
            biases[0] = biases[0] - (mean / std) @ weights[0]
            weights[0] = weights[0] / std[:, None]
            networks.append(replace(network, weights=weights, biases=biases))
        return replace(self, networks=networks, scale_mean=None, scale_std=None)

    def to_arrays(self, prefix: str = "model/") -> dict[str, np.ndarray]:
        """Everything as named arrays, ready for an .npz file."""
        header = {
            "format": FORMAT,
            "species": list(self.species),
            "descriptor": self.descriptor,
            "descriptor_hash": self.descriptor_hash,
            "networks": [
                {"activations": n.activations, "trainable": [bool(t) for t in n.trainable]}
                for n in self.networks
            ],
            "units": {"energy": "eV", "length": "angstrom"},
        }
        arrays = {
            prefix + "header": np.array(json.dumps(header)),
            prefix + "offsets": self.offsets,
        }
        if self.scale_mean is not None:
            arrays[prefix + "scale_mean"] = np.asarray(self.scale_mean, np.float64)
            arrays[prefix + "scale_std"] = np.asarray(self.scale_std, np.float64)
        if self.ranges is not None:
            arrays[prefix + "lowest"] = self.ranges.lowest
            arrays[prefix + "highest"] = self.ranges.highest
        for symbol, network in zip(self.species, self.networks, strict=True):
            for k, (weights, biases) in enumerate(
                zip(network.weights, network.biases, strict=True)
            ):
                arrays[f"{prefix}{symbol}/{k}/weights"] = weights
                arrays[f"{prefix}{symbol}/{k}/biases"] = biases
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], prefix: str = "model/") -> Model:
        """The model whose `to_arrays` gave these arrays.

        Raises:
          TrainingError: written by another version, or an array is missing.
        """
        try:
            header = json.loads(str(arrays[prefix + "header"]))
            if header["format"] != FORMAT:
                raise TrainingError(
                    f"model of format {header['format']} found, {FORMAT} expected; "
                    "it was written by another version of PANNA"
                )
            networks = []
            for symbol, entry in zip(header["species"], header["networks"], strict=True):
                layers = [f"{prefix}{symbol}/{k}/" for k in range(len(entry["activations"]))]
                networks.append(
                    SpeciesNetwork(
                        weights=[arrays[layer + "weights"] for layer in layers],
                        biases=[arrays[layer + "biases"] for layer in layers],
                        activations=entry["activations"],
                        trainable=entry["trainable"],
                    )
                )
            return cls(
                species=tuple(header["species"]),
                descriptor=header["descriptor"],
                descriptor_hash=header["descriptor_hash"],
                networks=networks,
                offsets=arrays[prefix + "offsets"],
                scale_mean=arrays.get(prefix + "scale_mean"),
                scale_std=arrays.get(prefix + "scale_std"),
                ranges=_ranges(arrays, prefix),
            )
        except (KeyError, ValueError) as error:
            raise TrainingError(f"not a complete PANNA model ({error})") from error


def _ranges(arrays: dict[str, np.ndarray], prefix: str) -> Ranges | None:
    """Absent in models of earlier versions."""
    if prefix + "lowest" not in arrays:
        return None
    return Ranges(arrays[prefix + "lowest"], arrays[prefix + "highest"])
