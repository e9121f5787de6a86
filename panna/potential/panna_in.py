"""A whole potential: panna.in and, for every species, weights_<Symbol>.dat and, if the training
set is known, ranges_<Symbol>.dat.

Every number of the network is float32 in the files. What the last bias loses (it holds the
reference energy, which can be thousands of eV) stands beside it in panna.in as `bias_residual`, in
full precision. PANNA v1 and v2 ignore that key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panna.descriptors.parameters import DescriptorParameters, from_dict
from panna.errors import PotentialError
from panna.files import atomic_write
from panna.network.activations import ACTIVATIONS, NAME_OF_NUMBER
from panna.network.parameters import Model, SpeciesNetwork
from panna.network.ranges import Ranges
from panna.potential import panna_in_text
from panna.potential.panna_in_descriptor import (
    SECTION,
    descriptor_lines,
    fits_gversion_0,
    read_descriptor,
)
from panna.potential.panna_in_text import PannaInText, Section
from panna.potential.ranges_file import read_ranges, write_ranges
from panna.potential.weights_file import read_weights, write_weights

SPECIES_KEYS = ("Nlayers", "sizes", "activations", "file", "offset", "bias_residual", "ranges")


@dataclass(frozen=True)
class RoundedNetwork:
    """The network of one species as its file will hold it.

    weights, biases: float32; a linear last layer has the reference energy in its bias.
    bias_residual: eV, to be added to the energy of each atom.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    bias_residual: float


def read_potential(
    directory: str | Path, filename: str = "panna.in"
) -> tuple[Model, DescriptorParameters]:
    """Reads a potential of PANNA v1, v2 or of this program.

    Args:
      directory: folder with panna.in and the weights.
      filename: name of the text file in it.
    Returns:
      The model, float64, with the reference energies that the file states (zero if it does not),
      and its descriptor.
    Raises:
      PotentialError: with file, line, key, what was found and what was expected.
    """
    directory = Path(directory)
    file = panna_in_text.parse(directory / filename)
    parameters = read_descriptor(file)
    _check_sections(file, parameters.species)
    networks, offsets = [], []
    ranges = Ranges.empty(len(parameters.species), parameters.size)
    for s, symbol in enumerate(parameters.species):
        section = file.section(symbol, "every species has one")
        if "ranges" in section:
            name = section.text("ranges", "name of the file of ranges")
            ranges.lowest[s], ranges.highest[s] = read_ranges(directory / name, parameters.size)
        network, offset = _read_network(section, directory, parameters.size)
        networks.append(network)
        offsets.append(offset)
    model = Model(
        species=parameters.species,
        descriptor=parameters.to_dict(),
        networks=networks,
        offsets=np.array(offsets),
        descriptor_hash=parameters.hash,
        ranges=ranges if ranges.known.any() else None,
    )
    return model, parameters


def write_potential(
    model: Model,
    directory: str | Path,
    filename: str = "panna.in",
    gversion: int | str = "auto",
) -> list[Path]:
    """Writes a model as a potential, each file atomically and panna.in last.

    Args:
      model: a trained model; a scaling of descriptors goes into the first layers.
      directory: target folder, created if missing.
      gversion: 0, 1, or "auto": 0 if it holds the descriptor exactly, else 1.
    Returns:
      The files written.
    Raises:
      PotentialError: the descriptor is unknown or does not fit the gversion, or a weight is not
        finite.
    """
    parameters = descriptor_of(model)
    gversion = choose_gversion(parameters, gversion)
    lines = [f"!gversion = {gversion}"] if gversion else []
    lines += descriptor_lines(parameters, gversion)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    parts = zip(model.species, model.networks, model.offsets, round_networks(model), strict=True)
    for s, (symbol, network, offset, rounded) in enumerate(parts):
        path = directory / f"weights_{symbol}.dat"
        write_weights(path, rounded.weights, rounded.biases)
        written.append(path)
        lines += ["", f"[{symbol}]"]
        lines += _species_lines(network, path.name, float(offset), rounded.bias_residual)
        if model.ranges is not None and model.ranges.known[s]:
            path = directory / f"ranges_{symbol}.dat"
            write_ranges(path, model.ranges.lowest[s], model.ranges.highest[s])
            written.append(path)
            lines.append(f"ranges = {path.name}")
    with atomic_write(directory / filename, "w") as text:
        text.write("\n".join(lines) + "\n")
    return [directory / filename, *written]


def descriptor_of(model: Model) -> DescriptorParameters:
    """The descriptor of a model that is to be exported.

    Raises:
      PotentialError: the model does not know it, or it does not fit the networks.
    """
    if not model.descriptor:
        raise PotentialError(
            "the model does not know the parameters of its descriptor (its training data came "
            "without them); give the descriptor's ini file as gvector_input"
        )
    parameters = from_dict(model.descriptor)
    if parameters.size != model.g_size:
        raise PotentialError(
            f"the descriptor has {parameters.size} components, the networks take {model.g_size}"
        )
    if parameters.species != model.species:
        raise PotentialError(
            f"the descriptor has the species {', '.join(parameters.species)}, the networks "
            f"{', '.join(model.species)}; the order must be the same"
        )
    return parameters


