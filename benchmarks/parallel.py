"""Training by several processes on one machine: steps per second against one process.

    python benchmarks/parallel.py [--rounds 3] [--epochs 8] [--batch 32]

216-atom silicon, 48 components, 48:32:16:1, energies and forces on the fly, 16 batches in an epoch,
one thread for each process that calculates. Wall time between the ends of the third and the last
epoch, as metrics.csv shows them; medians over the rounds, in which the cases take turns. Cases:
one process; one and two workers with a parameter server and a chief, where every step is that of
one worker; two processes in step, each with half of every batch.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from machine import header
from training import FRAMES, write_data

from panna.console import say, table

PROGRAM = Path(__file__).parents[1] / "panna" / "train.py"
WARM = 3  # epochs before the clock starts
STEPS = 16  # in an epoch
CASES: dict[str, dict[str, int]] = {
    "one process": {},
    "servers, 1 worker": {"chief": 1, "worker": 1, "ps": 1},
    "servers, 2 workers": {"chief": 1, "worker": 2, "ps": 1},
    "in step, 2 processes": {"worker": 2},
}


def ini(folder: Path, epochs: int, batch: int) -> Path:
    path = folder / "train.ini"
    path.write_text(
        f"""[IO_INFORMATION]
data_dir = {folder.parent / "silicon"}
train_dir = {folder / "run"}
save_checkpoint_steps = 1000000
[PARALLELIZATION]
intra_op_parallelism_threads = 1
[TRAINING_PARAMETERS]
batch_size = {batch}
max_epochs = {epochs}
derivatives = on_the_fly
[DEFAULT_NETWORK]
architecture = 32:16:1
"""
    )
    return path


def environments(jobs: dict[str, int]) -> list[dict[str, str]]:
    """One for each process; the last one is of the chief or first worker."""
    if not jobs:
        return [{}]
    ports = []
    for _ in range(sum(jobs.values())):
        with socket.socket() as one:
            one.bind(("", 0))
            ports.append(f"127.0.0.1:{one.getsockname()[1]}")
    cluster = {job: [ports.pop() for _ in range(count)] for job, count in jobs.items()}
    tasks = [{"type": job, "index": i} for job, count in jobs.items() for i in range(count)]
    return [{"TF_CONFIG": json.dumps({"cluster": cluster, "task": t})} for t in reversed(tasks)]


def steps_per_second(case: str, folder: Path, epochs: int, batch: int) -> float:
    """Runs one training."""
    folder.mkdir()
    command = [sys.executable, str(PROGRAM), "--config", str(ini(folder, epochs, batch))]
    running = [
        subprocess.Popen(
            command, env=os.environ | extra, stdout=subprocess.DEVNULL, start_new_session=True
        )
        for extra in environments(CASES[case])
    ]
    seen: dict[int, float] = {}
    metrics = folder / "run" / "metrics.csv"
    try:
        while running[-1].poll() is None:
            if metrics.is_file():
                seen.setdefault(len(metrics.read_bytes().splitlines()) - 1, time.perf_counter())
            time.sleep(0.005)
        if any(one.wait(60) for one in running):
            raise RuntimeError(f"{case}: a process failed")
    finally:
        for one in running:
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
    begin = min(epoch for epoch in seen if epoch >= WARM)
    return STEPS * (epochs - begin) / (seen[epochs] - seen[begin])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case")
    parser.add_argument("--epochs", type=int, default=8, help="of each run, of 16 steps")
    parser.add_argument("--batch", type=int, default=32, help="frames in a batch, 8 or more")
    arguments = parser.parse_args()
    say(header("tensorflow-cpu", "tensorflow", "numpy"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data("silicon", folder / "silicon")
        for number in range(STEPS * arguments.batch // FRAMES["silicon"] - 1):
            shutil.copy(
                folder / "silicon" / "1-1.tfrecord", folder / "silicon" / f"{number}.tfrecord"
            )
        found = {case: [] for case in CASES}
        for number in range(arguments.rounds):
            for case in CASES:
                place = folder / f"{number} {case}"
                found[case].append(steps_per_second(case, place, arguments.epochs, arguments.batch))
    base = float(np.median(found["one process"]))
    rows = []
    for case, values in found.items():
        median = float(np.median(values))
        spread = f"{min(values):.2f} to {max(values):.2f}"
        rows.append(
            [
                case,
                f"{median:.2f}",
                spread,
                f"{arguments.batch * median:.0f}",
                f"{median / base:.2f}",
            ]
        )
    say(
        "\n"
        + table(["case", "steps/s", "lowest to highest", "frames/s", "against one process"], rows)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
