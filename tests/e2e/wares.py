"""A shop with many ConfigMaps, and a web server whose pods become ready when the test says so, and not before."""

from __future__ import annotations

import json
from typing import Any

from rig.images import WEB
from tests.e2e.followed import STAGING
from tests.e2e.installed import SHOP, Installation

ITEMS = 40
TOLD = "example.com/told"
_STRATEGIC = "application/strategic-merge-patch+json"


def settings(timeout: str = "2m") -> dict[str, str]:
    """The environment's own file."""
    health = {"timeout": timeout, "soak": "1s"}
    body = {"apiVersion": "gitopsd.dev/v1", "kind": "Environment", "namespace": SHOP, "health": health}
    return {f"{STAGING.directory}/gitopsd.yaml": json.dumps(body)}


def items(version: str) -> dict[str, str]:
    """The ConfigMaps."""
    objects = [_object("v1", "ConfigMap", f"item-{number:02}", data={"version": version}) for number in range(ITEMS)]
    return {f"{STAGING.directory}/items.yaml": "\n---\n".join(map(json.dumps, objects))}


def web(version: str) -> dict[str, str]:
    """The web server; a new version makes a new pod."""
    labels = {"app": "web"}
    container = {"name": "web", "image": WEB, "env": [{"name": "VERSION", "value": version}]}
    gates = [{"conditionType": TOLD}]
    pod = {"terminationGracePeriodSeconds": 1, "readinessGates": gates, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {f"{STAGING.directory}/web.yaml": json.dumps(_object("apps/v1", "Deployment", "web", spec=spec))}


def tell_ready(made: Installation, version: str) -> bool:
    """Let the pods of that version become ready; whether there are any."""
    pods = [pod for pod in made.pods(SHOP, "app=web") if _version(pod["spec"]) == version]
    for pod in pods:
        path = f"/api/v1/namespaces/{SHOP}/pods/{pod['metadata']['name']}/status"
        told = {"status": {"conditions": [{"type": TOLD, "status": "True"}]}}
        made.api.request("PATCH", path, told, _STRATEGIC)
    return bool(pods)


def versions(made: Installation) -> dict[str, str]:
    """Which version the cluster has of each object."""
    maps = made.api.get(f"/api/v1/namespaces/{SHOP}/configmaps")["items"]
    found = {one["metadata"]["name"]: one["data"]["version"] for one in maps if "version" in one["data"]}
    deployments = made.api.get(f"/apis/apps/v1/namespaces/{SHOP}/deployments")["items"]
    return found | {one["metadata"]["name"]: _version(one["spec"]["template"]["spec"]) for one in deployments}


def all_at(version: str, *, web: str) -> dict[str, str]:
    """Which version it should have of each."""
    return {f"item-{number:02}": version for number in range(ITEMS)} | {"web": web}


def _version(pod: dict[str, Any]) -> str:
    found: str = pod["containers"][0]["env"][0]["value"]
    return found


def _object(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}
