""".example files: everything of the format is read, what is written is read back, defects named."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from panna.errors import FileError, FrameError
from panna.frames.elements import ELEMENTS
from panna.frames.example_file import ExampleWarning, read_example, write_example
from panna.frames.frame import Frame
from panna.frames.units import BOHR, HARTREE, RYDBERG
from panna.storage.bin_file import read_bin

FIELDS = (
    "species positions cell pbc energy forces virial name group weight per_atom_energy"
).split()


def content(**changes) -> dict:
    """A small valid file as Python objects; `key=...` removes the key."""
    values = {
        "atoms": [
            [1, "Si", [0.0, 0.5, 0.25], [0.1, 0.2, 0.3]],
            [2, "O", [0.5, 0.0, 0.75], [-0.1, -0.2, -0.3]],
        ],
        "energy": [-10.0, "eV"],
        "lattice_vectors": [[4.0, 0, 0], [1.0, 5.0, 0], [0, 0.5, 6.0]],
        "unit_of_length": "angstrom",
        "atomic_position_unit": "cartesian",
    } | changes
    return {key: value for key, value in values.items() if value is not ...}


@pytest.fixture
def read(tmp_path):
    """Write a text or a JSON object to a file and read it as an example."""

    def write_and_read(given, name="frame.example"):
        path = tmp_path / name
        if isinstance(given, bytes):
            path.write_bytes(given)
        else:
            path.write_text(given if isinstance(given, str) else json.dumps(given))
        return read_example(path)

    return write_and_read


# -- reading ---------------------------------------------------------------------------------------


def test_a_plain_file_is_read_as_it_stands(read):
    frame = read(content())
    assert frame.species == ("Si", "O")
    assert frame.positions.tolist() == [[0, 0.5, 0.25], [0.5, 0, 0.75]]
    assert frame.forces.tolist() == [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]]
    assert frame.cell.tolist() == [[4, 0, 0], [1, 5, 0], [0, 0.5, 6]]
    assert frame.pbc.all()
    assert (frame.energy, frame.name, frame.weight, frame.group) == (-10.0, "frame", 1.0, "")
    assert frame.virial is None


@pytest.mark.parametrize(("length", "angstrom"), [("angstrom", 1.0), ("bohr", BOHR)])
@pytest.mark.parametrize(
    ("unit", "ev"),
    [("eV", 1), ("ev", 1), ("Ha", HARTREE), ("Ry", RYDBERG), ("Ryd", RYDBERG), ("ry", RYDBERG)],
)
def test_units_of_energy_and_length_are_converted_together(read, length, angstrom, unit, ev):
    plain = read(content())
    frame = read(
        content(
            unit_of_length=length,
            energy=[-10.0, unit],
            per_atom_energy=[-4.0, -6.0],
            virial=[np.eye(3).tolist(), unit],
        )
    )
    # One product and one quotient of doubles: a few units in the last place.
    exact = dict(rtol=1e-15, atol=0)
    np.testing.assert_allclose(frame.positions, plain.positions * angstrom, **exact)
    np.testing.assert_allclose(frame.cell, plain.cell * angstrom, **exact)
    np.testing.assert_allclose(frame.forces, plain.forces * ev / angstrom, **exact)
    np.testing.assert_allclose(frame.energy, -10.0 * ev, **exact)
    np.testing.assert_allclose(frame.per_atom_energy, np.array([-4.0, -6.0]) * ev, **exact)
    np.testing.assert_allclose(frame.virial, np.eye(3) * ev, **exact)


@pytest.mark.parametrize("key", ["atomic_position_unit", "atomic_coordinates"])
def test_crystal_positions_are_along_the_lattice_vectors(read, key):
    frame = read(content(**{"atomic_position_unit": ..., key: "crystal"}))
    # 0.5 a2 + 0.25 a3 and 0.5 a1 + 0.75 a3, by hand.
    expected = [[0.5, 2.5 + 0.125, 1.5], [2.0, 0.375, 4.5]]
    assert np.abs(frame.positions - expected).max() < 1e-14


def test_crystal_positions_in_bohr(read):
    frame = read(content(atomic_position_unit="crystal", unit_of_length="bohr"))
    assert np.abs(frame.positions[1] - np.array([2.0, 0.375, 4.5]) * BOHR).max() < 1e-14


@pytest.mark.parametrize("missing", [..., None, []])
def test_without_lattice_vectors_nothing_is_periodic(read, missing):
    frame = read(content(lattice_vectors=missing))
    assert not frame.pbc.any()
    assert not frame.cell.any()


def test_zero_vectors_are_aperiodic_directions(read):
    frame = read(content(lattice_vectors=[[4.0, 0, 0], [0, 0, 0], [0, 0, 6.0]]))
    assert frame.pbc.tolist() == [True, False, True]


def test_pbc_of_the_file_decides(read):
    assert read(content(pbc=[True, False, True])).pbc.tolist() == [True, False, True]


@pytest.mark.parametrize("energy", ["-10.0", " -1.0e1 ", -10])
def test_energies_may_be_quoted(read, energy):
    assert read(content(energy=[energy, "eV"])).energy == -10.0


def test_energy_null_is_unknown(read):
    assert read(content(energy=None)).energy is None


def test_forces_may_be_absent(read):
    atoms = [[1, "H", [0, 0, 0]], [2, "H", [0, 0, 0.7], []]]
    assert read(content(atoms=atoms)).forces is None


def test_informative_entries_are_not_read(read):
    frame = read(content(key="other", stress=[[1, 2], [3]], alat=3, source={"a": 1}, charges="?"))
    assert frame.name == "frame"
    assert frame.virial is None


def test_names_with_dots_are_kept_whole(read):
    assert read(content(), "a.b.c.example").name == "a.b.c"


def test_missing_units_are_assumed_with_a_warning(read):
    with pytest.warns(ExampleWarning, match="no unit_of_length: read as angstrom"):
        assert read(content(unit_of_length=...)).positions[1, 0] == 0.5
    with pytest.warns(ExampleWarning, match="no unit of energy: read as eV"):
        assert read(content(energy=[-10.0])).energy == -10.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(content())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"\xff\xfe\x00junk", r"not UTF-8 text \(byte 0\)"),
        ("", "not valid JSON at line 1"),
        ('{"atoms": [1, 2', "not valid JSON at line 1"),
        ("[1, 2]", "expected a JSON object, found a list"),
        ("17", "expected a JSON object, found a number"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
        ('{"energy": [NaN, "eV"]}', "contains NaN"),
        ('{"energy": [-Infinity, "eV"]}', "contains -Infinity"),
        (
            '{"group": "\\ud800", ' + json.dumps(content())[1:],
            "group: .* cannot be written as UTF-8",
        ),
        (content(energy=[10**400, "eV"]), "energy: found 10+[.]{3}, expected a number"),
        (content(atoms=[[1, "H", [0, 10**400, 0]]]), "atoms, entry 1: position"),
        (content(atoms=...), "atoms: no such key"),
        (content(atoms={}), "atoms: an object; expected a list"),
        (content(atoms=[]), "atoms: the list is empty"),
        (content(atoms=[[1, "Si"]]), "atoms, entry 1: found .*expected .index, symbol"),
        (content(atoms=["Si 0 0 0"]), "atoms, entry 1: found 'Si 0 0 0'"),
        (content(atoms=[[1, 14, [0, 0, 0]]]), "atoms, entry 1: symbol 14 is not a string"),
        (content(atoms=[[1, "Qq", [0, 0, 0]]]), "atom 1: 'Qq' is not the symbol"),
        (content(atoms=[[1, "H", [0, 0]]]), "atoms, entry 1: position: .*expected 3 numbers"),
        (content(atoms=[[1, "H", [0, "b", 0]]]), "atoms, entry 1: position"),
        (
            content(atoms=[[1, "H", [0, 0, 0]], [2, "H", [0, 0, None]]]),
            "(entry 2: position|atom 2, z is nan)",
        ),
        (
            content(atoms=[[1, "H", [0, 0, 0], [0, 0, 0]], [2, "H", [0, 0, 1]]]),
            "atoms, entry 2: no forces, although other atoms have them",
        ),
        (content(atoms=[[1, "H", [0, 0, 0], [0, 0]]]), "atoms, entry 1: forces"),
        (content(energy=...), "energy: no such key"),
        (content(energy=-10.0), "energy: found -10.0, expected .value, unit."),
        (content(energy=["low", "eV"]), "energy: found 'low', expected a number"),
        (content(energy=[True, "eV"]), "energy: found True"),
        (content(energy=["nan", "eV"]), "energy is nan"),
        (content(energy=[-10.0, "kcal"]), "energy: unit 'kcal' is unknown; known are eV"),
        (content(energy=[-10.0, 3]), "energy: unit 3 is unknown"),
        (content(unit_of_length="angstorm"), "unit_of_length 'angstorm' is unknown; .*bohr"),
        (content(lattice_vectors=[[1, 0, 0]]), "lattice_vectors: .*expected 3 x 3 numbers"),
        (content(lattice_vectors="cubic"), "lattice_vectors: found 'cubic'"),
        (content(atomic_position_unit=...), "atomic_position_unit: no such key"),
        (content(atomic_position_unit="alat"), "atomic_position_unit: 'alat'; expected cartesian"),
        (
            content(atomic_position_unit="crystal", lattice_vectors=...),
            "is crystal, but lattice vector a1 is missing",
        ),
        (content(per_atom_energy=[1.0]), "per_atom_energy: .*expected 2 numbers"),
        (content(virial=[[1, 2, 3], "eV"]), "virial: .*expected 3 x 3 numbers"),
        (content(virial=[np.eye(3).tolist(), "GPa"]), "virial: unit 'GPa' is unknown"),
        (content(pbc=[1, 1, 1]), "pbc: found .*expected three of true, false"),
        (content(pbc="T"), "pbc: found 'T'"),
        (content(pbc=[True] * 3, lattice_vectors=...), "periodic along a1"),
        (content(weight="heavy"), "weight: found 'heavy'"),
        (content(weight=-1), "weight -1.0"),
    ],
)
def test_defects_are_named_with_the_file(read, tmp_path, given, message):
    with pytest.raises(FrameError, match=message) as caught:
        read(given)
    assert str(caught.value).startswith(str(tmp_path / "frame.example") + ": ")


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FrameError, match=r"none\.example: cannot be read: No such file"):
        read_example(tmp_path / "none.example")
    with pytest.raises(FrameError, match="cannot be read: Is a directory"):
        read_example(tmp_path)


# -- writing ---------------------------------------------------------------------------------------


def numbers(shape, size=1e4):
    return arrays(np.float64, shape, elements=st.floats(-size, size, allow_subnormal=False))


@st.composite
def frames(draw):
    n = draw(st.integers(1, 4))
    pbc = np.array(draw(st.tuples(*[st.booleans()] * 3)))
    # Diagonally dominant, so never degenerate.
    cell = np.diag(draw(numbers(3, 1)) + 20.0) + draw(numbers((3, 3), 1))
    optional = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    return Frame(
        species=tuple(draw(st.lists(st.sampled_from(ELEMENTS), min_size=n, max_size=n))),
        positions=draw(numbers((n, 3))),
        cell=np.where(pbc[:, None] | draw(st.booleans()), cell, 0.0),
        pbc=pbc,
        energy=optional(st.floats(-1e9, 1e9)),
        forces=optional(numbers((n, 3))),
        virial=optional(numbers((3, 3))),
        per_atom_energy=optional(numbers((n,))),
        name="frame",
        group=draw(st.text(max_size=8)),
        weight=draw(st.floats(0, 1e3)),
    )


@given(frame=frames())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read_back_to_the_last_bit(tmp_path, frame):
    path = tmp_path / "frame.example"
    write_example(frame, path)
    found = read_example(path)
    assert found.fingerprint == frame.fingerprint
    for name in FIELDS:
        assert np.array_equal(getattr(found, name), getattr(frame, name)), name


def test_the_written_file_is_the_published_format(tmp_path):
    """As PANNA v1 reads it: these keys and nesting, one object, UTF-8."""
    frame = Frame(
        ("Si", "O"), [[0, 0, 0], [1, 0, 0]], np.eye(3) * 9, (True,) * 3, -3.0, np.ones((2, 3))
    )
    path = tmp_path / "x.example"
    write_example(frame, path, extra={"source": "über.xyz"})
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["atoms"][1] == [2, "O", [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    assert written["energy"] == [-3.0, "eV"]
    assert written["unit_of_length"] == "angstrom"
    assert written["atomic_position_unit"] == "cartesian"
    assert written["lattice_vectors"] == (np.eye(3) * 9).tolist()
    assert written["source"] == "über.xyz"


def test_extra_entries_cannot_replace_entries_of_the_format(tmp_path):
    frame = Frame(("H",), [[0, 0, 0]], np.zeros((3, 3)), (False,) * 3, -1.0)
    with pytest.raises(FrameError, match="extra entry 'energy' is an entry of the .example"):
        write_example(frame, tmp_path / "x.example", extra={"energy": [0, "eV"]})
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_error_and_nothing_is_written(tmp_path):
    frame = Frame(("H",), [[0, 0, 0]], np.zeros((3, 3)), (False,) * 3, -1.0)
    with pytest.raises(FileError, match="does not exist; create it"):
        write_example(frame, tmp_path / "no" / "x.example")


# -- the published examples ------------------------------------------------------------------------


def test_every_published_example_is_read_and_survives_writing(golden, tmp_path):
    paths = sorted(golden.glob("**/*.example"))
    assert len(paths) == 53
    for path in paths:
        frame = read_example(path)
        copy = tmp_path / path.name
        write_example(frame, copy)
        found = read_example(copy)
        assert (found.fingerprint, found.name) == (frame.fingerprint, frame.name), path


def test_published_energies_are_those_of_the_published_bin_files(golden):
    for path in sorted((golden / "descriptors" / "examples").glob("*.example")):
        frame = read_example(path)
        record = read_bin(golden / "descriptors" / "bin" / f"{frame.name}.bin")
        # float32 on disk: half a unit in the last place, and one of PANNA's own rounding.
        assert frame.energy == pytest.approx(record.energy, rel=1.5 * 2**-23), path
        assert len(frame.species) == len(record.species)


def test_published_carbon_is_a_bulk_solid_in_angstrom(golden):
    """Units are right if the shortest distance is a carbon bond, not 1.9 times more or less."""
    path = next(iter(sorted((golden / "carbon" / "examples").glob("*.example"))))
    frame = read_example(path)
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) @ frame.cell
    vectors = frame.positions[None, :, None] + images - frame.positions[:, None, None]
    distances = np.linalg.norm(vectors, axis=-1)
    assert 1.2 < distances[distances > 1e-6].min() < 1.7


# The first atom of three records of tests/data/golden/carbon/tfr_data-3-3.tfrecord, eV/angstrom.
PUBLISHED_FORCES = {
    "m80l9ajlhl89191l28gk9j93di829lg2ihejkmf062h60h2h0d352150": (
        -0.45529425144195557, -0.13439908623695374, -0.44333887100219727,
    ),
    "gg9k9l3gcf279319ded7d49l4g04fd9ai3jf33a79e98l029bj99mb96": (
        0.4955150783061981, 0.14737725257873535, -0.5273394584655762,
    ),
    "g3eci7j7h1ld007i73k47aa0i1je71ed43je4jd3d98ka1h73deaek7e": (
        0.23284564912319183, 0.40179112553596497, 0.4263909161090851,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED_FORCES)
def test_published_forces_agree_to_the_last_bit_of_float32(golden, name):
    frame = read_example(golden / "carbon" / "examples" / f"{name}.example")
    assert frame.forces[0].astype(np.float32).tolist() == list(PUBLISHED_FORCES[name])
