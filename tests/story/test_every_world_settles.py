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
from gitopsd.core.probes import HttpProbe, Pace, ProbeState
from gitopsd.core.settings import Settings
from gitopsd.ports import Ports
from tests.story.world import ENVIRONMENT, Commit, Crash, World

# web is there from the start; each commit stands for a shape of change.
COMMITS: dict[str, Commit] = {
    "good": {"web": "good-1"},
    "good with more": {"web": "good-2", "cache": "good-1"},
    "bad": {"web": "bad-1"},
    "bad with more": {"web": "good-1", "extra": "bad-2"},
    "never ready": {"web": "slow-1", "cache": "good-1"},
    "refused by the server": {"web": "good-3", "never": "good-1"},
    "fails its probe": {"web": "sick-1", "cache": "good-1"},
    "cannot be told at first": {"web": "mute-1"},
}
# The ones whose end hangs on a probe, or on what the server refuses, meet some of the plain ones only: it takes long.
PLAIN = ("good", "good with more", "bad", "bad with more", "never ready")
ASKED = ("refused by the server", "fails its probe", "cannot be told at first")
MEET = ("good with more", "bad with more")
ORDERS = [
    *itertools.permutations(COMMITS, 1),
    *itertools.permutations(PLAIN, 2),
    *itertools.product(ASKED, MEET),
    *itertools.product(MEET, ASKED),
    *itertools.permutations(PLAIN, 3),
    *itertools.product(("bad", "fails its probe"), ("refused by the server",), ("good", "bad with more")),
]
REFUSAL = Refused(Problem(code="APPLY_INVALID", stage=Stage.VALIDATE, message="the server will not have it"))
PASSES_BEFORE_THE_NEXT = (None, 2)  # None: each commit settles first; else it pre-empts after so many passes

# More failures in a row than a commit has passes before the next: a crash begins to count anew.
PROBE = HttpProbe(name="http", service="web", port="80", pace=Pace(failures=5))
MUTE_MAX = 2
PROBED = ("fails its probe", "cannot be told at first")

WRITES = {"apply", "prune", "save", "keep_snapshot"}


@dataclass
class Trouble:
    """Counts port calls, and does its one deed at the call ``at``: before it, after it (a lost answer), or twice.

    ``asks`` are the calls that ask probes, whose answer may be that it cannot be told.
    """

    at: int = -1
    deed: str = "none"
    calls: int = 0
    writes: list[int] = field(default_factory=list)
    asks: list[int] = field(default_factory=list)

    def wrap(self, ports: Ports) -> Ports:
        wrapped = {name: _Troubled(getattr(ports, name), self) for name in ("source", "cluster", "store", "probes")}
        return replace(ports, **wrapped)

    def call(self, name: str, method: Callable[..., object], arguments: tuple[object, ...]) -> object:
        number, self.calls = self.calls, self.calls + 1
        if name in WRITES:
            self.writes.append(number)
        if name == "ask":
            self.asks.append(number)
        if number != self.at:
            return method(*arguments)
        if self.deed == "crash before":
            raise Crash
        answer = method(*arguments)
        if self.deed == "lost answer":
            raise Crash
        if self.deed == "cannot be told":
            return tuple(replace(one, state=ProbeState.UNKNOWN, failed=False) for one in answer)
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
    if any(name in PROBED for name in order):
        world.git.settings = Settings(soak_s=0, probes=(PROBE,))
        world.probes.say = lambda in_a_row: probed(world, in_a_row)
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


def probed(world: World, in_a_row: int) -> ProbeState:
    """``sick`` images fail their probe; what asks ``mute`` ones cannot be told the first two times."""
    image = world.images("web").get("web", "")
    if image.startswith("sick"):
        return ProbeState.FAIL
    is_mute = image.startswith("mute") and in_a_row < MUTE_MAX and world.store.load(ENVIRONMENT).rollout
    return ProbeState.UNKNOWN if is_mute else ProbeState.PASS


def troubles(counted: Trouble, pause: int | None) -> Iterator[Trouble]:
    yield from (Trouble(at=number, deed="crash before") for number in range(counted.calls))
    for number in counted.writes:
        yield Trouble(at=number, deed="lost answer")
        yield Trouble(at=number, deed="doubled answer")
    if pause is None:
        # Else the next commit comes before this one could be kept, which is another story and not another end.
        yield from (Trouble(at=number, deed="cannot be told") for number in counted.asks)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", COMMITS)
def test_every_world_settles_in_the_same_end(first, capsys):
    worlds = calm_ones = 0
    for order, pause in itertools.product(ORDERS, PASSES_BEFORE_THE_NEXT):
        if order[0] != first:
            continue
        calm, calm_ones = Trouble(), calm_ones + 1
        expected = live_through(order, pause, calm)
        for trouble in troubles(calm, pause):
            worlds += 1
            assert live_through(order, pause, trouble) == expected, (order, pause, trouble)
    with capsys.disabled():
        sys.stdout.write(f" [{worlds} troubled worlds, {calm_ones} calm ones, each with the same end] ")
