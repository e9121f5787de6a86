"""Several processes of panna_train on this machine: trainings, deaths, returns, mistakes."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
from cluster_runs import TIMEOUT, free_ports, processes, rows, tf_config
from training_cases import ONE_SPECIES, records, write_data, write_ini

from panna import gvect_calculator, tfr_packer, train
from panna.tools import exyz_parser
from panna.training.checkpoints import checkpoint_path, list_checkpoints, read_checkpoint

pytest.importorskip("tensorflow")
SILICON = Path(__file__).parents[2] / "examples" / "quickstart" / "data" / "Si_train.xyz.xz"
GVECT = """\
[IO_INFORMATION]
input_json_dir = {folder}/examples
output_gvect_dir = {folder}/bin
log_dir = {folder}
[SYMMETRY_FUNCTION]
type = mBP
species = Si
[GVECT_PARAMETERS]
eta_rad = 10
Rc_rad = 5.0
Rs0_rad = 1.5
RsN_rad = 8
eta_ang = 1
Rc_ang = 4.0
Rs0_ang = 1.5
RsN_ang = 2
zeta = 16
ThetasN = 4
"""
PACK = """\
[IO_INFORMATION]
input_dir = {folder}/bin
output_dir = {folder}/tfr
validation_fraction = 0.2
"""


@pytest.fixture(scope="module")
def silicon(tmp_path_factory) -> Path:
    """32 training and 8 validation frames of density-functional theory, 64 atoms or fewer."""
    folder = tmp_path_factory.mktemp("silicon")
    arguments = ["-i", str(SILICON), "-o", str(folder / "examples"), "--every", "5"]
    assert exyz_parser.main([*arguments, "--limit", "40"]) == 0
    for program, text in ((gvect_calculator, GVECT), (tfr_packer, PACK)):
        ini = folder / "made.ini"
        ini.write_text(text.format(folder=folder))
        assert program.main(["--config", str(ini)]) == 0
    return folder / "tfr"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """9 training and 3 validation frames of a few atoms."""
    folder = tmp_path_factory.mktemp("small")
    write_data(folder / "train", records(ONE_SPECIES, 9))
    write_data(folder / "validation", records(ONE_SPECIES, 3, first=9))
    return folder


def an_ini(path: Path, data: Path, **changes: str) -> Path:
    changes = {"TRAINING_PARAMETERS__defaults": None, "TRAINING_PARAMETERS__forces_cost": "0.1"} | {
        key if "__" in key else f"TRAINING_PARAMETERS__{key}": value
        for key, value in changes.items()
    }
    return write_ini(path, data / "train", data / "validation", **changes)


def with_nodes(path: Path, data: Path, count: int, servers: int, **changes: str) -> Path:
    """An ini file for some processes, which the variable TASK numbers."""
    cluster = {
        "CLUSTER__nodes": ", ".join(["localhost"] * count),
        "CLUSTER__parameter_servers": str(servers),
        "CLUSTER__port": str(free_ports(count + 1)),
        "CLUSTER__task_index_variable": "TASK",
    }
    return an_ini(path, data, **cluster | changes)


def model(folder: Path):
    return read_checkpoint(checkpoint_path(folder / "run")).model


def weights(folder: Path) -> np.ndarray:
    return np.concatenate(
        [array.ravel() for one in model(folder).networks for array in (*one.weights, *one.biases)]
    )


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "run" / "metrics.csv") as file:
        return list(csv.DictReader(file))


# -- parameter servers -----------------------------------------------------------------------------


def test_a_worker_dies_and_comes_back(silicon, tmp_path):
    """Chief, two workers and a parameter server, by TF_CONFIG; as accurate as one process."""
    long = {"max_epochs": "150", "batch_size": "4", "DEFAULT_NETWORK__architecture": "16:16:1"}
    alone = an_ini(tmp_path / "alone" / "train.ini", silicon, **long)
    assert train.main(["--config", str(alone)]) == 0
    ini = an_ini(tmp_path / "together" / "train.ini", silicon, **long)
    port = free_ports(4)
    addresses = [f"127.0.0.1:{port + i}" for i in range(4)]
    cluster = {"chief": addresses[:1], "worker": addresses[1:3], "ps": addresses[3:]}
    run_dir = tmp_path / "together" / "run"
    with processes(tmp_path) as started:
        tasks = [("ps", 0), ("worker", 0), ("worker", 1), ("chief", 0)]
        server, first, second, chief = (
            started.start(ini, **tf_config(cluster, *task)) for task in tasks
        )
        started.until(lambda: rows(run_dir) >= 5, "five epochs")
        assert "32 frames" in second.output
        second.send(signal.SIGKILL)
        seen = rows(run_dir)
        started.until(lambda: rows(run_dir) >= seen + 3, "epochs without the worker")
        gone = f"worker 1 ({addresses[2]}) is gone; it may come back"
        started.until(lambda: gone in chief.output, "word of the death")
        # A new process needs some seconds, in which the training could end.
        chief.send(signal.SIGSTOP)
        back = started.start(ini, **tf_config(cluster, "worker", 1))
        started.until(lambda: "waits for the chief" in back.output, "the worker's return")
        chief.send(signal.SIGCONT)
        started.until(lambda: "32 frames" in back.output, "work of the worker that came back")
        assert chief.process.poll() is None, "the training was over too soon"
        codes = [one.end() for one in (chief, server, first, back)]
        assert codes == [0, 0, 0, 0], started.outputs()
        started.none_left()
    assert "2 workers, 1 parameter server" in chief.output
    assert "Traceback" not in chief.output
    assert rows(run_dir) == 150 and max(list_checkpoints(run_dir)) == 150 * 8
    for name in ("validation_energy_rmse_eV_per_atom", "validation_force_rmse_eV_per_angstrom"):
        found, expected = (
            min(float(row[name]) for row in table(tmp_path / which)[-50:])
            for which in ("together", "alone")
        )
        assert found < 1.3 * expected
    tags = _scalars(run_dir)
    mean, largest = (tags[f"6. Staleness of updates/{what}"] for what in ("1. Mean", "2. Largest"))
    assert 0 < mean < largest


def _scalars(run_dir: Path) -> dict[str, float]:
    """The largest value of each scalar of the training curves."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard" / "train"))
    events.Reload()
    from tensorboard.util import tensor_util

    found = {}
    for tag in events.Tags()["scalars"]:
        found[tag] = max(one.value for one in events.Scalars(tag))
    for tag in events.Tags()["tensors"]:
        values = [tensor_util.make_ndarray(one.tensor_proto) for one in events.Tensors(tag)]
        if values[0].ndim == 0:
            found[tag] = max(map(float, values))
    return found


