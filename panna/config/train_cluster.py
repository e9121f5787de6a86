"""Keys of panna_train about the processes that train together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from panna.config.reader import Config
from panna.config.schema import Key, Problem, Section
from panna.config.values import comma_list, non_negative_integer, port_number, positive_real, text
from panna.errors import ConfigError

SECTION = "CLUSTER"
# The flags of PANNA v1's command line, by the keys that they stand for.
FLAGS = {
    "nodes": "list_of_nodes",
    "parameter_servers": "parameter_servers",
    "port": "communication_port",
    "task_index_variable": "task_index_variable",
}
CLUSTER = Section(
    SECTION,
    (
        Key("nodes", comma_list(text), None, aliases=("list_of_nodes",),
            meaning="names of the machines, one for each process that is started, in the order of "
                    "the processes; a name may stand there several times, and may have a port of "
                    "its own, name:port"),
        Key("parameter_servers", non_negative_integer, 0,
            meaning="so many of the nodes, the last ones, keep the weights, and all others change "
                    "them at their own pace; 0: all nodes make every step together, each with its "
                    "part of the batch"),
        Key("port", port_number, 22222, aliases=("communication_port",),
            meaning="of the first process on each machine; the next ones use the following ports"),
        Key("task_index_variable", text, None,
            meaning="environment variable that tells each process its number, from 0: "
                    "SLURM_PROCID, PMI_RANK, OMPI_COMM_WORLD_RANK... Default: the place of this "
                    "machine's name in nodes"),
        Key("start_timeout", positive_real, 60.0, unit="s",
            meaning="how long the processes wait for each other at the start"),
    ),
    meaning="training by several processes; the variable TF_CONFIG may stand in for nodes",
)  # fmt: skip


def with_flags(config: Config, flags: Mapping[str, str | None]) -> Config:
    """The configuration with the values of the command line in place of those of the file.

    Args:
      flags: text by the names in FLAGS; None where a flag is not given.
    Raises:
      ConfigError: a value that the key does not take.
    """
    values = dict(config[SECTION])
    for name, flag in FLAGS.items():
        if (content := flags.get(flag)) is None:
            continue
        try:
            values[name] = CLUSTER.find(name).parse(content)
        except ValueError as error:
            raise ConfigError(f"--{flag} {content}: {error}") from error
    changed = replace(config, sections={**config.sections, SECTION: values})
    for problem in check_cluster(changed):
        raise ConfigError(f"--{FLAGS.get(problem.key, problem.key)}: {problem.message}")
    return changed


def check_cluster(config: Config) -> Iterable[Problem]:
    """What the processes of a cluster cannot do."""
    cluster = config[SECTION]
    nodes = cluster["nodes"]
    if nodes is None:
        return
    servers = cluster["parameter_servers"]
    if servers >= len(nodes):
        yield Problem(
            SECTION, "parameter_servers",
            f"{servers} of {len(nodes)} nodes; at least one must be left to train",
        )  # fmt: skip
