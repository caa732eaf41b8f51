"""A node whose kubelet is played here: every container of its pods has logged the same, and a Job there can be failed.

It stands in for the controllers as well, which a cluster without nodes does not have for Jobs.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rig.api import MERGE, Api
from rig.cluster import Cluster

NODE = "played-kubelet"
_ADDRESS = "127.0.0.1"
_NODES = "/api/v1/nodes"
_NOW = "2026-01-01T12:00:00Z"


@dataclass(frozen=True)
class PlayedNode:
    """The node, and what is done to Jobs there."""

    api: Api

    def fail(self, job: Mapping[str, Any]) -> None:
        """Let the Job have run here, and have failed."""
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        container = {"name": "smoke", "image": "rig.test/web"}
        pods = f"/api/v1/namespaces/{namespace}/pods"
        metadata = {"name": f"{name}-1", "labels": {"job-name": name}}
        spec = {"nodeName": NODE, "restartPolicy": "Never", "containers": [container]}
        self.api.create(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        ended = {**container, "imageID": "", "ready": False, "restartCount": 0}
        terminated = {"exitCode": 1, "startedAt": _NOW, "finishedAt": _NOW}
        self._set_status(
            f"{pods}/{name}-1",
            {"phase": "Failed", "containerStatuses": [{**ended, "state": {"terminated": terminated}}]},
        )
        conditions = [
            {"type": one, "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": _NOW}
            for one in ("FailureTarget", "Failed")
        ]
        self._set_status(
            f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}",
            {"startTime": _NOW, "failed": 1, "conditions": conditions},
        )

    def _set_status(self, path: str, status: Mapping[str, Any]) -> None:
        self.api.request("PATCH", f"{path}/status", {"status": dict(status)}, MERGE)


@contextmanager
def played_kubelet(rig: Cluster, logged: bytes) -> Iterator[PlayedNode]:
    """Register the node, and answer the API server for it."""
    server = ThreadingHTTPServer((_ADDRESS, 0), _answering(logged))
    server.socket = _tls(rig).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api = rig.api()
    status = {
        "addresses": [{"type": "InternalIP", "address": _ADDRESS}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_address[1]}},
    }
    api.create(_NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": status})
    try:
        yield PlayedNode(api)
    finally:
        api.delete(f"{_NODES}/{NODE}")
        server.shutdown()
        server.server_close()
        thread.join(10)


def _tls(rig: Cluster) -> ssl.SSLContext:
    pair = rig.authority.sign_server(NODE, (_ADDRESS,))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    return tls


def _answering(logged: bytes) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/containerLogs/")
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(logged if found else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    return Answering
