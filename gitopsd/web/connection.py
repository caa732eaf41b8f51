"""One connection: whoever keeps the server waiting is cut off, at a deadline, or before it when room is needed.

Uvicorn waits for ever for a request that was begun and for an answer to be taken, and once enough such connections
are open it refuses everybody, a kubelet as well.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_S = 10
ANSWER_S = 30
KEEP_ALIVE_S = 5
HEAD_BYTES_MAX = 32 * 1024
BACKLOG = 128
# A loop turn accepts BACKLOG + 1, and two turns may pass before a request is read: it must not make room meanwhile.
CONNECTIONS_MAX = 300


class Connection(H11Protocol):
    """A whole request within ``REQUEST_S``; its answer made, and then taken, within ``ANSWER_S`` each."""

    since = 0.0
    _asked: RequestResponseCycle | None = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request. Another makes room: whoever keeps us waiting, before who waits for us."""
        super().connection_made(transport)
        self._wait(REQUEST_S)
        if len(self.connections) > CONNECTIONS_MAX:
            others = (one for one in self.connections if isinstance(one, Connection) and one is not self)
            min(others, key=lambda one: (not one.keeps_us_waiting, one.since)).cut_off()

    def handle_events(self) -> None:
        """Read what has come; once a request is whole, begin to wait for its answer."""
        super().handle_events()
        if self._is_answering and self._asked is not self.cycle:
            self._asked = self.cycle
            self._wait(ANSWER_S)

    def on_response_complete(self) -> None:
        """Begin to wait until the answer is taken and, for as long as uvicorn keeps the connection, for a request."""
        self._wait(ANSWER_S)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    @property
    def keeps_us_waiting(self) -> bool:
        """Whether it is the other side's turn: to send, or to take what was sent."""
        return not self._is_answering or self.flow.write_paused

    def cut_off(self) -> None:
        """Close without waiting for anything to be taken; from this moment it does not count."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.more_body and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        if self._deadline:
            self._deadline.cancel()
        self.since = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self.cut_off)
