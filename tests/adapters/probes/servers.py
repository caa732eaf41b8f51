"""Servers that pods, or a Prometheus, could be: honest, slow, endless, or bent on leading us elsewhere."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass(frozen=True)
class Asked:
    """One request: its target and its headers, in lower case."""

    target: str
    headers: dict[str, str]

    @property
    def query(self) -> str:
        """What Prometheus is asked."""
        return parse_qs(urlsplit(self.target).query)["query"][0]


Answer = Callable[[socket.socket, Asked, threading.Event], None]


@dataclass
class HostileServer:
    """Answers each request in its own thread as ``answer`` does; ``asked`` is what came in."""

    address: str
    port: int
    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@contextmanager
def server(answer: Answer, address: str = "127.0.0.1") -> Iterator[HostileServer]:
    """A server for as long as the test needs it."""
    listener = socket.create_server((address, 0))
    made = HostileServer(address, listener.getsockname()[1], answer)
    threading.Thread(target=_accept, args=(listener, made), daemon=True).start()
    try:
        yield made
    finally:
        made.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def status(code: int, *headers: str, body: bytes = b"ok") -> Answer:
    """An honest answer."""
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", *headers, "", ""]

    def answer(connection: socket.socket, _asked: Asked, _over: threading.Event) -> None:
        connection.sendall("\r\n".join(lines).encode() + body)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One after the other; the last one again and again."""
    left = list(answers)

    def answer(connection: socket.socket, asked: Asked, over: threading.Event) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(connection, asked, over)

    return answer


def mute(_connection: socket.socket, _asked: Asked, over: threading.Event) -> None:
    """Never answers."""
    over.wait(30)


def hang_up(_connection: socket.socket, _asked: Asked, _over: threading.Event) -> None:
    """Ends the connection without a word."""


def garbage(connection: socket.socket, _asked: Asked, _over: threading.Event) -> None:
    """Speaks another protocol."""
    connection.sendall(b"220 smtp.example ESMTP\r\n")


def drip(content: bytes, every_s: float = 0.05) -> Answer:
    """Sends a byte at a time."""

    def answer(connection: socket.socket, _asked: Asked, over: threading.Event) -> None:
        for number in range(len(content)):
            connection.sendall(content[number : number + 1])
            if over.wait(every_s):
                return

    return answer


@dataclass
class Endless:
    """Says 200 and never stops; ``sent`` is how much it could get rid of."""

    sent: int = 0

    def __call__(self, connection: socket.socket, _asked: Asked, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65_536)
            self.sent += 65_536


def prometheus(*results: Any, code: int = 200) -> Answer:
    """A Prometheus with these results in turn: a list is a vector's values, a number a scalar, a dict goes as it is."""
    return in_turn(*(status(code, body=json.dumps(_envelope(result)).encode()) for result in results))


def _envelope(result: Any) -> dict[str, Any]:
    if isinstance(result, dict):
        return result
    if isinstance(result, list):
        series = [{"metric": {"pod": str(at)}, "value": [1.0, value]} for at, value in enumerate(result)]
        return {"status": "success", "data": {"resultType": "vector", "result": series}}
    return {"status": "success", "data": {"resultType": "scalar", "result": [1.0, str(result)]}}


@contextmanager
def nobody_home(address: str = "127.0.0.1") -> Iterator[int]:
    """A port whose queue is full: a connection neither comes about nor is refused, as behind a NetworkPolicy."""
    with socket.create_server((address, 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((address, port))
        try:
            yield port
        finally:
            for one in waiting:
                one.close()


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nobody listens."""
    with socket.create_server((address, 0)) as listener:
        return listener.getsockname()[1]


def own_address() -> str:
    """An address of this machine that is neither loopback nor link-local; skips the test where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing: it only chooses the address that would be used.
            probe.connect(("192.0.2.200", 9))
            address = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if address.startswith(("127.", "169.254.")):
        pytest.skip("this machine has no address but loopback")
    return address


def _accept(listener: socket.socket, made: HostileServer) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, made), daemon=True).start()


def _serve(connection: socket.socket, made: HostileServer) -> None:
    with connection, connection.makefile("rb") as stream:
        try:
            line = stream.readline().decode("latin-1")
            headers = {}
            while header := stream.readline().decode("latin-1").strip():
                name, _, value = header.partition(": ")
                headers[name.lower()] = value
            if line:
                asked = Asked(line.split(" ")[1], headers)
                made.asked.append(asked)
                made.answer(connection, asked, made.over)
        except (OSError, IndexError):
            return
