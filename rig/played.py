"""Nodes played by kwok: real scheduling and real controllers, only the kubelet is an actor. No root needed."""

import secrets
from typing import Any

import yaml

from rig.balancers import balancer_stages
from rig.binaries import KUBERNETES, binary_path
from rig.cluster import Cluster
from rig.errors import WaitedTooLongError
from rig.kubeconfig import write_for_certificate
from rig.stages import pod_stages
from rig.waiting import wait_for

NODE = "rig-node"
NODE_LEASE_S = 40
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}"
_PLAYED = {"kwok.x-k8s.io/node": "fake"}
_ROOM = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "5000"}
_NODE_INFO = {
    "architecture": "amd64",
    "bootID": "",
    "containerRuntimeVersion": "kwok://0.7.0",
    "kernelVersion": "",
    "kubeProxyVersion": "",
    "kubeletVersion": KUBERNETES,
    "machineID": "",
    "operatingSystem": "linux",
    "osImage": "played by kwok",
    "systemUUID": "",
}


def start_played_node(cluster: Cluster) -> None:
    """Register one node and let kwok play its kubelet."""
    start_kwok(cluster)
    cluster.api().create("/api/v1/nodes", _node())


def start_kwok(cluster: Cluster) -> None:
    """Let kwok play the kubelets of nodes that are marked for it."""
    # The kwok before may have held it, and this one would wait for it to run out.
    cluster.api().delete(_LEASE)
    stages = cluster.folder / "stages.yaml"
    stages.write_text(yaml.safe_dump_all([*pod_stages(), *balancer_stages()], sort_keys=False))
    pair = cluster.authority.sign_client("kwok", "system:kwok", ["system:masters"])
    kubeconfig = cluster.folder / "kwok.kubeconfig"
    write_for_certificate(kubeconfig, cluster.server, cluster.authority.pair("ca").certificate, pair)
    (key, value), *_ = _PLAYED.items()
    command = (
        binary_path("kwok"),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={key}={value}",
        f"--node-lease-duration-seconds={NODE_LEASE_S}",
        "--cidr=10.244.0.1/16",
    )
    cluster.programs.start("kwok", command)


def await_played_node(cluster: Cluster) -> None:
    """Return when pods can be scheduled there."""
    api = cluster.api()

    def schedulable() -> bool:
        cluster.programs.require_running("kwok")
        node = api.get(f"/api/v1/nodes/{NODE}")
        conditions = node["status"].get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return ready and not node["spec"].get("taints")

    wait_for("the played node to be ready", schedulable, deadline_s=60)


def do_pods_run(cluster: Cluster, *, within_s: float) -> bool:
    """Whether controllers, scheduler and node make a pod ready together in that time."""
    api, path = cluster.api(), "/apis/apps/v1/namespaces/default/replicasets"
    name = f"rig-proof-{secrets.token_hex(4)}"
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "proof", "image": "rig.test/proof"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    api.create(path, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec})
    try:
        wait_for("a pod", lambda: api.get(f"{path}/{name}")["status"].get("readyReplicas") == 1, deadline_s=within_s)
    except WaitedTooLongError:
        return False
    else:
        return True
    finally:
        api.delete(f"{path}/{name}")


def _node() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "annotations": _PLAYED,
            "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.0.10"}, {"type": "Hostname", "address": NODE}],
            "capacity": _ROOM,
            "allocatable": _ROOM,
            "nodeInfo": _NODE_INFO,
        },
    }
