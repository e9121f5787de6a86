"""Results of an evaluation: files of each network, all errors as JSON, tables for the screen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panna import __version__
from panna.console import table
from panna.evaluation.committee import Committee, MemberSpread
from panna.evaluation.errors import Predictions, References, Spread, Statistics
from panna.evaluation.networks import NamedNetwork
from panna.evaluation.structures import StructureSet
from panna.evaluation.tables import (
    energies_file,
    forces_file,
    std_file,
    write_energies,
    write_energies_std,
    write_forces,
    write_forces_std,
)
from panna.files import atomic_write, sha256_of

SUMMARY = "summary.json"
FORMAT = 1


def write_network(
    directory: Path,
    network: NamedNetwork,
    references: References,
    predictions: Predictions,
    add_offset: bool = True,
    plots: bool = True,
) -> list[Path]:
    """Writes energies, forces (if there are any) and parity plots of one network.

    Args:
      add_offset: whether the energies in the file contain the reference energies.
      plots: whether to draw.
    Returns:
      The files written.
    """
    label, forces = network.label, predictions.forces is not None
    written = [energies_file(directory, label)]
    write_energies(written[0], references, predictions, add_offset)
    if forces:
        written.append(forces_file(directory, label))
        write_forces(written[-1], references, predictions)
    if plots:
        # Imported here: matplotlib costs half a second.
        from panna.evaluation import plots as draw

        species = network.model.species
        path = draw.energies_plot(directory, label)
        if draw.plot_energies(path, network.title, references, predictions):
            written.append(path)
        path = draw.forces_plot(directory, label)
        if forces and draw.plot_forces(path, network.title, references, predictions, species):
            written.append(path)
    return written


def write_committee(
    directory: Path,
    references: References,
    committee: Committee,
    add_offset: bool = True,
    plots: bool = True,
) -> list[Path]:
    """Writes the mean of a committee as a network, the standard deviations and their plot.

    Args:
      add_offset, plots: see `write_network`.
    Returns:
      The files written.
    """
    network, label = committee.network, committee.network.label
    written = write_network(directory, network, references, committee.mean, add_offset, plots)
    written.append(std_file(energies_file(directory, label)))
    write_energies_std(written[-1], references, committee.energy_std)
    if committee.force_std is not None:
        written.append(std_file(forces_file(directory, label)))
        write_forces_std(written[-1], references, committee.force_std)
    if plots:
        from panna.evaluation import spread_plot as draw

        path = draw.spread_plot(directory, label)
        if draw.plot_spread(path, network.title, references, committee):
            written.append(path)
    return written


def committee_entry(
    committee: Committee,
    errors: Statistics,
    spread: MemberSpread,
    written: Sequence[Path],
) -> dict[str, Any]:
    """What the summary says about a committee: errors of the mean, and the spread."""
    return {
        "committee": committee.network.title,
        "label": committee.network.label,
        "source": str(committee.network.source),
        "members": list(committee.members),
        **errors.to_dict(),
        "spread": spread.to_dict(),
        "files": [file.name for file in written],
    }


def write_summary(
    path: Path,
    data: StructureSet,
    references: References,
    networks: Sequence[NamedNetwork],
    statistics: Sequence[Statistics],
    files: Sequence[Sequence[Path]],
    committees: Sequence[dict[str, Any]] = (),
) -> None:
    """Writes everything that the screen shows, and more, with units in the names of the numbers.

    Args:
      files: for each network the files written about it.
      committees: entries, see `committee_entry`.
    """
    species = networks[0].model.species
    counts = Counter(references.species.tolist())
    content = {
        "format": FORMAT,
        "panna_version": __version__,
        "data": {
            "directory": str(data.directory),
            "format": data.form,
            "structures": len(references.names),
            "atoms": int(references.n_atoms.sum()),
            "species": {symbol: counts.get(s, 0) for s, symbol in enumerate(species)},
        },
        "networks": [
            {
                **_describe(network),
                **errors.to_dict(),
                "files": [file.relative_to(path.parent).as_posix() for file in written],
            }
            for network, errors, written in zip(networks, statistics, files, strict=True)
        ],
    }
    if committees:
        content["committees"] = list(committees)
    with atomic_write(path) as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.write("\n")


UNITS = "E per atom in meV/atom, total E in eV, force components F in eV/angstrom"


def error_table(networks: Sequence[NamedNetwork], statistics: Sequence[Statistics]) -> str:
    """One line per network: errors of energies per atom and of force components, in UNITS."""
    forces = any(s.forces for s in statistics)
    headers = ["network", "E RMSE", "E MAE", "E max", "total E RMSE", "total E MAE"]
    rows = []
    for network, s in zip(networks, statistics, strict=True):
        row = [network.title, *_cells(s.per_atom, 1e3, 2), *_cells(s.total, 1, 4)[:2]]
        rows.append([*row, *_cells(s.forces, 1, 4)] if forces else row)
    return table(headers + (["F RMSE", "F MAE", "F max"] if forces else []), rows)


def species_table(statistics: Statistics) -> str:
    """Errors of force components in eV/angstrom, one line per species."""
    rows = [
        [symbol, s.count // 3, *_cells(s, 1, 4)]
        for symbol, s in statistics.forces_of_species.items()
    ]
    return table(["species", "atoms", "F RMSE", "F MAE", "F max"], rows)


def group_table(statistics: Statistics) -> str:
    """Errors of the structures of each source in UNITS, one line per source."""
    forces = any(f for _, f in statistics.groups.values())
    rows = []
    for label, (energy, force) in statistics.groups.items():
        row = [label, energy.count if energy else 0, *_cells(energy, 1e3, 2)[:2]]
        rows.append([*row, *_cells(force, 1, 4)[:2]] if forces else row)
    headers = ["group", "structures", "E RMSE", "E MAE"]
    return table(headers + (["F RMSE", "F MAE"] if forces else []), rows)


def _cells(spread: Spread | None, factor: float, digits: int) -> list[str | None]:
    if spread is None:
        return [None] * 3
    return [f"{value * factor:.{digits}f}" for value in (spread.rmse, spread.mae, spread.max)]


def _describe(network: NamedNetwork) -> dict[str, Any]:
    model = network.model
    return {
        "network": network.title,
        "label": network.label,
        **({"member": network.member} if network.member else {}),
        "source": str(network.source),
        "sha256": sha256_of(network.source) if network.source.is_file() else None,
        "step": network.step,
        "epoch": network.epoch,
        "species": list(model.species),
        "sizes": {
            symbol: list(n.sizes) for symbol, n in zip(model.species, model.networks, strict=True)
        },
        "reference_energies_eV": {
            symbol: float(offset)
            for symbol, offset in zip(model.species, model.offsets, strict=True)
        },
        "descriptor_hash": model.descriptor_hash,
    }
