"""Defects of a potential end LAMMPS through its own error; memory is used as it should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import DESCRIPTORS, SPECIES, random_frame
from lammps_runs import run_bare, setup_lines, write_data
from model_cases import random_potential
from potential_damages import DAMAGES, PUBLISHED, damaged
from valgrind_reports import reports_about, valgrind

from panna import lammps_plugin

# LAMMPS as a library turns its errors into exceptions, so one process tries all potentials.
TRY_ALL = """
import ctypes, json, sys
ctypes.CDLL(sys.prefix + "/lib/libmpi.so.12", mode=ctypes.RTLD_GLOBAL)
from lammps import lammps
messages = {}
for name, folder in json.load(open("folders.json")).items():
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    engine.commands_list(["units metal", "region all block 0 9 0 9 0 9", "create_box 4 all"])
    try:
        engine.commands_list(["pair_style panna", f"pair_coeff * * {folder} panna.in H C N O"])
        messages[name] = ""
    except Exception as error:
        messages[name] = str(error)
    engine.close()
json.dump(messages, open("messages.json", "w"))
"""
WEIGHTS = {
    "short weights": (lambda data: data[:-4], ["weights_C.dat", "bytes"]),
    "long weights": (lambda data: data + b"1234", ["weights_C.dat", "bytes"]),
    "no weights": (lambda data: b"", ["weights_C.dat", "bytes"]),
    "NaN": (
        lambda data: data[:40] + np.float32(np.nan).tobytes() + data[44:],
        ["weights_C.dat", "number 11"],
    ),
}


def all_damages(root: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    folders, words = {}, {}
    # The hash is checked where potentials are made, by Python.
    for i, name in enumerate(name for name in DAMAGES if name != "changed by hand"):
        folder, words[name] = damaged(name, root / str(i))
        folders[name] = str(folder)
    for name, (damage, expected) in WEIGHTS.items():
        folder = shutil.copytree(PUBLISHED, root / name.replace(" ", "_"))
        weights = folder / "weights_C.dat"
        weights.write_bytes(damage(weights.read_bytes()))
        folders[name], words[name] = str(folder), expected
    return folders, words


def test_every_defect_ends_lammps_with_file_line_key_and_remedy(tmp_path):
    folders, words = all_damages(tmp_path)
    folders["none"] = str(PUBLISHED)
    (tmp_path / "folders.json").write_text(json.dumps(folders))
    subprocess.run([sys.executable, "-c", TRY_ALL], cwd=tmp_path, check=True, timeout=300)
    messages = json.loads((tmp_path / "messages.json").read_text())
    assert messages.pop("none") == ""
    for name, message in messages.items():
        assert message.startswith("ERROR: pair_style panna: " + folders[name]), (name, message)
        for word in words[name]:
            assert word in message, (name, message)


def memory_errors(folder: Path, lines: list[str]) -> tuple[str, list[str]]:
    """Output of LAMMPS under valgrind, and those of its reports in which PANNA takes part."""
    before = tuple(valgrind(folder / "report"))
    done = run_bare(folder, lines, lammps_plugin.directory(), before)
    ours = reports_about(folder / "report", "pannaplugin.so")
    # The exception that ends LAMMPS is still there at its end.
    exception = ("__cxa_allocate_exception", "LAMMPSException")
    return done.stdout, [block for block in ours if not any(word in block for word in exception)]


def test_valgrind_finds_nothing_in_a_run(tmp_path):
    """Both kinds of descriptor, a committee, mixed precision, one potential after another."""
    for m, name in enumerate(("mBP", "BP"), 1):
        random_potential(tmp_path / name, DESCRIPTORS[name], seed=m)
    frame = random_frame("triclinic crystal")
    write_data(tmp_path / "frame.data", frame, list(SPECIES))
    elements = " ".join(SPECIES)
    lines = [*setup_lines(frame, "frame.data"), "pair_style panna"]
    lines += [f"pair_coeff * * mBP panna.in BP panna.in {elements}"]
    lines += ["compute each all pair panna", "fix spread all pair 1 panna forces_std 0"]
    lines += ["compute virials all stress/atom NULL virial"]
    lines += ["thermo_style custom step pe c_each[*] press"]
    lines += ["dump all all custom 2 all.dump id f_spread[*] c_virials[*]"]
    lines += ["velocity all create 300 7", "fix move all nve", "timestep 1e-4", "run 4"]
    lines += ["undump all", "unfix spread", "thermo_style custom step pe press", "uncompute each"]
    lines += ["pair_style panna precision mixed", f"pair_coeff * * BP panna.in {elements}", "run 4"]
    text, reports = memory_errors(tmp_path, lines)
    assert text.count("Loop time") == 2, text
    assert not reports, "\n".join(reports)


@pytest.mark.parametrize("name", ["unknown key", "other sizes", "species without section"])
def test_valgrind_finds_nothing_in_a_refusal(tmp_path, name):
    folder, words = damaged(name, tmp_path / "p")
    lines = ["units metal", "region all block 0 9 0 9 0 9", "create_box 4 all"]
    lines += ["pair_style panna", f"pair_coeff * * {folder} panna.in H C N O"]
    text, reports = memory_errors(tmp_path, lines)
    assert "ERROR: pair_style panna: " in text and words[0] in text
    assert not reports, "\n".join(reports)
