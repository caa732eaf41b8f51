"""Many calls side by side, with a bound. Whoever asks gets the answers in the order of the questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

from gitopsd.adapters.cluster import trouble

IN_FLIGHT_MAX = 32

_Asked = TypeVar("_Asked")
_Answered = TypeVar("_Answered")


class Lanes:
    """A pool shared by all environments; none queues more than what may be in flight, so all get their turn."""

    def __init__(self, count: int = IN_FLIGHT_MAX) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="cluster")

    def each(self, work: Callable[[_Asked], _Answered], asked: Iterable[_Asked]) -> list[_Answered]:
        """Do the work for each.

        Raises:
            ClusterError: the first failure, or that we are stopping; nothing more is begun after it.
        """
        under_way: deque[Future[_Answered]] = deque()
        answers: list[_Answered] = []
        try:
            for one in asked:
                if len(under_way) >= self._count:
                    answers.append(_answer_of(under_way.popleft()))
                under_way.append(self._submit(work, one))
            while under_way:
                answers.append(_answer_of(under_way.popleft()))
        finally:
            for future in under_way:
                future.cancel()
        return answers

    def _submit(self, work: Callable[[_Asked], _Answered], one: _Asked) -> Future[_Answered]:
        try:
            return self._pool.submit(work, one)
        except RuntimeError as closed:
            raise trouble.stopping() from closed

    def close(self) -> None:
        """End the threads once they have done what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _answer_of(future: Future[_Answered]) -> _Answered:
    try:
        return future.result()
    except CancelledError as closed:
        raise trouble.stopping() from closed
