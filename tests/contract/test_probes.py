"""What the story relies on when it asks probes: one that answers at once, and the real one over real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from gitopsd.adapters.probes import Prober, PrometheusServer
from gitopsd.core.model import Desired, Environment, Revision
from gitopsd.core.probes import JobProbe, Pace, Probe, Probed, ProbeState, PrometheusProbe, question_of
from gitopsd.core.record import Rollout, Trigger
from gitopsd.core.settings import Settings
from gitopsd.ports import Probes
from rig.waiting import wait_for
from tests.adapters.probes.servers import prometheus, server
from tests.fakes.api import FakeApi
from tests.fakes.clock import FakeClock
from tests.fakes.probes import FakeProbes

PENDING, PASS, FAIL, UNKNOWN = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN
STAGING = Environment(name="staging", source="git", path="environments/staging", namespaces=("shop",))
REVISION = Revision(ref="main", commit="c" * 40)
PACE = Pace(failures=2, interval_s=10.0, timeout_s=5.0)
ERRORS = PrometheusProbe(name="errors", query="errors", maximum=0.5, pace=PACE)
LATENCY = PrometheusProbe(name="latency", query="latency", maximum=0.5, pace=PACE)
SMOKE = JobProbe(name="smoke", file="smoke.yaml", job=b'{"metadata": {"name": "smoke"}}', pace=PACE)


@dataclass
class World:
    """``say`` scripts what is found of ``errors`` from now on; ``rest`` waits until nothing is under way."""

    probes: Probes
    clock: FakeClock
    say: Callable[[ProbeState], None]
    rest: Callable[[], None]

    def rollout(self, digest: str = "d1", trigger: Trigger = Trigger.COMMIT, **more: object) -> Rollout:
        now = self.clock.now()
        return Rollout(digest=digest, revision=REVISION, trigger=trigger, started_at=now, well_since=now, **more)

    def hear(self, rollout: Rollout | None, *probes: Probe, digest: str = "d1") -> tuple[Probed, ...]:
        """An interval later, ask and wait for the answers; return how all stand then."""
        self.clock.advance(seconds=10)
        wanted = Desired(revision=REVISION, digest=digest, manifests=(), settings=Settings(probes=probes))
        told = self.probes.ask(STAGING, wanted, rollout)
        if isinstance(self.probes, FakeProbes):
            return told
        self.rest()
        return self.probes.ask(STAGING, wanted, rollout)


@contextmanager
def _fake() -> Iterator[World]:
    clock = FakeClock()
    probes = FakeProbes(clock)
    yield World(probes, clock, lambda state: probes.answers.update(errors=state), lambda: None)


@contextmanager
def _real() -> Iterator[World]:
    clock = FakeClock()
    values = {PASS: ["0.1"], FAIL: ["0.9"], UNKNOWN: []}
    said = [PASS]

    def answer(connection, asked, over) -> None:
        result = values[said[-1]] if asked.query == "errors" else ["0.1"]
        prometheus(result)(connection, asked, over)

    with server(answer) as there:
        prober = Prober(FakeApi(), clock, PrometheusServer(url=there.url))
        prober.start(lambda _environment, _after_s: None)
        try:
            yield World(prober, clock, said.append, lambda: wait_for("peace", lambda: not prober._in_flight))
        finally:
            prober.stop()


@pytest.fixture(params=[_fake, _real], ids=["fake", "real"])
def world(request) -> Iterator[World]:
    with request.param() as made:
        yield made


def test_without_probes_there_are_no_answers(world):
    assert world.hear(None) == ()


def test_each_probe_has_its_answer_in_their_order(world):
    world.say(FAIL)

    assert [(one.name, one.state) for one in world.hear(world.rollout(), LATENCY, ERRORS)] == [
        ("latency", PASS),
        ("errors", FAIL),
    ]


@pytest.mark.parametrize("state", [PASS, FAIL, UNKNOWN])
def test_an_answer_says_what_was_found_and_when(world, state):
    world.say(state)
    rollout = world.rollout()
    (probed,) = world.hear(rollout, ERRORS)

    assert (probed.state, probed.at, probed.in_a_row, probed.failed) == (state, world.clock.now(), 1, False)


def test_failures_are_counted_in_a_row(world):
    rollout, seen = world.rollout(), []
    for state in (FAIL, PASS, FAIL, FAIL, UNKNOWN):
        world.say(state)
        seen += world.hear(rollout, ERRORS)

    assert [(one.in_a_row, one.failed) for one in seen] == [(1, False), (1, False), (1, False), (2, True), (1, False)]


def test_a_new_rollout_counts_anew(world):
    world.say(FAIL)
    rollout = world.rollout()
    world.hear(rollout, ERRORS)
    (probed,) = world.hear(world.rollout("d2"), ERRORS, digest="d2")

    assert (probed.in_a_row, probed.failed) == (1, False)


def test_after_the_rollout_the_count_goes_on(world):
    world.say(FAIL)
    world.hear(world.rollout(), ERRORS)
    (probed,) = world.hear(None, ERRORS)

    assert (probed.in_a_row, probed.failed) == (2, True)


def test_a_job_is_asked_in_a_rollout_whose_objects_are_well(world):
    (probed,) = world.hear(world.rollout(), SMOKE)

    assert probed.at is not None


@pytest.mark.parametrize(
    "rollout",
    [
        pytest.param(lambda _: None, id="outside a rollout"),
        pytest.param(lambda world: world.rollout(trigger=Trigger.REVERT), id="on the way back"),
        pytest.param(lambda world: world.rollout(trigger=Trigger.ROLLBACK), id="on a person's way back"),
        pytest.param(lambda world: world.rollout(tested=frozenset({question_of(SMOKE)})), id="when it has passed"),
    ],
)
def test_a_job_is_not_asked(world, rollout):
    (probed,) = world.hear(rollout(world), SMOKE)

    assert (probed.state, probed.at) == (PENDING, None)
