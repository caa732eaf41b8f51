"""How far the clock for people was set forward, and when: of such time, nothing passed for anybody.

Seen by looking: between two looks both clocks should go on alike.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime

LEAP_S_MIN = 1.0
LEAPS_KEPT = 32


class Leaps:
    """What was seen so far; any number of threads may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead_s: float | None = None
        self._leaps: deque[tuple[datetime, float]] = deque(maxlen=LEAPS_KEPT)

    def look(self, now: datetime, steady_s: float) -> None:
        """Compare the clocks."""
        ahead_s = now.timestamp() - steady_s
        with self._lock:
            if self._ahead_s is not None and ahead_s - self._ahead_s >= LEAP_S_MIN:
                self._leaps.append((now, ahead_s - self._ahead_s))
            self._ahead_s = ahead_s

    def since_s(self, since: datetime) -> float:
        """Return how many seconds were leapt over since then."""
        with self._lock:
            return sum(seconds for at, seconds in self._leaps if at > since)
