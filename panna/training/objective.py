"""What a training minimises: from the errors of a batch to its loss and the sums of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import tensorflow as tf

from panna.config.reader import Config
from panna.config.train_losses import chosen_forces_cost
from panna.training.losses import DEFAULTS, ENERGY_LOSSES, FORCE_LOSSES, Constants, Loss, find_form
from panna.training.metrics import SUMS

SECTION = "TRAINING_PARAMETERS"


@dataclass
class Objective:
    """Energy loss + forces_cost * force loss + stress_cost * virial loss.

    energy_loss, force_loss: names in the registries of losses.py.
    forces_cost: weight of the force loss; `set_forces_cost` changes it during a training.
    stress_cost: weight of the virial loss, the mean of the squares of the 9 components of the
      virial per atom.
    rescale: factor of all errors in the losses; metrics stay in eV.
    flavour: "v2", losses of frames reduced by mean or sum; "v1", sums over the batch within the
      functions.
    energy_weight, force_weights: names of divisors of the losses of frames, see losses.DIVISORS.
    """

    energy_loss: str = "quad"
    force_loss: str = "quad"
    forces_cost: float = 0.0
    stress_cost: float = 0.0
    rescale: float = 1.0
    flavour: str = "v2"
    energy_weight: str | None = None
    force_weights: str | None = None
    energy_reduction: str = "mean"
    force_reduction: str = "mean"
    energy_constants: Constants = DEFAULTS
    force_constants: Constants = DEFAULTS
    _energies: Loss = field(init=False, repr=False)
    _forces: Loss = field(init=False, repr=False)
    _forces_cost: tf.Variable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        v1 = self.flavour == "v1"
        self._energies = Loss(
            find_form(ENERGY_LOSSES, self.energy_loss, "loss_function"),
            self.energy_constants,
            self.energy_weight,
            "inside" if v1 else self.energy_reduction,
        )
        self._forces = Loss(
            find_form(FORCE_LOSSES, self.force_loss, "floss_function"),
            self.force_constants,
            self.force_weights,
            "inside" if v1 else self.force_reduction,
        )
        self._forces_cost = tf.Variable(self.forces_cost, dtype=tf.float64, trainable=False)

    @classmethod
    def from_config(cls, config: Config, forces: bool) -> Objective:
        """What the keys of the training section ask for; `forces`: whether they are trained."""
        training = config[SECTION]
        flavour = training["loss_flavour"]

        def constants(of: str) -> Constants:
            return Constants(
                prefactor=training[f"{of}_prefactor"],
                factor=0.5 if flavour == "v1" else 1.0,
                cap=training["exp_tanh_constant"],
                delta=training[f"{of}_huber_delta"],
            )

        return cls(
            energy_loss=training["loss_function"],
            force_loss=training["floss_function"],
            forces_cost=chosen_forces_cost(training, forces),
            stress_cost=training["stress_cost"],
            rescale=config["DATA_INFORMATION"]["energy_rescale"],
            flavour=flavour,
            energy_weight=training["energy_weight"],
            force_weights=training["force_weights"],
            energy_reduction=training["energy_reduction"],
            force_reduction=training["force_reduction"],
            energy_constants=constants("energy"),
            force_constants=constants("force"),
        )

    def text(self) -> str:
        """In words: "quad_atom of energies + 0.05 quad_percomp of forces"."""
        parts = [f"{self.energy_loss} of energies"]
        if self.forces_cost:
            parts.append(f"{self.forces_cost:g} {self.force_loss} of forces")
        if self.stress_cost:
            parts.append(f"{self.stress_cost:g} of virials")
        return " + ".join(parts)

    @property
    def exponential(self) -> bool:
        """Whether a loss can overflow by itself, with errors of a few eV."""
        names = [self.energy_loss] + [self.force_loss] * (self.forces_cost > 0)
        return any(name.startswith("exp_quad") for name in names)

    def set_forces_cost(self, value: float) -> None:
        """The weight of the force loss from now on."""
        self._forces_cost.assign(value)

    def __call__(
        self,
        energies: tf.Tensor,
        forces: tf.Tensor | None,
        batch: Mapping[str, tf.Tensor],
        virials: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss of a batch and its sums, both float64.

        Args:
          energies: (B,) predicted minus reference energies, eV, float64.
          forces: (N, 3) predicted minus reference forces, eV/angstrom; None: not trained.
          batch: n_atoms (B,), frame_of_atom (N,), weight (B,); with virials also the reference
            virial (B, 3, 3), nan for frames without one, which then do not count.
          virials: (B, 3, 3) predicted minus reference virials, eV; None: not trained.
        Returns:
          The loss and one number for each of metrics.SUMS.
        """
        count = tf.cast(tf.size(energies), tf.float64)
        atoms, weights = tf.cast(batch["n_atoms"], tf.float64), batch["weight"]
        per_atom = energies / atoms
        residuals = per_atom if self._energies.form.robust else energies
        measure = self._energies.measure(self.rescale * residuals)
        loss = energy_loss = self._energies(measure, atoms, weights)
        sums = {
            "frames": count,
            "energy_loss": energy_loss * count,
            "energy_squares": tf.reduce_sum(per_atom**2),
            "energy_absolute": tf.reduce_sum(tf.abs(per_atom)),
        }
        if forces is not None:
            forces = tf.cast(forces, tf.float64)
            force_loss = self._force_loss(forces, batch, atoms, weights)
            loss = loss + self._forces_cost * force_loss
            sums |= {
                "components": 3.0 * tf.reduce_sum(atoms),
                "force_loss": force_loss * count,
                "force_squares": tf.reduce_sum(forces**2),
                "force_absolute": tf.reduce_sum(tf.abs(forces)),
            }
        if virials is not None:
            known = ~tf.math.is_nan(batch["virial"][:, 0, 0])
            virials = tf.cast(virials, tf.float64) / atoms[:, None, None]
            virials = tf.where(known[:, None, None], virials, tf.zeros_like(virials))
            squares = tf.reduce_sum(virials**2, [1, 2])
            virial_loss = tf.reduce_mean(squares * tf.cast(weights, tf.float64))
            virial_loss *= self.rescale**2 / 9.0
            loss = loss + self.stress_cost * virial_loss
            sums |= {
                "virial_components": 9.0 * tf.reduce_sum(tf.cast(known, tf.float64)),
                "virial_loss": virial_loss * count,
                "virial_squares": tf.reduce_sum(squares),
                "virial_absolute": tf.reduce_sum(tf.abs(virials)),
            }
        sums["loss"] = loss * count
        zero = tf.zeros([], tf.float64)
        return loss, tf.stack([sums.get(name, zero) for name in SUMS])

    def _force_loss(
        self, forces: tf.Tensor, batch: Mapping[str, tf.Tensor], atoms: tf.Tensor, weights
    ) -> tf.Tensor:
        of_atoms = tf.reduce_sum(self._forces.measure(self.rescale * forces), 1)
        of_frames = tf.math.unsorted_segment_sum(of_atoms, batch["frame_of_atom"], tf.size(atoms))
        return self._forces(of_frames, atoms, weights)
