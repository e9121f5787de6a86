"""From the configuration to the networks of all species, with random first weights.

The rules for species are those of PANNA v1: [DEFAULT_NETWORK], or the exported network named by
networks_metadata, changed by the section of the species. With other sizes of layers the network is
a new one; otherwise only what the section gives is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from panna.config.reader import Config
from panna.network.activations import ACTIVATIONS
from panna.network.initialise import initial_network
from panna.network.parameters import SpeciesNetwork

DEFAULT = "DEFAULT_NETWORK"
NO_BASES: Mapping[str, Base] = MappingProxyType({})


@dataclass(frozen=True)
class Base:
    """An exported network that a species begins with.

    network: float64, for descriptors as calculated.
    offset: its reference energy in eV, None if it is that of another species.
    origin: for messages.
    """

    network: SpeciesNetwork
    offset: float | None
    origin: str


@dataclass(frozen=True)
class Architecture:
    """sizes: outputs of each layer; activations, trainable: one per layer; behavior: "new", "keep"
    (the layer of the exported network) or "load" (from files, or as "keep") per layer."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    trainable: tuple[bool, ...]
    behavior: tuple[str, ...]

    def text(self) -> str:
        """For people: 32:16:1 gaussian:gaussian:linear."""
        words = [":".join(map(str, self.sizes)), ":".join(self.activations)]
        if not all(self.trainable):
            words.append("trainable " + ":".join(str(flag) for flag in self.trainable))
        if set(self.behavior) != {"new"}:
            words.append("layers " + ":".join(self.behavior))
        return ", ".join(words)


def architectures(
    config: Config, species: tuple[str, ...], bases: Mapping[str, Base] = NO_BASES
) -> tuple[Architecture, ...]:
    """The network of each species: the default or exported one, changed by the species' section.

    As in PANNA, a species with another architecture does not take over activations and trainable
    flags.

    Args:
      bases: exported networks by species.
    Raises:
      ConfigError: no architecture, lists of different lengths, no single output, nothing to train.
    """
    found = tuple(_architecture(config, symbol, bases.get(symbol)) for symbol in species)
    if not any(any(a.trainable) for a in found):
        raise config.error(DEFAULT, "trainable", "all layers of all species are frozen")
    return found


def first_networks(
    config: Config,
    species: tuple[str, ...],
    found: tuple[Architecture, ...],
    g_size: int,
    spread: float,
) -> list[SpeciesNetwork]:
    """Random weights; the seed and the symbol fix them.

    Args:
      spread: of the energies of atoms, eV, that the untrained networks are to have.
    """
    training = config["TRAINING_PARAMETERS"]
    return [
        initial_network(
            g_size,
            one.sizes,
            one.activations,
            one.trainable,
            seed=training["seed"],
            symbol=symbol,
            spread=spread if np.isfinite(spread) and spread > 0 else 1.0,
            dtype=training["precision"],
        )
        for symbol, one in zip(species, found, strict=True)
    ]


def _architecture(config: Config, symbol: str, base: Base | None) -> Architecture:
    default, own = config[DEFAULT], config.species_sections.get(symbol, {})
    sizes, section = _sizes(config, symbol, base)
    exported = base.network if base is not None and base.network.sizes == sizes else None
    usual = "gaussian" if config["TRAINING_PARAMETERS"]["defaults"] == "v1" else "tanh"
    values: dict[str, Any] = {
        "activations": (usual,) * (len(sizes) - 1) + ("linear",),
        "trainable": (True,) * len(sizes),
        "behavior": ("new" if exported is None else "keep",) * len(sizes),
    }
    if exported is not None:
        values["activations"] = tuple(exported.activations)
        values["trainable"] = tuple(exported.trainable)
    inherited = default if exported is not None or sizes == default["architecture"] else {}
    for key in values:
        for place, where in ((own, symbol), (inherited, DEFAULT)):
            if place.get(key) is None:
                continue
            if len(place[key]) != len(sizes):
                raise config.error(
                    where, key,
                    f"{len(place[key])} values found, {len(sizes)} expected as in architecture = "
                    f"{':'.join(map(str, sizes))}",
                )  # fmt: skip
            values[key] = place[key]
            break
    values["behavior"] = _with_files(config, symbol, values["behavior"])
    first = values["activations"][0]
    if ACTIVATIONS[first].centres and config["TRAINING_PARAMETERS"]["standardise"]:
        raise config.error(
            section, "activations",
            f"the standardisation of descriptors cannot be folded into a first layer that is "
            f"{first}; set [TRAINING_PARAMETERS] standardise = False",
        )  # fmt: skip
    return Architecture(sizes, **values)


def _sizes(config: Config, symbol: str, base: Base | None) -> tuple[tuple[int, ...], str]:
    """Outputs of the layers, and the section that says so."""
    default = config[DEFAULT]["architecture"]
    own = config.species_sections.get(symbol, {}).get("architecture")
    exported = None if base is None else base.network.sizes
    sizes, section = own or exported or default, symbol if own else DEFAULT
    if sizes is None:
        raise config.error(
            DEFAULT, "architecture",
            f"missing, and [{symbol}] has none either; expected outputs of the layers like 32:16:1",
        )  # fmt: skip
    if own is None and exported is not None and default not in (None, exported):
        raise config.error(
            DEFAULT, "architecture",
            f"the network {base.origin} has {':'.join(map(str, exported))}; remove one, or give "
            f"[{symbol}] an architecture of its own for new weights",
        )  # fmt: skip
    if sizes[-1] != 1:
        raise config.error(
            section, "architecture", f"{sizes[-1]} outputs found; expected 1 in the last layer"
        )
    return sizes, section


def _with_files(config: Config, symbol: str, behavior: tuple[str, ...]) -> tuple[str, ...]:
    """Layers that have files are loaded, unless the section says something else about them."""
    own = config.species_sections.get(symbol, {})
    behavior = list(behavior)
    for key, path in own.items():
        if path is None or not key.startswith("layer"):
            continue
        k = int(key.removeprefix("layer").partition("_")[0])
        if k >= len(behavior):
            raise config.error(symbol, key, f"there are {len(behavior)} layers, from 0")
        if own["behavior"] is None:
            behavior[k] = "load"
        elif behavior[k] != "load":
            raise config.error(symbol, key, f"behavior of layer {k} is {behavior[k]}, not load")
    return tuple(behavior)
