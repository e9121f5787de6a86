"""From the ini file of evaluate to networks and structures that fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from panna.config.reader import Config
from panna.evaluation.networks import (
    NamedNetwork,
    check_same,
    from_checkpoints,
    from_members,
    from_network_directory,
    from_potential,
)
from panna.evaluation.structures import StructureSet
from panna.members import list_members
from panna.potential.descriptor_source import read_descriptor_input, with_descriptor

OFFSET_TOLERANCE = 1e-6  # eV; reference energies in an ini file are rounded


def open_networks(config: Config) -> list[NamedNetwork]:
    """The networks that the file asks for.

    Raises:
      PannaError: they cannot be read, or do not fit what the file says about them.
    """
    io = config["IO_INFORMATION"]
    networks = _trained(config) if io["networks_format"] == "checkpoint" else _exported(config)
    if io["gvector_input"] is not None:
        source = io["gvector_input"]
        parameters = read_descriptor_input(source)
        networks = [
            replace(network, model=with_descriptor(network.model, parameters, source))
            for network in networks
        ]
    _check(config, networks)
    return networks


def _trained(config: Config) -> list[NamedNetwork]:
    """Of one training, or of all members of a committee."""
    folder, options = config["IO_INFORMATION"]["train_dir"], config["VALIDATION_OPTIONS"]
    chosen = options["step_number"], options["subsampling"], options["single_step"]
    members = list_members(folder)
    return from_members(members, *chosen) if members else from_checkpoints(folder, *chosen)


def _exported(config: Config) -> list[NamedNetwork]:
    io = config["IO_INFORMATION"]

    def read(folder: Path) -> NamedNetwork:
        if io["networks_format"] == "PANNA":
            return from_network_directory(folder)
        return from_potential(folder, io["potential_file"])

    members = list_members(io["networks_folder"])
    if not members:
        return [read(io["networks_folder"])]
    networks = [replace(read(folder), member=folder.name) for folder in members]
    for other in networks[1:]:
        check_same(networks[0], other)
    return networks


def open_data(config: Config, networks: Sequence[NamedNetwork]) -> StructureSet:
    """The structures that the file asks for.

    Raises:
      StorageError: there are none.
    """
    io, options = config["IO_INFORMATION"], config["VALIDATION_OPTIONS"]
    data = StructureSet.open(io["data_dir"], io["example_format"], networks[0].model.species)
    count = options["batch_size"]
    return data if count < 0 else data.subset(count, options["seed"])


def _check(config: Config, networks: Sequence[NamedNetwork]) -> None:
    """What the file says about the networks must be so."""
    for network in networks:
        model = network.model
        for section in ("TFR_STRUCTURE", "DATA_INFORMATION"):
            size = config[section]["g_size"]
            if size is not None and size != model.g_size:
                raise config.error(
                    section, "g_size", f"{network.source} takes {model.g_size} components"
                )
        check_species(config, "DATA_INFORMATION", "atomic_sequence", network)
        check_offsets(config, "DATA_INFORMATION", "output_offset", network)


def check_species(config: Config, section: str, key: str, network: NamedNetwork) -> None:
    """Raises ConfigError if a list of species in the file is not that of the network."""
    species = config[section][key]
    if species is not None and species != network.model.species:
        raise config.error(
            section,
            key,
            f"{network.source} has the species {', '.join(network.model.species)}, in this order; "
            "correct the key or remove it, the network knows its species",
        )


def check_offsets(config: Config, section: str, key: str, network: NamedNetwork) -> None:
    """Raises ConfigError if reference energies in the file are not those of the network."""
    offsets, known = config[section][key], network.model.offsets
    if offsets is None:
        return
    if len(offsets) != len(known) or not np.allclose(offsets, known, 0, OFFSET_TOLERANCE):
        raise config.error(
            section,
            key,
            f"{network.source} has {', '.join(f'{offset:.9g}' for offset in known)} eV; correct "
            "the key or remove it, the network knows its reference energies",
        )
