"""Asks a running daemon for its status, over HTTP, with a deadline and a bound.

A token goes to the address that was named and to no other: redirects are not followed, and a proxy is used only for
``https``, of which it sees nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener, getproxies

from gitopsd.core.errors import ClusterError, ConfigError, Problem, Stage
from gitopsd.core.model import Body

DEADLINE_S = 10.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024
TOKEN_BYTES_MAX = 64 * 1024
_NOT_FOUND = 404
_DENIED: Mapping[int, str] = {
    401: "name a token of yours with --token-file; kubectl create token ACCOUNT makes one",
    403: "whoever installed gitopsd names those who may ask; see docs/install.md",
}


class _Nowhere(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Say that there is nothing to follow."""


def ask(server: str, environment: str, token_file: Path | None = None) -> Body:
    """Return the status of one environment, or of all when none is named.

    Raises:
        ConfigError: the address is none, the token cannot be read, or the daemon knows no such environment.
        ClusterError: there was no answer.
    """
    if urlsplit(server).scheme not in ("http", "https"):
        hint = "write it as http://127.0.0.1:8080"
        raise ConfigError(_problem("SERVER_ADDRESS", f"--server {server} is not an address", "", hint))
    url = f"{server.rstrip('/')}/status" + (f"/{quote(environment)}" if environment else "")
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 — the scheme is checked above
    if token_file:
        request.add_unredirected_header("Authorization", f"Bearer {_token(token_file)}")
    try:
        with _opener().open(request, timeout=DEADLINE_S) as answer:
            found = json.loads(answer.read(ANSWER_BYTES_MAX))
    except HTTPError as error:
        raise _refused(error, server, environment) from error
    except (OSError, HTTPException, ValueError) as error:
        hint = "is gitopsd running there? without --server the records are read from the cluster"
        problem = _problem("DAEMON_UNREACHABLE", f"{server} gave no status", str(error), hint)
        raise ClusterError(problem) from error
    if not isinstance(found, dict):
        hint = "name the address of gitopsd itself"
        raise ClusterError(_problem("DAEMON_UNREACHABLE", f"{server} gave something else than a status", "", hint))
    return found


def _opener() -> OpenerDirector:
    blind = {scheme: proxy for scheme, proxy in getproxies().items() if scheme == "https"}
    return build_opener(_Nowhere, ProxyHandler(blind))


def _token(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            token = opened.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or "" if isinstance(error, OSError) else "it is no token"
        raise ConfigError(_no_token(file, why)) from None
    if not token.isprintable() or not token:
        raise ConfigError(_no_token(file, "it is empty, or has more than one line"))
    return token


def _no_token(file: Path, cause: str) -> Problem:
    hint = "write the token alone into the file: kubectl create token ACCOUNT > FILE"
    return _problem("TOKEN_FILE", f"--token-file {file} cannot be used", cause, hint)


def _refused(error: HTTPError, server: str, environment: str) -> ConfigError | ClusterError:
    if error.code == _NOT_FOUND and environment:
        hint = "gitopsd status --server … lists all of them"
        return ConfigError(_problem("ENVIRONMENT_UNKNOWN", f"there is no environment {environment}", "", hint))
    if error.code in _DENIED:
        return ClusterError(_problem("DAEMON_DENIED", f"{server} denies it ({error.code})", "", _DENIED[error.code]))
    hint = "ask again in a few seconds"
    return ClusterError(_problem("DAEMON_UNREACHABLE", f"{server} answered {error.code}", "", hint))


def _problem(code: str, message: str, cause: str, hint: str) -> Problem:
    return Problem(code=code, stage=Stage.CONFIG, message=message, cause=cause, hint=hint)
