"""Asks a running daemon for its status, over HTTP, with a deadline and a bound."""

from __future__ import annotations

import json
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from gitopsd.core.errors import ClusterError, ConfigError, Problem, Stage
from gitopsd.core.model import Body

DEADLINE_S = 10.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024
_NOT_FOUND = 404


def ask(server: str, environment: str) -> Body:
    """Return the status of one environment, or of all when none is named.

    Raises:
        ConfigError: the address is none, or the daemon knows no such environment.
        ClusterError: there was no answer.
    """
    if urlsplit(server).scheme not in ("http", "https"):
        hint = "write it as http://127.0.0.1:8080"
        raise ConfigError(_problem("SERVER_ADDRESS", f"--server {server} is not an address", "", hint))
    url = f"{server.rstrip('/')}/status" + (f"/{quote(environment)}" if environment else "")
    try:
        with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=DEADLINE_S) as answer:  # noqa: S310 — the scheme is checked above
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


def _refused(error: HTTPError, server: str, environment: str) -> ConfigError | ClusterError:
    if error.code == _NOT_FOUND and environment:
        hint = "gitopsd status --server … lists all of them"
        return ConfigError(_problem("ENVIRONMENT_UNKNOWN", f"there is no environment {environment}", "", hint))
    hint = "ask again in a few seconds"
    return ClusterError(_problem("DAEMON_UNREACHABLE", f"{server} answered {error.code}", "", hint))


def _problem(code: str, message: str, cause: str, hint: str) -> Problem:
    return Problem(code=code, stage=Stage.CONFIG, message=message, cause=cause, hint=hint)
