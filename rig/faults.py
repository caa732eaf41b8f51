"""What can go wrong with an API server, on purpose: it crashes, it hangs, it is far away. Each ends with its block."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import controlplane
from rig.cluster import Cluster
from rig.doors import close_door, open_door
from rig.kubeconfig import write_elsewhere


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
    port = open_door(cluster, f"127.0.0.1:{cluster.ports.api}", delay_s=seconds)
    path = cluster.folder / f"delayed-{port}.kubeconfig"
    try:
        yield write_elsewhere(path, cluster.kubeconfig, f"https://127.0.0.1:{port}")
    finally:
        close_door(cluster, port)
        path.unlink(missing_ok=True)
