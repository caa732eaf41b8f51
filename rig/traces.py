"""What real nodes could leave on this machine, looked for where the kernel and the disk keep it.

What belongs to a cluster that is up is no trace.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from rig.lifecycle import clusters
from rig.network import unique_name
from rig.paths import clusters_root
from rig.programs import marked

# Where containerd, runc, the kubelet and the network plugins write when nobody tells them otherwise.
_FIXED = (
    "/etc/cni",
    "/run/cni",
    "/run/containerd",
    "/run/netns",
    "/run/runc",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
_RULES = (("nft", "list", "ruleset"), ("iptables-save",))


def traces() -> frozenset[str]:
    """Everything of that kind that there is now, a line for each."""
    return frozenset((*_programs(), *_control_groups(), *_mounts(), *_devices(), *_rules(), *_files()))


def _programs() -> Iterator[str]:
    up = {cluster.folder for cluster in clusters()}
    return (f"program {pid} of {folder}" for pid, folder in marked() if folder not in up)


def _control_groups() -> Iterator[str]:
    up = {unique_name(cluster) for cluster in clusters()}
    found = Path("/sys/fs/cgroup").glob("**/rig-*")
    return (f"control group {group}" for group in found if group.name not in up)


def _mounts() -> Iterator[str]:
    """Networks of nodes are mounts as well. An image that is being built mounts its layers, by buildah."""
    up = [cluster.folder for cluster in clusters()]
    places = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    others = [place for place in places if not any(place.is_relative_to(folder) for folder in up)]
    return (f"mount {place}" for place in others if "buildah" not in place.parts)


def _devices() -> Iterator[str]:
    return (f"network device {device.name}" for device in Path("/sys/class/net").iterdir())


def _rules() -> Iterator[str]:
    for command in _RULES:
        if shutil.which(command[0]):
            listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            yield from (f"{command[0]}: {line.strip()}" for line in listed.splitlines() if not line.startswith("#"))


def _files() -> Iterator[str]:
    up = {cluster.folder for cluster in clusters()}
    folders = [folder for folder in clusters_root().glob("*") if folder not in up]
    return (f"file {path}" for path in (*folders, *map(Path, _FIXED)) if path.exists())
