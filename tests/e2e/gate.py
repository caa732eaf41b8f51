"""A gate before the API server's store: so many writes pass, the others wait until it opens. So a middle has a length.

It is an admission webhook. Whoever hangs up while it waits has written nothing.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rig.cluster import Cluster
from rig.doors import let_pods_reach, let_pods_reach_no_more
from rig.network import NODE_ADDRESS
from rig.waiting import wait_for
from tests.e2e.installed import SHOP, Installation

# The API server itself waits no longer.
HELD_S_MAX = 30
_WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@dataclass
class Gate:
    """How many may pass, and how many did; the others are held."""

    lets: int
    passed: int = 0
    held: int = 0
    _open: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        """Let everything through from now on."""
        self._open.set()

    def await_middle(self) -> None:
        """Return when as many have passed as may, and others wait."""
        wait_for("writes at the gate", lambda: self.passed == self.lets and self.held > 0, deadline_s=60)

    def pass_through(self) -> None:
        """Be one write."""
        with self._turn:
            may = self._open.is_set() or self.passed < self.lets
            self.passed += may
            self.held += not may
        if not may:
            self._open.wait(HELD_S_MAX)


@contextmanager
def gate(made: Installation, lets: int) -> Iterator[Gate]:
    """A gate for what is written into the shop."""
    made_gate = Gate(lets)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(made_gate))
    rig, port = made.cluster.powers(), server.server_address[1]
    server.socket = _tls(rig).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    let_pods_reach(rig, port)
    made.api.create(_WEBHOOK, _configuration(rig.authority.pair("ca").certificate.read_bytes(), port))
    try:
        yield made_gate
    finally:
        made_gate.open()
        made.api.delete(f"{_WEBHOOK}/gate")
        let_pods_reach_no_more(rig, port)
        server.shutdown()
        server.server_close()
        thread.join(HELD_S_MAX)


def _tls(rig: Cluster) -> ssl.SSLContext:
    pair = rig.authority.sign_server("gate", (NODE_ADDRESS,))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    return tls


def _answering(made_gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            if not asked.get("dryRun"):
                made_gate.pass_through()
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            body = json.dumps({**review, "response": {"uid": asked["uid"], "allowed": True}}).encode()
            # Whoever was killed meanwhile hears nothing.
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Answering


def _configuration(authority: bytes, port: int) -> dict[str, Any]:
    written = {
        "apiGroups": ["", "apps"],
        "apiVersions": ["v1"],
        "resources": ["configmaps", "deployments"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
    }
    client = {"url": f"https://{NODE_ADDRESS}:{port}/", "caBundle": base64.b64encode(authority).decode()}
    webhook = {
        "name": "gate.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": HELD_S_MAX,
        "clientConfig": client,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SHOP}},
        "rules": [written],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "gate"},
        "webhooks": [webhook],
    }
