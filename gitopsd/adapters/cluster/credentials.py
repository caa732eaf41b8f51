"""Where the API server is and who we are to it, as kubeconfig files and pods say it.

The kubernetes library reads them (exec plugins, token files and their refresh); nothing else of it is used. Keys that a
kubeconfig carries inside touch the disk only for the moment in which TLS loads them, in a directory of our own.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kubernetes import config
from kubernetes.client import Configuration

from gitopsd.core.errors import ConfigError, Problem, Stage

IN_CLUSTER = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One reading of the credentials. ``proxy`` is host and port, or None."""

    host: str
    port: int
    base_path: str
    tls: ssl.SSLContext | None
    proxy: tuple[str, int] | None
    headers: Callable[[], Mapping[str, str]]


class Credentials:
    """The newest reading. ``read`` is how to make one."""

    def __init__(self, read: Callable[[], Identity]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._identity: Identity | None = None

    def current(self) -> Identity:
        """Return the reading in use, making the first one when there is none."""
        with self._lock:
            if self._identity is None:
                self._identity = self._read()
            return self._identity

    def renew(self, refused: Identity) -> Identity:
        """Read again, unless somebody else did since this identity was refused."""
        with self._lock:
            if self._identity is refused:
                self._identity = self._read()
            return self._identity or refused


def credentials(kubeconfig: str = "", context: str = "") -> Credentials:
    """Return those of a kubeconfig file; without one, the pod's own, or else those that kubectl would use."""
    return Credentials(lambda: _identity(kubeconfig, context))


class _NamedTls(ssl.SSLContext):
    """Expects the certificate of another name than the host's, as ``tls-server-name`` asks for."""

    expected_name = ""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        if self.expected_name:
            options["server_hostname"] = self.expected_name
        return super().wrap_socket(*args, **options)


def _identity(kubeconfig: str, context: str) -> Identity:
    found = Configuration()
    with tempfile.TemporaryDirectory(prefix="gitopsd-") as scratch:
        try:
            _load(found, kubeconfig, context, scratch)
            where = urlsplit(found.host)
            tls = _tls(found) if where.scheme == "https" else None
        except (config.ConfigException, OSError, ValueError) as broken:
            raise _no_credentials(kubeconfig, broken) from broken
    port = where.port or (443 if tls else 80)
    proxy = urlsplit(found.proxy) if found.proxy else None
    return Identity(
        host=where.hostname or "",
        port=port,
        base_path=where.path.rstrip("/"),
        tls=tls,
        proxy=(proxy.hostname or "", proxy.port or 3128) if proxy else None,
        headers=_headers(found),
    )


def _load(found: Configuration, kubeconfig: str, context: str, scratch: str) -> None:
    if not kubeconfig and os.environ.get(IN_CLUSTER):
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        return
    config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig or None,
        context=context or None,
        client_configuration=found,
        persist_config=False,
        temp_file_path=scratch,
    )


def _tls(found: Configuration) -> ssl.SSLContext:
    tls = _NamedTls(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.expected_name = found.tls_server_name or ""
    if found.verify_ssl is False:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    elif found.ssl_ca_cert:
        tls.load_verify_locations(cafile=found.ssl_ca_cert)
    else:
        tls.load_default_certs()
    if found.cert_file:
        tls.load_cert_chain(found.cert_file, found.key_file)
    return tls


def _headers(found: Configuration) -> Callable[[], Mapping[str, str]]:
    lock = threading.Lock()

    def headers() -> Mapping[str, str]:
        with lock:
            token = found.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}

    return headers


def _no_credentials(kubeconfig: str, broken: Exception) -> ConfigError:
    return ConfigError(
        Problem(
            code="CREDENTIALS_UNREADABLE",
            stage=Stage.CONFIG,
            message=f"no way to an API server can be read from {kubeconfig or 'the environment'}",
            cause=type(broken).__name__ if isinstance(broken, ValueError) else str(broken),
            hint="name a kubeconfig, or run inside a cluster with a service account",
        )
    )
