"""A batch and steps of training for the tests of all kinds of steps."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from training_cases import TWO_SPECIES, labelled_frame

from panna.descriptors import evaluate
from panna.descriptors.scaling import Scaling, network_inputs
from panna.frames.neighbours import concatenate, neighbour_list
from panna.network.forces import OnTheFly, Stored
from panna.network.initialise import initial_network
from panna.network.variables import NetworkVariables, trainable_variables
from panna.training.adam import Adam, AdamOptions
from panna.training.metrics import Errors
from panna.training.objective import Objective
from panna.training.step import Batch, Step

G = TWO_SPECIES.size
OFFSETS = np.array([-107.3, -432.1])
SCALING = Scaling(*np.random.default_rng(5).uniform(0.2, 0.8, (2, 2, G)))
RATE = 1e-3
OF_FRAMES = ("name", "n_atoms", "energy", "weight", "virial", "blocks")
OF_ATOMS = ("species", "descriptors", "forces")


def three_frames() -> Batch:
    """Three frames with all that either source of derivatives needs, in float64."""
    frames = [labelled_frame(TWO_SPECIES, i) for i in range(3)]
    lists = [neighbour_list(f, TWO_SPECIES.species, TWO_SPECIES.cutoff) for f in frames]
    neighbours = concatenate(lists)
    n_atoms = np.array([frame.n_atoms for frame in frames])
    species = np.asarray(neighbours.species, np.int32)
    descriptors = evaluate.compute(TWO_SPECIES, neighbours, 1)
    virials = np.random.default_rng(3).normal(size=(3, 3, 3))
    virials[1] = np.nan  # this frame has none
    return {
        "name": [frame.name for frame in frames],
        "n_atoms": n_atoms,
        "energy": np.array([frame.energy for frame in frames]),
        "weight": np.array([1.0, 0.5, 2.0], np.float32),
        "species": species,
        "frame_of_atom": np.repeat(np.arange(3), n_atoms),
        "descriptors": network_inputs(SCALING, species, descriptors, "float64"),
        "forces": np.concatenate([frame.forces for frame in frames]).astype(np.float32),
        "first": neighbours.first,
        "index": neighbours.index,
        "vectors": neighbours.vectors,
        "blocks": [evaluate.blocks(TWO_SPECIES, one, 1) for one in lists],
        "virial": virials,
    }


def halved(batch: Batch) -> Batch:
    """With derivatives in half precision."""
    return {**batch, "blocks": [blocks.astype(np.float16) for blocks in batch["blocks"]]}


def part(batch: Batch, first: int, last: int) -> Batch:
    """Some of the frames of the batch."""
    atoms = np.concatenate([[0], np.cumsum(batch["n_atoms"])])
    a, b = atoms[first], atoms[last]
    p, q = batch["first"][a], batch["first"][b]
    found = {name: batch[name][first:last] for name in OF_FRAMES}
    found |= {name: batch[name][a:b] for name in OF_ATOMS}
    return found | {
        "frame_of_atom": batch["frame_of_atom"][a:b] - first,
        "first": batch["first"][a : b + 1] - p,
        "index": batch["index"][p:q] - a,
        "vectors": batch["vectors"][p:q],
    }


def derivatives(source):
    return {
        "none": None,
        "stored": Stored(threads=1),
        "stored_half": Stored(half=True, threads=1),
        "on_the_fly": OnTheFly(TWO_SPECIES, threads=1),
    }[source]


def a_step(
    source="on_the_fly",
    trainable=(True, True, True),
    averaged=False,
    xla=False,
    kind=Step,
    **objective,
):
    """A step of some kind with fresh networks, always the same ones."""
    networks = [
        initial_network(
            G, (6, 4, 1), ("gaussian", "tanh", "linear"), trainable,
            seed=1, symbol=symbol, spread=0.3, dtype="float64",
        )
        for symbol in TWO_SPECIES.species
    ]  # fmt: skip
    variables = [NetworkVariables.create(network, tf.float64) for network in networks]
    means = [NetworkVariables.create(network, tf.float64) for network in networks]
    options = dict(energy_loss="quad_std_atom", force_loss="quad_atom", forces_cost=0.7)
    return kind(
        networks=variables,
        averaged=means if averaged else None,
        std=SCALING.std,
        offsets=OFFSETS,
        objective=Objective(**{**options, **objective}),
        derivatives=derivatives(source),
        optimiser=Adam(trainable_variables(variables), AdamOptions()),
        decay=0.9,
        xla=xla,
    )


def check_finite_differences(step: Step, batch: Batch) -> None:
    """The gradient of the loss by every variable, in a random direction."""
    _, gradients = step.gradients(batch)
    random, h = np.random.default_rng(0), 1e-5
    for variable, gradient in zip(step.optimiser.variables, gradients, strict=True):
        start, direction = variable.numpy(), random.normal(size=variable.shape)
        losses = []
        for shift in (h, -h):
            variable.assign(start + shift * direction)
            losses.append(Errors().plus(step.validate(batch).sums).mean_loss)
        variable.assign(start)
        expected = (losses[0] - losses[1]) / (2 * h)
        # Second order in h, relative to the slopes of the whole network.
        assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-6, abs=1e-7)
