"""An API group that is announced, and behind which nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rig.api import Api

_APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class DeadGroup(NamedTuple):
    """``version`` is that in which its kinds would be, ``group/version``; ``service`` what announces it."""

    version: str
    service: dict[str, Any]


@contextmanager
def dead_group(api: Api, namespace: str) -> Iterator[DeadGroup]:
    """Announce it, for as long as the block lasts."""
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
        yield DeadGroup(f"{group}/v1", service)
    finally:
        api.delete(f"{_APISERVICES}/v1.{group}")
