"""examples/silicon_sw: the frames that it makes, and the whole chain with few of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from example_scripts import scripts_of, with_values
from lammps_runs import require_lammps

from panna import evaluate, extract_weights, gvect_calculator, tfr_packer, train, validate
from panna.tools import exyz_parser
from panna.validation.lammps.calculator import LammpsPair
from panna.validation.lammps.pair import Pair

EXAMPLE = Path(__file__).parents[2] / "examples" / "silicon_sw"
SCRIPTS = ("generate", "table", "figures")
CHAIN = (
    *(("gvect", gvect_calculator), ("tfr", tfr_packer)),
    *(("first", train), ("extract_first", extract_weights), ("train", train)),
    *(("evaluate", evaluate), ("extract", extract_weights), ("validate", validate)),
)

# those of which table and figures consist
SECTIONS = "errors, equation_of_state, elastic, rdf, nve, speed"
# generate.py with short runs
SHORT = """
import generate

generate.FRAMES = 3
generate.MELT = generate.MELT.replace("000\\n", "00\\n")
generate.main()
"""


@pytest.fixture(scope="module")
def scripts():
    """The scripts of the example, by their names."""
    require_lammps()
    with scripts_of(EXAMPLE, SCRIPTS) as found:
        yield found


@pytest.fixture(scope="module")
def strained(scripts):
    return scripts["generate"].simulate(number=10, runs=10, seed=1)


def test_frames_are_those_of_stillinger_weber(scripts, strained):
    """A calculator of another path: cells turned, a LAMMPS process, LAMMPS' units."""
    sw = LammpsPair(Pair("sw", [f'* * "{EXAMPLE.parent / "lammps" / "Si.sw"}" Si'], ("Si",)))
    solid = scripts["generate"].simulate(number=0, runs=10, seed=1)
    assert solid[0].info["group"] == "solid"
    for atoms in (strained[0], strained[7], solid[-1]):
        copy = atoms.copy()
        copy.calc = sw
        assert atoms.get_potential_energy() == pytest.approx(copy.get_potential_energy(), abs=1e-5)
        assert atoms.get_forces() == pytest.approx(copy.get_forces(), abs=1e-5)
        assert atoms.get_stress() == pytest.approx(copy.get_stress(), abs=1e-6)


def test_strained_frames_are_cold(strained, scripts):
    assert len(strained) == 15 and {atoms.info["group"] for atoms in strained} == {"strained"}
    box, largest = scripts["generate"].BOX, scripts["generate"].STRAIN
    strains = []
    for atoms in strained:
        change = np.linalg.solve(np.eye(3) * box, atoms.cell.array) - np.eye(3)
        strains.append((change + change.T) / 2)
        # 4.336 eV is the cohesive energy; 3/2 kT at 500 K are 0.065 eV
        assert -4.3366 < atoms.get_potential_energy() / 216 < -4.26
    strains = np.array(strains)
    assert np.abs(strains).max() < largest + 1e-6
    assert strains.std(0).min() > largest / 4  # another one in each frame, of all six components


def test_few_runs_are_refused(scripts, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["generate.py", str(tmp_path / "out"), "--runs", "4"])
    with pytest.raises(SystemExit):
        scripts["generate"].main()
    assert "--runs 4 found, 5 or more expected" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_results_yet(scripts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["figures.py"])
    assert scripts["table"].main() == 2 and scripts["figures"].main() == 2
    assert capsys.readouterr().out.count("no results yet; run run.sh first") == 2


def test_the_chain_with_few_frames(scripts, tmp_path, monkeypatch, capsys):
    for name in ("tensorflow", "matscipy", "phonopy"):
        pytest.importorskip(name)
    results = tmp_path / "examples" / "silicon_sw" / "results"
    folder = results / "ours"
    folder.mkdir(parents=True)
    shutil.copytree(EXAMPLE.parent / "lammps", tmp_path / "examples" / "lammps")
    changes = {
        "max_epochs": "5",
        "number_of_process": "1",
        # of validate.ini: two temperatures each, as in the example
        "atoms": "64",
        "nve_time": "0.3",
        "rdf_time": "0.3",
        "melt_above": "5000",
    }
    for ini in (*EXAMPLE.glob("ours/*.ini"), *EXAMPLE.glob("*.ini")):
        text = with_values(ini.read_text(), **changes)
        if ini.name == "validate.ini":
            text = text.replace("report =", f"sections = {SECTIONS}\nreport =")
        (folder / ini.name).write_text(text)
    # A process of its own: LAMMPS with MPI does not outlive the fork of a process that has used it.
    subprocess.run([sys.executable, "-c", SHORT, results, "--runs", "5"], check=True, cwd=EXAMPLE)
    groups = {
        name: {atoms.info["group"] for atoms in read(results / f"{name}.xyz", ":")}
        for name in ("train", "test")
    }
    assert groups["train"] >= {"strained", "hot"}
    assert not groups["test"] & {"strained", "hot"}
    for name in groups:
        source, target = results / f"{name}.xyz", results / "examples" / name
        assert exyz_parser.main(["-i", str(source), "-o", str(target)]) == 0
    monkeypatch.chdir(folder)
    for name, program in CHAIN:
        assert program.main(["-c", f"{name}.ini"]) == 0

    monkeypatch.chdir(results.parent)
    assert scripts["table"].main() == 0
    text = (results / "table.txt").read_text()
    for row in ("energy RMSE", "C44, GPa", "bulk modulus", "NVE 1800 K", "g(r) 2700 K", "speed"):
        assert row in text
    # Stillinger-Weber's own numbers do not depend on the training
    assert re.search(r"C11, GPa .* 151\.4 ", text) and re.search(r"C44, GPa .* 56\.[45] ", text)
    monkeypatch.setattr(sys, "argv", ["figures.py"])
    assert scripts["figures"].main() == 0
    assert (results / "figures.png").stat().st_size > 50_000
