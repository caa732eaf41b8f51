"""The time, and the only place that waits by time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

REBASE_S = 1.0


class SystemClock:
    """Implements ``ports.Clock``: the wall clock at the start and the monotonic clock since, so it never goes back.

    A wall clock that was set forward is followed; one that was set back is waited out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base = _wall()
        self._since = time.monotonic()

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        with self._lock:
            steady = self._base + timedelta(seconds=time.monotonic() - self._since)
            wall = _wall()
            if wall - steady > timedelta(seconds=REBASE_S):
                self._base, self._since = wall, time.monotonic()
                return wall
            return steady

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return time.monotonic()


def wait_for(condition: Callable[[], bool], deadline_s: float, every_s: float = 0.05) -> bool:
    """Wait until the condition holds; False when it does not within the deadline."""
    until = time.monotonic() + deadline_s
    while not condition():
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(every_s, left))  # noqa: TID251 — here is where it is allowed
    return True


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 — here is where it is allowed
