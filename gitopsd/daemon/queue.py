"""One place in the queue per key, one worker per key at a time; waking a key twice is waking it once.

Times are those of ``time.monotonic``, so a wall clock that steps stalls nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(eq=False)
class WakeQueue:
    """Keys with the instant at which they are due; see the module for its promise."""

    _due: dict[str, float] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def wake(self, key: str, after_s: float = 0.0) -> None:
        """Make the key due, in ``after_s`` seconds at the latest; an earlier wake stands."""
        at = time.monotonic() + after_s
        with self._changed:
            self._due[key] = min(at, self._due.get(key, at))
            self._changed.notify()

    def take(self) -> str | None:
        """Wait for the key that is due longest and is not being worked on; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                waiting = {key: at for key, at in self._due.items() if key not in self._running}
                if waiting and min(waiting.values()) <= now:
                    return self._start(min(waiting, key=waiting.__getitem__))
                self._changed.wait(min(waiting.values()) - now if waiting else None)
            return None

    def done(self, key: str) -> None:
        """Give the key back; it may be taken again, if it was woken meanwhile."""
        with self._changed:
            self._running.discard(key)
            self._changed.notify_all()

    def forget(self, key: str) -> None:
        """Drop a key that nobody follows any more."""
        with self._changed:
            self._due.pop(key, None)

    def close(self) -> None:
        """Let every waiting worker go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def depth(self) -> int:
        """How many keys are due now and wait for a worker."""
        now = time.monotonic()
        with self._changed:
            return sum(1 for key, at in self._due.items() if at <= now and key not in self._running)

    def _start(self, key: str) -> str:
        del self._due[key]
        self._running.add(key)
        return key
