"""What comes out of a file of another program: frames, those that cannot be used, and remarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from panna.frames.frame import Frame


@dataclass(frozen=True)
class Configuration:
    """A frame of a file.

    frame: in angstrom and eV; its name is not looked at.
    number: from 1, within the file; None for the only one, named as the file is.
    facts: informative entries of the example, such as {"program": "PWSCF 7.2"}.
    consumed: bytes of the file that have been read, for the progress.
    line: of the file where it begins, from 1.
    """

    frame: Frame
    number: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    consumed: int = 0
    line: int | None = None


@dataclass(frozen=True)
class Unusable:
    """A frame that is left out; where: "step 3"."""

    where: str
    reason: str
    consumed: int = 0


@dataclass(frozen=True)
class Remark:
    """Something about a file that its user should know; said once, with the number of files."""

    text: str


def virial_of_stress(stress: np.ndarray, cell: np.ndarray, unit: float) -> np.ndarray:
    """The virial, (3, 3) in eV, of the stress as most programs print it.

    Args:
      stress: (3, 3), positive under compression. Its antisymmetric part is rounding, and dropped.
      cell: (3, 3), lattice vectors as rows.
      unit: eV in the unit of the stress times the unit of the volume.
    """
    import numpy as np

    return (stress + stress.T) / 2 * (abs(np.linalg.det(cell)) * unit)
