"""Steps of training where TensorFlow computes: on a GPU if there is one, else on the CPU.

    python benchmarks/gpu.py [--batches 8 64] [--steps 5] [--rounds 3] [--threads 0]

216 atoms of silicon in a frame, 48 components, 48:32:16:1, with forces, XLA. The same training with
stored derivatives in one graph; on the fly, products with the derivatives by the compiled core on
the CPU; on the fly, everything in one graph. Each case runs in a process of its own, after steps to
warm up; medians.

frames/s: the whole step with its data pipeline. graphs: what TensorFlow does of it, with inputs
that are on the device already; their share of the step is the time in which a device can be busy.
inputs: arrays that a step sends to the device. GB/s: twice the inputs, which every step reads on
its way forth and back, in the time of the graphs; what else is moved is not counted. The limit of
the device is measured: an addition to a large array, read and written. memory: peak of the process
less that before the data are opened, data of all frames included; on the device: peak there.
On a GPU times are wall times; on a CPU, which others may use, they are CPU times of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import header
from training import FRAMES, panna_steps, peak_bytes, write_data

from panna.console import say, table

# Source of the derivatives, and whether the step is the one of a GPU.
CASES = {
    "stored, one graph": ("stored", True),
    "on the fly, core": ("on_the_fly", False),
    "on the fly, one graph": ("on_the_fly", True),
}
PEER = "on the fly, core"
LARGE = 1 << 26  # float32 numbers, 256 MB


def device() -> dict[str, str]:
    """What TensorFlow computes on: "kind" and "name"."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return {"kind": "CPU", "name": "CPU, no GPU"}
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name)
    return {"kind": "GPU", "name": name}


def clock() -> Callable[[], float]:
    return time.perf_counter if device()["kind"] == "GPU" else time.process_time


def seconds(function: Callable[[], Any], count: int) -> list[float]:
    now, found = clock(), []
    for _ in range(count):
        start = now()
        function()
        found.append(now() - start)
    return found


def limit() -> float:
    """Bytes per second that a simple operation on a large array reads and writes."""
    import tensorflow as tf

    # The threads that the cases have.
    if device()["kind"] == "CPU":
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with tf.device(f"{device()['kind']}:0"):
        array = tf.Variable(tf.zeros([LARGE]))

        @tf.function(jit_compile=True)
        def more(values):
            return values + 1.0, values[0]

        best = min(seconds(lambda: more(array)[1].numpy(), 10)[1:])
    return 2 * 4 * LARGE / best


def graphs_alone(step, batch) -> tuple[Callable[[], Any], int]:
    """The TensorFlow part of a step with inputs prepared once, and the bytes of these inputs."""
    import tensorflow as tf

    from panna.training.whole_step import WholeStep

    size = np.float64(1e-6)

    def placed(arrays):
        with tf.device(f"{device()['kind']}:0"):
            return tf.nest.map_structure(lambda one: tf.identity(tf.convert_to_tensor(one)), arrays)

    if isinstance(step, WholeStep):
        inputs = step._graph_inputs(batch)
        there = placed(inputs)
        return lambda: step._update(*there, size)[1].numpy(), _bytes(inputs)
    layout = step.lengths.sort(batch["species"])
    inputs = layout.split(batch["descriptors"])
    score = [step._labels(batch, layout), *step._predictions(batch, layout, inputs, trained=True)]
    back = step._forces_and_back(batch)
    parts = [placed(one) for one in ([inputs], score, list(back))]

    def run() -> None:
        step._predict[True](*parts[0])[0][0].numpy()
        step._score(*parts[1])[0].numpy()
        step._update(*parts[2], size)[1].numpy()

    return run, sum(map(_bytes, ([inputs], score, back)))


def _bytes(arrays: Any) -> int:
    import tensorflow as tf

    return sum(np.asarray(one).nbytes for one in tf.nest.flatten(arrays))


def run_case(case: str, batch: int, steps: int, threads: int, folder: Path) -> dict[str, float]:
    """One case, in this process."""
    import tensorflow as tf

    import panna.training.engine as engine

    source, in_graph = CASES[case]
    engine.on_gpu = lambda: in_graph
    if device()["kind"] == "CPU":
        threads = 1
    prepare, every_step, opened = panna_steps(
        "silicon", source, folder, batch, threads or os.cpu_count(), "xla = true"
    )
    before = peak_bytes()
    prepare()
    running = every_step()
    for _ in range(FRAMES["silicon"] // batch + 1):  # all batches once: no shape is new afterwards
        next(running)
    whole = seconds(lambda: next(running), steps)
    memory = peak_bytes() - before
    loop = opened[0].loop
    load = loop.train.source.load(loop.train.order(0)[:batch])
    run, size = graphs_alone(loop.step, load)
    run()
    alone = seconds(run, steps)
    found = {
        "step": float(np.median(whole)),
        "graphs": float(np.median(alone)),
        "inputs": size,
        "memory": memory,
    }
    if device()["kind"] == "GPU":
        found["on_device"] = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return found


def in_process(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def rows(results: dict[tuple[str, int], list[dict[str, float]]], highest: float) -> list[list[str]]:
    medians = {
        key: {name: float(np.median([one[name] for one in found])) for name in found[0]}
        for key, found in results.items()
    }
    made = []
    for (case, batch), found in medians.items():
        rate = 2 * found["inputs"] / found["graphs"]
        ratio = medians[PEER, batch]["step"] / found["step"]
        on_device = f"{found['on_device'] / 1e6:.0f}" if "on_device" in found else "-"
        made.append(
            [case, f"{batch}", f"{batch / found['step']:.0f}", f"{ratio:.2f}",
             f"{1e3 * found['step']:.1f}", f"{1e3 * found['graphs']:.1f}",
             f"{100 * found['graphs'] / found['step']:.0f} %", f"{found['inputs'] / 1e6:.1f}",
             f"{rate / 1e9:.2f}", f"{100 * rate / highest:.0f} %", f"{found['memory'] / 1e6:.0f}",
             on_device]
        )  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 64], help="frames in a batch")
    parser.add_argument("--steps", type=int, default=5, help="timed in each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case, in turn")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU beside a GPU; 0: all")
    parser.add_argument("--case", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case == ["device"]:
        say(json.dumps(device() | {"limit": limit()}))
        return
    if args.case:
        case, batch, steps, threads, folder = args.case
        done = run_case(case, int(batch), int(steps), int(threads), Path(folder))
        say(json.dumps(done))
        return
    say(header("tensorflow", "tensorflow-cpu", "numpy"))
    there = in_process("device")
    say(f"device: {there['name']}; {there['limit'] / 1e9:.1f} GB/s for an addition to 256 MB")
    times = "wall times" if there["kind"] == "GPU" else "CPU times of one thread"
    say(f"{times}; medians of {args.rounds} interleaved runs of {args.steps} steps each\n")
    results: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        write_data("silicon", Path(name) / "silicon")
        for _ in range(args.rounds):
            for batch in args.batches:
                for case in CASES:
                    found = in_process(case, batch, args.steps, args.threads, name)
                    results.setdefault((case, batch), []).append(found)
    headers = ["derivatives", "batch", "frames/s", "to core", "step, ms", "graphs, ms", "share",
               "inputs, MB", "GB/s", "of limit", "memory, MB", "on device, MB"]  # fmt: skip
    say(table(headers, rows(results, there["limit"])))


if __name__ == "__main__":
    main()
