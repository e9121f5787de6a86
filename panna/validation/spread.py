"""What the members of a committee say about the frames of the test set."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from panna.evaluation.frame_spread import FrameSpread
from panna.validation.test_set import TestSet

FAR = 3.0  # standard deviations


def frame_spreads(test: TestSet, species: Sequence[str]) -> list[FrameSpread]:
    """One for each frame, in the order of the test set, which has standard deviations."""
    assert test.energies_std is not None and test.forces_std is not None
    of_atoms = np.linalg.norm(test.forces_std, axis=1)
    found = []
    for k, (start, n) in enumerate(zip(test.first_atoms, test.n_atoms.tolist(), strict=True)):
        mine = slice(start, start + n)
        atom, errors = int(np.argmax(of_atoms[mine])), test.force_errors[mine]
        found.append(
            FrameSpread(
                name=test.names[k],
                n_atoms=n,
                energy=float(test.predicted_energies[k]),
                energy_std=float(test.energies_std[k]) / n,
                energy_error=float(test.energy_errors[k]),
                force_std_max=float(of_atoms[mine][atom]),
                atom=atom,
                symbol=species[test.species[start + atom]],
                force_std=math.sqrt((test.forces_std[mine] ** 2).mean()),
                force_error=math.sqrt((errors**2).mean()),
                force_error_max=float(np.abs(errors).max()),
                outside=None if test.outside is None else int((test.outside[mine] > 0).sum()),
            )
        )
    return found


def share_beyond(spreads: Sequence[float], errors: Sequence[float]) -> float | None:
    """Per cent of the known errors that exceed FAR standard deviations."""
    s, e = np.array(spreads), np.abs(errors)
    known = np.isfinite(e)
    return float(100 * (e[known] > FAR * s[known]).mean()) if known.any() else None
