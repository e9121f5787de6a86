"""Tables of everything in results/, written to results/table.md, too: python table.py"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from errors import KCAL_PER_MOL, Energies, in_both_units, rmse

from panna.console import say, table

RESULTS = Path(__file__).parent / "results"
TITLES = {
    "ethanol": "ethanol",
    "3bpa": "3BPA",
    "ani/energies": "ANI, trained on energies",
    "ani/forces": "ANI, trained on energies and forces",
}
MOLECULES = {3: "H2O", 4: "NH3", 5: "CH4"}  # of the ANI files, by the number of atoms
Table = tuple[str, list[str], list[list]]


def summary(folder: Path) -> dict:
    with open(folder / "summary.json") as file:
        return json.load(file)


def entries(folder: Path) -> list[tuple[str, dict, Path]]:
    """Name, errors and folder of the files: the members, then the mean."""
    content = summary(folder)
    members = [
        (f"seed {k}", errors, folder / f"member_{k}")
        for k, errors in enumerate(content["networks"], start=1)
    ]
    return [*members, *(("committee", errors, folder) for errors in content["committees"])]


def committee(title: str, folder: Path) -> Iterator[Table]:
    """Figure 3 of the paper as a table: RMSE of each seed and of the committee."""
    sets = {
        "training": folder / "test_train",
        "test": folder / "test",
        "test, forces": folder / "test_forces",
    }
    rows = []
    for name, place in sets.items():
        for who, errors, _ in entries(place) if (place / "summary.json").exists() else ():
            energy, forces = errors["energy"], errors["forces"]
            rows.append(
                [
                    name,
                    who,
                    energy["structures"],
                    in_both_units(energy["rmse_eV"]),
                    in_both_units(energy["mae_eV"]),
                    *(
                        f"{1e3 * forces[f'{kind}_eV_per_angstrom']:.1f}" if forces else "-"
                        for kind in ("rmse", "mae")
                    ),
                ]
            )
    unit = "meV (kcal/mol)"
    yield (
        f"{title}: errors of each seed and of the committee",
        ["set", "network", "frames", f"E RMSE, {unit}", f"E MAE, {unit}", "F RMSE, meV/A", "F MAE"],
        rows,
    )
    yield spread(title, folder / "test")
    yield relative(title, folder / "test")


def spread(title: str, folder: Path) -> Table:
    """What the standard deviation of the members says about the errors of their mean."""
    (one,) = summary(folder)["committees"]
    rows = [
        [
            what,
            f"{1e3 * factor * numbers[f'error_rms_{unit}']:.2f}",
            f"{1e3 * factor * numbers[f'spread_rms_{unit}']:.2f}",
            f"{numbers['error_over_spread']:.2f}",
            f"{numbers['spearman']:.2f}",
        ]
        for what, unit, factor in (
            ("energy", "meV_per_atom", 1e-3),
            ("forces", "eV_per_angstrom", 1.0),
        )
        if (numbers := one["spread"][what])
    ]
    headers = ["of", "RMSE of the mean", "spread", "error/spread", "Spearman"]
    return f"{title}: error and spread on the test set, meV/atom and meV/A", headers, rows


def relative(title: str, folder: Path) -> Table:
    """Errors of total energies, of those over the lowest frame, and of all pairs."""
    rows = []
    for who, _, place in entries(folder):
        energies = Energies.of(place)
        for size in np.unique(energies.n_atoms):
            mine = energies.part(energies.n_atoms == size)
            rows.append(
                [
                    who,
                    MOLECULES.get(int(size), title) if title.startswith("ANI") else title,
                    len(mine.names),
                    *map(
                        in_both_units,
                        (rmse(mine.errors), rmse(mine.relative_errors()), mine.pair_rmse()),
                    ),
                ]
            )
    return (
        f"{title}: RMSE of total and of relative energies, meV (kcal/mol)",
        ["network", "molecule", "frames", "total", "over the lowest", "all pairs"],
        rows,
    )


def temperatures(folder: Path) -> Table:
    """3BPA by the temperature of the frames."""
    content = summary(folder)
    atoms = content["data"]["atoms"] // content["data"]["structures"]
    rows = [
        [
            group,
            who,
            errors["energy"]["structures"],
            in_both_units(1e-3 * atoms * errors["energy"]["rmse_meV_per_atom"]),
            f"{1e3 * errors['forces']['rmse_eV_per_angstrom']:.1f}",
        ]
        for group in sorted(content["networks"][0]["groups"], key=lambda g: int(g.rstrip("K")))
        for who, errors in ((w, e["groups"][group]) for w, e, _ in entries(folder))
    ]
    outside = content["committees"][0].get("outside_training_range")
    title = "3BPA: RMSE by temperature, trained on 300 K"
    if outside:
        title += (
            f"; {outside['atoms']} of {content['data']['atoms']} atoms in {outside['structures']} "
            "frames are outside the training range"
        )
    headers = ["temperature", "network", "frames", "energy, meV (kcal/mol)", "forces, meV/A"]
    return title, headers, rows


def transfer(folder: Path) -> Table:
    """Table 2 of the paper: RMSE in kcal/mol over the number of heavy atoms."""
    columns = {
        int(place.name.rpartition("_")[2]): Energies.of(place / "test")
        for place in sorted(folder.glob("up_to_*"))
        if (place / "test" / "summary.json").exists()
    }
    headers, rows = ["heavy atoms", "molecules"], {}
    for most, energies in columns.items():
        headers += [f"up to {most}: total", "per atom"]
        sizes = np.array([int(name.split("_")[1]) for name in energies.names])
        for size in np.unique(sizes):
            mine = energies.part(sizes == size)
            row = rows.setdefault(int(size), [int(size), len(mine.names)])
            row += [
                f"{rmse(mine.errors) / KCAL_PER_MOL:.2f}",
                f"{rmse(mine.errors / mine.n_atoms) / KCAL_PER_MOL:.3f}",
            ]
    title = "Molecules not seen: RMSE in kcal/mol, trained on those of up to 5, 6, 7 heavy atoms"
    return title, headers, list(rows.values())


def of_json(title: str, path: Path) -> Table:
    with open(path) as file:
        content = json.load(file)
    return title, content["headers"], content["rows"]


def vibrations(title: str, folder: Path) -> Table:
    with open(folder / "vibrations.json") as file:
        content = json.load(file)
    found, nve = content["frequencies_per_cm"], content["nve"]
    return (
        f"{title}: harmonic frequencies, and a run without thermostat",
        ["frequencies", "imaginary", "cm^-1", "NVE", "K", "drift, meV/atom per ps"],
        [
            [
                len(found),
                sum(one < 0 for one in found),
                f"{found[0]:.0f} to {found[-1]:.0f}",
                f"{nve['time_ps']:g} ps",
                f"{nve['temperature_K']:.0f}",
                f"{nve['drift_meV_per_atom_per_ps']:.2g}",
            ]
        ],
    )


def all_tables(results: Path) -> Iterator[Table]:
    for name, title in TITLES.items():
        folder = results / name
        if (folder / "test" / "summary.json").exists():
            yield from committee(title, folder)
            if name == "3bpa":
                yield temperatures(folder / "test")
        if (folder / "normal_modes.json").exists():
            yield of_json(f"{title}: energies along normal modes", folder / "normal_modes.json")
        if (folder / "vibrations.json").exists():
            yield vibrations(title, folder)
    if list(results.glob("transfer/up_to_*/test/summary.json")):
        yield transfer(results / "transfer")


def markdown(title: str, headers: list[str], rows: list[list]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"## {title}\n\n{text}\n"


def main() -> None:
    found = list(all_tables(RESULTS))
    if not found:
        sys.exit("panna: error: nothing in results/; bash run.sh first")
    for title, headers, rows in found:
        say(f"\n{title}")
        say(table(headers, rows))
    (RESULTS / "table.md").write_text("\n".join(markdown(*one) for one in found))
    say(f"\nWritten to {RESULTS / 'table.md'}")


if __name__ == "__main__":
    main()
