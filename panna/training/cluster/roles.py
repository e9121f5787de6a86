"""Which processes train together, and which of them this one is."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panna.config.reader import Config
from panna.config.train_cluster import SECTION
from panna.errors import ConfigError

CHIEF, WORKER, SERVER = "chief", "worker", "ps"
JOBS = (CHIEF, WORKER, SERVER)
VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"chief": ["a:22222"], "worker": ["b:22222"], "ps": ["c:22222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """addresses: host:port of all processes, by job; job, index: which one this process is.

    timeout: seconds that the processes wait for each other at the start.
    beside: numbers of the workers that this process starts on its machine.
    """

    addresses: Mapping[str, tuple[str, ...]]
    job: str
    index: int
    timeout: float = 60.0
    beside: tuple[int, ...] = ()

    @property
    def asynchronous(self) -> bool:
        """There are parameter servers."""
        return bool(self.addresses.get(SERVER))

    @property
    def address(self) -> str:
        """Of this process."""
        return self.addresses[self.job][self.index]

    @property
    def own_name(self) -> str:
        """Of this process, for people."""
        return self.name(self.address)

    @property
    def chief(self) -> str:
        """Address of the process that writes: the chief, or the first worker."""
        return self.addresses.get(CHIEF, self.addresses.get(WORKER, ()))[0]

    @property
    def is_chief(self) -> bool:
        return self.address == self.chief

    @property
    def trainers(self) -> tuple[str, ...]:
        """Addresses of the processes that calculate gradients, in the order of their ranks."""
        workers = self.addresses.get(WORKER, ())
        return workers if self.asynchronous else (*self.addresses.get(CHIEF, ()), *workers)

    @property
    def rank(self) -> int:
        """Of this process among the trainers."""
        return self.trainers.index(self.address)

    @property
    def local_rank(self) -> int:
        """Of this process among the trainers on its machine."""
        before = self.trainers[: self.rank] if self.address in self.trainers else ()
        return sum(host_of(one) == host_of(self.address) for one in before)

    @property
    def others(self) -> list[str]:
        """Addresses of all other processes."""
        every = [one for job in JOBS for one in self.addresses.get(job, ())]
        return [one for one in every if one != self.address]

    @property
    def trainers_here(self) -> int:
        """Trainers on the machine of this process; they share its cores and memory."""
        here = host_of(self.address)
        return max(1, sum(host_of(one) == here for one in self.trainers))

    def name(self, address: str) -> str:
        """For people: "worker 1 (node02:22222)"."""
        for job, those in self.addresses.items():
            if address in those:
                what = {SERVER: "parameter server"}.get(job, job)
                number = f" {those.index(address)}" if len(those) > 1 or job == WORKER else ""
                return f"{what}{number} ({address})"
        return address

    def tf_config(self, job: str, index: int) -> str:
        """The content of TF_CONFIG for one of the processes."""
        task = {"type": job, "index": index}
        return json.dumps(
            {"cluster": {k: list(v) for k, v in self.addresses.items()}, "task": task}
        )


def find_cluster(
    config: Config, given: bool = False, environment: Mapping[str, str] = os.environ
) -> Cluster | None:
    """The cluster that [CLUSTER], the command line or TF_CONFIG names; None for one process.

    Args:
      config: read with the TRAIN schema, flags included.
      given: nodes come from the command line, which counts more than TF_CONFIG; the file counts
        less.
    Raises:
      ConfigError: no place for this process, or a TF_CONFIG that makes no sense.
    """
    timeout = config[SECTION]["start_timeout"]
    if not given and environment.get(VARIABLE):
        return _from_tf_config(environment[VARIABLE], timeout)
    nodes, servers = config[SECTION]["nodes"], config[SECTION]["parameter_servers"]
    if nodes is None:
        return None
    if len(nodes) == 1 and not servers:
        return None
    index = _index(config, nodes, environment)
    addresses = _addresses(nodes, config[SECTION]["port"])
    twice = [address for address, count in Counter(addresses).items() if count > 1]
    if twice:
        raise config.error(
            SECTION, "nodes", f"{twice[0]} stands there twice; every process needs its own port"
        )
    if not servers:
        return Cluster({WORKER: tuple(addresses)}, WORKER, index, timeout)
    second = _beside(addresses[0], addresses)
    jobs = {
        CHIEF: tuple(addresses[:1]),
        WORKER: (second, *addresses[1:-servers]),
        SERVER: tuple(addresses[-servers:]),
    }
    if index == 0:
        return Cluster(jobs, CHIEF, 0, timeout, beside=(0,))
    workers = len(nodes) - servers
    job, place = (WORKER, index) if index < workers else (SERVER, index - workers)
    return Cluster(jobs, job, place, timeout)


def host_of(node: str) -> str:
    """Without the port, if there is one."""
    host, _, port = node.lower().rpartition(":")
    return host if host and port.isdecimal() else node.lower()


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def _addresses(nodes: Sequence[str], first: int) -> list[str]:
    """host:port; without ports of their own, processes on one host have consecutive ones."""
    seen: Counter[str] = Counter()
    found = []
    for node in (one.lower() for one in nodes):
        if node == host_of(node):
            found.append(f"{node}:{first + seen[node]}")
            seen[node] += 1
        else:
            found.append(node)
    return found


def _beside(address: str, taken: Sequence[str]) -> str:
    """The next port on the same host that no other process has."""
    host, port = host_of(address), port_of(address)
    while f"{host}:{port}" in taken:
        port += 1
    return f"{host}:{port}"


def _index(config: Config, nodes: Sequence[str], environment: Mapping[str, str]) -> int:
    """The place of this process among the nodes."""
    name = config[SECTION]["task_index_variable"]
    if name is not None:
        content = environment.get(name, "")
        if not content.isdecimal() or int(content) >= len(nodes):
            found = f"{name} = {content}" if content else f"{name} is not set"
            raise config.error(
                SECTION, "task_index_variable",
                f"{found}; a number from 0 to {len(nodes) - 1} expected, one for each process of "
                f"nodes ({', '.join(nodes)}). Start the processes with srun, mpiexec or the like, "
                "or set the variable in each of them",
            )  # fmt: skip
        return int(content)
    names = {"localhost", "127.0.0.1"} | {
        part.lower() for part in (socket.gethostname(), socket.getfqdn())
    }
    names |= {one.partition(".")[0] for one in names if not one[0].isdigit()}
    mine = [i for i, node in enumerate(nodes) if host_of(node) in names]
    if len(mine) != 1:
        raise config.error(
            SECTION, "nodes",
            f"{'none' if not mine else len(mine)} of {', '.join(nodes)} is this machine, "
            f"{socket.gethostname()}; give task_index_variable, the environment variable that "
            "numbers the processes (SLURM_PROCID, PMI_RANK, OMPI_COMM_WORLD_RANK...)",
        )  # fmt: skip
    return mine[0]


def _from_tf_config(content: str, timeout: float) -> Cluster | None:
    try:
        values = json.loads(content)
        addresses = {job: tuple(those) for job, those in values.get("cluster", {}).items()}
        if not addresses:
            return None
        job, index = values["task"]["type"], int(values["task"]["index"])
        for address in (one for those in addresses.values() for one in those):
            if address.lower() == host_of(address) or not 0 < port_of(address) < 65536:
                raise ValueError(f"{address} found, host:port expected")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{VARIABLE} = {content}: not understood ({error!r}); expected for example {EXAMPLE}, "
            "or no such variable"
        ) from error
    for name in addresses:
        if name not in JOBS:
            raise ConfigError(f"{VARIABLE}: job {name} found, one of {', '.join(JOBS)} expected")
    if job not in addresses or not 0 <= index < len(addresses[job]):
        raise ConfigError(f"{VARIABLE}: there is no task {job} {index} in its cluster")
    if addresses.get(SERVER) and not (addresses.get(CHIEF) and addresses.get(WORKER)):
        raise ConfigError(
            f"{VARIABLE}: a cluster with parameter servers (ps) needs a chief and a worker, too"
        )
    if len(addresses.get(CHIEF, ())) > 1:
        raise ConfigError(f"{VARIABLE}: {len(addresses[CHIEF])} chiefs found, one expected")
    if not addresses.get(SERVER) and sum(map(len, addresses.values())) == 1:
        return None
    return Cluster(addresses, job, index, timeout)
