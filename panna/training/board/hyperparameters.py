"""Hyperparameters for TensorBoard's HPARAMS page, which compares trainings by them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api

from panna.network.parameters import Model

TRAINING = (
    *("learning_rate", "learning_rate_final", "batch_size", "average_decay", "seed"),
    *("loss_function", "floss_function", "forces_cost", "precision", "standardise"),
)


def hyperparameters(settings: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Name and value of what people change between trainings; numbers, booleans or text.

    Args:
      settings: by "[SECTION] key", see `panna.training.restart.settings`.
      model: for the networks and the descriptor.
    """
    found = {key: settings.get(f"[TRAINING_PARAMETERS] {key}") for key in TRAINING}
    networks = model.networks
    found["architecture"] = _of_species(
        model, [":".join(map(str, network.sizes)) for network in networks]
    )
    found["activations"] = _of_species(
        model, [":".join(network.activations) for network in networks]
    )
    found["parameters"] = model.n_parameters
    found["g_size"] = model.g_size
    found["descriptor"] = (model.descriptor or {}).get("type")
    return {name: value for name, value in found.items() if value is not None}


def table_row(values: Mapping[str, Any], train_dir: str | Path) -> list[Summary]:
    """One row of the table, named after the folder of the training."""
    path = Path(train_dir).resolve()
    # Rows of the same name would be averaged: the digest keeps folders of the same name apart.
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:6]
    name = f"{path.name}, {path.parent.name}, {digest}"
    return [api.hparams_pb(dict(values), trial_id=name)]


def _of_species(model: Model, texts: list[str]) -> str:
    """What all species have in common, or all of them with their symbols."""
    if len(set(texts)) == 1:
        return texts[0]
    return ", ".join(f"{s} {text}" for s, text in zip(model.species, texts, strict=True))
