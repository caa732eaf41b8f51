"""What was last read or written, until somebody says that it may not hold any more. Safe from any thread.

What is being read while it is forgotten is not remembered: it may be the old one.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in an environment's memory."""

    environment: str
    forgotten: tuple[int, int]


class Memory(Generic[_T]):
    """One value per environment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, _T] = {}
        self._forgotten: Counter[str] = Counter()
        self._all_forgotten = 0

    def get(self, environment: str) -> _T | None:
        """Return what is remembered."""
        with self._lock:
            return self._values.get(environment)

    def mark(self, environment: str) -> Mark:
        """Return this moment: take it before asking the cluster."""
        with self._lock:
            return self._mark(environment)

    def keep(self, value: _T, asked_at: Mark) -> None:
        """Remember what the cluster said, unless anything was forgotten since it was asked."""
        with self._lock:
            if self._mark(asked_at.environment) == asked_at:
                self._values[asked_at.environment] = value

    def forget(self, environment: str | None = None) -> None:
        """Remember nothing of this environment, or of any."""
        with self._lock:
            if environment is None:
                self._values.clear()
                self._all_forgotten += 1
            else:
                self._values.pop(environment, None)
                self._forgotten[environment] += 1

    def _mark(self, environment: str) -> Mark:
        return Mark(environment, (self._all_forgotten, self._forgotten[environment]))
