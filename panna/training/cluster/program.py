"""panna_train as one process of a cluster."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from panna.config.reader import Config
from panna.config.train_cluster import SECTION
from panna.console import say
from panna.cores import available_cores
from panna.errors import EXIT_ERROR, PannaError, run_program
from panna.training.cluster.roles import CHIEF, VARIABLE, WORKER, Cluster
from panna.training.tensorflow_setup import count_gpus, prepare_for

if TYPE_CHECKING:
    from panna.training.engine import Engine

PATIENCE = 15.0  # seconds that a process has to end after the one that has started it

Train = Callable[[Config, "Engine"], int]


def run_process(config: Config, cluster: Cluster, debug: bool, train: Train) -> NoReturn:
    """Runs one process of a training to its end; does not return.

    Args:
      config: read with the TRAIN schema.
      debug: show the messages of TensorFlow.
      train: trains with an engine and returns the exit code.
    """
    _check(config, cluster)
    config = _with_own_cores(config, cluster)
    if not debug:
        # The death of a process is told in words of ours.
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    prepare_for(config, debug, cluster.local_rank)
    if not cluster.asynchronous:
        body = _together
    elif cluster.job == CHIEF:
        body = _chief
    else:
        body = _serve

    def with_others(_: list[str] | None) -> int:
        with ExitStack() as started:
            for index in cluster.beside:
                started.enter_context(_process(config, cluster, index, debug))
            return body(config, cluster, train)

    code = run_program(with_others)
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's servers have threads that never end.
    os._exit(code)


def run_here(config: Config, count: int, debug: bool, train: Train) -> NoReturn:
    """As `run_process`, for the first of some processes on this machine that train in step; it
    starts the others."""
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(count))
    timeout, beside = config[SECTION]["start_timeout"], tuple(range(1, count))
    run_process(config, Cluster({WORKER: addresses}, WORKER, 0, timeout, beside), debug, train)


def processes_here(config: Config) -> int:
    """How many processes the configuration asks for, or finds work for."""
    wanted, training = config["PARALLELIZATION"]["processes"], config["TRAINING_PARAMETERS"]
    if wanted is not None or training["committee"] > 1 or _sums(config):
        return wanted or 1
    return max(1, count_gpus(config))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        doors = [held.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [door.getsockname()[1] for door in doors]


def _sums(config: Config) -> str | None:
    """The key that asks for a loss which is no mean over frames."""
    training = config["TRAINING_PARAMETERS"]
    if training["loss_flavour"] == "v1":
        return "loss_flavour"
    reductions = ("energy_reduction", "force_reduction")
    return next((key for key in reductions if training[key] == "sum"), None)


def _check(config: Config, cluster: Cluster) -> None:
    if config["TRAINING_PARAMETERS"]["committee"] > 1:
        raise config.error(
            "TRAINING_PARAMETERS", "committee",
            "a committee trains in one process; train its members one by one, each with its seed "
            f"and its train_dir, or remove [{SECTION}]",
        )  # fmt: skip
    if config["PARALLELIZATION"]["device"] == "tpu":
        raise config.error(
            "PARALLELIZATION", "device",
            f"a TPU trains in one process; remove processes and [{SECTION}], or use another device",
        )  # fmt: skip
    if not cluster.asynchronous and (key := _sums(config)):
        raise config.error(
            "TRAINING_PARAMETERS", key,
            "a sum over a whole batch cannot be put together from parts of it; use means "
            f"(loss_flavour = v2), one process, or [{SECTION}] parameter_servers",
        )  # fmt: skip
    if cluster.asynchronous and config["IO_INFORMATION"]["profile"] != (0,):
        raise config.error(
            "IO_INFORMATION", "profile",
            "the chief does not calculate, so its profile would be empty; remove it",
        )  # fmt: skip


def _with_own_cores(config: Config, cluster: Cluster) -> Config:
    """Trainers on one machine share its cores, unless the file gives the threads of each."""
    pipeline = config["PARALLELIZATION"]
    if pipeline["intra_op_parallelism_threads"] or cluster.trainers_here == 1:
        return config
    threads = max(1, available_cores() // cluster.trainers_here)
    pipeline = pipeline | {"intra_op_parallelism_threads": threads}
    return replace(config, sections=config.sections | {"PARALLELIZATION": pipeline})


def _serve(config: Config, cluster: Cluster, train: Train) -> int:
    from panna.training.cluster.worker import serve

    return serve(config, cluster)


def _chief(config: Config, cluster: Cluster, train: Train) -> int:
    from panna.training.cluster.servers import LOST, ParameterServers

    engine = ParameterServers(cluster)
    try:
        try:
            code = train(config, engine)
        except LOST as error:
            raise engine.lost(error) from error
    except PannaError as error:
        engine.finish(EXIT_ERROR, str(error))
        raise
    except BaseException:
        engine.finish(1, "the chief failed")
        raise
    engine.finish(code, "the training has ended" if code == 0 else "the chief was stopped")
    return code


@contextmanager
def _process(config: Config, cluster: Cluster, index: int, debug: bool) -> Iterator[None]:
    """A worker in a process of its own, which does not outlive the block for long."""
    program = Path(__file__).parents[2] / "train.py"
    command = [sys.executable, str(program), "--config", str(config.path), *["--debug"] * debug]
    environment = os.environ | {VARIABLE: cluster.tf_config(WORKER, index)}
    process = subprocess.Popen(command, env=environment)
    try:
        yield
    finally:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _together(config: Config, cluster: Cluster, train: Train) -> int:
    from panna.training.cluster.all_reduce import AllReduce

    engine = AllReduce(cluster)
    if engine.writes:
        return train(config, engine)
    say(f"{cluster.own_name}: trains with {cluster.name(cluster.chief)}")
    with redirect_stdout(io.StringIO()):  # which says it all
        code = train(config, engine)
    say(f"{cluster.own_name}: the training has ended")
    return code
