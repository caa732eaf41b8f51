"""One GET to one machine before one deadline: no redirect is followed, and no more is read than was asked for.

http.client over a socket of our own, for a client that looks names up, pools connections or times each read by itself
can hold neither promise.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd import __version__

USER_AGENT = f"gitopsd/{__version__}"

_CHUNK_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """What is asked of whom. ``host`` is a name, or an address, of which no name server is asked.

    ``tls`` None = in plain text. ``body_bytes_max`` is how much of the answer is read.
    """

    host: str
    port: int
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None
    timeout_s: float
    body_bytes_max: int


@dataclass(frozen=True, slots=True)
class Got:
    """The answer: any status. ``is_whole`` = the body is not longer than this."""

    status: int
    body: bytes = field(repr=False)
    is_whole: bool


class NoWay(Exception):
    """No connection came about, and nobody said why: there may be nothing, or something in between."""


class Refused(Exception):
    """The machine is there, and nobody listens."""


class Broken(Exception):
    """Somebody is there, and gave no whole answer."""


def get(request: Get) -> Got:
    """Ask once.

    Raises:
        NoWay, Refused, Broken: there was no answer; the message says what happened.
    """
    deadline = time.monotonic() + request.timeout_s
    opened = _connect(request, deadline)
    try:
        with _secured(opened, request, deadline) as connected:
            return _exchange(connected, request, deadline)
    except ssl.SSLError as broken:
        raise Broken(f"TLS failed: {broken.reason or broken}") from broken
    except TimeoutError as broken:
        raise Broken(f"no whole answer within {request.timeout_s:g} s") from broken
    except (OSError, http.client.HTTPException, ValueError) as broken:
        raise Broken(_words(broken)) from broken


def _connect(request: Get, deadline: float) -> socket.socket:
    """Try the addresses of the host in turn; an address is its own only one."""
    try:
        found = socket.getaddrinfo(request.host, request.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as broken:
        raise NoWay(f"{request.host} is not found: {_words(broken)}") from broken
    trouble: OSError = TimeoutError()
    for family, kind, protocol, _, address in found:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(_left_s(deadline))
            opened.connect(address)
        except OSError as broken:
            opened.close()
            trouble = broken
        else:
            return opened
    if isinstance(trouble, ConnectionRefusedError | ConnectionResetError):
        raise Refused(_words(trouble)) from trouble
    if isinstance(trouble, TimeoutError):
        raise NoWay(f"no connection within {request.timeout_s:g} s") from trouble
    raise NoWay(_words(trouble)) from trouble


def _secured(opened: socket.socket, request: Get, deadline: float) -> contextlib.closing[socket.socket]:
    if request.tls is None:
        return contextlib.closing(opened)
    try:
        opened.settimeout(_left_s(deadline))
        return contextlib.closing(request.tls.wrap_socket(opened, server_hostname=request.host))
    except BaseException:
        opened.close()
        raise


def _exchange(connected: socket.socket, request: Get, deadline: float) -> Got:
    timed = _TimedSocket(connected, deadline)
    connection = http.client.HTTPConnection(request.host, request.port)
    connection.sock = timed
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Connection": "close", **request.headers}
    connection.request("GET", request.target, headers=headers)
    answer = connection.getresponse()
    chunks: list[bytes] = []
    left = request.body_bytes_max + 1
    while left and (chunk := answer.read(min(left, _CHUNK_BYTES))):
        chunks.append(chunk)
        left -= len(chunk)
    return Got(answer.status, b"".join(chunks)[: request.body_bytes_max], is_whole=left > 0)


class _TimedSocket:
    """A socket whose every wait ends at the deadline, however many bytes came before."""

    def __init__(self, real: socket.socket, deadline: float) -> None:
        self._real = real
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        self._real.settimeout(_left_s(self._deadline))
        self._real.sendall(content)

    def recv_into(self, buffer: memoryview) -> int:
        self._real.settimeout(_left_s(self._deadline))
        return self._real.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self), _CHUNK_BYTES)

    def close(self) -> None:
        """http.client closes early; whoever opened the real one closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        super().__init__()
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._timed.recv_into(buffer)


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _words(broken: Exception) -> str:
    said = broken.strerror if isinstance(broken, OSError) else str(broken)
    return (said or str(broken) or type(broken).__name__).lower()
