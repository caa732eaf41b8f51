"""uvicorn in a thread of its own: it takes no signals, reports the port it got, and always stops within its grace."""

from __future__ import annotations

import socket
import threading

import uvicorn
from fastapi import FastAPI

from gitopsd.core.errors import ConfigError, Problem, Stage
from gitopsd.web.connection import BACKLOG, CONNECTIONS_MAX, HEAD_BYTES_MAX, KEEP_ALIVE_S, Connection

STOP_GRACE_S = 5


class Server:
    """One HTTP server. It listens on loopback unless it is told otherwise."""

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._uvicorn = uvicorn.Server(_settings(app))
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for before it was started."""
        return int(self._socket.getsockname()[1]) if self._socket else self._wanted_port

    @property
    def url(self) -> str:
        """Where to ask."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Listen, and serve from another thread. Whoever connects from now on is answered.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        self._socket = _listen(self._host, self._wanted_port)
        served = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs=served, name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what is being asked, within the grace; then close."""
        self._uvicorn.should_exit = True
        if self._thread:
            self._thread.join(STOP_GRACE_S + 1)
        if self._socket:
            self._socket.close()


def _settings(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        http=Connection,
        lifespan="off",
        # Reached only by answers whose askers were cut off.
        limit_concurrency=2 * CONNECTIONS_MAX,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ws="none",
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(
            Problem(
                code="HTTP_ADDRESS",
                stage=Stage.CONFIG,
                message=f"cannot listen on {host} port {port}",
                cause=error.strerror or str(error),
                hint="set server.host and server.port; port 0 takes any that is free",
            )
        ) from error
