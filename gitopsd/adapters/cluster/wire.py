"""One connection to the API server: a whole answer before a deadline, or ``WireBroken``.

A deadline is for the exchange as a whole: a server that sends a byte a second does not stretch it. An answer shorter
than it said it would be is a broken wire, never a shorter answer.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gitopsd.adapters.cluster.credentials import Identity

CHUNK_BYTES = 65_536
NEVER = float("inf")


class WireBroken(Exception):
    """There was no whole answer. ``sent`` = the server may have acted on the request."""

    def __init__(self, cause: str, *, sent: bool, untrusted: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.sent = sent
        self.untrusted = untrusted


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole."""

    status: int
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes = field(repr=False)


class Wire:
    """A connection that is opened when needed and kept for the next exchange. One thread at a time."""

    def __init__(self, identity: Identity, *, connect_s: float, answer_bytes_max: int) -> None:
        self.identity = identity
        self._connect_s = connect_s
        self._answer_bytes_max = answer_bytes_max
        self._connection: http.client.HTTPConnection | None = None
        self._socket: _TimedSocket | None = None
        self.is_over = False

    def exchange(self, request: Request, deadline: float) -> Response:
        """Send it and return the answer; ``deadline`` is an instant of the monotonic clock."""
        sent = False
        try:
            connection, timed = self._open(deadline)
            sent = True
            connection.request(request.method, self._target(request), body=request.body, headers=dict(request.headers))
            timed.flush()
            answer = connection.getresponse()
            body = self._whole_body(answer)
        except (OSError, http.client.HTTPException, ValueError) as broken:
            self.close()
            raise _broken(broken, sent=sent) from broken
        if answer.will_close or timed.is_given_up:
            self.close()
        return Response(answer.status, answer.headers, body)

    def lines(self, request: Request, *, idle_s: float, line_bytes_max: int) -> Iterator[bytes]:
        """Yield the answer line by line; first an empty line when the server has agreed to send.

        Raises:
            WireBroken: nothing came for ``idle_s``, or the stream was cut inside a line.
        """
        try:
            yield from self._lines(request, idle_s, line_bytes_max)
        except (OSError, http.client.HTTPException, ValueError) as broken:
            raise _broken(broken, sent=True) from broken
        finally:
            self.close()

    def hang_up(self) -> None:
        """End an exchange under way, from another thread; there is none after it."""
        self.is_over = True
        if self._socket:
            self._socket.hang_up()

    def close(self) -> None:
        """Drop the connection; the next exchange opens another."""
        if self._socket:
            self._socket.shut()
        self._connection = self._socket = None

    def _lines(self, request: Request, idle_s: float, line_bytes_max: int) -> Iterator[bytes]:
        connection, timed = self._open(time.monotonic() + idle_s)
        connection.request(request.method, self._target(request), headers=dict(request.headers))
        timed.flush()
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise StreamRefused(answer.status, self._whole_body(answer))
        yield b""
        while True:
            timed.deadline = time.monotonic() + idle_s
            line = answer.readline(line_bytes_max)
            if not line:
                return
            if not line.endswith(b"\n"):
                raise WireBroken("the stream was cut inside a line", sent=True)
            yield line

    def _target(self, request: Request) -> str:
        return f"{self.identity.base_path}{request.target}"

    def _open(self, deadline: float) -> tuple[http.client.HTTPConnection, _TimedSocket]:
        if self._socket and self._socket.was_closed_by_peer():
            self.close()
        if not self._connection or not self._socket:
            self._connection = _connect(self.identity, min(self._connect_s, deadline - time.monotonic()))
            self._socket = _TimedSocket(self._connection.sock)
            self._connection.sock = self._socket
        if self.is_over:
            raise ConnectionAbortedError("hung up on our side")
        self._socket.deadline = deadline
        return self._connection, self._socket

    def _whole_body(self, answer: http.client.HTTPResponse) -> bytes:
        declared = answer.getheader("Content-Length")
        chunks: list[bytes] = []
        count = 0
        while chunk := answer.read(CHUNK_BYTES):
            count += len(chunk)
            if count > self._answer_bytes_max:
                raise http.client.HTTPException(f"more than {self._answer_bytes_max} bytes")
            chunks.append(chunk)
        if declared is not None and declared.isdecimal() and count < int(declared):
            raise http.client.HTTPException(f"{count} of {declared} bytes came")
        return b"".join(chunks)


class StreamRefused(Exception):
    """The server answered a watch with another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body


class _TimedSocket:
    """A socket whose every wait ends at the deadline.

    What is sent is held until ``flush``, so that a request is one write and not two. Closing, as http.client does
    early, waits for ``shut``.
    """

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.deadline = NEVER
        self.is_given_up = False
        self._held: list[bytes] = []

    def sendall(self, content: bytes) -> None:
        self._held.append(content)

    def flush(self) -> None:
        content = b"".join(self._held)
        self._held.clear()
        self._real.settimeout(self._left_s())
        self._real.sendall(content)

    def recv_into(self, buffer: memoryview) -> int:
        self._real.settimeout(self._left_s())
        return self._real.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self), CHUNK_BYTES)

    def was_closed_by_peer(self) -> bool:
        """Whether something is to be read though nothing was asked: the end, or an answer that we do not want."""
        poll = select.poll()
        poll.register(self._real, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self.is_given_up = True

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._real.shutdown(socket.SHUT_RDWR)

    def shut(self) -> None:
        self._real.close()

    def _left_s(self) -> float:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the deadline passed")
        return left_s


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        super().__init__()
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._timed.recv_into(buffer)


def _connect(identity: Identity, timeout_s: float) -> http.client.HTTPConnection:
    if timeout_s <= 0:
        raise TimeoutError("the deadline passed")
    host, port = identity.proxy or (identity.host, identity.port)
    if identity.tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, context=identity.tls, timeout=timeout_s
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    if identity.proxy:
        connection.set_tunnel(identity.host, identity.port)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _broken(cause: Exception, *, sent: bool) -> WireBroken:
    words = str(cause) or type(cause).__name__
    return WireBroken(words, sent=sent, untrusted=isinstance(cause, ssl.SSLCertVerificationError))
