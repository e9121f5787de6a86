"""panna_extract_weights as its users see it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import bp, mbp
from model_cases import a_model, gvect_ini, labelled_frames, write_examples, write_training

import panna
from panna.descriptors.evaluate import compute
from panna.extract_weights import main
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import atomic_energies
from panna.network.ranges import Ranges
from panna.potential.compiled import evaluate_frame, open_potential
from panna.potential.panna_networks import read_networks

# Simple enough for gversion 0, which all published programs read.
SIMPLE = mbp(
    species=("Si",), eta_ang=(2.0,) * 3, rs_rad=tuple(0.5 + m * (4.0 / 7) for m in range(7))
)
MODEL = a_model(SIMPLE, seed=3)
LAST = a_model(SIMPLE, seed=4)
ROUNDING = 1e-6  # eV/atom, of weights to float32; 1e-7 is seen


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A folder with a training; the program runs in it."""
    write_training(tmp_path / "train", {10: MODEL, 20: LAST}, best=10)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(io: str = "output_type = LAMMPS") -> int:
    lines = {"train_dir": "train", "output_dir": "out", "step_number": "best"}
    for line in filter(None, io.split("\n")):
        key, value = (part.strip() for part in line.split("=", 1))
        lines[key] = value
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    Path("extract.ini").write_text(f"[IO_INFORMATION]\n{text}\n")
    return main(["--config", "extract.ini"])


KIM = {"item_name": "MLP_Nobody_2026_Si__MO_000000000000_000"}


def run_kim(kim: dict[str, str], io: str = "output_type = KIM") -> int:
    """As run, with a section [KIM]."""
    assert run(io + "\ntrain_dir = absent") == 2  # writes extract.ini
    lines = [f"{key} = {value}" for key, value in kim.items()]
    text = Path("extract.ini").read_text().replace("train_dir = absent", "train_dir = train")
    Path("extract.ini").write_text(text + "\n".join(["[KIM]", *lines]) + "\n")
    return main(["--config", "extract.ini"])


def difference(model, folder: str) -> float:
    """Largest error of an energy per atom on some crystals and molecules, eV."""
    potential, worst = open_potential(folder), 0.0
    for frame in labelled_frames(4, model.species):
        nl = neighbour_list(frame, potential.species, potential.cutoff)
        g = compute(SIMPLE, nl)
        network = atomic_energies(model, nl.species, g)
        found = evaluate_frame(potential, frame, threads=1).atomic_energies
        worst = max(worst, float(np.abs(found - network).max()))
    return worst


def test_the_potential_has_the_energies_of_the_network(work, capsys):
    assert run() == 0
    screen = capsys.readouterr().out
    assert sorted(p.name for p in (work / "out").iterdir()) == ["panna.in", "weights_Si.dat"]
    assert difference(MODEL, "out") < ROUNDING
    assert "pair_style  panna" in screen
    assert "pair_coeff  * * out panna.in Si" in screen
    assert "KIM driver PANNA__MD_805652781592_000: yes" in screen
    assert "LAMMPS pair style of PANNA v2: no" in screen and "eps" in screen
    assert "largest difference of an atomic energy" in screen


@pytest.mark.parametrize(
    "step, model", [("20", LAST), ("-1", LAST), ("last", LAST), ("10", MODEL), ("BEST", MODEL)]
)
def test_the_checkpoint_is_the_one_asked_for(work, step, model):
    assert run(f"output_type = LAMMPS\nstep_number = {step}") == 0
    assert difference(model, "out") < ROUNDING


@pytest.mark.parametrize("form", ["LAMMPS", "PANNA"])
def test_an_export_is_replaced_by_the_next_one(work, form):
    assert run(f"output_type = {form}") == 0
    assert run(f"output_type = {form}\nstep_number = 20") == 0
    assert run("output_type = LAMMPS\noutput_file = other.in\nstep_number = 20") == 0
    assert sorted(p.name for p in (work / "out").iterdir()) == ["other.in", "weights_Si.dat"]
    assert not list(work.glob(".*"))


