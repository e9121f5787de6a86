"""What the components of a descriptor are called, against the descriptor itself."""

from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import DESCRIPTORS, bp, mbp

from panna.descriptors.components import components
from panna.descriptors.reference import compute
from panna.frames.neighbours import NeighbourList


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_each_component_has_a_name_of_its_own(name):
    parameters = DESCRIPTORS[name]
    found = components(parameters)
    assert len(found) == parameters.size
    assert len({str(one) for one in found}) == parameters.size


def descriptor_of(parameters, vectors, species):
    """G of an atom of species 0 with such neighbours."""
    k = len(vectors)
    neighbours = NeighbourList(
        np.array([0, *species], np.int32),
        np.array([0, k] + [k] * k, np.int64),
        np.arange(1, k + 1),
        np.array(vectors, float),
    )
    return compute(parameters, neighbours)[0]


@pytest.mark.parametrize("name", ["mBP, irregular", "BP"])
def test_radial_components_answer_to_their_neighbour(name):
    """One neighbour: the value of each component by the equation with the component's numbers."""
    parameters = DESCRIPTORS[name]
    r = 2.05
    fc = 0.5 * (1 + np.cos(np.pi * r / parameters.rc_rad))
    for number, symbol in enumerate(parameters.species):
        g = descriptor_of(parameters, [[0, 0, r]], [number])
        for value, one in zip(g, components(parameters), strict=True):
            expected = np.exp(-one.eta * (r - (one.r_s or 0)) ** 2) * fc
            answers = one.neighbours == (symbol,)
            assert value == pytest.approx(expected if answers else 0.0, rel=1e-12)


def test_angular_components_of_mbp_answer_to_their_pair():
    irregular = dict(thetas=(0.2, 1.1, 1.4, 2.0, 2.9), zeta=(8.0, 7.0, 6.0, 5.0, 4.0), eps=0.0)
    parameters = mbp(**irregular)
    r, s, angle = 1.7, 2.3, 1.3
    vectors = [[r, 0, 0], [s * np.cos(angle), s * np.sin(angle), 0]]
    fc = [0.5 * (1 + np.cos(np.pi * x / parameters.rc_ang)) for x in (r, s)]
    g = descriptor_of(parameters, vectors, [2, 1])
    seen = 0
    for value, one in zip(g, components(parameters), strict=True):
        if one.kind == "radial":
            continue
        expected = 0.0
        if one.neighbours == ("O", "H"):
            seen += 1
            gauss = np.exp(-one.eta * ((r + s) / 2 - one.r_s) ** 2)
            turned = (1 + np.cos(angle - one.theta)) / 2
            expected = 2 * gauss * turned**one.zeta * fc[0] * fc[1]
        assert value == pytest.approx(expected, rel=1e-10, abs=1e-300)
    assert seen == 15


def test_angular_components_of_bp_answer_to_their_pair():
    parameters = bp()
    r, s, angle = 1.2, 1.6, 1.3
    vectors = [[r, 0, 0], [s * np.cos(angle), s * np.sin(angle), 0]]
    t = np.linalg.norm(np.subtract(*vectors))
    fc = np.prod([0.5 * (1 + np.cos(np.pi * x / parameters.rc_ang)) for x in (r, s, t)])
    g = descriptor_of(parameters, vectors, [0, 2])
    for value, one in zip(g, components(parameters), strict=True):
        if one.kind == "radial":
            continue
        expected = 0.0
        if one.neighbours == ("Si", "H"):
            turned = (1 + one.sign * np.cos(angle)) / 2
            gauss = np.exp(-one.eta * (r**2 + s**2 + t**2))
            expected = 2 * turned**one.zeta * gauss * fc
        assert value == pytest.approx(expected, rel=1e-10)


def test_names_are_words():
    small = replace(mbp(species=("H", "O")))
    names = [str(one) for one in components(small)]
    assert names[0] == "radial H r 0.5 eta 4"
    assert names[14].startswith("angular H-H r 0.5 theta 18 eta 1.5 zeta 8")
    assert str(components(bp())[-1]) == "angular H-H eta 0.3 zeta 4.5 lambda -1"
