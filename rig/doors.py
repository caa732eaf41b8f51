"""Doors between this machine and a cluster's own network, each a relay among the cluster's programs."""

import socket
import subprocess
import sys
from pathlib import Path

from rig.cluster import Cluster, Nodes
from rig.network import NODE_ADDRESS, inside, network_file
from rig.ports import free_ports
from rig.waiting import wait_for

_PROBE = "import socket, sys; sys.exit(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))))"


def open_door(cluster: Cluster, to: str, *, port: int | None = None, delay_s: float = 0.0) -> int:
    """A port of this machine's loopback that leads to `HOST:PORT` as the cluster sees it: a pod, a Service."""
    chosen = port or free_ports(1)[0]
    network = [f"--network={network_file(cluster)}"] if cluster.nodes is Nodes.KUBELET else []
    command = [*_relay(chosen, to), f"--delay={delay_s}", *network]
    cluster.programs.start(_name(chosen), command, _tree())
    wait_for(f"the door on port {chosen} to open", lambda: _listens(cluster, chosen))
    return chosen


def close_door(cluster: Cluster, port: int) -> None:
    """Close it; connections through it end."""
    cluster.programs.end(_name(port))


def let_pods_reach(cluster: Cluster, port: int) -> str:
    """Where pods of a real node reach a server on this machine's loopback: `ADDRESS:PORT`."""
    command = [*_relay(port, f"127.0.0.1:{port}"), f"--address={NODE_ADDRESS}", f"--listen-in={network_file(cluster)}"]
    cluster.programs.start(_name_out(port), command, _tree())
    probe = [*inside(cluster), sys.executable, "-c", _PROBE, NODE_ADDRESS, str(port)]
    wait_for(f"the door to port {port} to open", lambda: subprocess.run(probe, check=False).returncode == 0)
    return f"{NODE_ADDRESS}:{port}"


def let_pods_reach_no_more(cluster: Cluster, port: int) -> None:
    """Close that door; connections through it end."""
    cluster.programs.end(_name_out(port))


def _relay(port: int, to: str) -> list[str]:
    return [sys.executable, "-m", "rig.relay", f"--listen={port}", f"--to={to}"]


def _tree() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parent.parent)}


def _name(port: int) -> str:
    return f"door-{port}"


def _name_out(port: int) -> str:
    return f"out-{port}"


def _listens(cluster: Cluster, port: int) -> bool:
    cluster.programs.require_running(_name(port))
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
