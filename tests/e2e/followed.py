"""What the operator writes: the environments that are followed, as values of the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rig.product import PRODUCT
from tests.e2e.forge import HOST

Json = dict[str, Any]

MOUNTS = "/var/run/secrets/gitopsd"
# Each has the Secret with its credentials, mounted under the same name.
SOURCES: dict[str, Json] = {
    "environments": {
        "url": f"https://{HOST}/environments.git",
        "auth": {"tokenFile": f"{MOUNTS}/environments/token", "caFile": f"{MOUNTS}/environments/ca.crt"},
    },
    "wiki": {
        "url": f"git@{HOST}:wiki.git",
        "auth": {"sshKeyFile": f"{MOUNTS}/wiki/id", "knownHostsFile": f"{MOUNTS}/wiki/known_hosts"},
    },
}


@dataclass(frozen=True, slots=True)
class Followed:
    """An environment: what it is called, where it lives, the source it lies in, and the Secret with its age key."""

    name: str
    namespace: str
    source: str = "environments"
    keys: str = ""

    @property
    def account(self) -> str:
        """Who writes for it."""
        return f"gitopsd-{self.name}"

    @property
    def directory(self) -> str:
        """Where it lies in its source."""
        return f"environments/{self.name}"


STAGING = Followed("staging", "shop")


def values(followed: Sequence[Followed], viewers: Sequence[Json]) -> Json:
    """Return the chart's values: one account for each environment, and no other."""
    sources = list(dict.fromkeys(one.source for one in followed))
    mounted = [*sources, *(one.keys for one in followed if one.keys)]
    repository, _, tag = PRODUCT.rpartition(":")
    return {
        "config": {
            "sources": [{"name": name, "poll": "1s", **SOURCES[name]} for name in sources],
            "environments": [_environment(one) for one in followed],
        },
        "accounts": [{"name": one.account, "namespaces": [one.namespace]} for one in followed],
        "credentials": [{"name": name, "secret": f"gitopsd-{name}"} for name in mounted],
        "viewers": list(viewers),
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "replicas": 1,
    }


def _environment(one: Followed) -> Json:
    bounds = {"path": one.directory, "source": one.source, "namespaces": [one.namespace], "serviceAccount": one.account}
    return {**bounds, "decryption": {"ageKeyFiles": [f"{MOUNTS}/{one.keys}/keys.txt"]}} if one.keys else bounds
