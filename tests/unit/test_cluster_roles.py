"""Which process of a cluster is which."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.config.train_cluster import with_flags
from panna.errors import ConfigError
from panna.training.cluster.roles import find_cluster

INI = """\
[IO_INFORMATION]
data_dir = tfr
train_dir = run
[TRAINING_PARAMETERS]
max_epochs = 3
[DEFAULT_NETWORK]
architecture = 4:1
"""
TASK = {"type": "worker", "index": 0}


def a_config(tmp_path: Path, cluster: str = "", **flags: str):
    ini = tmp_path / "train.ini"
    ini.write_text(INI + (f"[CLUSTER]\n{cluster}\n" if cluster else ""))
    return with_flags(read_config(ini, TRAIN), flags)


def roles(config, count: int, variable: str = "TASK") -> list:
    return [find_cluster(config, environment={variable: str(i)}) for i in range(count)]


def test_one_process_is_no_cluster(tmp_path):
    assert find_cluster(a_config(tmp_path), environment={}) is None
    one = a_config(tmp_path, "nodes = here")
    assert find_cluster(one, environment={}) is None
    alone = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    assert find_cluster(one, environment={"TF_CONFIG": json.dumps(alone)}) is None
    assert find_cluster(one, environment={"TF_CONFIG": "{}"}) is None


def test_the_last_nodes_are_parameter_servers_and_the_first_is_the_chief(tmp_path):
    config = a_config(
        tmp_path, "nodes = a, b, c, d\nparameter_servers = 1\ntask_index_variable = TASK"
    )
    found = roles(config, 4)
    assert [(one.job, one.index) for one in found] == [
        ("chief", 0), ("worker", 1), ("worker", 2), ("ps", 0)
    ]  # fmt: skip
    assert dict(found[0].addresses) == {
        "chief": ("a:22222",),
        "worker": ("a:22223", "b:22222", "c:22222"),
        "ps": ("d:22222",),
    }
    assert [one.beside for one in found] == [(0,), (), (), ()]
    assert all(one.addresses == found[0].addresses for one in found)
    assert found[0].asynchronous and found[0].is_chief and not found[1].is_chief
    assert found[0].others == ["a:22223", "b:22222", "c:22222", "d:22222"]
    assert found[2].name("c:22222") == "worker 2 (c:22222)"
    assert found[2].name("d:22222") == "parameter server (d:22222)"


def test_without_servers_all_are_workers(tmp_path):
    found = roles(a_config(tmp_path, "nodes = a, b\ntask_index_variable = TASK"), 2)
    assert [(one.job, one.rank, one.is_chief) for one in found] == [
        ("worker", 0, True), ("worker", 1, False)
    ]  # fmt: skip
    assert not found[0].asynchronous and found[0].chief == "a:22222"


def test_processes_on_one_machine_have_ports_of_their_own(tmp_path):
    config = a_config(
        tmp_path,
        "nodes = a, a, b:5, A\nparameter_servers = 1\nport = 100\ntask_index_variable = TASK",
    )
    chief, worker, other, server = roles(config, 4)
    assert chief.addresses["chief"] == ("a:100",)
    assert server.address == "a:102"
    assert chief.addresses["worker"] == ("a:103", "a:101", "b:5")
    assert [one.trainers_here for one in (chief, worker, other, server)] == [2, 2, 1, 2]
    assert [one.local_rank for one in (worker, other)] == [1, 0]


def test_flags_of_version_1_count_more_than_the_file(tmp_path):
    config = a_config(
        tmp_path,
        "nodes = x, y",
        list_of_nodes="a,b,c",
        parameter_servers="1",
        communication_port="4711",
        task_index_variable="SLURM_NODEID",
    )
    tf_config = {"cluster": {"worker": ["q:1", "r:1"]}, "task": {"type": "worker", "index": 0}}
    found = find_cluster(
        config, given=True, environment={"SLURM_NODEID": "2", "TF_CONFIG": json.dumps(tf_config)}
    )
    assert (found.job, found.address) == ("ps", "c:4711")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"communication_port": "ssh"}, "--communication_port ssh: expected a port"),
        ({"communication_port": "70000"}, "a port, an integer from 1 to 65535"),
        ({"parameter_servers": "-1"}, "--parameter_servers -1: expected"),
        ({"list_of_nodes": "a,b", "parameter_servers": "2"}, "2 of 2 nodes"),
    ],
)
def test_flags_that_make_no_sense(tmp_path, flags, reason):
    with pytest.raises(ConfigError, match=reason):
        a_config(tmp_path, **flags)


def test_tf_config_counts_more_than_the_file(tmp_path):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]}
    found = [
        find_cluster(
            a_config(tmp_path, "nodes = x, y"),
            environment={
                "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": i}})
            },
        )
        for job, i in (("chief", 0), ("worker", 1), ("ps", 0))
    ]
    assert [one.address for one in found] == ["a:1", "c:1", "d:1"]
    assert found[0].beside == ()  # the chief has no worker of its own
    in_step = {
        "cluster": {"chief": ["a:1"], "worker": ["b:1"]},
        "task": {"type": "worker", "index": 0},
    }
    one = find_cluster(a_config(tmp_path), environment={"TF_CONFIG": json.dumps(in_step)})
    assert one.trainers == ("a:1", "b:1") and one.rank == 1 and not one.is_chief


BROKEN = {
    "no JSON": ("{", "not understood"),
    "no task": ({"cluster": {"worker": ["a:1", "b:1"]}}, "not understood"),
    "a list": ([1], "not understood"),
    "no port": ({"cluster": {"worker": ["a", "b:1"]}, "task": TASK}, "host:port expected"),
    "port too large": ({"cluster": {"worker": ["a:1", "b:99999"]}, "task": TASK}, "b:99999"),
    "unknown job": ({"cluster": {"boss": ["a:1"]}, "task": TASK}, "job boss found"),
    "no such task": (
        {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}},
        "no task worker 2",
    ),
    "servers without chief": (
        {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": TASK}, "needs a chief"
    ),
    "two chiefs": (
        {"cluster": {"chief": ["a:1", "b:1"], "worker": ["c:1"]}, "task": TASK}, "2 chiefs"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_tf_config_that_makes_no_sense(tmp_path, name):
    content, reason = BROKEN[name]
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ConfigError, match=reason):
        find_cluster(a_config(tmp_path), environment={"TF_CONFIG": text})


def test_the_place_of_a_process_follows_from_its_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "node07")
    monkeypatch.setattr(socket, "getfqdn", lambda: "node07.cluster.org")
    found = find_cluster(a_config(tmp_path, "nodes = node06, node07, node08"), environment={})
    assert found.index == 1
    with pytest.raises(ConfigError, match="none of node01, node02 is this machine, node07"):
        find_cluster(a_config(tmp_path, "nodes = node01, node02"), environment={})
    with pytest.raises(ConfigError, match="2 of node07, localhost"):
        find_cluster(a_config(tmp_path, "nodes = node07, localhost"), environment={})


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "TASK is not set; a number from 0 to 1"),
        ({"TASK": "2"}, "TASK = 2; a number from 0 to 1"),
        ({"TASK": "first"}, "TASK = first"),
    ],
)
def test_a_variable_that_does_not_number_the_process(tmp_path, environment, reason):
    config = a_config(tmp_path, "nodes = a, b\ntask_index_variable = TASK")
    with pytest.raises(ConfigError, match=reason):
        find_cluster(config, environment=environment)


def test_two_processes_cannot_have_one_port(tmp_path):
    config = a_config(tmp_path, "nodes = a:7, b, a:7\ntask_index_variable = TASK")
    with pytest.raises(ConfigError, match="a:7 stands there twice"):
        find_cluster(config, environment={"TASK": "0"})
