"""What a training minimises: from the errors of a batch to its loss and the sums of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from panna.training.losses import ENERGY_LOSSES, FORCE_LOSSES, batch_mean, find_loss


@dataclass(frozen=True)
class Objective:
    """Energy loss + forces_cost * force loss; each loss is the weighted mean over the frames.

    energy_loss, force_loss: names in the registries of losses.py.
    """

    energy_loss: str = "quad"
    force_loss: str = "quad"
    forces_cost: float = 0.0

    def __post_init__(self) -> None:
        find_loss(ENERGY_LOSSES, self.energy_loss, "loss_function")
        find_loss(FORCE_LOSSES, self.force_loss, "floss_function")

    def __call__(
        self, energies: tf.Tensor, forces: tf.Tensor | None, batch: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss of a batch and its sums, both float64.

        Args:
          energies: (B,) predicted minus reference energies, eV, float64.
          forces: (N, 3) predicted minus reference forces, eV/angstrom; None: not trained.
          batch: n_atoms (B,), frame_of_atom (N,), weight (B,).
        Returns:
          The loss and one number for each of metrics.SUMS.
        """
        n_frames = tf.size(energies)
        atoms, weights = tf.cast(batch["n_atoms"], tf.float64), batch["weight"]
        energy_loss = batch_mean(ENERGY_LOSSES[self.energy_loss](energies, atoms), weights)
        force_loss = force_squares = force_absolute = components = tf.zeros([], tf.float64)
        loss = energy_loss
        if forces is not None:
            forces = tf.cast(forces, tf.float64)
            squares = tf.reduce_sum(forces**2, 1)
            of_frames = tf.math.unsorted_segment_sum(squares, batch["frame_of_atom"], n_frames)
            force_loss = batch_mean(FORCE_LOSSES[self.force_loss](of_frames, atoms), weights)
            force_squares, force_absolute = tf.reduce_sum(squares), tf.reduce_sum(tf.abs(forces))
            components = tf.cast(tf.size(forces), tf.float64)
            loss = loss + self.forces_cost * force_loss
        count = tf.cast(n_frames, tf.float64)
        per_atom = energies / atoms
        sums = [  # in the order of metrics.SUMS
            count,
            components,
            loss * count,
            energy_loss * count,
            force_loss * count,
            tf.reduce_sum(per_atom**2),
            tf.reduce_sum(tf.abs(per_atom)),
            force_squares,
            force_absolute,
        ]
        return loss, tf.stack(sums)
