"""Copying networks from one species to another, within a model or between two.

The energy of an atom is network_s((G - mean_s) / std_s) + offset_s. The weights of the first layer
mean something only together with mean_s and std_s of the species that they were trained for, so
these go wherever the first layer goes. Then an atom of the target with descriptor G has the energy
that an atom of the source with the same G has, but for the reference energies. The range of the
descriptors in the training set goes with the first layer, too: beyond it this layer extrapolates.

Reference energies belong to an element. As in panna_train (`networks_from`), that of the source
comes along only if the target is the same element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from panna.descriptors.parameters import DescriptorParameters, from_dict
from panna.errors import TrainingError
from panna.network.activations import ACTIVATIONS
from panna.network.parameters import Model, SpeciesNetwork
from panna.network.ranges import Ranges
from panna.potential.descriptor_source import first_difference
from panna.text import listed

REFERENCE_ENERGIES = ("auto", "keep", "take")


@dataclass(frozen=True)
class Take:
    """source: the symbol whose network is copied; target: the one that gets it."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}:{self.target}"


def exchange(
    model: Model,
    takes: Sequence[Take],
    other: Model | None = None,
    layers: Sequence[int] | None = None,
    reference_energies: str = "auto",
) -> Model:
    """The model with networks of other species. All of them are taken from the models as given, so
    that two species can be swapped.

    Args:
      model: the model to change.
      takes: what goes where.
      other: the model to take from; None for the same one.
      layers: numbers from 0 of the layers to copy; None for whole networks, of any size.
      reference_energies: "auto": taken if source and target are the same element; "keep"; "take".
    Raises:
      TrainingError: no such species or layer, other shapes or activations, other descriptors.
    """
    source = model if other is None else aligned(other, model)
    _check_takes(takes, source, model, other is None)
    model, source = _alike_in_scaling(model, source)
    networks, offsets = list(model.networks), model.offsets.copy()
    mean, std = (None if a is None else a.copy() for a in (model.scale_mean, model.scale_std))
    lowest, highest = (array.copy() for array in _ranges(model))
    for take in takes:
        s, t = source.species.index(take.source), model.species.index(take.target)
        networks[t] = _copied(take, source.networks[s], model.networks[t], layers)
        if layers is None or 0 in layers:
            if mean is not None:
                mean[t], std[t] = source.scale_mean[s], source.scale_std[s]
            lowest[t], highest[t] = (array[s] for array in _ranges(source))
        if reference_energies == "take" or (
            reference_energies == "auto" and take.source == take.target
        ):
            offsets[t] = source.offsets[s]
    found = Ranges(lowest, highest)
    return replace(
        model,
        networks=networks,
        offsets=offsets,
        scale_mean=mean,
        scale_std=std,
        ranges=found if found.known.any() else None,
    )


def aligned(other: Model, model: Model) -> Model:
    """Another model, whose networks then take the descriptors of this one.

    The descriptors must be the same but for the order of the species; with another order the
    inputs of the first layers are put into the order of `model`. Where one of the models does not
    know its descriptor, number of components and species must be the same.

    Raises:
      TrainingError: other descriptors.
    """
    if not (other.descriptor and model.descriptor):
        if (other.g_size, other.species) != (model.g_size, model.species):
            raise TrainingError(
                f"networks of {other.g_size} inputs, species {', '.join(other.species)}, and of "
                f"{model.g_size} inputs, species {', '.join(model.species)}: as one of the models "
                "does not know the parameters of its descriptor, these must be the same"
            )
        return other
    theirs, mine = from_dict(other.descriptor), from_dict(model.descriptor)
    if set(theirs.species) != set(mine.species):
        raise TrainingError(
            f"descriptors of the species {', '.join(theirs.species)} and of "
            f"{', '.join(mine.species)}: their components mean different neighbours. Take from a "
            "model for the same species"
        )
    if difference := first_difference(replace(theirs, species=mine.species), mine):
        raise TrainingError(
            f"networks for different descriptors: {difference}; take from a model that was trained "
            "with the same parameters"
        )
    if theirs.species == mine.species:
        return other
    return _reordered(other, component_order(theirs, mine))


