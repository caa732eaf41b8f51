"""Time that passes only when a test says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class FakeClock:
    """Noon of a day, and whatever the test adds to it."""

    at: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    steady_s: float = 1_000.0

    def now(self) -> datetime:
        return self.at

    def steady(self) -> float:
        return self.steady_s

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        passed = timedelta(minutes=minutes, seconds=seconds)
        self.at += passed
        self.steady_s += passed.total_seconds()
