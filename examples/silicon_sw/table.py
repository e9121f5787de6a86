"""Table 3 and figures 5 to 8 of the paper in numbers, for the networks that have been trained.

python table.py      in examples/silicon_sw, after run.sh
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from panna.console import say, table
from panna.files import atomic_write

NETWORKS = ("paper", "ours", "larger")
# Lot et al., Comput. Phys. Commun. 256, 107402 (2020), section 5.2: validation frames of its own
PUBLISHED = {
    "energy RMSE, meV/atom": "2.7",
    "force RMSE, eV/angstrom": "0.134",
    "C11, GPa": "148.4",
    "C12, GPa": "75.5",
    "C44, GPa": "56.8",
    "bulk modulus from E(V), GPa": "105.5",
}


def read_reports() -> dict[str, dict]:
    """What panna_validate has written, by network; of those that have been trained."""
    paths = {name: Path("results", name, "validation.json") for name in NETWORKS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def column(report: dict) -> tuple[dict[str, str], dict[str, str]]:
    """Numbers of a network, and of the reference, as text."""
    sections = report["sections"]
    errors = sections["errors"]["numbers"]
    mine = {
        "energy RMSE, meV/atom": f"{errors['energy_rmse']['value']:.2f}",
        "force RMSE, eV/angstrom": f"{errors['force_rmse']['value']:.3f}",
    }
    theirs = {}
    for section, names in (
        ("elastic", {"C11": "C11, GPa", "C12": "C12, GPa", "C44": "C44, GPa"}),
        (
            "equation_of_state",
            {
                "bulk modulus": "bulk modulus from E(V), GPa",
                "volume per atom": "volume, angstrom^3/atom",
            },
        ),
    ):
        for row in sections[section]["tables"]["comparison"]:
            if (name := names.get(row["of"])) is not None:
                digits = 3 if "volume" in name else 1
                mine[name] = f"{row['potential']:.{digits}f}"
                theirs[name] = f"{row['Stillinger-Weber']:.{digits}f}"
    for row in sections["nve"]["tables"]["runs"]:
        name = f"NVE {row['temperature (K)']:g} K: drift, ueV/atom per ps"
        drift = row["drift (meV/atom/ps)"]
        text = row["ended"] if drift is None else f"{1e3 * drift:+.3f}"
        (mine if row["of"] == "potential" else theirs)[name] = text
    rows = {row["temperature (K)"]: row for row in sections["rdf"]["tables"]["peaks"]}
    for one in sections["rdf"]["data"]["temperatures"]:
        row = rows.get(one["temperature_K"])
        mine[f"g(r) {one['temperature_K']:g} K: difference (noise), %"] = (
            "atoms fused or flew apart"
            if row is None or row["difference (%)"] is None
            else f"{row['difference (%)']:.1f} ({row['noise (%)']:.1f})"
        )
    for row in sections["speed"]["tables"]["speed"]:
        if row["µs per atom and step"] is not None:
            of_potential = row["of"] == "potential"
            (mine if of_potential else theirs)["speed, us per atom and step"] = (
                f"{row['µs per atom and step']:.1f}"
            )
    return mine, theirs


def main() -> int:
    columns, reference = {}, {}
    for name, report in read_reports().items():
        columns[name], theirs = column(report)
        reference |= theirs
    if not columns:
        say("table.py: no results yet; run run.sh first")
        return 2
    rows = []
    for name in dict.fromkeys(key for one in (*columns.values(), PUBLISHED) for key in one):
        mine = [one.get(name, "") for one in columns.values()]
        rows.append([name, *mine, reference.get(name, ""), PUBLISHED.get(name, "")])
    text = table(["", *columns, "Stillinger-Weber", "paper's own"], rows)
    say(text)
    with atomic_write(Path("results/table.txt")) as file:
        file.write(text + "\n")
    pages = ", ".join(f"results/{name}/validation.html" for name in columns)
    say(f"\nWritten to results/table.txt; all about these networks: {pages}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
