"""The only road to the API server: bytes out, JSON in, a deadline around both.

Retries are ours and bounded: what the server refused because it is busy is sent again as it says; what was cut off is
sent again once, and only if doing it twice is the same as doing it once. Every write passes the fence first.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from weakref import WeakSet

import msgspec

from gitopsd import __version__
from gitopsd.adapters.cluster import trouble
from gitopsd.adapters.cluster.contact import Contact
from gitopsd.adapters.cluster.credentials import Credentials, Identity
from gitopsd.adapters.cluster.wire import Request, Response, Wire, WireBroken
from gitopsd.core.errors import ConfigError
from gitopsd.core.model import Environment, Json
from gitopsd.ports import Answer, Call

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"
USER_AGENT = f"gitopsd/{__version__}"

ATTEMPTS_MAX = 6
RETRY_AFTER_S_MAX = 10.0
TEXT_CHARS_MAX = 2_000
LINE_BYTES_MAX = 16 * 1024 * 1024

_BUSY = 429
_UNAUTHORIZED = 401
_REDIRECT = 300
# All else that the API server says in success is JSON.
_LOG = "/log"
_GATEWAY = frozenset({502, 503, 504})
_DICE = random.SystemRandom()
_USER = re.compile(r"[!-~]+")
_EMPTY_PART = re.compile(r"::|:$")
_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one call."""

    connect_s: float = 5.0
    total_s: float = 30.0
    answer_bytes_max: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stream:
    """Lines to come. ``hang_up`` ends them, from any thread."""

    lines: Iterator[bytes]
    hang_up: Callable[[], None]


class Transport:
    """``ports.Api`` over connections of our own, one per thread.

    ``fence`` raises when we may not write. Whoever elects the leader sets it.
    """

    def __init__(
        self, credentials: Credentials, *, fence: Callable[[], None] = lambda: None, limits: Limits | None = None
    ) -> None:
        self.contact = Contact()
        self._credentials = credentials
        self.fence = fence
        self._limits = limits or Limits()
        self._local = threading.local()
        self._wires: WeakSet[Wire] = WeakSet()
        self._counting = threading.Lock()
        self._stopping = threading.Event()

    def call(self, call: Call) -> Answer:
        """Send it as ourselves or as ``call.user``; see ``ports.Api``."""
        return self.send(call)

    def send(self, call: Call, *, account: str = "", accept: str = JSON) -> Answer:
        """Send it; the answer counts for the account.

        Raises:
            ClusterError: there was no whole answer, our credentials are refused, or we may not write (any more).
        """
        headers = _headers(call, accept)
        deadline = time.monotonic() + self._limits.total_s
        renewed = False
        for attempt in range(ATTEMPTS_MAX):
            answer, wait_s = self._once(call, headers, account, deadline)
            if answer.status == _UNAUTHORIZED and not renewed:
                renewed, wait_s = self._renew(), 0.0
            elif answer.status == _UNAUTHORIZED:
                raise trouble.credentials_refused(call)
            wait_s = None if wait_s is None else wait_s * 2**attempt
            if not self._waited(wait_s, deadline):
                break
        return answer

    def watch(self, path: str, query: Mapping[str, str], *, accept: str, idle_s: float) -> Stream:
        """Return a watch's lines on a connection of its own; the first, empty one says that the server agreed.

        Reading raises ``WireBroken`` and ``StreamRefused``: see ``Wire.lines``.
        """
        identity = self._credentials.current()
        headers = {**_headers(Call(method="GET", path=path), accept), **identity.headers()}
        request = Request("GET", _target(path, query), headers)
        wire = self._wire_for(identity)
        return Stream(wire.lines(request, idle_s=idle_s, line_bytes_max=LINE_BYTES_MAX), wire.hang_up)

    def renew(self) -> None:
        """Read the credentials again: somebody was refused."""
        self._renew()

    def begin_again(self) -> None:
        """End what is under way, for nobody may answer it any more; calls after this have connections of their own."""
        with self._counting:
            wires = tuple(self._wires)
        for wire in wires:
            wire.hang_up()

    def close(self) -> None:
        """End all waiting, and what is under way; calls after this fail."""
        self._stopping.set()
        self.begin_again()

    def _once(
        self, call: Call, headers: Mapping[str, str], account: str, deadline: float
    ) -> tuple[Answer, float | None]:
        """Ask once, or twice when the wire broke. The second value says how long to wait before asking again."""
        asked_at = time.monotonic()
        try:
            response = self._exchange(call, headers, deadline)
        except WireBroken as broken:
            self.contact.lost(asked_at)
            raise trouble.unreachable(call, broken.cause) from broken
        answer = _read(call, response)
        self.contact.answered(account, call, answer, asked_at)
        return answer, _wait_before_retry(call, response)

    def _exchange(self, call: Call, headers: Mapping[str, str], deadline: float) -> Response:
        try:
            return self._exchange_once(call, headers, deadline)
        except WireBroken as broken:
            if broken.untrusted:
                self._renew()
            elif broken.sent and not is_repeatable(call):
                raise
        return self._exchange_once(call, headers, deadline)

    def _exchange_once(self, call: Call, headers: Mapping[str, str], deadline: float) -> Response:
        if self._stopping.is_set():
            raise WireBroken("gitopsd is stopping", sent=False)
        if is_write(call):
            self.fence()
        identity = self._credentials.current()
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None or wire.is_over or wire.identity is not identity:
            wire = self._local.wire = self._wire_for(identity)
            with self._counting:
                self._wires.add(wire)
        request = Request(call.method, _target(call.path, call.query), {**headers, **identity.headers()}, call.body)
        return wire.exchange(request, deadline)

    def _wire_for(self, identity: Identity) -> Wire:
        limits = self._limits
        return Wire(identity, connect_s=limits.connect_s, answer_bytes_max=limits.answer_bytes_max)

    def _renew(self) -> bool:
        """Read the credentials again. Where they cannot be read, the old ones stay, and the server says the rest."""
        with contextlib.suppress(ConfigError):
            self._credentials.renew(self._credentials.current())
        return True

    def _waited(self, wait_s: float | None, deadline: float) -> bool:
        if wait_s is None:
            return False
        wait_s = min(wait_s, RETRY_AFTER_S_MAX) * _DICE.uniform(1.0, 1.2)
        return time.monotonic() + wait_s < deadline and not self._stopping.wait(wait_s)