def test_arrays_are_those_of_the_network_with_its_scaling_folded_in(work, capsys):
    assert run("output_type = PANNA") == 0
    again = read_networks("out")
    metadata = json.loads((work / "out/networks_metadata.json").read_text())
    assert metadata["verison"] == "v0" and metadata["networks_species"] == ["Si"]
    assert again.descriptor == MODEL.descriptor
    for frame in labelled_frames(3, MODEL.species):
        nl = neighbour_list(frame, SIMPLE.species, SIMPLE.cutoff)
        g = compute(SIMPLE, nl)
        worst = np.abs(
            atomic_energies(again, nl.species, g) - atomic_energies(MODEL, nl.species, g)
        )
        assert worst.max() < ROUNDING
    assert "pair_style" not in capsys.readouterr().out


def test_the_structures_to_compare_on_may_be_given(work, capsys):
    write_examples(work / "examples", labelled_frames(3, ("Si",)))
    assert run("output_type = LAMMPS\ncheck_dir = examples") == 0
    assert "3 structures of examples" in capsys.readouterr().out


@pytest.mark.parametrize("parameters", [bp(), mbp(), mbp(zeta=7.5)], ids=["BP", "mBP", "zeta"])
@pytest.mark.parametrize(
    "activations", [("tanh", "gaussian", "linear"), ("relu", "linear", "tanh")]
)
def test_models_that_published_programs_cannot_run_say_so(work, capsys, parameters, activations):
    write_training(work / "train", {30: a_model(parameters, activations=activations)})
    assert run("output_type = LAMMPS\nstep_number = 30") == 0
    screen = capsys.readouterr().out
    assert "KIM driver PANNA__MD_805652781592_000: no" in screen
    assert ("no tanh layers" in screen) and (parameters.type == "mBP" or "type BP" in screen)


def test_a_network_that_does_not_know_its_descriptor_gets_it_from_the_ini(work, capsys):
    ignorant = replace(MODEL, descriptor=None, descriptor_hash="")
    write_training(work / "train", {30: ignorant})
    assert run("output_type = LAMMPS\nstep_number = 30") == 2
    assert "gvector_input" in capsys.readouterr().err
    Path("gvect.ini").write_text(gvect_ini("Si", "2"))
    assert run("output_type = LAMMPS\nstep_number = 30\ngvector_input = gvect.ini") == 0
    assert difference(MODEL, "out") < ROUNDING


def test_a_descriptor_that_is_not_that_of_the_network_is_refused(work, capsys):
    Path("gvect.ini").write_text(gvect_ini("Si", "2"))
    assert run("output_type = LAMMPS\ngvector_input = gvect.ini") == 0
    Path("gvect.ini").write_text(gvect_ini("Si", "2", zeta=9))
    assert run("output_type = LAMMPS\ngvector_input = gvect.ini") == 2
    message = capsys.readouterr().err
    assert "gvect.ini" in message and "zeta = 9.0 (5 times) found" in message


def _nan(work):
    model = a_model(SIMPLE)
    model.networks[0].weights[0][0, 0] = np.nan
    write_training(work / "train", {30: model})


def _huge(work):
    model = a_model(SIMPLE, dtype=np.float64)
    model.networks[0].weights[0][0, 0] = 1e60
    write_training(work / "train", {30: model})


def _rough(work):
    """Two large numbers that cancel: float32 weights do not hold such a network."""
    model = a_model(SIMPLE, (2, 1), ("linear", "linear"), dtype=np.float64)
    first, last = model.networks[0].weights
    first[:, 1] = first[:, 0] * (1 + 1e-6)
    model.networks[0].biases[0][:] = 0
    last[:, 0] = 1e6, -1e6
    write_training(work / "train", {30: model})


def _foreign(work):
    (work / "out").mkdir()
    (work / "out/thesis.tex").write_text("years of work")


def _file(work):
    (work / "out").write_text("a file")


def _no_best(work):
    (work / "train/best.npz").unlink()


