"""panna_train as one process of a cluster."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from panna.config.reader import Config
from panna.config.train_cluster import SECTION
from panna.console import say
from panna.cores import available_cores
from panna.errors import PannaError, run_program
from panna.training.cluster.roles import CHIEF, VARIABLE, WORKER, Cluster
from panna.training.tensorflow_setup import prepare_for

if TYPE_CHECKING:
    from panna.training.engine import Engine

PATIENCE = 15.0  # seconds that the worker beside the chief has to end

Train = Callable[[Config, "Engine"], int]


def run_process(config: Config, cluster: Cluster, debug: bool, train: Train) -> None:
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
    prepare_for(config, debug)
    if not cluster.asynchronous:
        body = _together
    elif cluster.job == CHIEF:
        body = _chief
    else:
        body = _serve
    code = run_program(lambda _: body(config, cluster, train, debug))
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's servers have threads that never end.
    os._exit(code)


def _check(config: Config, cluster: Cluster) -> None:
    if config["TRAINING_PARAMETERS"]["committee"] > 1:
        raise config.error(
            "TRAINING_PARAMETERS", "committee",
            "a committee trains in one process; train its members one by one, each with its seed "
            f"and its train_dir, or remove [{SECTION}]",
        )  # fmt: skip
    training = config["TRAINING_PARAMETERS"]
    keys = ("energy_reduction", "force_reduction")
    if not cluster.asynchronous and training["loss_flavour"] == "v1":
        raise config.error(
            "TRAINING_PARAMETERS", "loss_flavour",
            "its sums over a whole batch cannot be put together from parts of it; set "
            f"loss_flavour = v2, or give [{SECTION}] parameter_servers",
        )  # fmt: skip
    for key in keys if not cluster.asynchronous else ():
        if training[key] == "sum":
            raise config.error(
                "TRAINING_PARAMETERS", key,
                f"processes in step need means; set {key} = mean, or give [{SECTION}] "
                "parameter_servers",
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


def _serve(config: Config, cluster: Cluster, train: Train, debug: bool) -> int:
    from panna.training.cluster.worker import serve

    return serve(config, cluster)


def _chief(config: Config, cluster: Cluster, train: Train, debug: bool) -> int:
    from panna.training.cluster.servers import ParameterServers

    with _second_process(config, cluster, debug):
        engine = ParameterServers(cluster)
        try:
            code = train(config, engine)
        except PannaError as error:
            engine.finish(2, str(error))
            raise
        except BaseException:
            engine.finish(1, "the chief failed")
            raise
        engine.finish(code, "the training has ended" if code == 0 else "the chief was stopped")
    return code


@contextmanager
def _second_process(config: Config, cluster: Cluster, debug: bool) -> Iterator[None]:
    """The worker on the chief's machine, if there is one."""
    if cluster.second is None:
        yield
        return
    index = cluster.addresses[WORKER].index(cluster.second)
    program = Path(__file__).parents[2] / "train.py"
    command = [sys.executable, str(program), "--config", str(config.path), *["--debug"] * debug]
    process = subprocess.Popen(
        command, env=os.environ | {VARIABLE: cluster.tf_config(WORKER, index)}
    )
    try:
        yield
    finally:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _together(config: Config, cluster: Cluster, train: Train, debug: bool) -> int:
    from panna.training.cluster.all_reduce import AllReduce

    engine = AllReduce(cluster)
    if engine.writes:
        return train(config, engine)
    say(f"{cluster.name(cluster.address)}: trains with {cluster.name(cluster.chief)}")
    with redirect_stdout(io.StringIO()):  # which says it all
        code = train(config, engine)
    say(f"{cluster.name(cluster.address)}: the training has ended")
    return code
