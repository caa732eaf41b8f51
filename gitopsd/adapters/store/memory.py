"""What was last read or written, until somebody says that it may not hold any more. Safe from any thread.

What is being read while it is forgotten is not remembered: it may be the old one.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

from gitopsd.core.model import Desired

RECALLED_OBJECTS_MAX = 10_000

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


class Recalled:
    """The sets that were recalled last; the oldest go when all have more than so many objects together."""

    def __init__(self, objects_max: int = RECALLED_OBJECTS_MAX) -> None:
        self._objects_max = objects_max
        self._lock = threading.Lock()
        self._sets: dict[tuple[str, str], Desired] = {}

    def get(self, environment: str, digest: str) -> Desired | None:
        """Return a set that is remembered."""
        with self._lock:
            return self._sets.get((environment, digest))

    def keep(self, environment: str, desired: Desired) -> None:
        """Remember a set, always this one."""
        with self._lock:
            self._sets[environment, desired.digest] = desired
            while len(self._sets) > 1 and sum(len(one.manifests) for one in self._sets.values()) > self._objects_max:
                del self._sets[next(iter(self._sets))]

    def forget(self, environment: str | None = None) -> None:
        """Remember no set of this environment, or of any."""
        with self._lock:
            self._sets = {
                name: one for name, one in self._sets.items() if environment is not None and name[0] != environment
            }
