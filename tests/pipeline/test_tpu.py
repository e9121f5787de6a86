"""device = tpu, where there is none: the CPU plays a second device."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from training_cases import TWO_SPECIES, records, write_data, write_ini

from panna.training.checkpoints import list_checkpoints, read_checkpoint

# All graphs run where the variables are, or TensorFlow says that they are on another device.
PROGRAM = """
import sys
import tensorflow as tf
from panna import train
from panna.training import engine, tensorflow_setup, tpu_step

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tensorflow_setup.start_tpu = lambda: "TPU"
tpu_step.DEVICE = "/CPU:1"
make, steps = engine.make_step, []
engine.make_step = lambda *those: steps.append(make(*those)) or steps[-1]
code = train.main(["--config", sys.argv[1]])
for step in steps:
    variables = [*step.networks[0].all, *step.optimiser.state, *step.averaged[0].all]
    print("variables on", *sorted({one.device[-5:] for one in variables}))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("tpu") / "data", records(TWO_SPECIES, 10))


def run(ini) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(ini)]
    # Not in the checkout: the installed package is tested.
    return subprocess.run(command, cwd=ini.parent, capture_output=True, text=True)


@pytest.mark.parametrize("forces_cost", [0.0, 1.0])
def test_a_tpu_trains_as_a_cpu_does(forces_cost, data, tmp_path):
    models = []
    for device, place in (("cpu", "CPU:0"), ("tpu", "CPU:1")):
        folder = tmp_path / device
        keys = {"forces_cost": forces_cost, "average_decay": 0.9}
        keys = {f"TRAINING_PARAMETERS__{key}": value for key, value in keys.items()}
        done = run(write_ini(folder / "t.ini", data, PARALLELIZATION__device=device, **keys))
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"variables on {place}"
        if device == "tpu" and forces_cost:
            assert "stored: a TPU takes no others" in done.stdout
        checkpoints = list_checkpoints(folder / "run")
        last = read_checkpoint(checkpoints[max(checkpoints)])
        models.append(last.model.to_arrays())
    for key, array in models[0].items():
        if array.dtype == np.float32:
            # float32 rounding, amplified by Adam over nine steps
            np.testing.assert_allclose(models[1][key], array, atol=2e-4)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"TRAINING_PARAMETERS__derivatives": "on_the_fly"}, "stored in single precision"),
        ({"TRAINING_PARAMETERS__derivatives": "stored_half"}, "stored in single precision"),
        ({"PARALLELIZATION__processes": 2}, "a TPU trains in one process"),
    ],
)
def test_what_a_tpu_does_not_do(change, message, data, tmp_path):
    done = run(write_ini(tmp_path / "t.ini", data, PARALLELIZATION__device="tpu", **change))
    assert done.returncode == 2
    assert message in done.stderr
