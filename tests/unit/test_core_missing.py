"""Sources without the compiled core, as `python -m` finds them in a checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import panna


def test_a_missing_core_is_explained(tmp_path):
    package = Path(panna.__file__).parent
    shutil.copytree(package, tmp_path / "panna", ignore=shutil.ignore_patterns("*.so", "*.hpp"))
    (tmp_path / "x.ini").write_text(
        "[IO_INFORMATION]\ninput_json_dir = .\n[SYMMETRY_FUNCTION]\ntype = mBP\nspecies = H\n"
        "[GVECT_PARAMETERS]\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "panna.gvect_calculator", "-c", "x.ini"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "the compiled core is missing" in done.stderr and "Traceback" not in done.stderr
