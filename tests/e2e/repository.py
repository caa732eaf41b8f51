"""What the shop's developers commit."""

from __future__ import annotations

import json
from typing import Any

from rig.images import WEB
from tests.e2e.installed import SHOP

STAGING = "environments/staging"


def settings() -> dict[str, str]:
    """The environment's own file."""
    body = {
        "apiVersion": "gitopsd.dev/v1",
        "kind": "Environment",
        "namespace": SHOP,
        "health": {"timeout": "2m", "soak": "2s"},
    }
    return {f"{STAGING}/gitopsd.yaml": json.dumps(body)}


def web(version: str, *, image: str = WEB) -> dict[str, str]:
    """A web server, its Service and a Secret, as a kustomization."""
    labels = {"app": "web"}
    container = {"name": "web", "image": image, "env": [{"name": "VERSION", "value": version}]}
    pod = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {
        f"{STAGING}/kustomization.yaml": json.dumps({"resources": ["web.yaml"]}),
        f"{STAGING}/web.yaml": "\n---\n".join(
            json.dumps(one)
            for one in (
                _object("apps/v1", "Deployment", "web", spec=deployment),
                _object("v1", "Service", "web", spec={"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}),
                _object("v1", "Secret", "web", stringData={"key": "s3cret"}),
            )
        ),
    }


def _object(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}
