"""A real node: containerd and a kubelet that see only their own processes, mounts and network.

The first of them is the node's init: when it ends, the kernel ends every process and every mount of the node.
"""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import yaml

from rig import images
from rig.binaries import binary_path
from rig.certificates import Pair
from rig.cluster import Cluster
from rig.errors import RigError
from rig.kubeconfig import write_for_certificate
from rig.network import INIT, NODE_ADDRESS, enter, inside, unique_name
from rig.waiting import wait_for

NODE = "rig-node"
PODS = "10.244.0.0/16"
_HOME = "/mnt"
_NEEDED = ("containerd", "runc", "catatonit", "ip", "nsenter", "unshare", "nft", "conntrack", "buildah", "busybox")
_CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
# /mnt is on every system; what the programs write to fixed places goes to memory that only they see.
_BECOME_NODE = f"""
mount --bind "$0" {_HOME} && mount --bind "$1" {_HOME}/bin || exit 1
mount --bind {_HOME}/resolv.conf /etc/resolv.conf || exit 1
for place in /run /var/lib /var/log; do mount -t tmpfs tmpfs $place || exit 1; done
mkdir -p /run/lock {_HOME}/scratch
mount --make-rshared /
exec catatonit -- containerd --config {_HOME}/containerd.toml
"""


def require_real() -> None:
    """Refuse where a real node cannot be."""
    if os.geteuid() != 0:
        raise RigError("A real node needs root", remedy="Run this as root, or use --nodes kwok, which needs none.")
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        raise RigError(
            f"A real node needs {', '.join(missing)}", remedy="Install them as root: sh rig/install-node.sh."
        )


def start_real_node(cluster: Cluster) -> None:
    """Start the container runtime, the kubelet, the Service proxy and the name server."""
    home = _home(cluster)
    home.mkdir()
    for folder in ("bin", "scratch", "cni"):
        (home / folder).mkdir()
    _create_control_groups(cluster)
    _write_configuration(cluster, home)
    unshared = ("unshare", "--mount", "--propagation=slave", "--pid", "--fork", "--mount-proc", "--kill-child")
    programs = str(binary_path("kubelet").parent)
    command = [*inside(cluster), *unshared, "sh", "-c", _BECOME_NODE, str(home), programs]
    cluster.programs.start(INIT, command, {"TMPDIR": f"{_HOME}/scratch"})
    wait_for("containerd to listen", lambda: _containerd_listens(cluster), deadline_s=30)
    images.load(cluster, images.pause_image())
    kubelet = ["--config", f"{_HOME}/kubelet.yaml", "--kubeconfig", f"{_HOME}/kubelet.kubeconfig"]
    kubelet += [f"--node-ip={NODE_ADDRESS}", f"--hostname-override={NODE}", f"--root-dir={_HOME}/kubelet"]
    _start(cluster, "kubelet", f"{_HOME}/bin/kubelet", *kubelet, f"--cert-dir={_HOME}/kubelet-pki")
    _start(cluster, "kube-proxy", f"{_HOME}/bin/kube-proxy", f"--config={_HOME}/proxy.yaml")
    coredns = [*inside(cluster), str(binary_path("coredns")), "-conf", str(home / "Corefile")]
    cluster.programs.start("coredns", coredns)


def await_real_node(cluster: Cluster) -> None:
    """Return when pods can be scheduled there."""
    api = cluster.api()

    def schedulable() -> bool:
        for name in (INIT, "kubelet", "kube-proxy", "coredns"):
            cluster.programs.require_running(name)
        node = api.find(f"/api/v1/nodes/{NODE}")
        if node is None:
            return False
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
        return ready and not node["spec"].get("taints")

    wait_for("the node to be ready", schedulable, deadline_s=120)


def end_real_node(cluster: Cluster) -> None:
    """End every process of the node at once, and remove its control groups."""
    init = cluster.programs.identity(INIT)
    if init is not None:
        init.signal(signal.SIGKILL)
    for name in ("kubelet", "kube-proxy", "coredns", INIT):
        cluster.programs.end(name)
    wait_for("the node's control groups to be empty", lambda: _remove_control_groups(cluster), deadline_s=30)


