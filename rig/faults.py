"""What can go wrong, on purpose: an API server crashes, hangs, is far away; a network parts; a container is killed.

What lasts ends with its block.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from rig import controlplane
from rig.cluster import Cluster
from rig.doors import close_door, open_door
from rig.errors import RigError
from rig.kubeconfig import write_elsewhere
from rig.network import inside
from rig.played import do_pods_run, start_kwok
from rig.real import PODS
from rig.say import say

_CUT = """
table inet {table} {{
  chain to-the-node {{ type filter hook input priority 0; ip saddr {pods} tcp dport {port} {how}; }}
  chain from-the-node {{ type filter hook output priority 0; ip daddr {pods} tcp sport {port} {how}; }}
  chain to-a-pod {{ type filter hook forward priority 0; ip saddr {pods} tcp dport {port} {how}; }}
  chain from-a-pod {{ type filter hook forward priority 0; ip daddr {pods} tcp sport {port} {how}; }}
}}
"""
# After an outage of seconds these wait for up to a minute, or for ever, before they look again.
_LOOK_AGAIN_LATE = {
    "kube-controller-manager": controlplane.start_controllers,
    "kube-scheduler": controlplane.start_scheduler,
    "kwok": start_kwok,
}
# A pod is there after half a second; seldom, and nobody knows yet why, none comes before they start once more.
_A_POD_TAKES_S, _TRIES_MAX = 15.0, 6
_HOW = {"silent": "drop", "refused": "reject with tcp reset"}


@contextmanager
def crashed(cluster: Cluster) -> Iterator[None]:
    """The API server is killed (-9); at the end it starts again, on the same data and port, and its clients anew."""
    cluster.programs.kill("kube-apiserver")
    try:
        yield
    finally:
        controlplane.start_api_server(cluster)
        _let_all_look_again(cluster)


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
        _let_all_look_again(cluster)


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


@contextmanager
def cut(cluster: Cluster, port: int, how: Literal["silent", "refused"] = "silent") -> Iterator[None]:
    """Pods of a real node, and that port of it or of other pods, do not reach each other; silently, or refused."""
    table = f"cut-{port}"
    _nft(cluster, _CUT.format(table=table, pods=PODS, port=port, how=_HOW[how]))
    try:
        yield
    finally:
        _nft(cluster, f"delete table inet {table}")


def kill_container(container: str) -> None:
    """Kill (-9) every process of a container of a real node; `container` is its id."""
    for groups in Path("/proc").glob("[0-9]*/cgroup"):
        # A process may end while we look.
        with suppress(OSError):
            if container in groups.read_text():
                os.kill(int(groups.parent.name), signal.SIGKILL)


def _let_all_look_again(cluster: Cluster) -> None:
    controlplane.await_api_server(cluster)
    for _ in range(_TRIES_MAX):
        _start_anew(cluster)
        if not cluster.programs.identity("kwok") or do_pods_run(cluster, within_s=_A_POD_TAKES_S):
            return
        say(f"no pod runs {_A_POD_TAKES_S:g} s after the API server is back; {_last_words(cluster)}")
    raise RigError(
        f"No pod runs after the API server is back: {_last_words(cluster)}",
        remedy="The cause may be in these words; then bring the cluster up again.",
    )


def _start_anew(cluster: Cluster) -> None:
    for name, start in _LOOK_AGAIN_LATE.items():
        if cluster.programs.identity(name):
            cluster.programs.end(name)
            start(cluster)


def _last_words(cluster: Cluster) -> str:
    return "; ".join(f"{name}: {cluster.programs.last_words(name)}" for name in _LOOK_AGAIN_LATE)


def _nft(cluster: Cluster, rules: str) -> None:
    done = subprocess.run(
        [*inside(cluster), "nft", "-f", "-"], input=rules, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RigError(f"nft refused the rules: {done.stderr.strip()}", remedy="Is it a cluster with a real node?")
