"""Rows of the catalogue about health that the story itself answers: H2, H6, H15, H16."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.core.commands import Ask, resume, suspend
from gitopsd.core.decision import Halt, Held, Keep, Rest, Revert
from gitopsd.core.probes import HttpProbe, ProbeState
from gitopsd.core.settings import Settings
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, Word, health, phase
from tests.story.world import ENVIRONMENT, World

PROBE = HttpProbe(name="http", service="web", port="80")


def rolling_out(soak_s: float = 30, **images: str) -> World:
    """A kept commit, and another whose writes are made."""
    world = World()
    world.git.settings = Settings(soak_s=soak_s, deadline_s=300, probes=(PROBE,))
    world.commit(web="good-0")
    world.settle()
    world.commit(**images)
    world.make_passes(1)
    world.decisions.clear()
    return world


def verdicts(world: World) -> list[object]:
    return [one for one in world.decisions if isinstance(one, Keep | Revert | Halt)]


def seen(world: World) -> EnvironmentView:
    return EnvironmentView(environment=ENVIRONMENT, latest=world.latest)


def flap(world: World, seconds: float, *, well: bool) -> None:
    """Be well, or fail, for so long, and be looked at every 5 s."""
    world.cluster.cured = {"bad-1"} if well else set()
    for _ in range(int(seconds // 5)):
        world.pass_once()
        world.clock.advance(seconds=5)


def test_h2_what_flaps_each_20_seconds_gets_one_decision_and_is_put_back():
    world = rolling_out(web="bad-1")
    for _ in range(4):
        flap(world, 20, well=False)
        flap(world, 20, well=True)
    world.cluster.cured = set()
    world.settle()

    assert [type(one) for one in verdicts(world)] == [Revert, Keep]
    assert world.images() == {"web": "good-0"}


def test_h2_what_flapped_and_then_stays_well_is_kept_after_its_whole_soak():
    world = rolling_out(web="bad-1")
    flap(world, 20, well=False)
    flap(world, 25, well=True)
    early = verdicts(world)
    flap(world, 60, well=True)

    assert early == []
    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h2_a_probe_that_flaps_is_not_kept_before_it_passed_for_the_whole_soak():
    world = rolling_out(web="good-1")
    for state in (ProbeState.PASS, ProbeState.PASS, ProbeState.FAIL) * 4:
        world.probes.answers["http"] = state
        flap(world, 5, well=True)

    assert verdicts(world) == []


def test_h6_what_fails_within_the_soak_is_put_back():
    world = rolling_out(soak_s=299, web="good-1")
    flap(world, 240, well=True)
    world.cluster.ill = {"good-1"}
    world.settle()

    assert isinstance(verdicts(world)[0], Revert)
    assert world.images() == {"web": "good-0"}


def test_h6_an_object_that_fails_after_it_was_kept_is_told_and_stays():
    world = rolling_out(web="good-1")
    world.settle()
    world.clock.advance(minutes=5)
    world.cluster.ill = {"good-1"}
    writes = dict(world.cluster.writes)
    flap(world, 600, well=True)

    assert [type(one) for one in verdicts(world)] == [Keep]
    view = seen(world)
    assert (world.images(), world.cluster.writes) == ({"web": "good-1"}, writes)
    assert (phase(view), health(view)) == (Phase.READY, Word.DEGRADED)
    assert [problem.code for problem in problems(view)] == ["OBJECT_FAILED"]
    assert "; by now Deployment shop/web: " in why(view)


def test_h6_a_probe_that_fails_after_it_was_kept_is_told_and_puts_nothing_back():
    world = rolling_out(web="good-1")
    world.settle()
    world.probes.answers["http"] = ProbeState.FAIL
    flap(world, 600, well=True)

    view = seen(world)
    assert [type(one) for one in verdicts(world)] == [Keep]
    assert (phase(view), health(view)) == (Phase.READY, Word.DEGRADED)
    assert [problem.code for problem in problems(view)] == ["PROBE_FAILED"]


def test_h6_a_failing_probe_is_written_down_once_and_again_when_it_recovers():
    world = rolling_out(web="good-1")
    world.settle()
    versions = []
    for state in (ProbeState.FAIL, ProbeState.PASS):
        world.probes.answers["http"] = state
        flap(world, 600, well=True)
        versions.append(int(world.store.load(ENVIRONMENT).version))

    assert versions[1] - versions[0] == 1
    assert world.store.load(ENVIRONMENT).failing_probes == frozenset()


def long_soak() -> World:
    """A rollout that has been well for far longer than its deadline, and must stay so for longer still."""
    world = rolling_out(soak_s=1_800, web="good-1")
    flap(world, 900, well=True)
    return world


def test_h6_one_failed_answer_in_a_soak_that_is_longer_than_the_deadline_puts_nothing_back():
    world = long_soak()
    world.probes.answers["http"] = ProbeState.FAIL
    flap(world, 10, well=True)
    world.probes.answers["http"] = ProbeState.PASS
    flap(world, 1_900, well=True)

    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h6_an_object_that_is_not_ready_for_a_moment_in_such_a_soak_puts_nothing_back():
    world = long_soak()
    world.cluster.slow = True
    flap(world, 10, well=True)
    world.cluster.slow = False
    flap(world, 1_900, well=True)

    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h6_a_question_that_comes_up_in_such_a_soak_has_time_to_be_answered():
    world = long_soak()
    world.probes.answers["new"] = ProbeState.PENDING
    world.git.settings = replace(world.git.settings, probes=(PROBE, replace(PROBE, name="new", path="/new")))
    flap(world, 10, well=True)
    world.probes.answers["new"] = ProbeState.PASS
    flap(world, 1_900, well=True)

    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h6_what_was_well_and_then_is_not_has_what_is_left_of_its_deadline():
    world = long_soak()
    world.cluster.slow = True
    flap(world, 290, well=True)
    early = verdicts(world)
    flap(world, 20, well=True)

    assert early == []
    assert isinstance(verdicts(world)[0], Revert)
    assert verdicts(world)[0].why.startswith("not healthy after 300 s: Deployment shop/web: 0/1 ready")


def test_h6_what_somebody_suspends_in_such_a_soak_is_not_late_when_it_goes_on():
    world = long_soak()
    ask = Ask(by="me", why="lunch", at=world.clock.now())
    world.store.save(ENVIRONMENT, suspend(world.store.load(ENVIRONMENT), ask))
    flap(world, 600, well=True)
    world.store.save(ENVIRONMENT, resume(world.store.load(ENVIRONMENT), replace(ask, at=world.clock.now())))
    world.probes.answers["http"] = ProbeState.PENDING
    flap(world, 10, well=True)
    world.probes.answers["http"] = ProbeState.PASS
    flap(world, 1_900, well=True)

    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h15_while_the_api_server_is_down_nothing_is_decided_and_its_time_does_not_count():
    world = rolling_out(web="slow-1")
    world.cluster.down = True
    for _ in range(20):
        world.pass_once()
        world.clock.advance(minutes=1)
    world.cluster.down = False
    world.cluster.blind_s = 20 * 60
    flap(world, 240, well=True)
    late = verdicts(world)
    flap(world, 120, well=True)

    assert late == []
    assert isinstance(verdicts(world)[0], Revert)


def unseen(world: World, minutes: int) -> None:
    """For so long the API server does not answer."""
    world.cluster.down = True
    for _ in range(minutes):
        world.pass_once()
        world.clock.advance(minutes=1)
    world.cluster.down = False
    world.cluster.blind_s = 60.0 * minutes


def test_h15_a_grace_does_not_pass_while_the_api_server_is_down():
    world = rolling_out(web="bad-1")
    world.make_passes(1)
    unseen(world, 10)
    world.make_passes(1)
    at_once = verdicts(world)
    flap(world, 40, well=False)

    assert at_once == []
    assert isinstance(verdicts(world)[0], Revert)


def test_h15_a_soak_does_not_pass_while_the_api_server_is_down():
    world = rolling_out(soak_s=60, web="good-1")
    world.make_passes(2)
    unseen(world, 10)
    world.make_passes(1)
    at_once = verdicts(world)
    flap(world, 70, well=True)

    assert at_once == []
    assert [type(one) for one in verdicts(world)] == [Keep]


def test_h16_what_was_unhealthy_before_the_commit_is_not_put_back_to_something_no_better():
    world = rolling_out(web="good-1", cache="good-1")
    world.settle()
    world.cluster.ill = {"good-1", "good-2"}
    world.commit(web="good-2", cache="good-1")
    last = world.settle()

    assert isinstance(last, Held)
    assert last.problems[0].code == "ROLLOUT_FAILED"
    assert world.images() == {"web": "good-2", "cache": "good-1"}
    assert not any(isinstance(one, Revert) for one in world.decisions)


def test_h16_what_was_unhealthy_before_and_is_not_touched_holds_no_commit_back():
    world = rolling_out(web="good-1", cache="good-1")
    world.settle()
    world.cluster.ill = {"good-1"}
    world.commit(web="good-2", cache="good-1")

    assert isinstance(world.settle(), Rest)
    assert world.images() == {"web": "good-2", "cache": "good-1"}
    assert health(seen(world)) is Word.DEGRADED