LAMMPS = "output_type = LAMMPS\n"
MISTAKES = {
    "no training": ("train_dir = nowhere", None, ["nowhere"]),
    "no best": (LAMMPS, _no_best, ["best.npz", "step_number = -1"]),
    "no such step": (LAMMPS + "step_number = 11", None, ["step 11", "10, 20"]),
    "not a step": (LAMMPS + "step_number = bset", None, ["step_number = bset", "best"]),
    "ASE": ("output_type = ASE", None, ["output_type = LAMMPS", "calculator"]),
    "type": ("output_type = LAMPS", None, ["Did you mean LAMMPS"]),
    "nan": (LAMMPS + "step_number = 30", _nan, ["weights_Si.dat", "another checkpoint"]),
    "too large": (LAMMPS + "step_number = 30", _huge, ["weights_Si.dat", "another checkpoint"]),
    "rounding": (LAMMPS + "step_number = 30", _rough, ["differs from the network", "float32"]),
    "foreign files": (LAMMPS, _foreign, ["thesis.tex", "output_dir"]),
    "a file": (LAMMPS, _file, ["out: is a file"]),
    "no check_dir": (LAMMPS + "check_dir = none", None, ["none: no such folder"]),
    "folder in name": (LAMMPS + "output_file = a/b.in", None, ["output_file = a/b.in"]),
    "weights as name": (LAMMPS + "output_file = weights_Si.dat", None, ["extension"]),
    "key of the other": ("output_type = PANNA\noutput_file = x.in", None, ["output_type = LAMMPS"]),
    "offsets": (LAMMPS + "species_offsets = -160", None, ["-163.2468"]),
    "species": (LAMMPS + "species_list = C", None, ["species_list = C", "Si"]),
    "electrostatics": (LAMMPS + "long_range_el = True", None, ["electrostatics"]),
    "unknown key": (LAMMPS + "ouput_dir = x", None, ["Did you mean output_dir"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained_and_leave_nothing_behind(work, capsys, name):
    io, prepare, words = MISTAKES[name]
    if prepare:
        prepare(work)
    before = sorted(work.rglob("*"))
    assert run(io) == 2
    message = capsys.readouterr().err
    assert message.startswith("panna: error: ")
    for word in words:
        assert word in message, message
    assert ".out.new" not in message
    (work / "extract.ini").unlink()
    assert sorted(work.rglob("*")) == before


def test_gversion_can_be_chosen(work, capsys):
    assert run(LAMMPS + "gvector_version = 1") == 0
    assert (work / "out/panna.in").read_text().startswith("!gversion = 1\n")
    assert difference(MODEL, "out") < ROUNDING
    write_training(work / "train", {30: a_model(mbp())})
    assert run(LAMMPS + "gvector_version = 0\nstep_number = 30") == 2
    assert "use gversion 1" in capsys.readouterr().err
    assert (work / "out/panna.in").read_text().startswith("!gversion = 1\n")


def test_script_module_and_command_are_the_same(work):
    Path("e.ini").write_text(
        "[IO_INFORMATION]\ntrain_dir = train\noutput_type = LAMMPS\noutput_dir = out\n"
    )
    root = Path(panna.__file__).parent
    command = Path(sysconfig.get_path("scripts")) / "panna_extract_weights"
    module = [sys.executable, "-m", "panna.extract_weights"]
    results = []
    for start in ([sys.executable, root / "extract_weights.py"], module, [command]):
        done = subprocess.run([*start, "-c", "e.ini"], capture_output=True, text=True, cwd=work)
        assert done.returncode == 0, done.stderr
        weights = (work / "out/weights_Si.dat").read_bytes()
        results.append((done.stdout, (work / "out/panna.in").read_text(), weights))
    assert results[0] == results[1] == results[2]


def test_help_is_quick_and_nothing_needs_tensorflow(work):
    assert run() == 0
    code = "import sys, panna.extract_weights as e\n"
    light = code + "print('numpy' in sys.modules)"
    full = code + "e.main(['-c', 'extract.ini']); print('tensorflow' in sys.modules)"
    for text in (light, full):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "False", done.stderr


@pytest.fixture
def committee(tmp_path, monkeypatch) -> Path:
    """A folder with the training of a committee of two."""
    for name, model in (("member_1", MODEL), ("member_2", LAST)):
        write_training(tmp_path / "train" / name, {10: model}, best=10)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_committee_becomes_a_potential_for_each_member(committee, capsys):
    assert run("output_type = PANNA") == 0
    assert read_networks("out/member_2").species == LAST.species
    capsys.readouterr()
    assert run() == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["member_1", "member_2"]
    assert difference(MODEL, "out/member_1") < ROUNDING
    assert difference(LAST, "out/member_2") < ROUNDING
    screen = capsys.readouterr().out
    assert "pair_coeff  * * out/member_1 panna.in Si" in screen
    assert "PANNA('out')" in screen and "networks_folder = out" in screen
    assert screen.count("largest difference of an atomic energy") == 2


def test_an_export_of_a_committee_is_replaced_if_nothing_else_lies_in_it(committee, capsys):
    assert run() == 0
    write_training(committee / "single", {10: MODEL})
    note = committee / "out" / "member_2" / "notes.txt"
    note.write_text("mine")
    assert run() == 2
    assert "out: not empty, and member_2 did not come from" in capsys.readouterr().err
    assert note.read_text() == "mine"
    note.unlink()
    assert run("output_type = LAMMPS\ntrain_dir = single\nstep_number = 10") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["panna.in", "weights_Si.dat"]
    assert run() == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["member_1", "member_2"]


def test_a_kim_item_is_complete(work, capsys):
    metadata = {
        "title": 'Silicon, "as new"',
        "developers": "Ada L, Grace H",
        "contributor": "someone",
        "doi": "10.1/x",
    }
    assert run_kim({**KIM, **metadata}) == 0
    assert "kim-api-collections-management install user out" in capsys.readouterr().out
    written = {path.name for path in Path("out").iterdir()}
    assert written >= {"CMakeLists.txt", "kimspec.edn", "LICENSE", "README.md", "panna.in"}
    spec = Path("out/kimspec.edn").read_text()
    for entry in (
        f'"extended-id" "{KIM["item_name"]}"',
        '"model-driver" "PANNA_Core__MD_000000000000_000"',
        '"title" "Silicon, \\"as new\\""',
        '"species" ["Si"]',
        '"developer" ["Ada L", "Grace H"]',
        '"maintainer-id" "someone"',
    ):
        assert entry in spec, spec
    assert "Copyright (c)" in Path("out/LICENSE").read_text()
    cmake = Path("out/CMakeLists.txt").read_text()
    assert 'PARAMETER_FILES "panna.in" "weights_Si.dat"' in cmake
    assert difference(MODEL, "out") < ROUNDING
    assert run_kim({**KIM, **metadata}) == 0, "an earlier item is replaced"


def test_the_published_kim_driver_only_where_it_can(work, capsys):
    assert run_kim({**KIM, "kim_driver": "published"}) == 0
    assert "PANNA__MD_805652781592_000" in Path("out/CMakeLists.txt").read_text()
    assert "gversion" not in Path("out/panna.in").read_text()
    write_training(work / "train", {30: a_model(SIMPLE, activations=("tanh", "tanh", "linear"))})
    capsys.readouterr()
    assert run_kim({**KIM, "kim_driver": "published"}, "output_type = KIM\nstep_number = 30") == 2
    message = capsys.readouterr().err
    assert "no tanh layers" in message and "Use kim_driver = panna" in message


@pytest.mark.parametrize(
    "io, kim, words",
    [
        ("output_type = KIM", {}, ["item_name", "missing"]),
        ("output_type = KIM", {"item_name": "Si model"}, ["item_name", "__MO_"]),
        ("output_type = KIM", {"item_name": "X__MO_000000000000"}, ["item_name", "__MO_"]),
        ("output_type = LAMMPS", KIM, ["[KIM]", "output_type = KIM"]),
        ("output_type = KIM", {**KIM, "kim_driver": "mine"}, ["kim_driver", "published"]),
        ("output_type = KIM", {**KIM, "licence_file": "absent"}, ["absent", "licence_file"]),
        (
            "output_type = KIM\ngvector_version = 1",
            {**KIM, "kim_driver": "published"},
            ["gvector_version"],
        ),
    ],
)
def test_mistakes_in_the_kim_section(work, capsys, io, kim, words):
    assert run_kim(kim, io) == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message, message
    assert not Path("out").exists()


def test_a_potential_with_ranges_is_replaced(work):
    ranges = Ranges.empty(1, SIMPLE.size)
    ranges.add(0, np.random.default_rng(0).random((5, SIMPLE.size)))
    write_training(work / "train", {40: replace(MODEL, ranges=ranges)})
    for _ in range(2):
        assert run("output_type = LAMMPS\nstep_number = 40") == 0
    assert Path("out/ranges_Si.dat").exists()
