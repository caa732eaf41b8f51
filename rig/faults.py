"""What can go wrong with an API server, on purpose: it crashes, it hangs, it is far away. Each ends with its block."""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import controlplane, kubeconfig
from rig.cluster import Cluster
from rig.ports import free_ports
from rig.waiting import wait_for


@contextmanager
def crashed(cluster: Cluster) -> Iterator[None]:
    """The API server is killed (-9); at the end it starts again, on the same data and the same port."""
    cluster.programs.kill("kube-apiserver")
    try:
        yield
    finally:
        controlplane.start_api_server(cluster)
        controlplane.await_api_server(cluster)


def crash_and_restart(cluster: Cluster) -> None:
    """Kill the API server (-9) and start it again, on the same data and the same port."""
    with crashed(cluster):
        pass


@contextmanager
def paused(cluster: Cluster) -> Iterator[None]:
    """The API server hangs: it accepts connections and answers nothing."""
    cluster.programs.signal("kube-apiserver", signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.programs.signal("kube-apiserver", signal.SIGCONT)


@contextmanager
def delayed(cluster: Cluster, seconds: float) -> Iterator[Path]:
    """A kubeconfig through which every request arrives that much later."""
    (port,) = free_ports(1)
    name = f"relay-{port}"
    command = [sys.executable, "-m", "rig.relay", f"--listen={port}", f"--to=127.0.0.1:{cluster.ports.api}"]
    root = Path(__file__).parent.parent
    cluster.programs.start(name, [*command, f"--delay={seconds}"], {"PYTHONPATH": str(root)})
    wait_for("the relay to listen", lambda: _listens(port))
    server = f"https://127.0.0.1:{port}"
    path = kubeconfig.write_elsewhere(cluster.folder / f"{name}.kubeconfig", cluster.kubeconfig, server)
    try:
        yield path
    finally:
        cluster.programs.end(name)
        path.unlink(missing_ok=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
