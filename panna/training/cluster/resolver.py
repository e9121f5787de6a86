"""A cluster in the words of TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from panna.training.cluster.roles import Cluster


def cluster_spec(cluster: Cluster) -> tf.train.ClusterSpec:
    """Addresses by job."""
    return tf.train.ClusterSpec({job: list(those) for job, those in cluster.addresses.items()})


def resolver(cluster: Cluster) -> tf.distribute.cluster_resolver.ClusterResolver:
    """All processes, and which one this is, for a strategy."""
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster_spec(cluster), task_type=cluster.job, task_id=cluster.index, rpc_layer="grpc"
    )
