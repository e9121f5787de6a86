"""Telling a network what its descriptor is, where it does not know or to check what it knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from panna.config.gvect import GVECT
from panna.config.reader import read_config
from panna.descriptors.configured import parameters_from
from panna.descriptors.parameters import DescriptorParameters, from_dict
from panna.errors import PotentialError
from panna.network.parameters import Model

SAME = 1e-9  # relative


def read_descriptor_input(path: str | Path) -> DescriptorParameters:
    """The descriptor of a gvect_calculator ini file.

    Raises:
      ConfigError, DescriptorError: the file cannot be used.
    """
    return parameters_from(read_config(path, GVECT))


def with_descriptor(model: Model, parameters: DescriptorParameters, source: str | Path) -> Model:
    """The model with a descriptor that somebody says is its own.

    Args:
      source: where the parameters come from, for messages.
    Raises:
      PotentialError: the model has another descriptor, other species or another number of inputs.
    """
    if parameters.species != model.species:
        raise PotentialError(
            f"{source}: species = {', '.join(parameters.species)} found, the network has "
            f"{', '.join(model.species)}; the order must be the same"
        )
    if parameters.size != model.g_size:
        raise PotentialError(
            f"{source}: a descriptor of {parameters.size} components found, the network takes "
            f"{model.g_size}; give the file with which the training data were made"
        )
    if not model.descriptor:
        return replace(model, descriptor=parameters.to_dict(), descriptor_hash=parameters.hash)
    difference = first_difference(parameters, from_dict(model.descriptor))
    if difference:
        raise PotentialError(
            f"{source}: {difference}, with which the network was trained; correct the file, or "
            "leave gvector_input out: the network knows its descriptor"
        )
    return model


def first_difference(found: DescriptorParameters, expected: DescriptorParameters) -> str:
    """In what two descriptors differ, "" if they do not.

    Numbers that differ by rounding only are the same: centres written as first and step may come
    back with another last digit.

    Returns:
      "zeta = 4.0 found, 8.0 expected" for the first parameter that differs.
    """
    if found.hash == expected.hash:
        return ""
    theirs, mine = found.to_dict(), expected.to_dict()
    for name, value in mine.items():
        if not _same(theirs.get(name), value):
            return f"{name} = {_text(theirs.get(name))} found, {_text(value)} expected"
    return ""


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= SAME * max(1.0, abs(other))
    return one == other


def _text(value: object) -> str:
    """Lists of one repeated number as that number, others in full."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        return f"{value[0]} ({len(value)} times)" if len(value) > 1 else str(value[0])
    return str(list(value)) if isinstance(value, tuple) else str(value)
