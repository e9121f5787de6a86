"""The ini file of validate: the potential, the data, what to calculate, and the thresholds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.config.schema import Key, Problem, Schema, Section
from panna.config.values import (
    colon_list,
    comma_list,
    different,
    either,
    non_negative_integer,
    path,
    positive_integer,
    positive_real,
    real,
    text,
)

if TYPE_CHECKING:
    from panna.config.reader import Config

TITLES = {
    "data": "the test set",
    "errors": "errors on the test set",
    "learning": "the course of the training",
    "coverage": "whether the training set covers the test set",
    "committee": "spread of the members of a committee",
    "dimers": "two atoms at all distances",
    "equation_of_state": "energy over volume, bulk modulus",
    "elastic": "elastic constants",
    "phonons": "phonons",
    "defects": "vacancy and surfaces",
    "rdf": "radial distribution functions",
    "nve": "conservation of energy",
    "speed": "speed",
}
NEEDS_CRYSTAL = ("equation_of_state", "elastic", "phonons", "defects")
NEEDS_LAMMPS = ("rdf", "nve", "speed")

IO = Section(
    "IO_INFORMATION",
    required=True,
    meaning="the potential, the data and the report",
    keys=(
        Key("potential", path, aliases=("networks_folder",),
            meaning="folder of the potential, or of a committee (member_1, member_2, ...)"),
        Key("potential_file", text, "panna.in", meaning="name of the text file in it"),
        Key("test_dir", path, aliases=("data_dir",),
            meaning="folder of .example files that training has not seen"),
        Key("training_dir", path, None,
            meaning="folder of the .example files of the training set, for the coverage"),
        Key("train_dir", path, None, meaning="folder of the training, for its course"),
        Key("report", path, Path("validation.html"),
            meaning="the page; the numbers go to the same name with .json"),
        Key("work_dir", path, None,
            meaning="folder for the files of the simulations. Default: the name of the report "
                    "without .html, followed by _work"),
        Key("sections", either("all", None, different(comma_list(text))), None,
            meaning="what to do: " + ", ".join(TITLES)),
    ),
)  # fmt: skip

REFERENCE = Section(
    "REFERENCE",
    meaning="what simulations are compared with: a pair style of LAMMPS or another potential; "
    "numbers known from elsewhere",
    keys=(
        Key("name", text, "reference", meaning="for the legends of the plots"),
        Key("potential", path, None, meaning="folder of another potential of PANNA"),
        Key("pair_style", text, None, meaning="of LAMMPS, with its arguments, as in pair_style sw"),
        Key("pair_coeff", text, None, meaning="as in pair_coeff * * Si.sw Si; files are looked for "
                                              "beside the ini file, too"),
        Key("volume", positive_real, None, unit="angstrom^3",
            meaning="volume per atom of the crystal at rest"),
        Key("bulk_modulus", positive_real, None, unit="GPa", meaning="of the crystal at rest"),
        Key("elastic_constants", comma_list(colon_list(text, 2)), None, unit="GPa",
            meaning="as in C11:151, C12:76, C44:56"),
    ),
)  # fmt: skip

CRYSTAL = Section(
    "CRYSTAL",
    meaning="the crystal whose properties are calculated; without this section there are none",
    keys=(
        Key("structure", text, None,
            meaning="a file that ASE reads, or structure, elements and lattice constants in "
                    "angstrom: diamond Si 5.43; rocksalt NaCl 5.64; hcp Mg 3.21 5.21"),
        Key("strain", positive_real, 0.06,
            meaning="largest linear strain of the equation of state"),
        Key("elastic_strain", positive_real, 0.002, meaning="of the elastic constants"),
        Key("phonon_length", positive_real, 12.0, unit="angstrom",
            meaning="least width of the supercell of the phonons"),
        Key("defect_length", positive_real, 10.0, unit="angstrom",
            meaning="least width of the supercell of a vacancy, and least thickness of a slab"),
        Key("surfaces", either("none", (), different(comma_list(text))), ("100", "110", "111"),
            meaning="Miller indices, or none"),
    ),
)  # fmt: skip

MD = Section(
    "MD",
    meaning="molecular dynamics in LAMMPS",
    keys=(
        Key("structure", path, None,
            meaning="file that ASE reads. Default: the crystal repeated, or the first test frame"),
        Key("atoms", positive_integer, 216, meaning="at least so many, by repeating the cell"),
        Key("timestep", positive_real, 1.0, unit="fs", meaning="of all runs"),
        Key("nve_temperatures", either("none", (), comma_list(positive_real)), (300.0,), unit="K",
            meaning="of the runs that test the conservation of energy"),
        Key("nve_time", positive_real, 10.0, unit="ps", meaning="of each, after equilibration"),
        Key("rdf_temperatures", either("none", (), comma_list(positive_real)), (300.0,), unit="K",
            meaning="of the runs for radial distribution functions"),
        Key("rdf_time", positive_real, 10.0, unit="ps", meaning="of each, after equilibration"),
        Key("rdf_trajectory", path, None,
            meaning="trajectory that ASE reads, at the first of rdf_temperatures; default: a run "
                    "with the potential of [REFERENCE]"),
        Key("melt_above", positive_real, None, unit="K",
            meaning="runs at higher temperatures start from a melt"),
        Key("melt_at", positive_real, 3000.0, unit="K", meaning="temperature of melting it"),
        Key("processes", positive_integer, 1, meaning="MPI processes of a run"),
        Key("seed", non_negative_integer, 1, meaning="of the velocities"),
    ),
)  # fmt: skip

DIMERS = Section(
    "DIMERS",
    meaning="two atoms alone",
    keys=(
        Key("shortest", positive_real, 0.4,
            meaning="smallest distance, as a part of the sum of the covalent radii"),
        Key("points", positive_integer, 200, meaning="distances up to the cutoff"),
    ),
)  # fmt: skip


def _threshold(name: str, good: float, bad: float, unit: str, meaning: str) -> Key:
    return Key(name, comma_list(positive_real, 2), (good, bad), unit=unit, meaning=meaning)


THRESHOLDS = Section(
    "THRESHOLDS",
    meaning="two numbers for each: good up to the first, bad beyond the second, doubtful between",
    keys=(
        _threshold("energy_rmse", 5, 20, "meV/atom", "RMSE of the energies on the test set"),
        _threshold("force_rmse", 15, 40, "%",
                   "RMSE of the force components over the root mean square of the reference"),
        _threshold("stress_rmse", 0.5, 2, "GPa", "RMSE of the components of the stress"),
        _threshold("group_factor", 2, 5, "",
                   "RMSE of the worst group over that of all, energies or forces"),
        _threshold("outlier", 5, 10, "", "largest error of an energy over the RMSE"),
        _threshold("overfitting", 1.5, 3, "",
                   "RMSE of the validation set over that of the training set, energies or forces"),
        _threshold("still_falling", 5, 20, "%",
                   "by how much the best loss fell in the last fifth of the training"),
        _threshold("uncovered", 1, 10, "%",
                   "test atoms far from all atoms of the training set, by their descriptors"),
        _threshold("outside", 1, 10, "%",
                   "test atoms with a component of the descriptor outside its range in training"),
        _threshold("committee_calibration", 2, 5, "",
                   "root mean square error over that of the spread, or the inverse"),
        _threshold("dimer_fall", 0.1, 1, "eV",
                   "fall of the energy of two atoms that come closer than in the data"),
        _threshold("dimer_cutoff_force", 0.01, 0.1, "eV/angstrom",
                   "between two atoms just within the cutoff"),
        _threshold("volume", 1, 3, "%", "deviation of the volume of the crystal at rest"),
        _threshold("bulk_modulus", 5, 15, "%", "deviation of the bulk modulus"),
        _threshold("roughness", 2, 5, "%",
                   "root mean square distance of energies over volume from an equation of state, "
                   "of the depth of the curve"),
        _threshold("elastic", 10, 25, "%",
                   "deviation of the worst elastic constant, of itself or of a tenth of the "
                   "largest one"),
        _threshold("imaginary", 0.1, 0.5, "THz", "largest imaginary frequency of a phonon"),
        _threshold("phonon", 5, 15, "%",
                   "RMS deviation of the phonons, of the largest frequency of the reference"),
        _threshold("vacancy", 10, 30, "%", "deviation of the formation energy of a vacancy"),
        _threshold("surface", 10, 30, "%", "deviation of the worst energy of a surface"),
        _threshold("nve_drift", 0.02, 0.5, "meV/atom/ps",
                   "drift of the total energy without a thermostat"),
        _threshold("rdf_difference", 5, 15, "%",
                   "area between two radial distribution functions over that below the reference, "
                   "minus the statistical noise"),
        _threshold("step_time", 50, 500, "µs",
                   "time that one process takes for an atom and step, on this machine"),
        _threshold("md_extrapolation", 1, 10, "%",
                   "atomic energies of a simulation that come from environments outside the "
                   "training set"),
    ),
)  # fmt: skip


def miller_indices(content: str) -> tuple[int, int, int]:
    """Of 110, 1-10 or, with four axes, 10-10.

    Raises:
      ValueError: neither three nor four digits, all zero, or the third of four is not minus the sum
        of the first two.
    """
    if not re.fullmatch(r"(-?[0-9]){3,4}", content):
        raise ValueError(content)
    h, k, *third, last = map(int, re.findall(r"-?[0-9]", content))
    if not any((h, k, last)) or (third and h + k + third[0] != 0):
        raise ValueError(content)
    return h, k, last


def elastic_constants(config: Config) -> dict[str, float]:
    """GPa by name, as in C11, of the section REFERENCE.

    Raises:
      ValueError: a name or a number is none; the message has what was found.
    """
    found = {}
    for name, value in config["REFERENCE"]["elastic_constants"] or ():
        if not re.fullmatch(r"C([1-6])([1-6])", name.upper()):
            raise ValueError(f"{name} found, a name like C11 or C44 expected")
        i, j = sorted(name[1:])
        found[f"C{i}{j}"] = real(value)
    return found


def _checks(config: Config) -> Iterator[Problem]:
    wanted = config["IO_INFORMATION"]["sections"] or ()
    if unknown := [name for name in wanted if name not in TITLES]:
        yield Problem(
            "IO_INFORMATION", "sections",
            f"{', '.join(unknown)} found, one or more of {', '.join(TITLES)} expected",
        )  # fmt: skip
    reference = config["REFERENCE"]
    if (reference["pair_style"] is None) != (reference["pair_coeff"] is None):
        missing = "pair_coeff" if reference["pair_coeff"] is None else "pair_style"
        yield Problem("REFERENCE", missing, "missing; LAMMPS needs pair_style and pair_coeff")
    if reference["pair_style"] is not None and reference["potential"] is not None:
        yield Problem("REFERENCE", "potential", "either this or pair_style, not both")
    try:
        elastic_constants(config)
    except ValueError as error:
        yield Problem("REFERENCE", "elastic_constants", str(error))
    for indices in config["CRYSTAL"]["surfaces"]:
        try:
            miller_indices(indices)
        except ValueError:
            yield Problem("CRYSTAL", "surfaces", f"{indices} found, Miller indices like 110, 1-10, "
                          "or 10-10 with four axes expected")  # fmt: skip
    for name in THRESHOLDS.keys:
        good, bad = config["THRESHOLDS"][name.name]
        if good > bad:
            yield Problem("THRESHOLDS", name.name, f"{good:g} is more than {bad:g}")
    report = config["IO_INFORMATION"]["report"]
    if report.suffix not in (".html", ".htm"):
        yield Problem("IO_INFORMATION", "report", f"{report} does not end in .html")


VALIDATE = Schema(
    program="panna_validate",
    meaning="whether a potential can be trusted: one page of numbers, plots and verdicts",
    sections=(IO, REFERENCE, CRYSTAL, MD, DIMERS, THRESHOLDS),
    checks=(_checks,),
)
