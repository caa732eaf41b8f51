"""Many calls side by side, with a bound. Whoever asks gets the answers in the order of the questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

IN_FLIGHT_MAX = 32

_Asked = TypeVar("_Asked")
_Answered = TypeVar("_Answered")


class Lanes:
    """A pool shared by all environments; none queues more than what may be in flight, so all get their turn."""

    def __init__(self, count: int = IN_FLIGHT_MAX) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="cluster")

    def each(self, work: Callable[[_Asked], _Answered], asked: Iterable[_Asked]) -> list[_Answered]:
        """Do the work for each; the first failure is raised when what was under way has ended."""
        under_way: deque[Future[_Answered]] = deque()
        answers: list[_Answered] = []
        try:
            for one in asked:
                if len(under_way) >= self._count:
                    answers.append(under_way.popleft().result())
                under_way.append(self._pool.submit(work, one))
            while under_way:
                answers.append(under_way.popleft().result())
        finally:
            for future in under_way:
                future.cancel()
        return answers

    def close(self) -> None:
        """End the threads once they have done what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)
