"""gvect_calculator and tfr_packer over many frames: CPU time and memory for each frame.

    python benchmarks/streaming.py [--frames 1000 10000 100000] [--folder DIR]

Hydrogen molecules, one .example each, 18 components without derivatives; every program runs alone
in a process of its own, and gvect_calculator once more over what is there. Memory is the largest
resident set of that process; what it grows by from one number of frames to the next, divided by
the frames, is what a frame costs (from the first to the second also what Python sets aside once).
The files need up to 8 kB of disk per frame.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import header

from panna.console import say, table

GVECT = """\
[IO_INFORMATION]
input_json_dir = examples
output_gvect_dir = bin
log_dir = .
[SYMMETRY_FUNCTION]
type = mBP
species = H, O
[GVECT_PARAMETERS]
eta_rad = 4
Rc_rad = 3.0
Rs0_rad = 0.5
RsN_rad = 3
eta_ang = 1
Rc_ang = 3.0
Rs0_ang = 0.5
RsN_ang = 2
zeta = 4
ThetasN = 2
"""
PACK = "[IO_INFORMATION]\ninput_dir = bin\noutput_dir = tfr\n"
PROGRAMS = {
    "gvect_calculator": ("panna.gvect_calculator", "gvect.ini"),
    "gvect_calculator again": ("panna.gvect_calculator", "gvect.ini"),
    "tfr_packer": ("panna.tfr_packer", "tfr.ini"),
}


def write_frames(folder: Path, count: int) -> None:
    """Input of both programs: hydrogen molecules of different lengths, and the ini files."""
    (folder / "examples").mkdir()
    for i in range(count):
        length = 0.7 + 0.1 * i / count
        content = {
            "unit_of_length": "angstrom",
            "atomic_position_unit": "cartesian",
            "energy": [-31.0 + length, "eV"],
            "atoms": [[1, "H", [0, 0, 0], [0, 0, 0]], [2, "H", [0, 0, length], [0, 0, 0]]],
        }
        (folder / "examples" / f"frame_{i:07d}.example").write_text(json.dumps(content))
    (folder / "gvect.ini").write_text(GVECT)
    (folder / "tfr.ini").write_text(PACK)


def measure(module: str, config: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and largest resident set in bytes of one run of a program."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, "-c", config], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{module} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, unit * usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the files go, by default /tmp")
    options = parser.parse_args()
    say(header("panna", "numpy", "tensorflow-cpu"))
    rows, before = [], {}
    for count in sorted(options.frames):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            write_frames(folder, count)
            for program, command in PROGRAMS.items():
                seconds, memory = measure(*command, folder)
                fewer, less = before.get(program, (0, 0))
                each = f"{(memory - less) / (count - fewer):.0f}" if fewer else None
                before[program] = count, memory
                rows.append(
                    [program, count, f"{1e3 * seconds / count:.2f}", f"{memory / 1e6:.0f}", each]
                )
    titles = ["program", "frames", "CPU, ms per frame", "memory, MB", "bytes for each more"]
    say(table(titles, sorted(rows, key=lambda row: list(PROGRAMS).index(row[0]))))


if __name__ == "__main__":
    main()