def choose_gversion(parameters: DescriptorParameters, gversion: int | str) -> int:
    """0 or 1; "auto" takes 0 if it holds the descriptor exactly.

    Raises:
      PotentialError: neither 0, 1 nor auto.
    """
    if gversion == "auto":
        return 0 if fits_gversion_0(parameters) else 1
    if gversion not in (0, 1):
        raise PotentialError(f"gversion {gversion!r} found; 0, 1 or auto expected")
    return int(gversion)


def round_networks(model: Model) -> list[RoundedNetwork]:
    """Rounds the networks to float32 so that the energies change as little as possible.

    With standardised descriptors the first layer is W / std, and what rounding takes from it is
    multiplied by G, not by the much smaller G - mean. So the bias takes back the error at the mean:
    b = b' + mean @ (W' - float32(W')), W' and b' with the scaling folded in.
    """
    folded = model.folded()
    result = []
    for s, (network, offset) in enumerate(zip(folded.networks, folded.offsets, strict=True)):
        with np.errstate(over="ignore"):
            weights = [array.astype(np.float32) for array in network.weights]
        biases = [array.astype(np.float64) for array in network.biases]
        if model.scale_mean is not None:
            biases[0] = biases[0] + model.scale_mean[s] @ (network.weights[0] - weights[0])
        residual = offset
        if network.activations[-1] == "linear":
            biases[-1] = biases[-1] + offset
            residual = biases[-1][0] - np.float64(np.float32(biases[-1][0]))
        with np.errstate(over="ignore"):
            biases = [array.astype(np.float32) for array in biases]
        result.append(RoundedNetwork(weights, biases, float(residual)))
    return result


def _check_sections(file: PannaInText, species: tuple[str, ...]) -> None:
    for name, section in file.sections.items():
        if name == "LONG_RANGE":
            raise PotentialError(
                f"{file.path}, line {section.line}: section [LONG_RANGE]: potentials with "
                "electrostatics are not supported"
            )
        if name not in (SECTION, *species):
            raise PotentialError(
                f"{file.path}, line {section.line}: section [{name}] found; expected [{SECTION}] "
                f"or one of its species: {', '.join(species)}"
            )


def _read_network(section: Section, directory: Path, inputs: int) -> tuple[SpeciesNetwork, float]:
    """Network and reference energy; the energy of the last bias is moved into the latter."""
    n_layers = section.count("Nlayers")
    sizes = section.integers("sizes")
    if len(sizes) != n_layers:
        raise section.error("sizes", f"{len(sizes)} sizes found, Nlayers = {n_layers} expected")
    if min(sizes) < 1 or sizes[-1] != 1:
        raise section.error(
            "sizes", "positive sizes expected, 1 for the last layer (the energy of the atom)"
        )
    numbers = [1] * (n_layers - 1) + [0]
    if "activations" in section:
        numbers = section.integers("activations")
    if len(numbers) != n_layers:
        raise section.error(
            "activations", f"{len(numbers)} ids found, Nlayers = {n_layers} expected"
        )
    if not set(numbers) <= set(NAME_OF_NUMBER):
        known = ", ".join(f"{number} {name}" for number, name in sorted(NAME_OF_NUMBER.items()))
        raise section.error("activations", f"ids expected: {known}")
    name = section.text("file", "name of the file of weights")
    offset = section.number("offset") if "offset" in section else 0.0
    residual = section.number("bias_residual") if "bias_residual" in section else 0.0
    section.finish(SPECIES_KEYS)

    weights, biases = read_weights(directory / name, inputs, sizes)
    biases = [array.astype(np.float64) for array in biases]
    if NAME_OF_NUMBER[numbers[-1]] == "linear":
        biases[-1] = biases[-1] + residual - offset
    else:
        offset = residual
    network = SpeciesNetwork(
        weights=[array.astype(np.float64) for array in weights],
        biases=biases,
        activations=[NAME_OF_NUMBER[number] for number in numbers],
        trainable=[True] * n_layers,
    )
    return network, offset


def _species_lines(network: SpeciesNetwork, file: str, offset: float, residual: float) -> list[str]:
    numbers = [ACTIVATIONS[name].number for name in network.activations]
    return [
        f"Nlayers = {len(network.sizes)}",
        f"sizes = {','.join(map(str, network.sizes))}",
        f"activations = {','.join(map(str, numbers))}",
        f"file = {file}",
        f"offset = {offset!r}",
        f"bias_residual = {residual!r}",
    ]