@dataclass(frozen=True, slots=True)
class Line:
    """An environment's own road: reads as gitopsd, everything else as the account that the operator named."""

    transport: Transport
    environment: Environment

    def call(self, call: Call, *, accept: str = JSON) -> Answer:
        """Send it; see ``Transport.send``."""
        if call.method != "GET":
            call = replace(call, user=self.environment.user)
        return self.transport.send(call, account=self.environment.name, accept=accept)


def is_write(call: Call) -> bool:
    """Return whether the call may change the cluster."""
    return call.method not in ("GET", "HEAD") and call.query.get("dryRun") != "All"


def is_repeatable(call: Call) -> bool:
    """Return whether sending it twice is the same as sending it once.

    Deletes carry preconditions, JSON patches a test: the second time they find nothing to do.
    """
    guarded = call.method == "DELETE" and call.body is not None
    return not is_write(call) or guarded or call.content_type in (APPLY, JSON_PATCH)


def _headers(call: Call, accept: str) -> dict[str, str]:
    headers = {"Accept": accept, "User-Agent": USER_AGENT}
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    if call.user:
        if not _USER.fullmatch(call.user) or _EMPTY_PART.search(call.user):
            raise trouble.empty_impersonation(call)
        headers["Impersonate-User"] = call.user
    return headers


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _read(call: Call, response: Response) -> Answer:
    warnings = tuple(dict.fromkeys(_warnings(response)))
    if response.status < _REDIRECT and call.path.endswith(_LOG):
        return Answer(response.status, response.body.decode(errors="replace"), warnings)
    try:
        body: Json = msgspec.json.decode(response.body)
    except msgspec.DecodeError as broken:
        if response.status < _REDIRECT:
            raise trouble.bad_answer(call, f"{response.status} with a body that is not JSON") from broken
        body = response.body[:TEXT_CHARS_MAX].decode(errors="replace")
    return Answer(response.status, body, warnings)


def _warnings(response: Response) -> Iterator[str]:
    for value in response.headers.get_all("Warning", []):
        found = _WARNING.match(value)
        if found:
            yield found.group(1).replace('\\"', '"').replace("\\\\", "\\")


def _wait_before_retry(call: Call, response: Response) -> float | None:
    """Return how long to wait, as the server says or else shortly; None when it is no use, or not safe."""
    if response.status != _BUSY and not (response.status in _GATEWAY and is_repeatable(call)):
        return None
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else 0.2