def test_a_dead_server_or_chief_ends_the_others_and_the_run_goes_on(small, tmp_path):
    """With the chief's own worker; first the server dies, then the chief, then it is finished."""
    ini = with_nodes(tmp_path / "train.ini", small, 2, 1, max_epochs="100000")
    run_dir = tmp_path / "run"
    with processes(tmp_path) as started:
        chief, server = (started.start(ini, TASK=str(i)) for i in range(2))
        started.until(lambda: len(list_checkpoints(run_dir)) > 2, "checkpoints")
        server.send(signal.SIGKILL)
        assert chief.end() == 2
        assert "parameter server is gone" in chief.output and "Start all" in chief.output
        assert "Traceback" not in chief.output
        started.none_left()
        last = max(list_checkpoints(run_dir))

        chief, server = (started.start(ini, TASK=str(i)) for i in range(2))
        started.until(lambda: max(list_checkpoints(run_dir)) > last, "the training to go on")
        assert f"after step {last}" in chief.output
        chief.process.kill()
        assert server.end() == 2
        assert "chief" in server.output and "is gone" in server.output
        started.none_left()

        last = max(list_checkpoints(run_dir))
        text = ini.read_text().replace("100000", str(last // 3 + 2))
        text = text.replace("[TRAINING_PARAMETERS]", "[TRAINING_PARAMETERS]\nlbfgs_steps = 3")
        mode = "[IO_INFORMATION]\nrestart_mode = force_default"
        ini.write_text(text.replace("[IO_INFORMATION]", mode))
        chief, server = (started.start(ini, TASK=str(i)) for i in range(2))
        assert [chief.end(), server.end()] == [0, 0], started.outputs()
        started.none_left()
    assert 0 < max(list_checkpoints(run_dir)) - 3 * (last // 3 + 2) <= 3  # steps of L-BFGS


def test_a_request_to_stop_reaches_all_processes(small, tmp_path):
    ini = with_nodes(tmp_path / "train.ini", small, 3, 1, max_epochs="100000")
    with processes(tmp_path) as started:
        tasks = [started.start(ini, TASK=str(i)) for i in range(3)]
        started.until(lambda: rows(tmp_path / "run") > 3, "epochs")
        for one in tasks:
            one.send(signal.SIGINT)
        assert [one.end() for one in tasks] == [130, 130, 130], started.outputs()
        started.none_left()
    assert "the checkpoint is written" in tasks[0].output
    step = max(list_checkpoints(tmp_path / "run"))
    assert f"Stopped after step {step} of" in tasks[0].output


def test_a_damaged_frame_on_a_worker_ends_the_training(small, tmp_path):
    """Workers say which; the chief, whose copy is sound, repeats it."""
    ini = with_nodes(tmp_path / "train.ini", small, 3, 1, max_epochs="50")
    other = tmp_path / "other"
    write_data(other / "train", records(ONE_SPECIES, 9, first=1))
    write_data(other / "validation", records(ONE_SPECIES, 3, first=9))
    own = tmp_path / "own.ini"
    own.write_text(ini.read_text().replace(str(small), str(other)))
    with processes(tmp_path) as started:
        tasks = [started.start(own if i == 1 else ini, TASK=str(i)) for i in range(3)]
        assert [one.end() for one in tasks] == [2, 2, 2], started.outputs()
        started.none_left()
    for one in tasks:
        assert "worker 1" in one.output and "another training data" in one.output
        assert "Traceback" not in one.output


# -- in step ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(small, tmp_path_factory) -> Path:
    """The folder of a training in one process: 20 epochs of 3 steps, the last of 1 frame."""
    folder = tmp_path_factory.mktemp("alone")
    assert train.main(["--config", str(an_ini(folder / "train.ini", small, **TWENTY))]) == 0
    return folder


TWENTY = {"max_epochs": "20", "learning_rate_final": "1e-3"}


def assert_alike(folder: Path, other: Path) -> None:
    """The weights and the table of two trainings agree but for rounding."""
    np.testing.assert_allclose(weights(folder), weights(other), rtol=1e-3, atol=1e-5)
    for row, expected in zip(table(folder), table(other), strict=True):
        for name in row:
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-3, abs=1e-6)


def test_processes_in_step_do_what_one_process_does(small, alone, tmp_path):
    """The last batch of an epoch has one frame: nothing is left for the second process."""
    ini = with_nodes(tmp_path / "train.ini", small, 2, 0, **TWENTY)
    with processes(tmp_path) as started:
        tasks = [started.start(ini, TASK=str(i)) for i in range(2)]
        assert [one.end() for one in tasks] == [0, 0], started.outputs()
        started.none_left()
    assert "2 processes in step" in tasks[0].output
    assert len(tasks[1].output.splitlines()) == 2
    assert_alike(tmp_path, alone)


def test_processes_of_one_machine_need_one_command(small, alone, tmp_path):
    """As with several GPUs."""
    ini = an_ini(tmp_path / "train.ini", small, **TWENTY, PARALLELIZATION__processes="3")
    with processes(tmp_path) as started:
        one = started.start(ini)
        assert one.end() == 0, one.output
        started.none_left()
    assert "3 processes in step" in one.output
    assert_alike(tmp_path, alone)


def test_a_process_in_step_dies_and_the_training_continues(small, alone, tmp_path):
    ini = with_nodes(
        tmp_path / "train.ini", small, 2, 0, **TWENTY, IO_INFORMATION__progbar_interval="0.1"
    )
    long = tmp_path / "long.ini"
    long.write_text(ini.read_text().replace("max_epochs = 20", "max_epochs = 100000"))
    with processes(tmp_path) as started:
        first, second = (started.start(ini, TASK=str(i)) for i in range(2))
        started.until(lambda: rows(tmp_path / "run") >= 3, "epochs")
        second.send(signal.SIGKILL)
        assert first.end() in (0, 2)
        if first.end() == 2:
            assert "another process is gone" in first.output and "Traceback" not in first.output
            tasks = [started.start(ini, TASK=str(i)) for i in range(2)]
            assert [one.end() for one in tasks] == [0, 0], started.outputs()
            assert "continued" in tasks[0].output
        started.none_left()
    assert_alike(tmp_path, alone)


def test_a_signal_to_one_process_in_step_stops_all(small, tmp_path):
    ini = with_nodes(tmp_path / "train.ini", small, 2, 0, max_epochs="100000")
    with processes(tmp_path) as started:
        tasks = [started.start(ini, TASK=str(i)) for i in range(2)]
        started.until(lambda: rows(tmp_path / "run") > 3, "epochs")
        tasks[1].send(signal.SIGTERM)
        assert [one.end() for one in tasks] == [143, 143], started.outputs()
        started.none_left()
    assert "the checkpoint is written" in tasks[0].output


# -- mistakes --------------------------------------------------------------------------------------


def test_nobody_answers(small, tmp_path):
    ini = with_nodes(tmp_path / "train.ini", small, 3, 1, CLUSTER__start_timeout="3")
    with processes(tmp_path) as started:
        tasks = [started.start(ini, TASK=str(i)) for i in range(2)]
        assert [one.end(TIMEOUT) for one in tasks] == [2, 2], started.outputs()
        started.none_left()
    assert "parameter server" in tasks[0].output and "no answer within 3 s" in tasks[0].output
    assert "Traceback" not in started.outputs()


def test_an_unknown_machine_and_a_port_in_use(small, tmp_path, capfd):
    ini = with_nodes(
        tmp_path / "train.ini", small, 1, 0, CLUSTER__nodes="localhost, no-such-host.invalid"
    )
    with processes(tmp_path) as started:
        one = started.start(ini, TASK="0")
        assert one.end() == 2
        assert "no-such-host.invalid: no machine of this name" in one.output
        import socket

        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            one = started.start(
                ini,
                "--list_of_nodes",
                "localhost,localhost",
                "--communication_port",
                port,
                TASK="0",
            )
            assert one.end() == 2
            assert f"port {port} of this machine is taken" in one.output
        started.none_left()


def test_sums_over_a_batch_are_refused_in_step(small, tmp_path, capsys):
    changes = {"PARALLELIZATION__processes": "2", "force_reduction": "sum"}
    ini = an_ini(tmp_path / "train.ini", small, **changes)
    assert train.main(["--config", str(ini)]) == 2
    assert "force_reduction = sum: a sum over a whole batch" in capsys.readouterr().err
