"""One cluster as a value: what it is called, where it lies, how to reach it, who owns it."""

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from rig.api import Api
from rig.certificates import Authority
from rig.programs import Identity, Programs

RECORD = "cluster.json"


class Nodes(StrEnum):
    """What runs the pods."""

    NONE = "none"
    KWOK = "kwok"
    KUBELET = "kubelet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where its servers listen."""

    api: int
    etcd: int
    etcd_peer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster, up or coming up. An owner of `None` means that it stays until someone brings it down."""

    name: str
    folder: Path
    nodes: Nodes
    ports: Ports
    owner: Identity | None = field(default=None)

    @property
    def server(self) -> str:
        """The API server as this machine reaches it."""
        return f"https://127.0.0.1:{self.ports.api}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Authority:
        """Who signs its certificates."""
        return Authority(self.folder / "pki")

    @property
    def programs(self) -> Programs:
        """What runs for it."""
        return Programs(self.folder)

    @property
    def audit_log(self) -> Path:
        """Every request the API server answered, a line each."""
        return self.folder / "audit.log"

    def api(self) -> Api:
        """The API as the administrator."""
        return Api.from_kubeconfig(self.kubeconfig)

    def is_abandoned(self) -> bool:
        """Whether it had an owner who is no more."""
        return self.owner is not None and not self.owner.is_alive()

    def owned_by(self, owner: Identity | None) -> "Cluster":
        """The same cluster with another owner."""
        return replace(self, owner=owner)

    def save(self) -> None:
        """Remember it in its folder, whole or not at all."""
        fresh = self.folder / ".cluster.json.tmp"
        fresh.write_text(json.dumps(asdict(self) | {"folder": None}, indent=2))
        fresh.rename(self.folder / RECORD)


def load_cluster(folder: Path) -> Cluster | None:
    """The cluster remembered in that folder."""
    try:
        found: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Cluster(
        name=found["name"],
        folder=folder,
        nodes=Nodes(found["nodes"]),
        ports=Ports(**found["ports"]),
        owner=Identity(**found["owner"]) if found["owner"] else None,
    )
