"""panna_md17_parser on files of MD17 and sGDML, and on damaged ones."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from parser_runs import parser_run

from panna.frames.units import BOHR, FOREIGN_ENERGY, HARTREE
from panna.tools.md17_parser import main

KCAL = FOREIGN_ENERGY["kcal/mol"]
FRAMES = 7
NUMBERS = np.array([8, 1, 1], np.uint8)


def arrays(frames=FRAMES, seed=0):
    """Water with random displacements; energies and forces are random, too."""
    random = np.random.default_rng(seed)
    water = np.array([[0.0, 0, 0.1], [0.76, 0, 0.7], [-0.76, 0, 0.7]])
    return {
        "R": water + random.normal(0, 0.03, (frames, 3, 3)),
        "E": random.normal(-48000, 3, frames),
        "F": random.normal(0, 20, (frames, 3, 3)),
        "z": NUMBERS,
    }


def written(path, **content):
    np.savez_compressed(path, **content)
    return path


def check(frames, content, energy=KCAL, length=1.0, relative=1e-12):
    close = dict(rtol=relative, atol=0)
    for k, frame in enumerate(frames):
        np.testing.assert_allclose(frame.energy, content["E"].reshape(-1)[k] * energy, **close)
        np.testing.assert_allclose(frame.positions, content["R"][k] * length, **close)
        np.testing.assert_allclose(frame.forces, content["F"][k] * (energy / length), **close)
        assert not frame.pbc.any() and not frame.cell.any()


def test_the_keys_of_md17(tmp_path, capsys):
    content = arrays()
    run = parser_run(main, capsys, tmp_path / "out", written(tmp_path / "water.npz", **content))
    assert run.code == 0 and list(run.frames) == [f"water_{k:06d}" for k in range(1, 8)]
    check(run.frames.values(), content)
    assert run.frames["water_000001"].species == ("O", "H", "H")
    assert run.contents["water_000003"]["source_frame"] == 3
    assert "angstrom, kcal/mol (1 file)" in run.said


def test_the_keys_of_rmd17(tmp_path, capsys):
    """With the old numbers of MD17 beside the revised ones, which are those to take."""
    content = arrays()
    revised = {
        "coords": content["R"], "energies": content["E"], "forces": content["F"],
        "nuclear_charges": NUMBERS, "old_energies": content["E"] - 7, "old_forces": content["F"],
        "old_indices": np.arange(FRAMES),
    }  # fmt: skip
    run = parser_run(main, capsys, tmp_path / "out", written(tmp_path / "rmd17.npz", **revised))
    assert run.code == 0 and len(run.frames) == FRAMES
    check(run.frames.values(), content)


@pytest.mark.parametrize(
    "change",
    [
        {"E": arrays()["E"][:, None]},
        {"z": np.tile(NUMBERS, (FRAMES, 1)).astype(np.int64)},
        {"R": np.asfortranarray(arrays()["R"]), "F": np.asfortranarray(arrays()["F"])},
        {"z": np.asfortranarray(np.tile(NUMBERS, (FRAMES, 1)))},
        {"R": arrays()["R"].astype(">f8")},
        {"unknown": np.array([None], object)},
        {"name": np.array([b"water"]), "theory": "PBE", "type": np.bytes_(b"d"), "md5": "x" * 32},
    ],
)
def test_shapes_and_orders_that_occur(tmp_path, capsys, change):
    """Columns of energies, elements of every frame, Fortran order, metadata, other members."""
    path = written(tmp_path / "water.npz", **arrays() | change)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 0 and len(run.frames) == FRAMES
    check(run.frames.values(), arrays())
    assert all(frame.species == ("O", "H", "H") for frame in run.frames.values())


def test_elements_of_each_frame(tmp_path, capsys):
    numbers = np.tile(NUMBERS, (FRAMES, 1))
    numbers[2] = [1, 8, 9]
    path = written(tmp_path / "water.npz", **arrays() | {"z": numbers})
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.frames["water_000003"].species == ("H", "O", "F")
    assert run.frames["water_000004"].species == ("O", "H", "H")


@pytest.mark.parametrize(
    "r_unit, e_unit, length, energy",
    [
        ("Ang", "kcal/mol", 1.0, KCAL),
        ("Ang", "eV", 1.0, 1.0),
        ("bohr", "Hartree", BOHR, HARTREE),
        ("au", "au", BOHR, HARTREE),
        (np.array([b"Ang"]), np.array([b"eV"]), 1.0, 1.0),
    ],
)
def test_units_that_the_file_tells(tmp_path, capsys, r_unit, e_unit, length, energy):
    content = arrays()
    path = written(tmp_path / "a.npz", **content, r_unit=r_unit, e_unit=e_unit, theory="CCSD")
    run = parser_run(main, capsys, tmp_path / "out", path)
    check(run.frames.values(), content, energy, length)
    assert run.contents["a_000001"]["theory"] == "CCSD"
    assert "as the file tells" in run.said


def test_units_of_the_command_line(tmp_path, capsys):
    content = arrays()
    options = ("--energy-unit", "Ha", "--length-unit", "bohr")
    path = written(tmp_path / "a.npz", **content)
    run = parser_run(main, capsys, tmp_path / "out", path, *options)
    check(run.frames.values(), content, HARTREE, BOHR)
    assert run.code == 0 and "warning: e_unit" not in run.said
    path = written(tmp_path / "b.npz", **content, e_unit="eV")
    run = parser_run(main, capsys, tmp_path / "told", path, *options)
    check(run.frames.values(), content, HARTREE, BOHR)
    assert "e_unit of the file is 'eV', Ha is used as told" in run.said
    run = parser_run(main, capsys, tmp_path / "bad", path, "--energy-unit", "erg")
    assert run.code == 2 and "--energy-unit 'erg' is unknown" in run.said


def test_a_cell_of_sgdml(tmp_path, capsys):
    path = written(tmp_path / "a.npz", **arrays(), lattice=np.diag([9.0, 8, 7]))
    run = parser_run(main, capsys, tmp_path / "out", path)
    frame = run.frames["a_000001"]
    assert frame.pbc.all() and np.array_equal(frame.cell, np.diag([9.0, 8, 7]))


def test_consecutive_frames_are_told(tmp_path, capsys):
    """A random walk of energies warns; shuffled, or far apart, the same ones do not."""
    random = np.random.default_rng(3)
    content = arrays(frames=600)
    walk = np.zeros(600)
    for k in range(1, 600):
        walk[k] = 0.95 * walk[k - 1] + random.normal()
    path = written(tmp_path / "md.npz", **content | {"E": walk - 48000})
    run = parser_run(main, capsys, tmp_path / "out", path, "--limit", "120")
    assert run.code == 0 and "a random split into training and validation sets leaks" in run.said
    content["E"] = random.permutation(walk) - 48000
    path = written(tmp_path / "random.npz", **content)
    assert "leaks" not in parser_run(main, capsys, tmp_path / "b", path, "--limit", "120").said


def test_the_first_frames_of_md17(shared_data, tmp_path, capsys):
    source = shared_data / "md17_ethanol" / "ethanol_md17_first2000.npz"
    expected = np.load(source, allow_pickle=False)
    run = parser_run(main, capsys, tmp_path / "out", source, "--limit", "150")
    assert run.code == 0 and "leaks" in run.said and len(run.frames) == 150
    check(run.frames.values(), expected)
    run = parser_run(main, capsys, tmp_path / "far", source, "--every", "19")
    assert "leaks" not in run.said and len(run.frames) == 106


def test_coupled_cluster_ethanol(shared_data, tmp_path, capsys):
    """Of sGDML, with forces in Fortran order and strings beside; its frames are independent."""
    source = shared_data / "ccsdt_ethanol" / "ethanol_ccsd_t-train.npz"
    expected = np.load(source, allow_pickle=False)
    run = parser_run(main, capsys, tmp_path / "out", source, "--limit", "200")
    assert run.code == 0 and "leaks" not in run.said and len(run.frames) == 200
    check(run.frames.values(), expected)
    assert run.contents["ethanol_ccsd_t-train_000001"]["theory"] == "Psi4: CCSD(T), cc-pVTZ"


def test_a_bad_frame_leaves_the_others_alone(tmp_path, capsys):
    content = arrays()
    content["R"][1, 2, 0] = np.nan
    content["E"][3] = np.inf
    content["F"][4, 0, 0] = np.nan
    content["R"][5, 1] = content["R"][5, 2]
    run = parser_run(main, capsys, tmp_path / "out", written(tmp_path / "a.npz", **content))
    assert run.code == 2 and list(run.frames) == [f"a_{k:06d}" for k in (1, 3, 7)]
    for text in ("frame 2: positions: atom 3, x is nan", "frame 4: energy is inf",
                 "frame 5: forces: atom 1, x is nan", "frame 6: atom 2 (H) coincides"):  # fmt: skip
        assert text in run.said
    check([run.frames["a_000007"]], {key: value[6:] for key, value in content.items()})


def test_without_forces_and_energies(tmp_path, capsys):
    content = arrays()
    path = written(tmp_path / "a.npz", R=content["R"], z=NUMBERS)
    assert parser_run(main, capsys, tmp_path / "no", path).code == 2
    run = parser_run(main, capsys, tmp_path / "out", path, "--no-energy")
    frame = run.frames["a_000001"]
    assert run.code == 0 and frame.energy is None and frame.forces is None


class Trap:
    """Unpickled, it would make a file."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


