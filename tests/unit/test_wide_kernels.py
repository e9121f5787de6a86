"""The kernels with registers of 64 bytes, on machines that have no such registers.

wide_kernels.cpp compiles them in plain code and compares them with the other variants; of what
AVX-512 runs, only the few intrinsics of vector.inl.hpp are not in it.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from panna import core

SOURCE = Path(__file__).with_name("wide_kernels.cpp")
# Largest differences from the baseline, relative to the largest number. full: sums of a few hundred
# terms in another order. mixed, single: rounding of single precision, 6e-8, in tens of operations.
TOLERANCE = {"full": 1e-12, "mixed": 5e-6, "single": 1e-6}
FULL = {"G", "vjp", "jvp", "jacobian", "energies", "slopes"}
MIXED = FULL - {"jacobian"}


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_kernels_of_the_widest_registers_give_what_the_baseline_gives(tmp_path):
    include = Path(core.__file__).parent / "include"
    program = tmp_path / "wide_kernels"
    options = ["-std=gnu++17", "-O1", "-fno-math-errno", "-Wno-psabi"]
    subprocess.run(["g++", *options, f"-I{include}", SOURCE, "-o", program], check=True)
    output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    compared = {}
    for line in output.splitlines():
        variant, precision, what, difference = line.split()
        compared.setdefault((variant, precision), set()).add(what)
        assert float(difference) < TOLERANCE[precision], line
    variants = {"wide", *core.isas()[1:]}
    expected = {"full": FULL, "mixed": MIXED, "single": {"blocks"}}
    assert compared == {(name, p): what for name in variants for p, what in expected.items()}
