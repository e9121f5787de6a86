"""One step of training, and one of validation.

With forces a step has five parts; TensorFlow compiles those that know networks, the core does the
products with the derivatives of the descriptors:

    predict    energies E of the atoms and g = dE/dG                          TensorFlow
    forces     F = -J^T g                                                     core
    score      loss, and its derivatives with respect to E and F              TensorFlow
    pull back  derivative of the loss with respect to g, -J dloss/dF          core
    update     gradient with respect to the weights, optimiser, averages      TensorFlow
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from panna.network import forces as network_forces
from panna.network.energy import (
    atomic_energies,
    energies_and_slopes,
    frame_energies,
    parameter_gradients,
)
from panna.network.forces import Derivatives
from panna.network.variables import NetworkVariables
from panna.training.adam import Adam
from panna.training.by_species import BySpecies, Lengths
from panna.training.clipping import Clipping
from panna.training.objective import Objective
from panna.training.regularisation import Regularisation

Batch = Mapping[str, Any]
Gradients = tuple[np.ndarray, list[np.ndarray]]


@dataclass(frozen=True)
class Request:
    """A step to be made; number: of the step, from 1; forces_cost: None if it does not change."""

    batch: Batch
    learning_rate: float
    number: int
    forces_cost: float | None = None


@dataclass(frozen=True)
class Outcome:
    """sums: one number for each of metrics.SUMS; gradient_norm: of all weights together.

    staleness: how often others have changed the weights while the gradient was calculated; None
      where nobody else can.
    """

    sums: np.ndarray
    gradient_norm: float = 0.0
    staleness: int | None = None

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.sums).all() and np.isfinite(self.gradient_norm))


class Step:
    """The compiled functions for one set of networks.

    All sizes but that of the descriptors are open: batches of any number of frames and atoms run
    through the same graphs. Batches are those of a standardised Dataset.

    Args:
      networks: what is trained.
      averaged: running averages of the networks' variables, None if there are none.
      std: (n_species, g) divisor of the descriptors, None if they are used as they are.
      offsets: (n_species,) float64, eV, subtracted from the energies in float64.
      objective: what is minimised.
      derivatives: of the descriptors; None to train energies only.
      optimiser: Adam on the trainable variables of `networks`.
      decay: of the averages.
      regularisation: of the weights, None for none; part of the loss of training only.
      clipping: of the gradient.
      xla: compile with XLA: some seconds at the start, then a fifth faster.
    """

    def __init__(
        self,
        networks: Sequence[NetworkVariables],
        averaged: Sequence[NetworkVariables] | None,
        std: np.ndarray | None,
        offsets: np.ndarray,
        objective: Objective,
        derivatives: Derivatives | None,
        optimiser: Adam,
        decay: float,
        regularisation: Regularisation | None = None,
        clipping: Clipping | None = None,
        xla: bool = False,
    ) -> None:
        self.networks, self.averaged, self.decay = list(networks), averaged, decay
        self.std, self.offsets = std, np.asarray(offsets, np.float64)
        self.objective, self.derivatives, self.optimiser = objective, derivatives, optimiser
        self.regularisation, self.clipping = regularisation, clipping or Clipping()
        self.lengths = Lengths(len(self.networks), exact=not xla)
        self._compile(xla)

    def _compile(self, xla: bool) -> None:
        weights = self.networks[0].weights[0]
        g, dtype = weights.shape[0], weights.dtype
        each = len(self.networks)
        inputs, numbers = tf.TensorSpec([None, g], dtype), tf.TensorSpec([None], dtype)
        labels, virials = self._label_specs(), tf.TensorSpec([None, 3, 3], tf.float64)
        size, sums = tf.TensorSpec([], tf.float64), tf.TensorSpec([None], tf.float64)

        def graph(function: Callable, **options: Any) -> Callable:
            # Without autograph, which would take longer than the tracing itself.
            made = tf.function(function, autograph=False, **options)
            self._graphs.append(made)
            return made

        self._graphs: list[Callable] = []
        # What changes variables stays outside: XLA would compile it anew in every step.
        compiled = partial(graph, jit_compile=xla)
        if self.derivatives is None:
            both = [[inputs] * each, labels]
            self._gradients = compiled(self._energy_gradients, input_signature=both)
            self._update = graph(self._update_graph, input_signature=[*both, size])
            self._score_energies = compiled(self._energy_score, input_signature=both)
            return
        self._predict = {
            trained: compiled(
                partial(self._predict_graph, self.networks if trained else self.evaluated),
                input_signature=[[inputs] * each],
            )
            for trained in (True, False)
        }
        forces = tf.TensorSpec([None, 3], tf.float64)
        predicted = [numbers, forces, *[virials] * self._with_virials]
        self._score = compiled(self._score_graph, input_signature=[labels, *predicted])
        bars = [[inputs] * each, [numbers] * each, [inputs] * each, sums]
        self._gradients = compiled(self._gradient_graph, input_signature=bars)
        self._update = graph(self._update_graph, input_signature=[*bars, size])

    def _label_specs(self) -> dict[str, tf.TensorSpec]:
        """What the graphs are told of the reference values and sizes."""
        specs = {
            "species": tf.TensorSpec([None], tf.int32),
            "frame_of_atom": tf.TensorSpec([None], tf.int64),
            "n_atoms": tf.TensorSpec([None], tf.int64),
            "energy": tf.TensorSpec([None], tf.float64),
            "weight": tf.TensorSpec([None], tf.float32),
        }
        if self.derivatives is not None:
            specs["forces"] = tf.TensorSpec([None, 3], tf.float32)
            if self._with_virials:
                specs["virial"] = tf.TensorSpec([None, 3, 3], tf.float64)
        return specs

    def trace(self) -> None:
        """Makes all graphs now, not at their first use: two threads that traced at the same time
        made TensorFlow 2.21 fail."""
        for function in self._graphs:
            function.get_concrete_function()

    @property
    def _with_virials(self) -> bool:
        return self.objective.stress_cost > 0

    @property
    def evaluated(self) -> list[NetworkVariables]:
        """The networks to use: the averaged ones if there are any."""
        return list(self.averaged) if self.averaged is not None else self.networks

    def train_each(self, requests: Iterable[Request]) -> Iterator[tuple[Batch, Outcome]]:
        """Makes steps, one after the other."""
        for request in requests:
            if request.forces_cost is not None:
                self.set_forces_cost(request.forces_cost)
            outcome = self.train(request.batch, request.learning_rate, request.number)
            yield request.batch, outcome

    def validate_each(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Errors of batches, see `validate`."""
        for batch in batches:
            yield batch, self.validate(batch)

    def gradients_each(self, batches: Iterable[Batch]) -> Iterator[Gradients]:
        """Sums and gradients of batches, see `gradients`."""
        return map(self.gradients, batches)

    def set_forces_cost(self, value: float) -> None:
        """The weight of the force loss from now on."""
        self.objective.set_forces_cost(value)

    def agreed(self, signal: int | None) -> int | None:
        """The signal to stop that all processes of the training obey; here there is only one."""
        return signal

    def train(self, batch: Batch, learning_rate: float, step: int) -> Outcome:
        """Changes the weights once. `step` counts from 1.

        If loss or gradients are not finite the weights stay as they were.
        """
        size = np.float64(self.optimiser.step_size(learning_rate, step))
        sums, norm = self._update(*self._graph_inputs(batch), size)
        return Outcome(sums.numpy(), float(norm))

    def validate(self, batch: Batch) -> Outcome:
        """Errors of a batch, with the averaged weights if there are any."""
        if self.derivatives is None:
            sums = self._score_energies(*self._energy_inputs(batch))
        else:
            layout = self.lengths.sort(batch["species"])
            inputs = layout.split(batch["descriptors"])
            predicted = self._predictions(batch, layout, inputs, trained=False)
            sums = self._score(self._labels(batch, layout), *predicted)[0]
        return Outcome(sums.numpy())

    def gradients(self, batch: Batch) -> Gradients:
        """Sums of a batch and the gradient of its loss by each variable of the optimiser."""
        sums, gradients = self._gradients(*self._graph_inputs(batch))
        return sums.numpy(), [gradient.numpy() for gradient in gradients]

    # -- from batches to what the graphs take ------------------------------------------------------

    def _graph_inputs(self, batch: Batch):
        """What the gradient of the loss by the weights is calculated from."""
        if self.derivatives is None:
            return self._energy_inputs(batch)
        return self._forces_and_back(batch)

    def _energy_inputs(self, batch: Batch) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Inputs of the networks, and labels in the order of the species."""
        layout = self.lengths.sort(batch["species"])
        labels = {name: batch[name] for name in ("n_atoms", "energy", "weight")}
        labels["species"] = np.concatenate(layout.split(batch["species"]))
        labels["frame_of_atom"] = np.concatenate(layout.split(batch["frame_of_atom"], -1))
        return layout.split(batch["descriptors"]), labels

    def _labels(self, batch: Batch, layout: BySpecies) -> dict[str, Any]:
        """In the order of the batch."""
        names = ("n_atoms", "energy", "weight", *["virial"] * self._with_virials)
        labels = {name: batch[name] for name in names}
        labels |= {name: layout.pad(batch[name]) for name in ("species", "forces")}
        labels["frame_of_atom"] = layout.pad(batch["frame_of_atom"], -1)
        return labels

    def _predictions(self, batch: Batch, layout: BySpecies, inputs, trained: bool):
        """Energies of the atoms, forces (N, 3), and virials (B, 3, 3) if they are trained."""
        energies, slopes = self._predict[trained](inputs)
        slopes = layout.join([slope.numpy() for slope in slopes])
        pairs = self.derivatives.slopes(batch, slopes)
        energies = layout.join([energy.numpy() for energy in energies])
        found = [layout.pad(energies), layout.pad(network_forces.forces_from(batch, pairs))]
        return [*found, network_forces.virials_from(batch, pairs)] if self._with_virials else found

    def _forces_and_back(self, batch: Batch):
        """Inputs of the networks, derivatives of the loss by energies and slopes, and sums."""
        layout, n = self.lengths.sort(batch["species"]), len(batch["species"])
        inputs = layout.split(batch["descriptors"])
        predicted = self._predictions(batch, layout, inputs, trained=True)
        sums, energies_bar, forces_bar, *virials_bar = self._score(
            self._labels(batch, layout), *predicted
        )
        pairs_bar = network_forces.slope_gradients(
            batch, forces_bar.numpy()[:n], *[bar.numpy() for bar in virials_bar]
        )
        slopes_bar = self.derivatives.changes(batch, pairs_bar)
        slopes_bar = slopes_bar.astype(inputs[0].dtype, copy=False)
        return (
            inputs,
            layout.split(energies_bar.numpy()[:n]),
            layout.split(slopes_bar),
            sums,
        )

    # -- graphs ------------------------------------------------------------------------------------

    def _predict_graph(self, networks, inputs):
        """Energies of atoms and dE/dG, by species."""
        energies, slopes = energies_and_slopes(networks, inputs)
        return energies, self._per_descriptor(slopes)

    def _score_graph(self, labels, *predicted):
        """Sums, and derivatives of the loss by energies, forces and virials."""
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            energies, forces, *virials = predicted
            loss, sums = self.objective(
                self._energy_errors(labels, energies),
                forces - tf.cast(labels["forces"], tf.float64),
                labels,
                *[virial - labels["virial"] for virial in virials],
            )
        return sums, *tape.gradient(loss, predicted)

    def _gradient_graph(self, inputs, energies_bar, slopes_bar, sums):
        """Sums and gradients, both with the penalty on the weights."""
        # slopes_bar belongs to dE/dG = dE/d(inputs) / std.
        scaled = self._per_descriptor(slopes_bar)
        gradients = parameter_gradients(
            self.networks, self.optimiser.variables, inputs, energies_bar, scaled
        )
        return self._penalised(sums, gradients)

    def _penalised(self, sums, gradients):
        if self.regularisation is None:
            return sums, gradients
        return self.regularisation.added(self.networks, self.optimiser.variables, sums, gradients)

    def _update_graph(self, *inputs_and_step_size):
        *inputs, step_size = inputs_and_step_size
        sums, gradients = self._gradients(*inputs)
        return sums, self._apply(gradients, tf.reduce_all(tf.math.is_finite(sums)), step_size)

    def _energy_score(self, inputs, labels):
        energies = tf.concat(atomic_energies(self.evaluated, inputs), 0)
        return self.objective(self._energy_errors(labels, energies), None, labels)[1]

    def _energy_gradients(self, inputs, labels):
        with tf.GradientTape() as tape:
            energies = tf.concat(atomic_energies(self.networks, inputs), 0)
            loss, sums = self.objective(self._energy_errors(labels, energies), None, labels)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, self.optimiser.variables, unconnected_gradients=zero)
        return self._penalised(sums, gradients)

    def _energy_errors(self, labels, energies: tf.Tensor) -> tf.Tensor:
        """(B,) float64: predicted minus reference energies of the frames."""
        frame, n_frames = labels["frame_of_atom"], tf.size(labels["energy"])
        offsets = tf.gather(tf.constant(self.offsets), labels["species"])
        reference = labels["energy"] - frame_energies(offsets, frame, n_frames)
        return frame_energies(energies, frame, n_frames) - reference

    def _per_descriptor(self, slopes: list[tf.Tensor]) -> list[tf.Tensor]:
        """Divides the rows of each species by the standard deviations of its descriptors."""
        if self.std is None:
            return slopes
        return [
            slope * tf.constant(1.0 / std, slope.dtype)
            for slope, std in zip(slopes, self.std, strict=True)
        ]

    def _apply(self, gradients, finite: tf.Tensor, step_size: tf.Tensor) -> tf.Tensor:
        """One step of the optimiser if everything is finite; the norm of the gradient."""
        norm = tf.linalg.global_norm(gradients)

        def update() -> tf.Tensor:
            self.optimiser.apply(self.clipping(gradients, norm), step_size)
            self._average()
            return norm

        return tf.cond(finite & tf.math.is_finite(norm), update, lambda: norm)

    def _average(self) -> None:
        if self.averaged is None:
            return
        for average, network in zip(self.averaged, self.networks, strict=True):
            for mean, value in zip(average.all, network.all, strict=True):
                with tf.device(value.device):
                    mean.assign_add((value - mean) * (1.0 - self.decay))
