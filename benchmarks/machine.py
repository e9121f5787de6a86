"""What every benchmark prints first: machine, versions, command; and how it times."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from panna import core


def header(*packages: str) -> str:
    """Lines that name the processor, the core's instruction set, versions and the command."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass
    lines = [f"machine: {model}, {core.isa()}, {os.cpu_count()} cores, {platform.system()}"]
    found = [f"python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    lines.append("versions: " + ", ".join(found))
    lines.append("command: python " + " ".join(sys.argv))
    return "\n".join(lines)


def interleaved(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """CPU seconds of every job in every round, (rounds,) each.

    The jobs take turns, so that a slow spell of a shared machine meets all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            times[name].append(time.process_time() - start)
    return {name: np.array(values) for name, values in times.items()}
