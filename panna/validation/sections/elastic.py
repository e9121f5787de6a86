"""Elastic constants."""

from __future__ import annotations

from functools import partial

import numpy as np

from panna.config.validate import elastic_constants
from panna.report.content import Fact, Table
from panna.report.level import Level
from panna.validation.crystals.comparison import (
    NO_REFERENCE,
    Number,
    comparison,
    facts,
    judge_worst,
    of_crystal,
)
from panna.validation.crystals.elastic_tensor import ElasticTensor, elastic_tensor
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

SMALL = 0.1  # of the largest constant: deviations of smaller ones are in units of this
ADVICE = (
    "Add strained cells of this crystal, sheared ones too, and train on their stresses "
    "(stress_cost)."
)


@section(
    "elastic",
    "Elastic constants",
    "Stress under small strains of the relaxed crystal, atoms relaxed in each, in the axes of the "
    "conventional cell of spglib (the cube, for cubic crystals). Components are xx, yy, zz, yz, "
    "xz, xy; shear strains are changes of angles. Moduli are means of Voigt's and Reuss's.",
)
def elastic(subject: Subject) -> Content:
    """The independent constants, moduli, stability."""
    strain = subject.config["CRYSTAL"]["elastic_strain"]
    return of_crystal(subject, partial(elastic_tensor, strain=strain), _tell, "matscipy")


def _tell(subject: Subject, found: ElasticTensor, reference: ElasticTensor | None) -> Content:
    constants = _constants(subject, found, reference)
    stability = float(found.eigenvalues[0])
    bulk, shear = found.moduli or (None, None)
    return Content(
        [
            Fact("system", "crystal system", found.system),
            *facts(constants),
            Fact("bulk_modulus", "bulk modulus", bulk, "GPa"),
            Fact("shear_modulus", "shear modulus", shear, "GPa"),
            Fact("smallest_eigenvalue", "smallest stiffness (eigenvalue)", stability, "GPa"),
            Fact("noise", "largest departure from the symmetry", found.noise, "GPa"),
        ],
        [*comparison(subject, constants), _matrix(found)],
        judgements=_judgements(subject, found, constants),
        data={
            "matrix_GPa": found.matrix.tolist(),
            "reference_matrix_GPa": None if reference is None else reference.matrix.tolist(),
        },
    )


def _constants(
    subject: Subject, found: ElasticTensor, reference: ElasticTensor | None
) -> list[Number]:
    known = elastic_constants(subject.config)
    others = known if reference is None else {name: reference[name] for name in found.independent}
    smallest = SMALL * max((abs(x) for x in others.values()), default=0.0)
    names = list(found.independent)
    names += [name for name in known if name not in names]
    return [
        Number(
            name,
            name,
            "GPa",
            found[name],
            None if reference is None else reference[name],
            known.get(name),
            max(abs(others[name]), smallest) if name in others else None,
        )
        for name in names
    ]


def _matrix(found: ElasticTensor) -> Table:
    axes = ["xx", "yy", "zz", "yz", "xz", "xy"]
    # Adding 0 makes -0 a 0.
    values = (np.round(found.matrix, 4) + 0.0).tolist()
    rows = [[axis, *row] for axis, row in zip(axes, values, strict=True)]
    return Table("matrix", "All constants (GPa)", ["", *axes], rows)


def _judgements(subject: Subject, found: ElasticTensor, constants: list[Number]) -> list[Judgement]:
    judgements = judge_worst(subject, "elastic", "Elastic constants", constants, ADVICE)
    size = f"the smallest eigenvalue of the stiffness is {found.eigenvalues[0]:.3g} GPa"
    if found.stable:
        judgements.append(Judgement(Level.GOOD, f"No small strain lowers the energy: {size}."))
    else:
        text = f"The crystal is not stable, a small strain lowers its energy: {size}."
        judgements.append(Judgement(Level.BAD, text, ADVICE))
    if all(one.compared_with is None for one in constants):
        judgements.append(NO_REFERENCE)
    return judgements
