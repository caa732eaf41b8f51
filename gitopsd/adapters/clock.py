"""The time, and the only place that asks the machine for it.

``now`` is for people and never goes backwards; ``steady`` is for durations and knows no calendar: no step of the
machine's clock can end a lease or a deadline early.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def steady() -> float:
    """Return seconds since some instant; never goes back, and goes on while the machine sleeps where it can say so."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def wall() -> datetime:
    """Return what the machine's clock shows, wherever it was set to."""
    return datetime.now(UTC)  # noqa: TID251


class SystemClock:
    """``ports.Clock`` of this machine. It follows the machine's clock forward; when that is set back, it goes on."""

    def __init__(self, steady: Callable[[], float] = steady, wall: Callable[[], datetime] = wall) -> None:
        self._steady = steady
        self._wall = wall
        self._lock = threading.Lock()
        self._shown, self._shown_at = wall(), steady()

    def now(self) -> datetime:
        """Return the instant, in UTC, never going backwards."""
        with self._lock:
            at = self._steady()
            passed = self._shown + timedelta(seconds=at - self._shown_at)
            self._shown, self._shown_at = max(self._wall(), passed), at
            return self._shown

    def steady(self) -> float:
        """Return seconds for measuring durations."""
        return self._steady()
