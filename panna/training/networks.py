"""From the configuration to the networks of all species, with random first weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from panna.config.reader import Config
from panna.network.activations import ACTIVATIONS
from panna.network.initialise import initial_network
from panna.network.parameters import SpeciesNetwork

DEFAULT = "DEFAULT_NETWORK"


@dataclass(frozen=True)
class Architecture:
    """sizes: outputs of each layer; activations, trainable: one per layer."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    trainable: tuple[bool, ...]

    def text(self) -> str:
        """For people: 32:16:1 gaussian:gaussian:linear."""
        words = [":".join(map(str, self.sizes)), ":".join(self.activations)]
        if not all(self.trainable):
            words.append("trainable " + ":".join(str(flag) for flag in self.trainable))
        return ", ".join(words)


def architectures(config: Config, species: tuple[str, ...]) -> tuple[Architecture, ...]:
    """The network of each species: [DEFAULT_NETWORK], changed by the section of the species.

    As in PANNA, a species with another architecture does not take over activations and trainable
    flags of the default network.

    Raises:
      ConfigError: no architecture, lists of different lengths, no single output, nothing to train.
    """
    found = tuple(_architecture(config, symbol) for symbol in species)
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


def _architecture(config: Config, symbol: str) -> Architecture:
    default = config[DEFAULT]
    own = config.species_sections.get(symbol, {})
    sizes = own.get("architecture") or default["architecture"]
    section = symbol if own.get("architecture") else DEFAULT
    if sizes is None:
        raise config.error(
            DEFAULT, "architecture",
            f"missing, and [{symbol}] has none either; expected outputs of the layers like 32:16:1",
        )  # fmt: skip
    if sizes[-1] != 1:
        raise config.error(
            section, "architecture", f"{sizes[-1]} outputs found; expected 1 in the last layer"
        )
    inherited = default if sizes == default["architecture"] else {}
    values: dict[str, Any] = {
        "activations": ("gaussian",) * (len(sizes) - 1) + ("linear",),
        "trainable": (True,) * len(sizes),
    }
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
    first = values["activations"][0]
    if ACTIVATIONS[first].centres and config["TRAINING_PARAMETERS"]["standardise"]:
        raise config.error(
            section, "activations",
            f"the standardisation of descriptors cannot be folded into a first layer that is "
            f"{first}; set [TRAINING_PARAMETERS] standardise = False",
        )  # fmt: skip
    return Architecture(sizes, values["activations"], values["trainable"])
