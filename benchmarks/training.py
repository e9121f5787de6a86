"""Speed and memory of training: frames per second and core.

    python benchmarks/training.py [--rounds 5]

silicon: 216 atoms in a frame, 48 components, 48:32:16:1, batches of 64, with forces from stored
derivatives (in single or half precision) and on the fly, or energies only. molecules: H, C, N, O,
768 components, networks 768:128:128:64:1, batches of 1024, energies only. One thread; the whole
step with its data pipeline, CPU time of the process, medians of several runs of a process each.
Memory: peak of the process less that before the data are opened; data of 128 frames (silicon) or
4096 (molecules) included. Peers where pip has them: PyTorch with the same networks, optimiser and
stored data, and with torchani computing the descriptors in the step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TORCHANI_NO_WARN_EXTENSIONS"] = "1"

import numpy as np
from ase import Atoms
from ase.build import molecule
from machine import header
from systems import centres, descriptor, frame_of, silicon_atoms

from panna.console import say, table
from panna.descriptors.parameters import MBP, DescriptorParameters

WARM_UP = {"silicon": 6, "molecules": 12}  # steps
TIMED = 1.5  # s at least, of as many steps as that takes
SIZES = {"silicon": (32, 16, 1), "molecules": (128, 128, 64, 1)}
BATCH = {"silicon": 64, "molecules": 1024}
FRAMES = {"silicon": 128, "molecules": 4096}
CASES = {
    "silicon, energies": ("silicon", "none"),
    "silicon, forces, stored": ("silicon", "stored"),
    "silicon, forces, stored_half": ("silicon", "stored_half"),
    "silicon, forces, on the fly": ("silicon", "on_the_fly"),
    "molecules, energies": ("molecules", "none"),
}
PROFILED = ("stored", "stored_half", "on_the_fly")
MOLECULES = "CH4 NH3 H2O C2H2 C2H4 C2H6 HCN H2CO CH3OH H2O2 N2H4 CO2 CH3CN HCOOH C3H8 CH3CH2OH"


def parameters(system: str) -> DescriptorParameters:
    if system == "silicon":
        return descriptor(("Si",))
    return MBP(  # 4 x 32 radial and 10 x 8 x 8 angular components, as in the paper
        species=("H", "C", "N", "O"),
        rc_rad=4.6, rs_rad=centres(0.5, 4.6, 32), eta_rad=(16.0,) * 32,
        rc_ang=3.1, rs_ang=centres(0.5, 3.1, 8), eta_ang=(6.0,) * 8,
        thetas=tuple((m + 0.5) * np.pi / 8 for m in range(8)), zeta=(50.0,) * 8,
    )  # fmt: skip


def structures(system: str) -> Iterator[Atoms]:
    """Disordered cells, or distorted molecules of all kinds in turn."""
    rng = np.random.default_rng(0)
    names = MOLECULES.split()
    for i in range(FRAMES[system]):
        atoms = silicon_atoms() if system == "silicon" else molecule(names[i % len(names)])
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        yield atoms


def write_data(system: str, folder: Path) -> None:
    """One TFRecord file with invented energies and forces."""
    from panna.storage.frame_record import describe
    from panna.storage.tfrecord import write_tfrecord

    rng = np.random.default_rng(1)
    records = []
    for i, atoms in enumerate(structures(system)):
        frame = replace(
            frame_of(atoms), name=f"{i}", energy=-4.0 * len(atoms) + rng.normal(),
            forces=rng.normal(size=(len(atoms), 3)),
        )  # fmt: skip
        records.append(describe(frame, parameters(system), threads=1))
    folder.mkdir()
    write_tfrecord(folder / "1-1.tfrecord", records)


# -- one case in a process of its own --------------------------------------------------------------


def peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def panna_steps(
    system: str,
    source: str,
    folder: Path,
    batch: int | None = None,
    threads: int = 1,
    options: str = "",
) -> tuple[Callable, Callable, list]:
    """Functions that open the data and that make one step after the other; the session.

    options: more lines of [TRAINING_PARAMETERS].
    """
    from panna.config.reader import read_config
    from panna.config.train import TRAIN
    from panna.training.session import prepare
    from panna.training.tensorflow_setup import prepare_tensorflow

    ini = folder / f"{os.getpid()}.ini"
    ini.write_text(
        f"""[IO_INFORMATION]
