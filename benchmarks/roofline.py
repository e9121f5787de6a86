"""How near the descriptor kernels are to the arithmetic peak of one core.

    python benchmarks/roofline.py

The peak is measured: independent fused multiply-adds in registers, or multiplications and additions
where the instruction set has none (needs g++). The operations of one atom of S1 are counted from
the kernels, a fused multiply-add as two; most of them are single multiplications and additions, so
that half of the peak is the limit in practice.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from machine import header, interleaved
from systems import silicon

from panna import core
from panna.console import say, table
from panna.descriptors import evaluate

PEAK = r"""
#include <cstdio>
#include <ctime>
typedef double V __attribute__((vector_size(BYTES)));
#if BYTES == 16
#define STEP(x) asm volatile("mulpd %1, %0\n\taddpd %2, %0" : "+x"(x) : "x"(b), "x"(c))
#else
#define STEP(x) asm volatile("vfmadd213pd %2, %1, %0" : "+v"(x) : "v"(b), "v"(c))
#endif
static double now() { timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
int main() {
  const V b = V{} + 0.999, c = V{} + 1e-3;
  V x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b;
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double start = now();
    for (long i = 0; i < 20000000; ++i) {
      STEP(x0); STEP(x1); STEP(x2); STEP(x3); STEP(x4);
      STEP(x5); STEP(x6); STEP(x7); STEP(x8); STEP(x9);
    }
    const double t = now() - start;
    if (t < best) best = t;
  }
  const V sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9;
  std::printf("%g %g\n", 20000000.0 * 10 * 2 * (BYTES / 8) / best / 1e9, sum[0]);
}
"""  # noqa: E501
BYTES = {"baseline": 16, "neon": 16, "avx2": 32, "avx512": 64}
FLAGS = {"baseline": [], "neon": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mfma"]}

# Operations of one exponential, one inverse square root, one cutoff function with derivative.
EXP, RSQRT, CUTOFF = 31, 14, 38


def peak(isa: str) -> float:
    """Measured peak in Gflop/s of one core."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "peak.cpp", Path(folder) / "peak"
        source.write_text(PEAK)
        command = ["g++", "-O2", f"-DBYTES={BYTES[isa]}", *FLAGS[isa], str(source), "-o"]
        subprocess.run([*command, str(program)], check=True)
        return float(subprocess.run([program], capture_output=True, check=True).stdout.split()[0])


def operations(neighbours: float, pairs: float, radial: int, shells: int, angles: int) -> dict:
    """Floating-point operations of one atom, equidistant centres and an exponent of 50."""
    groups = -(-radial // 4)
    of_neighbour = 15 + 2 * CUTOFF + EXP + groups * (EXP + 12)
    mirrored = angles / 2
    of_pair = (
        9 + 5  # cosine, argument and weights
        + EXP + -(-shells // 4) * (EXP + 12)  # radial factors
        + mirrored * (RSQRT + 6) + angles * (3 + 7 + 2)  # h, h', h^49, T, T'
    )  # fmt: skip
    outer = shells + 2 * shells * angles
    backward = 4 * shells * angles + 8 * shells + 2 * angles + 8 + 20
    factors = neighbours * of_neighbour + pairs * of_pair
    return {
        "G": factors + pairs * outer + neighbours * 2 * radial,
        "vjp": factors + pairs * backward + neighbours * (7 * radial + 25),
    }


def main() -> None:
    system = silicon()
    nl, parameters = system.neighbours(), system.parameters
    counts = np.diff(nl.first)
    flops = operations(counts.mean(), (counts * (counts - 1) / 2).mean(), 16, 4, 8)
    g_bar = np.ones((system.n_atoms, parameters.size))
    say(header("numpy"))
    rows = []
    for isa in core.isas():
        core.set_isa(isa)
        limit = peak(isa)
        times = interleaved(
            {
                "G": lambda: evaluate.compute(parameters, nl, threads=1),
                "vjp": lambda: evaluate.vjp(parameters, nl, g_bar, threads=1),
            },
            300,  # of some milliseconds: a slow spell of the machine is shorter
        )
        for what, t in times.items():
            seconds = t.min() / system.n_atoms  # what the kernels can do, the machine left alone
            reached = flops[what] / seconds / 1e9
            rows.append(
                [isa, what, f"{flops[what] / 1e3:.0f}", f"{1e6 * seconds:.2f}", f"{reached:.1f}",
                 f"{limit:.1f}", f"{100 * reached / limit:.0f} %"]
            )  # fmt: skip
    titles = ["instruction set", "what", "kflop/atom", "fastest, us/atom", "Gflop/s", "peak"]
    titles += ["reached"]
    say(table(titles, rows))


if __name__ == "__main__":
    main()
