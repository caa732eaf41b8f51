"""Under which names the server answers: a web page that lets its own name lead here is told nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from gitopsd.core.access import Permission
from gitopsd.web import Server, create_app
from gitopsd.web.schema import Refusal
from tests.core.views import READY, whole

PATHS = ("/status", "/status/production/web", "/metrics", "/version", "/openapi.json", "/livez", "/nothing")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(create_app(lambda: whole(READY), allowed_hosts=["gitopsd.example"]))
    made.start()
    yield made
    made.stop()


def ask(server: Server, head: str) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as asker:
        asker.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: asker.recv(65_536), b""))
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), body


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8080", 200),
        ("10.244.0.7:8080", 200),
        ("[::1]:8080", 200),
        ("[fd00::7]", 200),
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("gitopsd.example:443", 200),
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("a.gitopsd.example", 421),
        ("localhost:8080:8080", 421),
        ("evil.example:8080@localhost", 421),
        ("[evil.example]", 421),
        ("", 421),
    ],
)
def test_it_answers_to_addresses_localhost_and_the_allowed_names(server, host, code):
    assert ask(server, f"GET /version HTTP/1.1\r\nHost: {host}")[0] == code


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_told_to_a_stranger_and_the_name_is_not_repeated(server, path):
    code, body = ask(server, f"GET {path} HTTP/1.1\r\nHost: evil.example")

    assert (code, json.loads(body)["code"]) == (421, "HTTP_UNKNOWN_HOST")
    assert b"evil" not in body
    Refusal.model_validate(json.loads(body))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /version HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", id="two"),
        pytest.param("GET http://localhost/version HTTP/1.1\r\nHost: evil.example", id="another in the target"),
        pytest.param("GET /version HTTP/1.0", id="none"),
    ],
)
def test_there_is_no_way_around(server, head):
    assert ask(server, head)[0] in (400, 421)


def test_where_a_token_is_asked_for_the_name_does_not_matter():
    class Friendly:
        def decide(self, token, asked):
            return Permission.ALLOWED

    server = Server(create_app(lambda: whole(READY), authority=Friendly()))
    server.start()
    try:
        assert {ask(server, f"GET {path} HTTP/1.1\r\nHost: gitopsd.ops.svc")[0] for path in PATHS} == {200, 404}
    finally:
        server.stop()
