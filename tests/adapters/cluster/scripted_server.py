"""A server that says exactly what a test wants, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from gitopsd.adapters.cluster import Credentials, Limits, Transport
from gitopsd.adapters.cluster.credentials import Identity


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to send back. ``hang_up`` closes after it; ``mute`` never answers; ``drip_s`` waits between bytes."""

    content: bytes = b""
    hang_up: bool = False
    mute: bool = False
    drip_s: float = 0.0


@dataclass
class ScriptedServer:
    """Answers the n-th request with the n-th reply; the last one again and again."""

    replies: Sequence[Reply]
    asked: list[Asked] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def transport(self, token: str = "", **limits: float) -> Transport:
        bounds = {"connect_s": 1.0, "total_s": 2.0, **limits}
        self.readings = 0

        def read() -> Identity:
            self.readings += 1
            number = self.readings
            headers = {"Authorization": f"Bearer {token}{number}"} if token else {}
            return Identity(
                host="127.0.0.1", port=self.port, base_path="", tls=None, proxy=None, headers=lambda: headers
            )

        return Transport(Credentials(read), limits=Limits(**bounds))  # type: ignore[arg-type]

    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while (asked := _read_request(stream)) is not None:
            with self._lock:
                self.asked.append(asked)
                reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
            if reply.mute:
                self._stopping.wait(10)
            self._send(connection, reply)
            if reply.hang_up:
                break
        stream.close()
        connection.close()
        self.hung_up.set()

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        if not reply.drip_s:
            connection.sendall(reply.content)
            return
        for number in range(len(reply.content)):
            connection.sendall(reply.content[number : number + 1])
            if self._stopping.wait(reply.drip_s):
                return


def answer(status: int, body: Any, *, headers: str = "", length: int | None = None, **more: Any) -> Reply:
    """A whole answer; ``length`` lies about how long it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content) if length is None else length}\r\n{headers}\r\n"
    return Reply(content=head.encode() + content, **more)


def _read_request(stream: Any) -> Asked | None:
    try:
        line = stream.readline()
        if not line:
            return None
        headers = {}
        while (header := stream.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name] = value
        return Asked(line.decode().split(" HTTP")[0], headers, stream.read(int(headers.get("Content-Length", 0))))
    except OSError:
        return None
