"""What could not be opened is not tried again at each pass: it costs a program for each file, or a service's patience.

Kept are digests and what was said of them, and nothing that was in a file.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from gitopsd.core.errors import Problem, RenderError

KEPT_MAX = 1_000
PAUSE_S, SERVICE_PAUSE_S = 600.0, 60.0
SERVICE_FAILED = "DECRYPT_SERVICE_FAILED"

_DEAR = frozenset({"RENDER_KILLED", "RENDER_OUTPUT_TOO_LARGE", "RENDER_TIMEOUT"})


class Refusals:
    """Refusals by the digest of all that they came of. For any number of threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[str, tuple[tuple[Problem, ...], float]] = OrderedDict()
        self._lock = Lock()

    def repeat(self, digest: str) -> None:
        """Refuse what was refused a short time ago.

        Raises:
            RenderError: what was said then.
        """
        with self._lock:
            problems, until = self._kept.get(digest, ((), 0.0))
        if problems and self._now() < until:
            raise RenderError(*problems)

    def keep(self, digest: str, error: RenderError) -> None:
        """Remember a refusal, unless it has other reasons than the files, their keys and their services."""
        pause = min(_pause_s(problem.code) for problem in error.problems)
        if not pause:
            return
        with self._lock:
            self._kept[digest] = (error.problems, self._now() + pause)
            self._kept.move_to_end(digest)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)


def _pause_s(code: str) -> float:
    if code == SERVICE_FAILED:
        return SERVICE_PAUSE_S
    is_lasting = code in _DEAR or (code.startswith("DECRYPT_") and code != "DECRYPT_KEY_FILE")
    return PAUSE_S if is_lasting else 0.0
