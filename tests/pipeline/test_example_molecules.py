"""examples/molecules: what its scripts make of the data, and a training of a few frames."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from example_scripts import scripts_of, with_values

from panna import evaluate, extract_weights, gvect_calculator, tfr_packer, train
from panna.frames.frame import Frame
from panna.tools import exyz_parser

EXAMPLE = Path(__file__).parents[2] / "examples" / "molecules"
DATA = EXAMPLE / "data"
SCRIPTS = ("amons", "ani", "bpa", "errors", "normal_modes", "table", "vibrations")
KCAL = 0.0433641  # eV


@pytest.fixture(scope="module")
def scripts():
    """The scripts of the example, by their names."""
    with scripts_of(EXAMPLE, SCRIPTS) as found:
        yield found


@pytest.fixture(scope="module")
def amons(scripts):
    """The molecules of each file, by their SMILES."""
    return {
        name: {
            atoms.info["smiles"]: atoms
            for atoms in scripts["amons"].molecules(DATA / f"force_{name}.csv.xz")
        }
        for name in ("train", "valid", "test")
    }


# -- amons ---------------------------------------------------------------------------------------


def test_amons_are_in_electronvolts(amons):
    methane = amons["train"]["C"]
    assert str(methane.symbols) == "CH4"
    # -40.457 hartree; the file says -25387.867530390995 kcal/mol
    assert methane.get_potential_energy() == pytest.approx(-1100.922, abs=1e-3)
    assert methane.get_forces()[0] == pytest.approx([-9.49341, -1.30115, 4.13272], abs=1e-4)
    assert np.abs(methane.get_forces().sum(0)).max() < 1e-4


def test_amons_energies_are_those_of_atoms_and_bonds(amons):
    """An error of unit would show: small organic molecules are bound by 3 to 7 eV for each atom."""
    atoms = {"H": -0.500608, "C": -37.830232, "N": -54.568002, "O": -75.036220}  # hartree
    for molecule in amons["test"].values():
        free = 27.211386 * sum(atoms[symbol] for symbol in molecule.symbols)
        assert 2 < (free - molecule.get_potential_energy()) / len(molecule) < 7


def test_amons_forces_are_minus_the_gradient(amons):
    """Two geometries of the same molecule that lie near each other: dE = -F dR."""
    changes, works = [], []
    for smiles, first in amons["train"].items():
        second = amons["valid"][smiles]
        a, b = (m.positions - m.positions.mean(0) for m in (first, second))
        u, _, v = np.linalg.svd(b.T @ a)
        rotation = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
        moved = a - b @ rotation
        if np.abs(moved).max() < 0.12:
            mean = (first.get_forces() + second.get_forces() @ rotation) / 2
            changes.append(first.get_potential_energy() - second.get_potential_energy())
            works.append(-(mean * moved).sum())
    assert len(changes) >= 8
    assert np.polyfit(works, changes, 1)[0] == pytest.approx(1, abs=0.1)


def test_amons_of_the_test_are_other_molecules(amons):
    assert set(amons["train"]) == set(amons["valid"]) and len(amons["train"]) == 800
    assert len(amons["test"]) == 795 and not set(amons["test"]) & set(amons["train"])


def test_amons_are_chosen_by_heavy_atoms(scripts, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["amons.py", str(out), "1-3", str(DATA / "force_test.csv.xz")])
    scripts["amons"].main()
    assert [path.name for path in sorted(out.iterdir())] == [f"heavy_{n}.xyz" for n in (1, 2, 3)]
    for size, count in ((1, 1), (2, 3), (3, 11)):
        found = read(out / f"heavy_{size}.xyz", ":")
        assert len(found) == count
        assert all(len(m) - m.symbols.count("H") == size for m in found)
        assert {m.info["group"] for m in found} == {f"heavy_{size}"}
    assert "11 molecules of 3 heavy atoms" in capsys.readouterr().out


# -- 3BPA ----------------------------------------------------------------------------------------


def test_mixed_temperatures_of_3bpa(scripts):
    bpa = scripts["bpa"]
    known = bpa.frames(DATA / "train_300K.xyz.xz")
    found = bpa.unknown(bpa.frames(DATA / "train_mixedT.xyz.xz"), known)
    groups = np.array([atoms.info["group"] for atoms in found])
    # 31 frames of 300 K are in the training set
    assert [int((groups == g).sum()) for g in ("300K", "600K", "1200K")] == [136, 167, 166]
    lowest = min(atoms.get_potential_energy() for atoms in known)
    energies = np.array([atoms.get_potential_energy() for atoms in found]) - lowest
    # Equipartition: the mean energy rises by 75/2 kT, 0.97 eV for each 300 K.
    means = [energies[groups == g].mean() for g in ("300K", "600K", "1200K")]
    assert np.diff(means) == pytest.approx([0.97, 1.94], rel=0.1)
    gap = min(
        np.abs(atoms.positions - other.positions).max() for atoms in found[:40] for other in known
    )
    assert gap > 0.1


def test_other_files_are_refused(scripts):
    some = scripts["bpa"].frames(DATA / "train_300K.xyz.xz")[:3]
    with pytest.raises(ValueError, match="3 frames found, 500 expected"):
        scripts["bpa"].unknown(some, some)


# -- ANI -----------------------------------------------------------------------------------------


def turned(frame: Frame, noise: float, seed: int) -> Frame:
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    positions = frame.positions @ rotation + random.normal(size=3)
    return molecule(frame.species, positions + noise * random.normal(size=positions.shape))


def molecule(species: tuple[str, ...], positions: np.ndarray) -> Frame:
    return Frame(species=species, positions=positions, cell=np.zeros((3, 3)), pbc=(False,) * 3)


def test_a_turned_copy_of_a_test_conformation_is_not_trained_on(scripts):
    random = np.random.default_rng(3)
    shapes = {
        ("O", "H", "H"): np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
        ("N", "H", "H", "H"): np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    }
    energies = [
        molecule(species, positions + 0.05 * random.normal(size=positions.shape))
        for species, positions in shapes.items()
        for _ in range(10)
    ]
    energies.append(turned(energies[4], 1e-8, 1))  # in the file twice
    order = [0, 0, 3, 5, 5, 5, 12, 15, 19]
    forces = [turned(energies[k], 1e-8, seed) for seed, k in enumerate(order)]
    forces.append(turned(energies[0], 0.05, 9))  # not in the other file
    (train, test), (train_forces, test_forces) = scripts["ani"].divide(energies, forces)
    assert test == [0, 5, 10, 15]
    assert sorted(train) == sorted(set(range(20)) - set(test))
    assert sorted(order[k] for k in test_forces) == [0, 5, 15]
    assert sorted(train_forces) == [2, 6, 8, 9]


def test_the_ani_files_overlap(scripts, shared_data):
    """The file with forces holds conformations of the other, many of them several times."""
    h5py = pytest.importorskip("h5py")
    frames = []
    for name in ("ani_gdb_s01", "gdb11_S01_06r"):
        with h5py.File(shared_data / "ani1" / f"{name}.h5") as file:
            water = list(file["gdb11_s01"].values())[2]
            positions = water["coordinates"][:].astype(float)
        frames.append([molecule(("O", "H", "H"), one) for one in positions])
    (train, test), (train_forces, test_forces) = scripts["ani"].divide(*frames)
    assert (len(train), len(test)) == (1440, 360)
    assert len(train_forces) + len(test_forces) == 526 and len(frames[1]) == 907
    assert 70 < len(test_forces) < 140


# -- energies and modes --------------------------------------------------------------------------


def test_relative_energies(scripts, tmp_path):
    (tmp_path / "20.dat").write_text(
        "#filename n_atoms e_ref e_nn\na 3 -10.0 -9.9\nb 3 -8.0 -8.2\nc 4 -20.0 -19.0\n"
        "d 3 -9.0 -8.8\n"
    )
    for other in ("20_std.dat", "20_forces.dat", "20_forces_std.dat"):
        (tmp_path / other).write_text("#\n")
    energies = scripts["errors"].Energies.of(tmp_path)
    mine = energies.part(energies.n_atoms == 3)
    assert mine.errors == pytest.approx([0.1, -0.2, 0.2])
    # over that of frame a
    assert mine.relative_errors() == pytest.approx([-0.3, 0.1])
    pairs = np.array([0.3, -0.1, -0.4])
    assert mine.pair_rmse() == pytest.approx(np.sqrt(np.mean(pairs**2)))
    assert scripts["errors"].in_both_units(KCAL) == "43.36 (1.000)"


class Stand:
    """In place of a potential: known energies."""

    def __init__(self, of) -> None:
        self.of, self.results = of, {}

    def calculate(self, atoms: Atoms) -> None:
        energy = self.of(atoms)
        self.results = {"energy": energy, "energy_std": 0.01, "components_outside": np.array([2])}


def test_normal_modes_count_from_the_minimum_of_the_reference(scripts):
    frames = []
    for x in (1.0, -1.0, 0.0, 2.0):
        atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1 + x / 10]])
        atoms.info["displacement"] = x
        atoms.calc = SinglePointCalculator(atoms, energy=x**2 - 30)
        frames.append(atoms)
    stand = Stand(lambda atoms: 1.1 * (10 * (atoms.get_distance(0, 1) - 1)) ** 2 + 7)
    scan = scripts["normal_modes"].Scan.of("mode", frames, stand)
    assert scan.displacement == pytest.approx([-1, 0, 1, 2])
    assert scan.reference == pytest.approx([1, 0, 1, 4])
    assert scan.predicted == pytest.approx([1.1, 0, 1.1, 4.4])
    name, limit, count, rmse, largest, spread, outside = scan.row(2.0)
    assert (name, limit, count, outside) == ("mode", "below 2 eV", 3, 3)
    assert float(rmse) == pytest.approx(1e3 * np.sqrt(2 * 0.1**2 / 3), abs=0.1)
    assert (float(largest), float(spread)) == (100, 10)
    assert scripts["normal_modes"].draw([scan, scan]).axes[1].get_xlabel() == "displacement"


def test_scans_of_ethanol_have_their_minimum_inside():
    for mode, count in (("874", 37), ("3005", 18)):
        frames = read(DATA / f"test_norm_mode_{mode}.xyz", ":")
        energies = [atoms.get_potential_energy() for atoms in frames]
        assert len(frames) == count and 0 < int(np.argmin(energies)) < count - 1
        assert {str(atoms.symbols) for atoms in frames} == {"C2OH6"}


def test_frequencies_of_a_known_cluster(scripts):
    """Four Lennard-Jones atoms: a tetrahedron with force constants of 57.1464 eps/sigma^2."""
    vibrations = scripts["vibrations"]
    atoms = Atoms("Ar4", np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.2)
    atoms.calc = LennardJones(epsilon=0.0104, sigma=3.4, rc=100)
    assert vibrations.relax(atoms) < 1e-4
    found = vibrations.frequencies(atoms)
    constant = 72 / 2 ** (1 / 3) * 0.0104 / 3.4**2  # eV/angstrom^2
    # breathing: omega^2 = 4 k / m; k / m / 4 is in units of amu: 521.47 cm^-1
    breathing = 521.4709 * np.sqrt(4 * constant / 39.95)
    assert len(found) == 6 and (found > 0).all()
    assert found[-1] == pytest.approx(breathing, rel=0.01)
    # 1 : sqrt(2) : 2 for E, T and A of a tetrahedron of springs
    assert found / found[-1] == pytest.approx([0.5] * 2 + [0.5**0.5] * 3 + [1], rel=0.01)
    moved = vibrations.run(atoms, 10, 1, 5)
    assert abs(moved["drift_meV_per_atom_per_ps"]) < 0.01
    assert 2 < moved["temperature_K"] < 25


def test_a_saddle_point_has_imaginary_frequencies(scripts):
    """A square of four atoms would rather be a rhombus."""
    square = np.array([[1, 1, 0], [1, -1, 0], [-1, -1, 0], [-1, 1, 0]])
    atoms = Atoms("Ar4", 1.9 * square)
    atoms.calc = LennardJones(epsilon=0.0104, sigma=3.4, rc=100)
    assert scripts["vibrations"].relax(atoms) < 1e-4
    assert scripts["vibrations"].frequencies(atoms)[0] < -1


# -- a training ----------------------------------------------------------------------------------


def test_ethanol_with_few_frames(scripts, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    recipe = [*EXAMPLE.glob("ethanol/*.ini"), EXAMPLE / "evaluate.ini", EXAMPLE / "extract.ini"]
    folder = tmp_path / "results" / "ethanol"
    folder.mkdir(parents=True)
    for ini in recipe:
        text = with_values(ini.read_text(), max_epochs="12", committee="2", number_of_process="1")
        text = text.replace("compute_forces = True", "compute_forces = True\nplots = False")
        (folder / ini.name).write_text(text)
    source = EXAMPLE.parent / "learning_curve" / "data" / "train.xyz.xz"
    frames = scripts["bpa"].frames(source)[:34]
    write(folder / "train.xyz", frames[:24], format="extxyz")
    write(folder / "test.xyz", frames[24:], format="extxyz")
    monkeypatch.chdir(folder)
    for name in ("train", "test"):
        assert exyz_parser.main(["-i", f"{name}.xyz", "-o", f"examples/{name}"]) == 0
    for name, program in (("gvect", gvect_calculator), ("tfr", tfr_packer), ("train", train),
                          ("evaluate", evaluate), ("extract", extract_weights)):  # fmt: skip
        assert program.main(["-c", f"{name}.ini"]) == 0
    scan = str(DATA / "test_norm_mode_3005.xyz")
    monkeypatch.setattr(sys, "argv", ["normal_modes.py", "potential", ".", scan])
    scripts["normal_modes"].main()
    assert Path("normal_modes.png").stat().st_size > 10_000
    arguments = ["vibrations.py", "potential", scan, ".", "--time", "0.01"]
    monkeypatch.setattr(sys, "argv", arguments)
    scripts["vibrations"].main()
    assert len(json.loads(Path("vibrations.json").read_text())["frequencies_per_cm"]) == 21

    monkeypatch.setattr(scripts["table"], "RESULTS", tmp_path / "results")
    scripts["table"].main()
    text = (tmp_path / "results" / "table.md").read_text()
    summary = json.loads(Path("test/summary.json").read_text())
    rmse = summary["committees"][0]["energy"]["rmse_eV"]
    energies = scripts["errors"].Energies.of(Path("test"))
    assert len(energies.names) == 10
    assert scripts["errors"].rmse(energies.errors) == pytest.approx(rmse, rel=1e-6)
    row = f"| test | committee | 10 | {1e3 * rmse:.2f} ({rmse / KCAL:.3f}) |"
    assert row in text
    for part in ("seed 2", "error and spread", "over the lowest", "norm_mode_3005", "NVE"):
        assert part in text
