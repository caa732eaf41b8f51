"""A server that speaks as much of Vault's transit engine, and of AWS KMS, as sops asks for; it remembers what for."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rig.certificates import Pair

TOKEN = "canary-vault-token-0d1e2f"
ACCESS_KEY = "AKIAEXAMPLE"


class KeyServer(ThreadingHTTPServer):
    """Its key turns every byte round: who has not asked it knows nothing. ``certificate`` is for the name localhost."""

    def __init__(self, certificate: Pair | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.asked: list[str] = []
        self.namespaces: set[str | None] = set()
        self.moved_to = ""
        self.address = f"http://127.0.0.1:{self.server_port}"
        if certificate:
            self.address = f"https://localhost:{self.server_port}"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def key(self) -> str:
        return f"{self.address}/v1/transit/keys/shop"


@contextmanager
def serving(certificate: Pair | None = None) -> Iterator[KeyServer]:
    """A server for as long as it is needed."""
    with KeyServer(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


class _Request(BaseHTTPRequestHandler):
    server: KeyServer

    def do_PUT(self) -> None:
        self.server.asked.append(self.path)
        self.server.namespaces.add(self.headers["X-Vault-Namespace"])
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.moved_to:
            self._answer(307, {}, Location=f"{self.server.moved_to}{self.path}")
        elif self.headers["X-Vault-Token"] != TOKEN:
            self._answer(403, {"errors": [f"permission denied\x1b[2J to {self.headers['X-Vault-Token']}"]})
        elif self.path == "/v1/transit/encrypt/shop":
            self._answer(200, {"data": {"ciphertext": f"vault:v1:{_turned(said['plaintext'])}"}})
        elif self.path == "/v1/transit/decrypt/shop":
            self._answer(200, {"data": {"plaintext": _turned(said["ciphertext"].removeprefix("vault:v1:"))}})
        else:
            self._answer(404, {"errors": []})

    def do_POST(self) -> None:
        """Be AWS KMS."""
        deed = self.headers["X-Amz-Target"]
        self.server.asked.append(deed)
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if f"Credential={ACCESS_KEY}/" not in self.headers["Authorization"]:
            self._answer(400, {"__type": "AccessDeniedException"})
        elif deed == "TrentService.Encrypt":
            self._answer(200, {"CiphertextBlob": _turned(said["Plaintext"]), "KeyId": said["KeyId"]})
        else:
            self._answer(200, {"Plaintext": _turned(said["CiphertextBlob"]), "KeyId": said["KeyId"]})

    def _answer(self, status: int, body: object, **headers: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _turned(text: str) -> str:
    return b64encode(bytes(byte ^ 0xFF for byte in b64decode(text))).decode()