data_dir = {folder / system}
train_dir = {folder / "run"}
[PARALLELIZATION]
inter_op_parallelism_threads = {threads}
intra_op_parallelism_threads = {threads}
[TRAINING_PARAMETERS]
defaults = v1
batch_size = {batch or BATCH[system]}
max_epochs = 1000
forces_cost = {0 if source == "none" else 1}
derivatives = {"auto" if source == "none" else source}
loss_function = quad_atom
floss_function = quad_percomp
{options}
[DEFAULT_NETWORK]
architecture = {":".join(map(str, SIZES[system]))}
activations = {":".join(["tanh"] * (len(SIZES[system]) - 1) + ["linear"])}
"""
    )
    config = read_config(ini, TRAIN)
    prepare_tensorflow(False, threads, threads, False)
    opened: list = []

    def steps() -> Iterator[None]:
        loop = opened[0].loop
        for epoch in range(1000):
            for number, batch in enumerate(loop.train.epoch_batches(epoch)):
                loop.step.train(batch, 1e-3, 1 + number + epoch * loop.train.n_batches)
                yield

    return lambda: opened.append(prepare(config)), steps, opened


def torch_steps(system: str, source: str, folder: Path) -> tuple[Callable, Callable, list]:
    """The same training in PyTorch: standardised descriptors in memory, Adam, autograd."""
    import torch

    torch.set_num_threads(1)
    data: dict = {}

    def prepare() -> None:
        from panna.storage.dataset import open_dataset

        p = parameters(system)
        stored = "stored" if source == "stored" else "none"
        files = list((folder / system).glob("*.tfrecord"))
        batches = open_dataset(
            files, len(p.species), p.size, stored, batch_size=BATCH[system], forces=True
        ).resident()
        data["batches"] = []
        for batch in batches.epoch_batches(0):
            made = {k: torch.tensor(v) for k, v in batch.items() if k not in ("name", "blocks")}
            g = made["descriptors"]
            made["descriptors"] = (g - g.mean(0)) / (g.std(0) + 0.1)
            if "blocks" in batch:
                # Padded to the largest number of neighbours, for one batched product.
                counts = np.diff(batch["first"])
                blocks = np.zeros((len(counts), counts.max(), 3, p.size), np.float32)
                index = np.zeros((len(counts), counts.max()), np.int64)
                inside = np.arange(counts.max()) < counts[:, None]
                blocks[inside] = np.concatenate(batch["blocks"])
                index[inside] = batch["index"]
                made["blocks"] = torch.tensor(blocks.reshape(len(counts), -1, p.size))
                made["neighbour"] = torch.tensor(index)
            data["batches"].append(made)
        torch.manual_seed(0)
        layers = []
        for _ in p.species:
            widths, parts = (p.size, *SIZES[system]), []
            for a, b in zip(widths, widths[1:], strict=False):
                parts += [torch.nn.Linear(a, b), torch.nn.Tanh()]
            layers.append(torch.nn.Sequential(*parts[:-1]))
        data["nets"] = torch.nn.ModuleList(layers)
        data["adam"] = torch.optim.Adam(data["nets"].parameters(), 1e-3)
        if source == "torchani":
            import torchani

            data["aev"] = torchani.AEVComputer.from_constants(
                # torchani wants a radial cutoff beyond the angular one.
                p.rc_rad + 1e-4, p.rc_ang, p.eta_rad[0], p.rs_rad, p.eta_ang[0], p.zeta[0],
                p.rs_ang, p.thetas, len(p.species),
            )  # fmt: skip
            frames = [frame_of(atoms) for atoms in structures(system)][: BATCH[system]]
            data["frames"] = frames

    def atomic_energies(g, species):
        if len(data["nets"]) == 1:
            return data["nets"][0](g)[:, 0]
        energies = torch.zeros(len(g))
        for s, net in enumerate(data["nets"]):
            mine = torch.nonzero(species == s)[:, 0]
            energies = energies.index_put((mine,), net(g[mine])[:, 0])
        return energies

    def one_step(batch) -> None:
        data["adam"].zero_grad()
        g, n = batch["descriptors"], len(batch["energy"])
        if source == "stored":
            g = g.detach().requires_grad_(True)
        atomic = atomic_energies(g, batch["species"])
        energy = torch.zeros(n).index_add(0, batch["frame_of_atom"], atomic)
        reference = (batch["energy"] / batch["n_atoms"]).float() + 4
        loss = ((energy / batch["n_atoms"] - reference) ** 2).mean()
        if source == "stored":
            slope = torch.autograd.grad(atomic.sum(), g, create_graph=True)[0]
            pairs = torch.bmm(batch["blocks"], slope[:, :, None]).reshape(len(g), -1, 3)
            forces = pairs.sum(1)
            forces = forces.index_add(0, batch["neighbour"].ravel(), -pairs.reshape(-1, 3))
            loss = loss + ((forces - batch["forces"]) ** 2).mean()
        loss.backward()
        data["adam"].step()

    def torchani_step(frame) -> None:
        data["adam"].zero_grad()
        x = torch.tensor(frame.positions[None], dtype=torch.float32, requires_grad=True)
        species = torch.zeros(x.shape[:2], dtype=torch.long)
        cell, pbc = torch.tensor(frame.cell, dtype=torch.float32), torch.tensor([True] * 3)
        atomic = atomic_energies(data["aev"](species, x, cell, pbc)[0], species[0])
        forces = -torch.autograd.grad(atomic.sum(), x, create_graph=True)[0]
        (atomic.mean() ** 2 + (forces**2).mean()).backward()
        data["adam"].step()

    def steps() -> Iterator[None]:
        while True:
            if source == "torchani":
                for frame in data["frames"]:
                    torchani_step(frame)
                    yield
            for batch in data.get("batches", ()):
                one_step(batch)
                yield

    return prepare, steps, []


def timed(seconds: dict[str, list[float]], part: str, function: Callable) -> Callable:
    """The function, noting its CPU time."""

    def wrapped(*args):
        start = time.process_time()
        result = function(*args)
        seconds.setdefault(part, []).append(time.process_time() - start)
        return result

    return wrapped


def run_profile(source: str, folder: Path) -> dict[str, float]:
    """Milliseconds that the parts of a step take, silicon with forces; medians."""
    prepare, _, opened = panna_steps("silicon", source, folder)
    prepare()
    loop, seconds = opened[0].loop, {}
    step, data = loop.step, loop.train.source
    predict = timed(seconds, "E and dE/dG (TensorFlow)", step._predict[True])
    step._predict = {True: predict}
    slopes = timed(seconds, "forces (core)", step.derivatives.slopes)
    changes = timed(seconds, "the way back to dE/dG (core)", step.derivatives.changes)
    step.derivatives = SimpleNamespace(slopes=slopes, changes=changes)
    step._score = timed(seconds, "loss (TensorFlow)", step._score)
    step._update = timed(seconds, "weights (TensorFlow)", step._update)
    load = timed(seconds, "batch from memory", data.load)
    train = timed(seconds, "whole step", step.train)
    for number in range(20):
        order = loop.train.order(number)[: loop.train.batch_size]
        train(load(order), 1e-3, 1 + number)
    return {part: 1e3 * float(np.median(values[5:])) for part, values in seconds.items()}


def run_case(framework: str, system: str, source: str, folder: Path) -> dict[str, float]:
    """Frames per second of CPU time, seconds until the first step, and memory."""
    make = panna_steps if framework == "panna" else torch_steps
    prepare, steps, _ = make(system, source, folder)
    before, start = peak_bytes(), time.process_time()
    prepare()
    opened = time.process_time() - start
    running = steps()
    for _ in range(WARM_UP[system]):
        next(running)
    cpu, count, seconds = time.process_time(), 0, 0.0
    while seconds < TIMED:
        next(running)
        count += 1
        seconds = time.process_time() - cpu
    frames = count * (1 if source == "torchani" else BATCH[system])
    return {"speed": frames / seconds, "opened": opened, "memory": peak_bytes() - before}


# -- all cases -------------------------------------------------------------------------------------


@contextmanager
def benchmark_data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for system in FRAMES:
            write_data(system, Path(name) / system)
        yield Path(name)


def jobs() -> list[tuple[str, str, str, str]]:
    """Row of the table, framework, system, source."""
    found = [(f"panna: {name}", "panna", *what) for name, what in CASES.items()]
    try:
        import torch  # noqa: F401
    except ImportError:
        return found
    found += [
        (f"PyTorch: {name}", "torch", *what)
        for name, what in CASES.items()
        if what[1] in ("none", "stored")
    ]
    try:
        import torchani  # noqa: F401
    except ImportError:
        return found
    return [*found, ("torchani: silicon, forces, on the fly", "torch", "silicon", "torchani")]


def in_process(*case: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--case", *case]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        framework, system, source, folder = args.case
        if framework == "profile":
            say(json.dumps(run_profile(source, Path(folder))))
        else:
            say(json.dumps(run_case(framework, system, source, Path(folder))))
        return
    say(header("tensorflow-cpu", "numpy", "torch", "torchani"))
    say(f"one thread; medians of {args.rounds} interleaved runs\n")
    results: dict[str, list[dict[str, float]]] = {}
    with benchmark_data() as folder:
        for _ in range(args.rounds):
            for row, *case in jobs():
                results.setdefault(row, []).append(in_process(*case, str(folder)))
        profiles = {
            source: in_process("profile", "silicon", source, str(folder)) for source in PROFILED
        }
    medians = {
        row: {key: float(np.median([one[key] for one in found])) for key in found[0]}
        for row, found in results.items()
    }
    rows = []
    for row, found in medians.items():
        case = row.partition(": ")[2]
        ratio = medians[f"panna: {case}"]["speed"] / found["speed"]
        rows.append(
            [row, f"{found['speed']:.0f}", f"{found['opened']:.1f}", f"{found['memory'] / 1e6:.0f}",
             f"{ratio:.1f}"]
        )  # fmt: skip
    headers = ["what", "frames/s", "opened, s", "memory, MB", "panna is faster by"]
    say(table(headers, rows))
    say("\none step, silicon with forces, milliseconds; median of 15")
    rows = [
        [part, *(f"{profiles[source][part]:.1f}" for source in profiles)]
        for part in profiles["stored"]
    ]
    say(table(["part", *PROFILED], rows))


if __name__ == "__main__":
    main()
