"""TensorFlow as the programs want it: present, quiet, with the threads asked for."""

from __future__ import annotations

import os

from panna.config.reader import Config
from panna.errors import TrainingError
from panna.extras import pip_install
from panna.storage.require_tensorflow import import_tensorflow, require_tensorflow


def prepare_tensorflow(
    debug: bool = False,
    inter_op_threads: int = 0,
    intra_op_threads: int = 0,
    log_device_placement: bool = False,
    device: str = "auto",
    local_rank: int = 0,
) -> str:
    """Imports TensorFlow and sets it up; to be called before any other module imports it.

    Args:
      debug: show all messages of TensorFlow.
      inter_op_threads, intra_op_threads: 0 leaves the choice to TensorFlow.
      log_device_placement: print the device of every operation.
      device: "cpu", "gpu", "tpu", or "auto" for a GPU if there is one.
      local_rank: which one of several GPUs.
    Returns:
      What it will compute on, in words.
    Raises:
      StorageError: TensorFlow or TensorBoard is not installed.
      TrainingError: it is too late for the threads, or there is no such device.
    """
    if debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
    require_tensorflow("training", "tensorboard")
    import_tensorflow()
    import tensorflow as tf

    if not debug:
        tf.get_logger().setLevel("ERROR")
    threading = tf.config.threading
    for wanted, get, set_threads in (
        (
            inter_op_threads,
            threading.get_inter_op_parallelism_threads,
            threading.set_inter_op_parallelism_threads,
        ),
        (
            intra_op_threads,
            threading.get_intra_op_parallelism_threads,
            threading.set_intra_op_parallelism_threads,
        ),
    ):
        if wanted and wanted != get():
            try:
                set_threads(wanted)
            except RuntimeError as error:
                raise TrainingError(
                    f"TensorFlow already runs with {get()} threads, {wanted} asked for; start a "
                    "new process"
                ) from error
    tf.debugging.set_log_device_placement(log_device_placement)
    return _choose_device(device, local_rank)


def count_gpus(config: Config) -> int:
    """GPUs of this machine that a training, read with the TRAIN schema, may use."""
    if config["PARALLELIZATION"]["device"] in ("cpu", "tpu"):
        return 0
    require_tensorflow("training", "tensorboard")
    import_tensorflow()
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def prepare_for(config: Config, debug: bool = False, local_rank: int = 0) -> str:
    """As `prepare_tensorflow`, with the keys of the TRAIN schema.

    local_rank: number of this process among those of the training on this machine.
    """
    pipeline = config["PARALLELIZATION"]
    return prepare_tensorflow(
        debug,
        pipeline["inter_op_parallelism_threads"],
        pipeline["intra_op_parallelism_threads"],
        config["IO_INFORMATION"]["log_device_placement"],
        pipeline["device"],
        local_rank,
    )


def on_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    import tensorflow as tf

    return bool(tf.config.get_visible_devices("GPU"))


def _choose_device(wanted: str, local_rank: int) -> str:
    import tensorflow as tf

    if wanted == "tpu":
        return start_tpu()
    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "gpu" and not gpus:
        raise TrainingError(
            "device = gpu: TensorFlow finds no GPU here; where there is one, "
            f"{pip_install('gpu')}, or use device = auto"
        )
    if wanted == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
        gpus = []
    if gpus:
        gpus = [gpus[local_rank % len(gpus)]]
        tf.config.set_visible_devices(gpus, "GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus
    ]
    return ", ".join(names) or "CPU"


def start_tpu() -> str:
    """Connects to the TPU of this machine, or to the one that TPU_NAME names; its name.

    Raises:
      TrainingError: there is none.
    """
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            tpu=os.environ.get("TPU_NAME", "local")
        )
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise TrainingError(
            f"device = tpu: TensorFlow finds no TPU here ({reason}); start it on a machine with "
            "one and TensorFlow for it, or use device = auto"
        ) from error
    return "TPU"
