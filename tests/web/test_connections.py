"""Whoever can connect, and means ill: the probes answer all the while, and nobody keeps the server waiting for long."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from gitopsd.core.access import Permission
from gitopsd.web import Server, connection, create_app
from gitopsd.web.door import DECIDING_MAX
from tests.core.views import READY, whole

MANY = 700
SOON_S = 2.0
LONG_S = 30.0
SILENCE = {
    "nothing at all": b"",
    "half a line": b"GET /li",
    "half a head": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n",
    "a head without its body": b"POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    "half of a second request": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /li",
}


@contextmanager
def serving(app) -> Iterator[Server]:
    server = Server(app)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def connected(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=LONG_S)))
            with suppress(ConnectionError):
                made[-1].sendall(sent)
        yield made


def is_open(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        while one.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def code(server: Server, path: str, **headers: str) -> int:
    asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SOON_S)
    try:
        asked.request("GET", path, headers=headers)
        return asked.getresponse().status
    finally:
        asked.close()


def trickle(one: socket.socket) -> None:
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        one.sendall(b"x")
        threading.Event().wait(0.05)


def await_true(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.02)


@pytest.mark.parametrize("sent", SILENCE.values(), ids=SILENCE)
def test_who_asks_by_halves_stops_no_probe_and_is_cut_off(monkeypatch, sent):
    monkeypatch.setattr(connection, "REQUEST_S", 1)
    monkeypatch.setattr(connection, "ANSWER_S", 1)
    with serving(create_app(lambda: whole(READY))) as server, connected(server, MANY, sent) as they:
        until, codes = time.monotonic() + LONG_S, set()
        while any(is_open(one) for one in they) and time.monotonic() < until:
            codes |= {code(server, "/livez"), code(server, "/readyz")}

        assert codes == {200}
        assert not any(is_open(one) for one in they)


def test_a_deadline_is_not_put_off_byte_by_byte(monkeypatch):
    monkeypatch.setattr(connection, "REQUEST_S", 1)
    with (
        serving(create_app(lambda: None)) as server,
        connected(server, 1, b"GET /livez HTTP/1.1\r\nX: ") as [slow],
        pytest.raises(ConnectionError),
    ):
        trickle(slow)


def test_the_oldest_make_room(monkeypatch):
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 10)
    with serving(create_app(lambda: None)) as server, connected(server, 25, b"GET /li") as they:
        assert code(server, "/livez") == 200
        assert [is_open(one) for one in they] == [False] * 16 + [True] * 9


def test_who_is_being_answered_makes_no_room(monkeypatch):
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 10)
    looks, may_go_on = threading.Event(), threading.Event()

    def view():
        looks.set()
        assert may_go_on.wait(LONG_S)
        return whole(READY)

    request = b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with serving(create_app(view)) as server, connected(server, 1, request) as [asker]:
        assert looks.wait(LONG_S)
        with connected(server, 25, b"GET /li"):
            assert code(server, "/livez") == 200
            may_go_on.set()
            assert asker.recv(15) == b"HTTP/1.1 200 OK"


def test_although_all_are_being_answered_there_is_room_for_one_more(monkeypatch):
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 10)
    may_go_on = threading.Event()

    def view():
        assert may_go_on.wait(LONG_S)
        return whole(READY)

    request = b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with serving(create_app(view)) as server, connected(server, 10, request) as they:
        await_true(lambda: len(server._uvicorn.server_state.tasks) == 10)
        assert code(server, "/livez") == 200
        may_go_on.set()
        assert sorted(one.recv(12) for one in they) == [b""] + [b"HTTP/1.1 200"] * 9


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_S", 1)

    async def much(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(50_000_000)})

    with serving(much) as server, connected(server, 1, b"GET / HTTP/1.0\r\n\r\n") as [asker]:
        assert asker.recv(1)
        await_true(lambda: not server._uvicorn.server_state.connections)


def test_who_asks_again_and_again_stays_connected(monkeypatch):
    monkeypatch.setattr(connection, "REQUEST_S", 0.5)
    monkeypatch.setattr(connection, "ANSWER_S", 0.5)
    with serving(create_app(lambda: None)) as server:
        asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SOON_S)
        asked.connect()
        first, until = asked.sock, time.monotonic() + 1.5
        while time.monotonic() < until:
            asked.request("GET", "/livez")
            assert asked.getresponse().read() == b"ok"

        assert asked.sock is first
        asked.close()


def test_a_head_that_does_not_end_is_refused(monkeypatch):
    head = b"GET /livez HTTP/1.1\r\nX: " + b"x" * connection.HEAD_BYTES_MAX
    with serving(create_app(lambda: None)) as server, connected(server, 1, head) as [asker]:
        assert asker.recv(12) == b"HTTP/1.1 400"


def test_tokens_that_take_long_to_be_known_stop_no_probe():
    may_go_on = threading.Event()

    class Slow:
        def decide(self, token, asked):
            assert may_go_on.wait(LONG_S)
            return Permission.UNKNOWN_CALLER

    request = b"GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"
    with (
        serving(create_app(lambda: whole(READY), authority=Slow())) as server,
        connected(server, 100, request) as they,
    ):
        assert {code(server, path) for path in ("/livez", "/readyz")} == {200}
        may_go_on.set()
        answers = [one.recv(12) for one in they]

    assert answers.count(b"HTTP/1.1 401") == DECIDING_MAX
    assert answers.count(b"HTTP/1.1 503") == 100 - DECIDING_MAX
