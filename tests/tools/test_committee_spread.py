"""panna_committee_spread: the numbers, their order, the selection, and bad input."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import mbp, random_frame
from model_cases import a_model, labelled_frames, random_potential, write_examples
from scipy.stats import spearmanr

from panna.evaluation.frame_spread import FrameSpread, by_spread, calibration, panels
from panna.evaluation.selection import farthest
from panna.frames.example_file import write_example
from panna.members import member_name
from panna.potential.compiled import Evaluation
from panna.potential.panna_in import write_potential
from panna.tools.committee_spread import main

FRAMES = labelled_frames(8)
NAMES = {frame.name for frame in FRAMES}
MEMBERS = 3


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    """Three potentials, in folders of members."""
    folder = tmp_path_factory.mktemp("committee")
    for k in range(1, MEMBERS + 1):
        random_potential(folder / member_name(k), mbp(), seed=k)
    return folder


@pytest.fixture
def labelled(tmp_path):
    """Frames with energies and forces, for which a picture is drawn."""
    return write_examples(tmp_path / "labelled", FRAMES)


@pytest.fixture
def examples(tmp_path):
    """The same frames without energies and forces."""
    bare = [replace(frame, energy=None, forces=None) for frame in FRAMES]
    return write_examples(tmp_path / "examples", bare)


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([*map(str, arguments), "--threads", "1"])
    written = capsys.readouterr()
    return code, written.out + written.err


def rows(folder):
    with open(folder / "spread.csv", newline="") as file:
        return list(csv.DictReader(file))


def column(folder, name):
    return np.array([float(row[name]) for row in rows(folder)])


def selected(folder):
    return (folder / "selected.txt").read_text().split()


# -- the numbers -----------------------------------------------------------------------------------


def test_the_table_has_the_numbers_of_the_calculator(committee, labelled, tmp_path, capsys):
    """Means and deviations of the ASE calculator, which takes another way to them."""
    from ase import Atoms

    from panna.potential.calculator import PANNA

    assert run(capsys, "-i", labelled, "-p", committee, "-o", tmp_path / "out")[0] == 0
    table = {row["name"]: row for row in rows(tmp_path / "out")}
    assert set(table) == NAMES
    calculator = PANNA(committee, threads=1)
    for frame in FRAMES:
        atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
        atoms.calc = calculator
        forces, n = atoms.get_forces(), len(atoms)
        found = calculator.results
        deviation = np.linalg.norm(found["forces_std"], axis=1)
        row = table[frame.name]
        energy_error = (found["energy"] - frame.energy) / n
        error = forces - frame.forces
        for name, expected in {
            "n_atoms": n,
            "energy_mean_eV": found["energy"],
            "energy_std_eV_per_atom": found["energy_std"] / n,
            "force_std_max_eV_per_angstrom": deviation.max(),
            "atom": deviation.argmax(),
            "force_std_rms_eV_per_angstrom": np.sqrt(np.mean(found["forces_std"] ** 2)),
            "energy_error_eV_per_atom": energy_error,
            "force_error_rms_eV_per_angstrom": np.sqrt(np.mean(error**2)),
            "force_error_max_eV_per_angstrom": np.abs(error).max(),
        }.items():
            assert float(row[name]) == pytest.approx(expected, rel=1e-7), name
        assert row["species"] == frame.species[int(row["atom"])]
        assert row["atoms_outside"] == ""


@pytest.mark.parametrize(
    "by, name",
    [
        ("force_max", "force_std_max_eV_per_angstrom"),
        ("force", "force_std_rms_eV_per_angstrom"),
        ("energy", "energy_std_eV_per_atom"),
    ],
)
def test_the_least_certain_frames_come_first(by, name, committee, examples, tmp_path, capsys):
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, "--by", by)
    assert code == 0
    values = column(out, name)
    assert (np.diff(values) <= 0).all() and values[0] > values[-1] > 0
    assert f"Largest spread, by {by}" in said and rows(out)[0]["name"] in said


def test_the_calibration_is_that_of_all_components(committee, labelled, tmp_path, capsys):
    out = tmp_path / "out"
    said = run(capsys, "-i", labelled, "-p", committee, "-o", out)[1]
    spread, error = (column(out, f"energy_{what}_eV_per_atom") for what in ("std", "error"))
    ratio = np.sqrt(np.mean(error**2) / np.mean(spread**2))
    rank = spearmanr(spread, np.abs(error)).statistic
    (line,) = [one for one in said.splitlines() if one.startswith("energy (meV/atom)")]
    assert line.split()[2:] == [
        "8",
        f"{1e3 * np.sqrt(np.mean(spread**2)):.2f}",
        f"{1e3 * np.sqrt(np.mean(error**2)):.2f}",
        f"{ratio:.2f}",
        f"{rank:.2f}",
    ]
    n = column(out, "n_atoms")
    spread, error = (column(out, f"force_{w}_rms_eV_per_angstrom") for w in ("std", "error"))
    ratio = np.sqrt(np.sum(n * error**2) / np.sum(n * spread**2))
    (line,) = [one for one in said.splitlines() if one.startswith("force components")]
    assert line.split()[-2:] == [f"{ratio:.2f}", f"{spearmanr(spread, error).statistic:.2f}"]


def evaluations(forces_of_members, energies=(0.0, 1.0)):
    return [
        Evaluation(np.array([energy, 0.0]), np.asarray(forces, float), np.zeros((3, 3)))
        for energy, forces in zip(energies, forces_of_members, strict=True)
    ]


def test_a_case_by_hand():
    """Two members; the force on atom 1 differs by (6, 0, 8), on atom 0 by (2, 0, 0)."""
    frame = replace(random_frame("molecule", ("Si",), seed=1), forces=None)
    frame = replace(frame, species=("Si", "O"), positions=frame.positions[:2], energy=3.0)
    members = evaluations([np.zeros((2, 3)), [[2, 0, 0], [6, 0, 8]]])
    found = FrameSpread.of(frame, members)
    # Of two numbers, the deviation with the divisor M - 1 is the difference over the root of 2.
    assert found.force_std_max == pytest.approx(10 / np.sqrt(2))
    assert (found.atom, found.symbol) == (1, "O")
    assert found.force_std == pytest.approx(np.sqrt((4 + 36 + 64) / 2 / 6))
    assert found.energy == 0.5 and found.energy_std == pytest.approx(0.5 / np.sqrt(2))
    assert found.energy_error == pytest.approx(-1.25)
    assert np.isnan(found.force_error) and found.outside is None
    energies, forces = calibration([found])
    assert energies.ratio == pytest.approx(1.25 / (0.5 / np.sqrt(2))) and forces is None
    assert energies.spearman is None  # of one frame
    first, second = members
    ranged = [replace(first, outside=np.array([0, 2])), replace(second, outside=np.array([1, 3]))]
    assert FrameSpread.of(frame, ranged).outside == 2


def test_a_spread_as_large_as_the_error_has_the_ratio_one():
    """Members and reference values drawn from the same distribution; many members, so that their
    mean is exact."""
    rng = np.random.default_rng(0)
    frame = replace(random_frame("molecule", ("Si",), seed=1), energy=0.0)
    frames = []
    for k in range(300):
        width = 10 ** rng.uniform(-2, 0)
        truth = rng.normal(0, width, (frame.n_atoms, 3))
        members = [
            Evaluation(
                np.full(frame.n_atoms, rng.normal(0, width) / frame.n_atoms),
                rng.normal(0, width, (frame.n_atoms, 3)),
                np.zeros((3, 3)),
            )
            for _ in range(20)
        ]
        reference = replace(frame, name=f"{k}", forces=truth, energy=rng.normal(0, width))
        frames.append(FrameSpread.of(reference, members))
    energies, forces = calibration(frames)
    # The mean of 20 members has an error of its own, sqrt(1 + 1 / 20).
    assert forces.ratio == pytest.approx(np.sqrt(1.05), abs=0.03) and forces.spearman > 0.9
    assert energies.ratio == pytest.approx(np.sqrt(1.05), abs=0.2) and 0.4 < energies.spearman < 0.9


def test_the_picture_shows_each_frame(committee, labelled, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(capsys, "-i", labelled, "-p", committee, "-o", out)[0] == 0
    frame = random_frame("molecule", ("Si",), seed=1)
    members = [
        Evaluation(np.full(14, e), np.full((14, 3), e), np.zeros((3, 3))) for e in (0.0, 1.0)
    ]
    known = replace(frame, energy=0.0, forces=np.zeros((14, 3)))
    spreads = [FrameSpread.of(f, members) for f in (known, replace(known, energy=None))]
    energies, forces = panels(spreads)
    np.testing.assert_allclose(energies.spread, [1e3 / np.sqrt(2)])
    np.testing.assert_allclose(energies.error, [500.0])
    np.testing.assert_allclose(forces.spread, [1 / np.sqrt(2)] * 2)
    np.testing.assert_allclose(forces.error, [0.5] * 2)
    assert panels([FrameSpread.of(frame, members)]) == []
    picture = (out / "spread.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert run(capsys, "-i", labelled, "-p", committee, "-o", out)[0] == 0
    assert (out / "spread.png").read_bytes() == picture


def test_energies_with_another_zero_are_noticed(committee, tmp_path, capsys):
    """The reference energies of the potentials are not those of the frames."""
    shifted = [replace(frame, forces=None) for frame in FRAMES]
    examples = write_examples(tmp_path / "shifted", shifted)
    said = run(capsys, "-i", examples, "-p", committee, "-o", tmp_path / "out")[1]
    assert "warning: the energies of the mean lie about 688 eV" in said and "another zero" in said


def test_frames_without_references_have_spreads_only(committee, examples, tmp_path, capsys):
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out)
    assert code == 0 and "no energies and no forces" in said and "E error" not in said
    assert {row["energy_error_eV_per_atom"] for row in rows(out)} == {""}
    assert not (out / "spread.png").exists() and len(selected(out)) == 8


def test_atoms_outside_the_range_of_the_training_set_are_counted(tmp_path, examples, capsys):
    from panna.network.ranges import Ranges

    model = a_model(scaled=False)
    shape = (3, model.g_size)
    narrow = Ranges(np.zeros(shape), np.full(shape, 0.01))
    write_potential(replace(model, ranges=narrow), tmp_path / "a")
    write_potential(a_model(scaled=False, seed=1), tmp_path / "b")
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", tmp_path / "a", tmp_path / "b", "-o", out)
    assert code == 0 and "atoms outside" in said
    assert (column(out, "atoms_outside") == column(out, "n_atoms")).all()


def test_members_may_have_different_descriptors(tmp_path, examples, capsys):
    random_potential(tmp_path / "a", mbp(), seed=1)
    random_potential(tmp_path / "b", mbp(species=("H", "O", "Si"), zeta=4.0, rc_ang=3.0), seed=2)
    potentials = ("-p", tmp_path / "a", tmp_path / "b")
    assert run(capsys, "-i", examples, *potentials, "-o", tmp_path / "out")[0] == 0
    assert len(rows(tmp_path / "out")) == 8


# -- the selection ---------------------------------------------------------------------------------


def test_the_farthest_frames_are_taken():
    descriptors = np.array([[1.0], [1.1], [5.0], [1.2], [2.9]])
    assert farthest(["Si"] * 5, descriptors, 3) == [0, 2, 4]
    assert farthest(["Si"] * 5, descriptors, 9) == [0, 2, 4, 3, 1]


def test_other_species_are_far_and_equals_are_taken_once():
    descriptors = np.array([[1.0], [1.0], [1.0], [1.0 + 1e-9], [7.0]])
    assert farthest(["Si", "Si", "O", "Si", "O"], descriptors, 5) == [0, 2, 4]
    assert farthest([], np.zeros((0, 1)), 3) == []
    # Of equally far ones the less certain one, which comes first.
    assert farthest(["Si"] * 3, np.array([[0.0], [-1.0], [1.0]]), 2) == [0, 1]


def test_copies_of_a_frame_are_selected_once(committee, tmp_path, capsys):
    one, other = (replace(FRAMES[k], energy=None, forces=None) for k in (0, 3))
    same = [replace(one, name=f"copy{k}") for k in range(6)]
    examples = write_examples(tmp_path / "examples", [*same, other])
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, "--select", "4")
    assert code == 0 and set(selected(out)) == {"copy0", FRAMES[3].name}
    assert "2 frames selected" in said and "4 asked for; no others differ" in said


def test_the_selection_starts_with_the_least_certain_frame(committee, examples, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(capsys, "-i", examples, "-p", committee, "-o", out, "--select", "3")[0] == 0
    names = selected(out)
    assert len(set(names)) == 3 and set(names) <= NAMES and names[0] == rows(out)[0]["name"]
    assert run(capsys, "-i", examples, "-p", committee, "-o", out, "--select", "0")[0] == 0
    assert selected(out) == []


def test_bounds_of_the_selection(committee, examples, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(capsys, "-i", examples, "-p", committee, "-o", out)[0] == 0
    names = [row["name"] for row in rows(out)]
    values = column(out, "force_std_max_eV_per_angstrom")
    low, high = (float((values[k] + values[k + 1]) / 2) for k in (5, 1))
    bounds = ("--above", low, "--below", high)
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, *bounds)
    assert code == 0 and set(selected(out)) == set(names[2:6])
    assert [row["name"] for row in rows(out)] == names  # the table has all
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, "--above", "1e6")
    assert code == 0 and selected(out) == [] and "0 frames selected" in said


def test_copies_of_the_files(committee, examples, tmp_path, capsys):
    out, copy = tmp_path / "out", tmp_path / "next"
    command = ("-i", examples, "-p", committee, "-o", out, "--select", "3", "--copy", copy)
    for _ in range(2):  # the second time the same files are there
        assert run(capsys, *command)[0] == 0
        assert {path.stem for path in copy.iterdir()} == set(selected(out))
        for path in copy.iterdir():
            assert path.read_bytes() == (examples / path.name).read_bytes()
    changed = copy / f"{selected(out)[-1]}.example"
    changed.write_text("mine")
    first = copy / f"{selected(out)[0]}.example"
    first.unlink()
    code, said = run(capsys, *command)
    assert code == 2 and "exists with another content, no file was copied" in said
    assert changed.read_text() == "mine" and not first.exists()


# -- bad input -------------------------------------------------------------------------------------


def spoil(content, **changes):
    return json.dumps({**json.loads(content), **changes})


def first_atom(content, column, value):
    atoms = json.loads(content)["atoms"]
    atoms[0][column] = value
    return spoil(content, atoms=atoms)


DAMAGED = {
    "empty": (lambda c: "", "not valid JSON"),
    "cut short": (lambda c: c[: len(c) // 2], "not valid JSON"),
    "binary junk": (lambda c: bytes(range(256)), "UTF-8"),
    "a list": (lambda c: "[1, 2]", "object"),
    "no atoms": (lambda c: spoil(c, atoms=[]), "atoms"),
    "another species": (lambda c: first_atom(c, 1, "Ge"), "Ge"),
    "not an element": (lambda c: first_atom(c, 1, "Xx"), "Xx"),
    "nan in a position": (lambda c: first_atom(c, 2, [float("nan"), 0, 0]), "finite"),
    "two coordinates": (lambda c: first_atom(c, 2, [0, 0]), "3 numbers"),
    "infinite energy": (lambda c: spoil(c, energy=[float("inf"), "eV"]), "Infinity"),
    "an unknown unit": (lambda c: spoil(c, energy=[1.0, "kelvin"]), "kelvin"),
    "coinciding atoms": (
        lambda c: first_atom(c, 2, json.loads(c)["atoms"][1][2]),
        "atom 1 (Si) coincides with atom 2",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_bad_frame_is_named_and_the_others_go_on(case, committee, examples, tmp_path, capsys):
    damage, reason = DAMAGED[case]
    path = examples / "frame.2.example"
    content = damage(path.read_text())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, "--select", "2")
    assert code == 2 and "Traceback" not in said
    (line,) = [one for one in said.splitlines() if one.startswith("left out: ")]
    assert str(path) in line and reason in line and line.count("frame.2") == 1
    assert {row["name"] for row in rows(out)} == NAMES - {"frame.2"}
    assert len(selected(out)) == 2


def test_a_name_with_a_comma_and_a_missing_unit(committee, tmp_path, capsys):
    frame = replace(FRAMES[0], name="a, b", energy=None, forces=None)
    folder = tmp_path / "examples"
    folder.mkdir()
    write_example(frame, folder / "a, b.example")
    content = json.loads((folder / "a, b.example").read_text())
    del content["unit_of_length"]
    (folder / "a, b.example").write_text(json.dumps(content))
    out = tmp_path / "out"
    code, said = run(capsys, "-i", folder, "-p", committee, "-o", out)
    assert code == 0 and rows(out)[0]["name"] == "a, b"
    assert said.count("warning: a .example file has no unit_of_length") == 1


def no_members(folder, committee):
    return [committee / "member_1"]


def damaged_weights(folder, committee):
    random_potential(folder / "bad", mbp(), seed=9)
    weights = folder / "bad" / "weights_Si.dat"
    weights.write_bytes(weights.read_bytes()[:-4])
    return [committee, folder / "bad"]


def a_training(folder, committee):
    (folder / "train" / "checkpoints").mkdir(parents=True)
    return [committee, folder / "train"]


def a_gap(folder, committee):
    for k in (1, 3):
        random_potential(folder / "gap" / member_name(k), mbp(), seed=k)
    return [folder / "gap"]


POTENTIALS = {
    "one only": (no_members, "one potential found, at least two expected"),
    "one twice": (lambda f, c: [c, c / "member_2"], "given twice; the members must differ"),
    "absent": (lambda f, c: [c, f / "absent"], "absent: no such folder"),
    "a training": (a_training, "no panna.in in it; expected a potential"),
    "damaged weights": (damaged_weights, "weights_Si.dat"),
    "a member missing": (a_gap, "member_2: no such folder"),
}


@pytest.mark.parametrize("case", POTENTIALS)
def test_potentials_that_are_no_committee(case, committee, examples, tmp_path, capsys):
    make, reason = POTENTIALS[case]
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", *make(tmp_path, committee), "-o", out)
    assert code == 2 and reason in said and "Traceback" not in said
    assert not out.exists()


def test_potentials_by_their_text_files(committee, examples, tmp_path, capsys):
    write_potential(a_model(), tmp_path / "a", "one.in")
    write_potential(a_model(seed=1), tmp_path / "b", "two.in")
    files = (tmp_path / "a" / "one.in", tmp_path / "b" / "two.in")
    assert run(capsys, "-i", examples, "-p", *files, "-o", tmp_path / "out")[0] == 0
    assert len(rows(tmp_path / "out")) == 8


def test_copies_of_one_potential_are_refused(examples, tmp_path, capsys):
    """One of them is enough: the spread would come out too small."""
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        random_potential(tmp_path / name, mbp(), seed=seed)
    folders = [tmp_path / name for name in "abc"]
    code, said = run(capsys, "-i", examples, "-p", *folders, "-o", tmp_path / "out")
    assert code == 2 and f"{folders[2]}: a copy of {folders[0]}; the members must differ" in said


@pytest.mark.parametrize("case", ["no folder", "an empty folder", "no frame of these species"])
def test_no_frames_at_all(case, committee, tmp_path, capsys):
    folder = tmp_path / "examples"
    if case == "an empty folder":
        folder.mkdir()
    if case == "no frame of these species":
        write_examples(folder, [replace(random_frame("molecule", ("Ge",)), name="ge")])
    code, said = run(capsys, "-i", folder, "-p", committee, "-o", tmp_path / "out")
    assert code == 2 and "Traceback" not in said and str(folder) in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("--above", "2", "--below", "1"), "nothing lies between"),
        (("--copy", "{examples}"), "is the folder of the frames"),
    ],
)
def test_arguments_that_make_no_sense(arguments, reason, committee, examples, tmp_path, capsys):
    arguments = [text.format(examples=examples) for text in arguments]
    out = tmp_path / "out"
    code, said = run(capsys, "-i", examples, "-p", committee, "-o", out, *arguments)
    assert code == 2 and reason in said and not out.exists()


@pytest.mark.parametrize("option", ["--select=-1", "--above=nan", "--below=x", "--by=charge"])
def test_wrong_arguments(option, capsys):
    with pytest.raises(SystemExit) as error:
        main(["-i", "a", "-p", "b", "-o", "c", option])
    assert error.value.code == 2 and option.partition("=")[0] in capsys.readouterr().err


def test_equal_spreads_are_in_the_order_of_their_names():
    frame = random_frame("molecule", ("Si",), seed=1)
    members = [Evaluation(np.full(14, e), np.zeros((14, 3)), np.zeros((3, 3))) for e in (0.0, 1.0)]
    frames = [FrameSpread.of(replace(frame, name=name), members) for name in "bca"]
    assert [one.name for one in by_spread(frames, "energy")] == ["a", "b", "c"]
