"""Durations as Go writes them: ``90s``, ``1m30s``, ``1.5h``. A number without a unit means nothing."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LENGTH_MAX = 40


def seconds(text: str) -> float:
    """Return the duration in seconds.

    Raises:
        ValueError: it is not one, or is negative.
    """
    if text == "0":
        return 0.0
    parts = _PART.findall(text[:_LENGTH_MAX])
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("must be a duration like 90s, 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
