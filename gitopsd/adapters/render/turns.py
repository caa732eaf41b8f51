"""As many renders at once as there are cores: more would only make all of them late."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gitopsd.core.errors import Problem, RenderError, Stage

WAIT_S = 300.0


class Turns:
    """Who may render now. ``count`` None = as many as this process has cores."""

    def __init__(self, count: int | None = None, wait_s: float = WAIT_S) -> None:
        self._free = threading.BoundedSemaphore(count or len(os.sched_getaffinity(0)))
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