def component_order(theirs: DescriptorParameters, mine: DescriptorParameters) -> np.ndarray:
    """Descriptors that differ in the order of their species: G_mine = G_theirs[order]; (g,) int."""
    n = len(mine.species)
    # n radial blocks and n (n + 1) / 2 angular ones.
    one, two = (replace(mine, species=tuple("HO"[:k])).size for k in (1, 2))
    angular = two - 2 * one
    radial = one - angular
    place = [theirs.species.index(symbol) for symbol in mine.species]

    def pair(s: int, t: int) -> int:
        s, t = sorted((s, t))
        return n * radial + angular * (s * n - s * (s + 1) // 2 + t)

    order = [place[s] * radial + k for s in range(n) for k in range(radial)]
    order += [
        pair(place[s], place[t]) + k for s in range(n) for t in range(s, n) for k in range(angular)
    ]
    return np.array(order)


def _reordered(model: Model, order: np.ndarray) -> Model:
    """The model with its inputs in another order, G_new = G[order]; the species stay where they
    are, so its descriptor is left out."""
    networks = [
        replace(network, weights=[network.weights[0][order], *network.weights[1:]])
        for network in model.networks
    ]
    scale = [None if a is None else a[:, order] for a in (model.scale_mean, model.scale_std)]
    ranges = model.ranges
    if ranges is not None:
        ranges = Ranges(ranges.lowest[:, order], ranges.highest[:, order])
    return replace(
        model,
        networks=networks,
        scale_mean=scale[0],
        scale_std=scale[1],
        ranges=ranges,
        descriptor=None,
        descriptor_hash="",
    )


def _check_takes(takes: Sequence[Take], source: Model, model: Model, same: bool) -> None:
    targets = [take.target for take in takes]
    for take in takes:
        for symbol, where in ((take.source, source), (take.target, model)):
            if symbol not in where.species:
                raise TrainingError(
                    f"{take}: no network of {symbol}; there are {', '.join(where.species)}"
                )
        if targets.count(take.target) > 1:
            raise TrainingError(f"{take}: {take.target} is a target more than once")
        if same and take.source == take.target:
            raise TrainingError(
                f"{take}: changes nothing within one model; name another model to take from, or "
                "another species"
            )


def _copied(
    take: Take, source: SpeciesNetwork, target: SpeciesNetwork, layers: Sequence[int] | None
) -> SpeciesNetwork:
    """The network of the target with layers of the source."""
    if layers is None:
        return source
    weights, biases = list(target.weights), list(target.biases)
    activations, trainable = list(target.activations), list(target.trainable)
    for k in layers:
        for network, symbol in ((source, take.source), (target, take.target)):
            if k >= len(network.sizes):
                raise TrainingError(
                    f"{take}, layer {k}: the network of {symbol} has the layers 0 to "
                    f"{len(network.sizes) - 1}"
                )
        if source.weights[k].shape != target.weights[k].shape:
            found, expected = ("x".join(map(str, n.weights[k].shape)) for n in (source, target))
            raise TrainingError(
                f"{take}, layer {k}: {found} weights found, {expected} expected; networks of other "
                "sizes can only be copied whole"
            )
        if source.activations[k] != target.activations[k]:
            raise TrainingError(
                f"{take}, layer {k}: activation {source.activations[k]} found, "
                f"{target.activations[k]} expected; networks with other activations can only be "
                "copied whole"
            )
        weights[k], biases[k] = source.weights[k], source.biases[k]
        trainable[k] = source.trainable[k]
    return SpeciesNetwork(weights, biases, activations, trainable)


def _alike_in_scaling(model: Model, source: Model) -> tuple[Model, Model]:
    """Both with a scaling of descriptors or both without; a scaling by 1 changes nothing."""
    if (model.scale_mean is None) == (source.scale_mean is None):
        return model, source
    both = []
    for one in (model, source):
        centres = [
            symbol
            for symbol, network in zip(one.species, one.networks, strict=True)
            if ACTIVATIONS[network.activations[0]].centres
        ]
        if centres:
            raise TrainingError(
                f"networks of {listed(centres)}: a radial-basis first layer, and one of the models "
                "standardises descriptors while the other does not; such a first layer cannot be "
                "exported with another scaling"
            )
        if one.scale_mean is None:
            shape = (len(one.species), one.g_size)
            one = replace(one, scale_mean=np.zeros(shape), scale_std=np.ones(shape))
        both.append(one)
    return both[0], both[1]


def _ranges(model: Model) -> tuple[np.ndarray, np.ndarray]:
    ranges = model.ranges or Ranges.empty(len(model.species), model.g_size)
    return ranges.lowest, ranges.highest
