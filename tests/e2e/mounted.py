"""Secrets that pods have mounted: what is put into one, its pods see at once."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from uuid import uuid4

from rig.api import MERGE, Api

Content = Mapping[str, str | bytes]


def put_secret(api: Api, namespace: str, name: str, content: Content) -> None:
    """Write the Secret, and let every pod of the namespace look at it.

    The kubelet looks at Secrets once a minute, and at once when the pod changes.
    """
    encoded = {key: base64.b64encode(_as_bytes(value)).decode() for key, value in content.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
    api.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)
    touched = {"metadata": {"annotations": {"example.com/touched": str(uuid4())}}}
    for pod in api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]:
        api.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}", touched, MERGE)


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
