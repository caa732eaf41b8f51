"""The Kubernetes API over plain HTTPS: what a kubeconfig says is enough, no client library is needed."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from rig.errors import RigError

Json = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(RigError):
    """The API server said no."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence, remedy="The API server's words say what it wants.")
        self.code = code


@dataclass(frozen=True, slots=True)
class Api:
    """One client of one API server."""

    server: str
    tls: ssl.SSLContext
    headers: Mapping[str, str]

    @classmethod
    def from_kubeconfig(cls, path: Path) -> "Api":
        """The client that the kubeconfig's current context names."""
        content = yaml.safe_load(path.read_text())
        context = _named(content["contexts"], content["current-context"])["context"]
        cluster = _named(content["clusters"], context["cluster"])["cluster"]
        user = _named(content["users"], context["user"])["user"]
        user = {**user, **_asked_from_plugin(user.get("exec"))}
        token = user.get("token") or _content(user.get("tokenFile"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return cls(cluster["server"], _tls(cluster, user, path.parent), headers)

    def get(self, path: str) -> Json:
        """Read one object or list."""
        return self.request("GET", path)

    def create(self, path: str, body: Json) -> Json:
        """Create an object in that collection."""
        return self.request("POST", path, body)

    def apply(self, path: str, body: Json, *, manager: str = "rig") -> Json:
        """Server-side apply, with force."""
        return self.request("PATCH", f"{path}?fieldManager={manager}&force=true", body, APPLY)

    def delete(self, path: str, body: Json | None = None) -> Json:
        """Delete it; gone already is fine."""
        try:
            return self.request("DELETE", path, body)
        except ApiError as refusal:
            if refusal.code != http.client.NOT_FOUND:
                raise
            return {}

    def find(self, path: str) -> Json | None:
        """Read it if it is there."""
        try:
            return self.get(path)
        except ApiError as refusal:
            if refusal.code != http.client.NOT_FOUND:
                raise
            return None

    def request(self, verb: str, path: str, body: Json | None = None, kind: str = "application/json") -> Json:
        """Ask, and read the answer as an object."""
        code, text = self.exchange(verb, path, body, kind)
        if code >= http.client.BAD_REQUEST:
            raise ApiError(code, f"{verb} {path}: {code} {_said(text)}")
        answer: Json = json.loads(text)
        return answer

    def exchange(
        self, verb: str, path: str, body: Json | None = None, kind: str = "", *, timeout_s: float = 30.0
    ) -> tuple[int, str]:
        """One request, one answer: the code and the text."""
        where = urlsplit(self.server)
        host, port = where.hostname or "", where.port or 443
        connection = http.client.HTTPSConnection(host, port, context=self.tls, timeout=timeout_s)
        sent = json.dumps(body) if body is not None else None
        headers = {**self.headers, "Content-Type": kind, "User-Agent": "gitopsd-rig"}
        try:
            connection.request(verb, where.path.rstrip("/") + path, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def answers(self, path: str = "/readyz") -> bool:
        """Whether the server says yes there."""
        try:
            return self.exchange("GET", path)[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _tls(cluster: Json, user: Json, folder: Path) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as scratch:
        authority = _file(cluster, "certificate-authority", folder, Path(scratch))
        tls = ssl.create_default_context(cafile=authority)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        # Python's strict mode wants identifiers in authorities that many clusters' authorities lack.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        certificate = _file(user, "client-certificate", folder, Path(scratch))
        if certificate:
            tls.load_cert_chain(certificate, _file(user, "client-key", folder, Path(scratch)))
    return tls


def _file(holder: Json, key: str, folder: Path, scratch: Path) -> Path | None:
    if encoded := holder.get(f"{key}-data"):
        path = scratch / key
        path.write_bytes(base64.b64decode(encoded))
        return path
    return folder / holder[key] if key in holder else None


def _asked_from_plugin(plugin: Json | None) -> Json:
    if plugin is None:
        return {}
    version = plugin.get("apiVersion", "client.authentication.k8s.io/v1")
    asked = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    named = {entry["name"]: entry["value"] for entry in plugin.get("env") or []}
    answer = subprocess.run(
        [plugin["command"], *(plugin.get("args") or [])],
        env={**os.environ, **named, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
        capture_output=True,
        check=True,
    ).stdout
    status = json.loads(answer)["status"]
    credentials = {
        "client-certificate-data": status.get("clientCertificateData"),
        "client-key-data": status.get("clientKeyData"),
    }
    encoded = {key: base64.b64encode(pem.encode()).decode() for key, pem in credentials.items() if pem}
    return {"token": status.get("token"), **encoded}


def _content(path: str | None) -> str | None:
    return Path(path).read_text().strip() if path else None


def _named(entries: list[Json], name: str) -> Json:
    return next(entry for entry in entries if entry["name"] == name)


def _said(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text))
    except ValueError:
        return text[:300]
