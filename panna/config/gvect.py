"""The ini file of gvect_calculator.

Which keys of [GVECT_PARAMETERS] a descriptor needs depends on its type; that, the units and the
flavours are the business of `panna.descriptors.configured`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from panna.config.reader import Config
from panna.config.schema import NO_ELECTROSTATICS, Key, Problem, Schema, Section
from panna.config.values import (
    boolean,
    choice,
    comma_list,
    different,
    non_negative_real,
    path,
    positive_integer,
    positive_real,
    real,
    text,
)

TYPES = ("mBP", "BP")
REFUSED_TYPES = MappingProxyType(
    {
        name: f"the {name} descriptor of {version} is not supported; use mBP or BP"
        for name, version in (
            ("SB", "PANNA v2"),
            ("B2", "PANNA v2"),
            ("WmBP", "PANNA v2"),
            ("LATTE", "later PANNA"),
        )
    }
)
FLAVOURS = ("default", "v0", "v1a", "v1b", "v2")
UNITS = choice("angstrom", "bohr", synonyms={"a": "angstrom", "au": "bohr", "bohr_radius": "bohr"})
PBC_KEYS = ("pbc1", "pbc2", "pbc3")
ONLY_ELECTROSTATICS = "it belongs to long-range electrostatics, which is not supported yet"

INPUT_OUTPUT = Section(
    "IO_INFORMATION",
    (
        Key("input_json_dir", path, None, meaning="folder of the *.example files, not its folders"),
        Key("output_gvect_dir", path, Path("./bin"), meaning="folder for the .bin files"),
        Key("log_dir", path, Path("./logs"), meaning="folder for the list of computed keys"),
    ),
    meaning="where the files are; --folder_info replaces the whole section",
)

PARALLELIZATION = Section(
    "PARALLELIZATION",
    (Key("number_of_process", positive_integer, 1, meaning="worker processes"),),
)

PBC = Section(
    "PBC",
    (
        *(Key(name, boolean, None, meaning="periodic along a" + name[-1]) for name in PBC_KEYS),
        Key("use_pbc", comma_list(boolean, 3), None, meaning="the three in one key"),
    ),
    meaning="replaces the periodicity that the examples state; needs all three directions",
)

MISC = Section(
    "MISC",
    (
        Key("per_atom_energy", boolean, False, meaning="store the per-atom energies too"),
        Key("long_range", boolean, False, refused=NO_ELECTROSTATICS),
    ),
)

LONG_RANGE = Section(
    "LONG_RANGE",
    (
        Key("long_range_el", boolean, False, refused=NO_ELECTROSTATICS),
        Key("acc_factor", positive_real, 1e-6, obsolete=ONLY_ELECTROSTATICS),
        Key("kmax", positive_real, None, "1/angstrom", obsolete=ONLY_ELECTROSTATICS),
        Key("r_screen", non_negative_real, None, "angstrom", obsolete=ONLY_ELECTROSTATICS),
        Key("PBC", boolean, True, obsolete=ONLY_ELECTROSTATICS),
    ),
)

SYMMETRY_FUNCTION = Section(
    "SYMMETRY_FUNCTION",
    (
        Key("type", choice(*TYPES, refused=REFUSED_TYPES), meaning="kind of descriptor"),
        Key(
            "species",
            different(comma_list(text)),
            meaning="chemical symbols; their order is the order of the species everywhere",
        ),
        Key("include_derivatives", boolean, False, meaning="store dG/dx too, needs forces"),
        Key("sparse_derivatives", boolean, False, meaning="store only what is not zero of dG/dx"),
        Key(
            "flavour",
            choice(*FLAVOURS),
            "default",
            meaning="mBP: which PANNA's angular function; default is v1b, that of the published "
            "LAMMPS and KIM drivers",
        ),
        Key("eps", non_negative_real, None, meaning="mBP: smoothing, instead of the flavour's"),
    ),
    required=True,
)

GVECT_PARAMETERS = Section(
    "GVECT_PARAMETERS",
    (
        Key(
            "gvect_parameters_unit",
            UNITS,
            "angstrom",
            meaning="unit of all lengths in this section; eta in 1/unit^2",
        ),
        Key(
            "eta_rad",
            comma_list(positive_real),
            None,
            "1/unit^2",
            meaning="radial widths; mBP: one value, or one for each centre; BP: a list",
        ),
        Key("Rc_rad", positive_real, None, "unit", meaning="radial cutoff"),
        Key("Rs0_rad", non_negative_real, 0.0, "unit", meaning="first radial centre"),
        Key("RsN_rad", positive_integer, None, meaning="number of radial centres"),
        Key(
            "Rsst_rad",
            positive_real,
            None,
            "unit",
            meaning="mBP: distance of radial centres; (Rc_rad - Rs0_rad) / RsN_rad if absent",
        ),
        Key(
            "Rs_rad_list",
            comma_list(non_negative_real),
            None,
            "unit",
            meaning="the radial centres one by one, instead of Rs0_rad and RsN_rad",
        ),
        Key(
            "eta_ang",
            comma_list(positive_real),
            None,
            "1/unit^2",
            meaning="angular widths; mBP: one value, or one for each centre; BP: a list, "
            "that of eta_rad if absent",
        ),
        Key("Rc_ang", positive_real, None, "unit", meaning="angular cutoff; BP: Rc_rad if absent"),
        Key("Rs0_ang", non_negative_real, None, "unit", meaning="mBP: first angular centre"),
        Key("RsN_ang", positive_integer, None, meaning="mBP: number of angular centres"),
        Key(
            "Rsst_ang",
            positive_real,
            None,
            "unit",
            meaning="mBP: distance of angular centres; (Rc_ang - Rs0_ang) / RsN_ang if absent",
        ),
        Key(
            "Rs_ang_list",
            comma_list(non_negative_real),
            None,
            "unit",
            meaning="mBP: the angular centres one by one, instead of Rs0_ang and RsN_ang",
        ),
        Key(
            "zeta",
            comma_list(positive_real),
            None,
            meaning="mBP: sharpness of the angles, one value or one for each angle; BP: a list",
        ),
        Key("ThetasN", positive_integer, None, meaning="mBP: number of angles"),
        Key(
            "Thetas_list",
            comma_list(real),
            None,
            "degrees",
            meaning="mBP: the angles one by one, instead of ThetasN",
        ),
        Key(
            "rjk_cutoff",
            choice("smooth", "published"),
            "smooth",
            meaning="BP: how a pair of neighbours farther apart than Rc_ang counts: not at all, "
            "or as PANNA v1 and v2 compute it",
        ),
    ),
    required=True,
)


def pbc_from(config: Config) -> tuple[bool, bool, bool] | None:
    """The periodicity that replaces that of all examples; None where the examples decide."""
    if not config.given("PBC"):
        return None
    section = config["PBC"]
    return section["use_pbc"] or tuple(section[name] for name in PBC_KEYS)


def _check_pbc(config: Config) -> Iterator[Problem]:
    given = [name for name in PBC_KEYS if config.given("PBC", name)]
    if config.given("PBC", "use_pbc"):
        for name in given:
            yield Problem("PBC", name, "use_pbc gives all directions already; remove one of them")
    elif config.given("PBC") and len(given) < 3:
        missing = [name for name in PBC_KEYS if name not in given]
        yield Problem(
            "PBC",
            None,
            f"{', '.join(missing)} missing; this section replaces the periodicity of all examples "
            "and needs pbc1, pbc2 and pbc3 (or use_pbc = True, True, False). PANNA v1 and v2 read "
            "a missing key as not periodic. Remove the section to keep what the examples say",
        )


def _check_derivatives(config: Config) -> Iterator[Problem]:
    section = config["SYMMETRY_FUNCTION"]
    if section["sparse_derivatives"] and not section["include_derivatives"]:
        yield Problem(
            "SYMMETRY_FUNCTION",
            "sparse_derivatives",
            "no effect without include_derivatives = True",
            harmless=True,
        )


GVECT = Schema(
    "panna_gvect_calculator",
    (
        INPUT_OUTPUT,
        PARALLELIZATION,
        PBC,
        MISC,
        LONG_RANGE,
        SYMMETRY_FUNCTION,
        GVECT_PARAMETERS,
    ),
    checks=(_check_pbc, _check_derivatives),
    meaning="descriptors of a folder of examples",
)
