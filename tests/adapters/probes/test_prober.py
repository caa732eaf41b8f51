"""Asking takes its own time: the pass hears at once what is known, and is woken when there is more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from gitopsd.adapters.probes import Prober, PrometheusServer
from gitopsd.adapters.probes.prober import IN_FLIGHT_PER_ENVIRONMENT_MAX
from gitopsd.core.model import Desired, Environment, Revision
from gitopsd.core.probes import Pace, Probed, ProbeState, PrometheusProbe
from gitopsd.core.record import Rollout, Trigger
from gitopsd.core.settings import Settings
from rig.waiting import wait_for
from tests.adapters.probes.servers import HostileServer, in_turn, mute, prometheus, server
from tests.fakes.api import FakeApi
from tests.fakes.clock import FakeClock

REVISION = Revision(ref="main", commit="c" * 40)
STAGING = Environment(name="staging", source="git", path="environments/staging")
PENDING, PASS, FAIL = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL


def probe(name: str = "errors", **pace: float) -> PrometheusProbe:
    paced = Pace(**{"failures": 2, "interval_s": 10.0, "timeout_s": 1.0, **pace})
    return PrometheusProbe(name=name, query=name, maximum=0.5, pace=paced)


def desired(*probes: PrometheusProbe, digest: str = "d1") -> Desired:
    return Desired(revision=REVISION, digest=digest, manifests=(), settings=Settings(probes=probes))


@dataclass
class World:
    """``follow`` is asked for at every wake, as a daemon does."""

    prober: Prober
    there: HostileServer
    clock: FakeClock
    woken: list[tuple[str, float]] = field(default_factory=list)
    follow: Desired | None = None
    rung: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wake(self, environment: str, after_s: float) -> None:
        self.woken.append((environment, after_s))
        if not after_s:
            self.rung.release()
            if self.follow:
                self.ask(self.follow)

    def rollout(self, digest: str = "d1") -> Rollout:
        return Rollout(digest=digest, revision=REVISION, trigger=Trigger.COMMIT, started_at=self.clock.now())

    def ask(self, wanted: Desired, rollout: Rollout | None = None) -> tuple[Probed, ...]:
        return self.prober.ask(STAGING, wanted, rollout)

    def ask_and_hear(self, wanted: Desired, rollout: Rollout | None = None) -> tuple[Probed, ...]:
        """Ask what is due, wait for the answer, and return how it stands then."""
        before = len(self.there.asked)
        self.ask(wanted, rollout)
        wait_for("the question", lambda: len(self.there.asked) > before)
        wait_for("the answer", lambda: not self.prober._in_flight)
        return self.ask(wanted, rollout)


@contextmanager
def world(answer) -> Iterator[World]:
    clock = FakeClock()
    with server(answer) as there:
        made = World(Prober(FakeApi(), clock, PrometheusServer(url=there.url)), there, clock)
        made.prober.start(made.wake)
        try:
            yield made
        finally:
            made.prober.stop()


def test_an_environment_without_probes_costs_nothing():
    with world(prometheus(["0.1"])) as made:
        assert made.ask(desired()) == ()
        assert (made.there.asked, made.woken) == ([], [])


def test_the_pass_does_not_wait_and_is_woken_by_the_answer():
    with world(prometheus(["0.1"])) as made:
        (first,) = made.ask(desired(probe()))
        assert made.rung.acquire(timeout=10)
        (then,) = made.ask(desired(probe()))

    assert (first.state, first.at) == (PENDING, None)
    assert (then.state, then.message, then.at) == (PASS, "0.1", made.clock.now())


def test_nobody_is_asked_before_the_start():
    with server(prometheus(["0.1"])) as there:
        prober = Prober(FakeApi(), FakeClock(), PrometheusServer(url=there.url))
        assert [one.state for one in prober.ask(STAGING, desired(probe()), None)] == [PENDING]
        prober.stop()

    assert there.asked == []


def test_it_is_asked_again_after_the_interval_and_not_before():
    with world(prometheus(["0.1"])) as made:
        made.ask_and_hear(desired(probe()))
        made.clock.advance(seconds=9.9)
        made.ask(desired(probe()))
        assert len(made.there.asked) == 1
        assert made.woken[-1] == ("staging", pytest.approx(0.1))
        made.clock.advance(seconds=0.1)
        (probed,) = made.ask_and_hear(desired(probe()))

    assert (len(made.there.asked), probed.in_a_row) == (2, 2)


def test_failures_in_a_row_are_a_failure():
    with world(prometheus(["0.9"], ["0.1"], ["0.8"], ["0.7"])) as made:
        seen = []
        for _ in range(4):
            seen += made.ask_and_hear(desired(probe()))
            made.clock.advance(seconds=10)

    assert [(one.state, one.in_a_row, one.failed) for one in seen] == [
        (FAIL, 1, False),
        (PASS, 1, False),
        (FAIL, 1, False),
        (FAIL, 2, True),
    ]


def test_one_that_hangs_is_asked_once_at_a_time():
    with world(mute) as made:
        wanted = desired(probe(timeout_s=30.0))
        for _ in range(5):
            made.ask(wanted)
            made.clock.advance(seconds=60)
        wait_for("the question", lambda: bool(made.there.asked))

        assert len(made.there.asked) == 1


def test_no_environment_takes_all_the_threads():
    with world(mute) as made:
        many = desired(*(probe(f"p{number}", timeout_s=30.0) for number in range(20)))
        other = Environment(name="production", source="git", path="environments/production")
        made.ask(many)
        made.prober.ask(other, desired(probe("theirs")), None)
        wait_for("the other one's turn", lambda: "theirs" in [asked.query for asked in made.there.asked])
        wait_for("all that may go", lambda: len(made.there.asked) > IN_FLIGHT_PER_ENVIRONMENT_MAX)
        made.ask(many)

        assert len(made.prober._in_flight) == IN_FLIGHT_PER_ENVIRONMENT_MAX + 1


def test_the_others_get_their_turn():
    with world(prometheus(["0.1"])) as made:
        many = desired(*(probe(f"p{number}") for number in range(20)))

        def all_passed() -> bool:
            return all(one.state is PASS for one in made.ask(many))

        wait_for("all of them", all_passed)

    assert len(made.there.asked) == 20


def test_the_others_get_their_turn_at_rest_too_where_no_answer_is_news():
    with world(prometheus(["0.1"])) as made:
        many = desired(*(probe(f"p{number}") for number in range(20)))
        wait_for("all of them", lambda: all(one.state is PASS for one in made.ask(many)))
        wait_for("peace", lambda: not made.prober._in_flight)
        made.clock.advance(seconds=10)
        made.follow = many
        made.ask(many)
        wait_for("all of them again", lambda: len(made.there.asked) == 40)


def test_a_new_rollout_begins_with_no_answers():
    with world(prometheus(["0.1"])) as made:
        made.ask_and_hear(desired(probe()), made.rollout())
        made.clock.advance(seconds=1)
        (probed,) = made.ask(desired(probe(), digest="d2"), made.rollout("d2"))

    assert (probed.state, probed.at) == (PENDING, None)


def test_an_answer_to_a_question_of_before_is_no_answer():
    with world(in_turn(mute, prometheus(["0.9"]))) as made:
        slow = desired(probe(timeout_s=1.0))
        made.ask(slow, made.rollout())
        wait_for("the question", lambda: bool(made.there.asked))
        made.clock.advance(seconds=5)
        later = made.rollout("d2")
        made.ask(desired(*slow.settings.probes, digest="d2"), later)
        assert made.rung.acquire(timeout=10)
        (probed,) = made.ask(desired(*slow.settings.probes, digest="d2"), later)

    assert (probed.state, probed.at) == (PENDING, None)


def test_before_a_rollout_the_last_answers_are_the_baseline():
    with world(prometheus(["0.9"])) as made:
        made.ask_and_hear(desired(probe()), made.rollout())
        (probed,) = made.ask(desired(probe(), digest="d2"))

    assert probed.state is FAIL


def test_what_nobody_wants_any_more_is_dropped():
    with world(prometheus(["0.1"])) as made:
        made.ask_and_hear(desired(probe("old")))
        made.clock.advance(minutes=11)
        made.ask_and_hear(desired(probe("new")))
        (probed,) = made.ask(desired(probe("old")))

    assert probed.state is PENDING


def test_an_environment_that_is_gone_is_forgotten():
    with world(prometheus(["0.1"])) as made:
        made.ask_and_hear(desired(probe()))
        made.prober.forget("staging")
        (probed,) = made.ask(desired(probe()))

    assert probed.state is PENDING


def test_in_a_rollout_every_answer_is_worth_a_look_and_at_rest_only_news():
    with world(prometheus(["0.1"])) as made:
        resting = desired(probe())
        made.ask_and_hear(resting)
        made.woken.clear()
        made.clock.advance(seconds=10)
        made.ask_and_hear(resting)
        at_rest = [after_s for _, after_s in made.woken]
        rollout = replace(made.rollout())
        made.ask_and_hear(resting, rollout)
        made.woken.clear()
        made.clock.advance(seconds=10)
        made.ask_and_hear(resting, rollout)
        in_rollout = [after_s for _, after_s in made.woken]

    assert 0.0 not in at_rest
    assert 10.0 in at_rest
    assert 0.0 in in_rollout


def test_a_stopped_one_asks_nobody():
    with world(prometheus(["0.1"])) as made:
        made.prober.stop()
        assert [one.state for one in made.ask(desired(probe()))] == [PENDING]

    assert made.there.asked == []
