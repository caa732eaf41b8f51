"""The control plane's programs: for each, the whole command line, made from the cluster alone, so it can restart."""

import json
from pathlib import Path
from typing import Any

from rig.binaries import binary_path
from rig.cluster import Cluster, Nodes
from rig.kubeconfig import write_for_certificate
from rig.network import NODE_ADDRESS, inside
from rig.waiting import wait_for

SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
ISSUER = "https://kubernetes.default.svc.cluster.local"
_SERVING_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
    FIRST_SERVICE,
    NODE_ADDRESS,
)
# One of each, and the client's own limits would cost seconds at every start.
_ALONE_AND_QUICK = ("--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
_TO_KUBELET = "to-kubelet"
# Without nodes no controller acts on pods; what keeps the API's own promises still runs.
_CONTROLLERS_WITHOUT_NODES = (
    "namespace-controller,garbage-collector-controller,serviceaccount-controller,"
    "root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,"
    "persistentvolumeclaim-protection-controller,resourcequota-controller"
)
_CLIENTS = {
    "kubeconfig": ("admin", "rig-admin", ("system:masters",)),
    "controller-manager.kubeconfig": ("controller-manager", "system:kube-controller-manager", ()),
    "scheduler.kubeconfig": ("scheduler", "system:kube-scheduler", ()),
}
_PARTS = ("system:kwok", "system:kube-proxy", "system:kube-dns")
# What the cluster's own parts read is noise; what they write is kept, and told apart when counted.
_AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "None",
            "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "level": "None",
            "users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", *_PARTS],
            "verbs": ["get", "list", "watch"],
        },
        {"level": "None", "users": ["system:kwok"], "resources": [{"group": "coordination.k8s.io"}]},
        {"level": "Request", "verbs": ["delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


def write_credentials(cluster: Cluster) -> None:
    """Certificates for the servers, kubeconfigs for the clients."""
    authority = cluster.authority
    authority.create()
    authority.sign_server("kube-apiserver", _SERVING_NAMES)
    authority.sign_client(_TO_KUBELET, "system:kube-apiserver", ["system:masters"])
    for file, (name, user, groups) in _CLIENTS.items():
        pair = authority.sign_client(name, user, groups)
        write_for_certificate(cluster.folder / file, cluster.server, authority.pair("ca").certificate, pair)
    (cluster.folder / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))


def start_etcd(cluster: Cluster) -> None:
    """The API server's store: one member, on loopback, without the disk waits a test does not need."""
    client, peer = (f"http://127.0.0.1:{port}" for port in (cluster.ports.etcd, cluster.ports.etcd_peer))
    _start(
        cluster,
        "etcd",
        f"--data-dir={cluster.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def start_api_server(cluster: Cluster) -> None:
    """The API server, on the same port and the same data each time."""
    pki = cluster.authority
    serving = pki.pair("kube-apiserver")
    _start(
        cluster,
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{cluster.ports.etcd}",
        f"--secure-port={cluster.ports.api}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={pki.pair('ca').certificate}",
        f"--service-account-key-file={pki.service_account_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        f"--service-account-issuer={ISSUER}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        f"--audit-policy-file={cluster.folder / 'audit-policy.json'}",
        f"--audit-log-path={cluster.audit_log}",
        "--audit-log-mode=blocking-strict",
        "--audit-log-maxsize=4096",
        *_reach(cluster),
    )


def _reach(cluster: Cluster) -> list[str]:
    """Who reaches it: pods of a real node do, and then it reaches them too."""
    if cluster.nodes is not Nodes.KUBELET:
        return ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]
    shown = cluster.authority.pair(_TO_KUBELET)
    return [
        f"--advertise-address={NODE_ADDRESS}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={shown.certificate}",
        f"--kubelet-client-key={shown.key}",
    ]


def start_controllers(cluster: Cluster) -> None:
    """The controllers, all of them as soon as something runs pods."""
    pki = cluster.authority
    kubeconfig = cluster.folder / "controller-manager.kubeconfig"
    some = [f"--controllers={_CONTROLLERS_WITHOUT_NODES}"] if cluster.nodes is Nodes.NONE else []
    _start(
        cluster,
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={pki.service_account_key}",
        f"--root-ca-file={pki.pair('ca').certificate}",
        "--use-service-account-credentials",
        "--horizontal-pod-autoscaler-sync-period=1s",
        *_ALONE_AND_QUICK,
        *some,
    )


def start_scheduler(cluster: Cluster) -> None:
    """The scheduler."""
    kubeconfig = cluster.folder / "scheduler.kubeconfig"
    _start(
        cluster,
        "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        *_ALONE_AND_QUICK,
    )


def await_api_server(cluster: Cluster, *, deadline_s: float = 60.0) -> None:
    """Return when it is ready; fail at once when it ended."""
    api = cluster.api()

    def ready() -> bool:
        for name in ("etcd", "kube-apiserver"):
            cluster.programs.require_running(name)
        return api.answers("/readyz")

    wait_for("the API server to be ready", ready, deadline_s=deadline_s)


def await_controllers(cluster: Cluster) -> None:
    """Return when namespaces are furnished, so that the first pod of a test is not refused."""
    api = cluster.api()

    def furnished() -> bool:
        cluster.programs.require_running("kube-controller-manager")
        return api.find("/api/v1/namespaces/default/serviceaccounts/default") is not None

    wait_for("the controllers to furnish the default namespace", furnished, deadline_s=60)


def _start(cluster: Cluster, name: str, *arguments: str | Path) -> None:
    where = inside(cluster) if cluster.nodes is Nodes.KUBELET else ()
    cluster.programs.start(name, [*where, binary_path(name), *arguments])