def test_nothing_is_unpickled(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = arrays() | {"E": np.array([Trap()] * FRAMES, dtype=object)}
    path = written(tmp_path / "trap.npz", **content)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and "E holds Python objects, which are never read" in run.said
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as archive:
        archive.writestr("R.npy", pickle.dumps(Trap()))
    run = parser_run(main, capsys, tmp_path / "out", tmp_path / "raw.npz")
    assert run.code == 2 and not (tmp_path / "unpickled").exists()


def without(*keys):
    return lambda content: {k: v for k, v in content.items() if k not in keys}


def having(**changes):
    return lambda content: content | changes


BROKEN = {
    "no positions": (without("R"), "no R or coords in it; its keys are E, F, z"),
    "no elements": (without("z"), "no z or nuclear_charges in it"),
    "no energies": (without("E"), "no E or energies in it"),
    "two names": (having(coords=arrays()["R"]), "both R and coords are in it"),
    "flat positions": (having(R=np.zeros((7, 9))), "R: shape (7, 9) found, (frames, atoms, 3)"),
    "no frames": (having(R=np.zeros((0, 3, 3))), "R: shape (0, 3, 3) found"),
    "too few energies": (having(E=np.zeros(6)), "E: shape (6,) found, (7,) or (7, 1) expected"),
    "too few forces": (having(F=np.zeros((6, 3, 3))), "F: shape (6, 3, 3) found, (7, 3, 3)"),
    "too many elements": (having(z=np.ones(4, int)), "z: shape (4,) found, (3,) or (7, 3)"),
    "elements as numbers with a point": (having(z=np.ones(3)), "z: float64 found, whole numbers"),
    "energies as text": (having(E=np.array(["a"] * FRAMES)), "E: <U1 found, floating-point"),
    "complex forces": (having(F=np.zeros((FRAMES, 3, 3), complex)), "F: complex128 found"),
    "not an element": (having(z=np.array([8, 0, 1])), "atom 2: 0 is not the number"),
    "a negative element": (having(z=np.array([8, -1, 1])), "atom 2: -1 is not the number"),
    "an unknown unit": (having(e_unit="cal"), "e_unit 'cal' is unknown; known are ev"),
    "a unit that is no text": (having(r_unit=np.zeros(3)), "r_unit: float64 of shape (3,) found"),
    "a skew lattice": (having(lattice=np.array([[9.0, 1, 0], [0, 9, 0], [0, 0, 9]])), "symmetric"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_with_the_reason(tmp_path, capsys, case):
    change, reason = BROKEN[case]
    path = written(tmp_path / "broken.npz", **change(arrays()))
    good = written(tmp_path / "good.npz", **arrays(frames=1))
    run = parser_run(main, capsys, tmp_path / "out", path, good)
    assert run.code == 2 and list(run.frames) == ["good_000001"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


def damaged(change):
    """The bytes of a file, and of its members before they are put into it."""
    content = io.BytesIO()
    np.savez(content, **arrays())
    return change(content.getvalue())


def with_member(key, data):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays().items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", data if name == key else member.getvalue())
    return content.getvalue()


def header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the file is empty"),
        (bytes(range(256)) * 20, "not a complete .npz file"),
        (damaged(lambda data: data[: len(data) // 2]), "not a complete .npz file"),
        (damaged(lambda data: data.replace(b"\x93NUMPY", b"\x93NUMPX", 1)), "Bad CRC-32"),
        (with_member("R", b"\x93NUMPY\x07\x00" + b" " * 99), "R: "),
        (with_member("R", b"\x93NUMPY\x03\x00" + header((1,))[8:]), "R: version (3, 0)"),
        (with_member("R", header((10**12, 3, 3)) + b"0" * 99), "R: 99 bytes found, 72"),
        (with_member("R", header((1, 10**12, 3))), "R: 0 bytes found"),
        (with_member("R", header((-1, 3, 3))), "R: "),
        (with_member("z", b"no array"), "z: "),
        (with_member("E", header((FRAMES,)) + b"\0" * 55), "E: 55 bytes found, 56 expected"),
    ],
)
def test_junk(tmp_path, capsys, content, reason):
    path = tmp_path / "junk.npz"
    path.write_bytes(content)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and not run.frames
    assert f"left out: {path}" in run.said and reason in run.said, run.said


def test_random_damage_gives_reasons_and_no_traceback(tmp_path, capsys):
    good = damaged(bytes)
    random = np.random.default_rng(5)
    path = tmp_path / "damaged.npz"
    for number in range(40):
        content = bytearray(good)
        for place in random.integers(0, len(good), 3):
            content[place] = random.integers(256)
        path.write_bytes(bytes(content))
        run = parser_run(main, capsys, tmp_path / f"out{number}", path)
        if run.code == 0:
            check(run.frames.values(), arrays())
        else:
            assert run.code == 2 and not run.frames and "left out" in run.said
