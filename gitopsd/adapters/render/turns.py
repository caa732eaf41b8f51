"""As many renders at once as there are cores, for more would only make all of them late; and as there is memory for.

A tool that goes to its bound must not take the whole container with it, as the kernel would have it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gitopsd.core.errors import Problem, RenderError, Stage

WAIT_S = 300.0
# What gitopsd itself and the smaller tools may come to, and what one render may take at most.
OURS_BYTES = 1024**3
RENDER_BYTES = 1024**3
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


class Turns:
    """Who may render now. ``count`` None = as many as this process has cores and memory for."""

    def __init__(self, count: int | None = None, wait_s: float = WAIT_S) -> None:
        self._free = threading.BoundedSemaphore(count or count_for(len(os.sched_getaffinity(0)), memory_limit()))
        self._wait_s = wait_s

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and have it.

        Raises:
            RenderError: none came up in time.
        """
        if not self._free.acquire(timeout=self._wait_s):
            message = f"no core was free within {self._wait_s:.0f} s; nothing is wrong with the commit"
            hint = "give gitopsd more cores, or look for renders that take long"
            raise RenderError(Problem(code="RENDER_QUEUE", stage=Stage.RENDER, message=message, hint=hint))
        try:
            yield
        finally:
            self._free.release()


def count_for(cores: int, limit_bytes: int | None) -> int:
    """Return how many may render at once; ``limit_bytes`` None = the container has no limit of its own."""
    if limit_bytes is None:
        return cores
    return max(1, min(cores, (limit_bytes - OURS_BYTES) // RENDER_BYTES))


def memory_limit(files: Sequence[Path] = _LIMITS) -> int | None:
    """Return the container's memory limit in bytes; None when there is none, or it cannot be read."""
    for file in files:
        try:
            written = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(written) if written.isdecimal() else None
    return None
