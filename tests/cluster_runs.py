"""Processes of a cluster on this machine, for the tests; none of them outlives its test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TIMEOUT = 240.0  # seconds; machines of tests are slow and busy
PROGRAM = Path(__file__).parents[1] / "panna" / "train.py"


def free_ports(count: int) -> int:
    """The first of some consecutive ports that nobody uses."""
    for first in range(21000 + os.getpid() % 20000, 60000, count):
        if all(_is_free(first + i) for i in range(count)):
            return first
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as tried, suppress(OSError):
        tried.bind(("", port))
        return True
    return False


def tf_config(cluster: dict[str, list[str]], job: str, index: int) -> dict[str, str]:
    """Environment of one task."""
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})}


class Running:
    """One process, with its output in a file; alone in its process group."""

    def __init__(self, log: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self.log = log
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def end(self, timeout: float = TIMEOUT) -> int:
        """Its exit code."""
        return self.process.wait(timeout)

    def send(self, number: int) -> None:
        """A signal to it and to what it has started, as from a terminal."""
        os.killpg(self.process.pid, number)

    @property
    def left_behind(self) -> bool:
        """It or something that it has started is still there."""
        self.process.poll()  # a dead child stays in its group until it is asked for
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Processes:
    """All processes of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.all = folder, []

    def start(self, ini: Path, *flags: str, **environment: str) -> Running:
        """Starts panna_train."""
        log = self.folder / f"process_{len(self.all)}.log"
        self.all.append(Running(log, ["--config", str(ini), *flags], environment))
        return self.all[-1]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits; fails with the outputs if the time is over or all processes have ended."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            alive = any(one.process.poll() is None for one in self.all)
            assert alive and time.monotonic() < end, f"{what}: not seen\n{self.outputs()}"
            time.sleep(0.1)

    def outputs(self) -> str:
        return "\n".join(f"--- {one.log.name}\n{one.output}" for one in self.all)

    def none_left(self) -> None:
        """Fails if a process is there a while after the ends that the test has waited for."""
        end = time.monotonic() + 20
        while any(one.left_behind for one in self.all):
            left = [one.log.name for one in self.all if one.left_behind]
            assert time.monotonic() < end, f"still there: {left}\n{self.outputs()}"
            time.sleep(0.1)


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Processes that are killed at the end, whatever happened."""
    found = Processes(folder)
    try:
        yield found
    finally:
        for one in found.all:
            with suppress(ProcessLookupError):
                one.send(signal.SIGKILL)
            one.process.wait()


def rows(train_dir: Path) -> int:
    """Finished epochs, by metrics.csv."""
    path = train_dir / "metrics.csv"
    return max(0, len(path.read_text().splitlines()) - 1) if path.is_file() else 0
