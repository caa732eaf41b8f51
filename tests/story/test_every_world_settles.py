"""All orders of good and bad commits, a crash at every port call, a lost and a doubled answer at each write.

Every world ends in the same cluster, inventory, kept digest and holds as the world in which nothing went wrong, and
deletes nothing that it did not.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Refused
from gitopsd.ports import Ports
from tests.story.world import Commit, Crash, World

# web is there from the start; each commit stands for a shape of change.
COMMITS: dict[str, Commit] = {
    "good": {"web": "good-1"},
    "good with more": {"web": "good-2", "cache": "good-1"},
    "bad": {"web": "bad-1"},
    "bad with more": {"web": "good-1", "extra": "bad-2"},
    "never ready": {"web": "slow-1", "cache": "good-1"},
    "refused by the server": {"web": "good-3", "never": "good-1"},
}
# A refused commit comes last, or before the last one: then it waits while what runs is judged.
ORDERS = [
    order
    for length in (1, 2, 3)
    for order in itertools.permutations(COMMITS, length)
    if "refused by the server" not in order[:-2]
]
REFUSAL = Refused(Problem(code="APPLY_INVALID", stage=Stage.VALIDATE, message="the server will not have it"))
PASSES_BEFORE_THE_NEXT = (None, 2)  # None: each commit settles first; else it pre-empts after so many passes

WRITES = {"apply", "prune", "save", "keep_snapshot"}


@dataclass
class Trouble:
    """Counts port calls, and does its one deed at the call ``at``: before it, after it (a lost answer), or twice."""

    at: int = -1
    deed: str = "none"
    calls: int = 0
    writes: list[int] = field(default_factory=list)

    def wrap(self, ports: Ports) -> Ports:
        wrapped = {name: _Troubled(getattr(ports, name), self) for name in ("source", "cluster", "store")}
        return replace(ports, **wrapped)

    def call(self, name: str, method: Callable[..., object], arguments: tuple[object, ...]) -> object:
        number, self.calls = self.calls, self.calls + 1
        if name in WRITES:
            self.writes.append(number)
        if number != self.at:
            return method(*arguments)
        if self.deed == "crash before":
            raise Crash
        answer = method(*arguments)
        if self.deed == "lost answer":
            raise Crash
        return method(*arguments) if name in ("apply", "prune") else answer


class _Troubled:
    def __init__(self, port: object, trouble: Trouble) -> None:
        self._port, self._trouble = port, trouble

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._port, name)
        return lambda *arguments: self._trouble.call(name, method, arguments)


def live_through(order: tuple[str, ...], pause: int | None, trouble: Trouble) -> tuple[object, ...]:
    """Let the commits of one world happen, and say how it ends."""
    world = World(wrap=trouble.wrap)
    world.cluster.refuse["never"] = REFUSAL
    world.commit(web="good-0")
    world.settle()
    for name in order[:-1]:
        world.commit(**COMMITS[name])
        if pause is None:
            world.settle()
        else:
            world.make_passes(pause)
    world.commit(**COMMITS[order[-1]])
    world.settle()
    return world.end()


def troubles(counted: Trouble) -> Iterator[Trouble]:
    yield from (Trouble(at=number, deed="crash before") for number in range(counted.calls))
    for number in counted.writes:
        yield Trouble(at=number, deed="lost answer")
        yield Trouble(at=number, deed="doubled answer")


@pytest.mark.timeout(900)
def test_every_world_settles_in_the_same_end(capsys):
    worlds = 0
    for order, pause in itertools.product(ORDERS, PASSES_BEFORE_THE_NEXT):
        calm = Trouble()
        expected = live_through(order, pause, calm)
        for trouble in troubles(calm):
            worlds += 1
            assert live_through(order, pause, trouble) == expected, (order, pause, trouble)
    calm = len(ORDERS) * len(PASSES_BEFORE_THE_NEXT)
    with capsys.disabled():
        sys.stdout.write(f" [{worlds} troubled worlds, {calm} calm ones, each with the same end] ")
