"""Where the reference energies of a training come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panna.config.reader import Config
from panna.training.offsets import fit_offsets
from panna.training.statistics import Statistics


@dataclass(frozen=True)
class ReferenceEnergies:
    """offsets: (n_species,) float64, eV; origin: in words; note: "" or what to think of."""

    offsets: np.ndarray
    origin: str
    note: str = ""


def reference_energies(
    config: Config, species: tuple[str, ...], statistics: Statistics
) -> ReferenceEnergies:
    """Those of the configuration, or fitted to the training set by least squares.

    Raises:
      ConfigError: only some species have a section with output_offset.
    """
    given = config["DATA_INFORMATION"]["output_offset"]
    if given is not None:
        return ReferenceEnergies(np.array(given, np.float64), "given in output_offset")
    sections = config.species_sections
    values = [sections.get(symbol, {}).get("output_offset") for symbol in species]
    missing = [s for s, value in zip(species, values, strict=True) if value is None]
    if not missing:
        return ReferenceEnergies(np.array(values, np.float64), "given in the species' sections")
    if len(missing) < len(species):
        symbol = next(s for s in species if s not in missing)
        raise config.error(
            symbol, "output_offset",
            f"given for this species but not for {', '.join(missing)}; give it for all species, or "
            "for none to have them fitted",
        )  # fmt: skip
    fit = fit_offsets(statistics.compositions, statistics.energies, species)
    origin = f"fitted by least squares, which leaves {1e3 * fit.rmse:.1f} meV/atom"
    return ReferenceEnergies(fit.offsets, origin, fit.note)
