"""panna_ani_parser on files of ANI-1, on files of the layout of ANI-1x, and on damaged ones."""

import h5py
import numpy as np
import pytest
from parser_runs import parser_run

from panna.frames.units import HARTREE
from panna.tools.ani_parser import main

WATER = np.array([[0.0, 0, 0.1], [0.76, 0, 0.7], [-0.76, 0, 0.7]])
SPRING = 0.4  # hartree/angstrom^2


def conformations(count=5, seed=0):
    """Water of springs: coordinates, energies and true forces."""
    moved = np.random.default_rng(seed).normal(0, 0.05, (count, 3, 3))
    return WATER + moved, -76 + SPRING / 2 * (moved**2).sum((1, 2)), -SPRING * moved


def ani1(path, sign=-1.0, count=5, **changes):
    """In the layout of ANI-1, where `forces` are gradients; changes: of the datasets, or None."""
    coordinates, energies, true = conformations(count)
    content = {
        "coordinates": coordinates, "energies": energies, "forces": sign * true,
        "species": np.array([b"O", b"H", b"H"]), "smiles": np.array([b"O"]),
        "energiesHE": energies + 9, "coordinatesHE": coordinates + 9,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        group = file.create_group("gdb11_s01/mol-1")
        for key, value in {**content, **changes}.items():
            if value is not None:
                group[key] = value
    return path


LEVELS = ("ccsd(t)_cbs", "wb97x_dz", "wb97x_tz")


def ani1x(path, levels=LEVELS):
    """As published: one group for each formula; NaN for what was not computed."""
    with h5py.File(path, "w") as file:
        for number, name in enumerate(("H2O1", "H4O2")):
            coordinates, energies, forces = conformations(6, number)
            group = file.create_group(name)
            group["coordinates"] = coordinates.astype(np.float32)
            group["atomic_numbers"] = np.array([8, 1, 1], np.uint8)
            for shift, level in enumerate(levels):
                level_energies = energies + shift
                if level.startswith("ccsd"):
                    level_energies[1::2] = np.nan
                else:
                    level_forces = forces.astype(np.float32)
                    level_forces[4 if level == "wb97x_tz" else 6 :] = np.nan
                    group[f"{level}.forces"] = level_forces
                group[f"{level}.energy"] = level_energies
            group["mp2_dz.corr_energy"] = energies
            group["wb97x_dz.dipole"] = np.zeros((6, 3))
    return path


def test_the_layout_of_ani1(tmp_path, capsys):
    run = parser_run(main, capsys, tmp_path / "out", ani1(tmp_path / "s01.h5"))
    assert run.code == 0 and list(run.frames) == [f"s01_{k:06d}" for k in range(1, 6)]
    coordinates, energies, forces = conformations()
    for k, frame in enumerate(run.frames.values()):
        assert frame.species == ("O", "H", "H") and frame.group == "gdb11_s01/mol-1"
        assert not frame.pbc.any() and not frame.cell.any()
        assert frame.energy == pytest.approx(energies[k] * HARTREE, rel=1e-12)
        np.testing.assert_allclose(frame.positions, coordinates[k], rtol=1e-12)
        np.testing.assert_allclose(frame.forces, forces[k] * HARTREE, rtol=1e-12)
    content = run.contents["s01_000002"]
    assert content["smiles"] == "O" and content["source_frame"] == 2


def test_the_sign_of_forces_can_be_told(tmp_path, capsys):
    """Both kinds of files exist; what contradicts the energies is reported."""
    _, _, forces = conformations(40)
    for stored, option, sign in (
        (-1, "auto", 1), (-1, "gradient", 1), (1, "force", 1), (1, "auto", -1), (-1, "force", -1),
    ):  # fmt: skip
        path = ani1(tmp_path / "a.h5", stored, 40)
        out = tmp_path / f"{stored}{option}"
        run = parser_run(main, capsys, out, path, "--forces-sign", option)
        frame = run.frames["a_000040"]
        np.testing.assert_allclose(frame.forces, sign * forces[39] * HARTREE, rtol=1e-12)
        assert ("energies rise where the forces push" in run.said) == (sign < 0)


def test_the_layout_of_ani1x(tmp_path, capsys):
    """Forces are forces; float32; the numbers of a conformation are those of the file."""
    path = ani1x(tmp_path / "ani1x.h5")
    run = parser_run(main, capsys, tmp_path / "out", path, "--level", "wb97x_dz.energy")
    assert run.code == 0 and len(run.frames) == 12 and "energies rise" not in run.said
    with h5py.File(path) as file:
        for number, frame in enumerate(run.frames.values()):
            group = file["H2O1" if number < 6 else "H4O2"]
            assert frame.group == group.name.strip("/") and frame.species == ("O", "H", "H")
            stored = group["wb97x_dz.energy"][number % 6]
            assert frame.energy == pytest.approx(stored * HARTREE, rel=1e-12)
            stored = group["wb97x_dz.forces"][number % 6].astype(float)
            np.testing.assert_allclose(frame.forces, stored * HARTREE, rtol=1e-12)
            np.testing.assert_array_equal(frame.positions, group["coordinates"][number % 6])
    assert list(run.frames) == [f"ani1x_{k:06d}" for k in range(1, 13)]


def test_what_was_not_computed_is_no_error(tmp_path, capsys):
    path = ani1x(tmp_path / "a.h5")
    run = parser_run(main, capsys, tmp_path / "cc", path, "--level", "ccsd(t)_cbs")
    assert run.code == 0 and list(run.frames) == [f"a_{k:06d}" for k in range(1, 13, 2)]
    assert "6 without an energy at this level" in run.said
    assert all(frame.forces is None for frame in run.frames.values())
    run = parser_run(main, capsys, tmp_path / "tz", path, "--level", "wb97x_tz")
    with_forces = [name for name, frame in run.frames.items() if frame.forces is not None]
    assert run.code == 0 and len(run.frames) == 12 and len(with_forces) == 8


def test_several_levels_need_a_choice(tmp_path, capsys):
    path = ani1x(tmp_path / "a.h5")
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and not run.frames
    assert "choose one with --level: ccsd(t)_cbs, wb97x_dz, wb97x_tz" in run.said
    assert run.said.count("several levels") == 2  # once, and in the summary
    run = parser_run(main, capsys, tmp_path / "out", path, "--level", "hf_dz")
    assert run.code == 2 and "no energies of level hf_dz; there are ccsd(t)_cbs" in run.said
    only = ani1x(tmp_path / "only.h5", ("wb97x_dz",))
    run = parser_run(main, capsys, tmp_path / "out", only)
    assert run.code == 0 and len(run.frames) == 12 and "wb97x_dz.energy" in run.said


def test_blocks_and_molecules_are_counted_on(tmp_path, capsys):
    """More conformations than fit a block; --every and --limit leave names alone."""
    path = ani1(tmp_path / "a.h5", count=600)
    run = parser_run(main, capsys, tmp_path / "out", path, "--every", "100")
    assert list(run.frames) == [f"a_{k:06d}" for k in range(1, 600, 100)]
    coordinates, _, _ = conformations(600)
    np.testing.assert_allclose(run.frames["a_000501"].positions, coordinates[500], rtol=1e-12)
    assert run.contents["a_000501"]["source_frame"] == 501


def test_the_files_of_ani1(shared_data, tmp_path, capsys):
    """Energies as h5py reads them, for all molecules of the file without forces."""
    source = shared_data / "ani1" / "ani_gdb_s01.h5"
    run = parser_run(main, capsys, tmp_path / "out", source, "--every", "200")
    with h5py.File(source) as file:
        groups = [file["gdb11_s01"][name] for name in sorted(file["gdb11_s01"])]
        energies = np.concatenate([group["energies"][()] for group in groups])
        assert len(energies) == 10800
    found = np.array([frame.energy for frame in run.frames.values()]) / HARTREE
    assert run.code == 0
    np.testing.assert_allclose(found, energies[::200], rtol=1e-12)
    assert {frame.species for frame in run.frames.values()} == {
        ("C", "H", "H", "H", "H"), ("N", "H", "H", "H"), ("O", "H", "H"),
    }  # fmt: skip
    assert all(frame.forces is None for frame in run.frames.values())


def test_energies_fall_by_the_work_of_the_forces(shared_data, tmp_path, capsys):
    """The dataset `forces` of ANI-1 holds gradients: near conformations tell."""
    source = shared_data / "ani1" / "gdb11_S01_06r.h5"
    run = parser_run(main, capsys, tmp_path / "out", source, "--every", "8")
    assert run.code == 0 and len(run.frames) == 546 and "energies rise" not in run.said
    for name, furthest in (("mol0000001", 0.2), ("mol0000002", 0.1)):
        frames = [f for f in run.frames.values() if f.group.endswith(name)]
        positions = np.array([f.positions for f in frames])
        energies = np.array([f.energy for f in frames])
        forces = np.array([f.forces for f in frames])
        i, j = np.triu_indices(len(frames), 1)
        moved = positions[j] - positions[i]
        distances = np.sqrt((moved**2).sum((1, 2)))
        near = (distances < furthest) & (distances > 0.001)
        work = ((forces[i] + forces[j]) / 2 * moved).sum((1, 2))[near]
        lost = (energies[i] - energies[j])[near]
        assert near.sum() > 20
        assert abs(work @ lost / (work @ work) - 1) < 0.03


def test_a_bad_conformation_leaves_the_others_alone(tmp_path, capsys):
    coordinates, energies, forces = conformations()
    coordinates[0, 0, 0] = np.inf
    energies[1] = np.nan
    forces[2, 0, 0] = np.nan
    coordinates[3, 1] = coordinates[3, 2]
    path = ani1(tmp_path / "a.h5", coordinates=coordinates, energies=energies, forces=forces)
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and list(run.frames) == ["a_000005"]
    for text in (
        "conformation 1: positions: atom 1, x is inf",
        "conformation 2: energy is nan",
        "conformation 3: forces: atom 1, x is nan",
        "frame 4: atom 2 (H) coincides",
    ):
        assert text in run.said


BROKEN = {
    "flat coordinates": (dict(coordinates=np.zeros((5, 9))), "coordinates: shape (5, 9) found"),
    "coordinates of integers": (dict(coordinates=np.zeros((5, 3, 3), int)), "floating-point"),
    "a single coordinate": (dict(coordinates=1.0), "coordinates: no array"),
    "too few energies": (dict(energies=np.zeros(4)), "energies: shape (4,) found, (5,) or (5, 1)"),
    "no energies": (dict(energies=None), "no energies in it"),
    "too few forces": (dict(forces=np.zeros((5, 2, 3))), "forces: shape (5, 2, 3) found"),
    "no species": (dict(species=None), "neither species nor atomic_numbers"),
    "too few species": (dict(species=np.array([b"O", b"H"])), "expected"),
    "unknown species": (dict(species=np.array([b"O", b"H", b"Hx"])), "'Hx' is not the symbol"),
    "a number of no element": (dict(species=np.array([8, 1, 0])), "atom 3: 0 is not the number"),
    "a table of species": (dict(species=np.ones((3, 3), int)), "species: shape (3, 3) found"),
    "coordinates elsewhere": (
        dict(coordinates=h5py.ExternalLink("other.h5", "/gdb11_s01/mol-1/coordinates")),
        "coordinates: its numbers are in another file",
    ),
    "no molecule": (dict(coordinates=None), "no configuration in it"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_molecules_are_named_with_the_reason(tmp_path, capsys, case):
    changes, reason = BROKEN[case]
    ani1(tmp_path / "other.h5")
    path = ani1(tmp_path / "broken.h5", **changes)
    good = ani1(tmp_path / "good.h5", count=1)
    run = parser_run(main, capsys, tmp_path / "out", path, good)
    assert run.code == 2 and list(run.frames) == ["good_000001"]
    line = next(line for line in run.said.splitlines() if line.startswith("left out"))
    assert str(path) in line and reason in line, run.said


def test_a_broken_molecule_leaves_the_numbers_of_the_others(tmp_path, capsys):
    path = ani1(tmp_path / "a.h5", energies=np.zeros(3))
    with h5py.File(path, "a") as file, h5py.File(ani1(tmp_path / "b.h5")) as other:
        other.copy(other["gdb11_s01/mol-1"], file, "gdb11_s02")
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and list(run.frames) == [f"a_{k:06d}" for k in range(6, 11)]
    assert "molecule gdb11_s01/mol-1: energies: shape (3,) found" in run.said


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: bytes(range(256)) * 20, "not a readable HDF5 file"),
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: data[:9], "not a readable HDF5 file"),
        (lambda data: b"text\n" * 500, "not a readable HDF5 file"),
    ],
)
def test_junk(tmp_path, capsys, change, reason):
    good = ani1(tmp_path / "good.h5").read_bytes()
    path = tmp_path / "junk.h5"
    path.write_bytes(change(good))
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and not run.frames and reason in run.said, run.said


def test_damaged_numbers_are_found_by_their_sum(tmp_path, capsys):
    """HDF5 that carries checksums, with one byte of the coordinates changed."""
    path = ani1(tmp_path / "a.h5", coordinates=None)
    coordinates, _, _ = conformations()
    with h5py.File(path, "a") as file:
        file["gdb11_s01/mol-1"].create_dataset(
            "coordinates", data=coordinates, chunks=True, fletcher32=True
        )
    content = path.read_bytes()
    place = content.index(coordinates[0].tobytes())
    path.write_bytes(content[:place] + b"\x55" + content[place + 1 :])
    run = parser_run(main, capsys, tmp_path / "out", path)
    assert run.code == 2 and not run.frames and "not a readable HDF5 file" in run.said
