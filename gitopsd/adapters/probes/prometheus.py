"""Asks the operator's Prometheus, and nobody else: the developer says the query, never the address.

A number within its bounds passes, one outside fails; whatever is no number is no data. That Prometheus is away, or
does not understand the query, says nothing of anybody's health.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never
from urllib.parse import urlencode, urlsplit

import msgspec

from gitopsd.adapters.probes.exchange import Broken, Get, Got, NoWay, Refused, get
from gitopsd.adapters.probes.finding import Finding, failed, passed, unknown
from gitopsd.core.fields import read, text
from gitopsd.core.model import Body, Json
from gitopsd.core.probes import NoData, PrometheusProbe

BODY_BYTES_MAX = 1024 * 1024
TOKEN_BYTES_MAX = 16 * 1024

_NUMBER = re.compile(r"[-+]?(?:Inf|[0-9.]+(?:e[-+]?[0-9]+)?)|NaN", re.ASCII | re.IGNORECASE)
_REJECTED = frozenset({400, 422})
_UNAUTHORISED = frozenset({401, 403})
_HTTP_OK = 200
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusServer:
    """Where it is, without a name or password in the URL. The files are read anew for each question."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None


class _NoAnswer(Exception):
    """What was asked cannot be told; the message says why."""


@dataclass(frozen=True, slots=True)
class PrometheusAsker:
    """``server`` None = the operator named none."""

    server: PrometheusServer | None

    def ask(self, probe: PrometheusProbe) -> Finding:
        """Ask, and hold the answer against the probe's bounds."""
        if self.server is None:
            return unknown("no Prometheus is configured; whoever runs gitopsd can name one under prometheus.url")
        try:
            values = _values(self.server, probe.query, probe.pace.timeout_s)
            samples = _values(self.server, probe.samples_query, probe.pace.timeout_s) if probe.samples_query else ()
        except _NoAnswer as silence:
            return unknown(str(silence))
        count = min((0.0 if math.isnan(value) else value for value in samples), default=0.0)
        if probe.samples_query and count < probe.samples_min:
            return _unmeasured(probe, f"{count:g} samples, at least {probe.samples_min:g} are wanted")
        return _judged(probe, values)


def _judged(probe: PrometheusProbe, values: Sequence[float]) -> Finding:
    """Several series are as good as the worst of them."""
    numbers = sorted(value for value in values if not math.isnan(value))
    if numbers and probe.maximum is not None and numbers[-1] > probe.maximum:
        return failed(f"{numbers[-1]:g}, at most {probe.maximum:g} is wanted")
    if numbers and probe.minimum is not None and numbers[0] < probe.minimum:
        return failed(f"{numbers[0]:g}, at least {probe.minimum:g} is wanted")
    if not values:
        return _unmeasured(probe, "the query has no result")
    if len(numbers) < len(values):
        return _unmeasured(probe, "the query's result is not a number")
    told = f"{numbers[0]:g}" if len(numbers) == 1 else f"{len(numbers)} series from {numbers[0]:g} to {numbers[-1]:g}"
    return passed(told)


def _unmeasured(probe: PrometheusProbe, what: str) -> Finding:
    match probe.no_data:
        case NoData.WAIT:
            return unknown(f"no data: {what}")
        case NoData.PASS:
            return passed(f"no data, which is to pass: {what}")
        case NoData.FAIL:
            return failed(f"no data: {what}")
        case _:
            assert_never(probe.no_data)


def _values(server: PrometheusServer, query: str, timeout_s: float) -> tuple[float, ...]:
    got = _asked(server, query, timeout_s)
    try:
        body: Json = msgspec.json.decode(got.body) if got.is_whole else None
    except msgspec.DecodeError:
        body = None
    answer: Body = body if isinstance(body, Mapping) else {}
    if got.status in _REJECTED:
        raise _NoAnswer(f"Prometheus rejects the query: {text(answer, 'error') or got.status}")
    if got.status in _UNAUTHORISED:
        raise _NoAnswer(f"Prometheus answers {got.status}; whoever runs gitopsd can look at prometheus.tokenFile")
    if got.status in _REDIRECTS:
        raise _NoAnswer(f"Prometheus answers {got.status}, and a redirect is not followed; correct prometheus.url")
    if got.status != _HTTP_OK or text(answer, "status") != "success":
        raise _NoAnswer(f"Prometheus answers {got.status}: {text(answer, 'error') or 'not what it should'}")
    return _read(answer)


def _read(answer: Body) -> tuple[float, ...]:
    kind, result = text(answer, "data.resultType"), read(answer, "data.result")
    series = result if isinstance(result, Sequence) and not isinstance(result, str) else ()
    match kind:
        case "scalar":
            return (_number(series),)
        case "vector":
            return tuple(_number(one.get("value") if isinstance(one, Mapping) else None) for one in series)
        case _:
            raise _NoAnswer(f"the query gives a {kind or 'strange answer'}; it must give a scalar or an instant vector")


def _number(sample: Json) -> float:
    """Read ``[instant, "0.25"]``."""
    match sample:
        case [_, str(value)] if _NUMBER.fullmatch(value):
            return float(value)
        case _:
            raise _NoAnswer("the query gives histograms; it must give numbers")


def _asked(server: PrometheusServer, query: str, timeout_s: float) -> Got:
    where = urlsplit(server.url)
    target = f"{where.path.rstrip('/')}/api/v1/query?{urlencode({'query': query, 'timeout': f'{timeout_s:g}s'})}"
    try:
        token = _token(server.token_file)
        tls = _tls(server.ca_file) if where.scheme == "https" else None
    except (OSError, ValueError) as broken:
        raise _NoAnswer(f"Prometheus cannot be asked: {_file_trouble(server, broken)}") from broken
    request = Get(
        host=where.hostname or "",
        port=where.port or (443 if tls else 80),
        target=target,
        headers={"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
        tls=tls,
        timeout_s=timeout_s,
        body_bytes_max=BODY_BYTES_MAX,
    )
    try:
        return get(request)
    except (NoWay, Refused, Broken) as broken:
        raise _NoAnswer(f"Prometheus does not answer: {broken}") from broken


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    with file.open("rb") as opened:
        token = opened.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    if not token or not token.isprintable():
        raise ValueError
    return token


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def _file_trouble(server: PrometheusServer, broken: Exception) -> str:
    """Say which file, and never what is in it."""
    if isinstance(broken, ssl.SSLError):
        return f"{server.ca_file} holds no certificates"
    if isinstance(broken, OSError):
        return f"{broken.filename or server.ca_file}: {broken.strerror}"
    return f"{server.token_file} holds no token"
