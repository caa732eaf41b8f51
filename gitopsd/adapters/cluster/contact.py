"""What was asked of the API server, by whom, and when it could not be reached. In memory, bounded."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from gitopsd.ports import Answer, Call

OUTAGES_MAX = 100
CREATED = 201
_GATEWAY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Requests sent for one account since we started; a dry-run counts as a request only."""

    requests: int = 0
    creates: int = 0
    patches: int = 0
    deletes: int = 0

    def __sub__(self, mark: Tally) -> Tally:
        """What came since the mark."""
        return Tally(
            requests=self.requests - mark.requests,
            creates=self.creates - mark.creates,
            patches=self.patches - mark.patches,
            deletes=self.deletes - mark.deletes,
        )


class Contact:
    """Counts answers per account, and remembers the outages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}
        self._outages: deque[tuple[float, float]] = deque(maxlen=OUTAGES_MAX)
        self._dark_since: float | None = None
        self._heard_at: float | None = None

    def answered(self, account: str, call: Call, answer: Answer, asked_at: float) -> None:
        """Count one answer; a gateway's or an overwhelmed server's is no sign of life."""
        with self._lock:
            self._tallies[account] = _counted(self._tallies.get(account, Tally()), call, answer)
        if answer.status in _GATEWAY:
            self.lost(asked_at)
        else:
            self.alive()

    def alive(self) -> None:
        """The server spoke: an outage, if there was one, is over."""
        with self._lock:
            self._heard_at = time.monotonic()
            if self._dark_since is not None:
                self._outages.append((self._dark_since, self._heard_at))
                self._dark_since = None

    def lost(self, asked_at: float) -> None:
        """The server did not answer something asked at that monotonic instant.

        It may have been silent before: nobody knows of anything after its last sign of life.
        """
        with self._lock:
            if self._dark_since is None:
                self._dark_since = asked_at if self._heard_at is None else min(asked_at, self._heard_at)

    @property
    def is_reachable(self) -> bool:
        """Whether the last that we asked was answered."""
        with self._lock:
            return self._dark_since is None

    def tally(self, account: str) -> Tally:
        """Return the counts of an account."""
        with self._lock:
            return self._tallies.get(account, Tally())

    def forget(self, account: str) -> None:
        """Drop the counts of an account that is no more."""
        with self._lock:
            self._tallies.pop(account, None)

    def blind_s(self, ago_s: float) -> float:
        """Return for how many of the last so many seconds the server could not be reached."""
        now = time.monotonic()
        start = now - ago_s
        with self._lock:
            open_end = [(self._dark_since, now)] if self._dark_since is not None else []
            outages = [*self._outages, *open_end]
        return sum(max(0.0, end - max(begin, start)) for begin, end in outages)


def _counted(tally: Tally, call: Call, answer: Answer) -> Tally:
    counted = replace(tally, requests=tally.requests + 1)
    if call.query.get("dryRun") or call.method == "GET":
        return counted
    if call.method == "DELETE":
        return replace(counted, deletes=counted.deletes + 1)
    if answer.status == CREATED:
        return replace(counted, creates=counted.creates + 1)
    return replace(counted, patches=counted.patches + 1) if call.method == "PATCH" else counted
