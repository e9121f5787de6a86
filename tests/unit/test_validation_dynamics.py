"""Molecular dynamics of panna_validate: rdf, nve and speed."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from lammps_runs import require_lammps
from silicon_cases import CRYSTAL, SILICON, SW, subject_of

from panna.errors import ConfigError
from panna.frames.ase_atoms import frame_of_structure
from panna.frames.neighbours import neighbour_list, widths
from panna.potential.panna_in import read_potential, write_potential
from panna.report.level import Level
from panna.validation.dynamics.conservation import conservation, read_energies
from panna.validation.dynamics.radial import (
    BIN,
    BLOCKS,
    difference,
    expected_noise,
    radial_distribution,
    read_dump,
)
from panna.validation.dynamics.runs import Plan, preparation, repeated, starting_structure
from panna.validation.lammps.box import Box
from panna.validation.section import NotPossible
from panna.validation.sections.nve import nve
from panna.validation.sections.rdf import rdf
from panna.validation.sections.speed import speed

SHORT = {"atoms": 54, "nve_time": 0.25, "rdf_time": 0.25}


def json_of(content) -> str:
    """All numbers; fails with nan."""
    rows = [list(map(list, table.rows)) for table in content.tables]
    facts = [fact.value for fact in content.facts]
    judgements = [one.to_dict() for one in content.judgements]
    return json.dumps([rows, facts, judgements, content.data], allow_nan=False)


def judgement(content, key):
    (found,) = [one for one in content.judgements if one.key == key]
    return found


def table(content) -> list[dict]:
    """Rows of the first table."""
    first = content.tables[0]
    return [dict(zip(first.headers, row, strict=True)) for row in first.rows]


# -- radial distribution functions -----------------------------------------------------------------


def gas(frames: int, symbols: str, cell: np.ndarray, seed: int = 1):
    """Atoms without any order in a triclinic cell."""
    random = np.random.default_rng(seed)
    n = len(Atoms(symbols))
    for _ in range(frames):
        yield Atoms(symbols, random.random((n, 3)) @ cell, cell=cell, pbc=True)


TRICLINIC = np.array([[9.0, 0, 0], [2, 8, 0], [-1, 3, 10]])


def test_g_of_atoms_without_order_is_one():
    found = radial_distribution(gas(200, "Si20C10", TRICLINIC), ("Si", "C"), 6.0)
    assert found.pairs == [("Si", "Si"), ("Si", "C"), ("C", "C")]
    assert found.frames == 200
    outer = found.r > 2  # where there are many pairs
    # Pairs beyond 2 angstrom: 200 * 10 * 9 * (4/3 pi 6^3 / 720) for C, standard deviation 1 %.
    np.testing.assert_allclose(found.g[:, outer].mean(1), 1, atol=0.04)


def test_g_of_a_crystal_counts_its_neighbours():
    crystal = bulk("Si", "diamond", 5.43, cubic=True).repeat(2)
    found = radial_distribution([crystal], ("Si",), 5.0)
    density = (len(crystal) - 1) / crystal.get_volume()
    shells = 4 / 3 * np.pi * np.diff((np.arange(len(found.r) + 1) * BIN) ** 3)
    neighbours = np.cumsum(found.g[0] * density * shells)
    for distance, count in ((3.0, 4), (4.0, 16), (4.8, 28)):
        assert neighbours[np.searchsorted(found.r, distance)] == pytest.approx(count)
    assert found.peak(0)[0] == pytest.approx(5.43 * np.sqrt(3) / 4, abs=BIN / 2)


def test_distances_of_a_molecule_are_a_probability_density():
    frames = [Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1.2, 0]])] * 3
    found = radial_distribution(frames, ("H", "O"), 4.0)
    sums = (found.g * BIN).sum(1)
    np.testing.assert_allclose(sums[:2], 1)
    assert np.isnan(found.g[2]).all() and found.peak(2) is None
    high = found.r[found.g[1] > 0]
    np.testing.assert_allclose(high, [1.0, 1.2], atol=BIN / 2 + 1e-9)


def test_many_frames_are_averaged_in_few_blocks():
    """Blocks are joined while a trajectory goes on; nothing is lost or counted twice."""
    frames = list(gas(3 * BLOCKS + 7, "Si6", TRICLINIC))
    whole = radial_distribution(frames, ("Si",), 4.0)
    single = [radial_distribution([frame], ("Si",), 4.0).g for frame in frames]
    np.testing.assert_allclose(whole.g, np.mean(single, 0))
    np.testing.assert_allclose(whole.halves[:, 0].sum(1), whole.g[0].sum())


def test_noise_is_what_equal_runs_differ_by():
    """Ratio of the difference found between independent runs and the noise expected."""
    runs = [
        radial_distribution(gas(60, "Si30", TRICLINIC, seed), ("Si",), 6.0) for seed in range(8)
    ]
    ratios = [
        difference(a.g[0], b.g[0]) / expected_noise(a, b, 0)
        for a, b in zip(runs[:-1], runs[1:], strict=True)
    ]
    # Each of the 7 ratios scatters by some percent, as there are hundreds of bins.
    assert np.mean(ratios) == pytest.approx(1, abs=0.1), ratios


@pytest.mark.parametrize("frames", [2, 4, 16])
def test_equal_runs_never_differ_by_twice_their_noise_even_if_they_are_sparse(frames):
    """Few pairs in hundreds of bins: differences cannot grow beyond 200 %."""
    runs = [radial_distribution(gas(frames, "Si4", TRICLINIC, k), ("Si",), 6.0) for k in range(6)]
    for a, b in zip(runs[:-1], runs[1:], strict=True):
        assert difference(a.g[0], b.g[0]) < 2 * expected_noise(a, b, 0)


def test_noise_of_pairs_that_are_always_too_far_is_zero_and_of_a_single_frame_unknown():
    far = [Atoms("Si2", [[0, 0, 0], [0, 0, 9]])]
    assert radial_distribution(far * 4, ("Si",), 4.0).noise(0) == 0
    assert np.isnan(radial_distribution(far, ("Si",), 4.0).noise(0))
    near = [Atoms("Si2", [[0, 0, 0], [0, 0, 2]])]
    assert np.isnan(radial_distribution(near, ("Si",), 4.0).noise(0))


def test_nothing_without_frames():
    assert radial_distribution([], ("Si",), 4.0) is None


def test_a_dump_that_was_cut_off_ends_before_the_broken_frame(tmp_path):
    box = Box.of(bulk("Si", "diamond", 5.43), 0.0)
    head = "ITEM\n" * 9
    text = f"{head}1 0 0 0\n1 1 1 1\n{head}1 0 0 0.5\n1 1 1 1\n{head}1 0 0"
    (tmp_path / "x.dump").write_text(text)
    frames = list(read_dump(tmp_path / "x.dump", box, ("Si",)))
    assert [frame.positions[0, 2] for frame in frames] == [0, 0.5]


# -- energies --------------------------------------------------------------------------------------


def test_drift_and_fluctuation_of_a_known_line():
    time = np.linspace(0, 10, 5001)
    total = -1000 + 64 * 1e-3 * (0.3 * time + 0.5 * np.sin(40 * time))
    found = conservation(np.stack([time, 300 + 0 * time, total], 1), 64)
    assert found.drift == pytest.approx(0.3, abs=2e-3)
    assert found.fluctuation == pytest.approx(0.5 / np.sqrt(2), rel=1e-2)
    assert found.energy[0] == 0 and found.mean_temperature == 300


def test_few_rows_and_numbers_that_are_none_have_no_drift(tmp_path):
    path = tmp_path / "energies.dat"
    assert conservation(read_energies(path), 2) is None
    path.write_text("# ps K eV\n0 300 -1\n0.1 300 -1\n0.2 300 nan\n0.3 300 -1\n0.4 300 -1\n")
    assert len(read_energies(path)) == 5
    assert conservation(read_energies(path), 2) is None
    path.write_text("0 300 -1\n0.1 300 -1\n0.2 30")
    assert len(read_energies(path)) == 2


# -- structures ------------------------------------------------------------------------------------


def test_the_narrowest_direction_is_repeated():
    atoms = Atoms("Si", cell=[3.0, 6.0, 10.0], pbc=(True, True, False))
    found = repeated(atoms, 20, 0.0)
    assert len(found) >= 20 and found.cell[2, 2] == 10
    assert found.cell[0, 0] == pytest.approx(found.cell[1, 1], rel=0.5)
    primitive = repeated(bulk("Si", "diamond", 5.43), 1, 7.8)
    assert widths(primitive.cell.array).min() >= 7.8
    assert len(repeated(Atoms("Si2", [[0, 0, 0], [0, 0, 2]]), 100, 9.0)) == 2


def test_the_structure_file_stays_as_it_is_unless_atoms_are_wanted(tmp_path):
    file = tmp_path / "start.xyz"
    write(file, bulk("Si", "diamond", 5.43, cubic=True))
    as_is = starting_structure(subject_of(tmp_path, MD={"structure": file}, CRYSTAL=CRYSTAL))
    assert len(as_is.atoms) == 8
    more = starting_structure(subject_of(tmp_path, MD={"structure": file, "atoms": 30}))
    assert len(more.atoms) == 32
    crystal = starting_structure(subject_of(tmp_path, CRYSTAL=CRYSTAL))
    assert len(crystal.atoms) >= 216


@pytest.mark.parametrize(
    ("atoms", "error", "reason"),
    [
        (Atoms("CSi", [[0, 0, 0], [0, 0, 2]]), ConfigError, "species C found; the potential has"),
        (Atoms("Si"), NotPossible, "a single atom does not move"),
        (None, ConfigError, "expected a file with atoms that ASE reads"),
    ],
)
def test_structures_that_cannot_be_used(tmp_path, atoms, error, reason):
    file = tmp_path / "start.xyz"
    if atoms is None:
        file.write_bytes(b"\x00\x01 no atoms")
    else:
        write(file, atoms)
    with pytest.raises(error, match=reason):
        starting_structure(subject_of(tmp_path, MD={"structure": file}))


def test_atoms_at_rest_get_twice_the_energy_and_melts_are_melted(tmp_path):
    crystal = starting_structure(subject_of(tmp_path, CRYSTAL=CRYSTAL))
    cold = Plan("x", "", 300.0, 1.0, 1.0, 1)
    words = [line.split()[0] for line in preparation(crystal, cold)]
    assert words.index("minimize") < words.index("velocity") < words.index("run")
    assert any(one.startswith("velocity all create 600 ") for one in preparation(crystal, cold))
    melt = [line for line in preparation(crystal, replace(cold, melt_at=3000.0)) if "lang" in line]
    assert [line.split()[4:6] for line in melt] == [
        ["3000", "3000"],
        ["3000", "300"],
        ["300", "300"],
    ]


# -- the sections, in LAMMPS -----------------------------------------------------------------------


@pytest.fixture
def lammps():
    require_lammps()


def test_a_trained_potential_conserves_energy(lammps, tmp_path):
    subject = subject_of(tmp_path, CRYSTAL=CRYSTAL, REFERENCE=SW, MD=SHORT)
    content = nve(subject)
    mine, reference = table(content)
    assert (mine["of"], reference["of"]) == ("potential", "SW")
    assert judgement(content, "nve_drift").level == Level.GOOD
    assert abs(mine["drift (meV/atom/ps)"]) < 0.02 and abs(reference["drift (meV/atom/ps)"]) < 0.02
    # That of the timestep: the same for both.
    ratio = mine["fluctuation (meV/atom)"] / reference["fluctuation (meV/atom)"]
    assert 0.5 < ratio < 2 and mine["fluctuation (meV/atom)"] > 1e-4
    # 54 atoms or more: 24 K of standard deviation.
    assert 200 < mine["mean temperature (K)"] < 400
    assert mine["outside the training set (%)"] < 1
    assert len(content.data["runs"][0]["time_ps"]) > 200
    assert content.plots and "nan" not in json_of(content).lower()


def test_all_steps_of_a_run_are_reported(lammps, tmp_path):
    """Those of the minimisation, which nobody can foresee, do not count."""
    reported = []

    @contextmanager
    def watch(total, label):
        steps = []
        yield steps.append
        reported.append((label, total, sum(steps)))

    md = {**SHORT, "melt_above": "250", "melt_at": "400"}
    subject = subject_of(tmp_path, CRYSTAL=CRYSTAL, REFERENCE=SW, MD=md)
    nve(replace(subject, watch=watch))
    assert [label for label, _, _ in reported] == ["NVE at 300 K", "NVE at 300 K with SW"]
    assert [total for _, total, _ in reported] == [done for _, _, done in reported]
    assert reported[0][1] > 1.5 * 1e3 * float(SHORT["nve_time"])


def test_a_timestep_that_is_too_long_shows(lammps, tmp_path):
    """The same potential with 1 and with 8 fs: the fluctuation grows with the square."""
    fluctuations = []
    for timestep in (1.0, 8.0):
        values = {**SHORT, "timestep": timestep}
        (row,) = table(nve(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD=values)))
        fluctuations.append(row["fluctuation (meV/atom)"])
    assert fluctuations[1] > 20 * fluctuations[0]


def test_a_trained_potential_has_the_structure_of_its_reference(lammps, tmp_path):
    """Against runs of the reference, then against the trajectory of one of them."""
    subject = subject_of(tmp_path, CRYSTAL=CRYSTAL, REFERENCE=SW, MD=SHORT)
    content = rdf(subject)
    (row,) = table(content)
    found = judgement(content, "rdf_difference")
    assert found.level == Level.GOOD and row["difference (%)"] < 10
    assert row["first peak (Å)"] == pytest.approx(2.35, abs=0.03)
    assert row["first peak (Å)"] == pytest.approx(row["reference: peak (Å)"], abs=0.03)
    assert 0 < row["noise (%)"] < 15
    json_of(content)

    start = starting_structure(subject)
    box = Box.of(start.atoms, 0.0)
    dump = tmp_path / "report_work" / "rdf_300K" / "trajectory.dump"
    frames = list(read_dump(dump, box, ("Si",)))
    assert len(frames) == 251
    write(tmp_path / "trajectory.xyz", frames)
    values = {**SHORT, "rdf_trajectory": tmp_path / "trajectory.xyz"}
    again = rdf(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD=values))
    # The same run again, with the same seed: rounding of the files only.
    assert table(again)[0]["difference (%)"] < 0.1
    facts = {fact.key: fact.value for fact in again.facts}
    assert facts["reference"].endswith("trajectory.xyz, 251 frames")


@pytest.mark.parametrize("limits", ["5, 15", "0.1, 0.2"])
def test_another_structure_is_judged_bad(lammps, tmp_path, limits):
    """The trajectory of a crystal whose cell is larger, also where the noise is above the limit."""
    frames = []
    for seed in range(20):
        frames.append(bulk("Si", "diamond", 5.7, cubic=True).repeat(2))
        frames[-1].rattle(0.08, seed=seed)
    write(tmp_path / "large.xyz", frames)
    values = {**SHORT, "rdf_time": 0.1, "rdf_trajectory": tmp_path / "large.xyz"}
    keys = dict(CRYSTAL=CRYSTAL, MD=values, THRESHOLDS={"rdf_difference": limits})
    content = rdf(subject_of(tmp_path, **keys))
    assert judgement(content, "rdf_difference").level == Level.BAD
    assert table(content)[0]["noise (%)"] > 0.2


def test_against_a_single_frame_nothing_can_be_told(lammps, tmp_path):
    frame = bulk("Si", "diamond", 5.43, cubic=True).repeat(2)
    frame.rattle(0.08, seed=1)
    write(tmp_path / "one.xyz", frame)
    values = {**SHORT, "rdf_time": 0.1, "rdf_trajectory": tmp_path / "one.xyz"}
    content = rdf(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD=values))
    assert content.level == Level.NOTE
    assert "nothing can be told, the noise is not known" in content.judgements[0].sentence
    (row,) = table(content)
    assert row["difference (%)"] > 0 and row["noise (%)"] is None
    json_of(content)


def test_without_a_reference_g_is_shown_and_not_judged(lammps, tmp_path):
    values = {**SHORT, "rdf_time": 0.05}
    content = rdf(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD=values))
    assert content.level == Level.NOTE and content.plots
    assert "nothing to be compared with" in content.judgements[0].sentence


def test_a_melt_has_lost_the_order_of_the_crystal(lammps, tmp_path):
    values = {**SHORT, "rdf_time": 0.6, "rdf_temperatures": 2500, "melt_above": 2000,
              "melt_at": 5000}  # fmt: skip
    content = rdf(subject_of(tmp_path, potential=SILICON / "potential", CRYSTAL=CRYSTAL, MD=values))
    (row,) = table(content)
    # The peak of the crystal at 300 K is four times as high.
    assert 1.5 < row["its height"] < 4
    g = content.data["temperatures"][0]["potential"]["g"]["Si-Si"]
    r = content.data["temperatures"][0]["potential"]["r_angstrom"]
    assert np.interp(3.1, r, g) > 0.3


def test_a_cluster_without_periodic_directions(lammps, tmp_path):
    file = tmp_path / "cluster.xyz"
    write(file, Atoms(bulk("Si", "diamond", 5.43, cubic=True).symbols,
                      bulk("Si", "diamond", 5.43, cubic=True).positions))  # fmt: skip
    values = {**SHORT, "structure": file, "rdf_time": 0.05, "nve_time": 0.1, "processes": 2}
    subject = subject_of(tmp_path, REFERENCE=SW, MD=values)
    content = rdf(subject)
    density = content.data["temperatures"][0]["reference"]["density_per_angstrom"]["Si-Si"]
    assert 0.9 < sum(density) * BIN <= 1.0001
    assert (tmp_path / "report_work" / "rdf_300K" / "structure.data").exists()
    log = (tmp_path / "report_work" / "rdf_300K" / "log.lammps").read_text()
    assert "on 2 procs" in log and "boundary f f f" in log
    assert len(table(nve(subject))) == 2


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("Si", "diamond", 5.43, cubic=True).repeat(2),
        Atoms("Si3", [[0, 0, 0], [2.3, 0, 0], [1.1, 2.0, 0.3]]),
    ],
    ids=["crystal", "molecule"],
)
def test_displaced_atoms_do_not_seem_to_fly_apart(atoms, lammps, tmp_path):
    """Displacements as at 1500 K, in a run at 300 K."""
    displaced = atoms.copy()
    displaced.rattle(0.1, seed=1)
    write(tmp_path / "frame.xyz", displaced)
    values = {**SHORT, "structure": tmp_path / "frame.xyz", "atoms": 1}
    subject = subject_of(tmp_path, potential=SILICON / "potential", MD=values)
    for make in (nve, rdf):
        assert not [one for one in make(subject).judgements if "flew apart" in one.sentence]


def exploding(folder):
    """The potential with its energies upside down."""
    model, _ = read_potential(SILICON / "potential" / "member_1")
    network = model.networks[0]
    weights = [*network.weights[:-1], -30 * network.weights[-1]]
    write_potential(replace(model, networks=[replace(network, weights=weights)]), folder)
    return folder


def test_a_potential_that_explodes_is_bad(lammps, tmp_path):
    potential = exploding(tmp_path / "broken")
    subject = subject_of(tmp_path, potential, CRYSTAL=CRYSTAL, MD=SHORT)
    for make in (nve, rdf):
        content = make(subject)
        assert content.level == Level.BAD
        (worst,) = [one for one in content.judgements if one.level == Level.BAD]
        assert "flew apart or fell into each other" in worst.sentence
        assert "short distances" in worst.advice
        json_of(content)


@pytest.mark.parametrize(("make", "key"), [(nve, "nve_temperatures"), (rdf, "rdf_temperatures")])
def test_no_temperature(tmp_path, make, key):
    with pytest.raises(NotPossible, match=key):
        make(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD={key: "none"}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "rdf_trajectory"),
        (b"\x00\xff\x13junk", "cannot be read"),
        (b"2\n\nSi 0 0 0\nC 0 0 2\n", "species C found"),
        (b"2\n\nSi 0 0 0\nSi 0 0 2\n", "periodic in all directions: False found in frame 1"),
        (None, "cannot be read"),
    ],
)
def test_trajectories_that_cannot_be_used(lammps, tmp_path, content, reason):
    path = tmp_path / "trajectory.xyz"
    if content is not None:
        path.write_bytes(content)
    values = {**SHORT, "rdf_trajectory": path}
    with pytest.raises(ConfigError) as caught:
        rdf(subject_of(tmp_path, CRYSTAL=CRYSTAL, MD=values))
    assert "[MD] rdf_trajectory = " in str(caught.value) and reason in str(caught.value)


def test_speed_beside_the_reference(lammps, tmp_path):
    content = speed(subject_of(tmp_path, CRYSTAL=CRYSTAL, REFERENCE=SW, MD={"timestep": 2}))
    mine, reference = table(content)
    facts = {fact.key: fact.value for fact in content.facts}
    assert facts["atoms"] >= 1000 and facts["machine"]
    for row in (mine, reference):
        seconds = 1e-6 * row["µs per atom and step"] * facts["atoms"]
        assert row["ns per day"] == pytest.approx(86400 / seconds * 2e-6)
    assert mine["µs per atom and step"] > reference["µs per atom and step"] > 0
    assert content.judgements[0].value == mine["µs per atom and step"]
    assert "times as long as SW" in content.judgements[1].sentence


@pytest.mark.parametrize("limits, verdict", [("1e6, 2e6", "good"), ("1e-3, 2e-3", "bad")])
def test_speed_is_judged_by_the_threshold(limits, verdict, lammps, tmp_path):
    keys = dict(CRYSTAL=CRYSTAL, THRESHOLDS={"step_time": limits})
    assert speed(subject_of(tmp_path, **keys)).verdict == verdict


def test_speed_of_a_molecule_is_that_of_many(lammps, tmp_path):
    write(tmp_path / "dimer.xyz", Atoms("Si2", [[0, 0, 0], [0, 0, 2.4]]))
    content = speed(subject_of(tmp_path, MD={"structure": tmp_path / "dimer.xyz"}))
    assert {fact.key: fact.value for fact in content.facts}["atoms"] >= 1000
    cell = read(tmp_path / "report_work" / "speed" / "structure.data", format="lammps-data")
    found = neighbour_list(frame_of_structure(cell), ("Si",), 3.9)
    # Each atom has the other of its molecule within the cutoff, and no atom of another one.
    assert set(np.bincount(found.centre).tolist()) == {1}
