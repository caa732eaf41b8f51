"""An API group that is announced, and behind which nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rig.api import Api

_APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


@contextmanager
def dead_group(api: Api, namespace: str) -> Iterator[str]:
    """Announce it, for as long as the block lasts; the version in which its kinds would be, ``group/version``."""
    group = f"{namespace}.example.com"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "nowhere", "namespace": namespace, "port": 443},
        },
    }
    api.create(_APISERVICES, service)
    try:
        yield f"{group}/v1"
    finally:
        api.delete(f"{_APISERVICES}/v1.{group}")
