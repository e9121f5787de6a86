"""A frame refuses what is not a configuration of atoms, and says what is wrong with it."""

from dataclasses import replace

import numpy as np
import pytest

from panna.errors import FrameError
from panna.frames.elements import ELEMENTS
from panna.frames.frame import Frame

CELL = [[5.0, 0, 0], [1.0, 4.0, 0], [0, 0.5, 6.0]]


def a_frame(**changes) -> Frame:
    values = dict(
        species=("Si", "O"),
        positions=[[0.0, 0, 0], [1.5, 0.2, 0]],
        cell=CELL,
        pbc=(True, True, True),
        energy=-12.5,
        forces=[[0.1, 0, 0], [-0.1, 0, 0]],
        virial=np.eye(3) * 0.3,
        per_atom_energy=[-6.0, -6.5],
        name="one",
    )
    return Frame(**{**values, **changes})


def test_elements_are_numbered_as_in_the_periodic_table():
    assert [ELEMENTS.index(s) + 1 for s in ("H", "C", "Si", "Au", "U", "Og")] == [
        1, 6, 14, 79, 92, 118,
    ]  # fmt: skip
    assert len(set(ELEMENTS)) == 118


def test_arrays_are_copied_converted_and_read_only():
    positions = np.array([[0, 0, 0], [1, 0, 0]], dtype=np.int32)
    frame = a_frame(positions=positions)
    positions[1, 0] = 99
    assert frame.positions.dtype == np.float64
    assert frame.positions[1, 0] == 1.0
    for name in ("positions", "cell", "pbc", "forces", "virial", "per_atom_energy"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(frame, name)[...] = 0


def test_size_and_volume():
    assert a_frame().n_atoms == 2
    assert a_frame().volume == pytest.approx(120.0, rel=1e-14)
    left_handed = [CELL[1], CELL[0], CELL[2]]
    assert a_frame(cell=left_handed).volume == pytest.approx(120.0, rel=1e-14)
    assert a_frame(cell=np.zeros((3, 3)), pbc=(False,) * 3).volume == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"species": (), "positions": np.zeros((0, 3))}, "no atoms"),
        ({"species": ("Si", "Xx")}, r"atom 2: 'Xx' is not the symbol of a chemical element"),
        ({"species": ("Si", "si")}, r"atom 2: 'si'"),
        ({"species": ("Si", 14)}, r"atom 2: 14 "),
        ({"positions": np.zeros((3, 3))}, r"positions: found shape \(3, 3\), expected \(2, 3\)"),
        ({"positions": None}, "positions: "),
        ({"positions": "abc"}, "positions: expected"),
        ({"positions": [[0, 0, 0], [0, np.nan, 0]]}, "positions: atom 2, y is nan"),
        ({"positions": [[0, 0, 0], [0, 0, 1e7]]}, r"atom 2, z is 1e\+07 angstrom; .*units"),
        ({"cell": np.eye(3) * 1e9}, r"cell: row 1, x is 1e\+09 angstrom; .*units"),
        ({"cell": np.eye(2)}, "cell: found shape"),
        ({"cell": [[5, 0, 0], [0, np.inf, 0], [0, 0, 5]]}, "cell: row 2, y is inf"),
        ({"cell": [[5, 0, 0], [0, 5, 0], [0, 0, 0]]}, "periodic along a3, but that lattice"),
        ({"cell": [[5, 0, 0], [0, 5, 0], [5, 5, 0]]}, "linearly dependent"),
        ({"cell": [[5, 0, 0], [10, 0, 0], [0, 0, 0]], "pbc": (1, 1, 0)}, "linearly dependent"),
        ({"pbc": (True, True)}, "pbc: found .*three booleans"),
        ({"pbc": (0, 1, 2)}, "pbc: found .*three booleans"),
        ({"pbc": ("T", "T", "T")}, "pbc: found .*three booleans"),
        ({"energy": np.nan}, "energy is nan"),
        ({"energy": "low"}, "energy: found 'low', expected a number"),
        ({"forces": np.zeros((3, 3))}, "forces: found shape"),
        ({"forces": [[0, 0, 0], [np.inf, 0, 0]]}, "forces: atom 2, x is inf"),
        ({"virial": np.zeros(6)}, "virial: found shape"),
        ({"virial": np.full((3, 3), np.nan)}, "virial: row 1, x is nan"),
        ({"per_atom_energy": [1.0]}, "per_atom_energy: found shape"),
        ({"per_atom_energy": [1.0, np.nan]}, "per_atom_energy: atom 2 is nan"),
        ({"weight": -1}, "weight -1.0; expected a number that is not negative"),
        ({"weight": None}, "weight None"),
        ({"weight": np.inf}, "weight is inf"),
    ],
)
def test_what_is_no_frame_is_refused_by_name(changes, message):
    with pytest.raises(FrameError, match=message) as caught:
        a_frame(**changes)
    assert str(caught.value).startswith("frame 'one': ")


def test_a_frame_without_a_name_is_not_named_in_errors():
    with pytest.raises(FrameError, match=r"^energy is nan"):
        a_frame(name="", energy=np.nan)


def test_aperiodic_directions_need_no_vector_and_may_have_one():
    assert a_frame(cell=np.zeros((3, 3)), pbc=(False,) * 3).n_atoms == 2
    assert a_frame(cell=[[5, 0, 0], [0, 0, 0], [0, 0, 0]], pbc=(True, False, False)).n_atoms == 2
    parallel = [[5.0, 0, 0], [5, 0, 0], [0, 0, 0]]
    assert a_frame(cell=parallel, pbc=(True, False, False)).n_atoms == 2


def test_energy_and_forces_may_be_unknown():
    frame = a_frame(energy=None, forces=None, virial=None, per_atom_energy=None)
    assert (frame.energy, frame.forces, frame.virial, frame.per_atom_energy) == (None,) * 4


def test_the_fingerprint_is_of_the_physics_only():
    frame = a_frame()
    same = replace(frame, name="other", group="Surface", weight=3.0)
    assert same.fingerprint == frame.fingerprint
    changes = [
        {"species": ("O", "Si")},
        {"positions": np.nextafter(frame.positions, 1)},
        {"cell": np.array(CELL) * (1 + 1e-15)},
        {"pbc": (True, True, False)},
        {"energy": None},
        {"energy": np.nextafter(-12.5, 0)},
        {"forces": None},
        {"forces": frame.forces * -1},
        {"virial": None},
    ]
    fingerprints = {replace(frame, **change).fingerprint for change in changes}
    assert len(fingerprints | {frame.fingerprint}) == len(changes) + 1
