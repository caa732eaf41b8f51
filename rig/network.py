"""Where a real node runs: a network of the cluster's own, so that this machine's routes and tables stay as they are."""

import hashlib
import subprocess
from pathlib import Path

from rig.cluster import Cluster
from rig.errors import RigError

NODE_ADDRESS = "10.0.0.10"
INIT = "node"
_BRIDGE = "node0"
# The node's address sits on a bridge: a kubelet refuses loopback, and not every kernel has dummy devices.
_FURNISH = (
    "ip link set lo up",
    f"ip link add {_BRIDGE} type bridge",
    f"ip address add {NODE_ADDRESS}/32 dev {_BRIDGE}",
    f"ip link set {_BRIDGE} up",
    f"ip route add default dev {_BRIDGE}",
)


def unique_name(cluster: Cluster) -> str:
    """What the cluster's network and control groups are called: its name, and where it lies."""
    return f"rig-{cluster.name}-{hashlib.sha256(str(cluster.folder).encode()).hexdigest()[:6]}"


def network_file(cluster: Cluster) -> Path:
    """The handle by which programs enter the network."""
    return cluster.folder / "network"


def inside(cluster: Cluster) -> tuple[str, ...]:
    """What to put before a command so that it runs there; `ip netns exec` would also hide the control groups."""
    return ("nsenter", f"--net={network_file(cluster)}")


def enter(cluster: Cluster) -> list[str]:
    """What to put before a command so that it runs on the node."""
    init = cluster.programs.identity(INIT)
    if init is None:
        raise RigError(f"Cluster '{cluster.name}' has no real node", remedy="Bring one up: --nodes kubelet.")
    spaces = f"/proc/{init.pid}/ns"
    return [*inside(cluster), f"--mount={spaces}/mnt", f"--pid={spaces}/pid_for_children"]


def create_network(cluster: Cluster) -> None:
    """Make it, with loopback and the node's address."""
    network_file(cluster).touch()
    _run("unshare", f"--net={network_file(cluster)}", "true")
    for command in _FURNISH:
        _run(*inside(cluster), *command.split())
    _run(*inside(cluster), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")


def remove_network(folder: Path) -> None:
    """Let go of whatever is mounted in a cluster's folder: its network, if it got that far."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in mounted:
        if place.startswith(f"{folder}/"):
            _run("umount", place)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RigError(
            f"'{' '.join(command)}' failed: {done.stderr.strip()}",
            remedy="A real node needs root and the packages of rig/install-node.sh; --nodes kwok needs neither.",
        )
