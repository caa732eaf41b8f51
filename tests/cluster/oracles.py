"""The two oracles of a delivery: what is there at the end, and what gitopsd wrote on the way there.

Its own record and snapshots are left out of both; they have tests of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rig.audit import Request
from tests.cluster.stage import Stage

_COLLECTIONS = (
    "configmaps",
    "secrets",
    "services",
    "persistentvolumeclaims",
    "deployments",
    "statefulsets",
    "jobs",
    "horizontalpodautoscalers",
)
_RECORDS = ("configmaps", "secrets")
_OWN = "gitopsd-"
_CLUSTERS_OWN = "kube-root-ca.crt"
_HISTORY_S = 1


def inhabitants(stage: Stage) -> set[str]:
    """Return what is in the test's namespace, save what the cluster itself puts there: ``deployments/web``, …"""
    return {
        f"{collection}/{one['metadata']['name']}"
        for collection in _COLLECTIONS
        for one in stage.api.get(stage.path(collection))["items"]
        if _is_of_interest(collection, one["metadata"]["name"])
    }


def written(stage: Stage, begin: int) -> Counter[str]:
    """Return how often gitopsd wrote each object since then: ``patch deployments/web``, ``delete configmaps/old``, …"""
    return Counter(_short(request) for request in _by_gitopsd(stage, begin) if request.is_write and request.code < 400)


def dry_runs(stage: Stage, begin: int) -> Counter[str]:
    """Return which objects gitopsd asked the server about since then, without any change."""
    return Counter(_short(request) for request in _by_gitopsd(stage, begin) if request.dry_run)


def history(stage: Stage, collection: str, name: str, since: str) -> list[dict[str, Any]]:
    """Return every version that an object has had since a resourceVersion: the API server's own memory of it."""
    path = f"{stage.path(collection)}?watch=1&resourceVersion={since}&timeoutSeconds={_HISTORY_S}"
    _, text = stage.api.exchange("GET", f"{path}&fieldSelector=metadata.name%3D{name}")
    return [json.loads(line)["object"] for line in text.splitlines() if line]


def version(stage: Stage, collection: str) -> str:
    """Return the resourceVersion of now, for ``history``."""
    found: str = stage.api.get(stage.path(collection))["metadata"]["resourceVersion"]
    return found


def identity(live: Mapping[str, Any] | None) -> tuple[str, int]:
    """Return what changes when an object is made anew, and what grows when its spec is changed."""
    assert live is not None
    return live["metadata"]["uid"], live["metadata"].get("generation", 0)


def container(live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a workload's first container."""
    assert live is not None
    found: dict[str, Any] = live["spec"]["template"]["spec"]["containers"][0]
    return found


def _by_gitopsd(stage: Stage, begin: int) -> list[Request]:
    return [
        request
        for request in stage.audit.requests(begin)
        if request.agent.startswith("gitopsd") and _is_of_interest(request.resource, request.name)
    ]


def _short(request: Request) -> str:
    resource = request.resource.rpartition("/")[2]
    return f"{request.verb} {resource}/{request.name}"


def _is_of_interest(resource: str, name: str) -> bool:
    return name != _CLUSTERS_OWN and not (resource in _RECORDS and name.startswith(_OWN))
