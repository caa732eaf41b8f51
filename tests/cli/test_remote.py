"""A daemon that wants to know who asks gets the token, from a file; nobody else does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gitopsd.cli.app import run_command

TOKEN = "eyJ.correct-horse"
STATUS = {"apiVersion": "gitopsd.dev/v1", "environments": []}


@contextmanager
def daemon(answers: dict[str | None, int], to: str = "") -> Iterator[ThreadingHTTPServer]:
    """Answer by the token that is shown, and remember what was."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            shown = self.headers["Authorization"]
            self.server.shown.append(shown)
            self.send_response(answers.get(shown, 401))
            if to:
                self.send_header("Location", to)
            self.end_headers()
            self.wfile.write(json.dumps(STATUS).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.shown = []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def asked(server, *arguments: str) -> int:
    return run_command(["status", "--server", f"http://127.0.0.1:{server.server_port}", "-o", "json", *arguments])


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def test_the_token_of_the_file_is_shown(token, capsys):
    with daemon({f"Bearer {TOKEN}": 200}) as server:
        assert asked(server, "--token-file", str(token)) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize(("answer", "hint"), [(401, "--token-file"), (403, "those who may ask")])
def test_who_is_not_let_in_is_told_what_to_do(token, answer, hint, capsys):
    with daemon({f"Bearer {TOKEN}": answer}) as server:
        assert asked(server, "--token-file", str(token)) == 3
    told = capsys.readouterr().err
    assert "DAEMON_DENIED" in told
    assert hint in told
    assert TOKEN not in told


def test_a_token_is_taken_nowhere_else(token, capsys):
    with daemon({}) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.server_port}/status"
        with daemon({f"Bearer {TOKEN}": 302}, to=there) as server:
            assert asked(server, "--token-file", str(token)) == 3
        assert elsewhere.shown == []
    assert "answered 302" in capsys.readouterr().err


def test_a_proxy_that_could_read_the_token_is_not_used(token, monkeypatch):
    with daemon({}) as proxy, daemon({f"Bearer {TOKEN}": 200}) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        assert asked(server, "--token-file", str(token)) == 0
        assert proxy.shown == []


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff\xfe"], ids=["none", "empty", "lines", "bytes"])
def test_what_is_no_token_is_shown_to_nobody(token, content, capsys):
    token.unlink()
    if content is not None:
        token.write_bytes(content)
    with daemon({}) as server:
        assert asked(server, "--token-file", str(token)) == 2
        assert server.shown == []
    assert "TOKEN_FILE" in capsys.readouterr().err
