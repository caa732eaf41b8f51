"""The life of a cluster: up, or not at all; down, and nothing left."""

import contextlib
import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig import controlplane
from rig.binaries import build
from rig.cluster import RECORD, Cluster, Nodes, Ports, load_cluster
from rig.doors import open_door
from rig.errors import RigError
from rig.network import create_network, remove_network
from rig.paths import cluster_folder, clusters_root, make_folder, require_room
from rig.played import await_played_node, start_played_node
from rig.ports import free_ports, require_free
from rig.programs import Identity, myself
from rig.real import await_real_node, end_real_node, require_real, start_real_node
from rig.say import say

_ROOM_TO_RUN = 512 * 1024**2
NEEDED = {
    Nodes.NONE: ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"),
    Nodes.KWOK: ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl"),
    Nodes.KUBELET: (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "coredns",
        "kubectl",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The cluster someone wants. An owner of `None` lets it stay until it is brought down."""

    name: str = "default"
    nodes: Nodes = Nodes.KWOK
    port: int | None = None
    owner: Identity | None = None


def up(wish: Wish) -> Cluster:
    """The cluster that was wished for: the one that is up already, or a fresh one."""
    require_linux()
    if wish.nodes is Nodes.KUBELET:
        require_real()
    build(NEEDED[wish.nodes])
    sweep()
    with _held(cluster_folder(wish.name)) as folder:
        found = load_cluster(folder)
        if found is not None and is_whole(found):
            return _same(found, wish)
        _clear(folder)
        return _bring_up(folder, wish)


def down(name: str) -> bool:
    """End it and leave nothing; whether there was anything."""
    folder = cluster_folder(name)
    if not folder.exists():
        return False
    with _held(folder):
        _remove(folder)
    return True


def sweep() -> None:
    """Bring down every cluster whose owner died."""
    for cluster in clusters():
        if cluster.is_abandoned():
            say(f"cluster '{cluster.name}' was left by an owner who died: bringing it down")
            _remove_abandoned(cluster.folder)


def clusters() -> list[Cluster]:
    """All that are remembered, up or half up."""
    found = [load_cluster(folder) for folder in sorted(clusters_root().glob("*"))]
    return [cluster for cluster in found if cluster is not None]


def is_whole(cluster: Cluster) -> bool:
    """Whether all of it runs and its owner is still there."""
    names = cluster.programs.names()
    complete = bool(names) and all(cluster.programs.is_running(name) for name in names)
    return complete and not cluster.is_abandoned()


def require_linux() -> None:
    """Refuse where pids, namespaces and mounts are other things."""
    if platform.system() != "Linux":
        raise RigError(
            f"The rig runs on Linux, this is {platform.system()}",
            remedy="Use a cluster you have instead: GITOPSD_TEST_KUBECONFIG=<its kubeconfig> make test.",
        )


def _bring_up(folder: Path, wish: Wish) -> Cluster:
    try:
        require_room(folder, _ROOM_TO_RUN, of="XDG_STATE_HOME")
        cluster = _plan(folder, wish).owned_by(myself())
        cluster.save()
        _start(cluster)
    except BaseException:
        _remove(folder)
        raise
    ready = cluster.owned_by(wish.owner)
    ready.save()
    return ready


def _plan(folder: Path, wish: Wish) -> Cluster:
    taken = {port for other in clusters() for port in (other.ports.api, other.ports.etcd, other.ports.etcd_peer)}
    api, etcd, etcd_peer = free_ports(3, taken)
    if wish.port is not None:
        api = require_free(wish.port)
    ports = Ports(api=api, etcd=etcd, etcd_peer=etcd_peer)
    return Cluster(name=wish.name, folder=folder, nodes=wish.nodes, ports=ports)


def _start(cluster: Cluster) -> None:
    say(f"starting cluster '{cluster.name}', nodes: {cluster.nodes}")
    controlplane.write_credentials(cluster)
    if cluster.nodes is Nodes.KUBELET:
        create_network(cluster)
    _start_control_plane(cluster)
    match cluster.nodes:
        case Nodes.KWOK:
            start_played_node(cluster)
            await_played_node(cluster)
        case Nodes.KUBELET:
            start_real_node(cluster)
            await_real_node(cluster)
        case Nodes.NONE:
            pass
    controlplane.await_controllers(cluster)
    say(f"cluster '{cluster.name}' is up: {cluster.server}")


def _start_control_plane(cluster: Cluster) -> None:
    """The controllers wait for the API server themselves, so that nobody waits twice.

    They give up after ten seconds, which a busy machine may need; then they are started once more.
    """
    controlplane.start_etcd(cluster)
    controlplane.start_api_server(cluster)
    controlplane.start_controllers(cluster)
    if cluster.nodes is not Nodes.NONE:
        controlplane.start_scheduler(cluster)
    if cluster.nodes is Nodes.KUBELET:
        open_door(cluster, f"127.0.0.1:{cluster.ports.api}", port=cluster.ports.api)
    controlplane.await_api_server(cluster)
    if not cluster.programs.is_running("kube-controller-manager"):
        controlplane.start_controllers(cluster)


def _same(found: Cluster, wish: Wish) -> Cluster:
    if found.nodes is not wish.nodes or wish.port not in (None, found.ports.api):
        raise RigError(
            f"Cluster '{found.name}' is up already, with nodes {found.nodes} on port {found.ports.api}",
            remedy=f"Bring it down first (`python -m rig down --name {found.name}`) or choose another --name.",
        )
    say(f"cluster '{found.name}' is up already: {found.server}")
    return found


def _clear(folder: Path) -> None:
    cluster = load_cluster(folder)
    if cluster is not None:
        if cluster.nodes is Nodes.KUBELET:
            end_real_node(cluster)
        cluster.programs.kill_all()
    remove_network(folder)
    # What we know of the cluster goes last: a clearing that was cut short can then be finished.
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == RECORD):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """Nobody else brings this cluster up or down meanwhile. The folder is its own lock: no file is left."""
    while True:
        make_folder(folder, mode=0o700)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_still(folder, lock):
                yield folder
                return
        finally:
            os.close(lock)


def _is_still(folder: Path, lock: int) -> bool:
    try:
        return folder.stat().st_ino == os.fstat(lock).st_ino
    except FileNotFoundError:
        return False


def _remove_abandoned(folder: Path) -> None:
    """Look again once nobody else can act: someone may have brought it up anew meanwhile."""
    with _held(folder):
        found = load_cluster(folder)
        if found is None or found.is_abandoned():
            _remove(folder)


def _remove(folder: Path) -> None:
    _clear(folder)
    folder.rmdir()
    with contextlib.suppress(OSError):
        clusters_root().rmdir()
        clusters_root().parent.rmdir()