def _start(cluster: Cluster, name: str, *command: str) -> None:
    cluster.programs.start(name, [*enter(cluster), *command], {"TMPDIR": f"{_HOME}/scratch"})


def _containerd_listens(cluster: Cluster) -> bool:
    cluster.programs.require_running(INIT)
    asked = subprocess.run([*enter(cluster), *images.CTR, "version"], capture_output=True, check=False)
    return asked.returncode == 0


def _write_configuration(cluster: Cluster, home: Path) -> None:
    authority = cluster.authority
    shutil.copy(authority.pair("ca").certificate, home / "ca.crt")
    clients = {
        "kubelet": (f"system:node:{NODE}", ["system:nodes"]),
        "proxy": ("system:kube-proxy", []),
        "coredns": ("system:kube-dns", ["system:masters"]),
    }
    for name, (user, groups) in clients.items():
        pair: Pair = authority.sign_client(name, user, groups)
        write_for_certificate(home / f"{name}.kubeconfig", cluster.server, home / "ca.crt", pair)
    (home / "containerd.toml").write_text(_containerd_configuration())
    (home / "cni" / "10-rig.conflist").write_text(json.dumps(_CNI))
    (home / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet_configuration(cluster)))
    (home / "proxy.yaml").write_text(yaml.safe_dump(_PROXY))
    (home / "resolv.conf").write_text(f"nameserver {NODE_ADDRESS}\n")
    (home / "Corefile").write_text(_NAMES.format(address=NODE_ADDRESS, kubeconfig=home / "coredns.kubeconfig"))


def _containerd_configuration() -> str:
    plugins = next(folder for folder in _CNI_PLUGINS if Path(folder).is_dir())
    return f"""
version = 2
root = "{_HOME}/containerd"
state = "/run/containerd-state"
[grpc]
address = "{images.SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{images.PAUSE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{_HOME}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def _kubelet_configuration(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{_HOME}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{unique_name(cluster)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{_HOME}/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{images.SOCKET}",
        "podLogsDir": f"{_HOME}/pod-logs",
        "volumePluginDir": f"{_HOME}/volume-plugins",
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageMinimumGCAge": "24h",
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
    }


_CNI: dict[str, Any] = {
    "cniVersion": "0.4.0",
    "name": "rig",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": "/run/cni",
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
_PROXY: dict[str, Any] = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "nftables",
    "clusterCIDR": PODS,
    "hostnameOverride": NODE,
    "clientConnection": {"kubeconfig": f"{_HOME}/proxy.kubeconfig"},
    "conntrack": {"maxPerCore": 0},
}
# What is not of the cluster does not exist: nothing outside can be reached from there.
_NAMES = """
cluster.local in-addr.arpa {{
  bind {address}
  errors
  kubernetes {{
    kubeconfig {kubeconfig}
    pods insecure
  }}
}}
. {{
  bind {address}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def _home(cluster: Cluster) -> Path:
    return cluster.folder / "node"


def _hierarchies() -> list[Path]:
    """Where control groups are made: one tree in version 2, one tree for each controller in version 1."""
    if (_CONTROL_GROUPS / "cgroup.controllers").exists():
        return [_CONTROL_GROUPS]
    return [tree for tree in sorted(_CONTROL_GROUPS.iterdir()) if tree.is_dir() and not tree.is_symlink()]


def _create_control_groups(cluster: Cluster) -> None:
    for tree in _hierarchies():
        (tree / unique_name(cluster)).mkdir(exist_ok=True)


def _remove_control_groups(cluster: Cluster) -> bool:
    """Deepest first; a group whose last process is still ending comes next time."""
    for tree in _hierarchies():
        top = tree / unique_name(cluster)
        for group, _, _ in os.walk(top, topdown=False):
            try:
                Path(group).rmdir()
            except OSError:
                return False
    return True
